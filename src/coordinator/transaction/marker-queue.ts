import { added } from '../../base/lists.ts';
import type { Logger, Timer, Timers } from '../../base/ports.ts';
import { type ErrorCode, Errors } from '../../protocol/errors.ts';
import type {
  WriteTxnMarkersRequest,
  WriteTxnMarkersResponse,
} from '../../protocol/messages/write-txn-markers.ts';
import type { TransactionMetadata, TransactionPartitions } from './transaction-metadata.ts';

type Marker = WriteTxnMarkersRequest['markers'][number];
type MarkerResult = WriteTxnMarkersResponse['markers'][number];

/** Writes the markers that end transactions into their partitions. */
export interface MarkerWriter {
  /** `done` runs once, with a result for each partition of each marker. */
  write(markers: readonly Marker[], done: (results: readonly MarkerResult[]) => void): void;
}

export interface MarkerQueueOptions {
  readonly writer: MarkerWriter;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly coordinatorEpoch: () => number;
  /** False for a partition that was deleted: it needs no marker. */
  readonly isPartitionThere: (topic: string, partition: number) => boolean;
  /** All partitions have their markers. */
  readonly onWritten: (transactionalId: string, prepared: TransactionMetadata) => void;
}

/** Wait before a marker is tried again that its partition could not take. */
const RETRY_MS = 50;

const NO_TOPICS: Marker['topics'] = [];

interface Pending {
  readonly transactionalId: string;
  readonly prepared: TransactionMetadata;
  /** Partitions that have no marker yet. */
  remaining: TransactionPartitions;
}

/**
 * The transactions of one shard whose end is decided and committed, until all their partitions have markers. At most
 * one for each transactional id; tried again as long as the shard is led here, so that each transaction ends.
 */
export class MarkerQueue {
  readonly #options: MarkerQueueOptions;
  readonly #waiting = new Set<Pending>();
  #retry: Timer | undefined;
  #closed = false;

  constructor(options: MarkerQueueOptions) {
    this.#options = options;
  }

  /** For a transaction in PrepareCommit or PrepareAbort. */
  send(transactionalId: string, prepared: TransactionMetadata): void {
    this.#write({ transactionalId, prepared, remaining: prepared.partitions });
  }

  /** The shard is gone: whoever leads it next begins again. */
  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#waiting.clear();
  }

  #write(pending: Pending): void {
    const topics = this.#topicsOf(pending.remaining);
    if (topics.length === 0) this.#finish(pending);
    else {
      const marker = this.#marker(pending.prepared, topics);
      this.#options.writer.write([marker], (results) => this.#written(pending, results));
    }
  }

  /** Those that are still there. */
  #topicsOf(remaining: TransactionPartitions): Marker['topics'] {
    let topics: { name: string; partitionIndexes: number[] }[] | undefined;
    for (const [name, partitions] of remaining) {
      let partitionIndexes: number[] | undefined;
      for (const partition of partitions) {
        if (this.#options.isPartitionThere(name, partition))
          partitionIndexes = added(partitionIndexes, partition);
      }
      if (partitionIndexes !== undefined) topics = added(topics, { name, partitionIndexes });
    }
    return topics ?? NO_TOPICS;
  }

  #marker(prepared: TransactionMetadata, topics: Marker['topics']): Marker {
    return {
      producerId: prepared.producerId,
      producerEpoch: prepared.producerEpoch,
      transactionResult: prepared.state === 'PrepareCommit',
      topics,
      coordinatorEpoch: this.#options.coordinatorEpoch(),
      transactionVersion: prepared.clientTransactionVersion,
    };
  }

  #written(pending: Pending, results: readonly MarkerResult[]): void {
    if (this.#closed) return;
    let remaining: Map<string, Set<number>> | undefined;
    for (const { topics } of results) {
      for (const { name, partitions } of topics) {
        for (const { partitionIndex, errorCode } of partitions) {
          if (errorCode === Errors.NONE) continue;
          const outcome = outcomeOf(errorCode as ErrorCode);
          if (outcome !== 'retry') this.#warn(outcome, pending, name, partitionIndex, errorCode);
          // A newer coordinator ends this transaction.
          if (outcome === 'fenced') return;
          if (outcome === 'impossible') continue;
          remaining ??= new Map();
          const known = remaining.get(name);
          if (known === undefined) remaining.set(name, new Set([partitionIndex]));
          else known.add(partitionIndex);
        }
      }
    }
    if (remaining === undefined) this.#finish(pending);
    else {
      pending.remaining = remaining;
      this.#tryAgainLater(pending);
    }
  }

  #finish({ transactionalId, prepared }: Pending): void {
    this.#options.onWritten(transactionalId, prepared);
  }

  #tryAgainLater(pending: Pending): void {
    this.#waiting.add(pending);
    this.#retry ??= this.#options.timers.after(RETRY_MS, () => {
      this.#retry = undefined;
      const all = [...this.#waiting];
      this.#waiting.clear();
      for (const one of all) this.#write(one);
    });
  }

  #warn(outcome: Outcome, pending: Pending, topic: string, partition: number, errorCode: number): void {
    const consequence =
      outcome === 'fenced'
        ? 'Markers are left to another coordinator'
        : 'A partition takes no marker and is left out of its transaction';
    const { transactionalId } = pending;
    this.#options.logger.warn(consequence, { transactionalId, topic, partition, errorCode });
  }
}

type Outcome = 'retry' | 'fenced' | 'impossible';

/**
 * A partition that knows a higher epoch of the producer has the end of this transaction behind it. Errors that nothing
 * explains are tried again: a transaction that never ends is worse than a line in the log, and one half ended worse
 * than both.
 */
function outcomeOf(errorCode: ErrorCode): Outcome {
  switch (errorCode) {
    case Errors.TRANSACTION_COORDINATOR_FENCED:
      return 'fenced';
    case Errors.INVALID_PRODUCER_EPOCH:
    case Errors.UNSUPPORTED_FOR_MESSAGE_FORMAT:
    case Errors.UNSUPPORTED_VERSION:
      return 'impossible';
    default:
      return 'retry';
  }
}
