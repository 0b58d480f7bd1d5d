/** Where a transactional id stands, by the name that ListTransactions and DescribeTransactions show. */
export type TransactionState =
  | 'Empty'
  | 'Ongoing'
  | 'PrepareCommit'
  | 'PrepareAbort'
  | 'CompleteCommit'
  | 'CompleteAbort'
  | 'Dead'
  | 'PrepareEpochFence';

/**
 * In the order of their ids in `__transaction_state`. The last two are never written: an expired id is a tombstone, and
 * fencing goes to PrepareAbort in one step.
 */
const STATES: readonly TransactionState[] = [
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
  'Dead',
  'PrepareEpochFence',
];

export function transactionStateOf(id: number): TransactionState | undefined {
  return STATES[id];
}

export function transactionStateId(state: TransactionState): number {
  return STATES.indexOf(state);
}

export function isTransactionState(name: string): name is TransactionState {
  return STATES.some((state) => state === name);
}

/** The transaction's end is decided, and its markers may not be in all partitions yet. */
export function isPrepared(state: TransactionState): boolean {
  return state === 'PrepareCommit' || state === 'PrepareAbort';
}

/** No transaction is open or ending. */
export function isAtRest(state: TransactionState): boolean {
  return state === 'Empty' || state === 'CompleteCommit' || state === 'CompleteAbort';
}
