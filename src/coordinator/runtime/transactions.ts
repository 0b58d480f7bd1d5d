import type { TransactionalAppend } from '../../log/index.ts';
import type { TransactionResult } from './shard.ts';

/** Whose transaction records are part of. */
export interface TransactionalWrite {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** Undefined where nothing is to be verified. */
  readonly transaction: TransactionalAppend | undefined;
}

/** The end of a producer's transaction in a coordinator's partition. */
export interface TransactionCompletion {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** Of the transaction coordinator. */
  readonly coordinatorEpoch: number;
  readonly result: TransactionResult;
  readonly transactionVersion: number;
}
