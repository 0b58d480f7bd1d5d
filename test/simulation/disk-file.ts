import type { SeededRandom } from './random.ts';

/** Beyond it the oldest unsynced changes of a file reach the disk by themselves, as the kernel writes them back. */
const WRITE_BACK_BYTES = 4 * 1024 * 1024;
const SECTOR_BYTES = 512;

type Change =
  | { readonly at: number; readonly bytes: Buffer }
  /** A truncation. */
  | { readonly size: number };

/** Bytes that grow. */
class Image {
  size = 0;
  #bytes = Buffer.alloc(0);

  write(bytes: Uint8Array, at: number): void {
    const end = at + bytes.length;
    this.#reserve(end);
    if (at > this.size) this.#bytes.fill(0, this.size, at);
    this.#bytes.set(bytes, at);
    this.size = Math.max(this.size, end);
  }

  truncate(size: number): void {
    this.#reserve(size);
    if (size > this.size) this.#bytes.fill(0, this.size, size);
    this.size = size;
  }

  view(from: number, to: number): Buffer {
    return this.#bytes.subarray(Math.min(from, this.size), Math.min(to, this.size));
  }

  become(other: Image): void {
    this.size = 0;
    this.write(other.view(0, other.size), 0);
  }

  #reserve(size: number): void {
    if (size <= this.#bytes.length) return;
    const grown = Buffer.alloc(Math.max(size, this.#bytes.length * 2, 4096));
    this.#bytes.copy(grown, 0, 0, this.size);
    this.#bytes = grown;
  }
}

/** How a power loss treats what was written and not synced. */
export type CrashMode =
  /** All of it is gone. */
  | 'forget'
  /** The changes up to a random one are there, the next one in part, with luck with zeros behind it. */
  | 'tear';

/** The content of one file twice: as readers see it, and as it would be after a power loss; between them the changes. */
export class FileContent {
  /** Milliseconds since 1970, of the world. */
  modifiedMs = 0;
  readonly #live = new Image();
  readonly #durable = new Image();
  #pending: Change[] = [];
  #pendingBytes = 0;
  /** Changes ever made. */
  #changes = 0;

  get size(): number {
    return this.#live.size;
  }

  get durableSize(): number {
    return this.#durable.size;
  }

  read(into: Uint8Array, at: number): number {
    const view = this.#live.view(at, at + into.length);
    into.set(view, 0);
    return view.length;
  }

  write(bytes: Uint8Array, at: number): void {
    if (bytes.length === 0) return;
    this.#live.write(bytes, at);
    this.#add({ at, bytes: Buffer.from(bytes) }, bytes.length);
  }

  truncate(size: number): void {
    this.#live.truncate(size);
    this.#add({ size }, 0);
  }

  /** Names the changes made so far, for {@link settle}. */
  mark(): number {
    return this.#changes;
  }

  /** The changes up to a mark are durable or, where the sync failed, will never be. */
  settle(mark: number, durable: boolean): void {
    const settled = this.#changes - this.#pending.length;
    const count = Math.max(0, mark - settled);
    for (const change of this.#pending.splice(0, count)) {
      if ('bytes' in change) this.#pendingBytes -= change.bytes.length;
      if (durable) apply(this.#durable, change);
    }
  }

  powerLoss(random: SeededRandom, mode: CrashMode): void {
    if (mode === 'tear' && this.#pending.length > 0) {
      const kept = random.below(this.#pending.length + 1);
      for (const change of this.#pending.slice(0, kept)) apply(this.#durable, change);
      const torn = this.#pending[kept];
      if (torn !== undefined && 'bytes' in torn) this.#tear(torn.at, torn.bytes, random);
    }
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#live.become(this.#durable);
  }

  #tear(at: number, bytes: Buffer, random: SeededRandom): void {
    let count = random.below(bytes.length + 1);
    if (random.chance(0.5)) count -= Math.min(count, (at + count) % SECTOR_BYTES);
    this.#durable.write(bytes.subarray(0, count), at);
    // The length can be on disk before the blocks are.
    if (random.chance(0.3)) this.#durable.write(Buffer.alloc(bytes.length - count), at + count);
  }

  #add(change: Change, bytes: number): void {
    this.#pending.push(change);
    this.#changes++;
    this.#pendingBytes += bytes;
    if (this.#pendingBytes > WRITE_BACK_BYTES) {
      this.settle(this.#changes - (this.#pending.length >>> 1), true);
    }
  }
}

function apply(image: Image, change: Change): void {
  if ('bytes' in change) image.write(change.bytes, change.at);
  else image.truncate(change.size);
}
