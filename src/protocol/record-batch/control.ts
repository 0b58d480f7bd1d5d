/** Control records: what transactions and the metadata quorum write between the records of users. */
import { BatchBuilder } from './builder.ts';
import * as header from './header.ts';

/** The types of control records, by the id in their key. */
export const ControlType = {
  ABORT: 0,
  COMMIT: 1,
  LEADER_CHANGE: 2,
  SNAPSHOT_HEADER: 3,
  SNAPSHOT_FOOTER: 4,
  KRAFT_VERSION: 5,
  KRAFT_VOTERS: 6,
} as const;

export type ControlType = (typeof ControlType)[keyof typeof ControlType];

/** A control record's key or value is malformed. */
export class InvalidControlRecordError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InvalidControlRecordError';
  }
}

const KEY_BYTES = 4;
const KEY_VERSION = 0;
const END_TXN_VALUE_BYTES = 6;
const END_TXN_VERSION = 0;

/** The key of a control record: version and type, two bytes each. */
export function controlKey(type: ControlType): Buffer {
  const key = Buffer.alloc(KEY_BYTES);
  key.writeInt16BE(KEY_VERSION, 0);
  key.writeInt16BE(type, 2);
  return key;
}

function int16(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) >> 16) | bytes[at + 1]!;
}

function int32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

function isControlType(id: number): id is ControlType {
  return id >= ControlType.ABORT && id <= ControlType.KRAFT_VOTERS;
}

/**
 * The type in a control record's key; undefined for a type of a later Kafka, which readers skip. Later versions of the
 * key only add fields. Throws {@link InvalidControlRecordError}.
 */
export function controlTypeOf(key: Uint8Array | null): ControlType | undefined {
  if (key === null || key.length < KEY_BYTES) {
    throw new InvalidControlRecordError(
      `the key of a control record has ${key?.length ?? 'no'} bytes, not ${KEY_BYTES}`,
    );
  }
  if (int16(key, 0) < 0)
    throw new InvalidControlRecordError('the key of a control record has a negative version');
  const id = int16(key, 2);
  return isControlType(id) ? id : undefined;
}

/** The value of a COMMIT or ABORT marker. */
export function endTxnMarkerValue(coordinatorEpoch: number): Buffer {
  const value = Buffer.alloc(END_TXN_VALUE_BYTES);
  value.writeInt16BE(END_TXN_VERSION, 0);
  value.writeInt32BE(coordinatorEpoch, 2);
  return value;
}

/** The coordinator epoch of a COMMIT or ABORT marker. Throws {@link InvalidControlRecordError}. */
export function coordinatorEpochOf(value: Uint8Array | null): number {
  if (value === null || value.length < END_TXN_VALUE_BYTES || int16(value, 0) < 0) {
    throw new InvalidControlRecordError('the value of a transaction marker is malformed');
  }
  return int32(value, 2);
}

export interface EndTxnMarker {
  readonly committed: boolean;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly coordinatorEpoch: number;
  /** Milliseconds. */
  readonly timestamp: bigint;
  readonly baseOffset?: number;
  readonly leaderEpoch?: number;
}

/** All markers are of this shape: what differs is patched, and found again at the same places. */
const MARKER_RECORD = new BatchBuilder()
  .append({ key: controlKey(ControlType.COMMIT), value: endTxnMarkerValue(0), timestamp: 0 })
  .build()
  .subarray(header.RECORDS_AT);
const MARKER_TYPE_AT = MARKER_RECORD.indexOf(controlKey(ControlType.COMMIT)) + 3;
const MARKER_EPOCH_AT = MARKER_RECORD.length - 1 - 4;
const MARKER_BATCH_BYTES = header.RECORDS_AT + MARKER_RECORD.length;
const MARKER_ATTRIBUTES = header.TRANSACTIONAL_FLAG | header.CONTROL_FLAG;

/** The batch that ends a producer's transaction in one partition. */
export function endTxnMarkerBatch(marker: EndTxnMarker): Buffer {
  const { timestamp } = marker;
  const batch = Buffer.allocUnsafe(MARKER_BATCH_BYTES);
  batch.set(MARKER_RECORD, header.RECORDS_AT);
  batch[header.RECORDS_AT + MARKER_TYPE_AT] = marker.committed ? ControlType.COMMIT : ControlType.ABORT;
  batch.writeInt32BE(marker.coordinatorEpoch, header.RECORDS_AT + MARKER_EPOCH_AT);
  header.writeHeader(batch, 0, {
    baseOffset: marker.baseOffset ?? 0,
    sizeInBytes: MARKER_BATCH_BYTES,
    leaderEpoch: marker.leaderEpoch ?? -1,
    attributes: MARKER_ATTRIBUTES,
    lastOffsetDelta: 0,
    baseTimestamp: timestamp,
    maxTimestamp: timestamp,
    producerId: marker.producerId,
    producerEpoch: marker.producerEpoch,
    baseSequence: -1,
    recordCount: 1,
  });
  return batch;
}

/**
 * What a batch of {@link endTxnMarkerBatch} says, read without taking it apart; undefined for any other batch, among
 * them markers that were written in another way.
 */
export function readEndTxnMarker(
  batch: Uint8Array,
  at: number,
): Pick<EndTxnMarker, 'committed' | 'coordinatorEpoch' | 'timestamp'> | undefined {
  if (header.attributes(batch, at) !== MARKER_ATTRIBUTES) return undefined;
  if (header.sizeInBytes(batch, at) !== MARKER_BATCH_BYTES || header.recordCount(batch, at) !== 1)
    return undefined;
  const from = at + header.RECORDS_AT;
  const type = batch[from + MARKER_TYPE_AT];
  if (type !== ControlType.COMMIT && type !== ControlType.ABORT) return undefined;
  for (let n = 0; n < MARKER_RECORD.length; n += 1) {
    const isGiven = n === MARKER_TYPE_AT || (n >= MARKER_EPOCH_AT && n < MARKER_EPOCH_AT + 4);
    if (!isGiven && batch[from + n] !== MARKER_RECORD[n]) return undefined;
  }
  return {
    committed: type === ControlType.COMMIT,
    coordinatorEpoch: int32(batch, from + MARKER_EPOCH_AT),
    timestamp: header.baseTimestamp(batch, at),
  };
}

export interface ControlRecordInput {
  readonly type: ControlType;
  /** The encoded message of the type (LeaderChangeMessage, SnapshotHeaderRecord, ...), without a version before it. */
  readonly value: Uint8Array;
}

export interface ControlBatchOptions {
  readonly baseOffset: number;
  readonly leaderEpoch: number;
  /** Milliseconds, for every record of the batch. */
  readonly timestamp: bigint;
}

/** A batch of the metadata quorum's control records: leader change, snapshot header and footer, KRaft version, voters. */
export function controlBatch(options: ControlBatchOptions, records: readonly ControlRecordInput[]): Buffer {
  const builder = new BatchBuilder({
    baseOffset: options.baseOffset,
    leaderEpoch: options.leaderEpoch,
    isControl: true,
  });
  for (const record of records) {
    builder.append({ timestamp: options.timestamp, key: controlKey(record.type), value: record.value });
  }
  return builder.build();
}
