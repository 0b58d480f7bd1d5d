import type { FramePool } from '../base/ports.ts';
import * as header from '../protocol/record-batch/header.ts';
import type { Segment } from './segment.ts';

/** Of all logs together. Beyond it the oldest part goes, and who comes for it reads it again. */
const KEPT_BYTES_MAX = 16 * 1024 * 1024;

/** Whole batches of one segment in memory. */
export interface AheadPart {
  readonly segment: Segment;
  /** Where the first batch lies in the file, and the last one ends. */
  readonly position: number;
  readonly end: number;
  readonly buffer: Buffer;
}

interface Kept extends AheadPart {
  readonly owner: object;
  holders: number;
  isListed: boolean;
}

/**
 * What was read off the loop before its readers asked for it. It is answered from here: to read it once more, now on the
 * loop, would not only cost a copy, but milliseconds whenever the kernel thinks of reading ahead itself just then.
 */
export class ReadAhead {
  readonly #pool: FramePool;
  /** In the order in which they were read. */
  readonly #parts: Kept[] = [];
  #bytes = 0;

  constructor(pool: FramePool) {
    this.#pool = pool;
  }

  /** Takes over a buffer of the pool, whose first `count` bytes lie at `position` in the file, where a batch begins. */
  keep(owner: object, segment: Segment, position: number, buffer: Buffer, count: number): void {
    const end = position + wholeBytes(buffer, count);
    const part = { owner, segment, position, end, buffer, holders: 0, isListed: true };
    this.#parts.push(part);
    this.#bytes += buffer.length;
    if (end === position) this.#drop(part);
    while (this.#bytes > KEPT_BYTES_MAX) this.#drop(this.#parts[0]!);
  }

  /** The part with the batch that begins at a position of a segment. */
  find(segment: Segment, position: number): AheadPart | undefined {
    return this.#parts.find(
      (part) => part.segment === segment && part.position <= position && position < part.end,
    );
  }

  /** How far batches follow each other in memory from a position on. */
  reach(segment: Segment, position: number): number {
    let end = position;
    for (let part = this.find(segment, end); part !== undefined; part = this.find(segment, end))
      end = part.end;
    return end;
  }

  /** Bytes of a part are being answered up to `end`; returns what says, once, that they were. What came to its end goes then. */
  hold(part: AheadPart, end: number): () => void {
    const kept = part as Kept;
    kept.holders += 1;
    if (end >= kept.end) this.#drop(kept);
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      kept.holders -= 1;
      this.#giveIfFree(kept);
    };
  }

  /** What this reader has read ahead is not what its files hold any more. */
  dropAllOf(owner: object): void {
    for (const part of this.#parts.filter((one) => one.owner === owner)) this.#drop(part);
  }

  #drop(part: Kept): void {
    if (!part.isListed) return;
    part.isListed = false;
    this.#parts.splice(this.#parts.indexOf(part), 1);
    this.#bytes -= part.buffer.length;
    this.#giveIfFree(part);
  }

  #giveIfFree(part: Kept): void {
    if (!part.isListed && part.holders === 0) this.#pool.give(part.buffer);
  }
}

/** How many of the first `count` bytes are whole batches. */
function wholeBytes(buffer: Buffer, count: number): number {
  let at = 0;
  while (count - at >= header.BATCH_OVERHEAD) {
    const size = header.sizeInBytes(buffer, at);
    if (size < header.BATCH_OVERHEAD || at + size > count) break;
    at += size;
  }
  return at;
}
