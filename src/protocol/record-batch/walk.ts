/**
 * The validation walk over the records of a batch: every length and varint checked, nothing built, all in numbers.
 * The result of a walk says what the log's rules need to know.
 */

/**
 * What is wrong with the records. Kafka answers all of these with INVALID_RECORD where the records are plain.
 * - `count`: the count is negative
 * - `truncated`: a record, or something in it, reaches past the end
 * - `varint`: a varint does not end after 5 bytes, or a varlong after 10
 * - `header-count`, `header-key`: negative number of headers, or negative length of a header's key
 * - `length`: a record's own length differs from what its fields take
 * - `trailing`: bytes follow the last record
 */
export type WalkFailure =
  | 'count'
  | 'truncated'
  | 'varint'
  | 'header-count'
  | 'header-key'
  | 'length'
  | 'trailing';

export interface RecordWalk {
  /** undefined where the records are sound. */
  readonly failure: WalkFailure | undefined;
  /** Index of the record with the failure; the number of sound ones otherwise. */
  readonly records: number;
  /** Least and greatest timestamp delta (ms) to the batch's base timestamp; 0 and 0 without records. Exact unless {@link wide}. */
  readonly minTimestampDelta: number;
  readonly maxTimestampDelta: number;
  /** A timestamp delta needs more than 53 bits: the two numbers are rounded; read the records where it matters. */
  readonly wide: boolean;
  /** Index of the first record without a key; -1 where all have one. */
  readonly firstWithoutKey: number;
  /** Index of the first record whose offset delta is not its index; -1 where the offsets are dense. */
  readonly firstOffsetGap: number;
}

/** A sentence about a failure, for an error message. */
export function walkFailureText(failure: WalkFailure, record: number): string {
  switch (failure) {
    case 'count':
      return 'the record count is negative';
    case 'truncated':
      return `record ${record} reaches past the end of the batch`;
    case 'varint':
      return `record ${record} holds a varint that does not end`;
    case 'header-count':
      return `record ${record} has a negative number of headers`;
    case 'header-key':
      return `record ${record} has a header whose key has a negative length`;
    case 'length':
      return `record ${record} does not end where its length says`;
    case 'trailing':
      return 'bytes follow the last record';
  }
}

// Positions that stand for a failure; a real one is never negative.
const ENDS_EARLY = -1;
const NEVER_ENDS = -2;
const BAD_HEADER_COUNT = -3;
const BAD_HEADER_KEY = -4;

/** The position after the varint at `at`, or a negative code. */
function endOfVarint(bytes: Uint8Array, at: number, end: number, maxLength: number): number {
  const last = Math.min(end, at + maxLength);
  for (let i = at; i < last; i++) if (bytes[i]! < 0x80) return i + 1;
  return last === end ? ENDS_EARLY : NEVER_ENDS;
}

/** The value of the varint in `[at, end)`, whose end is known; 32 bits as Java reads them. */
function varintValue(bytes: Uint8Array, at: number, end: number): number {
  let raw = 0;
  for (let i = at, shift = 0; i < end; i++, shift += 7) raw |= (bytes[i]! & 0x7f) << shift;
  return (raw >>> 1) ^ -(raw & 1);
}

/** The value of the varlong in `[at, end)` as a number; exact up to seven bytes. */
function varlongValue(bytes: Uint8Array, at: number, end: number): number {
  if (end - at === 10) return Number(bigVarlongValue(bytes, at, end));
  let raw = 0;
  let scale = 1;
  for (let i = at; i < end; i++, scale *= 128) raw += (bytes[i]! & 0x7f) * scale;
  return (bytes[at]! & 1) === 0 ? raw / 2 : -(raw + 1) / 2;
}

/** The value of the varlong in `[at, end)`, all 64 bits. */
export function bigVarlongValue(bytes: Uint8Array, at: number, end: number): bigint {
  let raw = 0n;
  for (let i = at, shift = 0n; i < end; i++, shift += 7n) raw |= BigInt(bytes[i]! & 0x7f) << shift;
  raw = BigInt.asUintN(64, raw);
  return (raw >> 1n) ^ -(raw & 1n);
}

const MAX_EXACT_VARLONG_BYTES = 7;

/** Skips a length and what it counts; a negative length stands for null. */
function endOfBytes(bytes: Uint8Array, at: number, end: number): number {
  const after = endOfVarint(bytes, at, end, 5);
  if (after < 0) return after;
  const length = varintValue(bytes, at, after);
  if (length <= 0) return after;
  return length > end - after ? ENDS_EARLY : after + length;
}

/** The position after the headers that start, with their count, at `at`; or a negative code. */
function endOfHeaders(bytes: Uint8Array, at: number, end: number): number {
  let position = endOfVarint(bytes, at, end, 5);
  if (position < 0) return position;
  let left = varintValue(bytes, at, position);
  if (left < 0) return BAD_HEADER_COUNT;
  for (; left > 0; left--) {
    const afterLength = endOfVarint(bytes, position, end, 5);
    if (afterLength < 0) return afterLength;
    const keyLength = varintValue(bytes, position, afterLength);
    if (keyLength < 0) return BAD_HEADER_KEY;
    if (keyLength > end - afterLength) return ENDS_EARLY;
    position = endOfBytes(bytes, afterLength + keyLength, end);
    if (position < 0) return position;
  }
  return position;
}

function failureOf(code: number): WalkFailure {
  if (code === ENDS_EARLY) return 'truncated';
  if (code === NEVER_ENDS) return 'varint';
  return code === BAD_HEADER_COUNT ? 'header-count' : 'header-key';
}

class Walk implements RecordWalk {
  failure: WalkFailure | undefined = undefined;
  records = 0;
  minTimestampDelta = 0;
  maxTimestampDelta = 0;
  wide = false;
  firstWithoutKey = -1;
  firstOffsetGap = -1;

  fail(failure: WalkFailure, record: number): this {
    this.failure = failure;
    this.records = record;
    return this;
  }
}

/**
 * Walks `count` records that must fill `bytes[from, to)` exactly (the plain form of a batch's payload). What lies outside
 * has no influence; allocates nothing per record, never throws. One long function on purpose: this is the hot path.
 */
export function walkRecords(bytes: Uint8Array, from: number, to: number, count: number): RecordWalk {
  const walk = new Walk();
  if (count < 0) return walk.fail('count', 0);
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let at = from;
  for (let index = 0; index < count; index++) {
    // One- and two-byte varints are read in place, since nearly all are; a byte past the end reads as undefined, fails
    // the comparison and lands in the careful branch.
    let value: number;
    let low = bytes[at]!;
    let high = bytes[at + 1]!;
    if (low < 0x80) {
      value = low;
      at += 1;
    } else if (high < 0x80) {
      value = (low & 0x7f) | (high << 7);
      at += 2;
    } else {
      const after = endOfVarint(bytes, at, to, 5);
      if (after < 0) return walk.fail(failureOf(after), index);
      const length = varintValue(bytes, at, after);
      value = length < 0 ? 1 : length * 2;
      at = after;
    }
    if (at > to) return walk.fail('truncated', index);
    // An odd raw value is a negative length. A length of 0 leaves no room for the attributes.
    if ((value & 1) !== 0 || value === 0) return walk.fail('length', index);
    const end = at + value / 2;
    if (end > to) return walk.fail('truncated', index);
    at += 1;

    low = bytes[at]!;
    high = bytes[at + 1]!;
    let delta: number;
    if (low < 0x80) {
      delta = (low >>> 1) ^ -(low & 1);
      at += 1;
    } else if (high < 0x80) {
      value = (low & 0x7f) | (high << 7);
      delta = (value >>> 1) ^ -(value & 1);
      at += 2;
    } else {
      const after = endOfVarint(bytes, at, end, 10);
      if (after < 0) return walk.fail(failureOf(after), index);
      if (after - at > MAX_EXACT_VARLONG_BYTES) walk.wide = true;
      delta = varlongValue(bytes, at, after);
      at = after;
    }
    if (delta < min) min = delta;
    if (delta > max) max = delta;

    low = bytes[at]!;
    high = bytes[at + 1]!;
    if (low < 0x80) {
      value = low;
      at += 1;
    } else if (high < 0x80) {
      value = (low & 0x7f) | (high << 7);
      at += 2;
    } else {
      const after = endOfVarint(bytes, at, end, 5);
      if (after < 0) return walk.fail(failureOf(after), index);
      const offset = varintValue(bytes, at, after);
      value = offset < 0 ? 1 : offset * 2;
      at = after;
    }
    if (value !== index * 2 && walk.firstOffsetGap < 0) walk.firstOffsetGap = index;

    low = bytes[at]!;
    if (low < 0x80) {
      at += 1;
      if ((low & 1) === 0) at += low >>> 1;
      else if (walk.firstWithoutKey < 0) walk.firstWithoutKey = index;
    } else {
      const after = endOfVarint(bytes, at, end, 5);
      if (after < 0) return walk.fail(failureOf(after), index);
      if (varintValue(bytes, at, after) < 0 && walk.firstWithoutKey < 0) walk.firstWithoutKey = index;
      at = endOfBytes(bytes, at, end);
      if (at < 0) return walk.fail(failureOf(at), index);
    }

    low = bytes[at]!;
    high = bytes[at + 1]!;
    if (low < 0x80) {
      at += 1;
      if ((low & 1) === 0) at += low >>> 1;
    } else if (high < 0x80) {
      at += 2;
      if ((low & 1) === 0) at += ((low & 0x7f) | (high << 7)) >>> 1;
    } else {
      at = endOfBytes(bytes, at, end);
      if (at < 0) return walk.fail(failureOf(at), index);
    }

    // The fast branches above may have walked past the end of the record or of the bytes.
    if (at >= end) return walk.fail('truncated', index);
    if (bytes[at] === 0) {
      at += 1;
    } else {
      at = endOfHeaders(bytes, at, end);
      if (at < 0) return walk.fail(failureOf(at), index);
    }
    if (at !== end) return walk.fail('length', index);
  }
  if (at !== to) return walk.fail('trailing', count);
  walk.records = count;
  if (count > 0) {
    walk.minTimestampDelta = min;
    walk.maxTimestampDelta = max;
  }
  return walk;
}
