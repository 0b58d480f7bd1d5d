import { type ErrorCode, Errors } from '../../protocol/errors.ts';
import type { JoinGroupResponse } from '../../protocol/messages/join-group.ts';
import type { SyncGroupResponse } from '../../protocol/messages/sync-group.ts';
import type { ShardContext } from '../runtime/shard.ts';
import type { ClassicGroup } from './classic-group.ts';
import { type ClassicGroupMember, NO_BYTES } from './classic-member.ts';
import type { GroupCoordinatorConfig } from './group-config.ts';
import { type GroupResult, NOTHING } from './group-result.ts';
import type { GroupRecord } from './records.ts';

/**
 * A member that joins for the first time does not know its id yet and can't send heartbeats. When its join takes longer
 * than this it is asked to try again, so that those of clients which gave up don't pile up.
 */
const NEW_MEMBER_JOIN_TIMEOUT_MS = 300_000;

export function joinFailure(errorCode: ErrorCode, memberId: string): JoinGroupResponse {
  return {
    throttleTimeMs: 0,
    errorCode,
    generationId: -1,
    protocolType: null,
    protocolName: null,
    leader: '',
    skipAssignment: false,
    memberId,
    members: [],
  };
}

export function syncFailure(errorCode: ErrorCode): SyncGroupResponse {
  return { throttleTimeMs: 0, errorCode, protocolType: null, protocolName: null, assignment: NO_BYTES };
}

/** What a member learns of its generation; the leader of the others too. */
export function joinSuccess(group: ClassicGroup, memberId: string, withMembers: boolean): JoinGroupResponse {
  return {
    throttleTimeMs: 0,
    errorCode: Errors.NONE,
    generationId: group.generationId,
    protocolType: group.protocolType,
    protocolName: group.protocolName,
    leader: group.leaderId ?? '',
    skipAssignment: false,
    memberId,
    members: withMembers ? joinedMembers(group) : [],
  };
}

function joinedMembers(group: ClassicGroup): JoinGroupResponse['members'] {
  return Array.from(group.members(), (member) => ({
    memberId: member.memberId,
    groupInstanceId: member.groupInstanceId,
    metadata: member.metadataFor(group.protocolName),
  }));
}

/**
 * How a classic group gets from one generation to the next: members are asked to join again and waited for, the ones
 * that did are the generation, the leader assigns, and everybody gets their part.
 */
export class ClassicRebalance {
  readonly #context: ShardContext<GroupRecord>;
  readonly #config: GroupCoordinatorConfig;
  readonly #groups: ReadonlyMap<string, { readonly groupId: string }>;

  constructor(
    context: ShardContext<GroupRecord>,
    config: GroupCoordinatorConfig,
    groups: ReadonlyMap<string, { readonly groupId: string }>,
  ) {
    this.#context = context;
    this.#config = config;
    this.#groups = groups;
  }

  /** Something changed that needs a new generation, or that lets one begin which is under way. */
  prepareOrComplete(group: ClassicGroup, reason: string): GroupResult {
    return group.canRebalance ? this.prepare(group, reason) : this.completeIfJoined(group);
  }

  /** Asks everybody to join again. */
  prepare(group: ClassicGroup, reason: string): GroupResult {
    const { clock, logger } = this.#context;
    if (group.state === 'CompletingRebalance') this.resetAssignments(group, Errors.REBALANCE_IN_PROGRESS);
    group.pendingSyncs.clear();
    group.syncTimer?.cancel();
    const isInitial = group.state === 'Empty';
    logger.info(`Rebalance of group ${group.groupId} begins`, {
      reason,
      state: group.state,
      generation: group.generationId,
      members: group.size,
    });
    group.transitionTo('PreparingRebalance', clock.wallMs());
    group.rebalance = { reason, startMs: clock.monotonicMs() };
    if (isInitial && !this.#mayBegin(group)) {
      this.#delayInitial(group);
      return NOTHING;
    }
    group.initialDelay = undefined;
    if (group.hasAllJoined) return this.#complete(group);
    this.#joinTimer(group).arm(group.rebalanceTimeoutMs);
    return NOTHING;
  }

  /** Ends the joining where everybody is here. The first rebalance of a group waits for its delay. */
  completeIfJoined(group: ClassicGroup): GroupResult {
    if (group.state !== 'PreparingRebalance') return NOTHING;
    if (group.previousState === 'Empty' && !this.#mayBegin(group)) return NOTHING;
    return group.hasAllJoined ? this.#complete(group) : NOTHING;
  }

  /** Without a delay nobody is waited for in vain: whoever has asked for a member id comes, or the delay's timer ends it. */
  #mayBegin(group: ClassicGroup): boolean {
    return this.#config.initialRebalanceDelayMs === 0 && group.hasAllJoined;
  }

  /** A member has left, or was not heard of. */
  removeMember(group: ClassicGroup, member: ClassicGroupMember): void {
    this.answerJoin(group, member, joinFailure(Errors.UNKNOWN_MEMBER_ID, ''));
    group.remove(member.memberId);
  }

  /**
   * The connection of a member ended some time ago: its session ends now. Static members keep theirs, which is what lets
   * them restart without a rebalance (KIP-345).
   */
  disconnected(group: ClassicGroup, memberId: string): GroupResult {
    const { logger } = this.#context;
    const member = group.member(memberId);
    const isPending = group.pendingMembers.has(memberId);
    if (!isPending && (member === undefined || member.isStatic)) return NOTHING;
    logger.info(`Member ${memberId} of group ${group.groupId} has lost its connection and not come back`);
    if (member !== undefined)
      return this.#goOnWithout(group, member, `member ${memberId} lost its connection`);
    group.remove(memberId);
    return this.#completeIfAllJoined(group);
  }

  /** A member that joins for the first time. */
  welcome(group: ClassicGroup, member: ClassicGroupMember): void {
    member.isNew = true;
    if (group.state === 'PreparingRebalance' && group.previousState === 'Empty') group.newMemberAdded = true;
    this.touchSession(group, member, NEW_MEMBER_JOIN_TIMEOUT_MS);
  }

  /** The member was heard of: its session begins anew. */
  touchSession(group: ClassicGroup, member: ClassicGroupMember, timeoutMs = member.sessionTimeoutMs): void {
    const { memberId } = member;
    member.session ??= this.#context.timer('session timeout', () => this.#sessionExpired(group, memberId));
    member.session.arm(timeoutMs);
  }

  /** Gives a member id to somebody who must join again with it (KIP-394). */
  addPending(group: ClassicGroup, memberId: string, sessionTimeoutMs: number): void {
    const expired = () => this.#sessionExpired(group, memberId);
    const timer = this.#context.timer('pending member timeout', expired);
    group.pendingMembers.set(memberId, timer);
    timer.arm(sessionTimeoutMs);
  }

  answerJoin(group: ClassicGroup, member: ClassicGroupMember, response: JoinGroupResponse): boolean {
    const answer = member.awaitingJoin;
    if (answer === undefined) return false;
    group.setAwaitingJoin(member, undefined);
    this.#context.reply(() => answer(response));
    return true;
  }

  answerSync(member: ClassicGroupMember, response: SyncGroupResponse): boolean {
    const answer = member.awaitingSync;
    if (answer === undefined) return false;
    member.awaitingSync = undefined;
    this.#context.reply(() => answer(response));
    return true;
  }

  /** The assignments are committed: the group is stable. */
  stabilize(group: ClassicGroup, assignments: ReadonlyMap<string, Uint8Array>): void {
    for (const member of group.members()) member.assignment = assignments.get(member.memberId) ?? NO_BYTES;
    this.#propagateAssignments(group, Errors.NONE);
    group.transitionTo('Stable', this.#context.clock.wallMs());
    const { rebalance } = group;
    group.rebalance = undefined;
    this.#context.logger.info(`Group ${group.groupId} is stable`, {
      generation: group.generationId,
      members: group.size,
      leader: group.leaderId,
      protocol: group.protocolName,
      reason: rebalance?.reason,
      ms:
        rebalance === undefined
          ? undefined
          : Math.round(this.#context.clock.monotonicMs() - rebalance.startMs),
    });
  }

  /** The assignments of this generation are void. */
  resetAssignments(group: ClassicGroup, error: ErrorCode): void {
    for (const member of group.members()) member.assignment = NO_BYTES;
    this.#propagateAssignments(group, error);
  }

  #propagateAssignments(group: ClassicGroup, errorCode: ErrorCode): void {
    for (const member of group.members()) {
      const response = errorCode === Errors.NONE ? syncSuccess(group, member) : syncFailure(errorCode);
      // Its session may have run out while it waited, which does not count.
      if (this.answerSync(member, response)) this.touchSession(group, member);
    }
  }

  #complete(group: ClassicGroup): GroupResult {
    const { clock, logger } = this.#context;
    group.joinTimer?.cancel();
    group.initialDelay = undefined;
    const late: string[] = [];
    for (const member of group.members()) {
      if (member.awaitingJoin === undefined && !member.isStatic) late.push(member.memberId);
    }
    for (const memberId of late) group.remove(memberId);
    if (late.length > 0) {
      logger.info(`Group ${group.groupId} goes on without members that did not join again`, {
        members: late,
      });
    }
    if (!group.electJoinedLeader() && group.size > 0) {
      // Only static members are left, and none of them came: their sessions decide.
      this.#joinTimer(group).arm(group.rebalanceTimeoutMs);
      return NOTHING;
    }
    group.nextGeneration(clock.wallMs());
    if (group.state === 'Empty') {
      logger.info(`Group ${group.groupId} is empty`, { generation: group.generationId });
      group.rebalance = undefined;
      return { records: [group.toRecord(new Map())], replay: false, response: undefined };
    }
    for (const member of group.members()) {
      const response = joinSuccess(group, member.memberId, group.isLeader(member.memberId));
      this.answerJoin(group, member, response);
      this.touchSession(group, member);
      member.isNew = false;
      group.pendingSyncs.add(member.memberId);
    }
    group.syncTimer ??= this.#context.timer('sync timeout', () => this.#syncExpired(group));
    group.syncTimer.arm(group.rebalanceTimeoutMs);
    return NOTHING;
  }

  /** The first members of a group are given time for more of them to come. */
  #delayInitial(group: ClassicGroup): void {
    const { initialRebalanceDelayMs } = this.#config;
    const remainingMs = Math.max(group.rebalanceTimeoutMs - initialRebalanceDelayMs, 0);
    group.initialDelay = { delayMs: initialRebalanceDelayMs, remainingMs };
    this.#joinTimer(group).arm(initialRebalanceDelayMs);
  }

  #joinTimer(group: ClassicGroup) {
    group.joinTimer ??= this.#context.timer('join timeout', () => this.#joinExpired(group));
    return group.joinTimer;
  }

  #joinExpired(group: ClassicGroup): GroupResult {
    if (!this.#isAlive(group) || group.state !== 'PreparingRebalance') return NOTHING;
    const delay = group.initialDelay;
    if (delay === undefined || !group.newMemberAdded || delay.remainingMs === 0) return this.#complete(group);
    group.newMemberAdded = false;
    const delayMs = Math.min(this.#config.initialRebalanceDelayMs, delay.remainingMs);
    group.initialDelay = { delayMs, remainingMs: Math.max(delay.remainingMs - delay.delayMs, 0) };
    this.#joinTimer(group).arm(delayMs);
    return NOTHING;
  }

  #syncExpired(group: ClassicGroup): GroupResult {
    if (!this.#isAlive(group) || group.pendingSyncs.size === 0) return NOTHING;
    if (group.state !== 'CompletingRebalance' && group.state !== 'Stable') return NOTHING;
    const late = [...group.pendingSyncs];
    for (const memberId of late) group.remove(memberId);
    return this.prepare(group, `${late.join(', ')} did not ask for an assignment in time`);
  }

  #sessionExpired(group: ClassicGroup, memberId: string): GroupResult {
    if (!this.#isAlive(group)) return NOTHING;
    const { logger } = this.#context;
    if (group.pendingMembers.has(memberId)) {
      logger.info(`Member ${memberId} of group ${group.groupId} never joined with its id`);
      group.remove(memberId);
      return this.#completeIfAllJoined(group);
    }
    const member = group.member(memberId);
    if (member === undefined || member.isExcused) return NOTHING;
    logger.info(`Member ${memberId} of group ${group.groupId} was not heard of in time`, {
      sessionTimeoutMs: member.sessionTimeoutMs,
    });
    return this.#goOnWithout(group, member, `member ${memberId} was not heard of in time`);
  }

  #goOnWithout(group: ClassicGroup, member: ClassicGroupMember, reason: string): GroupResult {
    this.removeMember(group, member);
    if (group.state === 'Stable' || group.state === 'CompletingRebalance') return this.prepare(group, reason);
    return this.#completeIfAllJoined(group);
  }

  /** Also the first rebalance of a group ends early when those that it waits for are gone. */
  #completeIfAllJoined(group: ClassicGroup): GroupResult {
    return group.state === 'PreparingRebalance' && group.hasAllJoined ? this.#complete(group) : NOTHING;
  }

  #isAlive(group: ClassicGroup): boolean {
    return this.#groups.get(group.groupId) === group;
  }
}

export function syncSuccess(group: ClassicGroup, member: ClassicGroupMember): SyncGroupResponse {
  return {
    throttleTimeMs: 0,
    errorCode: Errors.NONE,
    protocolType: group.protocolType,
    protocolName: group.protocolName,
    assignment: member.assignment,
  };
}
