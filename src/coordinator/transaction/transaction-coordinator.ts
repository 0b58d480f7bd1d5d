import type { Clock, Logger, Timers, Turn } from '../../base/ports.ts';
import { type ErrorCode, Errors, ProtocolError } from '../../protocol/errors.ts';
import type {
  AddPartitionsToTxnRequest,
  AddPartitionsToTxnResponse,
} from '../../protocol/messages/add-partitions-to-txn.ts';
import type {
  ListTransactionsRequest,
  ListTransactionsResponse,
} from '../../protocol/messages/list-transactions.ts';
import { partitionForGroup } from '../group/partition-for.ts';
import { CoordinatorRuntime } from '../runtime/coordinator-runtime.ts';
import type { CoordinatorLog } from '../runtime/ports.ts';
import type { CoordinatorResult, Done } from '../runtime/result.ts';
import type { ProducerIdAndEpoch } from './init-producer-id.ts';
import {
  type DescribedTransaction,
  type ListedTransaction,
  TransactionFilter,
  undescribedTransaction,
} from './list-transactions.ts';
import type { MarkerWriter } from './marker-queue.ts';
import { type TransactionRecord, TransactionRecordSerde } from './records.ts';
import type { TransactionCoordinatorConfig } from './transaction-config.ts';
import { transactionError } from './transaction-error.ts';
import { EPOCH_BUMP_VERSION, NO_TIMEOUT_MS } from './transaction-metadata.ts';
import {
  type AddPartitionsRequest,
  type EndTransactionRequest,
  type InitRequest,
  NEEDS_PRODUCER_ID,
  type ProducerOutcome,
  refusal,
  TransactionShard,
} from './transaction-shard.ts';

type Transaction = AddPartitionsToTxnRequest['transactions'][number];
type TopicResults = AddPartitionsToTxnResponse['resultsByTransaction'][number]['topicResults'];
type Answer<T> = (response: T) => void;

/** Gives producer ids that nobody has. */
export interface ProducerIdSource {
  /** Rejects with a ProtocolError where none is to be had now. */
  next(): Promise<bigint>;
}

export interface TransactionCoordinatorOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly turn: Turn;
  readonly logger: Logger;
  readonly config: TransactionCoordinatorConfig;
  /** The topic that holds the transactions. */
  readonly topic: string;
  /** How many partitions the topic has; 0 while it is not there. */
  readonly partitionCount: () => number;
  /** The leader epoch of a partition of the topic: markers carry it. */
  readonly coordinatorEpoch: (partition: number) => number;
  /** The finalized level of transaction.version. */
  readonly transactionVersion: () => number;
  /** False for a partition that does not exist, of any topic. */
  readonly isPartitionThere: (topic: string, partition: number) => boolean;
  readonly producerIds: ProducerIdSource;
  readonly markers: MarkerWriter;
}

export interface InitProducerIdOptions extends InitRequest {
  readonly isTwoPhaseCommit: boolean;
  readonly keepsPrepared: boolean;
}

/** A client that does not bump epochs, or a request that tells nothing of it. */
export const OLD_CLIENT_VERSION = 0;

/**
 * The transaction coordinator of this node (KIP-98, KIP-890): sends each request to the shard of its transactional id
 * and turns outcomes into answers. All answers are given exactly once, and never from inside a handler.
 */
export class TransactionCoordinator {
  readonly #options: TransactionCoordinatorOptions;
  readonly #runtime: CoordinatorRuntime<TransactionShard, TransactionRecord>;

  constructor(options: TransactionCoordinatorOptions) {
    this.#options = options;
    const { config } = options;
    this.#runtime = new CoordinatorRuntime<TransactionShard, TransactionRecord>({
      ...options,
      serde: new TransactionRecordSerde(),
      makeShard: (context) => {
        const run = (name: string, handler: () => CoordinatorResult<void, TransactionRecord>) =>
          this.#runIn(shard, context.partition, name, handler);
        const shard: TransactionShard = new TransactionShard(context, {
          ...options,
          coordinatorEpoch: () => options.coordinatorEpoch(context.partition),
          run,
          runWithProducerId: (name, handler) =>
            this.#withProducerId(
              (id) => run(name, () => handler(id)),
              () => undefined,
            ),
        });
        return shard;
      },
      compression: 'none',
      commitTimeoutMs: config.requestTimeoutMs,
      loadBufferBytes: config.loadBufferBytes,
    });
  }

  // Leadership.

  onElection(partition: number, log: CoordinatorLog): void {
    this.#runtime.load(partition, log);
  }

  onResignation(partition: number): void {
    this.#runtime.unload(partition);
  }

  close(): void {
    this.#runtime.close();
  }

  // Requests of producers.

  /** For a producer with a transactional id; others need no coordinator. */
  initProducerId(request: InitProducerIdOptions, answer: Answer<ProducerOutcome>): void {
    const errorCode = this.#initError(request);
    if (errorCode !== Errors.NONE) answer(refusal(errorCode));
    else {
      const timeoutMs = request.isTwoPhaseCommit ? NO_TIMEOUT_MS : request.timeoutMs;
      const { transactionalId, expected } = request;
      const asked = { transactionalId, timeoutMs, expected };
      this.#askForOutcome(
        'InitProducerId',
        transactionalId,
        (shard, id) => shard.initProducerId(asked, id),
        answer,
      );
    }
  }

  /**
   * Adds partitions to the transaction of a producer, or tells which of them it includes. What is asked for from inside
   * the broker (with a produce) comes from a client of transaction version 2.
   */
  addPartitionsToTxn(
    transaction: Transaction,
    answer: Answer<TopicResults>,
    clientTransactionVersion = EPOCH_BUMP_VERSION,
  ): void {
    const { topics } = transaction;
    const all = (code: ErrorCode) => topics.map(({ partitions }) => partitions.map(() => code));
    const tell = (codes: readonly (readonly ErrorCode[])[]) =>
      answer(
        topics.map(({ name, partitions }, at) => ({
          name,
          resultsByPartition: partitions.map((partitionIndex, n) => ({
            partitionIndex,
            partitionErrorCode: codes[at]![n]!,
          })),
        })),
      );
    if (!transaction.verifyOnly) {
      this.addPartitions(transaction, clientTransactionVersion, (code) => tell(all(code)));
    } else if (transaction.transactionalId === '') {
      tell(all(Errors.INVALID_REQUEST));
    } else {
      const partition = this.#partitionFor(transaction.transactionalId);
      const handler = (shard: TransactionShard) => shard.verifyPartitions(transaction);
      this.#runtime.read('verification of partitions', partition, handler, (outcome) => {
        tell(outcome.ok ? outcome.response : all(transactionError(outcome.error)));
      });
    }
  }

  /**
   * Whether the open transaction of a producer includes a partition, as a verification by {@link addPartitionsToTxn} would
   * tell; undefined where that takes a wait.
   */
  verifyNow(
    producer: ProducerIdAndEpoch & { readonly transactionalId: string },
    topic: string,
    partition: number,
  ): ErrorCode | undefined {
    const { transactionalId } = producer;
    if (transactionalId === '') return Errors.INVALID_REQUEST;
    const shard = this.#runtime.committed(this.#partitionFor(transactionalId));
    return shard?.verifyPartition(transactionalId, producer, topic, partition);
  }

  addPartitions(
    request: AddPartitionsRequest,
    clientTransactionVersion: number,
    answer: Answer<ErrorCode>,
  ): void {
    const { transactionalId } = request;
    if (transactionalId === '') {
      answer(Errors.INVALID_REQUEST);
      return;
    }
    const handler = (shard: TransactionShard) => shard.addPartitions(request, clientTransactionVersion);
    this.#runtime.write('AddPartitionsToTxn', this.#partitionFor(transactionalId), handler, (outcome) => {
      answer(outcome.ok ? outcome.response : transactionError(outcome.error));
    });
  }

  /** Answers once the end is decided for good; markers follow by themselves. */
  endTransaction(request: EndTransactionRequest, answer: Answer<ProducerOutcome>): void {
    const { transactionalId } = request;
    if (transactionalId === '') answer(refusal(Errors.INVALID_REQUEST));
    else {
      this.#askForOutcome(
        'EndTxn',
        transactionalId,
        (shard, id) => shard.endTransaction(request, id),
        answer,
      );
    }
  }

  // Administration.

  /**
   * Rejects with COORDINATOR_LOAD_IN_PROGRESS while a part of the transactions is not known yet, and with
   * INVALID_REGULAR_EXPRESSION.
   */
  async listTransactions(
    request: ListTransactionsRequest,
  ): Promise<Pick<ListTransactionsResponse, 'unknownStateFilters' | 'transactionStates'>> {
    const filter = new TransactionFilter(request);
    const parts = this.#runtime.partitions().map((partition) =>
      promised<ListedTransaction[]>((done) =>
        this.#runtime.read('ListTransactions', partition, (shard) => shard.list(filter), done),
      ).catch((error: unknown) => {
        // Led by somebody else by now, who lists them.
        if (error instanceof ProtocolError && error.code === Errors.NOT_COORDINATOR) return [];
        throw error;
      }),
    );
    const transactionStates = (await Promise.all(parts)).flat();
    return { unknownStateFilters: [...filter.unknownStates], transactionStates };
  }

  async describeTransactions(transactionalIds: readonly string[]): Promise<DescribedTransaction[]> {
    return Promise.all(transactionalIds.map((transactionalId) => this.#describe(transactionalId)));
  }

  async #describe(transactionalId: string): Promise<DescribedTransaction> {
    if (transactionalId === '') return undescribedTransaction(transactionalId, Errors.INVALID_REQUEST);
    const partition = this.#partitionFor(transactionalId);
    const handler = (shard: TransactionShard) => shard.describe(transactionalId);
    return promised<DescribedTransaction>((done) =>
      this.#runtime.read('DescribeTransactions', partition, handler, done),
    ).catch((error: unknown) => {
      if (!(error instanceof ProtocolError)) throw error;
      return undescribedTransaction(transactionalId, transactionError(error));
    });
  }

  #initError({
    transactionalId,
    isTwoPhaseCommit,
    keepsPrepared,
    timeoutMs,
  }: InitProducerIdOptions): ErrorCode {
    const { twoPhaseCommitEnable, transactionMaxTimeoutMs } = this.#options.config;
    if (transactionalId === '') return Errors.INVALID_REQUEST;
    if (isTwoPhaseCommit && !twoPhaseCommitEnable) return Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    // Nobody serves this half of KIP-939 yet, Apache Kafka neither.
    if (keepsPrepared) return Errors.UNSUPPORTED_VERSION;
    const isValidTimeout = timeoutMs > 0 && timeoutMs <= transactionMaxTimeoutMs;
    return isTwoPhaseCommit || isValidTimeout ? Errors.NONE : Errors.INVALID_TRANSACTION_TIMEOUT;
  }

  /** Runs a handler, and once more with a producer id where it needs one. */
  #askForOutcome(
    name: string,
    transactionalId: string,
    handler: (
      shard: TransactionShard,
      newProducerId: bigint | undefined,
    ) => CoordinatorResult<ProducerOutcome | typeof NEEDS_PRODUCER_ID, TransactionRecord>,
    answer: Answer<ProducerOutcome>,
    newProducerId?: bigint,
  ): void {
    const partition = this.#partitionFor(transactionalId);
    this.#runtime.write(
      name,
      partition,
      (shard) => handler(shard, newProducerId),
      (outcome) => {
        if (!outcome.ok) answer(refusal(transactionError(outcome.error)));
        else if (outcome.response !== NEEDS_PRODUCER_ID) answer(outcome.response);
        else {
          this.#withProducerId(
            (id) => this.#askForOutcome(name, transactionalId, handler, answer, id),
            (error) => answer(refusal(error.code)),
          );
        }
      },
    );
  }

  #withProducerId(use: (producerId: bigint) => void, failed: (error: ProtocolError) => void): void {
    this.#options.producerIds.next().then(use, (error: unknown) => {
      if (error instanceof ProtocolError) failed(error);
      else failed(new ProtocolError(Errors.COORDINATOR_LOAD_IN_PROGRESS));
    });
  }

  #runIn(
    wanted: TransactionShard,
    partition: number,
    name: string,
    handler: () => CoordinatorResult<void, TransactionRecord>,
  ): void {
    const nothing: CoordinatorResult<void, TransactionRecord> = { records: [], response: undefined };
    const run = (shard: TransactionShard) => (shard === wanted ? handler() : nothing);
    this.#runtime.write(name, partition, run, () => undefined);
  }

  /** The partition of a transactional id; one that is not here where the topic is not there yet. */
  #partitionFor(transactionalId: string): number {
    const count = this.#options.partitionCount();
    return count === 0 ? -1 : partitionForGroup(transactionalId, count);
  }
}

function promised<T>(ask: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    ask((outcome) => {
      if (outcome.ok) resolve(outcome.response);
      else reject(outcome.error);
    });
  });
}
