/** Reads of batch headers that need no BigInt: a timestamp as its signed high and unsigned low half. */
import { LOG_OVERHEAD, MAGIC_AT, MAX_TIMESTAMP_AT, PRODUCER_ID_AT } from '../protocol/record-batch/header.ts';

const TWO_32 = 4294967296;

export function int32At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

export function maxTimestampHigh(bytes: Uint8Array, at: number): number {
  return int32At(bytes, at + MAX_TIMESTAMP_AT);
}

export function maxTimestampLow(bytes: Uint8Array, at: number): number {
  return int32At(bytes, at + MAX_TIMESTAMP_AT + 4) >>> 0;
}

export function joinTimestamp(high: number, low: number): bigint {
  const value = high * TWO_32 + low;
  return Number.isSafeInteger(value) ? BigInt(value) : (BigInt(high) << 32n) | BigInt(low);
}

/** A producer id as a map key: a number where it fits, which is always the case for ids that a cluster has given. */
export type ProducerKey = number | bigint;

export function producerKey(bytes: Uint8Array, at: number): ProducerKey {
  const high = int32At(bytes, at + PRODUCER_ID_AT);
  const signedLow = int32At(bytes, at + PRODUCER_ID_AT + 4);
  // A small integer, which is found much faster than the same number as the outcome of a calculation.
  if (high === 0 && signedLow >= 0) return signedLow;
  const low = signedLow >>> 0;
  const value = high * TWO_32 + low;
  return Number.isSafeInteger(value) ? value : (BigInt(high) << 32n) | BigInt(low);
}

export function keyOf(producerId: bigint): ProducerKey {
  const value = Number(producerId);
  return Number.isSafeInteger(value) ? value : producerId;
}

const OLD_CRC_AT = 12;
const OLD_MESSAGE_BYTES_MIN = 26;

/**
 * Whether a sound message of format 0 or 1, which this log does not read, lies at `at`: its CRC-32 says so. Zeroes or
 * damage are none.
 */
export function isOldMessage(bytes: Uint8Array, at: number): boolean {
  const end = at + int32At(bytes, at + LOG_OVERHEAD - 4) + LOG_OVERHEAD;
  if (bytes[at + MAGIC_AT]! > 1 || end - at < OLD_MESSAGE_BYTES_MIN || end > bytes.length) return false;
  let crc = -1;
  for (let i = at + MAGIC_AT; i < end; i += 1) {
    crc ^= bytes[i]!;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return ~crc === int32At(bytes, at + OLD_CRC_AT);
}
