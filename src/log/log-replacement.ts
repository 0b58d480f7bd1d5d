import type { LogAppender } from './log-appender.ts';
import type { LogParts } from './log-parts.ts';
import type { LogTruncation } from './log-truncation.ts';
import { guarded, storageError } from './storage-errors.ts';
import type { LogState } from './types.ts';

/**
 * What the move of a replica (KIP-113) asks of its two logs beside appends and reads: of the one that serves, and of its
 * future log, which follows it and takes its place.
 */
export class LogReplacement {
  readonly #parts: LogParts;
  readonly #appender: LogAppender;
  readonly #truncation: LogTruncation;

  constructor(parts: LogParts, appender: LogAppender, truncation: LogTruncation) {
    this.#parts = parts;
    this.#appender = appender;
    this.#truncation = truncation;
  }

  /** What is known beside the batches; of the batches up to `assignedEndOffset`. */
  state(): LogState {
    const { producers, epochs } = this.#parts.loaded;
    return { producers: producers.dump(), epochs: epochs.entries.slice() };
  }

  /** Takes over what another log of this partition, whose batches are all here, knows beside them. Throws ProtocolError. */
  takeState(state: LogState): void {
    const { loaded, offsets, writer, ensureOnline } = this.#parts;
    ensureOnline();
    loaded.producers.restoreDump(state.producers);
    loaded.producers.onLogStartOffset(offsets.logStart, loaded.segments.baseOf(offsets.logStart));
    guarded(() => loaded.epochs.replaceAll(state.epochs));
    this.#truncation.cutEpochs(writer.writtenEnd);
  }

  /** Goes on at `offset`, behind the end: there are no records between. Throws ProtocolError. */
  skipTo(offset: number): void {
    const { loaded, writer, ensureOnline } = this.#parts;
    ensureOnline();
    if (!writer.writeStaged() || offset <= writer.writtenEnd) return;
    guarded(() => loaded.epochs.folder.make());
    this.#appender.rollAt(offset);
    writer.skipTo(offset);
  }

  /** Moves the log start as the log has it that this one is a copy of. */
  followLogStart(offset: number): void {
    this.#parts.offsets.moveLogStart(Math.min(offset, this.#parts.writer.logEnd));
  }

  /**
   * What is appended from now on is written, but neither shown nor answered, until `release` or `PartitionLog.handOver`:
   * for the time of a few syncs, in which another log takes this one's place. Returns the offset where that begins. Throws
   * ProtocolError.
   */
  hold(): number {
    this.#writeStaged();
    return this.#parts.writer.hold();
  }

  /** Shows and answers what was held. */
  release(): void {
    this.#parts.writer.release();
  }

  /** The batches that were appended since `hold`. Throws ProtocolError. */
  heldBatches(): Buffer[] {
    this.#writeStaged();
    return guarded(() => this.#parts.writer.readHeld());
  }

  #writeStaged(): void {
    this.#parts.ensureOnline();
    if (!this.#parts.writer.writeStaged()) throw storageError('the bytes staged before were not written');
  }
}
