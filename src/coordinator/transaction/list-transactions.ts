import { Errors } from '../../protocol/errors.ts';
import type { DescribeTransactionsResponse } from '../../protocol/messages/describe-transactions.ts';
import type {
  ListTransactionsRequest,
  ListTransactionsResponse,
} from '../../protocol/messages/list-transactions.ts';
import { TopicPattern } from '../group/regex/topic-pattern.ts';
import type { TransactionMetadata } from './transaction-metadata.ts';
import { isTransactionState } from './transaction-state.ts';

export type ListedTransaction = ListTransactionsResponse['transactionStates'][number];
export type DescribedTransaction = DescribeTransactionsResponse['transactionStates'][number];

/** What ListTransactions asks for (KIP-664, KIP-994, KIP-1152). */
export class TransactionFilter {
  /** Names that are no state: told to the client, and matching nothing. */
  readonly unknownStates: readonly string[];
  readonly #states: ReadonlySet<string> | undefined;
  readonly #producerIds: ReadonlySet<bigint> | undefined;
  readonly #durationMs: number;
  readonly #pattern: TopicPattern | undefined;

  /** Throws INVALID_REGULAR_EXPRESSION. */
  constructor(request: ListTransactionsRequest) {
    const { stateFilters, producerIdFilters, durationFilter, transactionalIdPattern } = request;
    this.unknownStates = [...new Set(stateFilters)].filter((name) => !isTransactionState(name));
    this.#states = stateFilters.length > 0 ? new Set(stateFilters) : undefined;
    this.#producerIds = producerIdFilters.length > 0 ? new Set(producerIdFilters) : undefined;
    this.#durationMs = Number(durationFilter);
    // In RE2's syntax instead of Java's: the time is in proportion to the id, whatever the pattern.
    this.#pattern = transactionalIdPattern ? new TopicPattern(transactionalIdPattern) : undefined;
  }

  matches(transactionalId: string, metadata: TransactionMetadata, nowMs: number): boolean {
    if (this.#producerIds?.has(metadata.producerId) === false) return false;
    if (this.#states?.has(metadata.state) === false) return false;
    if (this.#durationMs >= 0 && nowMs - metadata.startMs <= this.#durationMs) return false;
    return this.#pattern?.matches(transactionalId) !== false;
  }
}

export function listedTransaction(transactionalId: string, metadata: TransactionMetadata): ListedTransaction {
  return { transactionalId, producerId: metadata.producerId, transactionState: metadata.state };
}

export function describedTransaction(
  transactionalId: string,
  metadata: TransactionMetadata,
): DescribedTransaction {
  return {
    errorCode: Errors.NONE,
    transactionalId,
    transactionState: metadata.state,
    transactionTimeoutMs: metadata.timeoutMs,
    transactionStartTimeMs: BigInt(metadata.startMs),
    producerId: metadata.producerId,
    producerEpoch: metadata.producerEpoch,
    topics: Array.from(metadata.partitions, ([topic, partitions]) => ({
      topic,
      partitions: [...partitions],
    })),
  };
}

export function undescribedTransaction(transactionalId: string, errorCode: number): DescribedTransaction {
  return {
    errorCode,
    transactionalId,
    transactionState: '',
    transactionTimeoutMs: 0,
    transactionStartTimeMs: 0n,
    producerId: 0n,
    producerEpoch: 0,
    topics: [],
  };
}
