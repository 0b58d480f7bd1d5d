import { decode, encode } from '../../protocol/codec.ts';
import {
  TransactionLogKey,
  TransactionLogValue,
} from '../../protocol/transaction-records/transaction-log.ts';
import { Writer } from '../../protocol/writer.ts';
import type { RecordBytes, RecordSerde } from '../runtime/ports.ts';
import {
  NO_PARTITIONS,
  NO_PRODUCER_EPOCH,
  NO_PRODUCER_ID,
  type TransactionMetadata,
  type TransactionPartitions,
} from './transaction-metadata.ts';
import { transactionStateId, transactionStateOf } from './transaction-state.ts';

/** A record of `__transaction_state`; null is a tombstone. */
export interface TransactionRecord {
  readonly transactionalId: string;
  readonly metadata: TransactionMetadata | null;
  /** Of the value: 1, with tagged fields, from transaction.version 1 on (KIP-890). */
  readonly version: number;
}

const KEY_VERSION = 0;
const TAGGED_VERSION_MIN = 1;
const VERSION_BYTES = 2;

export function transactionRecord(
  transactionalId: string,
  metadata: TransactionMetadata | null,
  transactionVersion: number,
): TransactionRecord {
  return { transactionalId, metadata, version: transactionVersion >= 1 ? TAGGED_VERSION_MIN : 0 };
}

/** Records as Apache Kafka has them: the type before the key, the version before the value. */
export class TransactionRecordSerde implements RecordSerde<TransactionRecord> {
  readonly #key = new Writer();
  readonly #value = new Writer();

  encode({ transactionalId, metadata, version }: TransactionRecord): RecordBytes {
    const key = this.#key;
    const value = this.#value;
    key.release();
    value.release();
    key.int16(TransactionLogKey.apiKey);
    encode(TransactionLogKey, KEY_VERSION, { transactionalId }, key);
    if (metadata === null) return { key, value: null };
    value.int16(version);
    encode(TransactionLogValue, version, logValueOf(metadata, version), value);
    return { key, value };
  }

  /** Throws on a state that is not known: to go on without it could end somebody's transaction the wrong way. */
  decode(key: Uint8Array, value: Uint8Array | null): TransactionRecord | undefined {
    if (key.length < VERSION_BYTES || int16(key) !== TransactionLogKey.apiKey) return undefined;
    const { transactionalId } = decode(TransactionLogKey, KEY_VERSION, key, VERSION_BYTES);
    if (value === null) return { transactionalId, metadata: null, version: 0 };
    const version = int16(value);
    if (version < TransactionLogValue.firstVersion || version > TransactionLogValue.lastVersion)
      return undefined;
    const metadata = metadataOf(transactionalId, decode(TransactionLogValue, version, value, VERSION_BYTES));
    return { transactionalId, metadata, version };
  }
}

function logValueOf(metadata: TransactionMetadata, version: number): TransactionLogValue {
  const isTagged = version >= TAGGED_VERSION_MIN;
  return {
    producerId: metadata.producerId,
    previousProducerId: isTagged ? metadata.previousProducerId : NO_PRODUCER_ID,
    nextProducerId: isTagged ? metadata.nextProducerId : NO_PRODUCER_ID,
    producerEpoch: metadata.producerEpoch,
    nextProducerEpoch: NO_PRODUCER_EPOCH,
    transactionTimeoutMs: metadata.timeoutMs,
    transactionStatus: transactionStateId(metadata.state),
    transactionPartitions: metadata.state === 'Empty' ? null : topicsOf(metadata.partitions),
    transactionLastUpdateTimestampMs: BigInt(metadata.lastUpdateMs),
    transactionStartTimestampMs: BigInt(metadata.startMs),
    clientTransactionVersion: isTagged ? metadata.clientTransactionVersion : 0,
  };
}

function metadataOf(transactionalId: string, value: TransactionLogValue): TransactionMetadata {
  const state = transactionStateOf(value.transactionStatus);
  if (state === undefined) {
    throw new Error(`transactional id ${transactionalId} is in the unknown state ${value.transactionStatus}`);
  }
  return {
    producerId: value.producerId,
    previousProducerId: value.previousProducerId,
    nextProducerId: value.nextProducerId,
    producerEpoch: value.producerEpoch,
    lastProducerEpoch: NO_PRODUCER_EPOCH,
    timeoutMs: value.transactionTimeoutMs,
    state,
    partitions: state === 'Empty' ? NO_PARTITIONS : partitionsOf(value.transactionPartitions ?? []),
    startMs: Number(value.transactionStartTimestampMs),
    lastUpdateMs: Number(value.transactionLastUpdateTimestampMs),
    clientTransactionVersion: value.clientTransactionVersion,
  };
}

function topicsOf(partitions: TransactionPartitions): { topic: string; partitionIds: number[] }[] {
  // Of known length: arrays that grow take room for more than most transactions have.
  const topics = new Array<{ topic: string; partitionIds: number[] }>(partitions.size);
  let at = 0;
  for (const [topic, numbers] of partitions) {
    const partitionIds = new Array<number>(numbers.size);
    let n = 0;
    for (const number of numbers) partitionIds[n++] = number;
    topics[at++] = { topic, partitionIds };
  }
  return topics;
}

function partitionsOf(
  topics: readonly { readonly topic: string; readonly partitionIds: readonly number[] }[],
): TransactionPartitions {
  return new Map(topics.map(({ topic, partitionIds }) => [topic, new Set(partitionIds)]));
}

function int16(bytes: Uint8Array): number {
  return ((bytes[0]! << 24) >> 16) | bytes[1]!;
}
