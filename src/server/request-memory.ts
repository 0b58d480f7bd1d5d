import { assert } from '../base/assert.ts';
import type { Clock, FramePool, Timer, Timers } from '../base/ports.ts';
import {
  FRAME_PACE_BYTES_MIN,
  FRAME_PACE_MS,
  FRAME_STALL_MS_MAX,
  FRAME_SWEEP_MS,
  FRAME_WAIT_MS_MAX,
  REQUEST_BYTES_MAX,
  RESERVED_REQUEST_BYTES_MAX,
  RESERVED_REQUEST_BYTES_MIN,
  UNQUEUED_FRAME_BYTES_MAX,
} from './limits.ts';

/** The node can't hold more of this connection's requests. The connection can't go on. */
export class RequestMemoryError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'RequestMemoryError';
  }
}

/** A frame that has begun and is not complete: what the memory of the node knows of it. One for each connection. */
export abstract class PartialFrame {
  /** Bytes that have arrived. */
  arrivedBytes = 0;
  /** Memory that it holds or was promised. Owned by {@link RequestMemory}, as are all below. */
  chargedBytes = 0;
  /** Not 0: it waits until it may hold so much, and is not read meanwhile. */
  wantedBytes = 0;
  markBytes = 0;
  markMs = -1;
  previousFrame: PartialFrame | undefined = undefined;
  nextFrame: PartialFrame | undefined = undefined;

  /** False while its connection does not read, for whatever reason. */
  abstract get isRead(): boolean;

  /** Memory is there: read on. */
  abstract granted(): void;

  /** It must go, and its connection with it. */
  abstract expire(reason: string): void;
}

export interface RequestMemoryOptions {
  readonly pool: FramePool;
  readonly ports: { readonly clock: Clock; readonly timers: Timers };
  /** `queued.max.request.bytes` as it is now; not positive: {@link REQUEST_BYTES_MAX}. */
  readonly queuedBytesMax: () => number;
}

/**
 * The memory of one node for requests, from their first byte until they are handled. Frames up to
 * {@link UNQUEUED_FRAME_BYTES_MAX} live on a share that is kept for them. Larger ones are admitted: where the rest is
 * used up they wait, unread, in the order of their arrival: those that hold memory already first, then by turns those
 * that need no more than what they are given at first, and those that do. The oldest that holds memory
 * may grow to its end whatever the others hold, once none is being handled, so that one is always under way. While frames wait, all must keep a pace.
 */
export class RequestMemory {
  readonly #pool: FramePool;
  readonly #options: RequestMemoryOptions | undefined;
  /** Held by large frames, complete ones included. */
  #largeBytes = 0;
  /** Held by large frames that are complete: it comes back by itself. */
  #completeBytes = 0;
  /** Held by smaller ones that lie alone. */
  #smallBytes = 0;
  #slabBytes = 0;
  /** Held by {@link #wholes} and {@link #parts}. */
  #waitingBytes = 0;
  /** Incomplete frames that hold large memory, oldest first. */
  readonly #admitted = new Set<PartialFrame>();
  /** Incomplete frames that want their first large memory, oldest first: those to which it is all they need. */
  readonly #wholes = new Set<PartialFrame>();
  /** The others. */
  readonly #parts = new Set<PartialFrame>();
  #isPartNext = false;
  /** Of the admitted. */
  #growers = 0;
  #first: PartialFrame | undefined;
  #sweep: Timer | undefined;

  /** Without options: for a link of the node's own, which is never held up. */
  constructor(pool: FramePool, options?: Omit<RequestMemoryOptions, 'pool'>) {
    this.#pool = pool;
    this.#options = options === undefined ? undefined : { pool, ...options };
  }

  /** All that is held. */
  get bytes(): number {
    return this.#largeBytes + this.#smallBytes + this.#slabBytes;
  }

  /** True while the share of small requests is used up: who has requests under way reads no more until they are done. */
  get isSmallFull(): boolean {
    const bytes = this.#smallBytes + this.#slabBytes;
    return bytes >= RESERVED_REQUEST_BYTES_MIN && bytes >= this.#reservedBytes();
  }

  /** True while large frames wait for memory. */
  get isLargeWanted(): boolean {
    return this.#growers > 0 || this.#wholes.size > 0 || this.#parts.size > 0;
  }

  /** True when even what can't wait must not be kept. */
  get isExhausted(): boolean {
    const bytes = this.#smallBytes + this.#slabBytes;
    return bytes >= RESERVED_REQUEST_BYTES_MIN && bytes >= 2 * this.#reservedBytes();
  }

  takeSlab(bytes: number): Buffer {
    const slab = this.#pool.take(bytes);
    this.#slabBytes += slab.length;
    return slab;
  }

  giveSlab(slab: Buffer): void {
    this.#slabBytes -= slab.length;
    this.#pool.give(slab);
  }

  /** A frame was cut: it is watched from here on. */
  begin(frame: PartialFrame): void {
    if (this.#options === undefined) return;
    frame.markMs = -1;
    frame.markBytes = 0;
    const first = this.#first;
    frame.nextFrame = first;
    if (first !== undefined) first.previousFrame = frame;
    this.#first = frame;
    this.#sweep ??= this.#options.ports.timers.after(FRAME_SWEEP_MS, this.#onSweep);
  }

  /**
   * Whether a frame may hold `bytes` in all; where not it waits until {@link PartialFrame.granted}, or expires. `isAll`:
   * it needs no more.
   */
  admit(frame: PartialFrame, bytes: number, isAll: boolean): boolean {
    if (this.#options === undefined || bytes <= UNQUEUED_FRAME_BYTES_MAX || frame.chargedBytes >= bytes) {
      return true;
    }
    if (frame.wantedBytes > 0) return false;
    const isNew = !this.#admitted.has(frame);
    const queued = isNew ? this.#growers + this.#wholes.size + this.#parts.size : 0;
    if (queued === 0 && this.#fits(frame, bytes)) {
      this.#admitted.add(frame);
      return true;
    }
    frame.wantedBytes = bytes;
    frame.markMs = -1;
    if (!isNew) this.#growers += 1;
    else {
      (isAll ? this.#wholes : this.#parts).add(frame);
      this.#waitingBytes += frame.chargedBytes;
    }
    return false;
  }

  /**
   * A buffer for a frame in place of `old`, with what has arrived in it. Throws {@link RequestMemoryError} where not
   * even that much is left.
   */
  grow(frame: PartialFrame, old: Buffer | undefined, bytes: number): Buffer {
    this.#check(frame, bytes);
    const buffer = this.#pool.take(bytes);
    if (old !== undefined) {
      buffer.set(old.subarray(0, frame.arrivedBytes));
      this.#pool.give(old);
    }
    this.#charge(frame, buffer.length);
    return buffer;
  }

  /** The frame is complete, or its connection ended: it is watched no more. Its memory stays charged with `kept`. */
  end(frame: PartialFrame, kept: Buffer | undefined): void {
    if (this.#options !== undefined) this.#unlist(frame);
    if (kept === undefined) this.#charge(frame, 0);
    else if (kept.length > UNQUEUED_FRAME_BYTES_MAX) this.#completeBytes += kept.length;
    frame.chargedBytes = 0;
    frame.arrivedBytes = 0;
    if (this.#admitted.delete(frame) || kept === undefined) this.#grant();
  }

  /** Gives back the buffer of a complete frame. */
  give(buffer: Buffer): void {
    if (buffer.length > UNQUEUED_FRAME_BYTES_MAX) {
      this.#largeBytes -= buffer.length;
      this.#completeBytes -= buffer.length;
    } else this.#smallBytes -= buffer.length;
    this.#pool.give(buffer);
    this.#grant();
  }

  /** Gives back the buffer of a frame that never became complete. */
  drop(frame: PartialFrame, buffer: Buffer | undefined): void {
    this.end(frame, undefined);
    if (buffer !== undefined) this.#pool.give(buffer);
  }

  /** Stops watching: the server is closed. */
  close(): void {
    this.#sweep?.cancel();
    this.#sweep = undefined;
  }

  #bytesMax(): number {
    if (this.#options === undefined) return Number.POSITIVE_INFINITY;
    const queued = this.#options.queuedBytesMax();
    return queued > 0 ? queued : REQUEST_BYTES_MAX;
  }

  #reservedBytes(): number {
    if (this.#options === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(RESERVED_REQUEST_BYTES_MIN, Math.min(RESERVED_REQUEST_BYTES_MAX, this.#bytesMax() / 4));
  }

  #fits(frame: PartialFrame, bytes: number): boolean {
    // Where complete ones hold memory, it is worth waiting for it.
    if (this.#completeBytes === 0 && (this.#admitted.size === 0 || oldestOf(this.#admitted) === frame))
      return true;
    const held = frame.chargedBytes > UNQUEUED_FRAME_BYTES_MAX ? frame.chargedBytes : 0;
    return this.#largeBytes - held + bytes <= this.#bytesMax() - this.#reservedBytes();
  }

  #check(frame: PartialFrame, bytes: number): void {
    const reserved = this.#reservedBytes();
    // Those that announce more than they show must not keep out who shows most of it.
    const waitingMax = this.#wholes.has(frame) ? 2 * reserved : reserved;
    if (this.#isNewcomer(frame) && this.#waitingBytes - frame.chargedBytes + bytes > waitingMax) {
      throw new RequestMemoryError('too many large requests wait for memory');
    }
    if (bytes > UNQUEUED_FRAME_BYTES_MAX) return;
    const all = this.#smallBytes + this.#slabBytes + bytes;
    if (all > RESERVED_REQUEST_BYTES_MIN && all > 2 * reserved) {
      throw new RequestMemoryError('the memory for requests that are not complete is used up');
    }
  }

  /** Whether a frame waits for its first large memory. */
  #isNewcomer(frame: PartialFrame): boolean {
    return frame.wantedBytes > 0 && (this.#wholes.has(frame) || this.#parts.has(frame));
  }

  /** Notes that a frame holds `bytes` now and no longer what it held before. */
  #charge(frame: PartialFrame, bytes: number): void {
    const before = frame.chargedBytes;
    if (before > UNQUEUED_FRAME_BYTES_MAX) this.#largeBytes -= before;
    else this.#smallBytes -= before;
    if (bytes > UNQUEUED_FRAME_BYTES_MAX) this.#largeBytes += bytes;
    else this.#smallBytes += bytes;
    if (this.#isNewcomer(frame)) this.#waitingBytes += bytes - before;
    frame.chargedBytes = bytes;
  }

  #grant(): void {
    if (this.#growers > 0) {
      for (const frame of this.#admitted) {
        if (frame.wantedBytes === 0) continue;
        if (!this.#fits(frame, frame.wantedBytes)) return;
        this.#growers -= 1;
        this.#grantOne(frame);
      }
    }
    for (let frame = this.#nextNewcomer(); frame !== undefined; frame = this.#nextNewcomer()) {
      if (!this.#fits(frame, frame.wantedBytes)) return;
      this.#isPartNext = !this.#isPartNext;
      this.#waitingBytes -= frame.chargedBytes;
      this.#wholes.delete(frame);
      this.#parts.delete(frame);
      this.#admitted.add(frame);
      this.#grantOne(frame);
    }
  }

  #nextNewcomer(): PartialFrame | undefined {
    const [first, second] = this.#isPartNext ? [this.#parts, this.#wholes] : [this.#wholes, this.#parts];
    return oldestOf(first) ?? oldestOf(second);
  }

  /** Promises the memory: until it is taken it is charged in place of what is held now. */
  #grantOne(frame: PartialFrame): void {
    const bytes = frame.wantedBytes;
    frame.wantedBytes = 0;
    frame.markMs = -1;
    this.#charge(frame, bytes);
    frame.granted();
  }

  #unlist(frame: PartialFrame): void {
    const { previousFrame, nextFrame } = frame;
    if (previousFrame !== undefined) previousFrame.nextFrame = nextFrame;
    else if (this.#first === frame) this.#first = nextFrame;
    if (nextFrame !== undefined) nextFrame.previousFrame = previousFrame;
    frame.previousFrame = undefined;
    frame.nextFrame = undefined;
    if (frame.wantedBytes === 0) return;
    frame.wantedBytes = 0;
    if (this.#wholes.delete(frame) || this.#parts.delete(frame)) this.#waitingBytes -= frame.chargedBytes;
    else this.#growers -= 1;
  }

  readonly #onSweep = (): void => {
    const options = this.#options;
    assert(options !== undefined, 'only what is bounded is watched');
    const nowMs = options.ports.clock.monotonicMs();
    const isPressed = this.isLargeWanted || this.isSmallFull;
    for (let frame = this.#first; frame !== undefined; ) {
      const next: PartialFrame | undefined = frame.nextFrame;
      const reason = verdict(frame, nowMs, isPressed);
      if (reason !== undefined) frame.expire(reason);
      frame = next;
    }
    this.#sweep =
      this.#first === undefined ? undefined : options.ports.timers.after(FRAME_SWEEP_MS, this.#onSweep);
  };
}

function oldestOf(frames: ReadonlySet<PartialFrame>): PartialFrame | undefined {
  for (const frame of frames) return frame;
  return undefined;
}

/** Why a frame must go, if it must. */
function verdict(frame: PartialFrame, nowMs: number, isPressed: boolean): string | undefined {
  if (frame.markMs < 0) {
    mark(frame, nowMs);
    return undefined;
  }
  const passedMs = nowMs - frame.markMs;
  if (!frame.isRead) {
    // Others wait for what it holds, or it waits itself: its client will have given up by then.
    if (isPressed && passedMs >= FRAME_WAIT_MS_MAX) return 'a request waited too long for memory';
    if (!isPressed) mark(frame, nowMs);
    return undefined;
  }
  if (passedMs < FRAME_PACE_MS) return undefined;
  const came = frame.arrivedBytes - frame.markBytes;
  if (isPressed && came < Math.max(FRAME_PACE_BYTES_MIN, frame.chargedBytes >>> 6)) {
    return `a request came too slowly while others wait for memory: ${came} bytes in ${Math.round(passedMs)} ms`;
  }
  if (came > 0) mark(frame, nowMs);
  else if (passedMs >= FRAME_STALL_MS_MAX) {
    return `no byte of a request came for ${Math.round(passedMs)} ms`;
  }
  return undefined;
}

function mark(frame: PartialFrame, nowMs: number): void {
  frame.markMs = nowMs;
  frame.markBytes = frame.arrivedBytes;
}
