import { assert } from './assert.ts';
import type { FramePool } from './ports.ts';

/** Smaller ones are not worth keeping: the engine's own pool serves them in a few nanoseconds. */
const SMALLEST_CLASS_BYTES = 1024;
/** Larger ones are made for their request and left to the collector. */
const LARGEST_CLASS_BYTES = 16 * 1024 * 1024;
/** What a burst may leave behind in memory. */
const MAX_RETAINED_BYTES = 32 * 1024 * 1024;
const POISON = 0xdb;

export interface BufferPoolOptions {
  /**
   * Bytes of unused buffers that are kept at most. Beyond it those of the size go that nobody has taken for longest: what
   * one kind of load left behind must not keep the buffers of the next one out. Default 32 MiB.
   */
  readonly maxRetainedBytes?: number;
  /** For tests: overwrites what is given back, and throws where something is given twice or was never taken. */
  readonly poison?: boolean;
}

/**
 * The size class of `size`: 1024, 1280, 1536, 1792, 2048, 2560 and so on, four to each doubling, counted from 0. Bytes
 * in it: {@link classBytes}.
 */
function classOf(size: number): number {
  if (size <= SMALLEST_CLASS_BYTES) return 0;
  const log = 31 - Math.clz32(size - 1);
  const quarter = ((size - 1) >>> (log - 2)) & 3;
  return (log - 10) * 4 + quarter + 1;
}

function classBytes(index: number): number {
  const log = index >>> 2;
  return (4 + (index & 3)) * (SMALLEST_CLASS_BYTES / 4) * 2 ** log;
}

/** A {@link FramePool} of plain buffers, each with memory of its own. */
export class BufferPool implements FramePool {
  readonly #free: Buffer[][] = [];
  /** For each class the number of its last take, counted over all classes. */
  readonly #lastTake: number[] = [];
  #takes = 0;
  readonly #maxRetainedBytes: number;
  readonly #out: WeakSet<Buffer> | undefined;
  #retainedBytes = 0;
  #takenBytes = 0;

  constructor(options: BufferPoolOptions = {}) {
    this.#maxRetainedBytes = options.maxRetainedBytes ?? MAX_RETAINED_BYTES;
    this.#out = options.poison === true ? new WeakSet() : undefined;
    for (let index = classOf(LARGEST_CLASS_BYTES); index >= 0; index--) {
      this.#free.push([]);
      this.#lastTake.push(0);
    }
  }

  take(size: number): Buffer {
    const buffer = size > LARGEST_CLASS_BYTES ? Buffer.allocUnsafeSlow(size) : this.#ofClass(classOf(size));
    this.#takenBytes += buffer.length;
    this.#out?.add(buffer);
    return buffer;
  }

  give(buffer: Buffer): void {
    const size = buffer.length;
    if (this.#out !== undefined) {
      assert(this.#out.delete(buffer), 'a buffer was given back that is not taken');
      buffer.fill(POISON);
    }
    this.#takenBytes -= size;
    if (size > LARGEST_CLASS_BYTES || size > this.#maxRetainedBytes) return;
    const index = classOf(size);
    assert(
      classBytes(index) === size && buffer.buffer.byteLength === size,
      'what was given back is not a buffer of the pool',
    );
    while (this.#retainedBytes + size > this.#maxRetainedBytes) {
      const victim = this.#stalest();
      if (victim === index) return;
      this.#free[victim]!.pop();
      this.#retainedBytes -= classBytes(victim);
    }
    this.#retainedBytes += size;
    this.#free[index]!.push(buffer);
  }

  takenBytes(): number {
    return this.#takenBytes;
  }

  /** Bytes of unused buffers. */
  retainedBytes(): number {
    return this.#retainedBytes;
  }

  /** Drops unused buffers, the largest first, until at most `bytes` are kept. */
  trim(bytes: number): void {
    for (let index = this.#free.length - 1; index >= 0; index--) {
      const free = this.#free[index] ?? [];
      while (free.length > 0 && this.#retainedBytes > bytes) {
        free.pop();
        this.#retainedBytes -= classBytes(index);
      }
    }
  }

  /** The class with unused buffers that was taken from longest ago; there is one where anything is retained. */
  #stalest(): number {
    let stalest = -1;
    for (let index = 0; index < this.#free.length; index++) {
      if (this.#free[index]!.length === 0) continue;
      if (stalest === -1 || this.#lastTake[index]! < this.#lastTake[stalest]!) stalest = index;
    }
    return stalest;
  }

  #ofClass(index: number): Buffer {
    const size = classBytes(index);
    this.#takes += 1;
    this.#lastTake[index] = this.#takes;
    const buffer = this.#free[index]?.pop();
    if (buffer === undefined) return Buffer.allocUnsafeSlow(size);
    this.#retainedBytes -= size;
    return buffer;
  }
}
