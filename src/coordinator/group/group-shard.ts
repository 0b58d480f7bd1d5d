import type { Uuid } from '../../base/uuid.ts';
import { type ErrorCode, Errors, ProtocolError } from '../../protocol/errors.ts';
import type { DeleteGroupsResponse } from '../../protocol/messages/delete-groups.ts';
import type { DescribeGroupsResponse } from '../../protocol/messages/describe-groups.ts';
import type { HeartbeatRequest } from '../../protocol/messages/heartbeat.ts';
import type { JoinGroupRequest } from '../../protocol/messages/join-group.ts';
import type { LeaveGroupRequest, LeaveGroupResponse } from '../../protocol/messages/leave-group.ts';
import type { ListGroupsRequest, ListGroupsResponse } from '../../protocol/messages/list-groups.ts';
import type { OffsetCommitRequest, OffsetCommitResponse } from '../../protocol/messages/offset-commit.ts';
import type { OffsetDeleteRequest, OffsetDeleteResponse } from '../../protocol/messages/offset-delete.ts';
import type { SyncGroupRequest } from '../../protocol/messages/sync-group.ts';
import type { CoordinatorResult } from '../runtime/result.ts';
import type { CoordinatorShard, RecordOrigin, ShardContext, TransactionResult } from '../runtime/shard.ts';
import type { CoordinatorTimer } from '../runtime/timer.ts';
import { ClassicGroup, CONSUMER_PROTOCOL_TYPE } from './classic-group.ts';
import type { AnswerJoin, AnswerSync } from './classic-member.ts';
import { describeGroup, listedGroup, matchesFilters } from './describe.ts';
import type { GroupCoordinatorConfig } from './group-config.ts';
import type { GroupRequestContext, GroupResult, MemberIds } from './group-result.ts';
import { NOTHING } from './group-result.ts';
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

/** OffsetCommit tells of a group that is not there from this version on; before, of a wrong generation. */
const GROUP_NOT_FOUND_VERSION_MIN = 9;
const NO_PRODUCER_ID = -1n;

/** The groups and offsets in one partition of `__consumer_offsets`. */
export class GroupShard implements CoordinatorShard<GroupRecord> {
  readonly #context: ShardContext<GroupRecord>;
  readonly #config: GroupCoordinatorConfig;
  readonly #groups = new Map<string, ClassicGroup>();
  readonly #store = new OffsetStore();
  readonly #rebalance: ClassicRebalance;
  readonly #join: JoinGroupHandler;
  readonly #members: MemberHandlers;
  readonly #offsets: OffsetHandlers;
  readonly #expiry: CoordinatorTimer;

  constructor(context: ShardContext<GroupRecord>, config: GroupCoordinatorConfig, memberIds: MemberIds) {
    this.#context = context;
    this.#config = config;
    this.#rebalance = new ClassicRebalance(context, config, this.#groups);
    this.#join = new JoinGroupHandler(context, config, this.#rebalance, memberIds);
    this.#members = new MemberHandlers(context, this.#rebalance);
    this.#offsets = new OffsetHandlers(context, config, this.#store);
    this.#expiry = context.timer('expiry of offsets', () => this.#expire());
  }

  // The runtime's side.

  replay(record: GroupRecord, { offset, producerId }: RecordOrigin): void {
    if (record.type === 'GroupMetadata') {
      this.#replayGroup(record.key.group, record.value);
      return;
    }
    const { group, topic, partition } = record.key;
    const value = record.value === null ? undefined : offsetFromRecord(record.value, offset);
    // Who only keeps offsets has a group without members.
    if (value !== undefined) this.#groupOrNew(group);
    const transaction = producerId === NO_PRODUCER_ID ? undefined : producerId;
    this.#store.replay(group, topic, partition, value, transaction);
  }

  replayEndTransactionMarker(producerId: bigint, result: TransactionResult): void {
    this.#store.endTransaction(producerId, result === 'commit');
  }

  onLoaded(): void {
    for (const group of this.#groups.values()) {
      for (const member of group.members()) this.#rebalance.touchSession(group, member);
      if (group.size > this.#config.maxSize) {
        this.#rebalance.prepare(
          group,
          `the group has more members than group.max.size=${this.#config.maxSize}`,
        );
      }
    }
    this.#expiry.arm(this.#config.offsetsRetentionCheckIntervalMs);
  }

  onUnloaded(): void {
    for (const group of this.#groups.values()) {
      for (const member of group.members()) {
        this.#rebalance.answerJoin(group, member, joinFailure(Errors.NOT_COORDINATOR, member.memberId));
        this.#rebalance.answerSync(member, syncFailure(Errors.NOT_COORDINATOR));
      }
    }
  }

  // Members.

  join(context: GroupRequestContext, request: JoinGroupRequest, answer: AnswerJoin): GroupResult {
    const existing = this.#groups.get(request.groupId);
    if (existing !== undefined) return this.#join.handle(existing, context, request, answer);
    if (request.memberId !== '') throw new ProtocolError(Errors.UNKNOWN_MEMBER_ID);
    const group = this.#groupOrNew(request.groupId);
    // Its first record makes it known as an empty group, whatever becomes of this member.
    const empty = group.toRecord(new Map());
    const result = this.#join.handle(group, context, request, answer);
    return result.records.length > 0 ? result : { ...result, records: [empty], replay: false };
  }

  sync(request: SyncGroupRequest, answer: AnswerSync): GroupResult {
    return this.#members.sync(this.#groupWithMembers(request.groupId), request, answer);
  }

  heartbeat(request: HeartbeatRequest): ErrorCode {
    return this.#members.heartbeat(this.#groupWithMembers(request.groupId), request);
  }

  leave(request: LeaveGroupRequest): CoordinatorResult<LeaveGroupResponse, GroupRecord> {
    return this.#members.leave(this.#groupWithMembers(request.groupId), request);
  }

  // Offsets.

  commitOffsets(
    context: GroupRequestContext,
    request: OffsetCommitRequest,
  ): CoordinatorResult<OffsetCommitResponse, GroupRecord> {
    const group = this.#groups.get(request.groupId);
    if (group !== undefined) {
      checkCommit(group, request);
      const member = group.member(request.memberId);
      if (member !== undefined && group.state !== 'Empty') this.#rebalance.touchSession(group, member);
    } else if (request.generationIdOrMemberEpoch >= 0) {
      const tells = context.apiVersion >= GROUP_NOT_FOUND_VERSION_MIN;
      throw new ProtocolError(tells ? Errors.GROUP_ID_NOT_FOUND : Errors.ILLEGAL_GENERATION);
    }
    return this.#offsets.commit(request);
  }

  fetchOffsets(request: OffsetFetchGroup, requireStable: boolean): OffsetFetchGroupResponse {
    return this.#offsets.fetch(request, requireStable);
  }

  deleteOffsets(request: OffsetDeleteRequest): CoordinatorResult<OffsetDeleteResponse, GroupRecord> {
    const group = this.#groups.get(request.groupId);
    if (group === undefined) throw new ProtocolError(Errors.GROUP_ID_NOT_FOUND);
    if (group.state !== 'Empty' && group.protocolType !== CONSUMER_PROTOCOL_TYPE) {
      throw new ProtocolError(Errors.NON_EMPTY_GROUP);
    }
    return this.#offsets.delete(group, request);
  }

  topicsDeleted(deleted: ReadonlyMap<string, Uuid>): GroupResult {
    return { records: this.#offsets.topicsDeleted(deleted), response: undefined, atomic: false };
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

  deleteGroups(groupIds: readonly string[]): CoordinatorResult<DeleteGroupsResponse['results'], GroupRecord> {
    const records: GroupRecord[] = [];
    const response = groupIds.map((groupId) => {
      const group = this.#groups.get(groupId);
      const errorCode = deletionError(group);
      if (errorCode === Errors.NONE)
        records.push(...this.#offsets.deleteAll(groupId), groupTombstone(groupId));
      return { groupId, errorCode, errorMessage: null };
    });
    return { records, response };
  }

  #replayGroup(groupId: string, value: Parameters<typeof ClassicGroup.fromRecord>[1] | null): void {
    this.#groups.get(groupId)?.cancelTimers();
    if (value === null) this.#groups.delete(groupId);
    else this.#groups.set(groupId, ClassicGroup.fromRecord(groupId, value));
  }

  #groupOrNew(groupId: string): ClassicGroup {
    let group = this.#groups.get(groupId);
    if (group === undefined) {
      group = new ClassicGroup(groupId, this.#context.clock.wallMs());
      this.#groups.set(groupId, group);
    }
    return group;
  }

  #groupWithMembers(groupId: string): ClassicGroup {
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
      if (isOver && group.state === 'Empty') records.push(groupTombstone(group.groupId));
      else if (records.length === before) continue;
      this.#context.logger.info(`Offsets of group ${group.groupId} expired`, {
        offsets: records.length - before,
        isGroupDeleted: isOver && group.state === 'Empty',
      });
    }
    return records.length === 0 ? NOTHING : { records, response: undefined, atomic: false };
  }
}

function deletionError(group: ClassicGroup | undefined): ErrorCode {
  if (group === undefined) return Errors.GROUP_ID_NOT_FOUND;
  return group.state === 'Empty' ? Errors.NONE : Errors.NON_EMPTY_GROUP;
}
