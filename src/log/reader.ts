import * as header from '../protocol/record-batch/header.ts';
import type { SharedLogState } from './log-options.ts';
import type { Segment } from './segment.ts';
import type { Segments } from './segments.ts';
import type { LogTail, Slab } from './tail-cache.ts';
import type { LogRead, PendingRead, ReadOptions } from './types.ts';

const HINTS = 8;
const FIRST_READ_BYTES = 4096;

const nothing: readonly Uint8Array[] = [];
const noRelease = () => {};

/** Where batches to return lie in a buffer, or where to read on. */
interface Walk {
  from: number;
  to: number;
  nextOffset: number;
  tooLarge: boolean;
  /** Not -1: the buffer does not reach; read again from this file position, at least so many bytes. */
  moreAt: number;
  moreBytes: number;
  /** No batch with the offset follows in this segment. */
  ended: boolean;
}

/**
 * Reads batches of one log: the tail from memory, what was touched lately with synchronous reads into pooled buffers, the
 * rest off the loop. One read never spans segments, as in Apache; the next fetch goes on in the next one.
 */
export class LogReader {
  readonly #segments: Segments;
  readonly #tail: LogTail;
  readonly #shared: SharedLogState;
  // Ends of the last reads: the fetch that follows begins exactly there.
  readonly #hintSegments: (Segment | undefined)[] = new Array(HINTS).fill(undefined);
  readonly #hintOffsets: number[] = new Array(HINTS).fill(-1);
  readonly #hintPositions: number[] = new Array(HINTS).fill(0);
  #nextHint = 0;
  #generation = 0;

  constructor(segments: Segments, tail: LogTail, shared: SharedLogState) {
    this.#segments = segments;
    this.#tail = tail;
    this.#shared = shared;
  }

  /** Batches were cut or removed: reads that are on their way begin anew. */
  invalidate(): void {
    this.#generation += 1;
    this.#hintSegments.fill(undefined);
  }

  /** `again` runs the whole read anew, its range checks included. */
  read(
    startOffset: number,
    maxBytes: number,
    options: ReadOptions,
    again: () => LogRead | PendingRead,
  ): LogRead | PendingRead {
    if (startOffset >= options.upTo) return emptyRead(startOffset);
    for (let at = Math.max(0, this.#segments.floor(startOffset)); ; at += 1) {
      const segment = this.#segments.at(at);
      if (segment === undefined) return emptyRead(startOffset);
      if (segment.sizeInBytes === 0) continue;
      if (segment === this.#segments.active) {
        const read = this.#readTail(segment, startOffset, maxBytes, options);
        if (read !== undefined) return read;
      }
      if (options.cachedOnly === true) return emptyRead(startOffset);
      const hint = this.#hintFor(segment, startOffset);
      const position = hint >= 0 ? hint : segment.offsets.positionFor(startOffset);
      const slack = hint >= 0 ? 0 : FIRST_READ_BYTES;
      const end = Math.min(segment.sizeInBytes, position + maxBytes + slack);
      if (!this.#isWarm(segment, position, end)) {
        return { pending: this.#readLater(segment, position, startOffset, maxBytes, options, again) };
      }
      const read = this.#readNow(segment, position, startOffset, maxBytes, options, slack);
      if (read !== undefined) return read;
    }
  }

  #readTail(
    segment: Segment,
    startOffset: number,
    maxBytes: number,
    options: ReadOptions,
  ): LogRead | undefined {
    const hint = this.#hintFor(segment, startOffset);
    let slab = hint >= 0 ? this.#tail.find(hint) : this.#tail.findOffset(startOffset);
    if (slab === undefined) return undefined;
    let at = hint >= 0 ? hint - slab.position : 0;
    const bytes: Uint8Array[] = [];
    const held: Slab[] = [];
    let total = 0;
    let nextOffset = startOffset;
    let stopped = false;
    let tooLarge = false;
    let from = -1;
    let position = 0;
    for (;;) {
      const end: number = slab.written;
      while (at < end) {
        const size = header.sizeInBytes(slab.buffer, at);
        const lastOffset = header.lastOffset(slab.buffer, at);
        if (lastOffset >= startOffset) {
          const isFirst = total === 0;
          if (
            lastOffset >= options.upTo ||
            (total + size > maxBytes && !(isFirst && options.minOneMessage))
          ) {
            stopped = true;
            tooLarge = isFirst && lastOffset < options.upTo;
            break;
          }
          if (from < 0) from = at;
          total += size;
          nextOffset = lastOffset + 1;
        }
        at += size;
      }
      position = slab.position + at;
      if (from >= 0) {
        bytes.push(slab.buffer.subarray(from, at));
        held.push(slab);
        this.#tail.hold(slab);
      }
      const next: Slab | undefined = at < end ? undefined : this.#tail.next(slab);
      if (next === undefined || next.written === 0) break;
      slab = next;
      at = 0;
      from = -1;
    }
    // What was written at once is in the file only, behind the cached tail.
    if (total === 0) return stopped ? { ...emptyRead(startOffset), firstBatchTooLarge: tooLarge } : undefined;
    this.#remember(segment, nextOffset, position);
    const release = () => {
      for (const slab of held) this.#tail.release(slab);
    };
    return { bytes, sizeInBytes: total, nextOffset, firstBatchTooLarge: false, release };
  }

  #readNow(
    segment: Segment,
    from: number,
    startOffset: number,
    maxBytes: number,
    options: ReadOptions,
    slack: number,
  ): LogRead | undefined {
    let position = from;
    let wanted = Math.max(FIRST_READ_BYTES, maxBytes + slack);
    for (;;) {
      const size = Math.min(wanted, segment.sizeInBytes - position);
      const buffer = this.#shared.pool.take(size);
      let count: number;
      try {
        count = segment.log.use().read(buffer.subarray(0, size), position);
      } catch (error) {
        this.#shared.pool.give(buffer);
        throw error;
      }
      const walk = walkBuffer(buffer, count, position, segment.sizeInBytes, startOffset, maxBytes, options);
      const read = this.#finish(segment, buffer, position, startOffset, walk);
      if (read !== undefined || walk.ended) return read;
      position = walk.moreAt;
      wanted = Math.max(FIRST_READ_BYTES, maxBytes, walk.moreBytes);
    }
  }

  async #readLater(
    segment: Segment,
    from: number,
    startOffset: number,
    maxBytes: number,
    options: ReadOptions,
    again: () => LogRead | PendingRead,
  ): Promise<LogRead> {
    const generation = this.#generation;
    let position = from;
    let wanted = Math.max(FIRST_READ_BYTES, maxBytes + FIRST_READ_BYTES);
    segment.log.pin();
    try {
      for (;;) {
        const size = Math.min(wanted, segment.sizeInBytes - position);
        const buffer = this.#shared.pool.take(size);
        let count: number;
        try {
          count = await segment.log.use().readLater(buffer.subarray(0, size), position);
        } catch (error) {
          this.#shared.pool.give(buffer);
          throw error;
        }
        if (generation !== this.#generation) {
          this.#shared.pool.give(buffer);
          break;
        }
        this.#warm(segment, position, position + count);
        const walk = walkBuffer(buffer, count, position, segment.sizeInBytes, startOffset, maxBytes, options);
        const read = this.#finish(segment, buffer, position, startOffset, walk);
        if (read !== undefined) return read;
        if (walk.ended) break;
        position = walk.moreAt;
        wanted = Math.max(FIRST_READ_BYTES, maxBytes, walk.moreBytes);
      }
    } finally {
      segment.log.unpin();
    }
    const next = again();
    return 'pending' in next ? next.pending : next;
  }

  /** Undefined where the walk asks for more, or found nothing in this segment; the buffer is given back then. */
  #finish(
    segment: Segment,
    buffer: Buffer,
    position: number,
    startOffset: number,
    walk: Walk,
  ): LogRead | undefined {
    const { pool } = this.#shared;
    if (walk.moreAt >= 0 || walk.ended) {
      pool.give(buffer);
      if (walk.ended) this.#remember(segment, startOffset, segment.sizeInBytes);
      return undefined;
    }
    if (walk.to === walk.from) {
      pool.give(buffer);
      return { ...emptyRead(startOffset), firstBatchTooLarge: walk.tooLarge };
    }
    this.#remember(segment, walk.nextOffset, position + walk.to);
    let released = false;
    return {
      bytes: [buffer.subarray(walk.from, walk.to)],
      sizeInBytes: walk.to - walk.from,
      nextOffset: walk.nextOffset,
      firstBatchTooLarge: false,
      release: () => {
        if (released) return;
        released = true;
        pool.give(buffer);
      },
    };
  }

  #isWarm(segment: Segment, from: number, to: number): boolean {
    const { traffic, options } = this.#shared;
    if (from >= to) return true;
    return (
      from >= segment.warmFrom && to <= segment.warmTo && traffic.bytes - segment.warmAt <= options.warmBytes
    );
  }

  #warm(segment: Segment, from: number, to: number): void {
    this.#shared.traffic.bytes += to - from;
    warmUp(segment, from, to, this.#shared);
  }

  #hintFor(segment: Segment, offset: number): number {
    for (let at = 0; at < HINTS; at += 1) {
      if (this.#hintOffsets[at] === offset && this.#hintSegments[at] === segment)
        return this.#hintPositions[at]!;
    }
    return -1;
  }

  #remember(segment: Segment, offset: number, position: number): void {
    const at = this.#nextHint;
    this.#hintSegments[at] = segment;
    this.#hintOffsets[at] = offset;
    this.#hintPositions[at] = position;
    this.#nextHint = (at + 1) % HINTS;
  }
}

/** Notes that bytes of a segment are in the page cache now. */
export function warmUp(segment: Segment, from: number, to: number, shared: SharedLogState): void {
  const isFresh = shared.traffic.bytes - segment.warmAt <= shared.options.warmBytes;
  if (isFresh && from <= segment.warmTo && to >= segment.warmFrom) {
    segment.warmFrom = Math.min(segment.warmFrom, from);
    segment.warmTo = Math.max(segment.warmTo, to);
  } else {
    segment.warmFrom = from;
    segment.warmTo = to;
  }
  segment.warmAt = shared.traffic.bytes;
}

export function emptyRead(offset: number): LogRead {
  return {
    bytes: nothing,
    sizeInBytes: 0,
    nextOffset: offset,
    firstBatchTooLarge: false,
    release: noRelease,
  };
}

/** Finds the batches to return among `count` bytes that lie at `position` of a file of `fileEnd` bytes. */
function walkBuffer(
  buffer: Buffer,
  count: number,
  position: number,
  fileEnd: number,
  startOffset: number,
  maxBytes: number,
  options: ReadOptions,
): Walk {
  const walk: Walk = {
    from: 0,
    to: 0,
    nextOffset: startOffset,
    tooLarge: false,
    moreAt: -1,
    moreBytes: 0,
    ended: false,
  };
  let at = 0;
  let isFirst = true;
  while (position + at < fileEnd) {
    const hasHeader = count - at >= header.BATCH_OVERHEAD;
    const size = hasHeader ? header.sizeInBytes(buffer, at) : -1;
    const lastOffset = hasHeader ? header.lastOffset(buffer, at) : -1;
    if (isFirst) {
      if (
        !hasHeader ||
        (lastOffset >= startOffset && wouldReturn(size, lastOffset, maxBytes, options) && at + size > count)
      ) {
        walk.moreAt = position + at;
        walk.moreBytes = size;
        return walk;
      }
      if (lastOffset < startOffset) {
        at += size;
        if (at > count) {
          if (position + at >= fileEnd) break;
          walk.moreAt = position + at;
          return walk;
        }
        continue;
      }
      walk.from = at;
      walk.to = at;
      if (!wouldReturn(size, lastOffset, maxBytes, options)) {
        walk.tooLarge = lastOffset < options.upTo;
        return walk;
      }
      isFirst = false;
    } else if (
      !hasHeader ||
      at + size > count ||
      at + size - walk.from > maxBytes ||
      lastOffset >= options.upTo
    ) {
      return walk;
    }
    at += size;
    walk.to = at;
    walk.nextOffset = lastOffset + 1;
  }
  walk.ended = isFirst;
  return walk;
}

function wouldReturn(size: number, lastOffset: number, maxBytes: number, options: ReadOptions): boolean {
  return lastOffset < options.upTo && (size <= maxBytes || options.minOneMessage);
}
