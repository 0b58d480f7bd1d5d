import type { Uuid } from '../../../base/uuid.ts';
import {
  type AssignorMember,
  assignNothing,
  type GroupAssignment,
  type PartitionCount,
  partitionsOf,
} from './assignor.ts';
import { PartitionOwners } from './partition-owners.ts';

interface TopicPartition {
  readonly topicId: Uuid;
  readonly partition: number;
}

/**
 * The uniform assignment where all members subscribe to the same topics: nobody has two partitions more than somebody
 * else, and as many as can stay where they are. Takes time in proportion to partitions and members.
 */
export function assignHomogeneous(
  members: readonly AssignorMember[],
  partitionCount: PartitionCount,
): GroupAssignment {
  const topicIds = members[0]?.topicIds;
  if (topicIds === undefined || topicIds.size === 0) return assignNothing(members);
  const counts = new Map<Uuid, number>();
  let total = 0;
  for (const topicId of topicIds) {
    const count = partitionsOf(topicId, partitionCount);
    counts.set(topicId, count);
    total += count;
  }
  const owners = new PartitionOwners(members, counts);
  const free = freePartitions(owners, counts);
  const wanting = takeFromRich(members, owners, free, total);
  let next = 0;
  for (const { member, quota } of wanting) {
    const end = Math.min(next + quota, free.length);
    for (; next < end; next++) owners.set(free[next]!.topicId, free[next]!.partition, member);
  }
  return owners.toAssignment();
}

function freePartitions(owners: PartitionOwners, counts: ReadonlyMap<Uuid, number>): TopicPartition[] {
  const free: TopicPartition[] = [];
  for (const topicId of counts.keys()) {
    owners.of(topicId).forEach((owner, partition) => {
      if (owner === PartitionOwners.NOBODY) free.push({ topicId, partition });
    });
  }
  return free;
}

/**
 * Frees what members have beyond their quota, and tells who has room for how many. Those that have one more than the
 * others are the first that had it already, or else the last ones.
 */
function takeFromRich(
  members: readonly AssignorMember[],
  owners: PartitionOwners,
  free: TopicPartition[],
  total: number,
): readonly { readonly member: number; readonly quota: number }[] {
  const minimum = Math.floor(total / members.length);
  let extras = total % members.length;
  const wanting: { member: number; quota: number }[] = [];
  members.forEach(({ topicIds, assignment }, member) => {
    let mayHaveExtra = extras > 0;
    let quota = minimum + (mayHaveExtra ? 1 : 0);
    for (const [topicId, partitions] of assignment) {
      if (!topicIds.has(topicId)) continue;
      const ofTopic = owners.of(topicId);
      for (const partition of partitions) {
        if (ofTopic[partition] !== member) continue;
        if (quota > 0) {
          quota--;
          continue;
        }
        owners.set(topicId, partition, PartitionOwners.NOBODY);
        free.push({ topicId, partition });
      }
    }
    if (quota > 0 && mayHaveExtra && members.length - member > extras) {
      quota--;
      mayHaveExtra = false;
    }
    if (mayHaveExtra) extras--;
    if (quota > 0) wanting.push({ member, quota });
  });
  return wanting;
}
