/**
 * CRC-32C by folding, in WebAssembly SIMD: about ten times as fast as tables, without tables or carry-less multiply.
 *
 * Modulo the polynomial of the CRC there are short sums that vanish, such as x^5321 + x^3574 + x^2491 + 1. Over GF(2)
 * the eighth power of a sum has the same terms with every exponent times 8, so the sum holds for bytes as it holds for
 * bits. The first bytes of a message are its highest powers: a byte can be replaced by copies of itself 1747, 2830 and
 * 5321 positions later (the distances of the other terms to the first) without changing the remainder, and a message of
 * any length shrinks to its last 5321 bytes by nothing but 16-byte loads, XORs and stores:
 *
 *     folded[q] = message[q] ^ folded[q - 1747] ^ folded[q - 2830] ^ folded[q - 5321]
 *
 * A six-term sum with shorter distances shrinks those further, and tables finish the rest. The tests verify the sums.
 * The module is assembled here, instruction by instruction, when it is first used.
 */
import { updateByTable } from './crc32c-table.ts';

/** Four terms, for long messages; ends with 5321 bytes. */
export const LONG_DISTANCES = [1747, 2830, 5321] as const;
/** Six terms; ends with 209 bytes. */
export const SHORT_DISTANCES = [65, 155, 170, 195, 209] as const;
/** The same squared, twice as far; fewer loads hit bytes that were only just stored. Ends with 418 bytes. */
export const MIDDLE_DISTANCES = [130, 310, 340, 390, 418] as const;

// ---- The module ----

const I32 = 0x7f;
const VOID_BLOCK = 0x40;
const UNROLLED = 4;
const LANE_BYTES = 16;

/** LEB128, signed as constants want it; unsigned values that fit are written the same way with one bit to spare. */
function leb(value: number): number[] {
  const bytes: number[] = [];
  for (let left = value; ; left >>= 7) {
    const low = left & 0x7f;
    const done = (left >> 7 === 0 && (low & 0x40) === 0) || (left >> 7 === -1 && (low & 0x40) !== 0);
    bytes.push(done ? low : low | 0x80);
    if (done) return bytes;
  }
}

/** A section, a function body or a name: its size before it. */
function sized(content: readonly number[]): number[] {
  return [...leb(content.length), ...content];
}

function section(id: number, entries: readonly (readonly number[])[]): number[] {
  return [id, ...sized([...leb(entries.length), ...entries.flat()])];
}

function name(text: string): number[] {
  return sized([...text].map((character) => character.charCodeAt(0)));
}

const op = {
  localGet: (index: number) => [0x20, index],
  localSet: (index: number) => [0x21, index],
  constant: (value: number) => [0x41, ...leb(value)],
  add: [0x6a],
  subtract: [0x6b],
  lessSigned: [0x48],
  block: [0x02, VOID_BLOCK],
  loop: [0x03, VOID_BLOCK],
  branch: (depth: number) => [0x0c, depth],
  branchIf: (depth: number) => [0x0d, depth],
  end: [0x0b],
  // Alignment is a hint; 0 says that any address may come.
  load128: (offset: number) => [0xfd, 0x00, 0, ...leb(offset)],
  store128: (offset: number) => [0xfd, 0x0b, 0, ...leb(offset)],
  xor128: [0xfd, 0x51],
  memoryCopy: [0xfc, 0x0a, 0, 0],
  memoryFill: [0xfc, 0x0b, 0],
} as const;

/**
 * fold(source, folded, target, length): target[q] = source[q] ^ folded[q - d] for each distance d. `source` and `target`
 * may be the same, and `target` may be `folded`. Works in lanes of 16 bytes, so up to 15 bytes more are touched.
 */
function foldFunction(distances: readonly number[]): number[] {
  const [source, folded, target, length] = [0, 1, 2, 3] as const;
  const farthest = Math.max(...distances);
  const bump = (local: number, by: number) => [
    ...op.localGet(local),
    ...op.constant(by),
    ...op.add,
    ...op.localSet(local),
  ];
  const lane = (at: number) => [
    ...op.localGet(target),
    ...op.localGet(source),
    ...op.load128(at),
    ...distances.flatMap((distance) => [
      ...op.localGet(folded),
      ...op.load128(farthest - distance + at),
      ...op.xor128,
    ]),
    ...op.store128(at),
  ];
  const loopOf = (lanes: number, least: number) => {
    const bytes = lanes * LANE_BYTES;
    const body = Array.from({ length: lanes }, (_, index) => lane(index * LANE_BYTES)).flat();
    return [
      ...op.block,
      ...op.loop,
      ...op.localGet(length),
      ...op.constant(least),
      ...op.lessSigned,
      ...op.branchIf(1),
      ...body,
      ...bump(source, bytes),
      ...bump(folded, bytes),
      ...bump(target, bytes),
      ...bump(length, -bytes),
      ...op.branch(0),
      ...op.end,
      ...op.end,
    ];
  };
  return sized([
    ...leb(0), // no further locals
    ...bump(folded, -farthest),
    ...loopOf(UNROLLED, UNROLLED * LANE_BYTES),
    ...loopOf(1, 1),
    ...op.end,
  ]);
}

/** Passes its three arguments to a bulk memory instruction. */
function bulkFunction(instruction: readonly number[]): number[] {
  return sized([
    ...leb(0),
    ...op.localGet(0),
    ...op.localGet(1),
    ...op.localGet(2),
    ...instruction,
    ...op.end,
  ]);
}

const FUNCTIONS = [
  { name: 'foldLong', type: 0, body: foldFunction(LONG_DISTANCES) },
  { name: 'foldMiddle', type: 0, body: foldFunction(MIDDLE_DISTANCES) },
  { name: 'foldShort', type: 0, body: foldFunction(SHORT_DISTANCES) },
  { name: 'copy', type: 1, body: bulkFunction(op.memoryCopy) },
  { name: 'fill', type: 1, body: bulkFunction(op.memoryFill) },
] as const;

function assemble(): Uint8Array<ArrayBuffer> {
  const functionType = (parameters: number) => [0x60, parameters, ...Array<number>(parameters).fill(I32), 0];
  const functionExport = 0x00;
  const memoryExport = 0x02;
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [functionType(4), functionType(3)]),
    ...section(
      3,
      FUNCTIONS.map((one) => [one.type]),
    ),
    ...section(5, [[1, 1, 1]]), // one memory of one page, which may not grow
    ...section(7, [
      [...name('memory'), memoryExport, 0],
      ...FUNCTIONS.map((one, index) => [...name(one.name), functionExport, index]),
    ]),
    ...section(
      10,
      FUNCTIONS.map((one) => one.body),
    ),
  ]);
}

// ---- What lies where in its memory ----

function lanes(bytes: number): number {
  return (bytes + LANE_BYTES - 1) & -LANE_BYTES;
}

const LONG_REST = Math.max(...LONG_DISTANCES);
const MIDDLE_REST = Math.max(...MIDDLE_DISTANCES);
const SHORT_REST = Math.max(...SHORT_DISTANCES);
const LONG_HISTORY = lanes(LONG_REST);
const MIDDLE_HISTORY = lanes(MIDDLE_REST);
/** Most bytes folded in one go: few enough to stay, with what the folding reaches back to, in a nearest cache of 32 KiB. */
export const CHUNK = 16 * 1024;
/** A message must be this long for the long distances. */
export const MIN_LONG = LONG_REST + 2 * LANE_BYTES;
export const MIN_SHORT = SHORT_REST + 2 * LANE_BYTES;
export const MIN_MIDDLE = MIDDLE_REST + 2 * LANE_BYTES;

/** Folded bytes of the chunk before, then the chunk. */
const DATA = LONG_HISTORY;
/** The last folded bytes, then zeros for ever: what the bytes that are kept are combined with. */
const LONG_TAIL = lanes(DATA + CHUNK + MIN_LONG + LANE_BYTES);
const LONG_TAIL_ZEROS = LONG_TAIL + LONG_HISTORY;
const MIDDLE_TAIL = LONG_TAIL_ZEROS + LONG_HISTORY + 2 * LANE_BYTES;
const MIDDLE_TAIL_ZEROS = MIDDLE_TAIL + MIDDLE_HISTORY;
/** Zeros for ever, then the bytes that the long distances leave. */
const REST = MIDDLE_TAIL_ZEROS + 2 * MIDDLE_HISTORY + 2 * LANE_BYTES;

type Fold = (source: number, folded: number, target: number, length: number) => void;
type Bulk = (to: number, fromOrByte: number, length: number) => void;

// The part of the global that is used here; neither the language's library nor Node's types declare it.
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: object };
};

interface KernelExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly foldLong: Fold;
  readonly foldMiddle: Fold;
  readonly foldShort: Fold;
  readonly copy: Bulk;
  readonly fill: Bulk;
}

/** The compiled module with its scratch memory. */
export class FoldingKernel {
  readonly #wasm: KernelExports;
  readonly #heap: Uint8Array;
  readonly #view: DataView;

  private constructor(wasm: KernelExports) {
    this.#wasm = wasm;
    this.#heap = new Uint8Array(wasm.memory.buffer);
    this.#view = new DataView(wasm.memory.buffer);
  }

  /** undefined where this runtime has no WebAssembly, or none with SIMD. */
  static compile(): FoldingKernel | undefined {
    try {
      const instance = new WebAssembly.Instance(new WebAssembly.Module(assemble()));
      return new FoldingKernel(instance.exports as KernelExports);
    } catch {
      return undefined;
    }
  }

  /** Advances the raw register over {@link MIN_SHORT} to {@link CHUNK} bytes. */
  short(register: number, bytes: Uint8Array, from: number, to: number): number {
    return this.#once(this.#wasm.foldShort, SHORT_REST, register, bytes, from, to);
  }

  /** Advances the raw register over {@link MIN_MIDDLE} to {@link CHUNK} bytes. */
  middle(register: number, bytes: Uint8Array, from: number, to: number): number {
    return this.#once(this.#wasm.foldMiddle, MIDDLE_REST, register, bytes, from, to);
  }

  #once(fold: Fold, rest: number, register: number, bytes: Uint8Array, from: number, to: number): number {
    this.#wasm.fill(DATA - MIDDLE_HISTORY, 0, MIDDLE_HISTORY);
    this.#load(bytes, from, to);
    this.#begin(register);
    return this.#finish(fold, rest, DATA, to - from);
  }

  /** Advances the raw register over {@link MIN_LONG} bytes or more. */
  long(register: number, bytes: Uint8Array, from: number, to: number): number {
    const wasm = this.#wasm;
    wasm.fill(0, 0, LONG_HISTORY);
    let at = from;
    let end = to - at >= CHUNK + MIN_LONG ? at + CHUNK : to;
    this.#load(bytes, at, end);
    this.#begin(register);
    while (end < to) {
      wasm.foldLong(DATA, DATA, DATA, CHUNK);
      wasm.copy(DATA - LONG_HISTORY, DATA + CHUNK - LONG_HISTORY, LONG_HISTORY);
      at = end;
      end = to - at >= CHUNK + MIN_LONG ? at + CHUNK : to;
      this.#load(bytes, at, end);
    }
    const folded = (end - at - LONG_REST) & -LANE_BYTES;
    const left = end - at - folded;
    wasm.foldLong(DATA, DATA, DATA, folded);
    wasm.copy(LONG_TAIL, DATA + folded - LONG_HISTORY, LONG_HISTORY);
    wasm.foldLong(DATA + folded, LONG_TAIL_ZEROS, REST + MIDDLE_HISTORY, left);
    return this.#finish(wasm.foldMiddle, MIDDLE_REST, REST + MIDDLE_HISTORY, left);
  }

  #load(bytes: Uint8Array, from: number, to: number): void {
    this.#heap.set(new Uint8Array(bytes.buffer, bytes.byteOffset + from, to - from), DATA);
  }

  // A register that is not zero acts like four bytes XORed into the beginning of the message.
  #begin(register: number): void {
    this.#view.setInt32(DATA, this.#view.getInt32(DATA, true) ^ register, true);
  }

  /** Folds a message in memory, before which there are zeros, to its last `rest` bytes or some more; the table does those. */
  #finish(fold: Fold, rest: number, at: number, length: number): number {
    const folded = (length - rest) & -LANE_BYTES;
    const left = length - folded;
    fold(at, at, at, folded);
    this.#wasm.copy(MIDDLE_TAIL, at + folded - MIDDLE_HISTORY, MIDDLE_HISTORY);
    fold(at + folded, MIDDLE_TAIL_ZEROS, at + folded, left);
    return updateByTable(0, this.#view, at + folded, at + length);
  }
}
