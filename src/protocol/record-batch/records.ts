/**
 * Records as objects, for tests, tools, replay of metadata and coordinator state. The produce and fetch paths do not
 * come here.
 */
import { decompress, type PlainScratch } from '../compression/index.ts';
import * as header from './header.ts';
import { bigVarlongValue, type WalkFailure, walkFailureText, walkRecords } from './walk.ts';

export interface RecordHeader {
  readonly key: string;
  readonly value: Uint8Array | null;
}

export interface KafkaRecord {
  readonly offset: number;
  /** Milliseconds by convention, but any 64 bits. The batch's max timestamp where it has LogAppendTime. */
  readonly timestamp: bigint;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

/** The records of a batch are malformed, or its codec is unknown. */
export class InvalidRecordError extends Error {
  readonly failure: WalkFailure | 'codec' | 'batch';
  constructor(failure: WalkFailure | 'codec' | 'batch', message: string) {
    super(message);
    this.name = 'InvalidRecordError';
    this.failure = failure;
  }
}

/** Bound on the plain form of one batch where the caller names none. */
export const DEFAULT_MAX_PLAIN_BYTES = 256 * 1024 * 1024;

export interface RecordsOptions {
  /** Position of the batch's first byte. Default 0. */
  readonly at?: number;
  /** Most bytes that the payload may have once decompressed. */
  readonly maxPlainBytes?: number;
}

class Cursor {
  readonly bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  varint(): number {
    let raw = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes[this.at++]!;
      raw |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1);
    }
  }

  varlong(): bigint {
    const from = this.at;
    while (this.bytes[this.at++]! >= 0x80);
    return bigVarlongValue(this.bytes, from, this.at);
  }

  nullableBytes(): Uint8Array | null {
    const length = this.varint();
    return length < 0 ? null : this.view(length);
  }

  view(length: number): Uint8Array {
    const from = this.at;
    this.at += length;
    return this.bytes.subarray(from, this.at);
  }
}

const utf8 = new TextDecoder();

function readRecord(
  cursor: Cursor,
  baseOffset: number,
  baseTimestamp: bigint,
  appended: bigint | undefined,
): KafkaRecord {
  cursor.varint(); // length, checked by the walk
  cursor.at += 1; // attributes, of which none is defined
  const delta = cursor.varlong();
  const offset = baseOffset + cursor.varint();
  const key = cursor.nullableBytes();
  const value = cursor.nullableBytes();
  const headers: RecordHeader[] = [];
  for (let left = cursor.varint(); left > 0; left--) {
    const name = utf8.decode(cursor.view(cursor.varint()));
    headers.push({ key: name, value: cursor.nullableBytes() });
  }
  return { offset, timestamp: appended ?? BigInt.asIntN(64, baseTimestamp + delta), key, value, headers };
}

/**
 * The plain payload of a batch: a view where it is not compressed; otherwise a new buffer, or memory of `scratch`. Throws as
 * {@link records}.
 */
export function plainPayload(
  batch: Uint8Array,
  at: number,
  maxPlainBytes: number,
  scratch?: PlainScratch,
): Uint8Array {
  const end = at + header.sizeInBytes(batch, at);
  const payload = batch.subarray(at + header.RECORDS_AT, end);
  const codec = header.compressionOf(batch, at);
  if (codec === undefined) {
    throw new InvalidRecordError('codec', `unknown compression id ${header.compressionId(batch, at)}`);
  }
  return codec === 'none' ? payload : decompress(codec, payload, maxPlainBytes, scratch);
}

/**
 * The records of one batch of format 2, all checked before the first one comes out. Keys and values are views of the
 * batch, or of its decompressed form. Throws {@link InvalidRecordError} and what `decompress` throws; zstd needs
 * `prepareCodec` before. Does not check the CRC.
 */
export function* records(
  batch: Uint8Array,
  options: RecordsOptions = {},
): Generator<KafkaRecord, void, undefined> {
  const at = options.at ?? 0;
  if (header.batchSizeAt(batch, at) === -1) throw new InvalidRecordError('batch', 'the batch is cut short');
  if (header.magic(batch, at) !== header.CURRENT_MAGIC) {
    throw new InvalidRecordError('batch', `format ${header.magic(batch, at)} is not supported`);
  }
  const count = header.recordCount(batch, at);
  const payload = plainPayload(batch, at, options.maxPlainBytes ?? DEFAULT_MAX_PLAIN_BYTES);
  const walk = walkRecords(payload, 0, payload.length, count);
  if (walk.failure !== undefined) {
    throw new InvalidRecordError(walk.failure, walkFailureText(walk.failure, walk.records));
  }
  const baseOffset = header.baseOffset(batch, at);
  const baseTimestamp = header.baseTimestamp(batch, at);
  const appended =
    header.timestampType(batch, at) === 'LogAppendTime' ? header.maxTimestamp(batch, at) : undefined;
  const cursor = new Cursor(payload, 0);
  for (let left = count; left > 0; left--) yield readRecord(cursor, baseOffset, baseTimestamp, appended);
}

/** Positions of the whole batches in `bytes[from, to)`, one after the other; stops before an incomplete one. */
export function* batchPositions(
  bytes: Uint8Array,
  from = 0,
  to: number = bytes.length,
): Generator<number, void, undefined> {
  for (let at = from; ; ) {
    const size = header.batchSizeAt(bytes, at, to);
    if (size === -1) return;
    yield at;
    at += size;
  }
}
