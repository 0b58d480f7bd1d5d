import { array, type Infer, int32, message, string, uuid } from '../schema.ts';

/** The key of what a member shall get (KIP-848). */
export const ConsumerGroupTargetAssignmentMemberKey = message(
  { name: 'ConsumerGroupTargetAssignmentMemberKey', apiKey: 7, versions: [0, 0] },
  {
    groupId: string,
    memberId: string,
  },
);
export type ConsumerGroupTargetAssignmentMemberKey = Infer<typeof ConsumerGroupTargetAssignmentMemberKey>;

/** The partitions that a member shall get. */
export const ConsumerGroupTargetAssignmentMemberValue = message(
  { name: 'ConsumerGroupTargetAssignmentMemberValue', apiKey: 7, versions: [0, 0], flexible: 0 },
  {
    topicPartitions: array({
      topicId: uuid,
      partitions: array(int32),
    }),
  },
);
export type ConsumerGroupTargetAssignmentMemberValue = Infer<typeof ConsumerGroupTargetAssignmentMemberValue>;
