import { type Infer, int32, int64, message, string } from '../schema.ts';

/** The key of the epoch of a target assignment (KIP-1071). */
export const StreamsGroupTargetAssignmentMetadataKey = message(
  { name: 'StreamsGroupTargetAssignmentMetadataKey', apiKey: 20, versions: [0, 0] },
  {
    groupId: string,
  },
);
export type StreamsGroupTargetAssignmentMetadataKey = Infer<typeof StreamsGroupTargetAssignmentMetadataKey>;

/** The group epoch that the target assignment was made for, and when (KIP-1263). */
export const StreamsGroupTargetAssignmentMetadataValue = message(
  { name: 'StreamsGroupTargetAssignmentMetadataValue', apiKey: 20, versions: [0, 0], flexible: 0 },
  {
    assignmentEpoch: int32,
    assignmentTimestamp: int64.tagged(0, 0).ignorable(),
  },
);
export type StreamsGroupTargetAssignmentMetadataValue = Infer<
  typeof StreamsGroupTargetAssignmentMetadataValue
>;
