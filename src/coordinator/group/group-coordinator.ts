import type { Clock, Logger, Random, Timers, Turn } from '../../base/ports.ts';
import { randomUuid } from '../../base/uuid.ts';
import { codecOfId } from '../../protocol/compression/index.ts';
import { type ErrorCode, Errors, ProtocolError } from '../../protocol/errors.ts';
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../protocol/messages/consumer-group-heartbeat.ts';
import type { DeleteGroupsRequest, DeleteGroupsResponse } from '../../protocol/messages/delete-groups.ts';
import type {
  DescribeGroupsRequest,
  DescribeGroupsResponse,
} from '../../protocol/messages/describe-groups.ts';
import type { HeartbeatRequest, HeartbeatResponse } from '../../protocol/messages/heartbeat.ts';
import type { JoinGroupRequest, JoinGroupResponse } from '../../protocol/messages/join-group.ts';
import type { LeaveGroupRequest, LeaveGroupResponse } from '../../protocol/messages/leave-group.ts';
import type { ListGroupsRequest, ListGroupsResponse } from '../../protocol/messages/list-groups.ts';
import type { OffsetCommitRequest, OffsetCommitResponse } from '../../protocol/messages/offset-commit.ts';
import type { OffsetDeleteRequest, OffsetDeleteResponse } from '../../protocol/messages/offset-delete.ts';
import type { SyncGroupRequest, SyncGroupResponse } from '../../protocol/messages/sync-group.ts';
import type {
  TxnOffsetCommitRequest,
  TxnOffsetCommitResponse,
} from '../../protocol/messages/txn-offset-commit.ts';
import { CoordinatorRuntime } from '../runtime/coordinator-runtime.ts';
import type { CoordinatorLog } from '../runtime/ports.ts';
import type { Done } from '../runtime/result.ts';
import type { TransactionalWrite, TransactionCompletion } from '../runtime/transactions.ts';
import { type DescribedConsumerGroup, failedConsumerDescription } from './consumer-describe.ts';
import { checkConsumerHeartbeat, failedHeartbeat } from './consumer-heartbeat.ts';
import { coordinatorError } from './coordinator-error.ts';
import { failedDescription } from './describe.ts';
import type { GroupCoordinatorConfig } from './group-config.ts';
import type { GroupRequestContext, MemberIds } from './group-result.ts';
import type { GroupSettings } from './group-settings.ts';
import { GroupShard } from './group-shard.ts';
import type { GroupTopics } from './group-topics.ts';
import { GroupWatches } from './group-watches.ts';
import { JoiningCrowd, type JoiningMember } from './joining-crowd.ts';
import type { OffsetFetchGroup, OffsetFetchGroupResponse } from './offset-handlers.ts';
import { partitionForGroup } from './partition-for.ts';
import { joinFailure, syncFailure } from './rebalance.ts';
import { type GroupRecord, GroupRecordSerde } from './records.ts';
import { TopicRegexResolver } from './regex/topic-regex-resolver.ts';

export interface GroupCoordinatorOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly turn: Turn;
  readonly random: Random;
  readonly logger: Logger;
  readonly config: GroupCoordinatorConfig;
  /** The topic that holds the groups. */
  readonly topic: string;
  /** How many partitions the topic has; 0 while it is not there. */
  readonly partitionCount: () => number;
  readonly topics: GroupTopics;
  /** What a consumer group has set, or the settings of the broker. */
  readonly settingsOf: (groupId: string) => GroupSettings;
}

type Answer<T> = (response: T) => void;

/**
 * The group coordinator of this node: sends each request to the shard of its group and turns outcomes into answers.
 * All answers are given exactly once, and never before the call has returned control to its caller's caller.
 */
export class GroupCoordinator {
  readonly #options: GroupCoordinatorOptions;
  readonly #runtime: CoordinatorRuntime<GroupShard, GroupRecord>;
  readonly #watches = new GroupWatches();
  readonly #joining: JoiningCrowd;

  constructor(options: GroupCoordinatorOptions) {
    this.#options = options;
    const { clock, config, random, topics, settingsOf, turn, logger } = options;
    const regexResolver = new TopicRegexResolver(turn, logger);
    const memberIds: MemberIds = { next: () => randomJavaUuid(random), nextUuid: () => randomUuid(random) };
    this.#runtime = new CoordinatorRuntime<GroupShard, GroupRecord>({
      ...options,
      serde: new GroupRecordSerde(),
      makeShard: (context) =>
        new GroupShard({
          context,
          config,
          memberIds,
          topics,
          settingsOf,
          regexResolver,
          watches: this.#watches,
        }),
      compression: codecOfId(config.offsetsTopicCompressionId) ?? 'none',
      commitTimeoutMs: config.offsetsCommitTimeoutMs,
      loadBufferBytes: config.offsetsLoadBufferBytes,
    });
    this.#joining = new JoiningCrowd({
      clock,
      turn,
      announce: (member) => this.#announceConsumer(member),
      join: (member) => this.#consumerHeartbeat(member),
    });
  }

  // Leadership.

  onElection(partition: number, log: CoordinatorLog): void {
    this.#runtime.load(partition, log);
  }

  onResignation(partition: number): void {
    this.#runtime.unload(partition);
  }

  /** Offsets in topics that are gone go too. */
  onTopicsDeleted(deleted: ReadonlySet<string>): void {
    for (const partition of this.#runtime.partitions()) {
      const name = 'deletion of topics';
      this.#runtime.write(name, partition, (shard) => shard.topicsDeleted(deleted), ignoreOutcome);
    }
  }

  /** Topics were made, changed or deleted: who subscribes to them is assigned anew. */
  onTopicsChanged(names: ReadonlySet<string>): void {
    for (const partition of this.#runtime.partitions()) {
      const name = 'change of topics';
      this.#runtime.read(name, partition, (shard) => shard.topicsChanged(names), ignoreOutcome);
    }
  }

  close(): void {
    this.#runtime.close();
  }

  // Members of classic groups.

  joinGroup(
    context: GroupRequestContext,
    request: JoinGroupRequest,
    answer: Answer<JoinGroupResponse>,
  ): void {
    const { groupId, memberId, sessionTimeoutMs } = request;
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.#options.config;
    if (groupId === '') {
      answer(joinFailure(Errors.INVALID_GROUP_ID, memberId));
    } else if (sessionTimeoutMs < minSessionTimeoutMs || sessionTimeoutMs > maxSessionTimeoutMs) {
      answer(joinFailure(Errors.INVALID_SESSION_TIMEOUT, memberId));
    } else {
      const once = onlyOnce(answer);
      const handler = (shard: GroupShard) => shard.join(context, request, once);
      this.#runtime.write('JoinGroup', this.partitionFor(groupId), handler, (outcome) => {
        if (!outcome.ok) once(joinFailure(coordinatorError(outcome.error), memberId));
      });
    }
  }

  syncGroup(request: SyncGroupRequest, answer: Answer<SyncGroupResponse>): void {
    const { groupId } = request;
    if (groupId === '') {
      answer(syncFailure(Errors.INVALID_GROUP_ID));
      return;
    }
    const once = onlyOnce(answer);
    const handler = (shard: GroupShard) => shard.sync(request, once);
    this.#runtime.write('SyncGroup', this.partitionFor(groupId), handler, (outcome) => {
      if (!outcome.ok) once(syncFailure(coordinatorError(outcome.error)));
    });
  }

  heartbeat(request: HeartbeatRequest, answer: Answer<HeartbeatResponse>): void {
    const { groupId } = request;
    const told = (errorCode: ErrorCode) => answer({ throttleTimeMs: 0, errorCode });
    if (groupId === '') {
      told(Errors.INVALID_GROUP_ID);
      return;
    }
    const handler = (shard: GroupShard) => shard.heartbeat(request);
    this.#runtime.read('Heartbeat', this.partitionFor(groupId), handler, (outcome) => {
      if (outcome.ok) told(outcome.response);
      // While the group is loaded its members need not do anything.
      else if (outcome.error.code === Errors.COORDINATOR_LOAD_IN_PROGRESS) told(Errors.NONE);
      else told(coordinatorError(outcome.error));
    });
  }

  leaveGroup(request: LeaveGroupRequest, answer: Answer<LeaveGroupResponse>): void {
    const { groupId, members } = request;
    if (groupId === '') {
      answer({ throttleTimeMs: 0, errorCode: Errors.INVALID_GROUP_ID, members: [] });
      return;
    }
    const handler = (shard: GroupShard) => shard.leave(request);
    this.#runtime.write('LeaveGroup', this.partitionFor(groupId), handler, (outcome) => {
      if (outcome.ok) answer(outcome.response);
      else if (outcome.error.code !== Errors.UNKNOWN_MEMBER_ID) {
        answer({ throttleTimeMs: 0, errorCode: coordinatorError(outcome.error), members: [] });
      } else {
        const errorCode = Errors.UNKNOWN_MEMBER_ID;
        const gone = members.map(({ memberId, groupInstanceId }) => ({
          memberId,
          groupInstanceId,
          errorCode,
        }));
        answer({ throttleTimeMs: 0, errorCode: Errors.NONE, members: gone });
      }
    });
  }

  // Members of consumer groups.

  consumerHeartbeat(
    context: GroupRequestContext,
    request: ConsumerGroupHeartbeatRequest,
    answer: Answer<ConsumerGroupHeartbeatResponse>,
  ): void {
    try {
      checkConsumerHeartbeat(request, context.apiVersion, this.#options.config.consumerAssignors);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      answer(refusedHeartbeat(error));
      return;
    }
    const { groupId, memberId, memberEpoch } = request;
    const member = { context, request, answer };
    if (memberEpoch === 0) {
      this.#joining.add(member);
      return;
    }
    // Who leaves before its join was heard of has joined first.
    if (memberEpoch < 0 && this.#joining.includes(groupId, memberId)) this.#joining.joinAll();
    this.#consumerHeartbeat(member);
  }

  #announceConsumer({ context, request }: JoiningMember): void {
    const handler = (shard: GroupShard) => shard.announceConsumer(context, request);
    const partition = this.partitionFor(request.groupId);
    // Whoever is refused here is refused, and told, when it joins.
    this.#runtime.write('ConsumerGroupHeartbeat', partition, handler, ignoreOutcome);
  }

  #consumerHeartbeat({ context, request, answer }: JoiningMember): void {
    const handler = (shard: GroupShard) => shard.consumerHeartbeat(context, request);
    const partition = this.partitionFor(request.groupId);
    this.#runtime.write('ConsumerGroupHeartbeat', partition, handler, (outcome) => {
      if (outcome.ok) answer(outcome.response);
      else answer(refusedHeartbeat(outcome.error));
    });
  }

  /** The connection of a dynamic member of a classic group ended, and it has not come back: it leaves. */
  onMemberDisconnected(groupId: string, memberId: string): void {
    const handler = (shard: GroupShard) => shard.disconnected(groupId, memberId);
    this.#runtime.write('end of a connection', this.partitionFor(groupId), handler, ignoreOutcome);
  }

  // Offsets.

  commitOffsets(
    apiVersion: number,
    request: OffsetCommitRequest,
    answer: Answer<OffsetCommitResponse>,
  ): void {
    const handler = (shard: GroupShard) => shard.commitOffsets(apiVersion, request);
    this.#runtime.write('OffsetCommit', this.partitionFor(request.groupId), handler, (outcome) => {
      answer(outcome.ok ? outcome.response : commitFailure(request, coordinatorError(outcome.error)));
    });
  }

  /** `write` says which transaction the offsets are part of; they are pending until `completeTransaction`. */
  commitTransactionalOffsets(
    apiVersion: number,
    request: TxnOffsetCommitRequest,
    write: TransactionalWrite,
    answer: Answer<TxnOffsetCommitResponse>,
  ): void {
    const partition = this.partitionFor(request.groupId);
    const handler = (shard: GroupShard) => shard.commitTransactionalOffsets(apiVersion, request);
    this.#runtime.writeTransactional('TxnOffsetCommit', partition, write, handler, (outcome) => {
      if (outcome.ok) answer(outcome.response);
      else answer(commitFailure(request, coordinatorError(outcome.error)));
    });
  }

  /** Ends a producer's transaction in a partition of the groups' topic. */
  completeTransaction(partition: number, completion: TransactionCompletion, answer: Answer<ErrorCode>): void {
    this.#runtime.completeTransaction('WriteTxnMarkers', partition, completion, (outcome) => {
      answer(outcome.ok ? Errors.NONE : outcome.error.code);
    });
  }

  fetchOffsets(
    request: OffsetFetchGroup,
    requireStable: boolean,
    answer: Answer<OffsetFetchGroupResponse>,
  ): void {
    const { groupId } = request;
    const handler = (shard: GroupShard) => shard.fetchOffsets(request, requireStable);
    this.#runtime.read('OffsetFetch', this.partitionFor(groupId), handler, (outcome) => {
      if (outcome.ok) answer(outcome.response);
      else answer({ groupId, topics: [], errorCode: fetchError(outcome.error) });
    });
  }

  deleteOffsets(request: OffsetDeleteRequest, answer: Answer<OffsetDeleteResponse>): void {
    const refuse = (errorCode: ErrorCode) => answer({ errorCode, throttleTimeMs: 0, topics: [] });
    if (request.groupId === '') {
      refuse(Errors.INVALID_GROUP_ID);
      return;
    }
    const handler = (shard: GroupShard) => shard.deleteOffsets(request);
    this.#runtime.write('OffsetDelete', this.partitionFor(request.groupId), handler, (outcome) => {
      if (outcome.ok) answer(outcome.response);
      else refuse(coordinatorError(outcome.error));
    });
  }

  // Administration.

  /** Rejects with COORDINATOR_LOAD_IN_PROGRESS while a part of the groups is not known yet. */
  async listGroups(request: ListGroupsRequest): Promise<ListGroupsResponse['groups']> {
    const parts = this.#runtime.partitions().map((partition) =>
      outcomeOf<ListGroupsResponse['groups']>((done) =>
        this.#runtime.read('ListGroups', partition, (shard) => shard.list(request), done),
      ).catch((error: unknown) => {
        // Led by somebody else by now, who lists them.
        if (error instanceof ProtocolError && error.code === Errors.NOT_COORDINATOR) return [];
        throw error;
      }),
    );
    return (await Promise.all(parts)).flat();
  }

  async describeGroups(
    { groups }: DescribeGroupsRequest,
    apiVersion: number,
  ): Promise<DescribeGroupsResponse['groups']> {
    return Promise.all(
      groups.map((groupId) =>
        outcomeOf<DescribeGroupsResponse['groups'][number]>((done) =>
          this.#runtime.read(
            'DescribeGroups',
            this.partitionFor(groupId),
            (shard) => shard.describe(groupId, apiVersion),
            done,
          ),
        ).catch((error: unknown) => failedDescription(groupId, toldOf(error))),
      ),
    );
  }

  async describeConsumerGroups(groupIds: readonly string[]): Promise<DescribedConsumerGroup[]> {
    return Promise.all(
      groupIds.map((groupId) => {
        if (groupId === '') return failedConsumerDescription(groupId, Errors.INVALID_GROUP_ID);
        return outcomeOf<DescribedConsumerGroup>((done) =>
          this.#runtime.read(
            'ConsumerGroupDescribe',
            this.partitionFor(groupId),
            (shard) => shard.describeConsumer(groupId),
            done,
          ),
        ).catch((error: unknown) => failedConsumerDescription(groupId, toldOf(error)));
      }),
    );
  }

  /** Tells of each change of a group, see `GroupWatches.add`. Returns what ends the watch. */
  watch(groupId: string, changed: () => void): () => void {
    return this.#watches.add(groupId, changed);
  }

  /** One result for each group that is named, however often. */
  async deleteGroups({ groupsNames }: DeleteGroupsRequest): Promise<DeleteGroupsResponse['results']> {
    const byPartition = new Map<number, string[]>();
    for (const groupId of new Set(groupsNames)) {
      const partition = this.partitionFor(groupId);
      const groups = byPartition.get(partition);
      if (groups === undefined) byPartition.set(partition, [groupId]);
      else groups.push(groupId);
    }
    const parts = Array.from(byPartition, ([partition, groups]) =>
      outcomeOf<DeleteGroupsResponse['results']>((done) =>
        this.#runtime.write('DeleteGroups', partition, (shard) => shard.deleteGroups(groups), done),
      ).catch((error: unknown) =>
        groups.map((groupId) => ({ groupId, errorCode: toldOf(error), errorMessage: null })),
      ),
    );
    return (await Promise.all(parts)).flat();
  }

  /** The partition of a group; one that is not here where the topic is not there yet. */
  partitionFor(groupId: string): number {
    const count = this.#options.partitionCount();
    return count === 0 ? -1 : partitionForGroup(groupId, count);
  }
}

const refusedHeartbeat = (error: ProtocolError): ConsumerGroupHeartbeatResponse =>
  failedHeartbeat(coordinatorError(error), error.message);

/** A failed load or commit has an error that old consumers know, and that makes them look for the coordinator. */
function fetchError(error: ProtocolError): ErrorCode {
  const code = coordinatorError(error);
  return code === Errors.COORDINATOR_NOT_AVAILABLE ? Errors.NOT_COORDINATOR : code;
}

export function commitFailure(
  request: Pick<TxnOffsetCommitRequest, 'topics'>,
  errorCode: ErrorCode,
): TxnOffsetCommitResponse {
  return {
    throttleTimeMs: 0,
    topics: request.topics.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
    })),
  };
}

function outcomeOf<T>(ask: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    ask((outcome) => {
      if (outcome.ok) resolve(outcome.response);
      else reject(outcome.error);
    });
  });
}

function toldOf(error: unknown): ErrorCode {
  if (error instanceof ProtocolError) return coordinatorError(error);
  throw error;
}

function onlyOnce<T>(answer: Answer<T>): Answer<T> {
  let answered = false;
  return (response) => {
    if (answered) return;
    answered = true;
    answer(response);
  };
}

const ignoreOutcome = (): void => undefined;

const UUID_BYTES = 16;
const UUID_DASHES = [8, 12, 16, 20] as const;

/** A random uuid (version 4) with dashes, as Java prints it. */
function randomJavaUuid(random: Random): string {
  const bytes = Buffer.allocUnsafe(UUID_BYTES);
  random.fill(bytes);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  const [a, b, c, d] = UUID_DASHES;
  return [hex.slice(0, a), hex.slice(a, b), hex.slice(b, c), hex.slice(c, d), hex.slice(d)].join('-');
}
