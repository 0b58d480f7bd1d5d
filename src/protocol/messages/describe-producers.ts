import { array, type Infer, int16, int32, int64, message, offset, string } from '../schema.ts';

/** Which producers are active in partitions (KIP-664). */
export const DescribeProducersRequest = message(
  { name: 'DescribeProducersRequest', apiKey: 61, versions: [0, 0], flexible: 0 },
  {
    topics: array({
      name: string,
      partitionIndexes: array(int32),
    }),
  },
);
export type DescribeProducersRequest = Infer<typeof DescribeProducersRequest>;

/** The state of each producer, and where its open transaction began. */
export const DescribeProducersResponse = message(
  { name: 'DescribeProducersResponse', apiKey: 61, versions: [0, 0], flexible: 0 },
  {
    throttleTimeMs: int32,
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        errorMessage: string.nullable().default(null),
        activeProducers: array({
          producerId: int64,
          producerEpoch: int32,
          lastSequence: int32.default(-1),
          lastTimestamp: int64.default(-1n),
          coordinatorEpoch: int32,
          currentTxnStartOffset: offset.default(-1),
        }),
      }),
    }),
  },
);
export type DescribeProducersResponse = Infer<typeof DescribeProducersResponse>;
