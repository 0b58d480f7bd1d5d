import { Errors, ProtocolError } from '../protocol/errors.ts';
import type { LogAppender } from './log-appender.ts';
import type { LogParts } from './log-parts.ts';
import type { SegmentLifecycle } from './segment-lifecycle.ts';
import { guarded } from './storage-errors.ts';

/** Cuts the end of a log, or all of it, and has everything follow that is known of what was cut. Throws ProtocolError. */
export class LogTruncation {
  readonly #parts: LogParts;
  readonly #lifecycle: SegmentLifecycle;
  readonly #appender: LogAppender;
  #cutCount = 0;

  constructor(parts: LogParts, lifecycle: SegmentLifecycle, appender: LogAppender) {
    this.#parts = parts;
    this.#lifecycle = lifecycle;
    this.#appender = appender;
  }

  /** How often batches were cut. */
  get cutCount(): number {
    return this.#cutCount;
  }

  /** Cuts everything from `offset` on. True if something was cut. Appends that wait for those offsets fail. */
  truncateTo(offset: number): boolean {
    const { loaded, offsets, writer, halfDone } = this.#parts;
    writer.writeStaged();
    if (offset >= writer.writtenEnd) {
      this.cutEpochs(writer.writtenEnd);
      return false;
    }
    if (offset < loaded.segments.first.baseOffset) {
      this.truncateFully(offset);
      return true;
    }
    this.#announce(offset);
    guarded(() => this.#lifecycle.cutAt(offset), halfDone);
    offsets.beginAt(Math.min(offsets.logStart, offset));
    this.#afterCut(offset);
    return true;
  }

  /** Drops all batches and begins anew at `offset`. */
  truncateFully(offset: number): void {
    const { loaded, offsets, writer, halfDone } = this.#parts;
    writer.writeStaged();
    this.#announce(0);
    guarded(() => {
      this.#lifecycle.beginAnew(offset);
      loaded.epochs.clear();
      loaded.producerFiles.clear();
    }, halfDone);
    offsets.beginAt(offset);
    this.#afterCut(offset);
  }

  /** Forgets the epochs that begin at `offset` or behind it. */
  cutEpochs(offset: number): void {
    this.#parts.loaded.epochs.truncateFromEnd(offset);
    this.#appender.epochsChanged();
  }

  /** Nothing from `offset` on is promised any more, on the disk neither, nor the indexes of the segment that ends there then. */
  #announce(offset: number): void {
    this.#parts.writer.lowerRecoveryPoint(Math.max(0, offset - 1));
    guarded(() => this.#parts.beforeCut(offset));
  }

  /** After batches from `offset` on were cut: offsets, epochs, producers and waiting appends follow. */
  #afterCut(offset: number): void {
    const { loaded, offsets, writer, reader, tail, onCut, halfDone } = this.#parts;
    this.#cutCount += 1;
    reader.invalidate();
    tail.clear();
    this.cutEpochs(offset);
    writer.cutAt(offset, offsets.logStart);
    offsets.boundHighWatermark();
    guarded(() => loaded.producerFiles.reload(loaded.segments, offset), halfDone);
    loaded.producers.onHighWatermark(offsets.highWatermark);
    const cut = new ProtocolError(Errors.NOT_LEADER_OR_FOLLOWER, `the log was cut at ${offset}`);
    writer.failAbove(offset, cut);
    onCut();
  }
}
