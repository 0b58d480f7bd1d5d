import { randomUUID } from 'node:crypto';
import type { Uuid } from '../../src/base/uuid.ts';
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
import { frameOf, Peer } from './peer.ts';
import { consume, subscriptionTo } from './topic.ts';

/**
 * Between two heartbeats of a member: often, so that the broker's time is measured and not the members' patience, but no
 * more of all together than a broker serves with ease.
 */
const BEATS_PER_MS = 20;
const SETTLED_WITHIN_MS = 120_000;
const SESSION_MS = 45_000;
const JOIN_VERSION = 5;
/** Of ConsumerGroupHeartbeat. */
const HEARTBEAT_VERSION = 1;
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
  readonly topic: string;
  readonly partitions: number;
  /** How many members it is meant for. */
  readonly size: number;
}

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
  /** Made before the clock starts, as clients that are processes of their own would. */
  readonly #firstJoin = this.#joinFrame();

  static async open(group: GroupTopic): Promise<ClassicMember> {
    return new ClassicMember(group, await Peer.served(group.port), await Peer.served(group.port));
  }

  async run(): Promise<void> {
    while (!this.stopped) {
      const generation = await this.#join();
      if (generation < 0) continue;
      await this.consume();
      this.generation = generation;
      this.settledGeneration = generation;
      this.onSettled();
      while (!this.stopped && (await this.#beat())) await sleep(this.beatMs);
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

  #joinFrame(): Buffer {
    const { groupId, topic } = this.group;
    return frameOf(JoinGroupRequest, JOIN_VERSION, {
      groupId,
      memberId: this.memberId,
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: 60_000,
      protocolType: 'consumer',
      protocols: [{ name: 'bench', metadata: subscriptionTo(topic) }],
    });
  }

  /** The generation with an assignment; -1: to be tried again. */
  async #join(): Promise<number> {
    const { groupId, partitions } = this.group;
    const frame = this.memberId === '' ? this.#firstJoin : this.#joinFrame();
    const joined = await this.coordinator.askWith(frame, JoinGroupResponse, JOIN_VERSION);
    this.memberId = joined.memberId;
    if (joined.errorCode === Errors.MEMBER_ID_REQUIRED) return -1;
    if (isRetried(joined.errorCode)) return await pause();
    if (joined.errorCode !== 0) throw new Error(`JoinGroup answered ${joined.errorCode}`);
    const { generationId, memberId, members } = joined;
    const dealt = members.map((member) => ({ memberId: member.memberId, mine: [] as number[] }));
    if (dealt.length > 0)
      for (let partition = 0; partition < partitions; partition++)
        dealt[partition % dealt.length]?.mine.push(partition);
    const synced = await this.coordinator.ask(SyncGroupRequest, SyncGroupResponse, 3, {
      groupId,
      generationId,
      memberId,
      assignments: dealt.map((one) => ({
        memberId: one.memberId,
        assignment: Buffer.from(JSON.stringify(one.mine)),
      })),
    });
    if (REJOINED.includes(synced.errorCode)) return -1;
    if (isRetried(synced.errorCode)) return await pause();
    if (synced.errorCode !== 0) throw new Error(`SyncGroup answered ${synced.errorCode}`);
    this.assigned = JSON.parse(Buffer.from(synced.assignment).toString()) as number[];
    return generationId;
  }

  /** False where it has to join again. */
  async #beat(): Promise<boolean> {
    const request = { groupId: this.group.groupId, generationId: this.generation, memberId: this.memberId };
    const { errorCode } = await this.coordinator.ask(HeartbeatRequest, HeartbeatResponse, 3, request);
    if (errorCode === Errors.UNKNOWN_MEMBER_ID && !this.stopped) throw new Error('a member was thrown out');
    if (errorCode !== 0 && !REJOINED.includes(errorCode)) throw new Error(`Heartbeat answered ${errorCode}`);
    return errorCode === 0;
  }
}

/** KIP-848: the broker assigns, the member says what it has. */
export class ConsumerMember extends LiveMember implements Member {
  override memberId: string = randomUUID();
  #epoch = 0;
  #topicId: Uuid | undefined;
  /** Made before the clock starts, as clients that are processes of their own would. */
  readonly #join = this.#heartbeatFrame(0);

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
        const [topic] = answer.assignment.topicPartitions;
        if (topic !== undefined) this.#topicId = topic.topicId;
        this.assigned = topic?.partitions ?? [];
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

  #heartbeat(memberEpoch: number): Promise<ConsumerGroupHeartbeatResponse> {
    const frame = memberEpoch === 0 ? this.#join : this.#heartbeatFrame(memberEpoch);
    return this.coordinator.askWith(frame, ConsumerGroupHeartbeatResponse, HEARTBEAT_VERSION);
  }

  #heartbeatFrame(memberEpoch: number): Buffer {
    const { groupId, topic } = this.group;
    const topicId = this.#topicId;
    const owned = topicId === undefined ? [] : [{ topicId, partitions: this.assigned }];
    const joining = memberEpoch === 0 ? { subscribedTopicNames: [topic], rebalanceTimeoutMs: 60_000 } : {};
    const request = { groupId, memberId: this.memberId, memberEpoch, topicPartitions: owned, ...joining };
    return frameOf(ConsumerGroupHeartbeatRequest, HEARTBEAT_VERSION, request);
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
export function settled(members: readonly Member[], partitions: number): Promise<void> {
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
