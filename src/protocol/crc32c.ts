/** CRC-32C of byte ranges, by the fastest way for their length. */
import { updateByBytes, updateByTable } from './crc32c-table.ts';
import { CHUNK, FoldingKernel } from './crc32c-wasm.ts';

// Where one way overtakes the other, by bench/micro/crc32c.ts.
/** Making a view costs some 90 ns. */
const MIN_VIEWED = 160;
const MIN_FOLDED = 400;
const MIN_MIDDLE_FOLDED = 2048;

// A pure cache: the compiled module, null where this runtime cannot run it. Compiled when first needed.
let kernel: FoldingKernel | null | undefined;

/**
 * The CRC-32C (Castagnoli) of `bytes[from, to)`, unsigned. `seed` is the CRC of the bytes before, for a message that
 * comes in pieces.
 */
export function crc32c(bytes: Uint8Array, from: number = 0, to: number = bytes.length, seed = 0): number {
  const length = to - from;
  if (length < MIN_VIEWED) return ~updateByBytes(~seed, bytes, from, to) >>> 0;
  if (length >= MIN_FOLDED) {
    if (kernel === undefined) kernel = FoldingKernel.compile() ?? null;
    if (kernel !== null) {
      if (length < MIN_MIDDLE_FOLDED) return ~kernel.short(~seed, bytes, from, to) >>> 0;
      if (length < CHUNK) return ~kernel.middle(~seed, bytes, from, to) >>> 0;
      return ~kernel.long(~seed, bytes, from, to) >>> 0;
    }
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return ~updateByTable(~seed, view, from, to) >>> 0;
}
