import { array, type Infer, int8, int16, int32, int64, message, string } from '../schema.ts';

/** The key of all records in __transaction_state (KIP-98). */
export const TransactionLogKey = message(
  { name: 'TransactionLogKey', apiKey: 0, versions: [0, 0] },
  {
    transactionalId: string,
  },
);
export type TransactionLogKey = Infer<typeof TransactionLogKey>;

/**
 * Where a transaction stands. Client versions and the next producer id are tagged fields (KIP-890,
 * KIP-939).
 */
export const TransactionLogValue = message(
  { name: 'TransactionLogValue', apiKey: 0, versions: [0, 1], flexible: 1 },
  {
    producerId: int64,
    previousProducerId: int64.tagged(0, 1).default(-1n),
    nextProducerId: int64.tagged(1, 1).default(-1n),
    producerEpoch: int16,
    nextProducerEpoch: int16.tagged(3, 1).default(-1),
    transactionTimeoutMs: int32,
    transactionStatus: int8,
    transactionPartitions: array({
      topic: string,
      partitionIds: array(int32),
    }).nullable(),
    transactionLastUpdateTimestampMs: int64,
    transactionStartTimestampMs: int64,
    clientTransactionVersion: int16.tagged(2, 1),
  },
);
export type TransactionLogValue = Infer<typeof TransactionLogValue>;
