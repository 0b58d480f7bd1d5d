import { assert } from '../base/assert.ts';

const ENTRY_BYTES = 8;
const FIRST_CAPACITY = 32;

/** Relative offsets and file positions are signed 32-bit numbers in the index files. */
export const RELATIVE_OFFSET_MAX = 0x7fffffff;

/**
 * The sparse offset index of one segment, in the bytes of Apache's `.index`: int32 offset relative to the segment's base,
 * int32 file position, both ascending. The entries live in memory and grow as needed; the segment writes them to the file
 * when it is rolled, flushed or closed.
 */
export class OffsetIndex {
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

  get isFull(): boolean {
    return this.#count >= this.#entriesMax;
  }

  /** Whether it will be full after `entries` more. */
  isFullWith(entries: number): boolean {
    return this.#count + entries >= this.#entriesMax;
  }

  set indexBytesMax(bytes: number) {
    this.#entriesMax = Math.floor(bytes / ENTRY_BYTES);
  }

  /** The offset of the last entry, the base offset when there is none. */
  get lastOffset(): number {
    return this.#count === 0 ? this.baseOffset : this.offsetAt(this.#count - 1);
  }

  offsetAt(slot: number): number {
    return this.baseOffset + this.#view.getInt32(slot * ENTRY_BYTES);
  }

  positionAt(slot: number): number {
    return this.#view.getInt32(slot * ENTRY_BYTES + 4);
  }

  append(offset: number, position: number): void {
    assert(this.#count === 0 || offset > this.lastOffset, 'offset index entries ascend');
    assert(offset - this.baseOffset <= RELATIVE_OFFSET_MAX, 'a relative offset fits 31 bits');
    if (this.isFull) return;
    if (this.sizeInBytes === this.#bytes.length) this.#grow();
    const at = this.sizeInBytes;
    this.#view.setInt32(at, offset - this.baseOffset);
    this.#view.setInt32(at + 4, position);
    this.#count += 1;
  }

  /** The file position of the last entry whose offset is not above `offset`; 0 where there is none. */
  positionFor(offset: number): number {
    const slot = this.#slotFor(offset);
    return slot < 0 ? 0 : this.positionAt(slot);
  }

  /** The first entry's offset whose position is at or above `position`, undefined where there is none. */
  offsetAtOrAfterPosition(position: number): number | undefined {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.positionAt(middle) < position) low = middle + 1;
      else high = middle;
    }
    return low === this.#count ? undefined : this.offsetAt(low);
  }

  /** Removes the entries at or above `offset`. */
  truncateTo(offset: number): void {
    const slot = this.#slotFor(offset);
    this.#count = slot >= 0 && this.offsetAt(slot) === offset ? slot : slot + 1;
  }

  clear(): void {
    this.#count = 0;
  }

  /** A view of the file's bytes, valid until the next change. */
  contents(): Buffer {
    return this.#bytes.subarray(0, this.sizeInBytes);
  }

  /**
   * Takes the bytes of a file. False where they can't be the index of a log file of `logSizeInBytes` bytes: not whole
   * entries, not ascending, or past its end. A file preallocated by Apache and never trimmed ends in zeroes, which are left
   * out.
   */
  load(bytes: Buffer, logSizeInBytes: number): boolean {
    if (bytes.length % ENTRY_BYTES !== 0) return false;
    const view = viewOf(bytes);
    let count = 0;
    let lastOffset = -1;
    let lastPosition = -1;
    for (let at = 0; at < bytes.length; at += ENTRY_BYTES) {
      const relativeOffset = view.getInt32(at);
      const position = view.getInt32(at + 4);
      if (position === 0 && relativeOffset === 0) break;
      if (relativeOffset <= lastOffset || position <= lastPosition || position >= logSizeInBytes)
        return false;
      lastOffset = relativeOffset;
      lastPosition = position;
      count += 1;
    }
    this.#bytes = bytes;
    this.#view = view;
    this.#count = count;
    return true;
  }

  #slotFor(offset: number): number {
    const relativeOffset = offset - this.baseOffset;
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#view.getInt32(middle * ENTRY_BYTES) <= relativeOffset) low = middle + 1;
      else high = middle;
    }
    return low - 1;
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
