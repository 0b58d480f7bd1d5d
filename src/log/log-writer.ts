import { StorageError, type Timer } from '../base/ports.ts';
import type { LogConfig } from '../config/log-config.ts';
import type { ProtocolError } from '../protocol/errors.ts';
import { CommitQueue } from './commit-queue.ts';
import { parentOf } from './folder-work.ts';
import { GroupCommit } from './group-commit.ts';
import type { SharedLogState } from './log-options.ts';
import type { ProducerState } from './producer-state.ts';
import { warmUp } from './reader.ts';
import type { Segments } from './segments.ts';
import { asProtocolError, isNoSpace, isPassing } from './storage-errors.ts';
import type { LogTail } from './tail-cache.ts';
import type { LogPorts } from './types.ts';

type Done = (error: Error | undefined) => void;

export interface LogWriterInput {
  readonly ports: LogPorts;
  readonly shared: SharedLogState;
  readonly segments: Segments;
  readonly producers: ProducerState;
  readonly tail: LogTail;
  /** Of the log as it was opened. */
  readonly logEndOffset: number;
  readonly recoveryPoint: number;
  readonly config: () => LogConfig;
  /** fdatasync of all that the folder holds. */
  readonly sync: () => Promise<void>;
  /** The log end has moved; called before the callbacks of the appends run. */
  readonly onAppended: () => void;
  /** What was assigned from this offset on was not written, and is taken back. */
  readonly onUndone: (writtenEnd: number) => void;
  /** A failed write, for any reason that may not pass, a failed sync, or bytes of nobody behind the last batch. */
  readonly onFailed: (error: ProtocolError) => void;
}

/**
 * Takes a log's batches from assigned to visible: stages small ones until the turn ends, writes, has them synced where
 * flush.messages or flush.ms ask for it, then moves the log end and runs the callbacks. A failed write is undone.
 */
export class LogWriter {
  readonly #input: LogWriterInput;
  readonly #segments: Segments;
  readonly #tail: LogTail;
  readonly #shared: SharedLogState;
  readonly #commit: GroupCommit;
  #assignedEnd: number;
  #writtenEnd: number;
  #logEnd: number;
  // Appends whose bytes are staged, and those that wait for a sync.
  #stagedBytes = 0;
  #staged = new CommitQueue();
  readonly #unpublished = new CommitQueue();
  #writeScheduled = false;
  #flushTimer: Timer | undefined;
  #stopped = false;
  /** While held: where the log ended then. */
  #held: { readonly endOffset: number; readonly baseOffset: number; readonly position: number } | undefined;
  readonly #writeTurn = () => {
    if (this.#stopped || this.#waitsForRoom()) return;
    this.#writeScheduled = false;
    this.#writeOnce();
  };
  /** Whether appends were written whose callers do not know yet. */
  #isUntold = false;
  readonly #tellTurn = () => {
    if (this.#isUntold && !this.#stopped) this.#tell();
  };

  constructor(input: LogWriterInput) {
    this.#input = input;
    this.#segments = input.segments;
    this.#tail = input.tail;
    this.#shared = input.shared;
    this.#assignedEnd = input.logEndOffset;
    this.#writtenEnd = input.logEndOffset;
    this.#logEnd = input.logEndOffset;
    this.#commit = new GroupCommit({
      syncedEnd: input.recoveryPoint,
      writtenEnd: input.logEndOffset,
      currentEnd: () => this.#writtenEnd,
      sync: input.sync,
      onSynced: () => this.#publish(),
      onFailed: (error) => input.onFailed(asProtocolError(error)),
    });
  }

  /** The offset that the next append gets. */
  get assignedEnd(): number {
    return this.#assignedEnd;
  }

  get writtenEnd(): number {
    return this.#writtenEnd;
  }

  /** The offset after the last record that readers may see. */
  get logEnd(): number {
    return this.#logEnd;
  }

  /** All below survives a power loss. */
  get recoveryPoint(): number {
    return this.#commit.syncedEnd;
  }

  /**
   * The recovery point as a checkpoint may have it while appends go on. Recovery believes the segments below it, indexes
   * included: so it never lies at an offset where a new segment may begin before the indexes of the one before are synced.
   */
  get safeRecoveryPoint(): number {
    let point = this.recoveryPoint;
    const { active } = this.#segments;
    for (const segment of this.#segments.all) {
      if (segment !== active && segment.areIndexesPending) point = Math.min(point, segment.baseOffset);
    }
    return point > active.baseOffset ? point - 1 : point;
  }

  get stagedBytes(): number {
    return this.#stagedBytes;
  }

  get stagedCount(): number {
    return this.#staged.length;
  }

  /** Takes a batch up to `endOffset`: stages it, or writes it at once. Throws if the write at once failed. */
  take(batch: Buffer, endOffset: number, done: Done, atOnce = false): void {
    const { options } = this.#shared;
    const mustWait = this.#waitsForRoom();
    if ((atOnce || batch.length >= options.writeAtOnceBytes) && !mustWait) {
      this.writeNow(batch, endOffset, done);
      return;
    }
    this.#assignedEnd = endOffset;
    this.#tail.stage(batch, this.#segments.active.sizeInBytes + this.#stagedBytes);
    this.#stagedBytes += batch.length;
    this.#staged.push(endOffset, done);
    if (mustWait) {
      this.#writeScheduled = true;
    } else if (this.#stagedBytes >= options.stagedBytesMax) {
      this.#writeOnce();
    } else if (!this.#writeScheduled) {
      this.#writeScheduled = true;
      this.#input.ports.turn.later(this.#writeTurn);
    }
  }

  /** Writes batches up to `endOffset`, behind what is staged. Throws ProtocolError where that failed. */
  writeNow(batches: Buffer, endOffset: number, done: Done): void {
    this.#assignedEnd = endOffset;
    const error = this.#write(batches);
    if (error !== undefined) throw error;
    this.#unpublished.push(endOffset, done);
    this.#tell();
  }

  /**
   * Writes what is staged, and what the callbacks of those appends stage meanwhile: then nothing is. False if that failed:
   * then the log is as it was before the appends that were not written.
   */
  writeStaged(): boolean {
    while (this.#stagedBytes > 0) if (!this.#writeOnce()) return false;
    return true;
  }

  /** As `writeStaged`, for an append under way, which no other may overtake: callbacks run when the turn ends. */
  writeStagedUntold(): boolean {
    if (this.#stagedBytes === 0) return true;
    if (this.#write(undefined) !== undefined) return false;
    this.#isUntold = true;
    this.#input.ports.turn.later(this.#tellTurn);
    return true;
  }

  #writeOnce(): boolean {
    if (this.#stagedBytes === 0) return true;
    if (this.#write(undefined) !== undefined) return false;
    this.#tell();
    return true;
  }

  /** Runs `done` once readers see all before `endOffset`. */
  whenPublished(endOffset: number, done: Done): void {
    if (endOffset > this.#writtenEnd) this.#staged.push(endOffset, done);
    else if (endOffset > this.#logEnd) this.#unpublished.push(endOffset, done);
    else done(undefined);
  }

  /** flush.messages or flush.ms is another: what was written without a sync waits as they say now. */
  flushSettingsChanged(): void {
    this.#flushTimer?.cancel();
    this.#flushTimer = undefined;
    if (this.#stopped || this.#commit.uncoveredCount === 0) return;
    this.#demandSync();
    this.#tell();
  }

  /** Starts a sync that nobody waits for. */
  startSync(): void {
    this.#commit.start();
  }

  /** Resolves when everything written before is synced, or failed. */
  async flush(): Promise<void> {
    this.writeStaged();
    await this.#commit.flush();
  }

  /** Resolves after one more sync, whether anything was written or not. */
  syncOnce(): Promise<void> {
    return this.#commit.syncOnce();
  }

  /** Nothing from `offset` on counts as synced any more. */
  lowerRecoveryPoint(offset: number): void {
    this.#commit.cutAt(offset);
  }

  /** The batches from `offset` on were cut, nothing is staged, and the log starts at `logStart`. */
  cutAt(offset: number, logStart: number): void {
    this.#assignedEnd = offset;
    this.#writtenEnd = offset;
    this.#logEnd = Math.max(Math.min(this.#logEnd, offset), logStart);
    this.#commit.cutAt(offset);
  }

  /** Fails the appends above `offset` that wait for a sync. */
  failAbove(offset: number, error: Error): void {
    this.#unpublished.failAbove(offset, error);
  }

  /**
   * Nothing is staged. What is appended from now on is written, but neither shown nor answered, until `release` or
   * `takeWaiting`. Returns the offset where that begins.
   */
  hold(): number {
    const { active } = this.#segments;
    const endOffset = this.#writtenEnd;
    this.#held = { endOffset, baseOffset: active.baseOffset, position: active.sizeInBytes };
    return endOffset;
  }

  release(): void {
    if (this.#held === undefined) return;
    this.#held = undefined;
    if (!this.#stopped) this.#publish();
  }

  /** The batches that were written since `hold`, by segment. Throws StorageError. */
  readHeld(): Buffer[] {
    const held = this.#held;
    const chunks: Buffer[] = [];
    if (held === undefined) return chunks;
    for (const segment of this.#segments.all.slice(Math.max(0, this.#segments.floor(held.endOffset)))) {
      const from = segment.baseOffset === held.baseOffset ? held.position : 0;
      const chunk = Buffer.allocUnsafe(segment.sizeInBytes - from);
      if (chunk.length === 0) continue;
      const count = segment.log.use().read(chunk, from);
      if (count !== chunk.length) {
        throw new StorageError('EIO', segment.log.path, `only ${count} of ${chunk.length} bytes were read`);
      }
      chunks.push(chunk);
    }
    return chunks;
  }

  /** The appends that wait, for somebody else to answer. */
  takeWaiting(): CommitQueue {
    const waiting = new CommitQueue();
    this.#unpublished.moveTo(waiting);
    return waiting;
  }

  /** Answers appends that another log has taken once readers see them here. */
  adoptWaiting(waiting: CommitQueue): void {
    waiting.moveTo(this.#unpublished);
    this.#unpublished.release(this.#logEnd);
  }

  /** The log goes on at `offset`, behind its end; there are no records between. */
  skipTo(offset: number): void {
    this.#assignedEnd = offset;
    this.#writtenEnd = offset;
    this.#publish();
  }

  /** Fails every append that waits; nothing is written or synced any more. */
  stop(error: Error): void {
    this.close();
    this.#tail.rollBack();
    this.#stagedBytes = 0;
    this.#staged.failAbove(-1, error);
    this.#unpublished.failAbove(-1, error);
  }

  /** Nothing is synced any more. */
  close(): void {
    this.#stopped = true;
    this.#commit.stop();
    this.#flushTimer?.cancel();
  }

  /** Whether all files that may be open are unsynced: then `#writeTurn` runs when the active segment's can be opened. */
  #waitsForRoom(): boolean {
    return this.#shared.files.waitsForRoom(this.#segments.active.log, this.#writeTurn);
  }

  /** One write of what is staged and of `direct` behind it. Returns the error after having undone everything. */
  #write(direct: Buffer | undefined): ProtocolError | undefined {
    const active = this.#segments.active;
    const chunks = this.#stagedBytes > 0 ? this.#tail.unwritten() : [];
    const size = this.#stagedBytes + (direct?.length ?? 0);
    const position = active.sizeInBytes;
    if (direct !== undefined) chunks.push(direct);
    try {
      const written = active.log.use().write(chunks, position);
      if (written !== size)
        throw new StorageError('ENOSPC', active.log.path, `only ${written} of ${size} bytes were written`);
    } catch (error) {
      this.#tellFailure(error, active.log.path);
      return this.#undo(error);
    }
    for (const chunk of chunks) active.onWritten(chunk, 0, chunk.length);
    if (active.sizeInBytes !== position + size)
      throw new Error('a chunk held more or less than whole batches');
    this.#tail.markWritten();
    this.#stagedBytes = 0;
    this.#writtenEnd = this.#assignedEnd;
    this.#input.producers.settle();
    this.#shared.traffic.bytes += size;
    this.#shared.activity.appends += 1;
    this.#shared.space?.wrote(size);
    warmUp(active, position, position + size, this.#shared);
    if (this.#staged.length > 0) this.#staged.moveTo(this.#unpublished);
    // Here, before anything else starts a sync that would cover it, for which nobody waits.
    this.#demandSync();
    return undefined;
  }

  /** A full disk is said once for all logs in it. */
  #tellFailure(error: unknown, path: string): void {
    const { space } = this.#shared;
    if (space !== undefined && isNoSpace(error)) space.ranOut(parentOf(parentOf(path)));
    else this.#input.ports.logger.error(`append to ${path} failed`, { error: String(error) });
  }

  /** The file and all that ran ahead of it go back to the last good write; every append staged since fails. */
  #undo(cause: unknown): ProtocolError {
    const error = asProtocolError(cause);
    let failure = isPassing(cause) ? undefined : error;
    const active = this.#segments.active;
    this.#tail.rollBack();
    this.#input.producers.rollBack();
    this.#input.onUndone(this.#writtenEnd);
    this.#assignedEnd = this.#writtenEnd;
    this.#stagedBytes = 0;
    const staged = this.#staged;
    this.#staged = new CommitQueue();
    try {
      // Where the file could not even be made, or opened again, there is nothing to cut.
      const fileSize = this.#input.ports.storage.sizeOf(active.log.path) ?? 0;
      if (fileSize > active.sizeInBytes) {
        active.log.use().truncate(active.sizeInBytes);
        // A power loss must not bring the bytes back behind a stop in order, whose files nobody doubts.
        active.unsynced = true;
        this.#commit.cutAt(this.#writtenEnd);
      }
    } catch (another) {
      // Bytes of nobody may stand behind the last batch: nothing can be appended behind them.
      failure ??= asProtocolError(another);
    }
    staged.failAbove(-1, error);
    if (failure !== undefined) this.#input.onFailed(failure);
    return error;
  }

  /** Readers and callers hear of what was written, as far as they may. */
  #tell(): void {
    this.#isUntold = false;
    this.#publish();
  }

  /** Starts the sync that flush.messages and flush.ms ask for. */
  #demandSync(): void {
    const { flushMessages, flushMs } = this.#input.config();
    if (flushMs <= 0 || this.#commit.uncoveredCount >= flushMessages) {
      this.#commit.demand();
    } else if (flushMs < Number.MAX_SAFE_INTEGER) {
      this.#flushTimer ??= this.#input.ports.timers.after(flushMs, () => {
        this.#flushTimer = undefined;
        if (!this.#stopped) this.#commit.start();
      });
    }
  }

  /** Moves the log end as far as writes and demanded syncs allow, then wakes whoever waits. */
  #publish(): void {
    const visibleEnd = this.#commit.visibleEnd;
    const end = this.#held === undefined ? visibleEnd : Math.min(visibleEnd, this.#held.endOffset);
    if (end > this.#logEnd) {
      this.#logEnd = end;
      this.#input.onAppended();
    }
    this.#unpublished.release(this.#logEnd);
  }
}
