import type { CoordinatorRecordTypes } from '../coordinator-record.ts';
import { TransactionLogKey, TransactionLogValue } from './transaction-log.ts';

/** Every record of `__transaction_state`. */
export const transactionRecordTypes: CoordinatorRecordTypes = new Map(
  [{ key: TransactionLogKey, value: TransactionLogValue }].map((one) => [one.key.apiKey, one]),
);
