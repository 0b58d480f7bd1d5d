/** Builds message sets of format 0 and 1. */
import { crc32 } from 'node:zlib';
import { assert } from '../../base/assert.ts';
import { codecId } from '../compression/codec.ts';
import { compress, compressOldLz4 } from '../compression/index.ts';
import { LOG_OVERHEAD, MAGIC_AT, TIMESTAMP_TYPE_FLAG, type TimestampType } from './header.ts';
import { MESSAGE_ATTRIBUTES_AT, MESSAGE_CRC_AT } from './message-set.ts';

export type OldMagic = 0 | 1;

export interface MessageSetOptions {
  readonly magic: OldMagic;
  /** Anything but `none` makes one compressed message with all others in it. */
  readonly compression: 'none' | 'gzip' | 'snappy' | 'lz4';
  readonly timestampType: TimestampType;
  /** The timestamp of all messages with LogAppendTime; needed there and only there. */
  readonly logAppendTime?: bigint | undefined;
}

const FIRST_CAPACITY = 1024;
/** Bytes of a message without key and value. */
const OVERHEAD = [LOG_OVERHEAD + 14, LOG_OVERHEAD + 22] as const;
const TWO_32 = 4294967296;

/** Collects messages, then gives the set once. Messages are written as they come; nothing of the input is kept. */
export class MessageSetBuilder {
  readonly #options: MessageSetOptions;
  #bytes: Buffer = Buffer.allocUnsafe(FIRST_CAPACITY);
  #end = 0;
  #firstOffset = -1;
  #lastOffset = -1;
  #maxTimestamp = -1n;

  constructor(options: MessageSetOptions) {
    assert(
      (options.timestampType === 'LogAppendTime') === (options.logAppendTime !== undefined),
      'a message set has a log append time exactly where that is its timestamp type',
    );
    this.#options = options;
  }

  /** Offsets grow from message to message. A format without timestamps leaves them out. */
  append(offset: number, timestamp: bigint, key: Uint8Array | null, value: Uint8Array | null): void {
    assert(offset > this.#lastOffset, 'offsets grow');
    const { magic, compression, logAppendTime } = this.#options;
    if (this.#firstOffset === -1) this.#firstOffset = offset;
    this.#lastOffset = offset;
    const time = logAppendTime ?? timestamp;
    if (time > this.#maxTimestamp) this.#maxTimestamp = time;
    // Within a compressed message of format 1 offsets count from its first one.
    const isRelative = magic === 1 && compression !== 'none';
    this.#write(isRelative ? offset - this.#firstOffset : offset, 0, time, key, value);
  }

  /** The set; empty without messages. The builder is of no use afterwards: the buffer is its own. */
  build(): Buffer {
    const { magic, compression } = this.#options;
    const plain = this.#bytes.subarray(0, this.#end);
    if (compression === 'none' || plain.length === 0) return plain;
    const isOldLz4 = compression === 'lz4' && magic === 0;
    const value = isOldLz4 ? compressOldLz4(plain) : compress(compression, plain);
    this.#bytes = Buffer.allocUnsafe(OVERHEAD[magic] + value.length);
    this.#end = 0;
    this.#write(this.#lastOffset, codecId(compression), this.#maxTimestamp, null, value);
    return this.#bytes.subarray(0, this.#end);
  }

  #write(
    offset: number,
    codec: number,
    timestamp: bigint,
    key: Uint8Array | null,
    value: Uint8Array | null,
  ): void {
    const { magic, timestampType } = this.#options;
    const size = OVERHEAD[magic] + (key?.length ?? 0) + (value?.length ?? 0);
    this.#reserve(size);
    const bytes = this.#bytes;
    const start = this.#end;
    bytes.writeInt32BE(Math.floor(offset / TWO_32), start);
    bytes.writeInt32BE(offset | 0, start + 4);
    bytes.writeInt32BE(size - LOG_OVERHEAD, start + 8);
    bytes[start + MAGIC_AT] = magic;
    let attributes = codec;
    if (magic === 1 && timestampType === 'LogAppendTime') attributes |= TIMESTAMP_TYPE_FLAG;
    bytes[start + MESSAGE_ATTRIBUTES_AT] = attributes;
    let at = start + MESSAGE_ATTRIBUTES_AT + 1;
    if (magic === 1) at = bytes.writeBigInt64BE(timestamp, at);
    at = writeBytes(bytes, at, key);
    at = writeBytes(bytes, at, value);
    bytes.writeUInt32BE(crc32(bytes.subarray(start + MAGIC_AT, at)), start + MESSAGE_CRC_AT);
    this.#end = at;
  }

  #reserve(more: number): void {
    const needed = this.#end + more;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = larger;
  }
}

function writeBytes(into: Buffer, at: number, bytes: Uint8Array | null): number {
  if (bytes === null) return into.writeInt32BE(-1, at);
  into.set(bytes, into.writeInt32BE(bytes.length, at));
  return at + 4 + bytes.length;
}
