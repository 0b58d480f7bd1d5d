/**
 * Message sets: what clients before 0.11 write and read, formats 0 and 1. A message has offset, size, CRC-32 of all that
 * follows it, magic, attributes, in format 1 a timestamp, then key and value, each behind its length. A compressed message
 * holds a message set as its value; in format 1 the offsets in there count from the first one (KIP-31).
 */
import { crc32 } from 'node:zlib';
import { type CompressionCodec, codecOfId } from '../compression/codec.ts';
import { decompress, decompressOldLz4, type PlainScratch } from '../compression/index.ts';
import {
  COMPRESSION_MASK,
  CURRENT_MAGIC,
  HEADER_UP_TO_MAGIC,
  LOG_OVERHEAD,
  MAGIC_AT,
  TIMESTAMP_TYPE_FLAG,
  type TimestampType,
} from './header.ts';

export const MESSAGE_CRC_AT = 12;
export const MESSAGE_ATTRIBUTES_AT = 17;
const TIMESTAMP_AT = 18;
const KEY_AT = [18, 26] as const;
/** The size field of the smallest message: CRC, magic, attributes and two lengths. */
export const SMALLEST_MESSAGE_SIZE = 14;
const NO_TIMESTAMP = -1n;
const TWO_32 = 4294967296;

/** `corrupt`: a size or a CRC is wrong. `invalid`: what a message says can't be. */
export class InvalidMessageError extends Error {
  readonly failure: 'corrupt' | 'invalid';
  constructor(failure: 'corrupt' | 'invalid', message: string) {
    super(message);
    this.name = 'InvalidMessageError';
    this.failure = failure;
  }
}

/** Where a message lies, and its absolute offset: what stands there is relative for those in a wrapper of format 1. */
export interface MessageSlot {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly offset: number;
}

export interface Message {
  readonly offset: number;
  /** Milliseconds by convention, but any 64 bits; -1 in format 0. */
  readonly timestamp: bigint;
  /** Views of the bytes. */
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
}

/** What a message takes from the wrapper that it lies in. */
export interface Wrapper {
  readonly timestampType: TimestampType | undefined;
  readonly timestamp: bigint;
}

function int32At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

function roundedInt64At(bytes: Uint8Array, at: number): number {
  return int32At(bytes, at) * TWO_32 + (int32At(bytes, at + 4) >>> 0);
}

function int64At(bytes: Uint8Array, at: number): bigint {
  const value = roundedInt64At(bytes, at);
  if (Number.isSafeInteger(value)) return BigInt(value);
  return (BigInt(int32At(bytes, at)) << 32n) | BigInt(int32At(bytes, at + 4) >>> 0);
}

/** Bytes of the message at `at`, offset and size field included. */
export function messageBytes(bytes: Uint8Array, at: number): number {
  return int32At(bytes, at + LOG_OVERHEAD - 4) + LOG_OVERHEAD;
}

/** Rounded beyond 2^53. */
export function messageOffset(bytes: Uint8Array, at: number): number {
  return roundedInt64At(bytes, at);
}

/** Signed, as Kafka has it. */
export function messageMagic(bytes: Uint8Array, at: number): number {
  return (bytes[at + MAGIC_AT]! << 24) >> 24;
}

/** Whether the bytes begin with a message of format 0 or 1. */
export function isMessageSet(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER_UP_TO_MAGIC) return false;
  const magic = messageMagic(bytes, 0);
  return magic >= 0 && magic < CURRENT_MAGIC;
}

/** undefined for ids that nobody has defined. */
export function messageCodec(bytes: Uint8Array, at: number): CompressionCodec | undefined {
  return codecOfId(bytes[at + MESSAGE_ATTRIBUTES_AT]! & COMPRESSION_MASK);
}

/** undefined in format 0, which has no timestamps. */
export function messageTimestampType(bytes: Uint8Array, at: number): TimestampType | undefined {
  if (messageMagic(bytes, at) === 0) return undefined;
  return (bytes[at + MESSAGE_ATTRIBUTES_AT]! & TIMESTAMP_TYPE_FLAG) === 0 ? 'CreateTime' : 'LogAppendTime';
}

/** The whole message must lie in `bytes`. */
export function messageCrcIsValid(bytes: Uint8Array, at: number): boolean {
  const end = at + messageBytes(bytes, at);
  return crc32(bytes.subarray(at + MAGIC_AT, end)) === int32At(bytes, at + MESSAGE_CRC_AT) >>> 0;
}

/**
 * The message in a slot whose bytes are all there. Messages of format 1 in a wrapper with LogAppendTime have its timestamp.
 * Throws {@link InvalidMessageError}. Does not check the CRC.
 */
export function readMessage({ bytes, at, offset }: MessageSlot, wrapper?: Wrapper): Message {
  const end = at + messageBytes(bytes, at);
  const hasTimestamp = messageMagic(bytes, at) === 1;
  const keyAt = at + KEY_AT[hasTimestamp ? 1 : 0];
  const keyEnd = endOfBytes(bytes, keyAt, end);
  const valueEnd = endOfBytes(bytes, keyEnd, end);
  let timestamp = NO_TIMESTAMP;
  if (hasTimestamp) {
    timestamp =
      wrapper?.timestampType === 'LogAppendTime' ? wrapper.timestamp : int64At(bytes, at + TIMESTAMP_AT);
  }
  return {
    offset,
    timestamp,
    key: int32At(bytes, keyAt) < 0 ? null : bytes.subarray(keyAt + 4, keyEnd),
    value: int32At(bytes, keyEnd) < 0 ? null : bytes.subarray(keyEnd + 4, valueEnd),
  };
}

/** Where the bytes end whose length stands at `at`; a negative length stands for null. */
function endOfBytes(bytes: Uint8Array, at: number, end: number): number {
  const length = end - at < 4 ? 0 : Math.max(0, int32At(bytes, at));
  if (end - at < 4 + length)
    throw new InvalidMessageError('invalid', 'a message ends inside its key or value');
  return at + 4 + length;
}

/** A wrapper's own fields. Throws {@link InvalidMessageError}. */
export function wrapperOf(slot: MessageSlot): Wrapper {
  const { timestamp } = readMessage(slot);
  return { timestampType: messageTimestampType(slot.bytes, slot.at), timestamp };
}

/**
 * The messages in a compressed one, with absolute offsets; what follows the last whole one is left out, as Kafka does.
 * Throws {@link InvalidMessageError} and what `decompress` throws. Checks no CRC, and no magic.
 */
export function innerMessages(
  slot: MessageSlot,
  maxPlainBytes: number,
  scratch?: PlainScratch,
): readonly MessageSlot[] {
  const plain = unfold(slot, maxPlainBytes, scratch);
  const inner: { bytes: Uint8Array; at: number; offset: number }[] = [];
  for (let at = 0; plain.length - at >= LOG_OVERHEAD; ) {
    const size = messageBytes(plain, at) - LOG_OVERHEAD;
    if (size < SMALLEST_MESSAGE_SIZE) {
      throw new InvalidMessageError('corrupt', `a message in a compressed one has a size of ${size}`);
    }
    if (size > plain.length - at - LOG_OVERHEAD) break;
    inner.push({ bytes: plain, at, offset: messageOffset(plain, at) });
    at += LOG_OVERHEAD + size;
  }
  const last = inner.at(-1);
  if (last === undefined) throw new InvalidMessageError('invalid', 'a compressed message holds no message');
  // Some versions of librdkafka leave the wrapper's offset 0.
  if (messageMagic(slot.bytes, slot.at) === 0 || slot.offset === 0) return inner;
  const base = slot.offset - last.offset;
  if (base < 0) {
    const text = `a compressed message has offset ${slot.offset}, and the last one in it ${last.offset}`;
    throw new InvalidMessageError('invalid', text);
  }
  for (const one of inner) one.offset += base;
  return inner;
}

function unfold(slot: MessageSlot, maxPlainBytes: number, scratch: PlainScratch | undefined): Uint8Array {
  const codec = messageCodec(slot.bytes, slot.at);
  if (codec === undefined || codec === 'none' || codec === 'zstd') {
    throw new InvalidMessageError('invalid', `messages of format 0 and 1 are never compressed by ${codec}`);
  }
  const { value } = readMessage(slot);
  if (value === null) throw new InvalidMessageError('invalid', 'a compressed message has no value');
  if (codec === 'lz4' && messageMagic(slot.bytes, slot.at) === 0) {
    return decompressOldLz4(value, maxPlainBytes, scratch);
  }
  return decompress(codec, value, maxPlainBytes, scratch);
}
