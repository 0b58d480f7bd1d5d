import type { Uuid } from '../../../base/uuid.ts';

/** Partitions by topic: ascending, each once, no topic without partitions. */
export type TopicPartitions = ReadonlyMap<Uuid, readonly number[]>;

export interface AssignorMember {
  readonly memberId: string;
  /** `group.instance.id`; null for a dynamic member. */
  readonly instanceId: string | null;
  /** What it subscribes to: topics that are there. */
  readonly topicIds: ReadonlySet<Uuid>;
  /** Its target up to now. */
  readonly assignment: TopicPartitions;
}

export interface GroupSpec {
  readonly members: readonly AssignorMember[];
  /** Whether all members subscribe to the same topics. */
  readonly isHomogeneous: boolean;
}

/** How many partitions a topic has; undefined where there is no such topic. */
export type PartitionCount = (topicId: Uuid) => number | undefined;

/** The target of every member; the very map that came in for a member that nothing changes for. */
export type GroupAssignment = ReadonlyMap<string, TopicPartitions>;

/**
 * Decides who consumes what in a consumer group (KIP-848). Pure: the same members, in the same order, with the same
 * subscriptions and targets get the same assignment, and what comes in is not changed. Racks don't count, as in Apache
 * Kafka 4.3.
 */
export interface Assignor {
  /** What members ask for it by, and `group.consumer.assignors` names it. */
  readonly name: string;
  /** Throws PartitionAssignorError where somebody subscribes to a topic that is not there. */
  assign(spec: GroupSpec, partitionCount: PartitionCount): GroupAssignment;
}

/** No assignment could be made. */
export class PartitionAssignorError extends Error {}

export function partitionsOf(topicId: Uuid, partitionCount: PartitionCount): number {
  const count = partitionCount(topicId);
  if (count === undefined)
    throw new PartitionAssignorError(`there is no topic ${topicId} that members subscribe to`);
  return count;
}

const NOTHING: TopicPartitions = new Map();

/** Nothing for anybody. */
export function assignNothing(members: readonly AssignorMember[]): GroupAssignment {
  return new Map(
    members.map(({ memberId, assignment }) => [memberId, assignment.size === 0 ? assignment : NOTHING]),
  );
}
