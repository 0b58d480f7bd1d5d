import { array, bool, type Infer, int8, int16, int32, int64, message, string } from '../schema.ts';

/**
 * From the transaction coordinator: end transactions in partitions (KIP-98). v2 says for which
 * transaction version (KIP-1228).
 */
export const WriteTxnMarkersRequest = message(
  { name: 'WriteTxnMarkersRequest', apiKey: 27, versions: [0, 2], flexible: 1 },
  {
    markers: array({
      producerId: int64,
      producerEpoch: int16,
      transactionResult: bool,
      topics: array({
        name: string,
        partitionIndexes: array(int32),
      }),
      coordinatorEpoch: int32,
      transactionVersion: int8.since(2).ignorable(),
    }),
  },
);
export type WriteTxnMarkersRequest = Infer<typeof WriteTxnMarkersRequest>;

/** One result for each partition. */
export const WriteTxnMarkersResponse = message(
  { name: 'WriteTxnMarkersResponse', apiKey: 27, versions: [0, 2], flexible: 1 },
  {
    markers: array({
      producerId: int64,
      topics: array({
        name: string,
        partitions: array({
          partitionIndex: int32,
          errorCode: int16,
        }),
      }),
    }),
  },
);
export type WriteTxnMarkersResponse = Infer<typeof WriteTxnMarkersResponse>;
