import { assert } from '../base/assert.ts';
import type { FramePool } from '../base/ports.ts';
import { baseOffset } from '../protocol/record-batch/header.ts';

/** Small, since most logs of a node with many get few appends; the next ones are each four times as large. */
const SLAB_BYTES_FIRST = 1024;
const SLAB_BYTES_MAX = 256 * 1024;

/**
 * Keeps the last bytes of all logs of a process within one budget. A log stages small appends straight into its newest
 * slab, so that the copy which makes the tail readable from memory is also the one that gathers a tick's appends into one
 * write. Beyond the budget the slabs that were used longest ago go, whoever owns them.
 */
export class TailCache {
  readonly #bytesMax: number;
  readonly #pool: FramePool;
  // Insertion order is the order of use.
  readonly #slabs = new Set<Slab>();
  #bytes = 0;

  constructor(bytesMax: number, pool: FramePool) {
    this.#bytesMax = bytesMax;
    this.#pool = pool;
  }

  /** Bytes held now. Slabs that wait to be written are held beyond the budget. */
  get bytes(): number {
    return this.#bytes;
  }

  take(owner: LogTail, size: number): Slab {
    const slab = new Slab(owner, this.#pool.take(size));
    this.#slabs.add(slab);
    this.#bytes += slab.buffer.length;
    if (this.#bytes > this.#bytesMax) this.#evict();
    return slab;
  }

  touch(slab: Slab): void {
    if (this.#bytes < this.#bytesMax >> 1 || !this.#slabs.delete(slab)) return;
    this.#slabs.add(slab);
  }

  drop(slab: Slab): void {
    if (!this.#slabs.delete(slab)) return;
    this.#bytes -= slab.buffer.length;
    slab.dropped = true;
    this.recycle(slab);
  }

  release(slab: Slab): void {
    slab.readers -= 1;
    assert(slab.readers >= 0, 'a tail read is released once');
    this.recycle(slab);
  }

  recycle(slab: Slab): void {
    if (slab.dropped && slab.readers === 0) this.#pool.give(slab.buffer);
  }

  #evict(): void {
    for (const slab of this.#slabs) {
      if (this.#bytes <= this.#bytesMax) return;
      slab.owner.evict(slab);
    }
  }
}

/** A run of consecutive bytes of one segment file; batches never straddle slabs. */
export class Slab {
  readonly owner: LogTail;
  readonly buffer: Buffer;
  /** File position of the first byte. */
  position = 0;
  /** Bytes filled, staged ones included. */
  length = 0;
  /** Bytes of them that are in the file. */
  written = 0;
  readers = 0;
  dropped = false;

  constructor(owner: LogTail, buffer: Buffer) {
    this.owner = owner;
    this.buffer = buffer;
  }
}

/** The cached tail of one log: slabs that follow each other without a gap up to the end of the active segment. */
export class LogTail {
  readonly #cache: TailCache;
  #slabs: Slab[] = [];
  #nextSlabBytes = SLAB_BYTES_FIRST;
  #end = 0;

  constructor(cache: TailCache) {
    this.#cache = cache;
  }

  /** Copies bytes to the end; `position` is where they will lie in the file. */
  stage(bytes: Uint8Array, position: number): void {
    const size = bytes.length;
    let slab = this.#slabs.at(-1);
    if (slab !== undefined && position !== this.#end) {
      assert(slab.written === slab.length, 'nothing staged is left behind');
      this.clear();
      slab = undefined;
    }
    if (slab === undefined || slab.length + size > slab.buffer.length) slab = this.#addSlab(size, position);
    slab.buffer.set(bytes, slab.length);
    slab.length += size;
    this.#end = position + size;
  }

  /** Views of what was staged and not written, in order. */
  unwritten(): Buffer[] {
    const chunks: Buffer[] = [];
    for (const slab of this.#slabs) {
      if (slab.written < slab.length) chunks.push(slab.buffer.subarray(slab.written, slab.length));
    }
    return chunks;
  }

  markWritten(): void {
    for (let at = this.#slabs.length - 1; at >= 0; at -= 1) {
      const slab = this.#slabs[at]!;
      if (slab.written === slab.length) return;
      slab.written = slab.length;
    }
  }

  /** Forgets what was staged and not written. */
  rollBack(): void {
    for (
      let slab = this.#slabs.at(-1);
      slab !== undefined && slab.written < slab.length;
      slab = this.#slabs.at(-1)
    ) {
      slab.length = slab.written;
      this.#end = slab.position + slab.length;
      if (slab.length > 0) return;
      this.#slabs.pop();
      this.#cache.drop(slab);
    }
  }

  /** The slab that holds the byte at `position`, undefined where it is not cached. */
  find(position: number): Slab | undefined {
    const first = this.#slabs[0];
    if (first === undefined || position < first.position || position >= this.#end) return undefined;
    for (let at = this.#slabs.length - 1; at >= 0; at -= 1) {
      const slab = this.#slabs[at]!;
      if (position >= slab.position) {
        this.#cache.touch(slab);
        return slab;
      }
    }
    return undefined;
  }

  /** The slab in which a batch that holds `offset` would lie; undefined where the cached tail begins after it. */
  findOffset(offset: number): Slab | undefined {
    for (let at = this.#slabs.length - 1; at >= 0; at -= 1) {
      const slab = this.#slabs[at]!;
      if (slab.written > 0 && baseOffset(slab.buffer, 0) <= offset) {
        this.#cache.touch(slab);
        return slab;
      }
    }
    return undefined;
  }

  /** The slab after `slab`. */
  next(slab: Slab): Slab | undefined {
    return this.#slabs[this.#slabs.indexOf(slab) + 1];
  }

  hold(slab: Slab): void {
    slab.readers += 1;
  }

  release(slab: Slab): void {
    this.#cache.release(slab);
  }

  /** Forgets everything: another segment became active, or the file was cut. */
  clear(): void {
    for (const slab of this.#slabs) this.#cache.drop(slab);
    this.#slabs.length = 0;
    this.#end = 0;
  }

  /** Asked by the cache: gives up `slab` and what lies before it, unless it waits to be written. */
  evict(slab: Slab): void {
    const at = this.#slabs.indexOf(slab);
    for (const dropped of this.#slabs.slice(0, at + 1)) {
      if (dropped.written < dropped.length || dropped.length === 0) return;
      this.#slabs.shift();
      this.#cache.drop(dropped);
    }
  }

  #addSlab(size: number, position: number): Slab {
    const slab = this.#cache.take(this, Math.max(size, this.#nextSlabBytes));
    if (this.#nextSlabBytes < SLAB_BYTES_MAX) this.#nextSlabBytes *= 4;
    slab.position = position;
    // An array that grows by one takes room for seventeen.
    if (this.#slabs.length === 0) this.#slabs = [slab];
    else this.#slabs.push(slab);
    return slab;
  }
}
