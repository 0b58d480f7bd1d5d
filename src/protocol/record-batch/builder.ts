/** Builds record batches of format 2. */
import { assert } from '../../base/assert.ts';
import { type CompressionCodec, codecId } from '../compression/codec.ts';
import { compress } from '../compression/index.ts';
import * as header from './header.ts';

export interface BatchOptions {
  readonly baseOffset?: number;
  /** Partition leader epoch. Default -1. */
  readonly leaderEpoch?: number;
  /** Default `none`. zstd needs `prepareCodec` before {@link BatchBuilder.build}. */
  readonly compression?: CompressionCodec;
  readonly compressionLevel?: number;
  /** Default `CreateTime`. */
  readonly timestampType?: header.TimestampType;
  /** The max timestamp of a batch with LogAppendTime; needed there and only there. */
  readonly logAppendTime?: bigint;
  readonly producerId?: bigint;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
  readonly isTransactional?: boolean;
  readonly isControl?: boolean;
  /** Bytes to begin with: what the batch will take, as far as that is known. Default 512. */
  readonly capacity?: number;
}

/** Bytes that somebody else has and copies to where they are wanted. */
export interface Written {
  readonly length: number;
  copyTo(into: Uint8Array, start: number): void;
}

export interface RecordInput {
  /** Must grow from record to record. Default: the offset after the last one. */
  readonly offset?: number;
  /** A number must be a safe integer. Default -1: none. */
  readonly timestamp?: bigint | number;
  readonly key?: Uint8Array | Written | null;
  readonly value?: Uint8Array | Written | null;
  readonly headers?: readonly { readonly key: string; readonly value: Uint8Array | null }[];
}

const FIRST_CAPACITY = 512;
const MAX_VARINT_BYTES = 5;
const MAX_VARLONG_BYTES = 10;
// Attributes, timestamp and offset deltas, three lengths, count of headers.
const MAX_RECORD_OVERHEAD = 1 + MAX_VARLONG_BYTES + 5 * MAX_VARINT_BYTES;

const NO_HEADERS: readonly { readonly key: Uint8Array; readonly value: Uint8Array | null }[] = [];
const utf8 = new TextEncoder();

function sizeOfVarint(value: number): number {
  const raw = ((value << 1) ^ (value >> 31)) >>> 0;
  return raw < 0x80 ? 1 : raw < 0x4000 ? 2 : raw < 0x200000 ? 3 : raw < 0x10000000 ? 4 : 5;
}

function writeVarint(into: Uint8Array, at: number, value: number): number {
  let raw = ((value << 1) ^ (value >> 31)) >>> 0;
  let position = at;
  for (; raw >= 0x80; raw >>>= 7) into[position++] = (raw & 0x7f) | 0x80;
  into[position++] = raw;
  return position;
}

function writeVarlong(into: Uint8Array, at: number, value: bigint | number): number {
  if (typeof value === 'number') return writeVarint(into, at, value);
  let raw = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  let position = at;
  for (; raw >= 0x80n; raw >>= 7n) into[position++] = Number(raw & 0x7fn) | 0x80;
  into[position++] = Number(raw);
  return position;
}

function writeBytes(into: Uint8Array, at: number, bytes: Uint8Array | Written | null): number {
  if (bytes === null) return writeVarint(into, at, -1);
  const start = writeVarint(into, at, bytes.length);
  if (bytes instanceof Uint8Array) into.set(bytes, start);
  else bytes.copyTo(into, start);
  return start + bytes.length;
}

/** Collects records, then gives the batch once. Records are written as they come; nothing of the input is kept. */
export class BatchBuilder {
  readonly #options: BatchOptions;
  #bytes: Buffer;
  #end = header.RECORDS_AT;
  #count = 0;
  #lastOffsetDelta = -1;
  #baseTimestamp = -1n;
  #maxTimestamp = -1n;
  #lastGiven: bigint | number = -1n;
  /** A number where it fits an int32, as nearly all do. */
  #timestampDelta: bigint | number = 0;

  constructor(options: BatchOptions = {}) {
    assert(
      (options.timestampType === 'LogAppendTime') === (options.logAppendTime !== undefined),
      'a batch has a log append time exactly where that is its timestamp type',
    );
    this.#options = options;
    this.#bytes = Buffer.allocUnsafe(options.capacity ?? FIRST_CAPACITY);
  }

  get recordCount(): number {
    return this.#count;
  }

  /** Bytes of the batch so far, before compression. */
  get sizeInBytes(): number {
    return this.#end;
  }

  append(record: RecordInput): this {
    const given = record.timestamp ?? -1;
    // Most records of a batch that is written here have the time of the one before.
    if (given !== this.#lastGiven || this.#count === 0) this.#takeTimestamp(given);
    const baseOffset = this.#options.baseOffset ?? 0;
    const offsetDelta = record.offset === undefined ? this.#lastOffsetDelta + 1 : record.offset - baseOffset;
    assert(
      offsetDelta > this.#lastOffsetDelta && offsetDelta <= 0x7fffffff,
      'offsets grow, by less than 2^31',
    );
    this.#write(record, offsetDelta, this.#timestampDelta);
    this.#lastOffsetDelta = offsetDelta;
    this.#count += 1;
    return this;
  }

  #takeTimestamp(given: bigint | number): void {
    const timestamp = BigInt(given);
    if (this.#count === 0) {
      this.#baseTimestamp = timestamp;
      this.#maxTimestamp = timestamp;
      this.#lastGiven = given;
      return;
    }
    if (timestamp > this.#maxTimestamp) {
      this.#maxTimestamp = timestamp;
    }
    this.#lastGiven = given;
    const delta = BigInt.asIntN(64, timestamp - this.#baseTimestamp);
    this.#timestampDelta = BigInt.asIntN(32, delta) === delta ? Number(delta) : delta;
  }

  #write(record: RecordInput, offsetDelta: number, timestampDelta: bigint | number): void {
    const key = record.key ?? null;
    const value = record.value ?? null;
    const headers =
      record.headers === undefined || record.headers.length === 0
        ? NO_HEADERS
        : record.headers.map((one) => ({ key: utf8.encode(one.key), value: one.value }));
    let most = MAX_RECORD_OVERHEAD + (key?.length ?? 0) + (value?.length ?? 0);
    for (const one of headers) most += 2 * MAX_VARINT_BYTES + one.key.length + (one.value?.length ?? 0);
    this.#reserve(most + MAX_VARINT_BYTES);

    // The body is written where it lies when its length takes one byte, and moved where it takes more.
    const into = this.#bytes;
    const start = this.#end + 1;
    into[start] = 0;
    let at = writeVarlong(into, start + 1, timestampDelta);
    at = writeVarint(into, at, offsetDelta);
    at = writeBytes(into, at, key);
    at = writeBytes(into, at, value);
    at = writeVarint(into, at, headers.length);
    for (const one of headers) {
      at = writeBytes(into, at, one.key);
      at = writeBytes(into, at, one.value);
    }
    const length = at - start;
    const shift = sizeOfVarint(length) - 1;
    if (shift > 0) into.copyWithin(start + shift, start, at);
    writeVarint(into, this.#end, length);
    this.#end = at + shift;
  }

  #reserve(more: number): void {
    const needed = this.#end + more;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = larger;
  }

  /** The batch with its CRC. The builder is of no use afterwards: the buffer is its own. */
  build(): Buffer {
    assert(this.#count > 0, 'a batch has at least one record');
    const options = this.#options;
    const codec = options.compression ?? 'none';
    let batch = this.#bytes.subarray(0, this.#end);
    if (codec !== 'none') {
      const payload = compress(codec, batch.subarray(header.RECORDS_AT), options.compressionLevel);
      batch = Buffer.allocUnsafe(header.BATCH_OVERHEAD + payload.length);
      batch.set(payload, header.RECORDS_AT);
    }
    let attributes = codecId(codec);
    if (options.timestampType === 'LogAppendTime') attributes |= header.TIMESTAMP_TYPE_FLAG;
    if (options.isTransactional === true) attributes |= header.TRANSACTIONAL_FLAG;
    if (options.isControl === true) attributes |= header.CONTROL_FLAG;
    header.writeHeader(batch, 0, {
      baseOffset: options.baseOffset ?? 0,
      sizeInBytes: batch.length,
      leaderEpoch: options.leaderEpoch ?? -1,
      attributes,
      lastOffsetDelta: this.#lastOffsetDelta,
      baseTimestamp: this.#baseTimestamp,
      maxTimestamp: options.logAppendTime ?? this.#maxTimestamp,
      producerId: options.producerId ?? -1n,
      producerEpoch: options.producerEpoch ?? -1,
      baseSequence: options.baseSequence ?? -1,
      recordCount: this.#count,
    });
    return batch;
  }
}
