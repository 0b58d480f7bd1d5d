import { type ErrorCode, Errors, ProtocolError } from '../../protocol/errors.ts';
import type { ConsumerProtocolSubscription } from '../../protocol/messages/consumer-protocol.ts';
import type { HeartbeatRequest } from '../../protocol/messages/heartbeat.ts';
import type { JoinGroupRequest, JoinGroupResponse } from '../../protocol/messages/join-group.ts';
import type { LeaveGroupRequest, LeaveGroupResponse } from '../../protocol/messages/leave-group.ts';
import type { SyncGroupRequest } from '../../protocol/messages/sync-group.ts';
import type { CoordinatorResult } from '../runtime/result.ts';
import type { ShardContext } from '../runtime/shard.ts';
import { CONSUMER_PROTOCOL_TYPE } from './classic-group.ts';
import type { AnswerJoin, AnswerSync } from './classic-member.ts';
import { type ConsumerGroup, unknownMember } from './consumer-group.ts';
import {
  type ClassicMemberMetadata,
  type ConsumerGroupMember,
  isReconciledTo,
  MemberState,
} from './consumer-member.ts';
import type { ConsumerMembership } from './consumer-membership.ts';
import type { ConsumerRebalance } from './consumer-rebalance.ts';
import { byTopicId, readSubscription, writeAssignment } from './embedded-protocol.ts';
import type { GroupCoordinatorConfig } from './group-config.ts';
import { type GroupRequestContext, type GroupResult, type MemberIds, NOTHING } from './group-result.ts';
import type { GroupSettings } from './group-settings.ts';
import type { GroupTopics } from './group-topics.ts';
import type { MemberTimers } from './member-timers.ts';
import type { Migration } from './migration.ts';
import { joinFailure } from './rebalance.ts';
import type { GroupRecord } from './records.ts';

/** A member joins again with the id that it was given from this version on (KIP-394). */
const MEMBER_ID_REQUIRED_VERSION_MIN = 4;
const NOT_GIVEN = -1;

export interface ClassicMembersOptions {
  readonly context: ShardContext<GroupRecord>;
  readonly config: GroupCoordinatorConfig;
  readonly settingsOf: (groupId: string) => GroupSettings;
  readonly topics: GroupTopics;
  readonly memberIds: MemberIds;
  readonly rebalance: ConsumerRebalance;
  readonly membership: ConsumerMembership;
  readonly migration: Migration;
  readonly timers: MemberTimers;
}

/**
 * Members of consumer groups that still speak the classic protocol: JoinGroup, SyncGroup, Heartbeat and LeaveGroup. They
 * are asked to join again whenever their part of the target is ready for them, and none of them leads.
 */
export class ClassicMembers {
  readonly #options: ClassicMembersOptions;

  constructor(options: ClassicMembersOptions) {
    this.#options = options;
  }

  join(
    group: ConsumerGroup,
    context: GroupRequestContext,
    request: JoinGroupRequest,
    answer: AnswerJoin,
  ): GroupResult {
    const { membership, rebalance, migration, memberIds, settingsOf } = this.#options;
    const { groupId, groupInstanceId } = request;
    const isUnknown = request.memberId === '';
    const memberId = isUnknown ? memberIds.nextUuid() : request.memberId;
    this.#checkJoin(group, request);
    const needsId = isUnknown && groupInstanceId === null;
    if (needsId && context.apiVersion >= MEMBER_ID_REQUIRED_VERSION_MIN) {
      this.#options.context.reply(() => answer(joinFailure(Errors.MEMBER_ID_REQUIRED, memberId)));
      return NOTHING;
    }
    const records: GroupRecord[] = [];
    const before = this.#joining(group, memberId, groupInstanceId, isUnknown, records);
    const replaced = group.staticMember(groupInstanceId);
    const downgrades = replaced !== undefined && migration.mayDowngrade(group, [replaced], 1);
    const subscription = subscriptionOf(request);
    const wanted = memberFrom(context, request, subscription, before);
    const change = membership.subscribe(group, before, wanted, records);
    const reason = change.hasChanged
      ? (change.bumpReason ?? `member ${memberId} changed its subscription`)
      : undefined;
    let { epoch } = group;
    if (reason !== undefined || group.needsMetadataRefresh)
      epoch = rebalance.updateEpoch(group, wanted, reason, records);
    const moving = { before, after: wanted, hasSubscriptionChanged: reason !== undefined };
    const owned = byTopicId(subscription.ownedPartitions, this.#options.topics);
    const isStale = downgrades && (group.assignmentEpoch < epoch || !isReconciled(group, replaced));
    const target = downgrades
      ? { epoch: group.assignmentEpoch, partitions: group.targetOf(replaced.memberId) }
      : rebalance.updateTarget(group, epoch, wanted, settingsOf(groupId).assignmentIntervalMs, records);
    const after = isStale ? wanted : rebalance.reconcile(group, moving, target, owned, records);
    const why = isStale ? `member ${memberId} took the place of ${replaced.memberId}` : undefined;
    const result: GroupResult = downgrades
      ? migration.downgrade(group, [replaced], after, why, records)
      : { records, response: undefined, atomic: 'where it fits' };
    // Whether or not the commit is late, and the member told of it: once it is in the log it is here, and may be gone.
    if (!downgrades) this.#watch(request, after.memberId);
    const response = joined(after);
    const settled = (error: ProtocolError | undefined): void => {
      result.settled?.(error);
      if (error === undefined) this.#options.context.reply(() => answer(response));
    };
    return { ...result, settled };
  }

  sync(group: ConsumerGroup, request: SyncGroupRequest, answer: AnswerSync): GroupResult {
    const { groupId, memberId, protocolType, protocolName } = request;
    const member = this.#member(group, memberId, request.groupInstanceId);
    const classic = classicOf(group, member);
    if (request.generationId !== member.memberEpoch) throw new ProtocolError(Errors.ILLEGAL_GENERATION);
    const [first] = classic.supportedProtocols;
    const isOther =
      (protocolType !== null && protocolType !== CONSUMER_PROTOCOL_TYPE) ||
      (protocolName !== null && protocolName !== first?.name);
    if (isOther) throw new ProtocolError(Errors.INCONSISTENT_GROUP_PROTOCOL);
    if (group.assignmentEpoch > member.memberEpoch && member.state !== MemberState.UNREVOKED_PARTITIONS) {
      this.#expectJoin(group, member);
      throw new ProtocolError(Errors.REBALANCE_IN_PROGRESS);
    }
    const { timers, membership, topics, context } = this.#options;
    timers.cancel(groupId, memberId, 'sync');
    membership.touchSession(groupId, memberId, classic.sessionTimeoutMs);
    const assigned = new Map(Array.from(member.assigned, ([topicId, some]) => [topicId, [...some.keys()]]));
    const assignment = writeAssignment(assigned, topics, first?.metadata ?? new Uint8Array(2));
    context.reply(() =>
      answer({ throttleTimeMs: 0, errorCode: Errors.NONE, protocolType, protocolName, assignment }),
    );
    return NOTHING;
  }

  heartbeat(group: ConsumerGroup, request: HeartbeatRequest): ErrorCode {
    const member = this.#member(group, request.memberId, request.groupInstanceId);
    const classic = classicOf(group, member);
    if (request.generationId !== member.memberEpoch) return Errors.ILLEGAL_GENERATION;
    this.#options.membership.touchSession(group.groupId, member.memberId, classic.sessionTimeoutMs);
    if (!mustJoinAgain(group, member)) return Errors.NONE;
    this.#expectJoin(group, member);
    return Errors.REBALANCE_IN_PROGRESS;
  }

  leave(
    group: ConsumerGroup,
    request: LeaveGroupRequest,
  ): CoordinatorResult<LeaveGroupResponse, GroupRecord> {
    const leaving = new Map<string, ConsumerGroupMember>();
    const reasons: string[] = [];
    const members = request.members.map(({ memberId, groupInstanceId, reason }) => {
      const told = (errorCode: ErrorCode) => ({ memberId, groupInstanceId, errorCode });
      try {
        const member = this.#leaving(group, memberId, groupInstanceId);
        leaving.set(member.memberId, member);
        reasons.push(`${member.memberId}${reason === null ? '' : ` (${reason})`}`);
        return told(Errors.NONE);
      } catch (error) {
        if (error instanceof ProtocolError) return told(error.code);
        throw error;
      }
    });
    const response = { throttleTimeMs: 0, errorCode: Errors.NONE, members };
    const result = this.#options.membership.fence(group, [...leaving.values()], `${reasons.join(', ')} left`);
    return { ...result, response };
  }

  /** Throws GROUP_MAX_SIZE_REACHED and INCONSISTENT_GROUP_PROTOCOL. */
  #checkJoin(group: ConsumerGroup, request: JoinGroupRequest): void {
    const { consumerMigrationPolicy, consumerMaxSize } = this.#options.config;
    const { groupInstanceId, memberId, protocolType, protocols } = request;
    const isHere = group.members.has(memberId) || group.staticMember(groupInstanceId) !== undefined;
    const isSupported = protocolType === CONSUMER_PROTOCOL_TYPE && sharesProtocol(group, protocols);
    if (consumerMigrationPolicy === 'disabled') throw new ProtocolError(Errors.INCONSISTENT_GROUP_PROTOCOL);
    if (group.size >= consumerMaxSize && !isHere) throw new ProtocolError(Errors.GROUP_MAX_SIZE_REACHED);
    if (!isSupported) throw new ProtocolError(Errors.INCONSISTENT_GROUP_PROTOCOL);
  }

  #joining(
    group: ConsumerGroup,
    memberId: string,
    instanceId: string | null,
    isUnknown: boolean,
    into: GroupRecord[],
  ): ConsumerGroupMember {
    const { membership } = this.#options;
    if (instanceId === null) return membership.dynamicMember(group, memberId, true);
    if (isUnknown) return membership.joiningStaticMember(group, memberId, instanceId, true, into);
    return membership.knownStaticMember(group, memberId, instanceId);
  }

  /** A member that has joined must ask for its assignment, and be heard of. */
  #watch({ groupId, sessionTimeoutMs, rebalanceTimeoutMs }: JoinGroupRequest, memberId: string): void {
    const { timers, membership } = this.#options;
    timers.cancel(groupId, memberId, 'join');
    membership.touchSession(groupId, memberId, sessionTimeoutMs);
    timers.arm(groupId, memberId, 'sync', rebalanceTimeoutMs, () =>
      membership.expire(groupId, memberId, 'did not ask for its assignment in time'),
    );
  }

  /** The member is told to join again, and has its rebalance timeout for it. */
  #expectJoin(group: ConsumerGroup, { memberId, rebalanceTimeoutMs }: ConsumerGroupMember): void {
    const { groupId } = group;
    const { timers, membership } = this.#options;
    if (timers.isArmed(groupId, memberId, 'join')) return;
    timers.arm(groupId, memberId, 'join', rebalanceTimeoutMs, () =>
      membership.expire(groupId, memberId, 'did not join again in time'),
    );
  }

  #member(group: ConsumerGroup, memberId: string, instanceId: string | null): ConsumerGroupMember {
    if (instanceId === null) return group.member(memberId);
    return this.#options.membership.knownStaticMember(group, memberId, instanceId);
  }

  /** Admin clients remove static members by their own names. */
  #leaving(group: ConsumerGroup, memberId: string, instanceId: string | null): ConsumerGroupMember {
    if (instanceId === null || memberId !== '') return this.#member(group, memberId, instanceId);
    const member = group.staticMember(instanceId);
    if (member === undefined) throw unknownMember(instanceId, group.groupId);
    return member;
  }
}

function joined(member: ConsumerGroupMember): JoinGroupResponse {
  return {
    ...joinFailure(Errors.NONE, member.memberId),
    generationId: member.memberEpoch,
    protocolType: CONSUMER_PROTOCOL_TYPE,
    protocolName: member.classic?.supportedProtocols[0]?.name ?? null,
  };
}

/** Whether all members but this one have what they shall have. */
function isReconciled(group: ConsumerGroup, except: ConsumerGroupMember): boolean {
  for (const member of group.members.values()) {
    if (member !== except && !isReconciledTo(member, group.assignmentEpoch)) return false;
  }
  return true;
}

function classicOf(group: ConsumerGroup, member: ConsumerGroupMember): ClassicMemberMetadata {
  if (member.classic === null) throw unknownMember(member.memberId, group.groupId);
  return member.classic;
}

/** There is a newer target, something to give back, or all that it waited for is free. */
function mustJoinAgain(group: ConsumerGroup, member: ConsumerGroupMember): boolean {
  if (member.memberEpoch < group.assignmentEpoch) return true;
  // Nobody else would have the next target made.
  if (group.classicCount === group.size && group.assignmentEpoch < group.epoch) return true;
  if (member.state === MemberState.UNREVOKED_PARTITIONS) return true;
  return member.state === MemberState.UNRELEASED_PARTITIONS && !waitsForOthers(group, member);
}

function waitsForOthers(group: ConsumerGroup, member: ConsumerGroupMember): boolean {
  for (const [topicId, partitions] of group.targetOf(member.memberId)) {
    const has = member.assigned.get(topicId);
    for (const partition of partitions) {
      if (!has?.has(partition) && group.ownerOf(topicId, partition) !== undefined) return true;
    }
  }
  return false;
}

/** Whether the member knows a protocol that all others of the classic kind know too. */
function sharesProtocol(group: ConsumerGroup, protocols: readonly { readonly name: string }[]): boolean {
  const counts = new Map<string, number>();
  for (const { classic } of group.members.values()) {
    const names = new Set(classic?.supportedProtocols.map(({ name }) => name));
    for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return protocols.some(({ name }) => (counts.get(name) ?? 0) === group.classicCount);
}

/** All protocols of a consumer carry the same subscription. */
function subscriptionOf({ protocols }: JoinGroupRequest): ConsumerProtocolSubscription {
  const subscription = readSubscription(protocols[0]!.metadata);
  if (subscription === undefined) throw new ProtocolError(Errors.INCONSISTENT_GROUP_PROTOCOL);
  return subscription;
}

function memberFrom(
  context: GroupRequestContext,
  request: JoinGroupRequest,
  subscription: ConsumerProtocolSubscription,
  member: ConsumerGroupMember,
): ConsumerGroupMember {
  const { groupInstanceId, rebalanceTimeoutMs, sessionTimeoutMs } = request;
  const rackId = subscription.rackId === '' ? null : subscription.rackId;
  return {
    ...member,
    instanceId: groupInstanceId ?? member.instanceId,
    rackId: rackId ?? member.rackId,
    rebalanceTimeoutMs: rebalanceTimeoutMs === NOT_GIVEN ? member.rebalanceTimeoutMs : rebalanceTimeoutMs,
    subscribedTopicNames: new Set(subscription.topics),
    subscribedTopicRegex: '',
    clientId: context.clientId,
    clientHost: context.clientHost,
    classic: {
      sessionTimeoutMs,
      // The bytes of a request are void once it is answered.
      supportedProtocols: request.protocols.map(({ name, metadata }) => ({
        name,
        metadata: Uint8Array.prototype.slice.call(metadata),
      })),
    },
  };
}
