/** LZ4 blocks by a thorough search for matches, for the levels of KIP-390 other than the default. */
import {
  LAST_LITERALS,
  MATCH_START_LIMIT,
  MAX_ENCODED_BLOCK,
  MIN_MATCH,
  writeLiterals,
  writeSequence,
} from './lz4-block.ts';

const HASH_BITS = 15;
/** A match of so many bytes is taken without a look at what begins one byte later. */
const GOOD_LENGTH = 64;

/**
 * Finds the longest earlier match of a position within one block: positions of one hash form a chain, the newest first.
 * Entries are positions in the block plus one, so that 0 means none.
 */
export class MatchSearch {
  readonly #source: Uint8Array;
  readonly #view: DataView;
  readonly #attempts: number;
  readonly #heads = new Uint16Array(1 << HASH_BITS);
  readonly #previous: Uint16Array;
  #from = 0;
  #matchLimit = 0;
  /** The first position that is in no chain yet. */
  #next = 0;
  /** How far back the match that was found last begins. */
  distance = 0;

  /** `attempts`: how many candidates are looked at for each position. */
  constructor(source: Uint8Array, view: DataView, attempts: number) {
    this.#source = source;
    this.#view = view;
    this.#attempts = attempts;
    this.#previous = new Uint16Array(Math.min(MAX_ENCODED_BLOCK, source.length));
  }

  /** Begins with the block from `from`; matches end at `matchLimit`. */
  begin(from: number, matchLimit: number): void {
    this.#heads.fill(0);
    this.#from = from;
    this.#matchLimit = matchLimit;
    this.#next = from;
  }

  /** The length of the longest match at `position`, 0 for none; positions must grow. `distance` tells where it is. */
  longest(position: number): number {
    const source = this.#source;
    const view = this.#view;
    const limit = this.#matchLimit;
    while (this.#next < position) this.#insert(this.#next++);
    const word = view.getInt32(position, true);
    let length = MIN_MATCH - 1;
    let entry = this.#heads[hashOf(word)]!;
    for (let tries = this.#attempts; tries > 0 && entry !== 0; tries--) {
      const distance = position - (this.#from + entry - 1);
      entry = this.#previous[entry - 1]!;
      // A longer match has the byte behind the best one so far.
      if (source[position + length] !== source[position + length - distance]) continue;
      if (view.getInt32(position - distance, true) !== word) continue;
      let end = position + MIN_MATCH;
      while (end + 4 <= limit && view.getInt32(end, true) === view.getInt32(end - distance, true)) end += 4;
      while (end < limit && source[end] === source[end - distance]) end += 1;
      if (end - position <= length) continue;
      length = end - position;
      this.distance = distance;
      if (end === limit) break;
    }
    return length < MIN_MATCH ? 0 : length;
  }

  #insert(position: number): void {
    const slot = hashOf(this.#view.getInt32(position, true));
    const entry = position - this.#from + 1;
    this.#previous[entry - 1] = this.#heads[slot]!;
    this.#heads[slot] = entry;
  }
}

const hashOf = (word: number): number => Math.imul(word, 0x9e3779b1) >>> (32 - HASH_BITS);

/**
 * Encodes `source[from, to)`, at most 64 KiB, into `into` from `at`, where `lz4BlockBound` bytes must be free; returns the
 * end. `search` is one over `source`, used again from block to block.
 */
export function encodeLz4BlockThoroughly(
  source: Uint8Array,
  from: number,
  to: number,
  into: Uint8Array,
  at: number,
  search: MatchSearch,
): number {
  const startLimit = to - MATCH_START_LIMIT;
  search.begin(from, to - LAST_LITERALS);
  let anchor = from;
  let out = at;
  let position = from;
  while (position <= startLimit) {
    let length = search.longest(position);
    if (length === 0) {
      position += 1;
      continue;
    }
    let { distance } = search;
    while (length < GOOD_LENGTH && position < startLimit) {
      const longer = search.longest(position + 1);
      if (longer <= length) break;
      position += 1;
      length = longer;
      distance = search.distance;
    }
    out = writeSequence(source, anchor, position, distance, length, into, out);
    position += length;
    anchor = position;
  }
  return writeLiterals(source, anchor, to - anchor, into, out);
}
