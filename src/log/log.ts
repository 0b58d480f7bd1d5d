import { assert } from '../base/assert.ts';
import { type Uuid, ZERO_UUID } from '../base/uuid.ts';
import type { LogConfig } from '../config/log-config.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import type { CleanedGroup } from './cleaner/clean-log.ts';
import type { LeaderEpochCache } from './epoch-cache.ts';
import { finishFolder, parentOf, syncFolder, writeTopicId } from './folder-work.ts';
import type { LoadedLog } from './loaded-log.ts';
import { LogAppender } from './log-appender.ts';
import { LogOffsets } from './log-offsets.ts';
import type { SharedLogState } from './log-options.ts';
import type { LogParts } from './log-parts.ts';
import { LogReplacement } from './log-replacement.ts';
import { LogTruncation } from './log-truncation.ts';
import { LogWriter } from './log-writer.ts';
import { findOffset, offsetsBefore } from './lookup.ts';
import type { ProducerFiles } from './producer-files.ts';
import type { PartitionProducers, ProducerState } from './producer-state.ts';
import { LogReader } from './reader.ts';
import { concernsOldSegments, Retention } from './retention.ts';
import type { Segment, SegmentContext } from './segment.ts';
import { SegmentLifecycle } from './segment-lifecycle.ts';
import type { Segments } from './segments.ts';
import { asProtocolError, guarded, isPassing, rethrow, storageError } from './storage-errors.ts';
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
  /** Up to where the cleaner has come; undefined before its first run. */
  cleanedEnd: number | undefined;
  /** Called before batches are cut, when the recovery point and `cleanedEnd` are lowered for it; throws StorageError. */
  beforeCut: (log: PartitionLog) => void = () => {};
  /** Called when batches were cut: what was made from them elsewhere is void. */
  onCut: (log: PartitionLog) => void = () => {};
  /** Called when settings have changed which say what becomes of old segments. */
  onRetentionChanged: (log: PartitionLog) => void = () => {};
  #topicId: Uuid;
  #dir: string;
  #config: LogConfig;
  readonly #ports: LogPorts;
  readonly #shared: SharedLogState;
  readonly #context: SegmentContext;
  readonly #segments: Segments;
  readonly #producers: ProducerState;
  readonly #producerFiles: ProducerFiles;
  readonly #epochs: LeaderEpochCache;
  readonly #tail: LogTail;
  readonly #reader: LogReader;
  readonly #writer: LogWriter;
  readonly #lifecycle: SegmentLifecycle;
  readonly #appender: LogAppender;
  readonly #offsets: LogOffsets;
  readonly #truncation: LogTruncation;
  /** For the move of a replica from or to this log. */
  readonly replacement: LogReplacement;
  // The folder's name or partition.metadata may not survive a power loss yet.
  #isNew: boolean;
  readonly #retention: Retention;
  #offline: Error | undefined;
  #closed = false;
  /** The log that has taken this one's place. */
  #successor: PartitionLog | undefined;
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
    this.#producerFiles = loaded.producerFiles;
    this.#epochs = loaded.epochs;
    this.#tail = new LogTail(loaded.shared.tails);
    this.#retention = new Retention(this, this.#segments, loaded.ports.logger);
    this.#reader = new LogReader(this.#segments, this.#tail, loaded.shared);
    this.#isNew = loaded.isNew;
    this.#writer = new LogWriter({
      ports: loaded.ports,
      shared: loaded.shared,
      segments: this.#segments,
      producers: this.#producers,
      tail: this.#tail,
      logEndOffset: loaded.logEndOffset,
      recoveryPoint: loaded.recoveryPoint,
      config: () => this.#config,
      sync: () => this.#syncFiles(),
      onAppended: () => this.onAppended(this),
      onUndone: (writtenEnd) => this.#truncation.cutEpochs(writtenEnd),
      onFailed: (error) => this.#goOffline(error),
    });
    this.#offsets = new LogOffsets(loaded, this.#writer);
    const parts: LogParts = {
      loaded,
      config: () => this.#config,
      writer: this.#writer,
      offsets: this.#offsets,
      logStart: () => this.#offsets.logStart,
      tail: this.#tail,
      reader: this.#reader,
      ensureOnline: () => this.#ensureOnline(),
      beforeCut: (offset) => this.#beforeCut(offset),
      onCut: () => this.onCut(this),
      halfDone: (error) => this.#goOffline(asProtocolError(error)),
      failed: (error) => {
        if (!isPassing(error)) this.#goOffline(asProtocolError(error));
      },
    };
    this.#lifecycle = new SegmentLifecycle(parts);
    this.#appender = new LogAppender({ ...parts, lifecycle: this.#lifecycle });
    this.#truncation = new LogTruncation(parts, this.#lifecycle, this.#appender);
    this.replacement = new LogReplacement(parts, this.#appender, this.#truncation);
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
    return this.#offsets.logStart;
  }

  /** The offset after the last record that readers may see, given that the high watermark allows. */
  get logEndOffset(): number {
    return this.#writer.logEnd;
  }

  /** The offset that the next append gets. */
  get assignedEndOffset(): number {
    return this.#writer.assignedEnd;
  }

  get highWatermark(): number {
    return this.#offsets.highWatermark;
  }

  /** What read_committed consumers may see: the high watermark, or the first record of an open transaction before it. */
  get lastStableOffset(): number {
    return this.#offsets.lastStable;
  }

  /** All below survives a power loss. */
  get recoveryPoint(): number {
    return this.#writer.recoveryPoint;
  }

  /** The recovery point as a checkpoint may have it while appends go on. */
  get safeRecoveryPoint(): number {
    return this.#writer.safeRecoveryPoint;
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

  /** All but the active one, by ascending offsets. */
  get closedSegments(): readonly Segment[] {
    return this.#segments.all.slice(0, -1);
  }

  get activeBaseOffset(): number {
    return this.#segments.active.baseOffset;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** How often batches were cut off since the log was opened. */
  get cutCount(): number {
    return this.#truncation.cutCount;
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
    const before = this.#config;
    const { flushMessages, flushMs } = before;
    this.#config = config;
    this.#context.settings = config;
    for (const segment of this.#segments.all) segment.setSettings(config);
    if (config.flushMessages !== flushMessages || config.flushMs !== flushMs) {
      this.#writer.flushSettingsChanged();
    }
    if (concernsOldSegments(before, config)) this.onRetentionChanged(this);
  }

  /** Moves the high watermark to `offset`, kept between log start and log end. True if it changed. */
  updateHighWatermark(offset: number): boolean {
    return this.#offsets.updateHighWatermark(offset);
  }

  /** Notes that a leader epoch begins at the log end. Throws ProtocolError(KAFKA_STORAGE_ERROR). */
  announceEpoch(epoch: number): void {
    this.#ensureOnline();
    this.#epochs.announce(epoch, this.#writer.logEnd);
  }

  /**
   * Checks one batch, or a client's message set of format 0 or 1, gives it offsets and appends it. `records` is changed in
   * place (base offset, leader epoch, timestamps) and must stay untouched until `done` ran. Where it holds nothing whole,
   * nothing is appended, and the offset is -1. Throws ProtocolError with Apache's code where the batch is refused; then
   * nothing changed and `done` never runs.
   */
  appendAsLeader(records: Buffer, leaderEpoch: number, options: AppendOptions): AppendInfo {
    this.#ensureOnline();
    const { space } = this.#shared;
    if (options.origin === 'client' && space?.isShort) space.ensure(this.parentDir);
    return this.#appender.appendAsLeader(records, leaderEpoch, options);
  }

  /** Appends batches with the offsets they have, written at once. Throws ProtocolError. */
  appendAsFollower(records: Buffer, done: (error: Error | undefined) => void = () => {}): AppendInfo {
    this.#ensureOnline();
    return this.#appender.appendAsFollower(records, done);
  }

  /**
   * Batches from `startOffset`, or from the middle of the one that holds it, up to `maxBytes`. Throws
   * OFFSET_OUT_OF_RANGE or KAFKA_STORAGE_ERROR.
   */
  read(startOffset: number, maxBytes: number, options: ReadOptions): LogRead | PendingRead {
    if (this.#successor !== undefined) return this.#successor.read(startOffset, maxBytes, options);
    this.#ensureOnline();
    if (startOffset < this.logStartOffset || startOffset > this.#writer.logEnd) {
      const text = `offset ${startOffset} is not between log start ${this.logStartOffset} and log end ${this.#writer.logEnd}`;
      throw new ProtocolError(Errors.OFFSET_OUT_OF_RANGE, text);
    }
    const bounded = options.upTo <= this.#writer.logEnd ? options : { ...options, upTo: this.#writer.logEnd };
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
    return guarded(() =>
      findOffset(this.#segments, this.#epochs, timestamp, this.logStartOffset, this.#writer.logEnd),
    );
  }

  /** Offsets where segments begin that were written at or before a time, newest first; -1 and -2 as above. */
  offsetsBefore(timestamp: bigint, countMax: number): number[] {
    this.#ensureOnline();
    const { logStartOffset, logEndOffset } = this;
    const nowMs = this.#ports.clock.wallMs();
    const log = { logStartOffset, logEndOffset, nowMs };
    return guarded(() => offsetsBefore(this.#segments, timestamp, countMax, log));
  }

  endOffsetForEpoch(epoch: number): EpochEndOffset | undefined {
    return this.#epochs.endOffsetFor(epoch, this.#writer.logEnd);
  }

  activeProducers(): ActiveProducer[] {
    return this.#producers.active();
  }

  /** Their sequences and transactions: what an append leaves behind. */
  get producers(): PartitionProducers {
    return this.#producers;
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
    const wanted = offset === -1 ? this.highWatermark : offset;
    if (wanted < 0 || wanted > this.highWatermark) {
      const text = `${wanted} is above the high watermark ${this.highWatermark}`;
      throw new ProtocolError(Errors.OFFSET_OUT_OF_RANGE, text);
    }
    this.#offsets.moveLogStart(wanted);
    return this.logStartOffset;
  }

  /** Deletes what retention.ms, retention.bytes and the log start allow to go. Returns the number of segments. */
  deleteOldSegments(): number {
    if (this.#offline !== undefined || this.#closed) return 0;
    const nowMs = this.#ports.clock.wallMs();
    return guarded(() => this.#retention.run(nowMs, (count) => this.#deleteFirst(count)));
  }

  /** Why retention leaves the oldest segment there. Throws ProtocolError(KAFKA_STORAGE_ERROR). */
  whyKept(): string {
    return guarded(() => this.#retention.whyKept(this.#ports.clock.wallMs()));
  }

  /** Begins a new segment where the active one has lasted as long as segment.ms lets it, with or without appends. */
  rollIfDue(): void {
    if (this.#offline !== undefined || this.#closed) return;
    if (guarded(() => this.#lifecycle.isRollDue())) this.roll();
  }

  /**
   * Puts cleaned segments, whose files are written and synced, in the place of those that they were made from: `old`
   * must be neighbours in this log. Throws ProtocolError(KAFKA_STORAGE_ERROR); where that happened half way the log is
   * offline, and the next start finishes the swap.
   */
  swapSegments(old: readonly Segment[], group: CleanedGroup): void {
    this.#ensureOnline();
    guarded(() => this.#lifecycle.swap(old, group));
  }

  /** Cuts everything from `offset` on. True if something was cut. Appends that wait for those offsets fail. */
  truncateTo(offset: number): boolean {
    assert(offset >= 0, 'logs begin at 0');
    this.#ensureOnline();
    return this.#truncation.truncateTo(offset);
  }

  /** Drops all batches and begins anew at `offset`. */
  truncateFully(offset: number): void {
    this.#ensureOnline();
    this.#truncation.truncateFully(offset);
  }

  /** Begins a new segment now, unless the active one is empty. */
  roll(): void {
    this.#ensureOnline();
    if (!this.#writer.writeStaged() || this.#segments.active.sizeInBytes === 0) return;
    this.#appender.rollAt(this.#writer.assignedEnd);
  }

  /** Resolves when everything appended before survives a power loss; the recovery point is at the log end then. */
  async flush(): Promise<void> {
    this.#ensureOnline();
    await this.#writer.flush();
    this.#ensureOnline();
  }

  /**
   * After an unclean stop: syncs what the files hold above the recovery point, where the config has records synced before
   * anybody sees them. A process that was killed leaves records which only the page cache may have. Rejects like `flush`.
   */
  async syncRecovered(): Promise<void> {
    const { flushMessages, flushMs } = this.#config;
    const count = this.#writer.writtenEnd - this.recoveryPoint;
    if (count > 0 && (flushMs <= 0 || count >= flushMessages)) await this.flush();
  }

  /** Writes and syncs everything, closes the files. Rejects with ProtocolError where that failed; the folder is unclean then. */
  async close(): Promise<void> {
    if (this.#closed) return;
    if (this.#offline === undefined) {
      await this.flush();
      if (this.#isNew) await this.#writer.syncOnce();
      this.#ensureOnline();
      const [files, endOffset] = [this.#producerFiles, this.#writer.writtenEnd];
      await finishFolder(
        this.#ports.storage,
        this.#dir,
        this.#segments,
        this.#epochs,
        files,
        endOffset,
      ).catch(rethrow);
    }
    this.#shutFiles();
  }

  /** `next`, which has all batches of this log, takes its place: it answers appends that wait here, and reads. */
  handOver(next: PartitionLog): void {
    this.#successor = next;
    next.#producers.takeVerificationsOf(this.#producers);
    const waiting = this.#writer.takeWaiting();
    this.abandon(storageError(`${this.#dir} has given way to ${next.dir}`));
    next.#writer.adoptWaiting(waiting);
  }

  /** The disk below has failed elsewhere: every append that waits fails, and everything from now on. */
  takeOffline(error: Error): void {
    if (this.#offline !== undefined || this.#closed) return;
    this.#offline = error;
    this.#writer.stop(error);
    this.#reader.invalidate();
    for (const segment of this.#segments.all) segment.close();
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
    this.#writer.close();
    this.#closed = true;
    this.#lifecycle.close();
  }

  #syncFiles(): Promise<void> {
    const isNew = this.#isNew;
    this.#isNew = false;
    const { storage } = this.#ports;
    return this.#shared.syncs.run(async () => {
      if (this.#closed || this.#offline !== undefined) return;
      await syncFolder(storage, this.#dir, this.#segments, this.#epochs, this.#producerFiles, isNew);
    });
  }

  #goOffline(error: ProtocolError): void {
    if (this.#offline !== undefined || this.#closed) return;
    this.#ports.logger.error(`${this.#dir} is offline`, { error: error.message });
    this.takeOffline(error);
    this.onOffline(this, error);
  }

  /** Takes the oldest segments away, at most `most`, and returns how many went. */
  #deleteFirst(most: number): number {
    const isAll = most === this.#segments.count;
    if (isAll || !this.#producerFiles.outlives(this.#segments.at(most)!)) {
      if (!this.#writer.writeStaged()) return 0;
      const { assignedEnd } = this.#writer;
      if (this.#segments.active.baseOffset < assignedEnd) this.#appender.rollAt(assignedEnd);
      else this.#producerFiles.takeSnapshot(assignedEnd);
    }
    // Where there is no space for a snapshot, the batches stay that tell of their producers.
    let count = most;
    while (count > 0 && !this.#producerFiles.outlives(this.#segments.at(count)!)) count -= 1;
    if (count === 0) return 0;
    this.#offsets.moveLogStart(this.#segments.at(count)!.baseOffset);
    this.#lifecycle.dropFirst(count);
    return count;
  }

  #beforeCut(offset: number): void {
    if (this.cleanedEnd !== undefined) this.cleanedEnd = Math.min(this.cleanedEnd, offset);
    this.beforeCut(this);
  }

  #ensureOnline(): void {
    if (this.#offline !== undefined) throw storageError(`${this.#dir} is offline: ${this.#offline.message}`);
    if (this.#closed) throw storageError(`${this.#dir} is closed`);
  }
}
