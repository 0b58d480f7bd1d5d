/** The two copies that LZ and Snappy decoders are made of. Callers have checked both ranges. */

// Below these lengths a loop beats the call into the runtime.
const MIN_NATIVE_LITERAL = 48;
const MIN_NATIVE_MATCH = 32;

/** Copies `length` bytes from one array to another. */
export function copyLiteral(
  from: Uint8Array,
  at: number,
  into: Uint8Array,
  to: number,
  length: number,
): void {
  if (length < MIN_NATIVE_LITERAL) {
    for (let i = 0; i < length; i++) into[to + i] = from[at + i]!;
  } else {
    into.set(from.subarray(at, at + length), to);
  }
}

/** Repeats what stands `distance` bytes before `to`; source and target may overlap, then the pattern repeats itself. */
export function copyMatch(bytes: Uint8Array, to: number, distance: number, length: number): void {
  if (length < MIN_NATIVE_MATCH) {
    for (let i = to, end = to + length; i < end; i++) bytes[i] = bytes[i - distance]!;
    return;
  }
  if (distance === 1) {
    bytes.fill(bytes[to - 1]!, to, to + length);
    return;
  }
  // Each round doubles the stretch that can be copied without overlap.
  let done = 0;
  let reach = distance;
  while (done < length) {
    const step = Math.min(reach, length - done);
    if (step < MIN_NATIVE_MATCH)
      for (let i = 0; i < step; i++) bytes[to + done + i] = bytes[to + done + i - reach]!;
    else bytes.copyWithin(to + done, to + done - reach, to + done - reach + step);
    done += step;
    reach += step;
  }
}
