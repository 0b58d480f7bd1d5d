import { type Infer, int32, int64, message, string } from '../schema.ts';

/** The key of the epoch of a share group (KIP-932). */
export const ShareGroupMetadataKey = message(
  { name: 'ShareGroupMetadataKey', apiKey: 11, versions: [0, 0] },
  {
    groupId: string,
  },
);
export type ShareGroupMetadataKey = Infer<typeof ShareGroupMetadataKey>;

/** The epoch of a share group, and what its topics looked like then (KIP-1101). */
export const ShareGroupMetadataValue = message(
  { name: 'ShareGroupMetadataValue', apiKey: 11, versions: [0, 0], flexible: 0 },
  {
    epoch: int32,
    metadataHash: int64,
  },
);
export type ShareGroupMetadataValue = Infer<typeof ShareGroupMetadataValue>;
