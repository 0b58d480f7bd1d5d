import { array, type Infer, int8, int32, message, string, uuid } from '../schema.ts';

/** The key of what a member has (KIP-848). */
export const ConsumerGroupCurrentMemberAssignmentKey = message(
  { name: 'ConsumerGroupCurrentMemberAssignmentKey', apiKey: 8, versions: [0, 0] },
  {
    groupId: string,
    memberId: string,
  },
);
export type ConsumerGroupCurrentMemberAssignmentKey = Infer<typeof ConsumerGroupCurrentMemberAssignmentKey>;

const topicPartitions = {
  topicId: uuid,
  partitions: array(int32),
  assignmentEpochs: array(int32).nullable().tagged(0, 0),
};

/** The partitions that a member has and those that it must give back first. */
export const ConsumerGroupCurrentMemberAssignmentValue = message(
  { name: 'ConsumerGroupCurrentMemberAssignmentValue', apiKey: 8, versions: [0, 0], flexible: 0 },
  {
    memberEpoch: int32,
    previousMemberEpoch: int32,
    state: int8,
    assignedPartitions: array(topicPartitions),
    partitionsPendingRevocation: array(topicPartitions),
  },
);
export type ConsumerGroupCurrentMemberAssignmentValue = Infer<
  typeof ConsumerGroupCurrentMemberAssignmentValue
>;
