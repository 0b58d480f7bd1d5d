import { assert } from '../../base/assert.ts';
import { type HashSecret, KeyHash } from './key-hash.ts';

/** As in Apache Kafka: 16 bytes of hash and 8 of offset, so that log.cleaner.dedupe.buffer.size holds as many keys. */
export const ENTRY_BYTES = 24;
const HASH_WORDS = 4;

export interface OffsetMapOptions {
  /** Bytes that the table may take. */
  readonly bytesMax: number;
  /** How full it may become, as a share. */
  readonly loadFactor: number;
  /** How many different keys can come at most; the table is made no larger than they need. */
  readonly keysMax: number;
  readonly secret: HashSecret;
}

/**
 * The last offset of each key, in a table of fixed size. Keys are told apart by a keyed 128-bit hash alone, see
 * {@link KeyHash}. Open addressing with linear probes; nothing is ever removed.
 */
export class OffsetMap {
  /** The largest offset that counts as mapped; what lies above it is not to be judged by this map. */
  latestOffset = -1;
  readonly entriesMax: number;
  readonly #slots: number;
  readonly #hashes: Uint32Array;
  // Offset + 1; 0 stands for an empty slot.
  readonly #ends: Float64Array;
  readonly #hash: KeyHash;
  #size = 0;

  constructor({ bytesMax, loadFactor, keysMax, secret }: OffsetMapOptions) {
    const slotsMax = Math.floor(bytesMax / ENTRY_BYTES);
    const slotsWanted = Math.ceil(keysMax / loadFactor) + 1;
    this.#slots = Math.max(2, Math.min(slotsMax, slotsWanted));
    this.entriesMax = Math.max(1, Math.min(Math.floor(this.#slots * loadFactor), this.#slots - 1));
    this.#hashes = new Uint32Array(this.#slots * HASH_WORDS);
    this.#ends = new Float64Array(this.#slots);
    this.#hash = new KeyHash(secret);
  }

  /** Keys in the map. */
  get size(): number {
    return this.#size;
  }

  get sizeInBytes(): number {
    return this.#slots * ENTRY_BYTES;
  }

  get isFull(): boolean {
    return this.#size >= this.entriesMax;
  }

  /** Notes that the key in `bytes[from, to)` was last seen at `offset`. The map must not be full. */
  put(bytes: Uint8Array, from: number, to: number, offset: number): void {
    assert(!this.isFull, 'the offset map has room');
    const slot = this.#slotOf(bytes, from, to);
    if (this.#ends[slot] === 0) {
      const at = slot * HASH_WORDS;
      const { h0, h1, h2, h3 } = this.#hash;
      this.#hashes[at] = h0;
      this.#hashes[at + 1] = h1;
      this.#hashes[at + 2] = h2;
      this.#hashes[at + 3] = h3;
      this.#size += 1;
    }
    this.#ends[slot] = offset + 1;
    this.latestOffset = offset;
  }

  /** The offset of the key in `bytes[from, to)`, -1 where it was never put. */
  get(bytes: Uint8Array, from: number, to: number): number {
    return this.#ends[this.#slotOf(bytes, from, to)]! - 1;
  }

  /** The slot that holds the key, or the empty one where it would go. There is always an empty one. */
  #slotOf(bytes: Uint8Array, from: number, to: number): number {
    this.#hash.update(bytes, from, to);
    const { h0, h1, h2, h3 } = this.#hash;
    const hashes = this.#hashes;
    const ends = this.#ends;
    const slots = this.#slots;
    let slot = Math.floor((h0 * slots) / 4294967296);
    while (ends[slot] !== 0) {
      const at = slot * HASH_WORDS;
      if (hashes[at] === h0 && hashes[at + 1] === h1 && hashes[at + 2] === h2 && hashes[at + 3] === h3) break;
      slot += 1;
      if (slot === slots) slot = 0;
    }
    return slot;
  }
}
