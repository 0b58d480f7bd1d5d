import { array, type Infer, int16, int32, int64, message, string } from '../schema.ts';

/** The state of transactions by transactional id (KIP-664). */
export const DescribeTransactionsRequest = message(
  { name: 'DescribeTransactionsRequest', apiKey: 65, versions: [0, 0], flexible: 0 },
  {
    transactionalIds: array(string),
  },
);
export type DescribeTransactionsRequest = Infer<typeof DescribeTransactionsRequest>;

/** State, age and partitions of each transaction. */
export const DescribeTransactionsResponse = message(
  { name: 'DescribeTransactionsResponse', apiKey: 65, versions: [0, 0], flexible: 0 },
  {
    throttleTimeMs: int32,
    transactionStates: array({
      errorCode: int16,
      transactionalId: string,
      transactionState: string,
      transactionTimeoutMs: int32,
      transactionStartTimeMs: int64,
      producerId: int64,
      producerEpoch: int16,
      topics: array({
        topic: string,
        partitions: array(int32),
      }),
    }),
  },
);
export type DescribeTransactionsResponse = Infer<typeof DescribeTransactionsResponse>;
