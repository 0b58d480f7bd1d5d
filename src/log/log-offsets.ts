import type { LoadedLog } from './loaded-log.ts';
import type { LogWriter } from './log-writer.ts';

/** Between which offsets records are served: the log start, the high watermark, and what open transactions let be seen. */
export class LogOffsets {
  readonly #loaded: LoadedLog;
  readonly #writer: LogWriter;
  #logStart: number;
  #highWatermark: number;

  constructor(loaded: LoadedLog, writer: LogWriter) {
    this.#loaded = loaded;
    this.#writer = writer;
    this.#logStart = loaded.logStartOffset;
    this.#highWatermark = loaded.logStartOffset;
  }

  get logStart(): number {
    return this.#logStart;
  }

  get highWatermark(): number {
    return this.#highWatermark;
  }

  /** The high watermark, or the first record of an open transaction before it. */
  get lastStable(): number {
    const unstable = this.#loaded.producers.firstUnstableOffset;
    return unstable === undefined
      ? this.#highWatermark
      : Math.min(this.#highWatermark, Math.max(unstable, this.#logStart));
  }

  /** Moves the high watermark to `offset`, kept between log start and log end. True if it changed. */
  updateHighWatermark(offset: number): boolean {
    const next = Math.max(this.#logStart, Math.min(offset, this.#writer.logEnd));
    if (next === this.#highWatermark) return false;
    this.#highWatermark = next;
    this.#loaded.producers.onHighWatermark(next);
    return true;
  }

  /** Moves the log start forward; the high watermark never lies before it. */
  moveLogStart(offset: number): void {
    if (offset <= this.#logStart) return;
    this.#logStart = offset;
    if (this.#highWatermark < offset) this.#highWatermark = offset;
    this.#loaded.epochs.truncateFromStart(offset);
    this.#loaded.producers.onLogStartOffset(offset, this.#loaded.segments.baseOf(offset));
  }

  /** Where batches were cut the log may begin somewhere else. */
  beginAt(logStart: number): void {
    this.#logStart = logStart;
  }

  /** The log end was moved back. Producers are not told: they are about to be made anew. */
  boundHighWatermark(): void {
    this.#highWatermark = Math.max(this.#logStart, Math.min(this.#highWatermark, this.#writer.logEnd));
  }
}
