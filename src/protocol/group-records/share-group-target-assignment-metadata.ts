import { type Infer, int32, int64, message, string } from '../schema.ts';

/** The key of the epoch of a target assignment (KIP-932). */
export const ShareGroupTargetAssignmentMetadataKey = message(
  { name: 'ShareGroupTargetAssignmentMetadataKey', apiKey: 12, versions: [0, 0] },
  {
    groupId: string,
  },
);
export type ShareGroupTargetAssignmentMetadataKey = Infer<typeof ShareGroupTargetAssignmentMetadataKey>;

/** The group epoch that the target assignment was made for, and when (KIP-1263). */
export const ShareGroupTargetAssignmentMetadataValue = message(
  { name: 'ShareGroupTargetAssignmentMetadataValue', apiKey: 12, versions: [0, 0], flexible: 0 },
  {
    assignmentEpoch: int32,
    assignmentTimestamp: int64.tagged(0, 0).ignorable(),
  },
);
export type ShareGroupTargetAssignmentMetadataValue = Infer<typeof ShareGroupTargetAssignmentMetadataValue>;
