import type { Logger, Timer, Timers } from '../../base/ports.ts';
import { type ErrorCode, Errors } from '../../protocol/errors.ts';
import type {
  WriteTxnMarkersRequest,
  WriteTxnMarkersResponse,
} from '../../protocol/messages/write-txn-markers.ts';
import type { TransactionMetadata } from './transaction-metadata.ts';

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

interface Pending {
  readonly transactionalId: string;
  readonly prepared: TransactionMetadata;
  /** Partitions that have no marker yet. */
  readonly remaining: Map<string, Set<number>>;
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
    const remaining = new Map(Array.from(prepared.partitions, ([topic, all]) => [topic, new Set(all)]));
    this.#write({ transactionalId, prepared, remaining });
  }

  /** The shard is gone: whoever leads it next begins again. */
  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#waiting.clear();
  }

  #write(pending: Pending): void {
    const { isPartitionThere, writer } = this.#options;
    for (const [topic, partitions] of pending.remaining) {
      for (const partition of partitions) {
        if (!isPartitionThere(topic, partition)) remove(pending, topic, partition);
      }
    }
    if (this.#finishIfWritten(pending)) return;
    writer.write([this.#marker(pending)], (results) => this.#written(pending, results));
  }

  #marker({ prepared, remaining }: Pending): Marker {
    return {
      producerId: prepared.producerId,
      producerEpoch: prepared.producerEpoch,
      transactionResult: prepared.state === 'PrepareCommit',
      topics: Array.from(remaining, ([name, partitions]) => ({ name, partitionIndexes: [...partitions] })),
      coordinatorEpoch: this.#options.coordinatorEpoch(),
      transactionVersion: prepared.clientTransactionVersion,
    };
  }

  #written(pending: Pending, results: readonly MarkerResult[]): void {
    if (this.#closed) return;
    for (const { topics } of results) {
      for (const { name, partitions } of topics) {
        for (const { partitionIndex, errorCode } of partitions) {
          const outcome = outcomeOf(errorCode as ErrorCode);
          if (outcome === 'retry') continue;
          if (outcome !== 'written') this.#warn(outcome, pending, name, partitionIndex, errorCode);
          // A newer coordinator ends this transaction.
          if (outcome === 'fenced') return;
          remove(pending, name, partitionIndex);
        }
      }
    }
    if (!this.#finishIfWritten(pending)) this.#tryAgainLater(pending);
  }

  #finishIfWritten({ transactionalId, prepared, remaining }: Pending): boolean {
    if (remaining.size > 0) return false;
    this.#options.onWritten(transactionalId, prepared);
    return true;
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

type Outcome = 'written' | 'retry' | 'fenced' | 'impossible';

/**
 * A partition that knows a higher epoch of the producer has the end of this transaction behind it. Errors that nothing
 * explains are tried again: a transaction that never ends is worse than a line in the log, and one half ended worse
 * than both.
 */
function outcomeOf(errorCode: ErrorCode): Outcome {
  switch (errorCode) {
    case Errors.NONE:
      return 'written';
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

function remove({ remaining }: Pending, topic: string, partition: number): void {
  const partitions = remaining.get(topic);
  partitions?.delete(partition);
  if (partitions?.size === 0) remaining.delete(topic);
}
