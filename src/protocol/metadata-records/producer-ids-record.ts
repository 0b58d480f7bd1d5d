import { type Infer, int32, int64, message, offset } from '../schema.ts';

/** A block of producer ids was handed out. */
export const ProducerIdsRecord = message(
  { name: 'ProducerIdsRecord', apiKey: 15, versions: [0, 0], flexible: 0 },
  {
    brokerId: int32,
    brokerEpoch: offset.default(-1),
    // The first id after the block.
    nextProducerId: int64,
  },
);
export type ProducerIdsRecord = Infer<typeof ProducerIdsRecord>;
