import { keepShape } from '../../base/shape.ts';
import type { Uuid } from '../../base/uuid.ts';
import { Errors, ProtocolError } from '../../protocol/errors.ts';
import type { TopicPartitions } from './assignors/assignor.ts';
import {
  type ConsumerGroupMember,
  isReconciledTo,
  newMember,
  type PartitionEpochs,
} from './consumer-member.ts';
import { type ResolvedRegex, type ResolvedRegexes, topicsWantedBy, WantedTopics } from './wanted-topics.ts';

/** The states as Kafka's tools print them. */
export type ConsumerGroupState = 'Empty' | 'Assigning' | 'Reconciling' | 'Stable';

export const NO_TARGET: TopicPartitions = new Map();
/** Of a group that nobody has joined; the first member brings it to the next. */
const INITIAL_EPOCH = 1;
/** The record of the assignment epoch was taken away, which happens only when the group goes. */
const NO_ASSIGNMENT_EPOCH = -1;

/**
 * A group whose members get their partitions from the coordinator (KIP-848): the group epoch counts what the members
 * want, the assignment epoch the targets that were made of it, and every member moves to its target on its own. What
 * the log keeps is changed by its records alone; nothing else is.
 */
export class ConsumerGroup {
  static {
    keepShape(() => new ConsumerGroup(''));
  }

  readonly type = 'consumer';
  readonly groupId: string;
  #epoch = INITIAL_EPOCH;
  #metadataHash = 0n;
  #assignmentEpoch = INITIAL_EPOCH;
  #assignmentTimestampMs = 0;
  readonly #members = new Map<string, ConsumerGroupMember>();
  readonly #staticMembers = new Map<string, string>();
  readonly #target = new Map<string, TopicPartitions>();
  readonly #owners = new Map<Uuid, Map<number, string>>();
  readonly #regexes = new Map<string, ResolvedRegex>();
  readonly #wanted = new WantedTopics();
  #reconciledCount = 0;
  #classicCount = 0;
  /** Made when it is asked for. */
  #subscribedTopics: ReadonlySet<string> | undefined;

  /** A broker before 4.1 wrote what it knew of the topics: the next change takes that away. */
  hasPartitionMetadataRecord = false;
  /** Topics may have changed since the hash was made; so it is after a load. */
  needsMetadataRefresh = true;

  constructor(groupId: string) {
    this.groupId = groupId;
  }

  get state(): ConsumerGroupState {
    if (this.#members.size === 0) return 'Empty';
    if (this.#epoch > this.#assignmentEpoch) return 'Assigning';
    return this.#reconciledCount === this.#members.size ? 'Stable' : 'Reconciling';
  }

  get epoch(): number {
    return this.#epoch;
  }

  get metadataHash(): bigint {
    return this.#metadataHash;
  }

  get assignmentEpoch(): number {
    return this.#assignmentEpoch;
  }

  /** When the target was made; 0 where that is not known. */
  get assignmentTimestampMs(): number {
    return this.#assignmentTimestampMs;
  }

  get size(): number {
    return this.#members.size;
  }

  /** How many members speak the classic protocol. */
  get classicCount(): number {
    return this.#classicCount;
  }

  get members(): ReadonlyMap<string, ConsumerGroupMember> {
    return this.#members;
  }

  get target(): ReadonlyMap<string, TopicPartitions> {
    return this.#target;
  }

  /** What the regular expressions of the members matched last; without those that were not looked at yet. */
  get regexes(): ResolvedRegexes {
    return this.#regexes;
  }

  /** The member. Throws UNKNOWN_MEMBER_ID. */
  member(memberId: string): ConsumerGroupMember {
    const member = this.#members.get(memberId);
    if (member === undefined) throw unknownMember(memberId, this.groupId);
    return member;
  }

  staticMember(instanceId: string | null): ConsumerGroupMember | undefined {
    const memberId = instanceId === null ? undefined : this.#staticMembers.get(instanceId);
    return memberId === undefined ? undefined : this.#members.get(memberId);
  }

  targetOf(memberId: string): TopicPartitions {
    return this.#target.get(memberId) ?? NO_TARGET;
  }

  /** The member that holds the partition, also while it has to give it back. */
  ownerOf(topicId: Uuid, partition: number): string | undefined {
    return this.#owners.get(topicId)?.get(partition);
  }

  /** The regular expressions of the members, and how many have each. */
  get wantedRegexes(): ReadonlyMap<string, number> {
    return this.#wanted.regexes;
  }

  subscribersOf(regex: string): number {
    return this.#wanted.regexes.get(regex) ?? 0;
  }

  /** The names that the members want, by name or by regular expression. */
  get subscribedTopics(): ReadonlySet<string> {
    this.#subscribedTopics ??= this.#wanted.namesWithout([], this.#regexes);
    return this.#subscribedTopics;
  }

  /** The same once the regular expressions match this. */
  subscribedTopicsOnce(resolved: ResolvedRegexes): ReadonlySet<string> {
    return this.#wanted.namesWithout([], resolved);
  }

  /** The same once these members are gone. */
  subscribedTopicsWithout(leaving: readonly ConsumerGroupMember[]): ReadonlySet<string> {
    return this.#wanted.namesWithout(leaving, this.#regexes);
  }

  /** The same once a member, which may take the place of a static one, is like this. */
  subscribedTopicsWith(after: ConsumerGroupMember): ReadonlySet<string> {
    const before = this.#members.get(after.memberId);
    const replaced = this.staticMember(after.instanceId);
    if (before === undefined && replaced === undefined && this.#wanted.includes(after))
      return this.subscribedTopics;
    const leaving = before === undefined ? [] : [before];
    if (replaced !== undefined && replaced !== before) leaving.push(replaced);
    const topics = this.#wanted.namesWithout(leaving, this.#regexes);
    for (const topic of topicsWantedBy(after, this.#regexes)) topics.add(topic);
    return topics;
  }

  isSubscribedTo(topic: string): boolean {
    return this.subscribedTopics.has(topic);
  }

  /** Offsets of topics that nobody wants expire by themselves. */
  expiryBaseMs(offset: { readonly commitTimestampMs: number }): number {
    return offset.commitTimestampMs;
  }

  // What records change.

  setEpoch(epoch: number, metadataHash: bigint): void {
    this.#epoch = epoch;
    this.#metadataHash = metadataHash;
  }

  setAssignmentEpoch(epoch: number, timestampMs: number): void {
    this.#assignmentEpoch = epoch;
    this.#assignmentTimestampMs = timestampMs;
    this.#reconciledCount = 0;
    for (const member of this.#members.values())
      if (isReconciledTo(member, epoch)) this.#reconciledCount += 1;
  }

  clearAssignmentEpoch(): void {
    this.setAssignmentEpoch(NO_ASSIGNMENT_EPOCH, 0);
  }

  setTarget(memberId: string, partitions: TopicPartitions): void {
    this.#target.set(memberId, partitions);
  }

  removeTarget(memberId: string): void {
    this.#target.delete(memberId);
  }

  setRegex(regex: string, resolved: ResolvedRegex): void {
    this.#regexes.set(regex, resolved);
    this.#subscribedTopics = undefined;
  }

  removeRegex(regex: string): void {
    this.#regexes.delete(regex);
    this.#subscribedTopics = undefined;
  }

  /** Changes one member, which is new where it is not here. */
  updateMember(memberId: string, change: (member: ConsumerGroupMember) => ConsumerGroupMember): void {
    const before = this.#members.get(memberId);
    const after = change(before ?? newMember(memberId));
    if (before !== undefined) this.#uncount(before);
    this.#members.set(memberId, after);
    if (after.instanceId !== null) this.#staticMembers.set(after.instanceId, memberId);
    this.#own(after.assigned, memberId);
    this.#own(after.pendingRevocation, memberId);
    if (isReconciledTo(after, this.#assignmentEpoch)) this.#reconciledCount += 1;
    if (after.classic !== null) this.#classicCount += 1;
    if (before === undefined || !wantsTheSame(before, after)) {
      const isLess = before !== undefined && this.#wanted.remove(before);
      if (this.#wanted.add(after) || isLess) this.#subscribedTopics = undefined;
    }
  }

  removeMember(memberId: string): void {
    const member = this.#members.get(memberId);
    if (member === undefined) return;
    this.#members.delete(memberId);
    this.#uncount(member);
    if (this.#wanted.remove(member)) this.#subscribedTopics = undefined;
    const { instanceId } = member;
    if (instanceId !== null && this.#staticMembers.get(instanceId) === memberId)
      this.#staticMembers.delete(instanceId);
  }

  #uncount(member: ConsumerGroupMember): void {
    this.#disown(member.assigned, member.memberId);
    this.#disown(member.pendingRevocation, member.memberId);
    if (isReconciledTo(member, this.#assignmentEpoch)) this.#reconciledCount -= 1;
    if (member.classic !== null) this.#classicCount -= 1;
  }

  #own(assignment: PartitionEpochs, memberId: string): void {
    for (const [topicId, partitions] of assignment) {
      let owners = this.#owners.get(topicId);
      if (owners === undefined) {
        owners = new Map();
        this.#owners.set(topicId, owners);
      }
      for (const partition of partitions.keys()) owners.set(partition, memberId);
    }
  }

  #disown(assignment: PartitionEpochs, memberId: string): void {
    for (const [topicId, partitions] of assignment) {
      const owners = this.#owners.get(topicId);
      if (owners === undefined) continue;
      for (const partition of partitions.keys()) {
        if (owners.get(partition) === memberId) owners.delete(partition);
      }
      if (owners.size === 0) this.#owners.delete(topicId);
    }
  }
}

function wantsTheSame(one: ConsumerGroupMember, other: ConsumerGroupMember): boolean {
  const { subscribedTopicNames: names, subscribedTopicRegex: regex } = other;
  return one.subscribedTopicNames === names && one.subscribedTopicRegex === regex;
}

export function unknownMember(memberId: string, groupId: string): ProtocolError {
  return new ProtocolError(Errors.UNKNOWN_MEMBER_ID, `${memberId} is no member of group ${groupId}`);
}
