import type { Uuid } from '../../base/uuid.ts';
import { Errors, ProtocolError } from '../../protocol/errors.ts';
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../protocol/messages/consumer-group-heartbeat.ts';
import type { CoordinatorResult } from '../runtime/result.ts';
import type { ShardContext } from '../runtime/shard.ts';
import type { ConsumerGroup } from './consumer-group.ts';
import {
  type ConsumerGroupMember,
  currentAssignmentRecord,
  LEAVE_GROUP_MEMBER_EPOCH,
  LEAVE_GROUP_STATIC_MEMBER_EPOCH,
  NO_PARTITIONS,
  type PartitionEpochs,
  partitionsOf,
  samePartitions,
} from './consumer-member.ts';
import type { ConsumerMembership } from './consumer-membership.ts';
import type { ConsumerRebalance } from './consumer-rebalance.ts';
import type { GroupCoordinatorConfig } from './group-config.ts';
import type { GroupRequestContext, GroupResult, MemberIds } from './group-result.ts';
import type { GroupSettings } from './group-settings.ts';
import type { OwnedPartitions } from './reconcile.ts';
import type { GroupRecord } from './records.ts';

type HeartbeatResult = CoordinatorResult<ConsumerGroupHeartbeatResponse, GroupRecord>;

/** The client makes its member id from this version on (KIP-1082). */
const OWN_MEMBER_ID_VERSION_MIN = 1;
const NOT_GIVEN = -1;

export interface ConsumerHeartbeatOptions {
  readonly context: ShardContext<GroupRecord>;
  readonly config: GroupCoordinatorConfig;
  readonly settingsOf: (groupId: string) => GroupSettings;
  readonly memberIds: MemberIds;
  readonly membership: ConsumerMembership;
  readonly rebalance: ConsumerRebalance;
  /**
   * The consumer group of that id. Where the member joins, one is made: of nothing, or of a classic group, with the
   * records for it. Throws GROUP_ID_NOT_FOUND.
   */
  readonly groupFor: (groupId: string, joins: boolean, into: GroupRecord[]) => ConsumerGroup;
}

/** ConsumerGroupHeartbeat (KIP-848): joins, stays in and leaves a consumer group. */
export class ConsumerHeartbeatHandler {
  readonly #options: ConsumerHeartbeatOptions;

  constructor(options: ConsumerHeartbeatOptions) {
    this.#options = options;
  }

  handle(context: GroupRequestContext, request: ConsumerGroupHeartbeatRequest): HeartbeatResult {
    const leaves =
      request.memberEpoch === LEAVE_GROUP_MEMBER_EPOCH ||
      request.memberEpoch === LEAVE_GROUP_STATIC_MEMBER_EPOCH;
    return leaves ? this.#leave(request) : this.#heartbeat(context, request);
  }

  /**
   * Brings a member that joins into the group, which is or becomes a consumer group, without giving it anything: the same
   * request is handled once the others that join with it are here too.
   */
  announce(context: GroupRequestContext, request: ConsumerGroupHeartbeatRequest): GroupResult {
    const { groupId } = request;
    const { rebalance, settingsOf, membership } = this.#options;
    const records: GroupRecord[] = [];
    const { group, wanted, change } = this.#subscribe(context, request, records);
    if (change.bumpReason !== undefined && !isAhead(group, wanted))
      rebalance.updateEpoch(group, wanted, change.bumpReason, records);
    membership.touchSession(groupId, wanted.memberId, settingsOf(groupId).sessionTimeoutMs);
    return { records, response: undefined };
  }

  #heartbeat(context: GroupRequestContext, request: ConsumerGroupHeartbeatRequest): HeartbeatResult {
    const { groupId, topicPartitions: owned } = request;
    const { membership, rebalance, settingsOf } = this.#options;
    const records: GroupRecord[] = [];
    const joins = request.memberEpoch === 0;
    const { group, takesPlace, before, wanted, change } = this.#subscribe(context, request, records);
    let { epoch } = group;
    if (change.bumpReason !== undefined || group.needsMetadataRefresh)
      epoch = rebalance.updateEpoch(group, wanted, change.bumpReason, records);
    const { assignmentIntervalMs, heartbeatIntervalMs, sessionTimeoutMs } = settingsOf(groupId);
    const target = rebalance.updateTarget(group, epoch, wanted, assignmentIntervalMs, records);
    const { hasChanged: hasSubscriptionChanged } = change;
    const moving = { before, after: wanted, hasSubscriptionChanged };
    const after = rebalance.reconcile(group, moving, target, owned, records);
    if (after !== wanted) membership.watchRevocation(group, after);
    membership.touchSession(groupId, after.memberId, sessionTimeoutMs);
    const tellsAssignment = joins || isFull(request) || !samePartitions(before.assigned, after.assigned);
    const response = {
      ...answer(after.memberId, after.memberEpoch),
      heartbeatIntervalMs,
      assignment: tellsAssignment ? { topicPartitions: partitionsOf(after.assigned) } : null,
    };
    // A part of a target is none, without the epoch behind it; a part of what was a classic group would be all that is left.
    return { records, response, atomic: takesPlace ? true : 'where it fits' };
  }

  /** The group and the member as the request wants it; `takesPlace` tells whether a classic group gives way. */
  #subscribe(context: GroupRequestContext, request: ConsumerGroupHeartbeatRequest, into: GroupRecord[]) {
    const joins = request.memberEpoch === 0;
    const group = this.#options.groupFor(request.groupId, joins, into);
    const takesPlace = into.length > 0;
    this.#checkRoom(group, request);
    const before = this.#memberFor(group, request, joins, into);
    const wanted = subscriptionFrom(context, request, before);
    const change = this.#options.membership.subscribe(group, before, wanted, into);
    return { group, takesPlace, before, wanted, change };
  }

  #leave(request: ConsumerGroupHeartbeatRequest): HeartbeatResult {
    const { groupId, memberId, memberEpoch, instanceId } = request;
    const { membership, context } = this.#options;
    const group = this.#options.groupFor(groupId, false, []);
    const member =
      instanceId === null
        ? group.member(memberId)
        : membership.knownStaticMember(group, memberId, instanceId);
    const response = answer(memberId, memberEpoch);
    if (instanceId !== null && memberEpoch === LEAVE_GROUP_STATIC_MEMBER_EPOCH) {
      context.logger.info(`Static member ${instanceId} of group ${groupId} left for a while`, { memberId });
      return { records: [currentAssignmentRecord(groupId, awayForAWhile(member))], response };
    }
    context.logger.info(`Member ${memberId} of group ${groupId} left`, { instanceId });
    return { ...membership.fence(group, [member], `member ${memberId} left`), response };
  }

  /** Throws GROUP_MAX_SIZE_REACHED where a new member finds no room. Who takes a static member's place needs none. */
  #checkRoom(group: ConsumerGroup, { memberId, instanceId }: ConsumerGroupHeartbeatRequest): void {
    const { consumerMaxSize } = this.#options.config;
    if (group.size < consumerMaxSize || group.members.has(memberId)) return;
    if (group.staticMember(instanceId) !== undefined) return;
    const text = `the group has ${group.size} members of at most ${consumerMaxSize}`;
    throw new ProtocolError(Errors.GROUP_MAX_SIZE_REACHED, text);
  }

  #memberFor(
    group: ConsumerGroup,
    request: ConsumerGroupHeartbeatRequest,
    joins: boolean,
    into: GroupRecord[],
  ): ConsumerGroupMember {
    const { instanceId, memberEpoch, topicPartitions } = request;
    const { membership, memberIds } = this.#options;
    const memberId = request.memberId === '' ? memberIds.nextUuid() : request.memberId;
    if (instanceId !== null && joins)
      return membership.joiningStaticMember(group, memberId, instanceId, false, into);
    const member =
      instanceId === null
        ? membership.dynamicMember(group, memberId, joins)
        : membership.knownStaticMember(group, memberId, instanceId);
    checkEpoch(member, memberEpoch, topicPartitions);
    return member;
  }
}

/** The next target is owed already, and is for the same topics with this member among the others. */
function isAhead(group: ConsumerGroup, wanted: ConsumerGroupMember): boolean {
  const { epoch, assignmentEpoch, needsMetadataRefresh, subscribedTopics } = group;
  if (epoch <= assignmentEpoch || needsMetadataRefresh) return false;
  return group.subscribedTopicsWith(wanted) === subscribedTopics;
}

/** Throws INVALID_REQUEST and UNSUPPORTED_ASSIGNOR for what no group could take. */
export function checkConsumerHeartbeat(
  request: ConsumerGroupHeartbeatRequest,
  apiVersion: number,
  assignors: readonly string[],
): void {
  const { memberId, memberEpoch, groupId, instanceId, rackId, serverAssignor } = request;
  const invalid = (text: string) => new ProtocolError(Errors.INVALID_REQUEST, text);
  const namesItself = memberEpoch > 0 || memberEpoch === LEAVE_GROUP_MEMBER_EPOCH;
  if (memberId.trim() === '' && (apiVersion >= OWN_MEMBER_ID_VERSION_MIN || namesItself))
    throw invalid('the member id is empty');
  if (groupId.trim() === '') throw invalid('the group id is empty');
  if (instanceId?.trim() === '') throw invalid('the instance id is empty');
  if (rackId?.trim() === '') throw invalid('the rack id is empty');
  if (memberEpoch === 0) {
    if (request.rebalanceTimeoutMs === NOT_GIVEN) throw invalid('who joins gives its rebalance timeout');
    if (request.topicPartitions === null || request.topicPartitions.length > 0)
      throw invalid('who joins owns no partitions, and says so');
    if (request.subscribedTopicNames === null && request.subscribedTopicRegex === null)
      throw invalid('who joins subscribes to names of topics or to a regular expression');
  } else if (memberEpoch === LEAVE_GROUP_STATIC_MEMBER_EPOCH) {
    if (instanceId === null) throw invalid('only a static member leaves for a while');
  } else if (memberEpoch < LEAVE_GROUP_STATIC_MEMBER_EPOCH) {
    throw invalid(`there is no member epoch ${memberEpoch}`);
  }
  if (serverAssignor !== null && !assignors.includes(serverAssignor)) {
    const text = `the assignors are ${assignors.join(', ')}: there is no ${serverAssignor}`;
    throw new ProtocolError(Errors.UNSUPPORTED_ASSIGNOR, text);
  }
}

export function failedHeartbeat(
  errorCode: ConsumerGroupHeartbeatResponse['errorCode'],
  errorMessage: string | null = null,
): ConsumerGroupHeartbeatResponse {
  return { ...answer(null, 0), errorCode, errorMessage };
}

function answer(memberId: string | null, memberEpoch: number): ConsumerGroupHeartbeatResponse {
  return {
    throttleTimeMs: 0,
    errorCode: Errors.NONE,
    errorMessage: null,
    memberId,
    memberEpoch,
    heartbeatIntervalMs: 0,
    assignment: null,
  };
}

/** The member with all that the request says; what it leaves out stays. The same object where nothing is new. */
function subscriptionFrom(
  context: GroupRequestContext,
  request: ConsumerGroupHeartbeatRequest,
  member: ConsumerGroupMember,
): ConsumerGroupMember {
  const { instanceId, rackId, rebalanceTimeoutMs, subscribedTopicNames, serverAssignor } = request;
  const { clientId, clientHost } = context;
  return {
    ...member,
    instanceId: instanceId ?? member.instanceId,
    rackId: rackId ?? member.rackId,
    rebalanceTimeoutMs: rebalanceTimeoutMs === NOT_GIVEN ? member.rebalanceTimeoutMs : rebalanceTimeoutMs,
    subscribedTopicNames:
      subscribedTopicNames === null ? member.subscribedTopicNames : new Set(subscribedTopicNames),
    subscribedTopicRegex: request.subscribedTopicRegex ?? member.subscribedTopicRegex,
    serverAssignor: serverAssignor ?? member.serverAssignor,
    clientId,
    clientHost,
    classic: null,
  };
}

/** Who sends all that it has wants to hear all that it shall have. */
function isFull(request: ConsumerGroupHeartbeatRequest): boolean {
  const subscribes = request.subscribedTopicNames !== null || request.subscribedTopicRegex !== null;
  return request.rebalanceTimeoutMs !== NOT_GIVEN && subscribes && request.topicPartitions !== null;
}

/** Throws FENCED_MEMBER_EPOCH, unless only the answer that told of the new epoch was lost. */
function checkEpoch(member: ConsumerGroupMember, epoch: number, owned: OwnedPartitions | null): void {
  if (epoch === 0 || epoch === member.memberEpoch) return;
  const wasLost = epoch === member.previousMemberEpoch && epoch < member.memberEpoch;
  if (wasLost && owned !== null && isSubset(owned, member.assigned)) return;
  const text = `the member epoch is ${member.memberEpoch}, not ${epoch}: give up all partitions and join again`;
  throw new ProtocolError(Errors.FENCED_MEMBER_EPOCH, text);
}

function isSubset(owned: OwnedPartitions, assigned: PartitionEpochs): boolean {
  return owned.every(({ topicId, partitions }) => {
    const its = assigned.get(topicId);
    return its !== undefined && partitions.every((partition) => its.has(partition));
  });
}

/** It keeps its partitions until its session is over. Whoever comes back has them from the beginning. */
function awayForAWhile(member: ConsumerGroupMember): ConsumerGroupMember {
  const assigned = new Map<Uuid, ReadonlyMap<number, number>>();
  for (const [topicId, partitions] of member.assigned) {
    assigned.set(topicId, new Map(Array.from(partitions.keys(), (partition) => [partition, 0] as const)));
  }
  return {
    ...member,
    memberEpoch: LEAVE_GROUP_STATIC_MEMBER_EPOCH,
    assigned,
    pendingRevocation: NO_PARTITIONS,
  };
}
