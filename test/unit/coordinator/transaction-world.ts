import {
  type MarkerWriter,
  TransactionCoordinator,
  type TransactionCoordinatorConfig,
} from '../../../src/coordinator/index.ts';
import { UNHURRIED_MS } from '../../../src/coordinator/runtime/result.ts';
import { TransactionRecordSerde } from '../../../src/coordinator/transaction/records.ts';
import { type ErrorCode, Errors, ProtocolError } from '../../../src/protocol/errors.ts';
import type {
  WriteTxnMarkersRequest,
  WriteTxnMarkersResponse,
} from '../../../src/protocol/messages/write-txn-markers.ts';
import { records } from '../../../src/protocol/record-batch/records.ts';
import { Pending } from './group-world.ts';
import { MemoryLog, silent, turnOver, VirtualTime } from './support.ts';

type Marker = WriteTxnMarkersRequest['markers'][number];
type MarkerResult = WriteTxnMarkersResponse['markers'][number];

const CONFIG: TransactionCoordinatorConfig = {
  transactionMaxTimeoutMs: 900_000,
  abortTimedOutIntervalMs: 10_000,
  transactionalIdExpirationMs: 604_800_000,
  removeExpiredIntervalMs: 3_600_000,
  loadBufferBytes: 5_242_880,
  twoPhaseCommitEnable: false,
  requestTimeoutMs: 30_000,
};

/** Partitions that take markers at once, later, or not at all. */
export class FakePartitions implements MarkerWriter {
  /** Each marker that a partition took: `commit 1000/0 t-0`. */
  readonly taken: string[] = [];
  /** What was asked, with what each marker said of its coordinator. */
  readonly asked: Marker[] = [];
  /** Answers wait for {@link answer} when true. */
  holds = false;
  /** What the partition `topic-number` answers until this is changed. */
  readonly codes = new Map<string, ErrorCode>();
  #held: (() => void)[] = [];

  write(markers: readonly Marker[], done: (results: readonly MarkerResult[]) => void): void {
    this.asked.push(...markers);
    const answer = (): void => done(markers.map((marker) => this.#take(marker)));
    if (this.holds) this.#held.push(answer);
    else answer();
  }

  answer(): void {
    for (const answer of this.#held.splice(0)) answer();
  }

  #take({ producerId, producerEpoch, transactionResult, topics }: Marker): MarkerResult {
    return {
      producerId,
      topics: topics.map(({ name, partitionIndexes }) => ({
        name,
        partitions: partitionIndexes.map((partitionIndex) => {
          const where = `${name}-${partitionIndex}`;
          const errorCode = this.codes.get(where) ?? Errors.NONE;
          const what = transactionResult ? 'commit' : 'abort';
          if (errorCode === Errors.NONE) this.taken.push(`${what} ${producerId}/${producerEpoch} ${where}`);
          return { partitionIndex, errorCode };
        }),
      })),
    };
  }
}

export interface Producer {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

export const NOBODY: Producer = { producerId: -1n, producerEpoch: -1 };

/** A transaction coordinator with one partition in memory, on virtual time. */
export class TransactionWorld {
  readonly time = new VirtualTime();
  readonly config: TransactionCoordinatorConfig;
  readonly log = new MemoryLog();
  partitions = new FakePartitions();
  coordinator: TransactionCoordinator;
  /** The finalized level of transaction.version. */
  transactionVersion = 2;
  readonly deleted = new Set<string>();
  /** The next producer id that is given out. */
  nextProducerId = 1000n;
  producerIdsFail = false;

  constructor(config: Partial<TransactionCoordinatorConfig> = {}) {
    this.config = { ...CONFIG, ...config };
    this.coordinator = this.#newCoordinator();
    this.coordinator.onElection(0, this.log);
  }

  /** Another broker takes over, with nothing but the log. What was on its way to partitions is lost. */
  async failOver(): Promise<void> {
    this.coordinator.close();
    this.partitions = new FakePartitions();
    this.coordinator = this.#newCoordinator();
    this.coordinator.onElection(0, this.log);
    await turnOver(this.time);
  }

  async init(
    transactionalId: string,
    given: Partial<Producer> & {
      timeoutMs?: number;
      isTwoPhaseCommit?: boolean;
      keepsPrepared?: boolean;
    } = {},
  ): Promise<Producer & { errorCode: ErrorCode }> {
    const pending = new Pending<Producer & { errorCode: ErrorCode }>();
    const { producerId, producerEpoch } = given;
    const expected =
      producerId === undefined || producerEpoch === undefined ? undefined : { producerId, producerEpoch };
    this.coordinator.initProducerId(
      {
        transactionalId,
        timeoutMs: given.timeoutMs ?? 60_000,
        expected,
        isTwoPhaseCommit: given.isTwoPhaseCommit ?? false,
        keepsPrepared: given.keepsPrepared ?? false,
      },
      pending.answer,
    );
    await turnOver(this.time);
    return pending.value;
  }

  /** `t-0` and the like become a part of the transaction; one error for all. */
  add(transactionalId: string, producer: Producer, partitions: readonly string[], version = 0): ErrorCode {
    const pending = this.addLater(transactionalId, producer, partitions, version);
    this.time.settle();
    return pending.value;
  }

  addLater(
    transactionalId: string,
    { producerId, producerEpoch }: Producer,
    partitions: readonly string[],
    version = 0,
  ): Pending<ErrorCode> {
    const pending = new Pending<ErrorCode>();
    const topics = topicsOf(partitions);
    this.coordinator.addPartitions(
      { transactionalId, producerId, producerEpoch, topics },
      version,
      pending.answer,
    );
    return pending;
  }

  verify(
    transactionalId: string,
    { producerId, producerEpoch }: Producer,
    partitions: readonly string[],
  ): Record<string, number> {
    const pending = new Pending<readonly (readonly [string, number])[]>();
    const topics = topicsOf(partitions);
    this.coordinator.addPartitionsToTxn(
      { transactionalId, producerId, producerEpoch, verifyOnly: true, topics },
      (results) =>
        pending.answer(
          results.flatMap(({ name, resultsByPartition }) =>
            resultsByPartition.map(
              ({ partitionIndex, partitionErrorCode }) =>
                [`${name}-${partitionIndex}`, partitionErrorCode] as const,
            ),
          ),
        ),
    );
    this.time.settle();
    return Object.fromEntries(pending.value);
  }

  /** The same without a wait, where that is possible. */
  verifyNow(
    transactionalId: string,
    producer: Producer,
    topic: string,
    partition: number,
  ): number | undefined {
    return this.coordinator.verifyNow({ transactionalId, ...producer }, topic, partition);
  }

  /** EndTxn: `version` 2 for a client that has an epoch for each transaction. */
  async end(
    transactionalId: string,
    producer: Producer,
    what: 'commit' | 'abort',
    version = 0,
  ): Promise<Producer & { errorCode: ErrorCode }> {
    const pending = this.endLater(transactionalId, producer, what, version);
    await turnOver(this.time);
    return pending.value;
  }

  endLater(
    transactionalId: string,
    { producerId, producerEpoch }: Producer,
    what: 'commit' | 'abort',
    version = 0,
  ): Pending<Producer & { errorCode: ErrorCode }> {
    const pending = new Pending<Producer & { errorCode: ErrorCode }>();
    this.coordinator.endTransaction(
      {
        transactionalId,
        producerId,
        producerEpoch,
        isCommit: what === 'commit',
        clientTransactionVersion: version,
      },
      pending.answer,
    );
    return pending;
  }

  async describe(transactionalId: string) {
    const described = this.coordinator.describeTransactions([transactionalId]);
    await turnOver(this.time);
    return (await described)[0]!;
  }

  async stateOf(transactionalId: string): Promise<string> {
    const { errorCode, transactionState, producerId, producerEpoch } = await this.describe(transactionalId);
    return errorCode === Errors.NONE
      ? `${transactionState} ${producerId}/${producerEpoch}`
      : `error ${errorCode}`;
  }

  /** What the log says of each transactional id, in order: `x Ongoing 1000/0 t-0`. */
  history(): string[] {
    this.time.advance(UNHURRIED_MS);
    const serde = new TransactionRecordSerde();
    const lines: string[] = [];
    for (const batch of this.log.batches) {
      for (const { key, value } of records(batch)) {
        const record = serde.decode(key!, value)!;
        const { transactionalId, metadata } = record;
        if (metadata === null) lines.push(`${transactionalId} gone`);
        else {
          const { state, producerId, producerEpoch, partitions } = metadata;
          const all = Array.from(partitions, ([topic, of]) => [...of].map((n) => ` ${topic}-${n}`)).flat();
          lines.push(`${transactionalId} ${state} ${producerId}/${producerEpoch}${all.join('')}`);
        }
      }
    }
    return lines;
  }

  #newCoordinator(): TransactionCoordinator {
    const { time } = this;
    return new TransactionCoordinator({
      clock: time,
      timers: time,
      turn: time,
      logger: silent,
      config: this.config,
      topic: '__transaction_state',
      partitionCount: () => 1,
      coordinatorEpoch: () => 7,
      transactionVersion: () => this.transactionVersion,
      isPartitionThere: (topic, partition) => !this.deleted.has(`${topic}-${partition}`),
      producerIds: { next: async () => this.#newProducerId() },
      markers: { write: (markers, done) => this.partitions.write(markers, done) },
    });
  }

  #newProducerId(): bigint {
    if (this.producerIdsFail) throw new ProtocolError(Errors.COORDINATOR_LOAD_IN_PROGRESS);
    this.nextProducerId += 1n;
    return this.nextProducerId - 1n;
  }
}

function topicsOf(partitions: readonly string[]): { name: string; partitions: number[] }[] {
  const topics = new Map<string, number[]>();
  for (const one of partitions) {
    const at = one.lastIndexOf('-');
    const name = one.slice(0, at);
    topics.set(name, [...(topics.get(name) ?? []), Number(one.slice(at + 1))]);
  }
  return Array.from(topics, ([name, numbers]) => ({ name, partitions: numbers }));
}
