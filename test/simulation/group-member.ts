import type { Uuid } from '../../src/base/uuid.ts';
import type { GroupCoordinator } from '../../src/coordinator/index.ts';
import { decode, defaults, encodeToBytes } from '../../src/protocol/codec.ts';
import { Errors } from '../../src/protocol/errors.ts';
import { ConsumerProtocolAssignment } from '../../src/protocol/messages/consumer-protocol.ts';
import { HeartbeatRequest } from '../../src/protocol/messages/heartbeat.ts';
import { JoinGroupRequest, type JoinGroupResponse } from '../../src/protocol/messages/join-group.ts';
import { LeaveGroupRequest } from '../../src/protocol/messages/leave-group.ts';
import { OffsetCommitRequest } from '../../src/protocol/messages/offset-commit.ts';
import { SyncGroupRequest, type SyncGroupResponse } from '../../src/protocol/messages/sync-group.ts';
import { subscription } from '../unit/coordinator/subscription.ts';
import type { VirtualTime } from '../unit/coordinator/support.ts';
import type { GroupModel } from './group-model.ts';
import type { SeededRandom } from './random.ts';

export const TOPIC = 't';
export const SESSION_TIMEOUT_MS = 10_000;
export const REBALANCE_TIMEOUT_MS = 15_000;
export const HEARTBEAT_MS = 3_000;
export const RETRY_MS = 200;
const JOIN_VERSION = 9;
const COMMIT_VERSION = 9;

export interface MemberWorld {
  readonly groupId: string;
  readonly partitions: number;
  readonly topicId: Uuid;
  /** Everybody who is or was in the group. */
  readonly clients: () => readonly SimulatedClient[];
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly model: GroupModel;
  /** Whoever coordinates now. */
  readonly coordinator: () => GroupCoordinator;
}

/** A consumer, whichever protocol it speaks. */
export interface SimulatedClient {
  readonly name: string;
  readonly isGone: boolean;
  /** It has all that it shall have, as far as it knows. */
  readonly isStable: boolean;
  readonly owned: readonly number[];
  /** What it is told from others by: a static member stays the same. */
  readonly owner: string;
  /** Whether it has the partition, and its session can't be over. */
  holds(partition: number): boolean;
  start(): void;
  /** Stops without a word. */
  crash(): void;
  leave(): void;
  /** Says nothing for a while, and then goes on as if nothing had happened. */
  stall(ms: number): void;
}

type Phase = 'joining' | 'syncing' | 'stable' | 'gone';

/** The coordinator is somewhere else, or busy: ask again. */
export const RETRIABLE: ReadonlySet<number> = new Set([
  Errors.COORDINATOR_LOAD_IN_PROGRESS,
  Errors.COORDINATOR_NOT_AVAILABLE,
  Errors.NOT_COORDINATOR,
]);

/** One consumer, as clients behave: joins, assigns where it leads, sends heartbeats, commits, joins again when told. */
export class SimulatedMember implements SimulatedClient {
  readonly name: string;
  readonly groupInstanceId: string | null;
  readonly #world: MemberWorld;
  #memberId = '';
  #generationId = -1;
  #phase: Phase = 'joining';
  #owned: number[] = [];
  /** Answers and timers of an earlier life mean nothing. */
  #life = 0;
  #stalledUntilMs = 0;
  #heardAtMs = Number.NEGATIVE_INFINITY;

  constructor(world: MemberWorld, name: string, groupInstanceId: string | null) {
    this.#world = world;
    this.name = name;
    this.groupInstanceId = groupInstanceId;
  }

  get isGone(): boolean {
    return this.#phase === 'gone';
  }

  get isStable(): boolean {
    return this.#phase === 'stable';
  }

  get owner(): string {
    return this.groupInstanceId ?? this.#memberId;
  }

  holds(partition: number): boolean {
    const isAlive = this.#world.time.monotonicMs() < this.#heardAtMs + SESSION_TIMEOUT_MS;
    return this.isStable && isAlive && this.#owned.includes(partition);
  }

  get generationId(): number {
    return this.#generationId;
  }

  get owned(): readonly number[] {
    return this.#owned;
  }

  start(): void {
    this.#life += 1;
    this.#memberId = '';
    this.#generationId = -1;
    this.#owned = [];
    this.#join();
    this.#every(HEARTBEAT_MS, () => this.#heartbeat());
    this.#every(700, () => this.#commit());
  }

  crash(): void {
    this.#life += 1;
    this.#phase = 'gone';
    this.#owned = [];
  }

  leave(): void {
    const members = [{ memberId: this.#memberId, groupInstanceId: this.groupInstanceId }];
    const request = { groupId: this.#world.groupId, members };
    this.crash();
    this.#world.coordinator().leaveGroup(defaults(LeaveGroupRequest, request), () => undefined);
  }

  stall(ms: number): void {
    this.#stalledUntilMs = this.#world.time.monotonicMs() + ms;
  }

  get #isStalled(): boolean {
    return this.#world.time.monotonicMs() < this.#stalledUntilMs;
  }

  #join(): void {
    const { groupId } = this.#world;
    this.#phase = 'joining';
    const request = defaults<JoinGroupRequest>(JoinGroupRequest, {
      groupId,
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
      rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
      memberId: this.#memberId,
      groupInstanceId: this.groupInstanceId,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: subscription(TOPIC) }],
    });
    const context = { apiVersion: JOIN_VERSION, clientId: this.name, clientHost: '/simulated' };
    const answer = this.#alive((response: JoinGroupResponse) => this.#joined(response));
    this.#world.coordinator().joinGroup(context, request, answer);
  }

  #joined(response: JoinGroupResponse): void {
    const { errorCode, memberId } = response;
    if (errorCode === Errors.NONE) {
      this.#memberId = memberId;
      this.#generationId = response.generationId;
      // What it owned, it owned in the generation before.
      this.#owned = [];
      this.#sync(response);
    } else if (errorCode === Errors.MEMBER_ID_REQUIRED) {
      this.#memberId = memberId;
      this.#join();
    } else if (errorCode === Errors.UNKNOWN_MEMBER_ID) {
      this.#lost();
      this.#later(RETRY_MS, () => this.#join());
    } else if (errorCode === Errors.FENCED_INSTANCE_ID) {
      this.crash();
    } else if (RETRIABLE.has(errorCode) || errorCode === Errors.REBALANCE_IN_PROGRESS) {
      this.#later(RETRY_MS, () => this.#join());
    } else {
      this.#world.model.wrong(`${this.name} could not join: ${errorCode}`);
    }
  }

  /** It is no member any more, and owns nothing. */
  #lost(): void {
    this.#memberId = '';
    this.#generationId = -1;
    this.#owned = [];
  }

  #sync(joined: JoinGroupResponse): void {
    this.#phase = 'syncing';
    const { groupId, partitions } = this.#world;
    const leads = joined.leader === this.#memberId && !joined.skipAssignment;
    const request = defaults<SyncGroupRequest>(SyncGroupRequest, {
      groupId,
      memberId: this.#memberId,
      groupInstanceId: this.groupInstanceId,
      generationId: this.#generationId,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: leads ? assign(joined.members, partitions) : [],
    });
    const answer = this.#alive((response: SyncGroupResponse) => this.#synced(response));
    this.#world.coordinator().syncGroup(request, answer);
  }

  #synced({ errorCode, assignment }: SyncGroupResponse): void {
    if (errorCode !== Errors.NONE) {
      if (!this.#mustRejoin(errorCode)) {
        this.#world.model.wrong(`${this.name} could not get its assignment: ${errorCode}`);
      }
      return;
    }
    this.#phase = 'stable';
    this.#owned = partitionsIn(assignment);
    this.#world.model.owns(this.#generationId, this.owner, this.#owned, this.#world.clients());
    for (const partition of this.#owned) this.#world.model.read(this.#world, partition);
  }

  #heartbeat(): void {
    if (this.#isStalled || this.#memberId === '' || this.#phase !== 'stable') return;
    const request = defaults<HeartbeatRequest>(HeartbeatRequest, {
      groupId: this.#world.groupId,
      memberId: this.#memberId,
      groupInstanceId: this.groupInstanceId,
      generationId: this.#generationId,
    });
    const generationId = this.#generationId;
    const sentAtMs = this.#world.time.monotonicMs();
    const answer = this.#alive(({ errorCode }: { readonly errorCode: number }) => {
      if (errorCode === Errors.NONE) this.#heardAtMs = sentAtMs;
      if (this.#phase === 'stable' && this.#generationId === generationId) this.#mustRejoin(errorCode);
    });
    this.#world.coordinator().heartbeat(request, answer);
  }

  /** Does what an error of a member's request asks for. False for an error that should not be. */
  #mustRejoin(errorCode: number): boolean {
    if (errorCode === Errors.NONE) return true;
    if (errorCode === Errors.FENCED_INSTANCE_ID) {
      this.crash();
      return true;
    }
    if (errorCode === Errors.UNKNOWN_MEMBER_ID) this.#lost();
    if (RETRIABLE.has(errorCode) && this.#phase === 'stable') return true;
    const known = [Errors.UNKNOWN_MEMBER_ID, Errors.ILLEGAL_GENERATION, Errors.REBALANCE_IN_PROGRESS];
    if (!known.includes(errorCode as never) && !RETRIABLE.has(errorCode)) return false;
    this.#phase = 'joining';
    this.#later(this.#world.random.between(1, RETRY_MS), () => this.#join());
    return true;
  }

  /** Of what it believes to own, whether that is still so or not. */
  #commit(): void {
    if (this.#isStalled || this.#owned.length === 0 || this.#generationId < 0) return;
    const partition = this.#world.random.pick(this.#owned);
    commitOf(this.#world, this, { memberId: this.#memberId, epoch: this.#generationId, partition });
  }

  #alive<T>(then: (value: T) => void): (value: T) => void {
    const life = this.#life;
    return (value) => {
      if (this.#life === life) then(value);
    };
  }

  #later(ms: number, run: () => void): void {
    this.#world.time.after(ms, this.#alive<void>(run));
  }

  #every(ms: number, run: () => void): void {
    this.#later(this.#world.random.between(Math.floor(ms / 2), ms), () => {
      run();
      this.#every(ms, run);
    });
  }
}

/** Commits an offset that no other commit has. The model wants every answer, whoever still waits for it. */
export function commitOf(
  world: MemberWorld,
  client: SimulatedClient & { readonly groupInstanceId: string | null },
  from: { readonly memberId: string; readonly epoch: number; readonly partition: number },
): void {
  const { memberId, epoch, partition } = from;
  const attempt = world.model.attempt(partition, client.owner);
  const partitions = [{ partitionIndex: partition, committedOffset: attempt.offset, committedMetadata: '' }];
  const request = defaults<OffsetCommitRequest>(OffsetCommitRequest, {
    groupId: world.groupId,
    memberId,
    groupInstanceId: client.groupInstanceId,
    generationIdOrMemberEpoch: epoch,
    topics: [{ name: TOPIC, topicId: world.topicId, partitions }],
  });
  const context = { apiVersion: COMMIT_VERSION, clientId: client.name, clientHost: '/simulated' };
  world.coordinator().commitOffsets(context, request, (response) => {
    const { errorCode } = response.topics[0]!.partitions[0]!;
    const isUnknown = RETRIABLE.has(errorCode);
    attempt.settled(errorCode === Errors.NONE ? 'committed' : isUnknown ? 'unknown' : 'refused');
  });
}

/** Round robin. */
function assign(members: JoinGroupResponse['members'], partitions: number) {
  return members.map(({ memberId }, at) => {
    const own = Array.from({ length: partitions }, (_, partition) => partition);
    const mine = own.filter((partition) => partition % members.length === at);
    const assignedPartitions = mine.length === 0 ? [] : [{ topic: TOPIC, partitions: mine }];
    const value = { assignedPartitions, userData: null };
    const assignment = Buffer.concat([
      Buffer.from([0, 0]),
      encodeToBytes(ConsumerProtocolAssignment, 0, value),
    ]);
    return { memberId, assignment };
  });
}

function partitionsIn(assignment: Uint8Array): number[] {
  if (assignment.length === 0) return [];
  const { assignedPartitions } = decode(ConsumerProtocolAssignment, 0, assignment, 2);
  return assignedPartitions.flatMap(({ partitions }) => [...partitions]);
}
