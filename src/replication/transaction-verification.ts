import type { Clock, Timers } from '../base/ports.ts';
import type { TransactionalAppend } from '../log/index.ts';
import { type ErrorCode, Errors, ProtocolError } from '../protocol/errors.ts';
import type {
  AddPartitionsToTxnRequest,
  AddPartitionsToTxnResponse,
} from '../protocol/messages/add-partitions-to-txn.ts';
import type { Partition } from './partition.ts';

export type TransactionToAsk = AddPartitionsToTxnRequest['transactions'][number];
export type TransactionAnswer = AddPartitionsToTxnResponse['resultsByTransaction'][number]['topicResults'];

/** The transaction coordinator, as far as partitions ask it. */
export interface TransactionPartitions {
  /** `done` runs once with a result for each partition in the order of the question, maybe before this returns. */
  addPartitionsToTxn(transaction: TransactionToAsk, done: (results: TransactionAnswer) => void): void;
  /** What a verification would tell of one partition; undefined where that takes a wait. */
  verifyNow(
    producer: Pick<VerificationRequest, 'transactionalId' | 'producerId' | 'producerEpoch'>,
    topic: string,
    partition: number,
  ): ErrorCode | undefined;
}

/**
 * What a client knows of transactions, by the version of its request: one of `v2` has its partitions added with the first
 * append (transaction version 2), an `abortable` one knows TRANSACTION_ABORTABLE, a `classic` one neither (KIP-890).
 */
export type TransactionClient = 'classic' | 'abortable' | 'v2';

export interface PartitionToVerify {
  readonly topic: string;
  readonly partition: number;
  /** Of its first record; -1 where there are no sequences. */
  readonly sequence: number;
}

export interface VerificationRequest {
  readonly transactionalId: string;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly client: TransactionClient;
  readonly partitions: readonly PartitionToVerify[];
}

/** Whether a partition may append, and what the append must come with. */
export interface Verified {
  readonly errorCode: ErrorCode;
  /** Undefined where nothing is to be verified. */
  readonly transaction: TransactionalAppend | undefined;
}

export interface VerificationSettings {
  /** transaction.partition.verification.enable: transactions of version 2 are always asked for. */
  readonly isEnabled: boolean;
  /** add.partitions.to.txn.retry.backoff.ms */
  readonly retryBackoffMs: number;
  /** All tries together: add.partitions.to.txn.retry.backoff.max.ms, and request.timeout.ms at most. */
  readonly retryMaxMs: number;
}

export interface TransactionVerifierOptions {
  /** Throws ProtocolError where the partition can't be used here. */
  readonly find: (topic: string, partition: number) => Pick<Partition, 'startVerification'>;
  readonly transactions: TransactionPartitions;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly settings: () => VerificationSettings;
}

const NOT_VERIFIED: Verified = { errorCode: Errors.NONE, transaction: undefined };
const IS_OPEN: Verified = { errorCode: Errors.NONE, transaction: { guard: undefined } };

/**
 * Asks the transaction coordinator, before data of a transaction is appended, whether the transaction includes the
 * partition, or has it included (KIP-890). Nothing is asked where the partition knows the transaction already.
 */
export class TransactionVerifier {
  readonly #options: TransactionVerifierOptions;

  constructor(options: TransactionVerifierOptions) {
    this.#options = options;
  }

  /** `done` gets an outcome for each partition in order, maybe before this returns. */
  verify(request: VerificationRequest, done: (outcomes: readonly Verified[]) => void): void {
    const { isEnabled, retryBackoffMs, retryMaxMs } = this.#options.settings();
    if (request.client !== 'v2') {
      if (isEnabled) this.#ask(request, done);
      else done(request.partitions.map(() => NOT_VERIFIED));
      return;
    }
    const { clock, timers } = this.#options;
    const startMs = clock.monotonicMs();
    const look = (outcomes: readonly Verified[]): void => {
      // The marker of the transaction before is on its way: that is over sooner than the client would come again.
      const isBusy = outcomes.some(({ errorCode }) => errorCode === Errors.CONCURRENT_TRANSACTIONS);
      if (!isBusy || clock.monotonicMs() - startMs >= retryMaxMs) done(outcomes);
      else timers.after(retryBackoffMs, () => this.#ask(request, look));
    };
    this.#ask(request, look);
  }

  #ask(request: VerificationRequest, done: (outcomes: readonly Verified[]) => void): void {
    const outcomes = request.partitions.map((one) => this.#start(request, one));
    const verifyOnly = request.client !== 'v2';
    let question: Question | undefined;
    for (let at = 0; at < outcomes.length; at += 1) {
      if (outcomes[at]!.transaction?.guard === undefined) continue;
      const asked = request.partitions[at]!;
      const { topic, partition } = asked;
      const code = verifyOnly ? this.#options.transactions.verifyNow(request, topic, partition) : undefined;
      if (code === undefined) {
        question ??= new Question();
        question.add(asked, at);
      } else if (code !== Errors.NONE) outcomes[at] = refused(toldTo(request.client, code));
    }
    if (question === undefined) done(outcomes);
    else this.#askFor(question, request, outcomes, done);
  }

  #askFor(
    question: Question,
    { transactionalId, producerId, producerEpoch, client }: VerificationRequest,
    outcomes: Verified[],
    done: (outcomes: readonly Verified[]) => void,
  ): void {
    const verifyOnly = client !== 'v2';
    const { topics } = question;
    const transaction = { transactionalId, producerId, producerEpoch, verifyOnly, topics };
    this.#options.transactions.addPartitionsToTxn(transaction, (results) => {
      question.eachCode(results, (at, code) => {
        if (code !== Errors.NONE) outcomes[at] = refused(toldTo(client, code));
      });
      done(outcomes);
    });
  }

  #start(request: VerificationRequest, { topic, partition, sequence }: PartitionToVerify): Verified {
    const { producerId, producerEpoch, client } = request;
    try {
      const supportsEpochBump = client === 'v2';
      const producer = { producerId, epoch: producerEpoch, sequence, supportsEpochBump };
      const { find, clock } = this.#options;
      const guard = find(topic, partition).startVerification(producer, clock.wallMs());
      return guard === undefined ? IS_OPEN : { errorCode: Errors.NONE, transaction: { guard } };
    } catch (error) {
      if (error instanceof ProtocolError) return refused(error.code);
      throw error;
    }
  }
}

function refused(errorCode: ErrorCode): Verified {
  return { errorCode, transaction: undefined };
}

/** Producers know a fenced epoch as an invalid one here. */
function toldTo(client: TransactionClient, code: ErrorCode): ErrorCode {
  if (code === Errors.PRODUCER_FENCED) return Errors.INVALID_PRODUCER_EPOCH;
  return code === Errors.TRANSACTION_ABORTABLE && client === 'classic' ? Errors.INVALID_TXN_STATE : code;
}

/** Partitions by topic, and where the answer about each belongs. */
class Question {
  readonly topics: { name: string; partitions: number[] }[] = [];
  readonly #places: number[][] = [];

  /** `place` is where the partition stands among those that are verified. */
  add({ topic, partition }: PartitionToVerify, place: number): void {
    let at = 0;
    while (at < this.topics.length && this.topics[at]!.name !== topic) at += 1;
    if (at === this.topics.length) {
      this.topics.push({ name: topic, partitions: [partition] });
      this.#places.push([place]);
    } else {
      this.topics[at]!.partitions.push(partition);
      this.#places[at]!.push(place);
    }
  }

  eachCode(results: TransactionAnswer, tell: (place: number, code: ErrorCode) => void): void {
    for (let at = 0; at < this.#places.length; at += 1) {
      const places = this.#places[at]!;
      for (let n = 0; n < places.length; n += 1) {
        const { partitionErrorCode } = results[at]!.resultsByPartition[n]!;
        tell(places[n]!, partitionErrorCode as ErrorCode);
      }
    }
  }
}
