/** LZ4 blocks: sequences of literals and back references. */
import { copyLiteral, copyMatch, tableShift, viewOf, writeLiteral } from './copy.ts';

export const MIN_MATCH = 4;
/** The format wants the last bytes of a block to be literals, and no match to begin close to the end. */
export const LAST_LITERALS = 5;
export const MATCH_START_LIMIT = 12;
/** After this many failed probes (a power of two) the search begins to skip bytes. */
const SKIP_SHIFT = 6;
/** The position table holds 16 bits: blocks are at most this large. */
export const MAX_ENCODED_BLOCK = 65536;

/** Most bytes that a block of `length` plain bytes can take. */
export function lz4BlockBound(length: number): number {
  return length + Math.floor(length / 255) + 16;
}

function writeExtraLength(into: Uint8Array, at: number, extra: number): number {
  let position = at;
  let left = extra;
  for (; left >= 255; left -= 255) into[position++] = 255;
  into[position++] = left;
  return position;
}

/** Literals that no match follows: the end of a block. Returns the end of what was written. */
export function writeLiterals(
  source: Uint8Array,
  from: number,
  length: number,
  into: Uint8Array,
  at: number,
): number {
  let position = at + 1;
  if (length >= 15) {
    into[at] = 0xf0;
    position = writeExtraLength(into, position, length - 15);
  } else {
    into[at] = length << 4;
  }
  writeLiteral(source, from, into, position, length);
  return position + length;
}

/** Literals `source[anchor, start)` and a match of `length` bytes behind them. Returns the end of what was written. */
export function writeSequence(
  source: Uint8Array,
  anchor: number,
  start: number,
  distance: number,
  length: number,
  into: Uint8Array,
  at: number,
): number {
  let out = writeLiterals(source, anchor, start - anchor, into, at);
  into[out++] = distance;
  into[out++] = distance >>> 8;
  const extra = length - MIN_MATCH;
  if (extra >= 15) {
    into[at]! |= 15;
    return writeExtraLength(into, out, extra - 15);
  }
  into[at]! |= extra;
  return out;
}

/**
 * Encodes `source[from, to)`, at most 64 KiB, into `into` from `at`, where {@link lz4BlockBound} bytes must be free;
 * returns the end. `view` covers `source`; `table` (`newPositionTable`) is scratch, used again from block to block.
 */
export function encodeLz4Block(
  source: Uint8Array,
  view: DataView,
  from: number,
  to: number,
  into: Uint8Array,
  at: number,
  table: Uint16Array,
): number {
  const matchLimit = to - LAST_LITERALS;
  const startLimit = to - MATCH_START_LIMIT;
  table.fill(0);
  const shift = tableShift(table);
  let anchor = from;
  let out = at;
  // Position 0 is what an empty slot says, so the search starts behind it.
  let position = from + 1;
  let probes = 1 << SKIP_SHIFT;
  while (position <= startLimit) {
    const word = view.getInt32(position, true);
    const slot = Math.imul(word, 0x9e3779b1) >>> shift;
    const candidate = from + table[slot]!;
    table[slot] = position - from;
    if (view.getInt32(candidate, true) !== word || candidate === position) {
      position += probes++ >> SKIP_SHIFT;
      continue;
    }
    probes = 1 << SKIP_SHIFT;

    // Grow the match to both sides.
    let start = position;
    let match = candidate;
    while (start > anchor && match > from && source[start - 1] === source[match - 1]) {
      start -= 1;
      match -= 1;
    }
    const distance = start - match;
    let end = position + MIN_MATCH;
    while (end + 4 <= matchLimit && view.getInt32(end, true) === view.getInt32(end - distance, true))
      end += 4;
    while (end < matchLimit && source[end] === source[end - distance]) end += 1;

    out = writeSequence(source, anchor, start, distance, end - start, into, out);
    anchor = end;
    position = end;
    // A position inside the match makes the next repetition easier to find.
    if (end <= startLimit) {
      table[Math.imul(view.getInt32(end - 2, true), 0x9e3779b1) >>> shift] = end - 2 - from;
    }
  }
  return writeLiterals(source, anchor, to - anchor, into, out);
}

/**
 * Decodes the block `source[from, to)` into `into[at, limit)`; matches may reach back to `windowStart`. Returns the end
 * of the output; -1 where the block is malformed, -2 where it needs more room.
 *
 * Not lz4js: it reads sound blocks, linked ones too, but checks nothing. Of 14,480 damaged blocks it took 13,262 for
 * sound, the others made it count up to 8 times past the output. What would make it safe is a walk over every sequence,
 * which is this function without its two copies, and then it runs at 0.7 of this one's speed (records of 64 KiB), or at a
 * fiftieth where bytes repeat. The tests have it as their second opinion.
 */
export function decodeLz4Block(
  source: Uint8Array,
  from: number,
  to: number,
  into: Uint8Array,
  at: number,
  limit: number,
  windowStart: number,
): number {
  const sourceView = viewOf(source);
  const intoView = viewOf(into);
  let position = from;
  let out = at;
  while (position < to) {
    const token = source[position++]!;
    let literals = token >>> 4;
    if (literals === 15) {
      let more: number;
      do {
        if (position >= to) return -1;
        more = source[position++]!;
        literals += more;
      } while (more === 255);
    }
    if (literals > to - position) return -1;
    if (literals > limit - out) return -2;
    copyLiteral(source, sourceView, position, to, into, intoView, out, limit, literals);
    position += literals;
    out += literals;
    // Only the last sequence has no match.
    if (position === to) return (token & 15) === 0 ? out : -1;

    if (to - position < 2) return -1;
    const distance = source[position]! | (source[position + 1]! << 8);
    position += 2;
    if (distance === 0 || distance > out - windowStart) return -1;
    let length = token & 15;
    if (length === 15) {
      let more: number;
      do {
        if (position >= to) return -1;
        more = source[position++]!;
        length += more;
      } while (more === 255);
    }
    length += MIN_MATCH;
    if (length > limit - out) return -2;
    copyMatch(into, intoView, out, limit, distance, length);
    out += length;
  }
  // A block that ends with a match, or an empty one.
  return -1;
}
