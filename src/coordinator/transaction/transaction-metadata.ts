import { isAtRest, type TransactionState } from './transaction-state.ts';

export const NO_PRODUCER_ID = -1n;
export const NO_PRODUCER_EPOCH = -1;
const NO_TIME = -1;
const EPOCH_MAX = 32_767;
/** The last epoch that clients see: one more is kept so that the coordinator can always fence (KIP-360). */
export const CLIENT_EPOCH_MAX = EPOCH_MAX - 1;
/** The timeout of a transaction that takes part in a two-phase commit: none (KIP-939). */
export const NO_TIMEOUT_MS = 2_147_483_647;
/** From this transaction version on each transaction has an epoch of its own (KIP-890, part 2). */
export const EPOCH_BUMP_VERSION = 2;

export type TransactionPartitions = ReadonlyMap<string, ReadonlySet<number>>;

export const NO_PARTITIONS: TransactionPartitions = new Map();
/** Copied sooner than an empty map is. */
const NO_ENTRIES: readonly (readonly [string, ReadonlySet<number>])[] = [];

export interface TopicPartitions {
  readonly name: string;
  readonly partitions: readonly number[];
}

/** All that is known of a transactional id. Never changed: each step makes the next one. */
export interface TransactionMetadata {
  readonly producerId: bigint;
  /** The producer id before the last step; mostly the same. -1n where not known. */
  readonly previousProducerId: bigint;
  /** What the producer goes on with once this transaction is complete; -1n for the same id. */
  readonly nextProducerId: bigint;
  readonly producerEpoch: number;
  /** The epoch before, for whoever asks again for a bump that was made. Not in the log: -1 after a load. */
  readonly lastProducerEpoch: number;
  readonly timeoutMs: number;
  readonly state: TransactionState;
  readonly partitions: TransactionPartitions;
  /** Wall clock; -1 before the first transaction. */
  readonly startMs: number;
  readonly lastUpdateMs: number;
  /** What the client's requests told of its transaction version: 0 or 2. */
  readonly clientTransactionVersion: number;
}

/** Of a transactional id that nobody has used before; not to be written as it is. */
export function unusedTransactionalId(producerId: bigint): TransactionMetadata {
  return {
    producerId,
    previousProducerId: NO_PRODUCER_ID,
    nextProducerId: NO_PRODUCER_ID,
    producerEpoch: NO_PRODUCER_EPOCH,
    lastProducerEpoch: NO_PRODUCER_EPOCH,
    timeoutMs: 0,
    state: 'Empty',
    partitions: NO_PARTITIONS,
    startMs: NO_TIME,
    lastUpdateMs: 0,
    clientTransactionVersion: 0,
  };
}

export function isEpochExhausted(epoch: number): boolean {
  return epoch >= CLIENT_EPOCH_MAX;
}

export function includesPartition(metadata: TransactionMetadata, topic: string, partition: number): boolean {
  return metadata.partitions.get(topic)?.has(partition) === true;
}

export function includesAll(metadata: TransactionMetadata, topics: readonly TopicPartitions[]): boolean {
  return topics.every(({ name, partitions }) =>
    partitions.every((partition) => includesPartition(metadata, name, partition)),
  );
}

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] };

/** A copy to be changed and given away; spelled out, since spreads cost as much as all else that a step does. */
function copyOf(before: TransactionMetadata): Mutable<TransactionMetadata> {
  return {
    producerId: before.producerId,
    previousProducerId: before.previousProducerId,
    nextProducerId: before.nextProducerId,
    producerEpoch: before.producerEpoch,
    lastProducerEpoch: before.lastProducerEpoch,
    timeoutMs: before.timeoutMs,
    state: before.state,
    partitions: before.partitions,
    startMs: before.startMs,
    lastUpdateMs: before.lastUpdateMs,
    clientTransactionVersion: before.clientTransactionVersion,
  };
}

/** A producer begins with this id and epoch: nothing is open. */
export function initialized(
  before: TransactionMetadata,
  producer: Pick<TransactionMetadata, 'producerId' | 'producerEpoch' | 'lastProducerEpoch'>,
  timeoutMs: number,
  nowMs: number,
): TransactionMetadata {
  return {
    ...before,
    ...producer,
    previousProducerId: before.producerId,
    timeoutMs,
    state: 'Empty',
    partitions: NO_PARTITIONS,
    startMs: NO_TIME,
    lastUpdateMs: nowMs,
  };
}

/** The transaction includes these partitions too; it begins with the first of them. */
export function withPartitions(
  before: TransactionMetadata,
  added: readonly TopicPartitions[],
  clientTransactionVersion: number,
  nowMs: number,
): TransactionMetadata {
  const partitions = new Map(before.partitions.size === 0 ? NO_ENTRIES : before.partitions);
  for (const { name, partitions: numbers } of added) {
    const known = partitions.get(name);
    if (numbers.length > 0)
      partitions.set(name, known === undefined ? new Set(numbers) : new Set([...known, ...numbers]));
  }
  const after = copyOf(before);
  after.previousProducerId = before.producerId;
  after.state = 'Ongoing';
  after.partitions = partitions;
  if (isAtRest(before.state)) after.startMs = nowMs;
  after.lastUpdateMs = nowMs;
  after.clientTransactionVersion = clientTransactionVersion;
  return after;
}

export interface Preparation {
  readonly state: 'PrepareCommit' | 'PrepareAbort';
  readonly clientTransactionVersion: number;
  /** -1n unless the epochs of the producer id are used up by this end. */
  readonly nextProducerId: bigint;
}

/**
 * The end of the transaction is decided. With transaction version 2 the markers have an epoch of their own, above all
 * that the transaction wrote, and an abort may come without a transaction: it begins and ends now.
 */
export function prepared(
  before: TransactionMetadata,
  { state, clientTransactionVersion, nextProducerId }: Preparation,
  nowMs: number,
): TransactionMetadata {
  const after = copyOf(before);
  after.previousProducerId = before.producerId;
  after.nextProducerId = nextProducerId;
  if (clientTransactionVersion >= EPOCH_BUMP_VERSION) {
    after.producerEpoch = nextEpoch(before.producerEpoch);
    after.lastProducerEpoch = before.producerEpoch;
  }
  after.state = state;
  if (isAtRest(before.state)) after.startMs = nowMs;
  after.lastUpdateMs = nowMs;
  after.clientTransactionVersion = clientTransactionVersion;
  return after;
}

/** All markers are written. */
export function completed(before: TransactionMetadata, nowMs: number): TransactionMetadata {
  const after = copyOf(before);
  after.previousProducerId = before.producerId;
  after.nextProducerId = NO_PRODUCER_ID;
  if (before.clientTransactionVersion >= EPOCH_BUMP_VERSION && before.nextProducerId !== NO_PRODUCER_ID) {
    after.producerId = before.nextProducerId;
    after.producerEpoch = 0;
  }
  after.state = before.state === 'PrepareCommit' ? 'CompleteCommit' : 'CompleteAbort';
  after.partitions = NO_PARTITIONS;
  after.lastUpdateMs = nowMs;
  return after;
}

/**
 * The open transaction is aborted by the coordinator, under an epoch that its producer does not have. With transaction
 * version 2 a new producer id must come along once the epochs are used up.
 */
export function fenced(
  before: TransactionMetadata,
  transactionVersion: number,
  nextProducerId: bigint,
  nowMs: number,
): TransactionMetadata {
  const state = 'PrepareAbort';
  if (transactionVersion >= EPOCH_BUMP_VERSION) {
    return prepared(before, { state, clientTransactionVersion: EPOCH_BUMP_VERSION, nextProducerId }, nowMs);
  }
  const bumped = {
    ...before,
    producerEpoch: nextEpoch(before.producerEpoch),
    lastProducerEpoch: NO_PRODUCER_EPOCH,
  };
  return prepared(bumped, { state, clientTransactionVersion: 0, nextProducerId: NO_PRODUCER_ID }, nowMs);
}

const nextEpoch = (epoch: number): number => Math.min(epoch + 1, EPOCH_MAX);
