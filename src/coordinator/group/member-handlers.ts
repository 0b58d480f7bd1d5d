import { type ErrorCode, Errors, ProtocolError } from '../../protocol/errors.ts';
import type { HeartbeatRequest } from '../../protocol/messages/heartbeat.ts';
import type { LeaveGroupRequest, LeaveGroupResponse } from '../../protocol/messages/leave-group.ts';
import type { SyncGroupRequest } from '../../protocol/messages/sync-group.ts';
import type { CoordinatorResult } from '../runtime/result.ts';
import type { ShardContext } from '../runtime/shard.ts';
import type { ClassicGroup } from './classic-group.ts';
import { type AnswerSync, type ClassicGroupMember, NO_BYTES } from './classic-member.ts';
import { coordinatorError } from './coordinator-error.ts';
import { type GroupResult, NOTHING } from './group-result.ts';
import { type ClassicRebalance, syncFailure, syncSuccess } from './rebalance.ts';
import type { GroupRecord } from './records.ts';

type LeavingMember = LeaveGroupRequest['members'][number];

/** What members of a classic group send once they have joined: SyncGroup, Heartbeat and LeaveGroup. */
export class MemberHandlers {
  readonly #context: ShardContext<GroupRecord>;
  readonly #rebalance: ClassicRebalance;

  constructor(context: ShardContext<GroupRecord>, rebalance: ClassicRebalance) {
    this.#context = context;
    this.#rebalance = rebalance;
  }

  sync(group: ClassicGroup, request: SyncGroupRequest, answer: AnswerSync): GroupResult {
    const member = syncingMember(group, request);
    switch (group.state) {
      case 'CompletingRebalance':
        group.pendingSyncs.delete(member.memberId);
        // A request that came twice: the first answer would never be read.
        this.#rebalance.answerSync(member, syncFailure(Errors.REBALANCE_IN_PROGRESS));
        member.awaitingSync = answer;
        return group.isLeader(member.memberId) ? this.#assign(group, request) : NOTHING;
      case 'Stable':
        group.pendingSyncs.delete(member.memberId);
        this.#context.reply(() => answer(syncSuccess(group, member)));
        return NOTHING;
      default:
        throw new ProtocolError(Errors.REBALANCE_IN_PROGRESS);
    }
  }

  heartbeat(group: ClassicGroup, request: HeartbeatRequest): ErrorCode {
    const member = group.validMember(request.memberId, request.groupInstanceId);
    if (request.generationId !== group.generationId) return Errors.ILLEGAL_GENERATION;
    this.#rebalance.touchSession(group, member);
    return group.state === 'PreparingRebalance' ? Errors.REBALANCE_IN_PROGRESS : Errors.NONE;
  }

  leave(group: ClassicGroup, request: LeaveGroupRequest): CoordinatorResult<LeaveGroupResponse, GroupRecord> {
    const gone: string[] = [];
    const members = request.members.map((leaving) => {
      const errorCode = this.#leave(group, leaving, gone);
      return { memberId: leaving.memberId, groupInstanceId: leaving.groupInstanceId, errorCode };
    });
    const response = { throttleTimeMs: 0, errorCode: Errors.NONE, members };
    if (gone.length === 0 || group.state === 'Empty') return { records: [], response };
    const result = this.#rebalance.prepareOrComplete(group, `${gone.join(', ')} left`);
    return { ...result, response };
  }

  #leave(group: ClassicGroup, leaving: LeavingMember, gone: string[]): ErrorCode {
    const { groupInstanceId } = leaving;
    let { memberId } = leaving;
    if (memberId === '') {
      // Admin clients remove static members by their own names.
      const current = groupInstanceId === null ? undefined : group.staticMemberId(groupInstanceId);
      if (current === undefined) return Errors.UNKNOWN_MEMBER_ID;
      memberId = current;
    } else if (group.pendingMembers.has(memberId)) {
      group.remove(memberId);
      gone.push(memberId);
      return Errors.NONE;
    }
    let member: ClassicGroupMember;
    try {
      member = group.validMember(memberId, groupInstanceId);
    } catch (error) {
      if (error instanceof ProtocolError) return error.code;
      throw error;
    }
    this.#rebalance.removeMember(group, member);
    const reason = leaving.reason === null ? '' : ` (${leaving.reason})`;
    gone.push(`${memberId}${reason}`);
    return Errors.NONE;
  }

  /** The leader has assigned: everybody gets theirs once it is committed. */
  #assign(group: ClassicGroup, request: SyncGroupRequest): GroupResult {
    const assignments = new Map<string, Uint8Array>();
    for (const { memberId, assignment } of request.assignments) {
      assignments.set(memberId, Uint8Array.prototype.slice.call(assignment));
    }
    const without: string[] = [];
    for (const { memberId } of group.members()) {
      if (assignments.has(memberId)) continue;
      without.push(memberId);
      assignments.set(memberId, NO_BYTES);
    }
    if (without.length > 0) {
      this.#context.logger.warn(`The leader of group ${group.groupId} assigned nothing to some members`, {
        generation: group.generationId,
        members: without,
      });
    }
    const { generationId } = group;
    const settled = (error: ProtocolError | undefined): void => {
      // Somebody may have come or gone meanwhile; then the next generation is under way.
      if (group.state !== 'CompletingRebalance' || group.generationId !== generationId) return;
      if (error === undefined) this.#rebalance.stabilize(group, assignments);
      else this.#reject(group, error);
    };
    return { records: [group.toRecord(assignments)], replay: false, response: undefined, settled };
  }

  #reject(group: ClassicGroup, error: ProtocolError): void {
    this.#context.logger.error(`The assignments of group ${group.groupId} could not be stored`, {
      generation: group.generationId,
      error: error.message,
    });
    this.#rebalance.resetAssignments(group, coordinatorError(error));
    // Nobody has joined again yet, so this writes nothing.
    this.#rebalance.prepareOrComplete(group, 'the assignments could not be stored');
  }
}

/** The member that asks for its assignment. Throws what it is told where it may not. */
function syncingMember(group: ClassicGroup, request: SyncGroupRequest): ClassicGroupMember {
  const member = group.validMember(request.memberId, request.groupInstanceId);
  if (request.generationId !== group.generationId) throw new ProtocolError(Errors.ILLEGAL_GENERATION);
  const { protocolType, protocolName } = request;
  if (protocolType !== null && group.protocolType !== null && protocolType !== group.protocolType) {
    throw new ProtocolError(Errors.INCONSISTENT_GROUP_PROTOCOL);
  }
  if (protocolName !== null && group.protocolName !== null && protocolName !== group.protocolName) {
    throw new ProtocolError(Errors.INCONSISTENT_GROUP_PROTOCOL);
  }
  return member;
}
