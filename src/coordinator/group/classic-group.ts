import { assert } from '../../base/assert.ts';
import { keepShape } from '../../base/shape.ts';
import { decodeFrom } from '../../protocol/codec.ts';
import { Errors, ProtocolError } from '../../protocol/errors.ts';
import type { GroupMetadataValue } from '../../protocol/group-records/group-metadata.ts';
import { ConsumerProtocolSubscription } from '../../protocol/messages/consumer-protocol.ts';
import { Reader } from '../../protocol/reader.ts';
import type { CoordinatorTimer } from '../runtime/timer.ts';
import { ClassicGroupMember, type MemberProtocol } from './classic-member.ts';
import type { OffsetAndMetadata } from './offsets.ts';
import { type GroupRecord, groupMetadataRecord } from './records.ts';

/** The states as Kafka's tools print them. */
export type ClassicGroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead';

const BEFORE: Readonly<Record<ClassicGroupState, readonly ClassicGroupState[]>> = {
  Empty: ['PreparingRebalance'],
  PreparingRebalance: ['Stable', 'CompletingRebalance', 'Empty'],
  CompletingRebalance: ['PreparingRebalance'],
  Stable: ['CompletingRebalance'],
  Dead: ['Empty', 'PreparingRebalance', 'CompletingRebalance', 'Stable'],
};

export const CONSUMER_PROTOCOL_TYPE = 'consumer';
/** Every later version of a subscription begins like this one. */
const SUBSCRIPTION_VERSION = 0;
const VERSION_BYTES = 2;
const NO_TIME = -1n;

/** A rebalance from its beginning, for the log line at its end. */
export interface RebalanceStart {
  readonly reason: string;
  readonly startMs: number;
}

/**
 * A group whose members agree on assignments among themselves (the protocol of before KIP-848), or one that has none
 * and only keeps offsets. Generation, members and assignments are what the log keeps; who waits for what is not.
 */
export class ClassicGroup {
  static {
    keepShape(() => new ClassicGroup('', 0));
  }

  readonly type = 'classic';
  readonly groupId: string;
  #state: ClassicGroupState;
  #previousState: ClassicGroupState = 'Dead';
  #stateSinceMs: number | undefined;
  #generationId: number;
  #protocolType: string | null;
  #protocolName: string | null;
  #leaderId: string | null;
  readonly #members = new Map<string, ClassicGroupMember>();
  readonly #staticMembers = new Map<string, string>();
  /** How many members know each protocol. */
  readonly #protocolCounts = new Map<string, number>();
  #awaitingJoinCount = 0;
  #awaitsRebalance = false;
  /** Undefined where it is not known what the members want. */
  #subscribedTopics: ReadonlySet<string> | undefined;

  /** Members that were given an id and have yet to join with it, with their session timers. */
  readonly pendingMembers = new Map<string, CoordinatorTimer>();
  /** Members of this generation that have not asked for their assignment. */
  readonly pendingSyncs = new Set<string>();
  /** Whether the first rebalance waits longer because somebody joined meanwhile. */
  newMemberAdded = false;
  /** Set while the first rebalance waits for more members: how long, and how much longer it may. */
  initialDelay: { readonly delayMs: number; readonly remainingMs: number } | undefined;
  joinTimer: CoordinatorTimer | undefined;
  syncTimer: CoordinatorTimer | undefined;
  rebalance: RebalanceStart | undefined;

  constructor(groupId: string, nowMs: number) {
    this.groupId = groupId;
    this.#state = 'Empty';
    this.#stateSinceMs = nowMs;
    this.#generationId = 0;
    this.#protocolType = null;
    this.#protocolName = null;
    this.#leaderId = null;
  }

  /** The group as the log has it: with members it is stable, for only that is ever written. */
  static fromRecord(groupId: string, value: GroupMetadataValue): ClassicGroup {
    const group = new ClassicGroup(groupId, 0);
    group.#state = value.members.length === 0 ? 'Empty' : 'Stable';
    group.#stateSinceMs =
      value.currentStateTimestamp === NO_TIME ? undefined : Number(value.currentStateTimestamp);
    group.#generationId = value.generation;
    group.#protocolType = value.protocolType === '' ? null : value.protocolType;
    group.#protocolName = value.protocol;
    for (const member of value.members) group.#insert(memberOf(member, value.protocol ?? ''));
    group.#awaitsRebalance = value.leader === null && value.members.length > 0;
    group.#leaderId = value.leader ?? value.members[0]?.memberId ?? null;
    group.#subscribedTopics = group.#readSubscriptions();
    return group;
  }

  /** A stable group of consumers, as a consumer group leaves it behind: the first member leads. */
  static ofMembers(
    groupId: string,
    generationId: number,
    members: readonly ClassicGroupMember[],
    nowMs: number,
  ): ClassicGroup {
    const group = new ClassicGroup(groupId, nowMs);
    group.#state = 'Stable';
    group.#generationId = generationId;
    for (const member of members) group.add(member, CONSUMER_PROTOCOL_TYPE);
    group.#protocolName = group.selectProtocol();
    group.#subscribedTopics = group.#readSubscriptions();
    return group;
  }

  get state(): ClassicGroupState {
    return this.#state;
  }

  get previousState(): ClassicGroupState {
    return this.#previousState;
  }

  get generationId(): number {
    return this.#generationId;
  }

  get protocolType(): string | null {
    return this.#protocolType;
  }

  get protocolName(): string | null {
    return this.#protocolName;
  }

  get leaderId(): string | null {
    return this.#leaderId;
  }

  get size(): number {
    return this.#members.size;
  }

  get awaitingJoinCount(): number {
    return this.#awaitingJoinCount;
  }

  get canRebalance(): boolean {
    return BEFORE.PreparingRebalance.includes(this.#state);
  }

  /** It was a consumer group, and the rebalance that made it a classic one has not come to its end. */
  get awaitsRebalance(): boolean {
    return this.#awaitsRebalance;
  }

  /** All members have joined again, and nobody is on the way in. */
  get hasAllJoined(): boolean {
    return this.#members.size === this.#awaitingJoinCount && this.pendingMembers.size === 0;
  }

  /** The longest that a member may take to join again. */
  get rebalanceTimeoutMs(): number {
    let longest = 0;
    for (const { rebalanceTimeoutMs } of this.#members.values()) {
      longest = Math.max(longest, rebalanceTimeoutMs);
    }
    return longest;
  }

  members(): IterableIterator<ClassicGroupMember> {
    return this.#members.values();
  }

  member(memberId: string): ClassicGroupMember | undefined {
    return this.#members.get(memberId);
  }

  staticMemberId(groupInstanceId: string): string | undefined {
    return this.#staticMembers.get(groupInstanceId);
  }

  isLeader(memberId: string): boolean {
    return this.#leaderId === memberId;
  }

  /** The member that a request names. Throws UNKNOWN_MEMBER_ID, or FENCED_INSTANCE_ID where another took its place. */
  validMember(memberId: string, groupInstanceId: string | null): ClassicGroupMember {
    if (groupInstanceId !== null) {
      const current = this.#staticMembers.get(groupInstanceId);
      if (current === undefined) throw new ProtocolError(Errors.UNKNOWN_MEMBER_ID);
      if (current !== memberId) throw new ProtocolError(Errors.FENCED_INSTANCE_ID);
    }
    const member = this.#members.get(memberId);
    if (member === undefined) throw new ProtocolError(Errors.UNKNOWN_MEMBER_ID);
    return member;
  }

  /** Whether a member with these protocols finds one here that all others know. An empty group takes any. */
  supports(protocolType: string, protocols: readonly MemberProtocol[]): boolean {
    if (this.#state === 'Empty') return protocolType !== '' && protocols.length > 0;
    if (this.#protocolType !== protocolType) return false;
    return protocols.some(({ name }) => (this.#protocolCounts.get(name) ?? 0) === this.#members.size);
  }

  add(member: ClassicGroupMember, protocolType: string): void {
    if (this.#members.size === 0) this.#protocolType = protocolType;
    this.pendingMembers.get(member.memberId)?.cancel();
    this.pendingMembers.delete(member.memberId);
    this.#insert(member);
    this.#leaderId ??= member.memberId;
  }

  #insert(member: ClassicGroupMember): void {
    assert(!this.#members.has(member.memberId), 'a member is added once');
    if (member.groupInstanceId !== null) this.#staticMembers.set(member.groupInstanceId, member.memberId);
    this.#members.set(member.memberId, member);
    this.#count(member, 1);
    if (member.awaitingJoin !== undefined) this.#awaitingJoinCount += 1;
  }

  /** Takes a member or a pending one out; the longest standing member leads where it was the leader. */
  remove(memberId: string): void {
    const member = this.#members.get(memberId);
    if (member !== undefined) {
      this.#members.delete(memberId);
      this.#count(member, -1);
      if (member.awaitingJoin !== undefined) this.#awaitingJoinCount -= 1;
      member.session?.cancel();
      if (member.groupInstanceId !== null) this.#staticMembers.delete(member.groupInstanceId);
    }
    if (this.#leaderId === memberId) this.#leaderId = this.#members.keys().next().value ?? null;
    this.pendingMembers.get(memberId)?.cancel();
    this.pendingMembers.delete(memberId);
    this.pendingSyncs.delete(memberId);
  }

  /** A static member came back under a new id, which takes over everything of the old one. */
  replaceStatic(old: ClassicGroupMember, newMemberId: string): ClassicGroupMember {
    const { groupInstanceId } = old;
    assert(groupInstanceId !== null, 'only static members are replaced');
    const wasLeader = this.#leaderId === old.memberId;
    const fresh = new ClassicGroupMember({ ...old, memberId: newMemberId });
    old.session?.cancel();
    this.#members.delete(old.memberId);
    this.#members.set(newMemberId, fresh);
    this.#staticMembers.set(groupInstanceId, newMemberId);
    this.pendingSyncs.delete(old.memberId);
    if (wasLeader) this.#leaderId = newMemberId;
    return fresh;
  }

  /** What a member says when it joins again. */
  update(
    member: ClassicGroupMember,
    protocols: readonly MemberProtocol[],
    rebalanceTimeoutMs: number,
    sessionTimeoutMs: number,
  ): void {
    this.#count(member, -1);
    member.protocols = protocols;
    this.#count(member, 1);
    member.rebalanceTimeoutMs = rebalanceTimeoutMs;
    member.sessionTimeoutMs = sessionTimeoutMs;
  }

  /** The member waits for its join to be answered, or no longer. */
  setAwaitingJoin(member: ClassicGroupMember, answer: ClassicGroupMember['awaitingJoin']): void {
    if (member.awaitingJoin === undefined && answer !== undefined) this.#awaitingJoinCount += 1;
    if (member.awaitingJoin !== undefined && answer === undefined) this.#awaitingJoinCount -= 1;
    member.awaitingJoin = answer;
  }

  /** Makes sure that a member which has joined again leads. False where none has. */
  electJoinedLeader(): boolean {
    if (this.#leaderId === null) return false;
    if (this.#members.get(this.#leaderId)?.awaitingJoin !== undefined) return true;
    for (const { memberId, awaitingJoin } of this.#members.values()) {
      if (awaitingJoin === undefined) continue;
      this.#leaderId = memberId;
      return true;
    }
    return false;
  }

  transitionTo(state: ClassicGroupState, nowMs: number): void {
    assert(BEFORE[state].includes(this.#state), `a group goes from ${this.#state} not to ${state}`);
    this.#previousState = this.#state;
    this.#state = state;
    this.#stateSinceMs = nowMs;
  }

  /** Every member votes for the first of its protocols that all know. The most votes win, then the first vote. */
  selectProtocol(): string | null {
    const candidates = new Set<string>();
    for (const [name, count] of this.#protocolCounts) if (count === this.#members.size) candidates.add(name);
    const votes = new Map<string, number>();
    for (const member of this.#members.values()) {
      const vote = member.voteFor(candidates);
      if (vote !== undefined) votes.set(vote, (votes.get(vote) ?? 0) + 1);
    }
    let winner: string | null = null;
    let most = 0;
    for (const [name, count] of votes) {
      if (count <= most) continue;
      winner = name;
      most = count;
    }
    return winner;
  }

  /** All who are here are the next generation. */
  nextGeneration(nowMs: number): void {
    this.#generationId += 1;
    this.#protocolName = this.#members.size === 0 ? null : this.selectProtocol();
    this.#subscribedTopics = this.#readSubscriptions();
    this.transitionTo(this.#members.size === 0 ? 'Empty' : 'CompletingRebalance', nowMs);
    this.pendingSyncs.clear();
  }

  /** Whether the members consume the topic. Consumers whose subscriptions can't be read are taken to want all. */
  isSubscribedTo(topic: string): boolean {
    return this.#subscribedTopics?.has(topic) ?? this.#protocolType === CONSUMER_PROTOCOL_TYPE;
  }

  /**
   * The time from which an offset's retention counts; undefined where it does not expire now: members are there and may
   * want it, or are just finding out.
   */
  expiryBaseMs(offset: OffsetAndMetadata): number | undefined {
    if (this.#protocolType === null) return offset.commitTimestampMs;
    if (this.#state === 'Empty') return this.#stateSinceMs ?? offset.commitTimestampMs;
    const knowsTopics = this.#protocolType === CONSUMER_PROTOCOL_TYPE && this.#subscribedTopics !== undefined;
    return knowsTopics && this.#state === 'Stable' ? offset.commitTimestampMs : undefined;
  }

  /** The group with these assignments by member id. */
  toRecord(assignments: ReadonlyMap<string, Uint8Array>): GroupRecord {
    return groupMetadataRecord(this.groupId, {
      protocolType: this.#protocolType ?? '',
      generation: this.#generationId,
      protocol: this.#protocolName,
      leader: this.#leaderId,
      currentStateTimestamp: BigInt(this.#stateSinceMs ?? -1),
      members: Array.from(this.#members.values(), (member) => ({
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeout: member.rebalanceTimeoutMs,
        sessionTimeout: member.sessionTimeoutMs,
        subscription: member.metadataFor(this.#protocolName),
        assignment: assignments.get(member.memberId) ?? member.assignment,
      })),
    });
  }

  /** The group as a consumer group left it, without a leader: who takes over begins the rebalance anew. */
  toRecordBeforeRebalance(): GroupRecord {
    const record = this.toRecord(new Map());
    if (record.type !== 'GroupMetadata' || record.value === null) return record;
    return { ...record, value: { ...record.value, leader: null } };
  }

  /** The group goes: none of its timers runs any more. */
  cancelTimers(): void {
    this.joinTimer?.cancel();
    this.syncTimer?.cancel();
    for (const timer of this.pendingMembers.values()) timer.cancel();
    for (const member of this.#members.values()) member.session?.cancel();
  }

  #count(member: ClassicGroupMember, change: 1 | -1): void {
    for (const { name } of member.protocols) {
      const count = (this.#protocolCounts.get(name) ?? 0) + change;
      if (count === 0) this.#protocolCounts.delete(name);
      else this.#protocolCounts.set(name, count);
    }
  }

  #readSubscriptions(): ReadonlySet<string> | undefined {
    if (this.#protocolType !== CONSUMER_PROTOCOL_TYPE) return undefined;
    const topics = new Set<string>();
    if (this.#members.size > 0 && this.#protocolName === null) return undefined;
    for (const member of this.#members.values()) {
      const subscribed = subscribedTopics(member.metadataFor(this.#protocolName));
      if (subscribed === undefined) return undefined;
      for (const topic of subscribed) topics.add(topic);
    }
    return topics;
  }
}

/** The topics in a subscription of a consumer; undefined where it is something else. */
function subscribedTopics(subscription: Uint8Array): readonly string[] | undefined {
  if (subscription.length < VERSION_BYTES) return undefined;
  try {
    const reader = new Reader(subscription, VERSION_BYTES);
    return decodeFrom(ConsumerProtocolSubscription, SUBSCRIPTION_VERSION, reader).topics;
  } catch {
    return undefined;
  }
}

function memberOf(member: GroupMetadataValue['members'][number], protocol: string): ClassicGroupMember {
  const { memberId, groupInstanceId, clientId, clientHost, assignment, sessionTimeout } = member;
  return new ClassicGroupMember({
    memberId,
    groupInstanceId,
    clientId,
    clientHost,
    sessionTimeoutMs: sessionTimeout,
    rebalanceTimeoutMs: member.rebalanceTimeout === -1 ? sessionTimeout : member.rebalanceTimeout,
    protocols: [{ name: protocol, metadata: member.subscription }],
    assignment,
  });
}
