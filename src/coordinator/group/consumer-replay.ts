import type { Uuid } from '../../base/uuid.ts';
import type { ConsumerGroup } from './consumer-group.ts';
import { withAssignment, withoutAssignment, withSubscription } from './consumer-member.ts';
import type { ConsumerGroupRecord } from './consumer-records.ts';
import type { ResolvedRegex } from './wanted-topics.ts';

/** Where replay finds groups. */
export interface ConsumerGroups {
  /** The consumer group, made where it is not there. */
  orNew(groupId: string): ConsumerGroup;
  get(groupId: string): ConsumerGroup | undefined;
  delete(groupId: string): void;
}

/** What a record says. Tombstones for what is not there say nothing: compaction may have left only them. */
export function replayConsumerGroup(groups: ConsumerGroups, record: ConsumerGroupRecord): void {
  const { groupId } = record.key;
  const group = record.value === null ? groups.get(groupId) : groups.orNew(groupId);
  if (group === undefined) return;
  switch (record.type) {
    case 'ConsumerGroupMetadata':
      if (record.value !== null) group.setEpoch(record.value.epoch, record.value.metadataHash);
      else groups.delete(groupId);
      return;
    case 'ConsumerGroupPartitionMetadata':
      group.hasPartitionMetadataRecord = record.value !== null;
      return;
    case 'ConsumerGroupMemberMetadata': {
      const { value } = record;
      const { memberId } = record.key;
      if (value === null) group.removeMember(memberId);
      else group.updateMember(memberId, (member) => withSubscription(member, value));
      return;
    }
    case 'ConsumerGroupTargetAssignmentMetadata':
      if (record.value === null) group.clearAssignmentEpoch();
      else group.setAssignmentEpoch(record.value.assignmentEpoch, Number(record.value.assignmentTimestamp));
      return;
    case 'ConsumerGroupTargetAssignmentMember':
      if (record.value === null) group.removeTarget(record.key.memberId);
      else group.setTarget(record.key.memberId, targetOf(record.value.topicPartitions));
      return;
    case 'ConsumerGroupCurrentMemberAssignment': {
      const { value } = record;
      const { memberId } = record.key;
      if (value !== null) group.updateMember(memberId, (member) => withAssignment(member, value));
      else if (group.members.has(memberId)) group.updateMember(memberId, withoutAssignment);
      return;
    }
    case 'ConsumerGroupRegularExpression':
      if (record.value === null) group.removeRegex(record.key.regularExpression);
      else group.setRegex(record.key.regularExpression, resolvedOf(record.value));
      return;
  }
}

function targetOf(
  topics: readonly { readonly topicId: Uuid; readonly partitions: readonly number[] }[],
): ReadonlyMap<Uuid, readonly number[]> {
  return new Map(
    topics.map(({ topicId, partitions }) => [topicId, [...partitions].sort((a, b) => a - b)] as const),
  );
}

function resolvedOf(value: {
  readonly topics: readonly string[];
  readonly version: number;
  readonly timestamp: bigint;
}): ResolvedRegex {
  const { topics, version, timestamp } = value;
  return { topics: new Set(topics), version, timestampMs: Number(timestamp) };
}
