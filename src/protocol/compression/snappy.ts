/** Snappy, raw format: the plain length as a varint, then literals and copies. */
import { CorruptCompressionError, OutputTooLargeError } from './codec.ts';
import { copyLiteral, copyMatch } from './copy.ts';

const MIN_MATCH = 4;
const HASH_BITS = 13;
const SKIP_SHIFT = 5;
/** The search stops this many bytes before the end, so that it reads no word past it. */
const TAIL = 15;
/** Each stretch of this size is compressed on its own: distances then fit 16 bits. */
const FRAGMENT = 65536;
/** Three bytes make at most 64. */
const MAX_EXPANSION = 22;

/** Most bytes that `length` plain bytes can take. */
export function snappyBound(length: number): number {
  return 32 + length + Math.ceil(length / 6);
}

export function newSnappyTable(): Uint16Array {
  return new Uint16Array(1 << HASH_BITS);
}

function writeLiteral(
  source: Uint8Array,
  from: number,
  length: number,
  into: Uint8Array,
  at: number,
): number {
  let out = at;
  const n = length - 1;
  if (n < 60) {
    into[out++] = n << 2;
  } else if (n < 256) {
    into[out++] = 60 << 2;
    into[out++] = n;
  } else {
    into[out++] = 61 << 2;
    into[out++] = n;
    into[out++] = n >>> 8;
  }
  copyLiteral(source, from, into, out, length);
  return out + length;
}

function writeCopy(into: Uint8Array, at: number, distance: number, length: number): number {
  let out = at;
  let left = length;
  // A rest of less than 4 could not be written by the short form.
  while (left >= 68) {
    into[out++] = (63 << 2) | 2;
    into[out++] = distance;
    into[out++] = distance >>> 8;
    left -= 64;
  }
  if (left > 64) {
    into[out++] = (59 << 2) | 2;
    into[out++] = distance;
    into[out++] = distance >>> 8;
    left -= 60;
  }
  if (left < 12 && distance < 2048) {
    into[out++] = ((distance >>> 8) << 5) | ((left - 4) << 2) | 1;
    into[out++] = distance;
  } else {
    into[out++] = ((left - 1) << 2) | 2;
    into[out++] = distance;
    into[out++] = distance >>> 8;
  }
  return out;
}

function compressFragment(
  source: Uint8Array,
  view: DataView,
  from: number,
  to: number,
  into: Uint8Array,
  at: number,
  table: Uint16Array,
): number {
  table.fill(0);
  const startLimit = to - TAIL;
  let anchor = from;
  let out = at;
  let position = from + 1;
  let probes = 1 << SKIP_SHIFT;
  while (position <= startLimit) {
    const word = view.getInt32(position, true);
    const slot = Math.imul(word, 0x1e35a7bd) >>> (32 - HASH_BITS);
    const match = from + table[slot]!;
    table[slot] = position - from;
    if (view.getInt32(match, true) !== word || match === position) {
      position += probes++ >> SKIP_SHIFT;
      continue;
    }
    probes = 1 << SKIP_SHIFT;
    const distance = position - match;
    let end = position + MIN_MATCH;
    while (end + 4 <= to && view.getInt32(end, true) === view.getInt32(end - distance, true)) end += 4;
    while (end < to && source[end] === source[end - distance]) end += 1;
    if (position > anchor) out = writeLiteral(source, anchor, position - anchor, into, out);
    out = writeCopy(into, out, distance, end - position);
    anchor = end;
    position = end;
    if (end <= startLimit) {
      table[Math.imul(view.getInt32(end - 1, true), 0x1e35a7bd) >>> (32 - HASH_BITS)] = end - 1 - from;
    }
  }
  return anchor < to ? writeLiteral(source, anchor, to - anchor, into, out) : out;
}

/** Compresses `source[from, to)` into `into` from `at`, where {@link snappyBound} bytes must be free; returns the end. */
export function compressSnappyRaw(
  source: Uint8Array,
  from: number,
  to: number,
  into: Uint8Array,
  at: number,
  table: Uint16Array,
): number {
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  let out = at;
  let length = to - from;
  for (; length >= 0x80; length >>>= 7) into[out++] = (length & 0x7f) | 0x80;
  into[out++] = length;
  for (let start = from; start < to; start += FRAGMENT) {
    out = compressFragment(source, view, start, Math.min(start + FRAGMENT, to), into, out, table);
  }
  return out;
}

function corrupt(message: string): CorruptCompressionError {
  return new CorruptCompressionError('snappy', message);
}

/** What the preamble of a raw stream says. */
export interface SnappyPreamble {
  readonly plainLength: number;
  /** Position of the first element. */
  readonly elementsAt: number;
}

/** Reads the preamble of `bytes[from, to)`; refuses a length above the bound, or above what the bytes could hold. */
export function readSnappyPreamble(
  bytes: Uint8Array,
  from: number,
  to: number,
  maxOutputBytes: number,
): SnappyPreamble {
  let plainLength = 0;
  let at = from;
  for (let scale = 1; ; scale *= 128) {
    if (at >= to || at - from === 5) throw corrupt('malformed length');
    const byte = bytes[at++]!;
    plainLength += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  if (plainLength > 0xffffffff) throw corrupt('malformed length');
  if (plainLength > maxOutputBytes) throw new OutputTooLargeError('snappy', maxOutputBytes);
  if (plainLength > (to - at) * MAX_EXPANSION) throw corrupt('the length is more than the bytes can hold');
  return { plainLength, elementsAt: at };
}

/** Decodes the elements `source[from, to)` into exactly `into[at, limit)`; false where they are malformed. */
export function decodeSnappyElements(
  source: Uint8Array,
  from: number,
  to: number,
  into: Uint8Array,
  at: number,
  limit: number,
): boolean {
  let position = from;
  let out = at;
  while (position < to) {
    const tag = source[position++]!;
    const kind = tag & 3;
    if (kind === 0) {
      let length = (tag >>> 2) + 1;
      if (length > 60) {
        const bytes = length - 60;
        if (to - position < bytes) return false;
        length = 1;
        for (let i = 0, scale = 1; i < bytes; i++, scale *= 256) length += source[position++]! * scale;
      }
      if (length > to - position || length > limit - out) return false;
      copyLiteral(source, position, into, out, length);
      position += length;
      out += length;
      continue;
    }
    let length: number;
    let distance: number;
    if (kind === 1) {
      if (position >= to) return false;
      length = ((tag >>> 2) & 7) + 4;
      distance = ((tag >>> 5) << 8) | source[position++]!;
    } else {
      const bytes = kind === 2 ? 2 : 4;
      if (to - position < bytes) return false;
      length = (tag >>> 2) + 1;
      distance = source[position]! | (source[position + 1]! << 8);
      if (kind === 3)
        distance = (distance | (source[position + 2]! << 16) | (source[position + 3]! << 24)) >>> 0;
      position += bytes;
    }
    if (distance === 0 || distance > out - at || length > limit - out) return false;
    copyMatch(into, out, distance, length);
    out += length;
  }
  return out === limit;
}
