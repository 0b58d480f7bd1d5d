import { array, type Infer, int32, int64, message, string } from '../schema.ts';

/** The key of the epoch of a streams group (KIP-1071). */
export const StreamsGroupMetadataKey = message(
  { name: 'StreamsGroupMetadataKey', apiKey: 17, versions: [0, 0] },
  {
    groupId: string,
  },
);
export type StreamsGroupMetadataKey = Infer<typeof StreamsGroupMetadataKey>;

const lastAssignmentConfig = {
  key: string,
  value: string,
};

/** The epoch of a streams group and what it was made of. */
export const StreamsGroupMetadataValue = message(
  { name: 'StreamsGroupMetadataValue', apiKey: 17, versions: [0, 0], flexible: 0 },
  {
    epoch: int32,
    metadataHash: int64,
    validatedTopologyEpoch: int32.tagged(0, 0).default(-1),
    lastAssignmentConfigs: array(lastAssignmentConfig).nullable().tagged(1, 0),
    storedDescriptionTopologyEpoch: int32.tagged(2, 0).default(-1),
    failedDescriptionTopologyEpoch: int32.tagged(3, 0).default(-1),
  },
);
export type StreamsGroupMetadataValue = Infer<typeof StreamsGroupMetadataValue>;
