import { StorageError } from '../base/ports.ts';
import * as header from '../protocol/record-batch/header.ts';
import type { SharedLogState } from './log-options.ts';
import type { Segment } from './segment.ts';
import type { Segments } from './segments.ts';
import type { LogTail, Slab } from './tail-cache.ts';
import type { LogRead, PendingRead, ReadOptions } from './types.ts';
import { WarmParts } from './warm-parts.ts';

const HINTS = 8;
const FIRST_READ_BYTES = 4096;
const AHEAD_BYTES_MIN = 256 * 1024;
/** Where so much is in memory, who asks for more gets the rest with the next fetch. */
const WARM_BYTES_ENOUGH = 4 * 1024 * 1024;

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
 * rest off the loop, one at a time for a log and two for the process, so that consumers of old data leave disk and thread
 * pool to producers. Where a reader comes along a file, what follows is read ahead while it is at work with what it got.
 * One read never spans segments, as in Apache; the next fetch goes on in the next one.
 */
export class LogReader {
  readonly #segments: Segments;
  readonly #tail: LogTail;
  readonly #shared: SharedLogState;
  #hints: Hints | undefined;
  #generation = 0;
  /** The read off the loop that runs for this log or waits to; it never rejects. */
  #cold: Promise<unknown> | undefined;

  constructor(segments: Segments, tail: LogTail, shared: SharedLogState) {
    this.#segments = segments;
    this.#tail = tail;
    this.#shared = shared;
  }

  /** Batches were cut or removed: reads that are on their way begin anew. */
  invalidate(): void {
    this.#generation += 1;
    this.#hints = undefined;
    this.#shared.ahead.dropAllOf(this);
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
      const known = this.#knownPosition(segment, startOffset);
      const isInOrder = known >= 0;
      if (isInOrder) {
        const read = this.#readKept(segment, known, startOffset, maxBytes, options);
        if (read !== undefined) return read;
      }
      const position = isInOrder ? known : segment.offsets.positionFor(startOffset);
      const slack = isInOrder ? 0 : FIRST_READ_BYTES;
      const end = Math.min(segment.sizeInBytes, position + maxBytes + slack);
      const warmBytes = this.#warmTo(segment, position, end) - position;
      if (position + warmBytes < end && warmBytes < WARM_BYTES_ENOUGH) {
        const bytes = Math.min(maxBytes, this.#shared.coldReads.bytesMax);
        return { pending: this.#readLater(segment, position, startOffset, bytes, options, isInOrder, again) };
      }
      const bytes = position + warmBytes < end ? warmBytes : maxBytes;
      const read = this.#readNow(segment, position, startOffset, bytes, options, slack);
      if (read === undefined) continue;
      if (isInOrder) this.#readAhead(segment, position + read.sizeInBytes, maxBytes);
      return read;
    }
  }

  /**
   * Where the batch with an offset begins, if the last read ended there or it is the first of the segment: a reader that
   * comes from before needs no index, which may have to be read from the disk. -1 where only the index knows.
   */
  #knownPosition(segment: Segment, offset: number): number {
    const hint = this.#hintFor(segment, offset);
    return hint < 0 && offset <= segment.baseOffset ? 0 : hint;
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

  /** What was read ahead for whoever comes to this position. */
  #readKept(
    segment: Segment,
    position: number,
    startOffset: number,
    maxBytes: number,
    options: ReadOptions,
  ): LogRead | undefined {
    const { ahead } = this.#shared;
    const part = ahead.find(segment, position);
    if (part === undefined) return undefined;
    const bytes = part.buffer.subarray(position - part.position, part.end - part.position);
    const walk = walkBuffer(bytes, bytes.length, position, part.end, startOffset, maxBytes, options);
    if (walk.moreAt >= 0 || walk.ended) return undefined;
    const sizeInBytes = walk.to - walk.from;
    if (sizeInBytes === 0) return { ...emptyRead(startOffset), firstBatchTooLarge: walk.tooLarge };
    const end = position + walk.to;
    this.#remember(segment, walk.nextOffset, end);
    const read = {
      bytes: [bytes.subarray(walk.from, walk.to)],
      sizeInBytes,
      nextOffset: walk.nextOffset,
      firstBatchTooLarge: false,
      release: ahead.hold(part, end),
    };
    this.#readAhead(segment, end, maxBytes);
    return read;
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

  /** Behind the one that runs for this log already: that one may bring what is asked for. */
  #readLater(
    segment: Segment,
    from: number,
    startOffset: number,
    maxBytes: number,
    options: ReadOptions,
    isInOrder: boolean,
    again: () => LogRead | PendingRead,
  ): Promise<LogRead> {
    const generation = this.#generation;
    if (this.#cold !== undefined) return this.#cold.then(() => settled(again()));
    return this.#alone(async () =>
      generation === this.#generation
        ? await this.#readCold(segment, from, startOffset, maxBytes, options)
        : undefined,
    ).then((read) => {
      if (read === undefined) return settled(again());
      if (isInOrder) this.#readAhead(segment, from + read.sizeInBytes, maxBytes);
      return read;
    });
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const running = this.#shared.coldReads.run(work);
    const done = () => {
      if (this.#cold === ended) this.#cold = undefined;
    };
    const ended: Promise<unknown> = running.then(done, done);
    this.#cold = ended;
    return running;
  }

  /** Reads what a reader that is at `position` and asks for `bytes` wants next, unless it is in memory. */
  #readAhead(segment: Segment, position: number, bytes: number): void {
    if (this.#cold !== undefined || position >= segment.sizeInBytes) return;
    const { pool, ahead, coldReads } = this.#shared;
    const size = Math.min(Math.max(bytes, AHEAD_BYTES_MIN), coldReads.bytesMax);
    const from = ahead.reach(segment, position);
    const to = Math.min(segment.sizeInBytes, from + size);
    if (from - position >= size || this.#warmTo(segment, from, to) >= to) return;
    const generation = this.#generation;
    this.#alone(async () => {
      if (generation !== this.#generation) return;
      const buffer = pool.take(to - from);
      let isKept = false;
      segment.log.pin();
      try {
        const count = await segment.log.use().readLater(buffer.subarray(0, to - from), from);
        if (generation !== this.#generation) return;
        this.#warm(segment, from, from + count);
        ahead.keep(this, segment, from, buffer, count);
        isKept = true;
      } finally {
        segment.log.unpin();
        if (!isKept) pool.give(buffer);
      }
    }).catch((error: unknown) => {
      // Who needs those bytes meets the failure, too.
      if (!(error instanceof StorageError)) throw error;
    });
  }

  /** Undefined where the log was cut meanwhile, or the segment has no such batch. */
  async #readCold(
    segment: Segment,
    from: number,
    startOffset: number,
    maxBytes: number,
    options: ReadOptions,
  ): Promise<LogRead | undefined> {
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
    return undefined;
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

  /** How far the bytes from `from` on are probably in memory, at most to `to`. */
  #warmTo(segment: Segment, from: number, to: number): number {
    const { traffic, options } = this.#shared;
    return segment.warm?.reach(from, to, traffic.bytes - options.warmBytes) ?? from;
  }

  #warm(segment: Segment, from: number, to: number): void {
    this.#shared.traffic.bytes += to - from;
    warmUp(segment, from, to, this.#shared);
  }

  #hintFor(segment: Segment, offset: number): number {
    return this.#hints?.find(segment, offset) ?? -1;
  }

  #remember(segment: Segment, offset: number, position: number): void {
    this.#hints ??= new Hints();
    this.#hints.add(segment, offset, position);
  }
}

/** Ends of the last reads: the fetch that follows begins exactly there. Made with the first read of a log. */
class Hints {
  readonly #segments: (Segment | undefined)[] = new Array(HINTS).fill(undefined);
  readonly #offsets: number[] = new Array(HINTS).fill(-1);
  readonly #positions: number[] = new Array(HINTS).fill(0);
  #next = 0;

  /** The file position of the batch with an offset; -1 where no read ended there. */
  find(segment: Segment, offset: number): number {
    for (let at = 0; at < HINTS; at += 1) {
      if (this.#offsets[at] === offset && this.#segments[at] === segment) return this.#positions[at]!;
    }
    return -1;
  }

  add(segment: Segment, offset: number, position: number): void {
    const at = this.#next;
    this.#segments[at] = segment;
    this.#offsets[at] = offset;
    this.#positions[at] = position;
    this.#next = (at + 1) % HINTS;
  }
}

/** Notes that bytes of a segment are in the page cache now. */
export function warmUp(segment: Segment, from: number, to: number, shared: SharedLogState): void {
  segment.warm ??= new WarmParts();
  const { traffic, options } = shared;
  segment.warm.touched(from, to, traffic.bytes, traffic.bytes - options.warmBytes);
}

function settled(read: LogRead | PendingRead): LogRead | Promise<LogRead> {
  return 'pending' in read ? read.pending : read;
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
