import type { Uuid } from '../../src/base/uuid.ts';
import type { GroupCoordinator, GroupCoordinatorConfig } from '../../src/coordinator/index.ts';
import { decode, defaults, encodeToBytes } from '../../src/protocol/codec.ts';
import { Errors } from '../../src/protocol/errors.ts';
import {
  ConsumerProtocolAssignment,
  ConsumerProtocolSubscription,
} from '../../src/protocol/messages/consumer-protocol.ts';
import { HeartbeatRequest } from '../../src/protocol/messages/heartbeat.ts';
import { JoinGroupRequest, type JoinGroupResponse } from '../../src/protocol/messages/join-group.ts';
import { LeaveGroupRequest } from '../../src/protocol/messages/leave-group.ts';
import { OffsetCommitRequest } from '../../src/protocol/messages/offset-commit.ts';
import { SyncGroupRequest, type SyncGroupResponse } from '../../src/protocol/messages/sync-group.ts';
import type { FakeTopics } from '../unit/coordinator/fake-topics.ts';
import { subscription } from '../unit/coordinator/subscription.ts';
import type { VirtualTime } from '../unit/coordinator/support.ts';
import { type GroupModel, type Outcome, partsOf } from './group-model.ts';
import type { SeededRandom } from './random.ts';

export const SESSION_TIMEOUT_MS = 10_000;
export const REBALANCE_TIMEOUT_MS = 15_000;
const HEARTBEAT_MS = 3_000;
export const COMMIT_MS = 700;
export const RETRY_MS = 200;
/** An application that its group does not take is started again after a while. */
export const REFUSED_MS = 3000;
const JOIN_VERSION = 9;
const COMMIT_VERSION = 9;
const COMMIT_BY_ID_VERSION = 10;

export type MigrationPolicy = GroupCoordinatorConfig['consumerMigrationPolicy'];

export interface MemberWorld {
  readonly groupId: string;
  readonly topics: FakeTopics;
  /** Everybody who is or was in the group. */
  readonly clients: () => readonly SimulatedClient[];
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly model: GroupModel;
  /** Whoever coordinates now. */
  readonly coordinator: () => GroupCoordinator;
  /** What it lets groups turn into while members are there. */
  readonly policy: () => MigrationPolicy;
  /** Who came last with an instance id. */
  readonly instances: Map<string, { readonly name: string; readonly sinceMs: number }>;
  /** Who is heard of within this is a member, whatever the settings of the group are made to be. */
  readonly shortestSessionMs: number;
}

/** A partition of a topic, which is another one once the topic was deleted and made anew. */
export interface Part {
  readonly topic: string;
  readonly topicId: Uuid;
  readonly partition: number;
}

export const partKey = ({ topicId, partition }: Part): string => `${topicId}/${partition}`;

/** What a member wants: topics by name, there or not, and all that match. */
export interface Subscription {
  readonly names: readonly string[];
  readonly pattern: string | undefined;
}

export function wantedBy({ names, pattern }: Subscription, topics: FakeTopics): string[] {
  if (pattern === undefined) return [...names];
  const whole = new RegExp(`^(?:${pattern})$`);
  return [...topics.names()].filter((name) => whole.test(name)).sort();
}

/** A consumer, whichever protocol it speaks. */
export interface SimulatedClient {
  readonly name: string;
  readonly groupInstanceId: string | null;
  readonly isGone: boolean;
  /** It was told to be a member, and its session can't be over. */
  readonly isAlive: boolean;
  /** It has all that it shall have, as far as it knows. */
  readonly isStable: boolean;
  /** The group is one of the other protocol, and is to stay so. */
  readonly isRefused: boolean;
  /** Another one with each time that it is a member anew. */
  readonly membership: object;
  readonly subscription: Subscription;
  /** What it has, as `topic/partition`. */
  readonly owned: readonly string[];
  /** What it is told from others by: a static member stays the same. */
  readonly owner: string;
  /** Whether it has the partition of that {@link partKey}, and its session can't be over. */
  holds(key: string): boolean;
  start(): void;
  /** Stops without a word. */
  crash(): void;
  leave(): void;
  /** Says nothing for a while, and then goes on as if nothing had happened. */
  stall(ms: number): void;
  /** Wants something else from now on. */
  resubscribe(subscription: Subscription): void;
}

export type MakeClient = new (
  world: MemberWorld,
  name: string,
  groupInstanceId: string | null,
  subscription: Subscription,
) => SimulatedClient;

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
  #subscription: Subscription;
  #memberId = '';
  #generationId = -1;
  #phase: Phase = 'gone';
  #owned: readonly Part[] = [];
  #ownedKeys: ReadonlySet<string> = new Set();
  /** What it wanted when it joined; and where it leads, what it knew of the topics of all members. */
  #joinedWith = '';
  #assignedWith: { readonly names: ReadonlySet<string>; readonly snapshot: string } | undefined;
  /** Answers and timers of an earlier life mean nothing. */
  #life = 0;
  #membership = {};
  #isRefused = false;
  #stalledUntilMs = 0;
  #heardAtMs = Number.NEGATIVE_INFINITY;

  constructor(world: MemberWorld, name: string, groupInstanceId: string | null, subscription: Subscription) {
    this.#world = world;
    this.name = name;
    this.groupInstanceId = groupInstanceId;
    this.#subscription = subscription;
  }

  get isRefused(): boolean {
    return this.#isRefused;
  }

  get membership(): object {
    return this.#membership;
  }

  get isGone(): boolean {
    return this.#phase === 'gone';
  }

  get isStable(): boolean {
    return this.#phase === 'stable';
  }

  get isAlive(): boolean {
    if (!this.isStable || isReplaced(this, this.#world)) return false;
    return this.#world.time.monotonicMs() < this.#heardAtMs + SESSION_TIMEOUT_MS;
  }

  get subscription(): Subscription {
    return this.#subscription;
  }

  get owner(): string {
    return this.groupInstanceId ?? this.#memberId;
  }

  holds(key: string): boolean {
    return this.isAlive && this.#ownedKeys.has(key);
  }

  get owned(): readonly string[] {
    return this.#owned.map(({ topic, partition }) => `${topic}/${partition}`);
  }

  start(): void {
    this.#life += 1;
    this.#lost();
    this.#heardAtMs = Number.NEGATIVE_INFINITY;
    this.#join();
    this.#every(HEARTBEAT_MS, () => this.#heartbeat());
    this.#every(COMMIT_MS, () => this.#commit());
  }

  crash(): void {
    this.#life += 1;
    this.#phase = 'gone';
    this.#has([]);
  }

  leave(): void {
    const members = [{ memberId: this.#memberId, groupInstanceId: this.groupInstanceId }];
    const request = { groupId: this.#world.groupId, members };
    // Without a member id it takes out whoever has its instance id, as admin clients do.
    if (this.#memberId === '') takesPlace(this, this.#world);
    this.crash();
    this.#world.coordinator().leaveGroup(defaults(LeaveGroupRequest, request), () => undefined);
  }

  stall(ms: number): void {
    this.#stalledUntilMs = this.#world.time.monotonicMs() + ms;
  }

  resubscribe(subscription: Subscription): void {
    this.#subscription = subscription;
  }

  get #isStalled(): boolean {
    return this.#world.time.monotonicMs() < this.#stalledUntilMs;
  }

  #has(parts: readonly Part[]): void {
    this.#owned = parts;
    this.#ownedKeys = new Set(parts.map(partKey));
  }

  #join(): void {
    const { groupId, topics } = this.#world;
    takesPlace(this, this.#world);
    this.#phase = 'joining';
    this.#assignedWith = undefined;
    const wanted = wantedBy(this.#subscription, topics);
    this.#joinedWith = wanted.join();
    const request = defaults<JoinGroupRequest>(JoinGroupRequest, {
      groupId,
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
      rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
      memberId: this.#memberId,
      groupInstanceId: this.groupInstanceId,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: subscription(...wanted) }],
    });
    const context = { apiVersion: JOIN_VERSION, clientId: this.name, clientHost: '/simulated' };
    const policy = this.#world.policy();
    const answer = this.#alive((response: JoinGroupResponse) => this.#joined(response, policy));
    this.#world.coordinator().joinGroup(context, request, answer);
  }

  #joined(response: JoinGroupResponse, policy: MigrationPolicy): void {
    const { errorCode, memberId } = response;
    this.#isRefused = errorCode === Errors.INCONSISTENT_GROUP_PROTOCOL && policy === 'disabled';
    if (errorCode === Errors.NONE) {
      this.#memberId = memberId;
      this.#generationId = response.generationId;
      // What it owned, it owned in the generation before.
      this.#has([]);
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
    } else if (this.#isRefused) {
      this.#lost();
      this.#later(this.#world.random.between(1000, REFUSED_MS), () => this.#join());
    } else {
      this.#world.model.wrong(`${this.name} could not join: ${errorCode}`);
    }
  }

  /** It is no member any more, and owns nothing. */
  #lost(): void {
    this.#membership = {};
    this.#memberId = '';
    this.#generationId = -1;
    this.#has([]);
  }

  #sync(joined: JoinGroupResponse): void {
    this.#phase = 'syncing';
    const isLeader = joined.leader === this.#memberId;
    const leads = isLeader && !joined.skipAssignment;
    // A leader that comes back can't know what has changed meanwhile, and looks again.
    if (isLeader && !leads) this.#assignedWith = { names: new Set(), snapshot: 'unknown' };
    const request = defaults<SyncGroupRequest>(SyncGroupRequest, {
      groupId: this.#world.groupId,
      memberId: this.#memberId,
      groupInstanceId: this.groupInstanceId,
      generationId: this.#generationId,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: leads ? this.#assign(joined.members) : [],
    });
    const answer = this.#alive((response: SyncGroupResponse) => this.#synced(response));
    this.#world.coordinator().syncGroup(request, answer);
  }

  /** Round robin, topic by topic. */
  #assign(members: JoinGroupResponse['members']) {
    const { topics } = this.#world;
    const wanted = new Map(members.map(({ memberId, metadata }) => [memberId, topicsIn(metadata)]));
    const names = new Set([...wanted.values()].flatMap((some) => [...some]));
    this.#assignedWith = { names, snapshot: snapshotOf(names, topics) };
    const assigned = new Map(members.map(({ memberId }) => [memberId, new Map<string, number[]>()]));
    for (const topic of names) {
      const takers = members.filter(({ memberId }) => wanted.get(memberId)!.has(topic));
      for (let partition = 0; partition < countOf(topic, topics); partition++) {
        const mine = assigned.get(takers[partition % takers.length]!.memberId)!;
        mine.set(topic, [...(mine.get(topic) ?? []), partition]);
      }
    }
    return Array.from(assigned, ([memberId, mine]) => ({ memberId, assignment: assignmentOf(mine) }));
  }

  #synced({ errorCode, assignment }: SyncGroupResponse): void {
    const { model, topics, groupId } = this.#world;
    if (errorCode !== Errors.NONE) {
      if (!this.#mustRejoin(errorCode))
        model.wrong(`${this.name} could not get its assignment: ${errorCode}`);
      return;
    }
    this.#phase = 'stable';
    const given = partitionsIn(assignment).flatMap(({ topic, partitions }) => {
      const topicId = topics.idOf(topic);
      return topicId === undefined ? [] : [{ topic, topicId, partitions }];
    });
    this.#has(partsOf(given));
    model.owns(this.#generationId, this.owner, this.#owned, this.#world.clients());
    for (const { topic, partition } of this.#owned) model.read(this.#world, groupId, topic, partition);
  }

  #heartbeat(): void {
    if (this.#isStalled || this.#memberId === '' || this.#phase !== 'stable') return;
    if (this.#topicsHaveChanged()) {
      this.#join();
      return;
    }
    const request = defaults<HeartbeatRequest>(HeartbeatRequest, {
      groupId: this.#world.groupId,
      memberId: this.#memberId,
      groupInstanceId: this.groupInstanceId,
      generationId: this.#generationId,
    });
    const generationId = this.#generationId;
    const sentAtMs = this.#world.time.monotonicMs();
    // While the group is loaded every heartbeat is fine, and tells nothing.
    let isKnown = false;
    const anything = { groupId: request.groupId, memberId: null, memberEpoch: -1, topics: [] };
    this.#world.coordinator().fetchOffsets(anything, false, (response) => {
      isKnown = response.errorCode === Errors.NONE;
    });
    const answer = this.#alive(({ errorCode }: { readonly errorCode: number }) => {
      if (errorCode === Errors.NONE && isKnown) {
        keepsPlace(this, this.#world, sentAtMs);
        this.#heardAtMs = sentAtMs;
      }
      if (this.#phase === 'stable' && this.#generationId === generationId) this.#mustRejoin(errorCode);
    });
    this.#world.coordinator().heartbeat(request, answer);
  }

  /** Everybody looks after what it wants itself, the leader after the partitions of all. */
  #topicsHaveChanged(): boolean {
    const { topics } = this.#world;
    if (wantedBy(this.#subscription, topics).join() !== this.#joinedWith) return true;
    if (this.#assignedWith === undefined) return false;
    return snapshotOf(this.#assignedWith.names, topics) !== this.#assignedWith.snapshot;
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
    const part = this.#world.random.pick(this.#owned);
    commitOf(this.#world, this, { memberId: this.#memberId, epoch: this.#generationId, part });
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

/** It asks for the place of its instance id, at once: who has it may be out, until told otherwise. */
export function takesPlace({ groupInstanceId, name }: SimulatedClient, world: MemberWorld): void {
  if (groupInstanceId === null) return;
  world.instances.set(groupInstanceId, { name, sinceMs: world.time.monotonicMs() });
}

/** What it sent then was answered as what a member sends. */
export function keepsPlace(client: SimulatedClient, world: MemberWorld, sentAtMs: number): void {
  if (!isReplaced(client, world)) return;
  if (sentAtMs > world.instances.get(client.groupInstanceId!)!.sinceMs) takesPlace(client, world);
}

export function isReplaced({ groupInstanceId, name }: SimulatedClient, { instances }: MemberWorld): boolean {
  return groupInstanceId !== null && instances.get(groupInstanceId)?.name !== name;
}

/** Commits an offset that no other commit has. The model wants every answer, whoever still waits for it. */
export function commitOf(
  world: MemberWorld,
  /** Without an owner: somebody from outside the group. */
  client: Pick<SimulatedClient, 'name' | 'groupInstanceId'> & { readonly owner: string | undefined },
  from: {
    readonly memberId: string;
    readonly epoch: number;
    readonly part: Part;
    /** Members are there, and this must not count. */
    readonly isGuarded?: boolean;
  },
): void {
  const { topics, random, model } = world;
  const { memberId, epoch, part, isGuarded = false } = from;
  // The node refuses what is not there, before the group hears of it.
  const isById = random.chance(0.5);
  const topic = isById ? topics.nameOf(part.topicId) : part.topic;
  if (topic === undefined || part.partition >= countOf(topic, topics)) return;
  const topicId = topics.idOf(topic)!;
  // By name it may count for a topic that was made anew, of which the member has nothing.
  const owner = topicId === part.topicId ? client.owner : undefined;
  const attempt = model.attempt(world.groupId, { ...part, topicId }, owner);
  const partitions = [
    { partitionIndex: part.partition, committedOffset: attempt.offset, committedMetadata: '' },
  ];
  const request = defaults<OffsetCommitRequest>(OffsetCommitRequest, {
    groupId: world.groupId,
    memberId,
    groupInstanceId: client.groupInstanceId,
    generationIdOrMemberEpoch: epoch,
    topics: [{ name: topic, topicId, partitions }],
  });
  const apiVersion = isById ? COMMIT_BY_ID_VERSION : COMMIT_VERSION;
  world.coordinator().commitOffsets(apiVersion, request, (response) => {
    const { errorCode } = response.topics[0]!.partitions[0]!;
    const outcome = outcomeOf(errorCode);
    if (isGuarded && outcome === 'committed') model.wrong(`${client.name} committed in a group with members`);
    attempt.settled(outcome);
  });
}

export function outcomeOf(errorCode: number): Outcome {
  if (errorCode === Errors.NONE) return 'committed';
  return RETRIABLE.has(errorCode) ? 'unknown' : 'refused';
}

export function countOf(topic: string, topics: FakeTopics): number {
  const id = topics.idOf(topic);
  return id === undefined ? 0 : topics.partitionCountOf(id)!;
}

function snapshotOf(names: ReadonlySet<string>, topics: FakeTopics): string {
  return [...names].map((name) => `${name} ${countOf(name, topics)}`).join();
}

function topicsIn(metadata: Uint8Array): ReadonlySet<string> {
  return new Set(decode(ConsumerProtocolSubscription, 0, metadata, 2).topics);
}

function assignmentOf(partitions: ReadonlyMap<string, readonly number[]>): Buffer {
  const assignedPartitions = Array.from(partitions, ([topic, some]) => ({ topic, partitions: some }));
  const value = { assignedPartitions, userData: null };
  return Buffer.concat([Buffer.from([0, 0]), encodeToBytes(ConsumerProtocolAssignment, 0, value)]);
}

function partitionsIn(assignment: Uint8Array): ConsumerProtocolAssignment['assignedPartitions'] {
  if (assignment.length === 0) return [];
  return decode(ConsumerProtocolAssignment, 0, assignment, 2).assignedPartitions;
}
