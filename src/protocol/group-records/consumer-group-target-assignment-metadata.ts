import { type Infer, int32, int64, message, string } from '../schema.ts';

/** The key of the epoch of a target assignment (KIP-848). */
export const ConsumerGroupTargetAssignmentMetadataKey = message(
  { name: 'ConsumerGroupTargetAssignmentMetadataKey', apiKey: 6, versions: [0, 0] },
  {
    groupId: string,
  },
);
export type ConsumerGroupTargetAssignmentMetadataKey = Infer<typeof ConsumerGroupTargetAssignmentMetadataKey>;

/** The group epoch that the target assignment was made for, and when (KIP-1263). */
export const ConsumerGroupTargetAssignmentMetadataValue = message(
  { name: 'ConsumerGroupTargetAssignmentMetadataValue', apiKey: 6, versions: [0, 0], flexible: 0 },
  {
    assignmentEpoch: int32,
    assignmentTimestamp: int64.tagged(0, 0).ignorable(),
  },
);
export type ConsumerGroupTargetAssignmentMetadataValue = Infer<
  typeof ConsumerGroupTargetAssignmentMetadataValue
>;
