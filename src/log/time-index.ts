import { assert } from '../base/assert.ts';

const ENTRY_BYTES = 12;
const FIRST_CAPACITY = 32;

/** What the time index answers for a time before its first entry. */
export const NO_TIMESTAMP = -1n;

/**
 * The sparse time index of one segment, in the bytes of Apache's `.timeindex`: int64 timestamp, int32 relative offset. An
 * entry says that no batch up to that offset has a larger timestamp; both ascend. Timestamps keep their 64 bits as two
 * halves, so that appends need no BigInt.
 */
export class TimeIndex {
  readonly baseOffset: number;
  #entriesMax: number;
  #count = 0;
  #bytes: Buffer = noBytes;
  #view: DataView = viewOfNone;

  constructor(baseOffset: number, indexBytesMax: number) {
    this.baseOffset = baseOffset;
    this.#entriesMax = Math.floor(indexBytesMax / ENTRY_BYTES);
  }

  get count(): number {
    return this.#count;
  }

  get sizeInBytes(): number {
    return this.#count * ENTRY_BYTES;
  }

  /** Whether it will be full after `entries` more; one slot is kept for the entry that is written at the roll. */
  isFullWith(entries: number): boolean {
    return this.#count + entries >= this.#entriesMax - 1;
  }

  set indexBytesMax(bytes: number) {
    this.#entriesMax = Math.floor(bytes / ENTRY_BYTES);
  }

  timestampAt(slot: number): bigint {
    return this.#view.getBigInt64(slot * ENTRY_BYTES);
  }

  offsetAt(slot: number): number {
    return this.baseOffset + this.#view.getInt32(slot * ENTRY_BYTES + 8);
  }

  /** -1 where there is no entry. */
  get lastTimestamp(): bigint {
    return this.#count === 0 ? NO_TIMESTAMP : this.timestampAt(this.#count - 1);
  }

  /** The base offset where there is no entry. */
  get lastOffset(): number {
    return this.#count === 0 ? this.baseOffset : this.offsetAt(this.#count - 1);
  }

  /** Appends unless the timestamp, given as its high (signed) and low (unsigned) half, is not above the last one. */
  maybeAppend(high: number, low: number, offset: number): void {
    const lastHigh = this.#count === 0 ? -1 : this.#view.getInt32(this.sizeInBytes - ENTRY_BYTES);
    const lastLow = this.#count === 0 ? 0xffffffff : this.#view.getUint32(this.sizeInBytes - ENTRY_BYTES + 4);
    if (high < lastHigh || (high === lastHigh && low <= lastLow)) return;
    if (this.#count >= this.#entriesMax && this.#count > 0) return;
    assert(this.#count === 0 || offset >= this.lastOffset, 'time index offsets ascend');
    if (this.sizeInBytes === this.#bytes.length) this.#grow();
    const at = this.sizeInBytes;
    this.#view.setInt32(at, high);
    this.#view.setUint32(at + 4, low);
    this.#view.setInt32(at + 8, offset - this.baseOffset);
    this.#count += 1;
  }

  /** The offset of the last entry whose timestamp is not above `timestamp`; the base offset where there is none. */
  offsetFor(timestamp: bigint): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.timestampAt(middle) <= timestamp) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? this.baseOffset : this.offsetAt(low - 1);
  }

  /** Removes the entries at or above `offset`. */
  truncateTo(offset: number): void {
    while (this.#count > 0 && this.offsetAt(this.#count - 1) >= offset) this.#count -= 1;
  }

  clear(): void {
    this.#count = 0;
  }

  /** A view of the file's bytes, valid until the next change. */
  contents(): Buffer {
    return this.#bytes.subarray(0, this.sizeInBytes);
  }

  /** Takes the bytes of a file; false where they can't be a time index. Trailing zeroes of a preallocated file are left out. */
  load(bytes: Buffer): boolean {
    if (bytes.length % ENTRY_BYTES !== 0) return false;
    const view = viewOf(bytes);
    let count = 0;
    let lastTimestamp = NO_TIMESTAMP;
    let lastOffset = -1;
    for (let at = 0; at < bytes.length; at += ENTRY_BYTES) {
      const timestamp = view.getBigInt64(at);
      const offset = view.getInt32(at + 8);
      if (timestamp === 0n && offset === 0 && bytes.length > ENTRY_BYTES) break;
      if (timestamp <= lastTimestamp || offset < lastOffset || offset < 0) return false;
      lastTimestamp = timestamp;
      lastOffset = offset;
      count += 1;
    }
    this.#bytes = bytes;
    this.#view = view;
    this.#count = count;
    return true;
  }

  #grow(): void {
    const grown = Buffer.alloc(Math.max(FIRST_CAPACITY * ENTRY_BYTES, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.sizeInBytes);
    this.#bytes = grown;
    this.#view = viewOf(grown);
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

// Most segments of a node with many partitions have no entry.
const noBytes: Buffer = Buffer.alloc(0);
const viewOfNone = viewOf(noBytes);
