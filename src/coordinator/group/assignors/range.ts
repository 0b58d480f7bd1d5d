import type { Uuid } from '../../../base/uuid.ts';
import {
  type Assignor,
  type AssignorMember,
  type PartitionCount,
  partitionsOf,
  type TopicPartitions,
} from './assignor.ts';

/** What is left of a topic for the members that come later. */
class TopicRanges {
  readonly topicId: Uuid;
  readonly #partitionCount: number;
  readonly #quota: number;
  #extras: number;
  #next = 0;

  constructor(topicId: Uuid, partitionCount: number, subscriberCount: number) {
    this.topicId = topicId;
    this.#partitionCount = partitionCount;
    this.#quota = Math.floor(partitionCount / subscriberCount);
    this.#extras = partitionCount % subscriberCount;
  }

  /** Adds the next subscriber's part, if there is any left. */
  giveTo(assignment: Map<Uuid, number[]>): void {
    if (this.#next === this.#partitionCount) return;
    const size = this.#quota + (this.#extras > 0 ? 1 : 0);
    if (this.#extras > 0) this.#extras--;
    const partitions: number[] = [];
    for (let i = 0; i < size; i++) partitions.push(this.#next++);
    assignment.set(this.topicId, partitions);
  }
}

/**
 * Gives each subscriber of a topic a run of neighbouring partitions, topic by topic, in the same order of members: who
 * subscribes to topics of one size gets the same partitions of each, as joins of streams need it. Static members come
 * first, by instance id, so that one that is started again gets what it had.
 */
export const rangeAssignor: Assignor = {
  name: 'range',
  assign({ members, isHomogeneous }, partitionCount) {
    const ordered = [...members].sort(compareMembers);
    const topics = topicRanges(ordered, isHomogeneous, partitionCount);
    const all = [...topics.values()];
    const made = new Map<string, TopicPartitions>();
    for (const { memberId, topicIds, assignment } of ordered) {
      const ranges = new Map<Uuid, number[]>();
      if (isHomogeneous) for (const topic of all) topic.giveTo(ranges);
      else for (const topicId of topicIds) topics.get(topicId)!.giveTo(ranges);
      made.set(memberId, isSame(assignment, ranges) ? assignment : ranges);
    }
    return made;
  },
};

function topicRanges(
  members: readonly AssignorMember[],
  isHomogeneous: boolean,
  partitionCount: PartitionCount,
): ReadonlyMap<Uuid, TopicRanges> {
  const subscribers = new Map<Uuid, number>();
  const first = isHomogeneous ? members.slice(0, 1) : members;
  for (const { topicIds } of first) {
    for (const topicId of topicIds) subscribers.set(topicId, (subscribers.get(topicId) ?? 0) + 1);
  }
  const topics = new Map<Uuid, TopicRanges>();
  for (const [topicId, count] of subscribers) {
    const subscriberCount = isHomogeneous ? members.length : count;
    topics.set(topicId, new TopicRanges(topicId, partitionsOf(topicId, partitionCount), subscriberCount));
  }
  return topics;
}

function compareMembers(a: AssignorMember, b: AssignorMember): number {
  if (a.instanceId !== null && b.instanceId !== null) return compareText(a.instanceId, b.instanceId);
  if (a.instanceId !== null || b.instanceId !== null) return a.instanceId !== null ? -1 : 1;
  return compareText(a.memberId, b.memberId);
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function isSame(before: TopicPartitions, after: TopicPartitions): boolean {
  if (before.size !== after.size) return false;
  for (const [topicId, partitions] of after) {
    const had = before.get(topicId);
    if (had === undefined || had.length !== partitions.length) return false;
    // Both are ascending, and what was made is a run.
    if (had[0] !== partitions[0] || had.at(-1) !== partitions.at(-1)) return false;
  }
  return true;
}
