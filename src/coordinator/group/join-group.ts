import { type ErrorCode, Errors, ProtocolError } from '../../protocol/errors.ts';
import type { JoinGroupRequest } from '../../protocol/messages/join-group.ts';
import type { ShardContext } from '../runtime/shard.ts';
import type { ClassicGroup } from './classic-group.ts';
import { type AnswerJoin, ClassicGroupMember, type MemberProtocol, NO_BYTES } from './classic-member.ts';
import { coordinatorError } from './coordinator-error.ts';
import type { GroupCoordinatorConfig } from './group-config.ts';
import { type GroupRequestContext, type GroupResult, type MemberIds, NOTHING } from './group-result.ts';
import { type ClassicRebalance, joinFailure, joinSuccess, syncFailure } from './rebalance.ts';
import type { GroupRecord } from './records.ts';

/** A member joins again with the id that it was given from this version on (KIP-394). */
const MEMBER_ID_REQUIRED_VERSION_MIN = 4;
/** A leader may be told to keep the assignment from this version on (KIP-814). */
const SKIP_ASSIGNMENT_VERSION_MIN = 9;

/** One JoinGroup: what it asks for and where its answer goes. */
interface Join {
  readonly context: GroupRequestContext;
  readonly request: JoinGroupRequest;
  readonly protocols: readonly MemberProtocol[];
  readonly answer: AnswerJoin;
}

/** JoinGroup for classic groups: who becomes a member, and what that does to the group. */
export class JoinGroupHandler {
  readonly #context: ShardContext<GroupRecord>;
  readonly #config: GroupCoordinatorConfig;
  readonly #rebalance: ClassicRebalance;
  readonly #memberIds: MemberIds;

  constructor(
    context: ShardContext<GroupRecord>,
    config: GroupCoordinatorConfig,
    rebalance: ClassicRebalance,
    memberIds: MemberIds,
  ) {
    this.#context = context;
    this.#config = config;
    this.#rebalance = rebalance;
    this.#memberIds = memberIds;
  }

  handle(
    group: ClassicGroup,
    context: GroupRequestContext,
    request: JoinGroupRequest,
    answer: AnswerJoin,
  ): GroupResult {
    const join: Join = { context, request, protocols: distinct(request.protocols), answer };
    if (!this.#hasRoom(group, request.memberId)) {
      group.remove(request.memberId);
      this.#refuse(join, Errors.GROUP_MAX_SIZE_REACHED, '');
      return this.#rebalance.completeIfJoined(group);
    }
    if (!group.supports(request.protocolType, join.protocols)) {
      return this.#refuse(join, Errors.INCONSISTENT_GROUP_PROTOCOL, request.memberId);
    }
    return request.memberId === '' ? this.#joinUnknown(group, join) : this.#joinKnown(group, join);
  }

  /** Members that are here stay; where a rebalance is under way the first ones to join again do. */
  #hasRoom(group: ClassicGroup, memberId: string): boolean {
    const member = group.member(memberId);
    const { maxSize } = this.#config;
    switch (group.state) {
      case 'PreparingRebalance':
        return member?.awaitingJoin !== undefined || group.awaitingJoinCount < maxSize;
      case 'CompletingRebalance':
      case 'Stable':
        return member !== undefined || group.size < maxSize;
      default:
        return true;
    }
  }

  #joinUnknown(group: ClassicGroup, join: Join): GroupResult {
    const { context, request } = join;
    const { groupInstanceId } = request;
    const memberId = `${groupInstanceId ?? context.clientId}-${this.#memberIds.next()}`;
    if (groupInstanceId !== null) {
      const existing = group.staticMemberId(groupInstanceId);
      if (existing === undefined) return this.#add(group, join, memberId);
      return this.#replaceStatic(group, join, group.member(existing)!, memberId);
    }
    if (context.apiVersion < MEMBER_ID_REQUIRED_VERSION_MIN) return this.#add(group, join, memberId);
    this.#rebalance.addPending(group, memberId, request.sessionTimeoutMs);
    return this.#refuse(join, Errors.MEMBER_ID_REQUIRED, memberId);
  }

  #joinKnown(group: ClassicGroup, join: Join): GroupResult {
    const { memberId, groupInstanceId } = join.request;
    if (group.pendingMembers.has(memberId)) {
      // Only dynamic members are ever pending.
      if (groupInstanceId !== null) return this.#refuse(join, Errors.UNKNOWN_SERVER_ERROR, memberId);
      return this.#add(group, join, memberId);
    }
    let member: ClassicGroupMember;
    try {
      member = group.validMember(memberId, groupInstanceId);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return this.#refuse(join, error.code, memberId);
    }
    const hasChanged = !member.hasProtocols(join.protocols);
    switch (group.state) {
      case 'PreparingRebalance':
        return this.#rejoin(group, join, member, `member ${memberId} joins again`);
      case 'CompletingRebalance':
        if (hasChanged) return this.#rejoin(group, join, member, `member ${memberId} changed its protocols`);
        // It did not get the first answer.
        return this.#tell(join, group, group.isLeader(memberId));
      case 'Stable':
        // The leader asks for another assignment this way, when topics have changed.
        if (group.isLeader(memberId))
          return this.#rejoin(group, join, member, `leader ${memberId} joins again`);
        if (hasChanged) return this.#rejoin(group, join, member, `member ${memberId} changed its protocols`);
        return this.#tell(join, group, false);
      default:
        return this.#refuse(join, Errors.UNKNOWN_MEMBER_ID, memberId);
    }
  }

  #add(group: ClassicGroup, join: Join, memberId: string): GroupResult {
    const { context, request, answer } = join;
    const { groupInstanceId, rebalanceTimeoutMs, sessionTimeoutMs, protocolType } = request;
    const member = new ClassicGroupMember({
      memberId,
      groupInstanceId,
      clientId: context.clientId,
      clientHost: context.clientHost,
      rebalanceTimeoutMs,
      sessionTimeoutMs,
      protocols: owned(join.protocols),
      assignment: NO_BYTES,
    });
    this.#rebalance.welcome(group, member);
    group.add(member, protocolType);
    group.setAwaitingJoin(member, answer);
    return this.#rebalance.prepareOrComplete(group, withReason(`member ${memberId} is new`, request));
  }

  #rejoin(group: ClassicGroup, join: Join, member: ClassicGroupMember, reason: string): GroupResult {
    this.#update(group, join, member);
    return this.#rebalance.prepareOrComplete(group, withReason(reason, join.request));
  }

  #update(group: ClassicGroup, { request, protocols, answer }: Join, member: ClassicGroupMember): void {
    group.update(member, owned(protocols), request.rebalanceTimeoutMs, request.sessionTimeoutMs);
    // It asks again, over another connection: nobody reads the first answer any more.
    this.#rebalance.answerJoin(group, member, joinFailure(Errors.REBALANCE_IN_PROGRESS, member.memberId));
    group.setAwaitingJoin(member, answer);
  }

  /** The same static member started again: the one that runs under the old id is fenced (KIP-345). */
  #replaceStatic(group: ClassicGroup, join: Join, old: ClassicGroupMember, memberId: string): GroupResult {
    const { request } = join;
    const oldLeader = group.leaderId;
    this.#rebalance.answerJoin(group, old, joinFailure(Errors.FENCED_INSTANCE_ID, old.memberId));
    this.#rebalance.answerSync(old, syncFailure(Errors.FENCED_INSTANCE_ID));
    const member = group.replaceStatic(old, memberId);
    this.#update(group, join, member);
    this.#rebalance.touchSession(group, member);
    this.#context.logger.info(`Static member ${old.groupInstanceId} of group ${group.groupId} came back`, {
      memberId,
      replaces: old.memberId,
      state: group.state,
    });
    if (group.state === 'PreparingRebalance') return this.#rebalance.completeIfJoined(group);
    if (group.state === 'Stable' && group.selectProtocol() === group.protocolName) {
      return this.#keepGeneration(group, join, member, oldLeader);
    }
    const reason = `static member ${old.groupInstanceId} came back as ${memberId}`;
    return this.#rebalance.prepare(group, withReason(reason, request));
  }

  /** Nobody else need know of the new id: it is stored, and the member goes on with the old assignment. */
  #keepGeneration(
    group: ClassicGroup,
    join: Join,
    member: ClassicGroupMember,
    oldLeader: string | null,
  ): GroupResult {
    const { memberId } = member;
    const settled = (error: ProtocolError | undefined): void => {
      if (error !== undefined) {
        this.#rebalance.answerJoin(group, member, joinFailure(coordinatorError(error), ''));
        return;
      }
      const maySkip = join.context.apiVersion >= SKIP_ASSIGNMENT_VERSION_MIN;
      const skipAssignment = maySkip && group.isLeader(memberId);
      const told = joinSuccess(group, memberId, skipAssignment);
      // Who can't be told to keep the assignment must not think that it leads, or it would assign.
      const leader = maySkip ? told.leader : (oldLeader ?? '');
      this.#rebalance.answerJoin(group, member, { ...told, leader, skipAssignment });
    };
    return { records: [group.toRecord(new Map())], replay: false, response: undefined, settled };
  }

  #tell({ request, answer }: Join, group: ClassicGroup, withMembers: boolean): GroupResult {
    const response = joinSuccess(group, request.memberId, withMembers);
    this.#context.reply(() => answer(response));
    return NOTHING;
  }

  #refuse({ answer }: Join, code: ErrorCode, memberId: string): GroupResult {
    this.#context.reply(() => answer(joinFailure(code, memberId)));
    return NOTHING;
  }
}

/** One that is named twice counts once. */
function distinct(protocols: readonly MemberProtocol[]): readonly MemberProtocol[] {
  const names = new Set(protocols.map(({ name }) => name));
  if (names.size === protocols.length) return protocols;
  return protocols.filter(({ name }) => names.delete(name));
}

/** The bytes of a request are void once it is answered. */
function owned(protocols: readonly MemberProtocol[]): readonly MemberProtocol[] {
  return protocols.map(({ name, metadata }) => ({
    name,
    metadata: Uint8Array.prototype.slice.call(metadata),
  }));
}

function withReason(reason: string, { reason: given }: JoinGroupRequest): string {
  return given === null || given === '' ? reason : `${reason}: ${given}`;
}
