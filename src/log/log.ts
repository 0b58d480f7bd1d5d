import { assert } from '../base/assert.ts';
import { StorageError, type Timer } from '../base/ports.ts';
import { type Uuid, ZERO_UUID } from '../base/uuid.ts';
import type { LogConfig } from '../config/log-config.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import * as header from '../protocol/record-batch/header.ts';
import { appendInfo, spanOf } from './batch-span.ts';
import { CommitQueue } from './commit-queue.ts';
import type { LeaderEpochCache } from './epoch-cache.ts';
import { finishFolder, parentOf, SegmentGraveyard, syncFolder, writeTopicId } from './folder-work.ts';
import { GroupCommit } from './group-commit.ts';
import type { LoadedLog } from './loaded-log.ts';
import type { SharedLogState } from './log-options.ts';
import { checkBatches, validateForLeader } from './log-validator.ts';
import { findOffset } from './lookup.ts';
import type { ProducerState } from './producer-state.ts';
import { applyBatch, checkProducer, replayProducers } from './producer-updates.ts';
import { LogReader, warmUp } from './reader.ts';
import { countExpired, type RetentionReason, reasonsFor } from './retention.ts';
import { drawJitter, Segment, type SegmentContext } from './segment.ts';
import type { Segments } from './segments.ts';
import { asProtocolError, guarded, rethrow, storageError } from './storage-errors.ts';
import { LogTail } from './tail-cache.ts';
import type {
  AbortedTxn,
  ActiveProducer,
  AppendInfo,
  AppendOptions,
  EpochEndOffset,
  LogPorts,
  LogRead,
  PendingRead,
  ReadOptions,
  TimestampAndOffset,
} from './types.ts';

const NO_APPEND_TIME = -1n;

/**
 * One partition on disk. Offsets move in this order: `assignedEndOffset` when an append is taken (its bytes may be staged),
 * then the bytes are written, then `logEndOffset`, which for flush.messages and flush.ms=0 waits for the fdatasync. The
 * indexes, the high watermark and readers know only what is written; producer state and epochs run ahead with the assigned
 * offsets and are taken back when a write fails. A failed write leaves the log as it was before; a failed sync takes it
 * offline for good.
 */
export class PartitionLog {
  readonly topic: string;
  readonly partition: number;
  /** Called after the log end moved, before the callbacks of the appends run. */
  onAppended: (log: PartitionLog) => void = () => {};
  /** Called once when the log can't go on: its dir has failed. */
  onOffline: (log: PartitionLog, error: Error) => void = () => {};
  #topicId: Uuid;
  #dir: string;
  #config: LogConfig;
  readonly #ports: LogPorts;
  readonly #shared: SharedLogState;
  readonly #context: SegmentContext;
  readonly #segments: Segments;
  readonly #producers: ProducerState;
  readonly #epochs: LeaderEpochCache;
  readonly #tail: LogTail;
  readonly #reader: LogReader;
  #logStart: number;
  #highWatermark: number;
  #assignedEnd: number;
  #writtenEnd: number;
  #logEnd: number;
  #latestEpoch: number;
  // Appends whose bytes are staged, and those that wait for a sync.
  #stagedBytes = 0;
  #staged = new CommitQueue();
  readonly #unpublished = new CommitQueue();
  #writeScheduled = false;
  readonly #commit: GroupCommit;
  #flushTimer: Timer | undefined;
  // The folder's name or partition.metadata may not survive a power loss yet.
  #isNew: boolean;
  readonly #graveyard: SegmentGraveyard;
  #offline: Error | undefined;
  #closed = false;
  readonly #writeTurn = () => {
    this.#writeScheduled = false;
    this.#writeStaged();
  };

  constructor(loaded: LoadedLog) {
    this.topic = loaded.topic;
    this.partition = loaded.partition;
    this.#topicId = loaded.topicId;
    this.#dir = loaded.dir;
    this.#config = loaded.config;
    this.#ports = loaded.ports;
    this.#shared = loaded.shared;
    this.#context = loaded.context;
    this.#segments = loaded.segments;
    this.#producers = loaded.producers;
    this.#epochs = loaded.epochs;
    this.#tail = new LogTail(loaded.shared.tails);
    this.#graveyard = new SegmentGraveyard(loaded.ports);
    this.#reader = new LogReader(this.#segments, this.#tail, loaded.shared);
    this.#logStart = loaded.logStartOffset;
    this.#highWatermark = loaded.logStartOffset;
    this.#assignedEnd = loaded.logEndOffset;
    this.#writtenEnd = loaded.logEndOffset;
    this.#logEnd = loaded.logEndOffset;
    this.#commit = new GroupCommit({
      syncedEnd: loaded.recoveryPoint,
      writtenEnd: loaded.logEndOffset,
      currentEnd: () => this.#writtenEnd,
      sync: () => this.#syncFiles(),
      onSynced: () => this.#publish(),
      onFailed: (error) => this.#goOffline(asProtocolError(error)),
    });
    this.#latestEpoch = this.#epochs.latest?.epoch ?? -1;
    this.#isNew = loaded.isNew;
  }

  /** The zero uuid where partition.metadata was lost; see `adoptTopicId`. */
  get topicId(): Uuid {
    return this.#topicId;
  }

  get dir(): string {
    return this.#dir;
  }

  /** The log dir. */
  get parentDir(): string {
    return parentOf(this.#dir);
  }

  get config(): LogConfig {
    return this.#config;
  }

  get isOffline(): boolean {
    return this.#offline !== undefined;
  }

  get logStartOffset(): number {
    return this.#logStart;
  }

  /** The offset after the last record that readers may see, given that the high watermark allows. */
  get logEndOffset(): number {
    return this.#logEnd;
  }

  /** The offset that the next append gets. */
  get assignedEndOffset(): number {
    return this.#assignedEnd;
  }

  get highWatermark(): number {
    return this.#highWatermark;
  }

  /** What read_committed consumers may see: the high watermark, or the first record of an open transaction before it. */
  get lastStableOffset(): number {
    const unstable = this.#producers.firstUnstableOffset;
    return unstable === undefined
      ? this.#highWatermark
      : Math.min(this.#highWatermark, Math.max(unstable, this.#logStart));
  }

  /** All below survives a power loss. */
  get recoveryPoint(): number {
    return this.#commit.syncedEnd;
  }

  get sizeInBytes(): number {
    return this.#segments.sizeInBytes;
  }

  get firstSegmentOffset(): number {
    return this.#segments.first.baseOffset;
  }

  get segmentCount(): number {
    return this.#segments.count;
  }

  get latestEpoch(): number | undefined {
    return this.#epochs.latest?.epoch;
  }

  get leaderEpochCache(): LeaderEpochCache {
    return this.#epochs;
  }

  /** Gives a log without topic id the one that the metadata knows. Throws ProtocolError(KAFKA_STORAGE_ERROR). */
  adoptTopicId(topicId: Uuid): void {
    assert(this.#topicId === ZERO_UUID, 'a topic id never changes');
    guarded(() => writeTopicId(this.#ports.storage, this.#dir, topicId));
    this.#topicId = topicId;
    this.#isNew = true;
  }

  updateConfig(config: LogConfig): void {
    this.#config = config;
    this.#context.settings = config;
    for (const segment of this.#segments.all) segment.setSettings(config);
  }

  /** Moves the high watermark to `offset`, kept between log start and log end. True if it changed. */
  updateHighWatermark(offset: number): boolean {
    const next = Math.max(this.#logStart, Math.min(offset, this.#logEnd));
    if (next === this.#highWatermark) return false;
    this.#highWatermark = next;
    this.#producers.onHighWatermark(next);
    return true;
  }

  /** Notes that a leader epoch begins. Throws ProtocolError(KAFKA_STORAGE_ERROR). */
  assignEpoch(epoch: number, startOffset: number): void {
    this.#ensureOnline();
    guarded(() => this.#epochs.assign(epoch, startOffset));
    this.#latestEpoch = this.#epochs.latest?.epoch ?? -1;
  }

  /**
   * Checks one batch, gives it offsets and appends it. `records` is changed in place (base offset, leader epoch, timestamps)
   * and must stay untouched until `done` ran. Throws ProtocolError with Apache's code where the batch is refused; then
   * nothing changed and `done` never runs.
   */
  appendAsLeader(records: Buffer, leaderEpoch: number, options: AppendOptions): AppendInfo {
    this.#ensureOnline();
    const { origin } = options;
    const nowMs = this.#ports.clock.wallMs();
    const validBytes = checkBatches(records, origin, this.#config, leaderEpoch);
    let batch = validBytes === records.length ? records : records.subarray(0, validBytes);
    if (origin === 'raft') return this.#appendGiven(batch, options.done);
    if (header.sizeInBytes(batch, 0) !== batch.length)
      throw new ProtocolError(Errors.INVALID_RECORD, 'more than one batch');
    batch = validateForLeader(batch, origin, this.#config, this.#shared, nowMs);
    if (batch.length > this.#config.segmentBytes) {
      const text = `the batch has ${batch.length} bytes, more than a segment of ${this.#config.segmentBytes}`;
      throw new ProtocolError(Errors.RECORD_LIST_TOO_LARGE, text);
    }
    const logAppendTimeMs =
      this.#config.messageTimestampType === 'LogAppendTime' ? BigInt(nowMs) : NO_APPEND_TIME;
    const hasProducer = header.hasProducerId(batch, 0);
    if (hasProducer) {
      const duplicate = checkProducer(this.#producers, batch, origin, options.transactionVersion ?? 0);
      if (duplicate !== undefined) {
        this.#whenPublished(duplicate.lastOffset + 1, options.done);
        const { firstOffset, lastOffset, timestamp } = duplicate;
        // As Apache has it: a repeat reports the first one's timestamp as append time, whatever the type.
        return appendInfo(firstOffset, lastOffset, timestamp, this.#logStart, true);
      }
    }
    const delta = header.lastOffsetDelta(batch, 0);
    this.#maybeRoll(
      batch.length,
      this.#assignedEnd,
      this.#assignedEnd + delta,
      header.roundedMaxTimestamp(batch, 0),
      nowMs,
    );
    const firstOffset = this.#assignedEnd;
    if (leaderEpoch !== this.#latestEpoch) this.assignEpoch(leaderEpoch, firstOffset);
    header.setBaseOffset(batch, 0, firstOffset);
    header.setPartitionLeaderEpoch(batch, 0, leaderEpoch);
    if (hasProducer) applyBatch(this.#producers, batch, 0, true);
    const info = appendInfo(firstOffset, firstOffset + delta, logAppendTimeMs, this.#logStart, false);
    this.#assignedEnd = firstOffset + delta + 1;
    this.#take(batch, options.done);
    return info;
  }

  /** Appends batches with the offsets they have, written at once. Throws ProtocolError. */
  appendAsFollower(records: Buffer, done: (error: Error | undefined) => void = () => {}): AppendInfo {
    this.#ensureOnline();
    const validBytes = checkBatches(
      records,
      'coordinator',
      { ...this.#config, maxMessageBytes: records.length },
      -1,
    );
    return this.#appendGiven(records.subarray(0, validBytes), done);
  }

  /**
   * Batches from `startOffset`, or from the middle of the one that holds it, up to `maxBytes`. Throws
   * OFFSET_OUT_OF_RANGE or KAFKA_STORAGE_ERROR.
   */
  read(startOffset: number, maxBytes: number, options: ReadOptions): LogRead | PendingRead {
    this.#ensureOnline();
    if (startOffset < this.#logStart || startOffset > this.#logEnd) {
      const text = `offset ${startOffset} is not between log start ${this.#logStart} and log end ${this.#logEnd}`;
      throw new ProtocolError(Errors.OFFSET_OUT_OF_RANGE, text);
    }
    const bounded = options.upTo <= this.#logEnd ? options : { ...options, upTo: this.#logEnd };
    const read = guarded(() =>
      this.#reader.read(startOffset, maxBytes, bounded, () => this.read(startOffset, maxBytes, options)),
    );
    if (!('pending' in read)) return read;
    return { pending: read.pending.catch(rethrow) };
  }

  /**
   * The first record at or after a time, or what the special times ask for: -1 the log end, -2 and -4 the log start, -3 the
   * record with the largest timestamp. Undefined where there is none. Bound it by the high watermark before answering.
   */
  offsetForTimestamp(timestamp: bigint): TimestampAndOffset | undefined {
    this.#ensureOnline();
    return guarded(() => findOffset(this.#segments, this.#epochs, timestamp, this.#logStart, this.#logEnd));
  }

  endOffsetForEpoch(epoch: number): EpochEndOffset | undefined {
    return this.#epochs.endOffsetFor(epoch, this.#logEnd);
  }

  activeProducers(): ActiveProducer[] {
    return this.#producers.active();
  }

  /** Forgets producers that have sent nothing for so long. */
  expireProducers(expirationMs: number): void {
    this.#producers.expire(this.#ports.clock.wallMs(), expirationMs);
  }

  /** Aborted transactions that a read_committed fetch of offsets `from` to before `to` must know. */
  abortedTransactions(from: number, to: number): AbortedTxn[] {
    return this.#producers.abortedTransactions(from, to);
  }

  /**
   * Moves the log start to `offset` (-1: to the high watermark) and returns the log start. Segments that lie before it go
   * with the next `deleteOldSegments`. Throws OFFSET_OUT_OF_RANGE above the high watermark.
   */
  deleteRecordsBefore(offset: number): number {
    this.#ensureOnline();
    const wanted = offset === -1 ? this.#highWatermark : offset;
    if (wanted < 0 || wanted > this.#highWatermark) {
      const text = `${wanted} is above the high watermark ${this.#highWatermark}`;
      throw new ProtocolError(Errors.OFFSET_OUT_OF_RANGE, text);
    }
    this.#moveLogStart(wanted);
    return this.#logStart;
  }

  /** Deletes what retention.ms, retention.bytes and the log start allow to go. Returns the number of segments. */
  deleteOldSegments(): number {
    if (this.#offline !== undefined || this.#closed) return 0;
    let deleted = 0;
    for (const reason of reasonsFor(this.#config)) {
      const count = countExpired(this.#segments, reason, this, this.#ports.clock.wallMs());
      if (count > 0) guarded(() => this.#deleteFirst(count, reason));
      deleted += count;
    }
    return deleted;
  }

  /** Cuts everything from `offset` on. True if something was cut. Appends that wait for those offsets fail. */
  truncateTo(offset: number): boolean {
    assert(offset >= 0, 'logs begin at 0');
    this.#ensureOnline();
    this.#writeStaged();
    if (offset >= this.#writtenEnd) {
      this.#cutEpochs(this.#writtenEnd);
      return false;
    }
    if (offset < this.#segments.first.baseOffset) {
      this.truncateFully(offset);
      return true;
    }
    guarded(() => {
      this.#dropSegments(this.#segments.removeAbove(offset));
      this.#segments.active.truncateTo(offset, this.#ports.clock.wallMs());
    });
    this.#logStart = Math.min(this.#logStart, offset);
    this.#afterCut(offset);
    return true;
  }

  /** Drops all batches and begins anew at `offset`. */
  truncateFully(offset: number): void {
    this.#ensureOnline();
    this.#writeStaged();
    guarded(() => {
      this.#dropSegments(this.#segments.removeAll());
      this.#addSegment(offset);
      this.#segments.active.create();
    });
    this.#epochs.clear();
    this.#logStart = offset;
    this.#afterCut(offset);
  }

  /** Begins a new segment now, unless the active one is empty. */
  roll(): void {
    this.#ensureOnline();
    if (!this.#writeStaged() || this.#segments.active.sizeInBytes === 0) return;
    guarded(() => this.#rollAt(this.#assignedEnd));
  }

  /** Resolves when everything appended before survives a power loss; the recovery point is at the log end then. */
  async flush(): Promise<void> {
    this.#ensureOnline();
    this.#writeStaged();
    await this.#commit.flush();
    this.#ensureOnline();
  }

  /**
   * After an unclean stop: syncs what the files hold above the recovery point, where the config has records synced before
   * anybody sees them. A process that was killed leaves records which only the page cache may have. Rejects like `flush`.
   */
  async syncRecovered(): Promise<void> {
    const { flushMessages, flushMs } = this.#config;
    const count = this.#writtenEnd - this.recoveryPoint;
    if (count > 0 && (flushMs <= 0 || count >= flushMessages)) await this.flush();
  }

  /** Writes and syncs everything, closes the files. Rejects with ProtocolError where that failed; the folder is unclean then. */
  async close(): Promise<void> {
    if (this.#closed) return;
    if (this.#offline === undefined) {
      await this.flush();
      if (this.#isNew) await this.#commit.syncOnce();
      this.#ensureOnline();
      await finishFolder(this.#ports.storage, this.#dir, this.#segments, this.#epochs).catch(rethrow);
    }
    this.#shutFiles();
  }

  /** The disk below has failed elsewhere: every append that waits fails, and everything from now on. */
  takeOffline(error: Error): void {
    if (this.#offline !== undefined || this.#closed) return;
    this.#commit.stop();
    this.#tail.rollBack();
    this.#offline = error;
    this.#stagedBytes = 0;
    this.#staged.failAbove(-1, error);
    this.#unpublished.failAbove(-1, error);
  }

  /** Lets go of everything without writing: the folder is about to be deleted, or its dir has failed. */
  abandon(error: Error): void {
    if (this.#closed) return;
    this.takeOffline(error);
    this.#shutFiles();
  }

  /** The folder was renamed; the log must have been abandoned or be idle. */
  movedTo(dir: string): void {
    this.#dir = dir;
  }

  #shutFiles(): void {
    this.#commit.stop();
    this.#closed = true;
    this.#reader.invalidate();
    this.#graveyard.close();
    this.#flushTimer?.cancel();
    for (const segment of this.#segments.all) segment.close();
    this.#tail.clear();
  }

  /** Stages a batch whose offsets are assigned, or writes it at once. Throws if the write at once failed. */
  #take(batch: Buffer, done: (error: Error | undefined) => void): void {
    const { options } = this.#shared;
    if (batch.length >= options.writeAtOnceBytes) {
      const error = this.#write(batch);
      if (error !== undefined) throw error;
      this.#unpublished.push(this.#assignedEnd, done);
      this.#afterWrite();
      return;
    }
    this.#tail.stage(batch, this.#segments.active.sizeInBytes + this.#stagedBytes);
    this.#stagedBytes += batch.length;
    this.#staged.push(this.#assignedEnd, done);
    if (this.#stagedBytes >= options.stagedBytesMax) {
      this.#writeStaged();
    } else if (!this.#writeScheduled) {
      this.#writeScheduled = true;
      this.#ports.turn.later(this.#writeTurn);
    }
  }

  #appendGiven(batches: Buffer, done: (error: Error | undefined) => void): AppendInfo {
    const { firstOffset, lastOffset, timestamp } = spanOf(batches, this.#assignedEnd);
    this.#maybeRoll(batches.length, firstOffset, lastOffset, timestamp, this.#ports.clock.wallMs());
    if (this.#stagedBytes > 0 && !this.#writeStaged())
      throw storageError('the bytes staged before were not written');
    for (let at = 0; at < batches.length; at += header.sizeInBytes(batches, at)) {
      const epoch = header.partitionLeaderEpoch(batches, at);
      if (epoch > this.#latestEpoch) this.assignEpoch(epoch, header.baseOffset(batches, at));
    }
    for (let at = 0; at < batches.length; at += header.sizeInBytes(batches, at)) {
      if (header.hasProducerId(batches, at)) applyBatch(this.#producers, batches, at, true);
    }
    const info = appendInfo(firstOffset, lastOffset, NO_APPEND_TIME, this.#logStart, false);
    this.#assignedEnd = lastOffset + 1;
    const error = this.#write(batches);
    if (error !== undefined) throw error;
    this.#unpublished.push(this.#assignedEnd, done);
    this.#afterWrite();
    return info;
  }

  /** Writes what is staged. False if that failed: then the log is as it was before those appends. */
  #writeStaged(): boolean {
    if (this.#stagedBytes === 0) return true;
    if (this.#write(undefined) !== undefined) return false;
    this.#afterWrite();
    return true;
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
        throw new StorageError('EOTHER', active.log.path, `only ${written} of ${size} bytes were written`);
    } catch (error) {
      return this.#undoStaged(asProtocolError(error));
    }
    for (const chunk of chunks) active.onWritten(chunk, 0, chunk.length);
    if (active.sizeInBytes !== position + size)
      throw new Error('a chunk held more or less than whole batches');
    this.#tail.markWritten();
    this.#stagedBytes = 0;
    this.#writtenEnd = this.#assignedEnd;
    this.#producers.settle();
    this.#shared.traffic.bytes += size;
    warmUp(active, position, position + size, this.#shared);
    const staged = this.#staged;
    if (staged.length > 0) {
      this.#staged = new CommitQueue();
      staged.moveTo(this.#unpublished);
    }
    return undefined;
  }

  /** The file and all that ran ahead of it go back to the last good write; every append staged since fails. */
  #undoStaged(error: ProtocolError): ProtocolError {
    const active = this.#segments.active;
    this.#ports.logger.error(`append to ${active.log.path} failed`, { error: error.message });
    this.#tail.rollBack();
    this.#producers.rollBack();
    this.#cutEpochs(this.#writtenEnd);
    this.#assignedEnd = this.#writtenEnd;
    this.#stagedBytes = 0;
    const staged = this.#staged;
    this.#staged = new CommitQueue();
    try {
      if (active.log.use().size() > active.sizeInBytes) active.log.use().truncate(active.sizeInBytes);
    } catch (cause) {
      // Bytes of nobody may stand behind the last batch: nothing can be appended behind them.
      this.#goOffline(asProtocolError(cause));
    }
    staged.failAbove(-1, error);
    return error;
  }

  #afterWrite(): void {
    const { flushMessages, flushMs } = this.#config;
    if (flushMs <= 0 || this.#commit.uncoveredCount >= flushMessages) {
      this.#commit.demand();
    } else if (flushMs < Number.MAX_SAFE_INTEGER) {
      this.#flushTimer ??= this.#ports.timers.after(flushMs, () => {
        this.#flushTimer = undefined;
        if (this.#offline === undefined && !this.#closed) this.#commit.start();
      });
    }
    this.#publish();
  }

  /** Moves the log end as far as writes and demanded syncs allow, then wakes whoever waits. */
  #publish(): void {
    const end = this.#commit.visibleEnd;
    if (end > this.#logEnd) {
      this.#logEnd = end;
      this.onAppended(this);
    }
    this.#unpublished.release(this.#logEnd);
  }

  #whenPublished(endOffset: number, done: (error: Error | undefined) => void): void {
    if (endOffset > this.#writtenEnd) this.#staged.push(endOffset, done);
    else if (endOffset > this.#logEnd) this.#unpublished.push(endOffset, done);
    else done(undefined);
  }

  #syncFiles(): Promise<void> {
    const isNew = this.#isNew;
    this.#isNew = false;
    return syncFolder(this.#ports.storage, this.#dir, this.#segments, this.#epochs, isNew);
  }

  #goOffline(error: ProtocolError): void {
    if (this.#offline !== undefined || this.#closed) return;
    this.#ports.logger.error(`${this.#dir} is offline`, { error: error.message });
    this.takeOffline(error);
    this.onOffline(this, error);
  }

  #maybeRoll(bytes: number, firstOffset: number, lastOffset: number, timestamp: number, nowMs: number): void {
    const active = this.#segments.active;
    if (
      !active.mustRoll(
        bytes,
        this.#stagedBytes,
        this.#staged.length,
        lastOffset,
        timestamp,
        nowMs,
        this.#config,
      )
    )
      return;
    if (!this.#writeStaged()) throw storageError('the bytes staged before were not written');
    guarded(() => this.#rollAt(firstOffset));
  }

  #rollAt(baseOffset: number): void {
    const old = this.#segments.active;
    if (baseOffset === old.baseOffset) return;
    old.finishIndexes();
    this.#addSegment(baseOffset);
    this.#tail.clear();
    if (old.sizeInBytes === 0) {
      // Its base is too far below the next offset; an empty file in the middle would be no harm, but is of no use.
      this.#dropSegments(this.#segments.all.filter((segment) => segment === old));
      this.#segments.remove(old);
    }
    // Apache flushes the old segment in the background too, and moves the recovery point when that is done.
    this.#commit.start();
  }

  #addSegment(baseOffset: number): void {
    const rollJitterMs = drawJitter(this.#config, this.#shared.random);
    const nowMs = this.#ports.clock.wallMs();
    const init = { sizeInBytes: undefined, nowMs, rollJitterMs };
    const segment = new Segment(this.#context, this.#dir, baseOffset, init);
    segment.create();
    this.#segments.add(segment);
    for (const loaded of this.#segments.all.slice(0, -5)) loaded.unloadIndexes();
  }

  #deleteFirst(count: number, reason: RetentionReason): void {
    if (count === this.#segments.count) {
      if (!this.#writeStaged()) return;
      this.#rollAt(this.#assignedEnd);
    }
    const next = this.#segments.at(count);
    if (next === undefined) return;
    this.#moveLogStart(Math.max(this.#logStart, next.baseOffset));
    const segments = this.#segments.removeFirst(count);
    for (const segment of segments) {
      const { baseOffset, sizeInBytes } = segment;
      this.#ports.logger.info(
        `deleting segment ${baseOffset} of ${this.topic}-${this.partition}: ${reason}`,
        { sizeInBytes },
      );
    }
    this.#dropSegments(segments);
  }

  #dropSegments(segments: readonly Segment[]): void {
    this.#reader.invalidate();
    this.#tail.clear();
    this.#graveyard.bury(segments, this.#config.fileDeleteDelayMs);
  }

  #moveLogStart(offset: number): void {
    if (offset <= this.#logStart) return;
    this.#logStart = offset;
    if (this.#highWatermark < offset) this.#highWatermark = offset;
    this.#epochs.truncateFromStart(offset);
    this.#producers.onLogStartOffset(offset);
  }

  /** After batches from `offset` on were cut: offsets, epochs, producers and waiting appends follow. */
  #afterCut(offset: number): void {
    this.#reader.invalidate();
    this.#tail.clear();
    this.#cutEpochs(offset);
    this.#assignedEnd = offset;
    this.#writtenEnd = offset;
    this.#logEnd = Math.min(this.#logEnd, offset);
    if (this.#logEnd < this.#logStart) this.#logEnd = this.#logStart;
    this.#commit.cutAt(offset);
    this.#highWatermark = Math.max(this.#logStart, Math.min(this.#highWatermark, this.#logEnd));
    guarded(() => replayProducers(this.#producers, this.#segments, this.#logStart));
    this.#producers.onHighWatermark(this.#highWatermark);
    this.#unpublished.failAbove(
      offset,
      new ProtocolError(Errors.NOT_LEADER_OR_FOLLOWER, `the log was cut at ${offset}`),
    );
  }

  #cutEpochs(offset: number): void {
    this.#epochs.truncateFromEnd(offset);
    this.#latestEpoch = this.#epochs.latest?.epoch ?? -1;
  }

  #ensureOnline(): void {
    if (this.#offline !== undefined) throw storageError(`${this.#dir} is offline: ${this.#offline.message}`);
    if (this.#closed) throw storageError(`${this.#dir} is closed`);
  }
}
