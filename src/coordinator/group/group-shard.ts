import { type ErrorCode, Errors, ProtocolError } from '../../protocol/errors.ts';
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../protocol/messages/consumer-group-heartbeat.ts';
import type { DeleteGroupsResponse } from '../../protocol/messages/delete-groups.ts';
import type { DescribeGroupsResponse } from '../../protocol/messages/describe-groups.ts';
import type { HeartbeatRequest } from '../../protocol/messages/heartbeat.ts';
import type { JoinGroupRequest } from '../../protocol/messages/join-group.ts';
import type { LeaveGroupRequest, LeaveGroupResponse } from '../../protocol/messages/leave-group.ts';
import type { ListGroupsRequest, ListGroupsResponse } from '../../protocol/messages/list-groups.ts';
import type { OffsetCommitRequest, OffsetCommitResponse } from '../../protocol/messages/offset-commit.ts';
import type { OffsetDeleteRequest, OffsetDeleteResponse } from '../../protocol/messages/offset-delete.ts';
import type { SyncGroupRequest } from '../../protocol/messages/sync-group.ts';
import type {
  TxnOffsetCommitRequest,
  TxnOffsetCommitResponse,
} from '../../protocol/messages/txn-offset-commit.ts';
import type { CoordinatorResult } from '../runtime/result.ts';
import type { CoordinatorShard, RecordOrigin, ShardContext, TransactionResult } from '../runtime/shard.ts';
import type { CoordinatorTimer } from '../runtime/timer.ts';
import { ClassicGroup, CONSUMER_PROTOCOL_TYPE } from './classic-group.ts';
import type { AnswerJoin, AnswerSync } from './classic-member.ts';
import { checkConsumerCommit, checkConsumerFetch } from './consumer-commit.ts';
import type { DescribedConsumerGroup } from './consumer-describe.ts';
import { ConsumerGroups, type Group } from './consumer-groups.ts';
import { groupTombstones } from './consumer-membership.ts';
import { describeGroup, listedGroup, matchesFilters } from './describe.ts';
import type { GroupCoordinatorConfig } from './group-config.ts';
import { type GroupRequestContext, type GroupResult, type MemberIds, NOTHING } from './group-result.ts';
import type { GroupSettings } from './group-settings.ts';
import type { GroupTopics } from './group-topics.ts';
import type { GroupWatches } from './group-watches.ts';
import { JoinGroupHandler } from './join-group.ts';
import { MemberHandlers } from './member-handlers.ts';
import {
  checkCommit,
  type OffsetFetchGroup,
  type OffsetFetchGroupResponse,
  OffsetHandlers,
} from './offset-handlers.ts';
import { OffsetStore, offsetFromRecord } from './offsets.ts';
import { ClassicRebalance, joinFailure, syncFailure } from './rebalance.ts';
import { type GroupRecord, groupTombstone } from './records.ts';
import type { TopicRegexResolver } from './regex/topic-regex-resolver.ts';
import { checkTransactionalCommit, plainCommit } from './transactional-offsets.ts';

/** OffsetCommit tells of a group that is not there from this version on; before, of a wrong generation. */
const GROUP_NOT_FOUND_VERSION_MIN = 9;
const NO_PRODUCER_ID = -1n;

export interface GroupShardOptions {
  readonly context: ShardContext<GroupRecord>;
  readonly config: GroupCoordinatorConfig;
  readonly memberIds: MemberIds;
  readonly topics: GroupTopics;
  readonly settingsOf: (groupId: string) => GroupSettings;
  /** The one of the node. */
  readonly regexResolver: TopicRegexResolver;
  /** Those of the node. */
  readonly watches: GroupWatches;
}

/** The groups and offsets in one partition of `__consumer_offsets`. */
export class GroupShard implements CoordinatorShard<GroupRecord> {
  readonly #context: ShardContext<GroupRecord>;
  readonly #config: GroupCoordinatorConfig;
  readonly #groups = new Map<string, Group>();
  readonly #consumers: ConsumerGroups;
  readonly #store = new OffsetStore();
  readonly #rebalance: ClassicRebalance;
  readonly #join: JoinGroupHandler;
  readonly #members: MemberHandlers;
  readonly #offsets: OffsetHandlers;
  readonly #expiry: CoordinatorTimer;
  readonly #watches: GroupWatches;

  constructor(options: GroupShardOptions) {
    const { context, config, memberIds, topics, watches } = options;
    this.#context = context;
    this.#config = config;
    this.#watches = watches;
    this.#rebalance = new ClassicRebalance(context, config, this.#groups);
    this.#join = new JoinGroupHandler(context, config, this.#rebalance, memberIds);
    this.#members = new MemberHandlers(context, this.#rebalance);
    this.#offsets = new OffsetHandlers(context, config, topics, this.#store);
    this.#consumers = new ConsumerGroups({
      ...options,
      groups: this.#groups,
      classicRebalance: this.#rebalance,
    });
    this.#expiry = context.timer('expiry of offsets', () => this.#expire());
  }

  // The runtime's side.

  replay(record: GroupRecord, { offset, producerId }: RecordOrigin): void {
    if (record.type === 'GroupMetadata') {
      this.#replayGroup(record.key.group, record.value);
      return;
    }
    if (record.type !== 'OffsetCommit') {
      this.#consumers.replay(record);
      return;
    }
    const { group, topic, partition } = record.key;
    const value = record.value === null ? undefined : offsetFromRecord(record.value, offset);
    // Who only keeps offsets has a group without members.
    if (value !== undefined && !this.#groups.has(group)) this.#newClassic(group);
    const transaction = producerId === NO_PRODUCER_ID ? undefined : producerId;
    this.#store.replay(group, topic, partition, value, transaction);
  }

  replayEndTransactionMarker(producerId: bigint, result: TransactionResult): void {
    this.#store.endTransaction(producerId, result === 'commit');
  }

  onLoaded(): void {
    this.#consumers.onLoaded();
    for (const group of this.#classicGroups()) {
      for (const member of group.members()) this.#rebalance.touchSession(group, member);
      if (group.awaitsRebalance) {
        this.#rebalance.prepare(group, 'it was a consumer group before');
      } else if (group.size > this.#config.maxSize) {
        this.#rebalance.prepare(
          group,
          `the group has more members than group.max.size=${this.#config.maxSize}`,
        );
      }
    }
    this.#expiry.arm(this.#config.offsetsRetentionCheckIntervalMs);
    this.#watches.onLoaded();
  }

  onSettled(records: readonly GroupRecord[]): void {
    this.#watches.onSettled(records);
  }

  onUnloaded(): void {
    this.#consumers.onUnloaded();
    for (const group of this.#classicGroups()) {
      for (const member of group.members()) {
        this.#rebalance.answerJoin(group, member, joinFailure(Errors.NOT_COORDINATOR, member.memberId));
        this.#rebalance.answerSync(member, syncFailure(Errors.NOT_COORDINATOR));
      }
    }
  }

  // Members.

  join(context: GroupRequestContext, request: JoinGroupRequest, answer: AnswerJoin): GroupResult {
    const existing = this.#groups.get(request.groupId);
    if (existing?.type === 'classic') return this.#join.handle(existing, context, request, answer);
    if (existing !== undefined && existing.size > 0) {
      return this.#consumers.classic.join(existing, context, request, answer);
    }
    if (request.memberId !== '') throw new ProtocolError(Errors.UNKNOWN_MEMBER_ID);
    const before = existing === undefined ? [] : groupTombstones(existing);
    if (existing !== undefined) this.#consumers.delete(request.groupId);
    const group = this.#newClassic(request.groupId);
    // Its first record makes it known as an empty group, whatever becomes of this member.
    const empty = group.toRecord(new Map());
    const result = this.#join.handle(group, context, request, answer);
    const records = result.records.length > 0 ? result.records : [empty];
    return { ...result, records: [...before, ...records], replay: false };
  }

  sync(request: SyncGroupRequest, answer: AnswerSync): GroupResult {
    const group = this.#groupWithMembers(request.groupId);
    if (group.type === 'consumer') return this.#consumers.classic.sync(group, request, answer);
    return this.#members.sync(group, request, answer);
  }

  heartbeat(request: HeartbeatRequest): ErrorCode {
    const group = this.#groupWithMembers(request.groupId);
    if (group.type === 'consumer') return this.#consumers.classic.heartbeat(group, request);
    return this.#members.heartbeat(group, request);
  }

  leave(request: LeaveGroupRequest): CoordinatorResult<LeaveGroupResponse, GroupRecord> {
    const group = this.#groupWithMembers(request.groupId);
    if (group.type === 'consumer') return this.#consumers.classic.leave(group, request);
    return this.#members.leave(group, request);
  }

  consumerHeartbeat(
    context: GroupRequestContext,
    request: ConsumerGroupHeartbeatRequest,
  ): CoordinatorResult<ConsumerGroupHeartbeatResponse, GroupRecord> {
    return this.#consumers.heartbeat(context, request);
  }

  /** See `ConsumerHeartbeatHandler.announce`. */
  announceConsumer(context: GroupRequestContext, request: ConsumerGroupHeartbeatRequest): GroupResult {
    // A classic group becomes a consumer group in one step, with its first member of that kind.
    if (this.#groups.get(request.groupId)?.type === 'classic') return NOTHING;
    return this.#consumers.announce(context, request);
  }

  disconnected(groupId: string, memberId: string): GroupResult {
    const group = this.#groupWithMembers(groupId);
    return group.type === 'consumer' ? NOTHING : this.#rebalance.disconnected(group, memberId);
  }

  // Offsets.

  commitOffsets(
    apiVersion: number,
    request: OffsetCommitRequest,
  ): CoordinatorResult<OffsetCommitResponse, GroupRecord> {
    const group = this.#groups.get(request.groupId);
    if (group?.type === 'consumer') {
      return this.#offsets.commit(request, checkConsumerCommit(group, request, apiVersion));
    }
    if (group !== undefined) {
      checkCommit(group, request);
      const member = group.member(request.memberId);
      if (member !== undefined && group.state !== 'Empty') this.#rebalance.touchSession(group, member);
    } else if (request.generationIdOrMemberEpoch >= 0) {
      const tells = apiVersion >= GROUP_NOT_FOUND_VERSION_MIN;
      throw new ProtocolError(tells ? Errors.GROUP_ID_NOT_FOUND : Errors.ILLEGAL_GENERATION);
    }
    return this.#offsets.commit(request);
  }

  /** The offsets are pending until the transaction ends. */
  commitTransactionalOffsets(
    apiVersion: number,
    request: TxnOffsetCommitRequest,
  ): CoordinatorResult<TxnOffsetCommitResponse, GroupRecord> {
    const check = checkTransactionalCommit(this.#groups.get(request.groupId), request, apiVersion);
    return this.#offsets.commit(plainCommit(request), check);
  }

  fetchOffsets(request: OffsetFetchGroup, requireStable: boolean): OffsetFetchGroupResponse {
    const group = this.#groups.get(request.groupId);
    if (group?.type === 'consumer') checkConsumerFetch(group, request);
    return this.#offsets.fetch(request, requireStable);
  }

  deleteOffsets(request: OffsetDeleteRequest): CoordinatorResult<OffsetDeleteResponse, GroupRecord> {
    const group = this.#groups.get(request.groupId);
    if (group === undefined) throw new ProtocolError(Errors.GROUP_ID_NOT_FOUND);
    const isOfConsumers = group.type === 'consumer' || group.protocolType === CONSUMER_PROTOCOL_TYPE;
    if (group.state !== 'Empty' && !isOfConsumers) {
      throw new ProtocolError(Errors.NON_EMPTY_GROUP);
    }
    return this.#offsets.delete(group, request);
  }

  topicsDeleted(deleted: ReadonlySet<string>): GroupResult {
    return { records: this.#offsets.topicsDeleted(deleted), response: undefined, atomic: false };
  }

  /** Topics were made, changed or deleted. */
  topicsChanged(names: ReadonlySet<string>): void {
    this.#consumers.topicsChanged(names);
  }

  // Administration.

  list(request: ListGroupsRequest): ListGroupsResponse['groups'] {
    const found = [];
    for (const group of this.#groups.values()) {
      if (matchesFilters(group, request)) found.push(listedGroup(group));
    }
    return found;
  }

  describe(groupId: string, apiVersion: number): DescribeGroupsResponse['groups'][number] {
    return describeGroup(groupId, this.#groups.get(groupId), apiVersion);
  }

  describeConsumer(groupId: string): DescribedConsumerGroup {
    return this.#consumers.describe(groupId);
  }

  deleteGroups(groupIds: readonly string[]): CoordinatorResult<DeleteGroupsResponse['results'], GroupRecord> {
    const records: GroupRecord[] = [];
    const response = groupIds.map((groupId) => {
      const group = this.#groups.get(groupId);
      const errorCode = deletionError(group);
      if (group !== undefined && errorCode === Errors.NONE)
        records.push(...this.#offsets.deleteAll(groupId), ...tombstonesOf(group));
      return { groupId, errorCode, errorMessage: null };
    });
    return { records, response };
  }

  #replayGroup(groupId: string, value: Parameters<typeof ClassicGroup.fromRecord>[1] | null): void {
    const group = this.#groups.get(groupId);
    if (value === null && group?.type !== 'classic') return;
    if (group?.type === 'classic') group.cancelTimers();
    else if (group !== undefined) this.#consumers.delete(groupId);
    if (value === null) this.#groups.delete(groupId);
    else this.#groups.set(groupId, ClassicGroup.fromRecord(groupId, value));
  }

  #newClassic(groupId: string): ClassicGroup {
    const group = new ClassicGroup(groupId, this.#context.clock.wallMs());
    this.#groups.set(groupId, group);
    return group;
  }

  *#classicGroups(): Generator<ClassicGroup, void, undefined> {
    for (const group of this.#groups.values()) if (group.type === 'classic') yield group;
  }

  #groupWithMembers(groupId: string): Group {
    const group = this.#groups.get(groupId);
    if (group === undefined) throw new ProtocolError(Errors.UNKNOWN_MEMBER_ID);
    return group;
  }

  /** Offsets whose time is over, and empty groups that have none left. */
  #expire(): GroupResult {
    this.#expiry.arm(this.#config.offsetsRetentionCheckIntervalMs);
    const records: GroupRecord[] = [];
    for (const group of this.#groups.values()) {
      const before = records.length;
      const isOver = this.#offsets.expire(group, records);
      if (isOver && group.state === 'Empty') records.push(...tombstonesOf(group));
      else if (records.length === before) continue;
      this.#context.logger.info(`Offsets of group ${group.groupId} expired`, {
        offsets: records.length - before,
        isGroupDeleted: isOver && group.state === 'Empty',
      });
    }
    return records.length === 0 ? NOTHING : { records, response: undefined, atomic: false };
  }
}

function tombstonesOf(group: Group): readonly GroupRecord[] {
  return group.type === 'consumer' ? groupTombstones(group) : [groupTombstone(group.groupId)];
}

function deletionError(group: Group | undefined): ErrorCode {
  if (group === undefined) return Errors.GROUP_ID_NOT_FOUND;
  return group.state === 'Empty' ? Errors.NONE : Errors.NON_EMPTY_GROUP;
}
