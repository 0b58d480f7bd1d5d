import { randomUUID } from 'node:crypto';
import { Errors } from '../../src/protocol/errors.ts';
import {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../src/protocol/messages/consumer-group-heartbeat.ts';
import { HeartbeatRequest, HeartbeatResponse } from '../../src/protocol/messages/heartbeat.ts';
import { JoinGroupRequest, JoinGroupResponse } from '../../src/protocol/messages/join-group.ts';
import { LeaveGroupRequest, LeaveGroupResponse } from '../../src/protocol/messages/leave-group.ts';
import { SyncGroupRequest, SyncGroupResponse } from '../../src/protocol/messages/sync-group.ts';
import { sleep } from '../../test/interop/support/run.ts';
import { EPOCH_MARK, MEMBER_MARK, PARTITION_MARK, PartitionsFrame, PatchedFrame } from './frames.ts';
import { frameOf, Peer } from './peer.ts';
import { consume, type FilledTopic, subscriptionTo } from './topic.ts';

/**
 * Between two heartbeats of a member: often, so that the broker's time is measured and not the members' patience, but no
 * more of all together than a broker serves with ease.
 */
const BEATS_PER_MS = 20;
const SETTLED_WITHIN_MS = 120_000;
const SESSION_MS = 45_000;
const JOIN_VERSION = 5;
const SYNC_VERSION = 3;
const HEARTBEAT_VERSION = 3;
const CONSUMER_HEARTBEAT_VERSION = 1;
/** What a client waits for and asks again. */
const RETRIED: readonly number[] = [
  Errors.COORDINATOR_LOAD_IN_PROGRESS,
  Errors.COORDINATOR_NOT_AVAILABLE,
  Errors.NOT_COORDINATOR,
];
const REJOINED: readonly number[] = [
  Errors.REBALANCE_IN_PROGRESS,
  Errors.ILLEGAL_GENERATION,
  Errors.UNKNOWN_MEMBER_ID,
];

export interface GroupTopic {
  readonly port: number;
  readonly groupId: string;
  readonly topic: FilledTopic;
  /** How many members it is meant for. */
  readonly size: number;
}

type Assigned = NonNullable<ConsumerGroupHeartbeatResponse['assignment']>['topicPartitions'];

/** A member of a group that consumes what it is assigned, in a generation or epoch with others. */
export interface Member {
  /** -1 until it has read a record of each partition that it has. */
  readonly generation: number;
  readonly assigned: readonly number[];
  readonly memberId: string;
  readonly coordinator: Peer;
  /** Called when it has come to a generation. */
  onSettled: () => void;
  /** Joins, and goes on until it stops. Rejects with what went wrong. */
  run(): Promise<void>;
  /** Only stops. */
  stop(): void;
  leave(): Promise<void>;
}

abstract class LiveMember {
  generation = -1;
  assigned: readonly number[] = [];
  memberId = '';
  onSettled: () => void = () => {};
  readonly coordinator: Peer;
  protected readonly group: GroupTopic;
  protected stopped = false;
  protected readonly beatMs: number;
  readonly #consumer: Peer;

  constructor(group: GroupTopic, coordinator: Peer, consumer: Peer) {
    this.group = group;
    this.coordinator = coordinator;
    this.#consumer = consumer;
    this.beatMs = Math.max(1, Math.round(group.size / BEATS_PER_MS));
  }

  stop(): void {
    this.stopped = true;
  }

  close(): void {
    this.stopped = true;
    this.coordinator.close();
    this.#consumer.close();
  }

  protected async consume(): Promise<void> {
    await consume(this.#consumer, this.group.topic, this.assigned);
  }
}

/** The classic protocol; whoever leads deals the partitions out in turn. */
export class ClassicMember extends LiveMember implements Member {
  /** The last one that it was in. */
  settledGeneration = -1;
  readonly #firstJoin = this.#joinFrame('');
  readonly #join = new PatchedFrame(this.#joinFrame(MEMBER_MARK));
  readonly #sync = new PatchedFrame(this.#syncFrame(EPOCH_MARK, MEMBER_MARK, []));
  readonly #beat = new PatchedFrame(this.#beatFrame());

  static async open(group: GroupTopic): Promise<ClassicMember> {
    return new ClassicMember(group, await Peer.served(group.port), await Peer.served(group.port));
  }

  async run(): Promise<void> {
    while (!this.stopped) {
      const generation = await this.#joined();
      if (generation < 0) continue;
      await this.consume();
      this.generation = generation;
      this.settledGeneration = generation;
      this.onSettled();
      do await sleep(this.beatMs);
      while (!this.stopped && (await this.#isKept()));
      this.generation = -1;
    }
  }

  async leave(): Promise<void> {
    this.stop();
    const { groupId } = this.group;
    const request = { groupId, members: [{ memberId: this.memberId }] };
    const { errorCode } = await this.coordinator.ask(LeaveGroupRequest, LeaveGroupResponse, 3, request);
    if (errorCode !== 0) throw new Error(`LeaveGroup answered ${errorCode}`);
    this.close();
  }

  #joinFrame(memberId: string): Buffer {
    return frameOf(JoinGroupRequest, JOIN_VERSION, {
      groupId: this.group.groupId,
      memberId,
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: 60_000,
      protocolType: 'consumer',
      protocols: [{ name: 'bench', metadata: subscriptionTo(this.group.topic.name) }],
    });
  }

  #syncFrame(generationId: number, memberId: string, memberIds: readonly string[]): Buffer {
    const dealt: number[][] = memberIds.map(() => []);
    if (dealt.length > 0)
      for (const partition of this.group.topic.batches.keys())
        dealt[partition % dealt.length]?.push(partition);
    const assignments = memberIds.map((to, i) => ({
      memberId: to,
      assignment: Buffer.from(JSON.stringify(dealt[i])),
    }));
    const request = { groupId: this.group.groupId, generationId, memberId, assignments };
    return frameOf(SyncGroupRequest, SYNC_VERSION, request);
  }

  #beatFrame(): Buffer {
    const { groupId } = this.group;
    const request = { groupId, generationId: EPOCH_MARK, memberId: MEMBER_MARK };
    return frameOf(HeartbeatRequest, HEARTBEAT_VERSION, request);
  }

  /** The generation with an assignment; -1: to be tried again. */
  async #joined(): Promise<number> {
    const join = this.memberId === '' ? this.#firstJoin : this.#join.bytes;
    const joined = await this.coordinator.askWith(join, JoinGroupResponse, JOIN_VERSION);
    const { errorCode, generationId, memberId, members } = joined;
    if (isRetried(errorCode)) return await pause();
    if (errorCode !== 0 && errorCode !== Errors.MEMBER_ID_REQUIRED)
      throw new Error(`JoinGroup answered ${errorCode}`);
    if (memberId !== this.memberId) {
      this.memberId = memberId;
      for (const frame of [this.#join, this.#sync, this.#beat]) frame.from(memberId);
    }
    if (errorCode !== 0) return -1;
    const memberIds = members.map((member) => member.memberId);
    const sync =
      memberIds.length === 0
        ? this.#sync.at(generationId).bytes
        : this.#syncFrame(generationId, memberId, memberIds);
    const synced = await this.coordinator.askWith(sync, SyncGroupResponse, SYNC_VERSION);
    if (REJOINED.includes(synced.errorCode)) return -1;
    if (isRetried(synced.errorCode)) return await pause();
    if (synced.errorCode !== 0) throw new Error(`SyncGroup answered ${synced.errorCode}`);
    this.assigned = JSON.parse(Buffer.from(synced.assignment).toString()) as number[];
    return generationId;
  }

  /** False where it has to join again. */
  async #isKept(): Promise<boolean> {
    const { bytes } = this.#beat.at(this.generation);
    const { errorCode } = await this.coordinator.askWith(bytes, HeartbeatResponse, HEARTBEAT_VERSION);
    if (errorCode === Errors.UNKNOWN_MEMBER_ID && !this.stopped) throw new Error('a member was thrown out');
    if (errorCode !== 0 && !REJOINED.includes(errorCode)) throw new Error(`Heartbeat answered ${errorCode}`);
    return errorCode === 0;
  }
}

/** KIP-848: the broker assigns, the member says what it has. */
export class ConsumerMember extends LiveMember implements Member {
  override memberId: string = randomUUID();
  #epoch = 0;
  readonly #join = this.#frame(0, []);
  readonly #owning = new PartitionsFrame(this.#frame(EPOCH_MARK, [PARTITION_MARK]), { isCompact: true });
  /** Names what it owns. */
  #beat = new PatchedFrame(this.#frame(EPOCH_MARK, []));

  static async open(group: GroupTopic): Promise<ConsumerMember> {
    return new ConsumerMember(group, await Peer.served(group.port), await Peer.served(group.port));
  }

  async run(): Promise<void> {
    while (!this.stopped) {
      const answer = await this.#heartbeat(this.#epoch);
      if (this.stopped) return;
      if (isRetried(answer.errorCode)) {
        await pause();
        continue;
      }
      if (answer.errorCode !== 0)
        throw new Error(`ConsumerGroupHeartbeat answered ${answer.errorCode}: ${answer.errorMessage}`);
      this.#epoch = answer.memberEpoch;
      if (answer.assignment !== null) {
        this.#own(answer.assignment.topicPartitions);
        await this.consume();
        this.generation = -1;
        continue;
      }
      if (this.generation !== this.#epoch) {
        this.generation = this.#epoch;
        this.onSettled();
      }
      await sleep(this.beatMs);
    }
  }

  async leave(): Promise<void> {
    this.stop();
    const { errorCode } = await this.#heartbeat(-1);
    if (errorCode !== 0) throw new Error(`the last ConsumerGroupHeartbeat answered ${errorCode}`);
    this.close();
  }

  #own(assigned: Assigned): void {
    const [topic] = assigned;
    const { id } = this.group.topic;
    if (assigned.length > 1 || (topic !== undefined && topic.topicId !== id))
      throw new Error('a member was assigned a topic that it does not want');
    this.assigned = topic?.partitions ?? [];
    const frame = topic === undefined ? this.#frame(EPOCH_MARK, []) : this.#owning.of(this.assigned);
    this.#beat = new PatchedFrame(frame);
  }

  #heartbeat(memberEpoch: number): Promise<ConsumerGroupHeartbeatResponse> {
    const frame = memberEpoch === 0 ? this.#join : this.#beat.at(memberEpoch).bytes;
    return this.coordinator.askWith(frame, ConsumerGroupHeartbeatResponse, CONSUMER_HEARTBEAT_VERSION);
  }

  #frame(memberEpoch: number, partitions: number[]): Buffer {
    const { groupId, topic } = this.group;
    const owned = partitions.length === 0 ? [] : [{ topicId: topic.id, partitions }];
    const joining =
      memberEpoch === 0 ? { subscribedTopicNames: [topic.name], rebalanceTimeoutMs: 60_000 } : {};
    const request = { groupId, memberId: this.memberId, memberEpoch, topicPartitions: owned, ...joining };
    return frameOf(ConsumerGroupHeartbeatRequest, CONSUMER_HEARTBEAT_VERSION, request);
  }
}

const isRetried = (code: number): boolean => RETRIED.includes(code);

async function pause(): Promise<number> {
  await sleep(2);
  return -1;
}

/**
 * Resolves when all are in one generation, have read their partitions, and have all partitions among them, once each and
 * evenly.
 */
export function settled(members: readonly Member[], { batches }: FilledTopic): Promise<void> {
  const partitions = batches.length;
  const share = Math.floor(partitions / members.length);
  const areSettled = (): boolean => {
    const generation = members[0]?.generation ?? -1;
    const isSettled = (member: Member) => member.generation === generation && member.assigned.length >= share;
    if (generation < 0 || !members.every(isSettled)) return false;
    const assigned = members.flatMap((member) => member.assigned);
    return assigned.length === partitions && new Set(assigned).size === partitions;
  };
  return new Promise((resolve, reject) => {
    const failure = new Error(`${members.length} members did not settle`);
    const timer = setTimeout(() => reject(failure), SETTLED_WITHIN_MS);
    const look = (): void => {
      if (!areSettled()) return;
      clearTimeout(timer);
      resolve();
    };
    for (const member of members) member.onSettled = look;
    look();
  });
}
