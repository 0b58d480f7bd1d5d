import { array, type Infer, int8, int32, message, string, uuid } from '../schema.ts';

/** The key of what a member has (KIP-932). */
export const ShareGroupCurrentMemberAssignmentKey = message(
  { name: 'ShareGroupCurrentMemberAssignmentKey', apiKey: 14, versions: [0, 0] },
  {
    groupId: string,
    memberId: string,
  },
);
export type ShareGroupCurrentMemberAssignmentKey = Infer<typeof ShareGroupCurrentMemberAssignmentKey>;

const topicPartitions = {
  topicId: uuid,
  partitions: array(int32),
};

/** The partitions that a member has. */
export const ShareGroupCurrentMemberAssignmentValue = message(
  { name: 'ShareGroupCurrentMemberAssignmentValue', apiKey: 14, versions: [0, 0], flexible: 0 },
  {
    memberEpoch: int32,
    previousMemberEpoch: int32,
    state: int8,
    assignedPartitions: array(topicPartitions),
  },
);
export type ShareGroupCurrentMemberAssignmentValue = Infer<typeof ShareGroupCurrentMemberAssignmentValue>;
