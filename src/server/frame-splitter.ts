import { assert } from '../base/assert.ts';
import type { Reader } from '../protocol/reader.ts';
import {
  FRAME_FIRST_STEP_BYTES,
  FRAME_PROOF_BYTES,
  FRAME_SLAB_BYTES,
  READ_BYTES_MAX,
  SMALL_FRAME_BYTES_MAX,
  UNQUEUED_FRAME_BYTES_MAX,
} from './limits.ts';
import { PartialFrame, type RequestMemory } from './request-memory.ts';

/** Bytes of the length field before each frame. */
const LENGTH_BYTES = 4;
/** API key, version and correlation id: nothing shorter is a request. */
const FRAME_BYTES_MIN = 8;
/** The pool keeps no smaller buffers. */
const FRAME_BYTES_KEPT = 1024;

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
  readonly #memory: RequestMemory;
  used = 0;
  #frames = 0;
  #retired = false;

  constructor(memory: RequestMemory) {
    this.#memory = memory;
    this.buffer = memory.takeSlab(FRAME_SLAB_BYTES);
  }

  hold(): void {
    this.#frames += 1;
  }

  release(): void {
    this.#frames -= 1;
    assert(this.#frames >= 0, 'a slab is released as often as it is held');
    if (this.#frames > 0) return;
    if (this.#retired) this.#memory.giveSlab(this.buffer);
    else this.used = 0;
  }

  retire(): void {
    this.#retired = true;
    if (this.#frames === 0) this.#memory.giveSlab(this.buffer);
  }
}

/**
 * The slab that is being filled, one for all connections of a server: an idle one holds no memory for frames to come.
 * Only whole frames lie in it: one that is cut may stay so, and would keep a slab from being used again.
 */
export class FrameSlabs {
  readonly memory: RequestMemory;
  #slab: Slab | undefined;

  constructor(memory: RequestMemory) {
    this.memory = memory;
  }

  /** A slab with so many bytes free; hold it before the next call. */
  withRoom(bytes: number): Slab {
    const slab = this.#slab;
    if (slab !== undefined && slab.buffer.length - slab.used >= bytes) return slab;
    slab?.retire();
    this.#slab = new Slab(this.memory);
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
  readonly sizeInBytes: number;
  readonly #buffer: Buffer;
  readonly #start: number;
  readonly #memory: RequestMemory;
  /** Undefined where the buffer is its own. */
  readonly #slab: Slab | undefined;
  #released = false;

  constructor(buffer: Buffer, start: number, size: number, memory: RequestMemory, slab?: Slab) {
    this.#buffer = buffer;
    this.#start = start;
    this.sizeInBytes = size;
    this.#memory = memory;
    this.#slab = slab;
  }

  /** A view, made for each who asks: most requests are read without one. */
  get bytes(): Buffer {
    return this.#buffer.subarray(this.#start, this.#start + this.sizeInBytes);
  }

  int16(at: number): number {
    const from = this.#start + at;
    return ((this.#buffer[from]! << 24) | (this.#buffer[from + 1]! << 16)) >> 16;
  }

  /** Has the reader begin `at` bytes into the frame. */
  readFrom(at: number, reader: Reader): void {
    reader.begin(this.#buffer, this.#start, this.#start + this.sizeInBytes, at);
  }

  /** Idempotent. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    if (this.#slab !== undefined) this.#slab.release();
    else this.#memory.give(this.#buffer);
  }
}

/** Who gets the frames of a stream. */
export interface FrameOwner {
  /** False while no more bytes are asked for. */
  readonly isReading: boolean;
  onFrame(frame: Frame): void;
  /** A frame that waited for memory has it: read on. */
  onFrameGranted(): void;
  /** A frame makes no progress: the stream must be given up. */
  onFrameExpired(reason: string): void;
}

/**
 * Cuts the byte stream of one connection into frames. Whole small frames of a chunk are copied together in one go; one
 * that is cut is collected in a pooled buffer that grows with what has arrived, so that a peer can't reserve memory by
 * announcing it. Where the node has none left for a large frame, {@link isWaiting} asks not to read on.
 */
export class FrameSplitter extends PartialFrame {
  readonly #frameBytesMax: number;
  readonly #slabs: FrameSlabs;
  readonly #owner: FrameOwner;
  /** The part of a length field that has come. */
  #length = 0;
  #lengthFilled = 0;
  /** Size of the frame that is being collected, 0 between frames. */
  #size = 0;
  #partial: Buffer | undefined;
  #closed = false;

  /** `frameBytesMax` is `socket.request.max.bytes`; `slabs` is the memory for small frames, closed by its owner. */
  constructor(frameBytesMax: number, slabs: FrameSlabs, owner: FrameOwner) {
    super();
    this.#frameBytesMax = frameBytesMax;
    this.#slabs = slabs;
    this.#owner = owner;
  }

  /** True while a frame has begun and is not complete. */
  get midFrame(): boolean {
    return this.#lengthFilled > 0 || this.#size > 0;
  }

  /** True while the next bytes must not be read: there is no memory for them. */
  get isWaiting(): boolean {
    return this.wantedBytes > 0;
  }

  get isRead(): boolean {
    return this.#owner.isReading;
  }

  granted(): void {
    this.#owner.onFrameGranted();
  }

  expire(reason: string): void {
    this.#owner.onFrameExpired(reason);
  }

  /**
   * Where the next bytes of a large frame belong, for links that can read into it. The link then hands a view of that
   * memory to {@link push}, which sees that no copy is needed. It stays in place until bytes are pushed.
   */
  target(): Uint8Array | undefined {
    const partial = this.#partial;
    const filled = this.arrivedBytes;
    if (partial === undefined || partial.length <= UNQUEUED_FRAME_BYTES_MAX || filled === partial.length) {
      return undefined;
    }
    const end = Math.min(this.#size, partial.length, filled + READ_BYTES_MAX);
    return partial.subarray(filled, end);
  }

  /**
   * Takes the next bytes of the stream. After all whole frames before the bad one were given, throws {@link FrameError},
   * or RequestMemoryError where the node has no memory left for what has come.
   */
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

  /** Gives back what is held for an incomplete frame; frames that were handed out live on. Nothing reads any more. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.midFrame) this.#slabs.memory.drop(this, this.#partial);
    this.#partial = undefined;
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
    const { memory } = this.#slabs;
    const slab = this.#slabs.withRoom(end - from);
    const base = slab.used;
    slab.buffer.set(end - from === chunk.length ? chunk : chunk.subarray(from, end), base);
    slab.used += end - from;
    slab.hold();
    let at = from;
    while (at < end && !this.#closed) {
      const size = readInt32(chunk, at);
      const start = base + at - from + LENGTH_BYTES;
      slab.hold();
      this.#owner.onFrame(new Frame(slab.buffer, start, size, memory, slab));
      at += LENGTH_BYTES + size;
    }
    slab.release();
    return end;
  }

  #fillLength(chunk: Uint8Array, at: number): number {
    if (this.#lengthFilled === 0) this.#slabs.memory.begin(this);
    const count = Math.min(LENGTH_BYTES - this.#lengthFilled, chunk.length - at);
    for (let i = at; i < at + count; i++) this.#length = (this.#length << 8) | chunk[i]!;
    this.#lengthFilled += count;
    if (this.#lengthFilled === LENGTH_BYTES) {
      this.#check(this.#length);
      this.#size = this.#length;
      this.#length = 0;
      this.#lengthFilled = 0;
    }
    return at + count;
  }

  #fill(chunk: Uint8Array, at: number): number {
    const filled = this.arrivedBytes;
    let partial = this.#partial;
    if (partial === undefined || filled === partial.length) partial = this.#grow(chunk.length - at);
    const room = Math.min(partial.length, this.#size) - filled;
    const count = Math.min(room, chunk.length - at);
    const inPlace = chunk.buffer === partial.buffer && chunk.byteOffset + at === partial.byteOffset + filled;
    if (!inPlace) {
      partial.set(at === 0 && count === chunk.length ? chunk : chunk.subarray(at, at + count), filled);
    }
    this.arrivedBytes = filled + count;
    if (filled + count === this.#size) this.#complete(partial);
    else if (filled + count === partial.length && at + count === chunk.length) this.#growAhead(partial);
    return at + count;
  }

  /** Memory for the frame when `more` bytes are at hand; at least for these, whoever else waits. */
  #grow(more: number): Buffer {
    const { memory } = this.#slabs;
    const have = Math.min(this.#size, this.arrivedBytes + more);
    // What was promised already comes before what it would get anew.
    const promised = Math.min(this.#size, this.chargedBytes);
    const wanted = promised >= have ? promised : capacityFor(this.#size, have);
    const bytes = memory.admit(this, wanted, wanted === this.#size) ? wanted : have;
    this.#partial = memory.grow(this, this.#partial, bytes);
    return this.#partial;
  }

  /** A large frame fills its memory: gets more before the next read is aimed at it, or waits. */
  #growAhead(partial: Buffer): void {
    if (partial.length <= UNQUEUED_FRAME_BYTES_MAX) return;
    const wanted = capacityFor(this.#size, this.arrivedBytes + 1);
    const { memory } = this.#slabs;
    if (memory.admit(this, wanted, wanted === this.#size)) this.#partial = memory.grow(this, partial, wanted);
  }

  #complete(partial: Buffer): void {
    const size = this.#size;
    const { memory } = this.#slabs;
    memory.end(this, partial);
    this.#partial = undefined;
    this.#size = 0;
    this.#owner.onFrame(new Frame(partial, 0, size, memory));
  }
}

/** How much memory a frame of `size` bytes gets when `have` of them are there. */
function capacityFor(size: number, have: number): number {
  const bytes =
    have < FRAME_PROOF_BYTES
      ? Math.max(FRAME_BYTES_KEPT, 4 * have)
      : Math.max(FRAME_FIRST_STEP_BYTES, 2 * have);
  return Math.min(size, bytes);
}

function readInt32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}
