import type { Timers } from '../../base/ports.ts';
import { type ErrorCode, Errors, type ProtocolError } from '../../protocol/errors.ts';
import type { CoordinatorResult } from '../runtime/result.ts';
import type { CoordinatorShard, ShardContext } from '../runtime/shard.ts';
import type { CoordinatorTimer } from '../runtime/timer.ts';
import { decideEnd, type EndRequest } from './end-transaction.ts';
import { decideInit, type ProducerIdAndEpoch } from './init-producer-id.ts';
import {
  type DescribedTransaction,
  describedTransaction,
  type ListedTransaction,
  listedTransaction,
  type TransactionFilter,
  undescribedTransaction,
} from './list-transactions.ts';
import { MarkerQueue, type MarkerWriter } from './marker-queue.ts';
import { type TransactionRecord, transactionRecord } from './records.ts';
import type { TransactionCoordinatorConfig } from './transaction-config.ts';
import {
  completed,
  EPOCH_BUMP_VERSION,
  fenced,
  includesAll,
  includesPartition,
  isEpochExhausted,
  NO_PRODUCER_EPOCH,
  NO_PRODUCER_ID,
  NO_TIMEOUT_MS,
  type TopicPartitions,
  type TransactionMetadata,
  unusedTransactionalId,
  withPartitions,
} from './transaction-metadata.ts';
import { isAtRest, isPrepared } from './transaction-state.ts';

/** What a request of a producer is answered: its id and epoch from now on, or why not. */
export interface ProducerOutcome extends ProducerIdAndEpoch {
  readonly errorCode: ErrorCode;
}

/** A handler that can't go on without a producer id that nobody has: it is to be fetched, and the handler run again. */
export const NEEDS_PRODUCER_ID = 'needs a producer id';

export interface InitRequest {
  readonly transactionalId: string;
  readonly timeoutMs: number;
  readonly expected: ProducerIdAndEpoch | undefined;
}

export interface EndTransactionRequest extends EndRequest {
  readonly transactionalId: string;
}

export interface AddPartitionsRequest extends ProducerIdAndEpoch {
  readonly transactionalId: string;
  readonly topics: readonly TopicPartitions[];
}

export interface TransactionShardOptions {
  readonly config: TransactionCoordinatorConfig;
  readonly timers: Timers;
  readonly markers: MarkerWriter;
  /** The finalized level of transaction.version. */
  readonly transactionVersion: () => number;
  readonly coordinatorEpoch: () => number;
  readonly isPartitionThere: (topic: string, partition: number) => boolean;
  /** Runs a handler of this shard as a request would; never where the shard is gone. */
  readonly run: (name: string, handler: () => TransactionResult<void>) => void;
  /** Runs a handler of this shard with a producer id that nobody has; never where the shard is gone or none is to be had. */
  readonly runWithProducerId: (
    name: string,
    handler: (producerId: bigint) => TransactionResult<void>,
  ) => void;
}

type TransactionResult<T> = CoordinatorResult<T, TransactionRecord>;

const NOTHING: TransactionResult<void> = { records: [], response: undefined };

/** The transactional ids in one partition of `__transaction_state`. */
export class TransactionShard implements CoordinatorShard<TransactionRecord> {
  readonly #context: ShardContext<TransactionRecord>;
  readonly #options: TransactionShardOptions;
  readonly #transactions = new Map<string, TransactionMetadata>();
  readonly #markers: MarkerQueue;
  readonly #timeouts: CoordinatorTimer;
  readonly #expiry: CoordinatorTimer;

  constructor(context: ShardContext<TransactionRecord>, options: TransactionShardOptions) {
    this.#context = context;
    this.#options = options;
    const { timers, markers, coordinatorEpoch, isPartitionThere, run } = options;
    this.#markers = new MarkerQueue({
      writer: markers,
      timers,
      logger: context.logger,
      coordinatorEpoch,
      isPartitionThere,
      onWritten: (transactionalId, prepared) =>
        run('completion of a transaction', () => this.#complete(transactionalId, prepared)),
    });
    this.#timeouts = context.timer('abort of transactions over time', () => this.#abortTimedOut());
    this.#expiry = context.timer('expiry of transactional ids', () => this.#removeExpired());
  }

  // The runtime's side.

  replay({ transactionalId, metadata }: TransactionRecord): void {
    if (metadata === null) this.#transactions.delete(transactionalId);
    else this.#transactions.set(transactionalId, metadata);
  }

  /** Nobody writes this topic in transactions. */
  replayEndTransactionMarker(): void {}

  /** Transactions whose end was decided get their markers, whoever decided it. */
  onLoaded(): void {
    const { abortTimedOutIntervalMs, removeExpiredIntervalMs } = this.#options.config;
    this.#timeouts.arm(abortTimedOutIntervalMs);
    this.#expiry.arm(removeExpiredIntervalMs);
    for (const [transactionalId, metadata] of this.#transactions) {
      if (isPrepared(metadata.state)) this.#markers.send(transactionalId, metadata);
    }
  }

  onUnloaded(): void {
    this.#markers.close();
  }

  // Requests of producers.

  initProducerId(
    { transactionalId, timeoutMs, expected }: InitRequest,
    newProducerId: bigint | undefined,
  ): TransactionResult<ProducerOutcome | typeof NEEDS_PRODUCER_ID> {
    const existing = this.#transactions.get(transactionalId);
    if (existing === undefined && newProducerId === undefined) {
      return { records: [], response: NEEDS_PRODUCER_ID };
    }
    const before = existing ?? unusedTransactionalId(newProducerId!);
    const decision = decideInit(before, expected, newProducerId, timeoutMs, this.#nowMs());
    switch (decision.kind) {
      case 'refused':
        return { records: [], response: refusal(decision.errorCode) };
      case 'needsProducerId':
        return { records: [], response: NEEDS_PRODUCER_ID };
      case 'fence': {
        const result = this.#fence(transactionalId, before, newProducerId);
        if (result === undefined) return { records: [], response: NEEDS_PRODUCER_ID };
        // Once the transaction has ended, the producer that asks again gets an epoch above this one.
        return { ...result, response: refusal(Errors.CONCURRENT_TRANSACTIONS) };
      }
      case 'initialized': {
        const { producerId, producerEpoch } = decision.metadata;
        return {
          records: [this.#record(transactionalId, decision.metadata)],
          response: { errorCode: Errors.NONE, producerId, producerEpoch },
        };
      }
    }
  }

  addPartitions(
    request: AddPartitionsRequest,
    clientTransactionVersion: number,
  ): TransactionResult<ErrorCode> {
    const refused = (response: ErrorCode): TransactionResult<ErrorCode> => ({ records: [], response });
    const before = this.#transactions.get(request.transactionalId);
    // First of all: the producer knows the id and epoch that follow once the markers are written.
    if (before !== undefined && isPrepared(before.state)) return refused(Errors.CONCURRENT_TRANSACTIONS);
    const errorCode = producerError(before, request);
    if (before === undefined || errorCode !== Errors.NONE) return refused(errorCode);
    if (before.state !== 'Ongoing' && !isAtRest(before.state)) return refused(Errors.INVALID_TXN_STATE);
    if (before.state === 'Ongoing' && includesAll(before, request.topics)) return refused(Errors.NONE);
    const after = withPartitions(before, request.topics, clientTransactionVersion, this.#nowMs());
    return { records: [this.#record(request.transactionalId, after)], response: Errors.NONE };
  }

  /** Whether each partition is a part of the open transaction, in the order of the request. */
  verifyPartitions(request: AddPartitionsRequest): ErrorCode[][] {
    return request.topics.map(({ name, partitions }) =>
      partitions.map((partition) => this.verifyPartition(request.transactionalId, request, name, partition)),
    );
  }

  /** The same for one partition. */
  verifyPartition(
    transactionalId: string,
    producer: ProducerIdAndEpoch,
    topic: string,
    partition: number,
  ): ErrorCode {
    const metadata = this.#transactions.get(transactionalId);
    const errorCode = producerError(metadata, producer);
    if (metadata === undefined || errorCode !== Errors.NONE) return errorCode;
    return includesPartition(metadata, topic, partition) ? Errors.NONE : Errors.TRANSACTION_ABORTABLE;
  }

  endTransaction(
    request: EndTransactionRequest,
    newProducerId: bigint | undefined,
  ): TransactionResult<ProducerOutcome | typeof NEEDS_PRODUCER_ID> {
    const { transactionalId, clientTransactionVersion } = request;
    const before = this.#transactions.get(transactionalId);
    if (before === undefined) return { records: [], response: refusal(Errors.INVALID_PRODUCER_ID_MAPPING) };
    const tells = clientTransactionVersion >= EPOCH_BUMP_VERSION;
    const decision = decideEnd(before, request, newProducerId, this.#nowMs());
    switch (decision.kind) {
      case 'refused':
        return { records: [], response: refusal(decision.errorCode) };
      case 'needsProducerId':
        return { records: [], response: NEEDS_PRODUCER_ID };
      case 'done':
        return { records: [], response: tells ? outcome(before) : refusal(Errors.NONE) };
      case 'prepared': {
        const { metadata } = decision;
        // The producer need not wait for the markers: what it goes on with is known by now.
        const response = tells ? outcome(completed(metadata, metadata.lastUpdateMs)) : refusal(Errors.NONE);
        return this.#prepare(transactionalId, metadata, response);
      }
    }
  }

  // Administration.

  list(filter: TransactionFilter): ListedTransaction[] {
    const nowMs = this.#nowMs();
    const found: ListedTransaction[] = [];
    for (const [transactionalId, metadata] of this.#transactions) {
      if (filter.matches(transactionalId, metadata, nowMs))
        found.push(listedTransaction(transactionalId, metadata));
    }
    return found;
  }

  describe(transactionalId: string): DescribedTransaction {
    const metadata = this.#transactions.get(transactionalId);
    return metadata === undefined
      ? undescribedTransaction(transactionalId, Errors.TRANSACTIONAL_ID_NOT_FOUND)
      : describedTransaction(transactionalId, metadata);
  }

  // What happens by itself.

  /** Writes what was decided; the markers follow once that is committed. */
  #prepare<T>(transactionalId: string, metadata: TransactionMetadata, response: T): TransactionResult<T> {
    return {
      records: [this.#record(transactionalId, metadata)],
      response,
      pace: 'first',
      settled: (error) => this.#prepared(transactionalId, metadata, error),
    };
  }

  #prepared(transactionalId: string, metadata: TransactionMetadata, error: ProtocolError | undefined): void {
    if (this.#transactions.get(transactionalId) !== metadata) return;
    if (error === undefined) {
      this.#markers.send(transactionalId, metadata);
      return;
    }
    // The record is in the log and not committed yet: looks again, for as long as it takes.
    this.#options.run('wait for a prepared transaction', () => ({
      ...NOTHING,
      settled: (again) => this.#prepared(transactionalId, metadata, again),
    }));
  }

  #complete(transactionalId: string, prepared: TransactionMetadata): TransactionResult<void> {
    if (this.#transactions.get(transactionalId) !== prepared) return NOTHING;
    const record = this.#record(transactionalId, completed(prepared, this.#nowMs()));
    // Without it, whoever loads the log writes the markers again: no harm, and the next step of the producer brings it along.
    return { records: [record], response: undefined, pace: 'unhurried' };
  }

  /** Undefined where that takes a producer id and none was given. */
  #fence(
    transactionalId: string,
    before: TransactionMetadata,
    newProducerId: bigint | undefined,
  ): TransactionResult<void> | undefined {
    const version = this.#options.transactionVersion();
    const needsId = version >= EPOCH_BUMP_VERSION && isEpochExhausted(before.producerEpoch);
    if (needsId && newProducerId === undefined) return undefined;
    const nextProducerId = needsId ? newProducerId! : NO_PRODUCER_ID;
    const metadata = fenced(before, version, nextProducerId, this.#nowMs());
    return this.#prepare(transactionalId, metadata, undefined);
  }

  #abortTimedOut(): TransactionResult<void> {
    this.#timeouts.arm(this.#options.config.abortTimedOutIntervalMs);
    const nowMs = this.#nowMs();
    const results: TransactionResult<void>[] = [];
    for (const [transactionalId, metadata] of this.#transactions) {
      if (!isOverTime(metadata, nowMs)) continue;
      const { producerId, timeoutMs } = metadata;
      this.#context.logger.info(`The transaction of ${transactionalId} is over time and is aborted`, {
        producerId,
        timeoutMs,
      });
      const result = this.#fence(transactionalId, metadata, undefined);
      if (result !== undefined) results.push(result);
      else this.#abortWithNewId(transactionalId, metadata);
    }
    return {
      records: results.flatMap(({ records }) => records),
      response: undefined,
      atomic: false,
      settled: (error) => {
        for (const { settled } of results) settled?.(error);
      },
    };
  }

  #abortWithNewId(transactionalId: string, metadata: TransactionMetadata): void {
    this.#options.runWithProducerId('abort of a transaction over time', (producerId) => {
      if (this.#transactions.get(transactionalId) !== metadata) return NOTHING;
      return this.#fence(transactionalId, metadata, producerId) ?? NOTHING;
    });
  }

  #removeExpired(): TransactionResult<void> {
    const { removeExpiredIntervalMs, transactionalIdExpirationMs } = this.#options.config;
    this.#expiry.arm(removeExpiredIntervalMs);
    const untilMs = this.#nowMs() - transactionalIdExpirationMs;
    const records: TransactionRecord[] = [];
    for (const [transactionalId, metadata] of this.#transactions) {
      if (isAtRest(metadata.state) && metadata.lastUpdateMs <= untilMs) {
        records.push(this.#record(transactionalId, null));
      }
    }
    if (records.length > 0) {
      this.#context.logger.info('Transactional ids that were not used for long are removed', {
        count: records.length,
      });
    }
    return { records, response: undefined, atomic: false };
  }

  #record(transactionalId: string, metadata: TransactionMetadata | null): TransactionRecord {
    return transactionRecord(transactionalId, metadata, this.#options.transactionVersion());
  }

  #nowMs(): number {
    return this.#context.clock.wallMs();
  }
}

/** Why a request of this producer is refused, or NONE. */
function producerError(metadata: TransactionMetadata | undefined, producer: ProducerIdAndEpoch): ErrorCode {
  if (metadata?.producerId !== producer.producerId) return Errors.INVALID_PRODUCER_ID_MAPPING;
  if (metadata.producerEpoch !== producer.producerEpoch) return Errors.PRODUCER_FENCED;
  return isPrepared(metadata.state) ? Errors.CONCURRENT_TRANSACTIONS : Errors.NONE;
}

/** Transactions in a two-phase commit have no timeout (KIP-939). */
function isOverTime({ state, timeoutMs, startMs }: TransactionMetadata, nowMs: number): boolean {
  return state === 'Ongoing' && timeoutMs !== NO_TIMEOUT_MS && startMs + timeoutMs < nowMs;
}

function outcome({ producerId, producerEpoch }: TransactionMetadata): ProducerOutcome {
  return { errorCode: Errors.NONE, producerId, producerEpoch };
}

/** An answer that tells of no producer id; also for clients that are not told of one when all is well. */
export function refusal(errorCode: ErrorCode): ProducerOutcome {
  return { errorCode, producerId: NO_PRODUCER_ID, producerEpoch: NO_PRODUCER_EPOCH };
}
