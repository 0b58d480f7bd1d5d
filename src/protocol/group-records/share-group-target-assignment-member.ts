import { array, type Infer, int32, message, string, uuid } from '../schema.ts';

/** The key of what a member shall get (KIP-932). */
export const ShareGroupTargetAssignmentMemberKey = message(
  { name: 'ShareGroupTargetAssignmentMemberKey', apiKey: 13, versions: [0, 0] },
  {
    groupId: string,
    memberId: string,
  },
);
export type ShareGroupTargetAssignmentMemberKey = Infer<typeof ShareGroupTargetAssignmentMemberKey>;

/** The partitions that a member shall get. */
export const ShareGroupTargetAssignmentMemberValue = message(
  { name: 'ShareGroupTargetAssignmentMemberValue', apiKey: 13, versions: [0, 0], flexible: 0 },
  {
    topicPartitions: array({
      topicId: uuid,
      partitions: array(int32),
    }),
  },
);
export type ShareGroupTargetAssignmentMemberValue = Infer<typeof ShareGroupTargetAssignmentMemberValue>;
