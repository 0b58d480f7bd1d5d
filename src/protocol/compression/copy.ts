/**
 * The two copies that an LZ4 decoder is made of. Most are short, so a fixed 16 bytes are copied where there is room for
 * them: what is too much is overwritten by what comes next. Callers have checked both ranges.
 */

const FIXED = 16;
// Below these lengths a loop beats the call into the runtime.
const MIN_NATIVE_LITERAL = 48;
const MIN_NATIVE_MATCH = 32;

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

// Words of integers: floats would be faster still, but may change the bits of what is not a number.
function copyFixed(from: DataView, at: number, into: DataView, to: number): void {
  into.setInt32(to, from.getInt32(at));
  into.setInt32(to + 4, from.getInt32(at + 4));
  into.setInt32(to + 8, from.getInt32(at + 8));
  into.setInt32(to + 12, from.getInt32(at + 12));
}

/** Copies `length` bytes that end by `end` to a place that has room up to `limit`. */
export function copyLiteral(
  source: Uint8Array,
  sourceView: DataView,
  at: number,
  end: number,
  target: Uint8Array,
  targetView: DataView,
  to: number,
  limit: number,
  length: number,
): void {
  if (length <= FIXED && end - at >= FIXED && limit - to >= FIXED) {
    copyFixed(sourceView, at, targetView, to);
  } else if (length < MIN_NATIVE_LITERAL) {
    for (let i = 0; i < length; i++) target[to + i] = source[at + i]!;
  } else {
    target.set(source.subarray(at, at + length), to);
  }
}

/**
 * Repeats what stands `distance` bytes before `to`, which has room up to `limit`; source and target may overlap, then the
 * pattern repeats itself.
 */
export function copyMatch(
  bytes: Uint8Array,
  view: DataView,
  to: number,
  limit: number,
  distance: number,
  length: number,
): void {
  if (distance >= 4 && length <= FIXED + 4 && limit - to >= FIXED + 4) {
    copyFixed(view, to - distance, view, to);
    if (length > FIXED) view.setInt32(to + FIXED, view.getInt32(to + FIXED - distance));
  } else if (length < MIN_NATIVE_MATCH) {
    for (let i = to, end = to + length; i < end; i++) bytes[i] = bytes[i - distance]!;
  } else if (distance === 1) {
    bytes.fill(bytes[to - 1]!, to, to + length);
  } else {
    copyLongMatch(bytes, to, distance, length);
  }
}

function copyLongMatch(bytes: Uint8Array, to: number, distance: number, length: number): void {
  // Each round doubles the stretch that can be copied without overlap.
  let done = 0;
  let reach = distance;
  while (done < length) {
    const step = Math.min(reach, length - done);
    if (step < MIN_NATIVE_MATCH) {
      for (let i = to + done, end = i + step; i < end; i++) bytes[i] = bytes[i - reach]!;
    } else {
      bytes.copyWithin(to + done, to + done - reach, to + done - reach + step);
    }
    done += step;
    reach += step;
  }
}

/** Copies literals while encoding, where the rest of the target is free anyway. */
export function writeLiteral(
  source: Uint8Array,
  at: number,
  target: Uint8Array,
  to: number,
  length: number,
): void {
  if (length < MIN_NATIVE_LITERAL) {
    for (let i = 0; i < length; i++) target[to + i] = source[at + i]!;
  } else {
    target.set(source.subarray(at, at + length), to);
  }
}

const MIN_TABLE_BITS = 8;
const MAX_TABLE_BITS = 13;

/**
 * A table of positions (16 bits each) for the search of an encoder whose blocks have up to `length` bytes. Small input
 * gets a small one: clearing it is most of the work there.
 */
export function newPositionTable(length: number): Uint16Array {
  const bits = 32 - Math.clz32(length);
  return new Uint16Array(1 << Math.min(MAX_TABLE_BITS, Math.max(MIN_TABLE_BITS, bits)));
}

/** By how much a 32-bit hash is shifted down to index the table. */
export function tableShift(table: Uint16Array): number {
  return Math.clz32(table.length) + 1;
}
