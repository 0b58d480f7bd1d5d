import {
  GroupCoordinator,
  type GroupCoordinatorConfig,
  type GroupRequestContext,
  type GroupSettings,
} from '../../../src/coordinator/index.ts';
import { defaults, type Sparse } from '../../../src/protocol/codec.ts';
import { HeartbeatRequest } from '../../../src/protocol/messages/heartbeat.ts';
import { JoinGroupRequest, type JoinGroupResponse } from '../../../src/protocol/messages/join-group.ts';
import { LeaveGroupRequest, type LeaveGroupResponse } from '../../../src/protocol/messages/leave-group.ts';
import {
  OffsetCommitRequest,
  type OffsetCommitResponse,
} from '../../../src/protocol/messages/offset-commit.ts';
import { OffsetFetchRequest } from '../../../src/protocol/messages/offset-fetch.ts';
import { SyncGroupRequest, type SyncGroupResponse } from '../../../src/protocol/messages/sync-group.ts';
import { FakeTopics } from './fake-topics.ts';
import { subscription } from './subscription.ts';
import { CountingRandom, MemoryLog, silent, VirtualTime } from './support.ts';

const CONFIG: GroupCoordinatorConfig = {
  initialRebalanceDelayMs: 3000,
  minSessionTimeoutMs: 6000,
  maxSessionTimeoutMs: 1_800_000,
  maxSize: 2_147_483_647,
  consumerMaxSize: 2_147_483_647,
  consumerAssignors: ['uniform', 'range'],
  consumerMigrationPolicy: 'bidirectional',
  consumerRegexRefreshIntervalMs: 600_000,
  offsetMetadataMaxSize: 4096,
  offsetsRetentionMs: 10_080 * 60_000,
  offsetsRetentionCheckIntervalMs: 600_000,
  offsetsCommitTimeoutMs: 5000,
  offsetsLoadBufferBytes: 5_242_880,
  offsetsTopicCompressionId: 0,
};

/** Something that is answered later, or was. */
export class Pending<T> {
  response: T | undefined;

  get isAnswered(): boolean {
    return this.response !== undefined;
  }

  /** The answer, which must be there. */
  get value(): T {
    if (this.response === undefined) throw new Error('not answered yet');
    return this.response;
  }

  readonly answer = (response: T): void => {
    if (this.response !== undefined) throw new Error('answered twice');
    this.response = response;
  };
}

export const protocols = (names: readonly string[], metadata: Uint8Array = subscription('t')) =>
  names.map((name) => ({ name, metadata }));

/** A group coordinator with one partition in memory, on virtual time. */
export class GroupWorld {
  readonly time = new VirtualTime();
  readonly config: GroupCoordinatorConfig;
  readonly log = new MemoryLog();
  readonly topics = new FakeTopics();
  settings: GroupSettings = { sessionTimeoutMs: 45_000, heartbeatIntervalMs: 5000, assignmentIntervalMs: 0 };
  coordinator: GroupCoordinator;
  #random = new CountingRandom();

  constructor(config: Partial<GroupCoordinatorConfig> = {}) {
    this.config = { ...CONFIG, ...config };
    this.coordinator = this.#newCoordinator();
    this.coordinator.onElection(0, this.log);
  }

  /** Another broker takes over, with nothing but the log. */
  async failOver(): Promise<void> {
    this.coordinator.close();
    this.coordinator = this.#newCoordinator();
    this.coordinator.onElection(0, this.log);
    await this.loaded();
  }

  async loaded(): Promise<void> {
    for (let i = 0; i < 50; i++) {
      await Promise.resolve();
      this.time.settle();
    }
  }

  context(apiVersion: number): GroupRequestContext {
    return { apiVersion, clientId: 'client', clientHost: '/127.0.0.1' };
  }

  join(given: Sparse<JoinGroupRequest>, apiVersion = 9): Pending<JoinGroupResponse> {
    const pending = new Pending<JoinGroupResponse>();
    const usual = {
      groupId: 'g',
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 60_000,
      protocolType: 'consumer',
      protocols: protocols(['range']),
    };
    const request = defaults<JoinGroupRequest>(JoinGroupRequest, { ...usual, ...given });
    this.coordinator.joinGroup(this.context(apiVersion), request, pending.answer);
    this.time.settle();
    return pending;
  }

  /** Joins as modern clients do: first for an id, then with it. */
  joinWithId(given: Sparse<JoinGroupRequest> = {}): { memberId: string; joined: Pending<JoinGroupResponse> } {
    const { memberId } = this.join(given).value;
    return { memberId, joined: this.join({ ...given, memberId }) };
  }

  sync(given: Sparse<SyncGroupRequest>): Pending<SyncGroupResponse> {
    const pending = new Pending<SyncGroupResponse>();
    this.coordinator.syncGroup(
      defaults<SyncGroupRequest>(SyncGroupRequest, { groupId: 'g', ...given }),
      pending.answer,
    );
    this.time.settle();
    return pending;
  }

  heartbeat(memberId: string, generationId: number, given: Sparse<HeartbeatRequest> = {}): number {
    const pending = new Pending<{ errorCode: number }>();
    const request = defaults<HeartbeatRequest>(HeartbeatRequest, {
      groupId: 'g',
      memberId,
      generationId,
      ...given,
    });
    this.coordinator.heartbeat(request, pending.answer);
    this.time.settle();
    return pending.value.errorCode;
  }

  leave(...members: readonly Sparse<LeaveGroupRequest['members'][number]>[]): LeaveGroupResponse {
    const pending = new Pending<LeaveGroupResponse>();
    this.coordinator.leaveGroup(
      defaults<LeaveGroupRequest>(LeaveGroupRequest, { groupId: 'g', members }),
      pending.answer,
    );
    this.time.settle();
    return pending.value;
  }

  commit(
    partitions: Readonly<Record<string, number>>,
    given: Sparse<OffsetCommitRequest> = {},
    apiVersion = 9,
  ): Pending<OffsetCommitResponse> {
    const pending = new Pending<OffsetCommitResponse>();
    const topics = Object.entries(partitions).map(([key, committedOffset]) => {
      const [name = '', partition = '0'] = key.split('/');
      return {
        name,
        partitions: [{ partitionIndex: Number(partition), committedOffset, committedMetadata: 'm' }],
      };
    });
    const request = defaults<OffsetCommitRequest>(OffsetCommitRequest, { groupId: 'g', topics, ...given });
    this.coordinator.commitOffsets(apiVersion, request, pending.answer);
    this.time.settle();
    return pending;
  }

  /** Codes of a commit by partition. */
  codesOf(pending: Pending<OffsetCommitResponse>): number[] {
    return pending.value.topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode));
  }

  /** All committed offsets of a group, `topic/partition` to offset. */
  offsets(groupId = 'g', requireStable = false): Record<string, number> {
    const pending = new Pending<{ topics: OffsetsOf }>();
    const request = defaults<OffsetFetchRequest>(OffsetFetchRequest, { groups: [{ groupId, topics: null }] })
      .groups[0]!;
    this.coordinator.fetchOffsets(request, requireStable, pending.answer);
    this.time.settle();
    const found: Record<string, number> = {};
    for (const { name, partitions } of pending.value.topics) {
      for (const { partitionIndex, committedOffset } of partitions)
        found[`${name}/${partitionIndex}`] = committedOffset;
    }
    return found;
  }

  async describe(groupId = 'g', apiVersion = 6) {
    const request = { groups: [groupId], includeAuthorizedOperations: false };
    const [group] = await this.coordinator.describeGroups(request, apiVersion);
    return group!;
  }

  /** Members that joined with ids are a stable generation: the first one leads and gives each its own id. */
  stabilize(joined: readonly Pending<JoinGroupResponse>[]): void {
    const { generationId, leader } = joined[0]!.value;
    const ids = joined.map((one) => one.value.memberId);
    const followers = ids
      .filter((id) => id !== leader)
      .map((memberId) => this.sync({ memberId, generationId }));
    const assignments = ids.map((memberId) => ({ memberId, assignment: Buffer.from(memberId) }));
    const led = this.sync({ memberId: leader, generationId, assignments });
    for (const one of [...followers, led]) {
      if (one.value.errorCode !== 0) throw new Error(`sync failed: ${one.value.errorCode}`);
    }
  }

  #newCoordinator(): GroupCoordinator {
    return new GroupCoordinator({
      clock: this.time,
      timers: this.time,
      turn: this.time,
      random: this.#random,
      logger: silent,
      config: this.config,
      topic: '__consumer_offsets',
      partitionCount: () => 1,
      topics: this.topics,
      settingsOf: () => this.settings,
    });
  }
}

type OffsetsOf = readonly {
  readonly name: string;
  readonly partitions: readonly { readonly partitionIndex: number; readonly committedOffset: number }[];
}[];
