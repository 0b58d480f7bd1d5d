import { assert } from '../base/assert.ts';
import type { FramePool } from '../base/ports.ts';
import { FRAME_FIRST_STEP_BYTES, FRAME_SLAB_BYTES, READ_BYTES_MAX, SMALL_FRAME_BYTES_MAX } from './limits.ts';

/** Bytes of the length field before each frame. */
const LENGTH_BYTES = 4;
/** API key, version and correlation id: nothing shorter is a request. */
const FRAME_BYTES_MIN = 8;

/** The peer announced a frame that is refused before any of it is read. The connection can't go on. */
export class FrameError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FrameError';
  }
}

/** Memory shared by small frames: given back once it is full and the last of them was released. */
class Slab {
  readonly buffer: Buffer;
  readonly #pool: FramePool;
  used = 0;
  #frames = 0;
  #retired = false;

  constructor(pool: FramePool) {
    this.#pool = pool;
    this.buffer = pool.take(FRAME_SLAB_BYTES);
  }

  hold(): void {
    this.#frames += 1;
  }

  release(): void {
    this.#frames -= 1;
    assert(this.#frames >= 0, 'a slab is released as often as it is held');
    if (this.#frames > 0) return;
    if (this.#retired) this.#pool.give(this.buffer);
    else this.used = 0;
  }

  retire(): void {
    this.#retired = true;
    if (this.#frames === 0) this.#pool.give(this.buffer);
  }
}

/**
 * The slab that is being filled, one for all connections of a server: an idle one holds no memory for frames to come.
 */
export class FrameSlabs {
  readonly #pool: FramePool;
  #slab: Slab | undefined;

  constructor(pool: FramePool) {
    this.#pool = pool;
  }

  /** A slab with so many bytes free; hold it before the next call. */
  withRoom(bytes: number): Slab {
    const slab = this.#slab;
    if (slab !== undefined && slab.buffer.length - slab.used >= bytes) return slab;
    slab?.retire();
    this.#slab = new Slab(this.#pool);
    return this.#slab;
  }

  /** Gives the memory back once the last frame in it is released. */
  close(): void {
    this.#slab?.retire();
    this.#slab = undefined;
  }
}

/** One request without its length field. Its bytes are valid until `release`. */
export class Frame {
  readonly bytes: Buffer;
  readonly #slab: Slab | undefined;
  readonly #own: Buffer | undefined;
  readonly #pool: FramePool;
  #released = false;

  constructor(bytes: Buffer, slab: Slab | undefined, own: Buffer | undefined, pool: FramePool) {
    this.bytes = bytes;
    this.#slab = slab;
    this.#own = own;
    this.#pool = pool;
  }

  /** Idempotent. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    if (this.#slab !== undefined) this.#slab.release();
    else if (this.#own !== undefined) this.#pool.give(this.#own);
  }
}

export interface FrameSplitterOptions {
  /** `socket.request.max.bytes`. */
  readonly frameBytesMax: number;
  readonly pool: FramePool;
  /** Memory for small frames, closed by its owner. */
  readonly slabs: FrameSlabs;
  readonly onFrame: (frame: Frame) => void;
}

/**
 * Cuts the byte stream of one connection into frames. Whole small frames of a chunk are copied together in one go; a
 * small frame that is cut is collected in the slab; a large one is collected in a pooled buffer that grows with what
 * has arrived, so that a peer can't reserve memory by announcing it.
 */
export class FrameSplitter {
  readonly #frameBytesMax: number;
  readonly #pool: FramePool;
  readonly #onFrame: (frame: Frame) => void;
  readonly #slabs: FrameSlabs;
  /** The part of a length field that has come. */
  #length = 0;
  #lengthFilled = 0;
  /** Size of the frame that is being collected, 0 between frames. */
  #size = 0;
  #filled = 0;
  #partial: Buffer | undefined;
  #partialSlab: Slab | undefined;
  #closed = false;

  constructor(options: FrameSplitterOptions) {
    this.#frameBytesMax = options.frameBytesMax;
    this.#pool = options.pool;
    this.#slabs = options.slabs;
    this.#onFrame = options.onFrame;
  }

  /** True while a frame has begun and is not complete. */
  get midFrame(): boolean {
    return this.#lengthFilled > 0 || this.#size > 0;
  }

  /**
   * Where the next bytes of a large frame belong, for links that can read into it. The link then hands a view of that
   * memory to {@link push}, which sees that no copy is needed.
   */
  target(): Uint8Array | undefined {
    let partial = this.#partial;
    if (partial === undefined || this.#partialSlab !== undefined) return undefined;
    if (this.#filled === partial.length) partial = this.#grow(partial);
    const end = Math.min(this.#size, partial.length, this.#filled + READ_BYTES_MAX);
    return partial.subarray(this.#filled, end);
  }

  /** Takes the next bytes of the stream; throws {@link FrameError} after all whole frames before the bad one were given. */
  push(chunk: Uint8Array): void {
    let at = 0;
    const end = chunk.length;
    while (at < end && !this.#closed) {
      if (this.#size > 0) at = this.#fill(chunk, at);
      else if (this.#lengthFilled > 0) at = this.#fillLength(chunk, at);
      else {
        const whole = this.#takeWhole(chunk, at);
        if (whole === at) at = this.#fillLength(chunk, at);
        else at = whole;
      }
    }
  }

  /** Gives back what is held for an incomplete frame; frames that were handed out live on. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#partialSlab !== undefined) this.#partialSlab.release();
    else if (this.#partial !== undefined) this.#pool.give(this.#partial);
    this.#partial = undefined;
    this.#partialSlab = undefined;
  }

  #check(size: number): void {
    if (size < FRAME_BYTES_MIN) throw new FrameError(`a request can't have ${size} bytes`);
    if (size > this.#frameBytesMax) {
      throw new FrameError(
        `a request of ${size} bytes is over socket.request.max.bytes=${this.#frameBytesMax}`,
      );
    }
  }

  /** Copies the run of whole small frames that starts at `from` at once and hands them out; returns where it ended. */
  #takeWhole(chunk: Uint8Array, from: number): number {
    let end = from;
    while (chunk.length - end >= LENGTH_BYTES) {
      const size = readInt32(chunk, end);
      if (size < FRAME_BYTES_MIN || size > SMALL_FRAME_BYTES_MAX || size > this.#frameBytesMax) break;
      if (chunk.length - end - LENGTH_BYTES < size) break;
      const next = end + LENGTH_BYTES + size;
      if (next - from > FRAME_SLAB_BYTES) break;
      end = next;
    }
    if (end === from) return from;
    const slab = this.#slabs.withRoom(end - from);
    const base = slab.used;
    slab.buffer.set(chunk.subarray(from, end), base);
    slab.used += end - from;
    slab.hold();
    let at = from;
    while (at < end && !this.#closed) {
      const size = readInt32(chunk, at);
      const start = base + at - from + LENGTH_BYTES;
      slab.hold();
      this.#onFrame(new Frame(slab.buffer.subarray(start, start + size), slab, undefined, this.#pool));
      at += LENGTH_BYTES + size;
    }
    slab.release();
    return end;
  }

  #fillLength(chunk: Uint8Array, at: number): number {
    const count = Math.min(LENGTH_BYTES - this.#lengthFilled, chunk.length - at);
    for (let i = at; i < at + count; i++) this.#length = (this.#length << 8) | chunk[i]!;
    this.#lengthFilled += count;
    if (this.#lengthFilled === LENGTH_BYTES) {
      const size = this.#length;
      this.#check(size);
      this.#length = 0;
      this.#lengthFilled = 0;
      this.#size = size;
      this.#filled = 0;
      this.#reserve(size);
    }
    return at + count;
  }

  #reserve(size: number): void {
    if (size <= SMALL_FRAME_BYTES_MAX) {
      const slab = this.#slabs.withRoom(size);
      slab.hold();
      this.#partial = slab.buffer.subarray(slab.used, slab.used + size);
      this.#partialSlab = slab;
      slab.used += size;
    } else {
      this.#partial = this.#pool.take(Math.min(size, FRAME_FIRST_STEP_BYTES));
    }
  }

  #fill(chunk: Uint8Array, at: number): number {
    let partial = this.#partial;
    assert(partial !== undefined, 'a frame that has begun has memory');
    if (this.#filled === partial.length && this.#filled < this.#size) partial = this.#grow(partial);
    const room = Math.min(partial.length, this.#size) - this.#filled;
    const count = Math.min(room, chunk.length - at);
    const inPlace =
      chunk.buffer === partial.buffer && chunk.byteOffset + at === partial.byteOffset + this.#filled;
    if (!inPlace) {
      partial.set(at === 0 && count === chunk.length ? chunk : chunk.subarray(at, at + count), this.#filled);
    }
    this.#filled += count;
    if (this.#filled === this.#size) this.#complete(partial);
    return at + count;
  }

  #grow(partial: Buffer): Buffer {
    const larger = this.#pool.take(Math.min(this.#size, partial.length * 2));
    larger.set(partial, 0);
    this.#pool.give(partial);
    this.#partial = larger;
    return larger;
  }

  #complete(partial: Buffer): void {
    const slab = this.#partialSlab;
    const bytes = partial.length === this.#size ? partial : partial.subarray(0, this.#size);
    this.#partial = undefined;
    this.#partialSlab = undefined;
    this.#size = 0;
    this.#filled = 0;
    this.#onFrame(new Frame(bytes, slab, slab === undefined ? partial : undefined, this.#pool));
  }
}

function readInt32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}
