import { type Infer, int32, int64, message, string } from '../schema.ts';

/** The key of the epoch of a consumer group (KIP-848). */
export const ConsumerGroupMetadataKey = message(
  { name: 'ConsumerGroupMetadataKey', apiKey: 3, versions: [0, 0] },
  {
    groupId: string,
  },
);
export type ConsumerGroupMetadataKey = Infer<typeof ConsumerGroupMetadataKey>;

/** The epoch of a consumer group, and what its topics looked like then (KIP-1101). */
export const ConsumerGroupMetadataValue = message(
  { name: 'ConsumerGroupMetadataValue', apiKey: 3, versions: [0, 0], flexible: 0 },
  {
    epoch: int32,
    metadataHash: int64.tagged(0, 0),
  },
);
export type ConsumerGroupMetadataValue = Infer<typeof ConsumerGroupMetadataValue>;
