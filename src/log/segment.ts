import { assert } from '../base/assert.ts';
import type { Random, Storage } from '../base/ports.ts';
import { StorageError } from '../base/ports.ts';
import * as header from '../protocol/record-batch/header.ts';
import { joinTimestamp, maxTimestampHigh, maxTimestampLow } from './batch-bytes.ts';
import { BatchScanner, type ScanEnd } from './batch-scanner.ts';
import {
  DELETED_SUFFIX,
  INDEX_SUFFIX,
  LOG_SUFFIX,
  offsetName,
  SNAPSHOT_SUFFIX,
  TIME_INDEX_SUFFIX,
  TXN_INDEX_SUFFIX,
} from './file-names.ts';
import { OffsetIndex, RELATIVE_OFFSET_MAX } from './offset-index.ts';
import type { LazyFile, OpenFiles } from './open-files.ts';
import type { PartitionFolder } from './partition-folder.ts';
import { readSmallFile, replaceSmallFile, replaceUnsynced, syncSmallFile } from './small-files.ts';
import { runToEnd } from './steps.ts';
import { isNoSpace } from './storage-errors.ts';
import { TimeIndex } from './time-index.ts';
import type { WarmParts } from './warm-parts.ts';

/** File positions in an offset index are signed 32-bit numbers. */
export const SEGMENT_BYTES_MAX = 0x7fffffff;

/** What recovery reads and checks between two chances to do something else. */
const RECOVERY_STEP_BYTES = 1024 * 1024;

export interface SegmentSettings {
  readonly segmentIndexBytes: number;
  readonly indexIntervalBytes: number;
}

export interface SegmentContext {
  readonly storage: Storage;
  readonly files: OpenFiles;
  readonly folder: PartitionFolder;
  settings: SegmentSettings;
}

/** Both indexes as their files would hold them, one behind the other; plain data, for it may come from another thread. */
export interface PackedIndexes {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** How many of them are the offset index. */
  readonly offsetBytes: number;
}

/** What `recover` tells of each batch, before it is counted in; false: the batch can't stand here, cut before it. */
export type RecoverVisitor = (scanner: BatchScanner) => boolean;

/** What `recover` has found. */
export interface RecoveredSegment {
  /** Behind the last good batch, for `cutRest`. */
  readonly cutBytes: number;
  /** Why the scan stopped. */
  readonly ended: ScanEnd;
  /** The offset after the last record. */
  readonly endOffset: number;
}

/**
 * One segment of a log: the `.log` file with its batches and the two sparse indexes beside it. Invariants: `sizeInBytes`
 * bytes of the file are whole batches in ascending offsets from `baseOffset` on; the indexes speak only of those. Bytes
 * that are staged or being written are unknown here until `onWritten`.
 */
export class Segment {
  readonly baseOffset: number;
  readonly log: LazyFile;
  /** The file's name may not survive a power loss yet. */
  nameUnsynced: boolean;
  /** What is probably in the page cache; undefined as long as nothing was touched. */
  warm: WarmParts | undefined;
  readonly #context: SegmentContext;
  readonly #stem: string;
  readonly #rollJitterMs: number;
  readonly #isBegunHere: boolean;
  #createdMs: number;
  #size: number;
  #offsets: OffsetIndex | undefined;
  #times: TimeIndex | undefined;
  #indexesUnwritten = false;
  #indexesUnsynced = false;
  /** Its files have their `.deleted` names, and others may have theirs. */
  #isGone = false;
  #bytesSinceIndexEntry = 0;
  // The largest timestamp and the last offset of the first batch that has it; -1 where there is none.
  #maxHigh = -1;
  #maxLow = 0xffffffff;
  #offsetOfMax: number;
  #maxKnown: boolean;
  #firstTimestamp: number | undefined;

  /** `sizeInBytes` undefined: a new, empty segment, whose file is made at the first write or by `create`. */
  constructor(
    context: SegmentContext,
    dir: string,
    baseOffset: number,
    o: { sizeInBytes: number | undefined; nowMs: number; rollJitterMs: number },
  ) {
    this.#context = context;
    this.baseOffset = baseOffset;
    this.#stem = `${dir}/${offsetName(baseOffset)}`;
    const path = this.#stem + LOG_SUFFIX;
    this.log =
      o.sizeInBytes === undefined
        ? context.files.file(path, 'create', () => context.folder.make())
        : context.files.file(path, 'write');
    this.#size = o.sizeInBytes ?? 0;
    this.#createdMs = o.nowMs;
    this.#rollJitterMs = o.rollJitterMs;
    this.#isBegunHere = o.sizeInBytes === undefined;
    this.#offsetOfMax = baseOffset;
    this.#maxKnown = this.#size === 0;
    this.nameUnsynced = o.sizeInBytes === undefined;
    if (this.#size === 0) this.#startIndexes();
  }

  get sizeInBytes(): number {
    return this.#size;
  }

  /** Bytes were written, or cut, since the last sync. */
  get unsynced(): boolean {
    return this.log.isUnsynced;
  }

  set unsynced(value: boolean) {
    this.log.isUnsynced = value;
  }

  get createdMs(): number {
    return this.#createdMs;
  }

  /** Path of the segment's files without their suffix. */
  get stem(): string {
    return this.#stem;
  }

  get offsets(): OffsetIndex {
    if (this.#offsets === undefined) this.#loadIndexes();
    return this.#offsets!;
  }

  get times(): TimeIndex {
    if (this.#times === undefined) this.#loadIndexes();
    return this.#times!;
  }

  /** -1n where no record has a timestamp. */
  get maxTimestamp(): bigint {
    this.#knowMax();
    return joinTimestamp(this.#maxHigh, this.#maxLow);
  }

  /** Last offset of the first batch that has the largest timestamp. */
  get offsetOfMaxTimestamp(): number {
    this.#knowMax();
    return this.#offsetOfMax;
  }

  /** When the file was written last, in milliseconds. */
  get modifiedMs(): number {
    return this.#context.storage.modifiedMs(this.log.path) ?? this.#createdMs;
  }

  /** The largest timestamp; where no record has one, the time of the file stands for it, as in Apache. */
  get largestTimestamp(): bigint {
    const newest = this.maxTimestamp;
    return newest >= 0n ? newest : BigInt(this.modifiedMs);
  }

  /** The largest timestamp of the first batch, rounded; -1 where it has none. Throws StorageError. */
  get firstTimestamp(): number {
    if (this.#firstTimestamp === undefined && this.#size > 0) this.#readFirstTimestamp();
    return this.#firstTimestamp ?? -1;
  }

  setSettings(settings: SegmentSettings): void {
    if (this.#offsets === undefined) return;
    this.#offsets.indexBytesMax = settings.segmentIndexBytes;
    this.times.indexBytesMax = settings.segmentIndexBytes;
  }

  /**
   * Whether a batch of `bytes` up to `lastOffset` must go into a new segment; `pendingBytes` in `pendingBatches` are staged
   * for this one. `timestamp` is the batch's largest, rounded to a number.
   */
  mustRoll(
    bytes: number,
    pendingBytes: number,
    pendingBatches: number,
    lastOffset: number,
    timestamp: number,
    nowMs: number,
    limits: RollLimits,
  ): boolean {
    const size = this.#size + pendingBytes;
    if (size + bytes > Math.min(limits.segmentBytes, SEGMENT_BYTES_MAX) && size > 0) return true;
    if (lastOffset - this.baseOffset > RELATIVE_OFFSET_MAX) return true;
    if (size === 0) return false;
    if (this.waitedMs(nowMs, timestamp) > limits.segmentMs - this.#rollJitterMs) return true;
    const interval = this.#context.settings.indexIntervalBytes + 1;
    const pendingEntries = Math.min(pendingBatches, Math.ceil(pendingBytes / interval));
    return this.offsets.isFullWith(pendingEntries) || this.times.isFullWith(pendingEntries);
  }

  /**
   * Whether the segment is older than `segmentMs`, less its jitter. Records may come with times of long ago, so one that
   * was begun in this process must also be there for so long.
   */
  hasLasted(nowMs: number, segmentMs: number): boolean {
    const limitMs = segmentMs - this.#rollJitterMs;
    if (this.#size === 0 || (this.#isBegunHere && nowMs - this.#createdMs <= limitMs)) return false;
    return this.waitedMs(nowMs, nowMs) > limitMs;
  }

  /** How long the segment has waited to be rolled: by its first timestamp, else since it was made. */
  waitedMs(nowMs: number, timestamp: number): number {
    const first = this.firstTimestamp;
    return first >= 0 ? timestamp - first : nowMs - this.#createdMs;
  }

  /** Takes note of batches that are in the file now; they lie at `from` to `to` of `bytes`. */
  onWritten(bytes: Uint8Array, from: number, to: number): void {
    const offsets = this.offsets;
    const interval = this.#context.settings.indexIntervalBytes;
    this.#knowMax();
    if (this.#size === 0) this.#firstTimestamp = header.roundedMaxTimestamp(bytes, from);
    for (let at = from; at < to; ) {
      const size = header.sizeInBytes(bytes, at);
      this.#noteTimestamp(bytes, at);
      if (this.#bytesSinceIndexEntry > interval)
        this.#addIndexEntry(offsets, header.lastOffset(bytes, at), this.#size);
      this.#size += size;
      this.#bytesSinceIndexEntry += size;
      at += size;
    }
    this.unsynced = true;
    this.#indexesUnwritten = true;
  }

  /**
   * The batch with the first offset at or above `offset`, searched from the indexes or from `hint`, a position known to be
   * at or before it. Undefined where the segment has none.
   */
  locate(offset: number, hint = 0): BatchScanner | undefined {
    const from = Math.max(hint, this.offsets.positionFor(offset));
    const scanner = new BatchScanner(this.log.use(), from, this.#size, { chunkBytes: 4096 });
    while (scanner.next()) {
      if (header.lastOffset(scanner.bytes, scanner.at) >= offset) return scanner;
    }
    return undefined;
  }

  /** A scanner over the batches from `position`. */
  scan(position = 0, options?: { verify?: boolean; chunkBytes?: number }): BatchScanner {
    return new BatchScanner(this.log.use(), position, this.#size, options);
  }

  /** The offset after the last record, found from the end of the index; the base offset when empty. */
  readNextOffset(): number {
    let next = this.baseOffset;
    const scanner = this.scan(this.offsets.positionFor(Number.MAX_SAFE_INTEGER), { chunkBytes: 16 * 1024 });
    while (scanner.next()) next = header.lastOffset(scanner.bytes, scanner.at) + 1;
    return next;
  }

  /**
   * Reads the whole file through `buffer`, checks every batch and rebuilds the indexes; a step for each megabyte. Throws
   * StorageError.
   */
  *recover(visit: RecoverVisitor, buffer: Buffer): Generator<undefined, RecoveredSegment, void> {
    const fileSize = this.#size;
    this.#startIndexes();
    this.#size = 0;
    this.#resetMax();
    let nextOffset = this.baseOffset;
    let stepEnd = RECOVERY_STEP_BYTES;
    let ended: ScanEnd | undefined;
    const scanner = new BatchScanner(this.log.use(), 0, fileSize, { verify: true, buffer });
    while (scanner.next()) {
      const { bytes, at } = scanner;
      const lastOffset = header.lastOffset(bytes, at);
      const fits = header.baseOffset(bytes, at) >= nextOffset && lastOffset >= header.baseOffset(bytes, at);
      if (!fits || lastOffset - this.baseOffset > RELATIVE_OFFSET_MAX || !visit(scanner)) {
        ended = 'corrupt';
        break;
      }
      this.onWritten(scanner.bytes, scanner.at, scanner.at + scanner.size);
      nextOffset = lastOffset + 1;
      if (this.#size < stepEnd) continue;
      stepEnd = this.#size + RECOVERY_STEP_BYTES;
      yield;
    }
    ended ??= scanner.ended;
    if (ended === 'old-format') {
      throw new StorageError(
        'EOTHER',
        this.log.path,
        `${this.log.path} has message format 0 or 1 at position ${scanner.position}`,
      );
    }
    // What a process before this one wrote must be synced, but no descriptor of ours knows how its write-back went.
    this.nameUnsynced = true;
    this.unsynced = false;
    this.#addTimeEntry();
    return { cutBytes: fileSize - this.#size, ended, endOffset: nextOffset };
  }

  /** After `recover`. Throws StorageError. */
  cutRest(): void {
    this.log.use().truncate(this.#size);
  }

  /** Rebuilds both indexes from the batch headers alone; a step for each megabyte. Throws StorageError. */
  *rebuildIndexes(): Generator<undefined, void, void> {
    this.#startIndexes();
    this.#resetMax();
    const { unsynced } = this;
    const size = this.#size;
    const scanner = this.scan();
    this.#size = 0;
    let stepEnd = RECOVERY_STEP_BYTES;
    try {
      while (scanner.next()) {
        this.onWritten(scanner.bytes, scanner.at, scanner.at + scanner.size);
        if (this.#size < stepEnd) continue;
        stepEnd = this.#size + RECOVERY_STEP_BYTES;
        yield;
      }
    } finally {
      this.#size = size;
      this.unsynced = unsynced;
    }
    this.#addTimeEntry();
  }

  /** Cuts the batch that holds `offset` and everything after it. Throws StorageError. */
  truncateTo(offset: number, nowMs: number): void {
    const found = this.locate(offset);
    if (found !== undefined) this.truncateToPosition(found.position, nowMs);
  }

  truncateToPosition(position: number, nowMs: number): void {
    if (position >= this.#size) return;
    const offsets = this.offsets;
    const times = this.times;
    this.log.use().truncate(position);
    this.#size = position;
    this.unsynced = true;
    this.warm?.cutAt(position);
    this.#rebuildFrom(offsets, times);
    if (position === 0) {
      this.#createdMs = nowMs;
      this.#firstTimestamp = undefined;
    }
  }

  /** The last entry of the time index decides when retention deletes the segment; call it when the segment is rolled or closed. */
  finishIndexes(): void {
    if (this.#offsets === undefined || this.#size === 0) return;
    this.#addTimeEntry();
  }

  /** A copy of the indexes, for `adoptIndexes` of the same segment elsewhere. */
  packIndexes(): PackedIndexes {
    const { sizeInBytes: offsetBytes } = this.offsets;
    const bytes = new Uint8Array(offsetBytes + this.times.sizeInBytes);
    bytes.set(this.offsets.contents());
    bytes.set(this.times.contents(), offsetBytes);
    return { bytes, offsetBytes };
  }

  /** Takes indexes that were made from the file as it is; their own files lag behind then. */
  adoptIndexes({ bytes, offsetBytes }: PackedIndexes): void {
    this.#startIndexes();
    const { buffer, byteOffset, length } = bytes;
    const isTaken =
      this.#offsets!.load(Buffer.from(buffer, byteOffset, offsetBytes), this.#size) &&
      this.#times!.load(Buffer.from(buffer, byteOffset + offsetBytes, length - offsetBytes));
    assert(isTaken, 'indexes fit the log they were made from');
  }

  /** Writes the index files if they lag behind, without a sync; where there is no space, later. Throws StorageError. */
  writeIndexesUnsynced(): void {
    if (!this.#indexesUnwritten || this.#offsets === undefined) return;
    this.#indexesUnsynced = true;
    try {
      const { storage } = this.#context;
      replaceUnsynced(storage, this.#stem + INDEX_SUFFIX, this.#offsets.contents());
      replaceUnsynced(storage, this.#stem + TIME_INDEX_SUFFIX, this.times.contents());
      this.#indexesUnwritten = false;
    } catch (error) {
      this.#removeIndexFiles(error);
    }
  }

  /** The index files lack what memory knows, or may not survive a power loss. */
  get areIndexesPending(): boolean {
    return this.#indexesUnsynced || (this.#indexesUnwritten && this.#offsets !== undefined);
  }

  /** Nothing of the segment's files is known to survive a power loss: the next sync takes them along. */
  distrustFiles(): void {
    this.nameUnsynced = true;
    this.#indexesUnsynced = true;
  }

  /**
   * Writes the index files if they lag behind. Resolves when they are synced, names apart, or when there is no space for
   * them. Throws or rejects with StorageError.
   */
  async writeIndexes(): Promise<void> {
    if (!this.#indexesUnwritten || this.#offsets === undefined) {
      await this.#syncIndexes();
      return;
    }
    const { storage } = this.#context;
    const offsets = this.#offsets.contents();
    const times = this.times.contents();
    this.#indexesUnwritten = false;
    this.#indexesUnsynced = true;
    try {
      await replaceSmallFile(storage, this.#stem + INDEX_SUFFIX, offsets);
      // Meanwhile another segment may have the name.
      if (this.#isGone) return;
      await replaceSmallFile(storage, this.#stem + TIME_INDEX_SUFFIX, times);
    } catch (error) {
      this.#indexesUnwritten = true;
      this.#removeIndexFiles(error);
    }
  }

  async #syncIndexes(): Promise<void> {
    if (!this.#indexesUnsynced) return;
    for (const suffix of [INDEX_SUFFIX, TIME_INDEX_SUFFIX]) {
      const path = this.#stem + suffix;
      if (this.#context.storage.sizeOf(path) !== undefined) await syncSmallFile(this.#context.storage, path);
    }
  }

  /** What `writeIndexes` wrote survives a power loss, names included. */
  indexesSynced(): void {
    this.#indexesUnsynced = this.#indexesUnwritten && this.#offsets !== undefined;
  }

  /** Lets the memory of the indexes go; they are loaded from their files when needed. */
  unloadIndexes(): void {
    if (this.#indexesUnwritten || this.#offsets === undefined) return;
    this.#knowMax();
    this.#offsets = undefined;
    this.#times = undefined;
  }

  /** Makes the empty file, so that the folder shows where the log begins. Throws StorageError. */
  create(): void {
    this.log.use();
  }

  close(): void {
    this.log.close();
  }

  /** Names of all files of a segment, existing or not. */
  static filesOf(stem: string): string[] {
    return [LOG_SUFFIX, INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX, SNAPSHOT_SUFFIX].map(
      (suffix) => stem + suffix,
    );
  }

  /**
   * Renames the files to `.deleted`; returns the new paths, which the caller removes later. The snapshot of the producers
   * is about what lies before the segment, and stays where another one begins at the same offset. Throws StorageError.
   */
  markDeleted(keepSnapshot = false): string[] {
    this.log.close();
    const paths: string[] = [];
    for (const path of Segment.filesOf(this.#stem)) {
      if (keepSnapshot && path.endsWith(SNAPSHOT_SUFFIX)) continue;
      if (this.#context.storage.sizeOf(path) === undefined) continue;
      this.#context.storage.rename(path, path + DELETED_SUFFIX);
      this.#isGone = true;
      this.#indexesUnwritten = false;
      paths.push(path + DELETED_SUFFIX);
    }
    return paths;
  }

  /** Where there was no space: they can be made anew from the batches, from which old ones would keep a start. */
  #removeIndexFiles(error: unknown): void {
    if (!isNoSpace(error)) throw error;
    this.#context.storage.removeNow(this.#stem + INDEX_SUFFIX);
    this.#context.storage.removeNow(this.#stem + TIME_INDEX_SUFFIX);
  }

  #startIndexes(): void {
    const { segmentIndexBytes } = this.#context.settings;
    this.#offsets = new OffsetIndex(this.baseOffset, segmentIndexBytes);
    this.#times = new TimeIndex(this.baseOffset, segmentIndexBytes);
    this.#bytesSinceIndexEntry = 0;
    this.#indexesUnwritten = true;
  }

  #loadIndexes(): void {
    const { segmentIndexBytes } = this.#context.settings;
    const offsets = new OffsetIndex(this.baseOffset, segmentIndexBytes);
    const times = new TimeIndex(this.baseOffset, segmentIndexBytes);
    const offsetBytes = readSmallFile(this.#context.storage, this.#stem + INDEX_SUFFIX);
    const timeBytes = readSmallFile(this.#context.storage, this.#stem + TIME_INDEX_SUFFIX);
    const good =
      offsetBytes !== undefined &&
      timeBytes !== undefined &&
      offsets.load(offsetBytes, this.#size) &&
      times.load(timeBytes);
    // A first index entry is due once the interval is passed; an index without any beside a large log was lost.
    if (good && (offsets.count > 0 || this.#size <= SCAN_WITHOUT_INDEX_BYTES)) {
      this.#offsets = offsets;
      this.#times = times;
      return;
    }
    runToEnd(this.rebuildIndexes());
  }

  /** After a cut: drops the entries that point behind the end and finds the largest timestamp again. */
  #rebuildFrom(offsets: OffsetIndex, times: TimeIndex): void {
    const size = this.#size;
    const firstCut = offsets.offsetAtOrAfterPosition(size);
    if (firstCut !== undefined) offsets.truncateTo(firstCut);
    const scanFrom = offsets.count === 0 ? 0 : offsets.positionAt(offsets.count - 1);
    const keptOffset = offsets.count === 0 ? this.baseOffset : offsets.lastOffset;
    times.truncateTo(keptOffset + (offsets.count === 0 ? 0 : 1));
    this.#resetMax();
    if (times.count > 0) {
      const last = times.lastTimestamp;
      this.#maxHigh = Number(last >> 32n);
      this.#maxLow = Number(last & 0xffffffffn);
      this.#offsetOfMax = times.lastOffset;
    }
    this.#bytesSinceIndexEntry = 0;
    this.#indexesUnwritten = true;
    const scanner = this.scan(scanFrom);
    while (scanner.next()) this.#noteTimestamp(scanner.bytes, scanner.at);
  }

  #noteTimestamp(bytes: Uint8Array, at: number): void {
    const high = maxTimestampHigh(bytes, at);
    const low = maxTimestampLow(bytes, at);
    if (high < this.#maxHigh || (high === this.#maxHigh && low <= this.#maxLow)) return;
    this.#maxHigh = high;
    this.#maxLow = low;
    this.#offsetOfMax = header.lastOffset(bytes, at);
  }

  #addIndexEntry(offsets: OffsetIndex, lastOffset: number, position: number): void {
    offsets.append(lastOffset, position);
    this.times.maybeAppend(this.#maxHigh, this.#maxLow, this.#offsetOfMax);
    this.#bytesSinceIndexEntry = 0;
  }

  #addTimeEntry(): void {
    this.#knowMax();
    const before = this.times.count;
    this.times.maybeAppend(this.#maxHigh, this.#maxLow, this.#offsetOfMax);
    if (this.times.count !== before) this.#indexesUnwritten = true;
  }

  #resetMax(): void {
    this.#maxHigh = -1;
    this.#maxLow = 0xffffffff;
    this.#offsetOfMax = this.baseOffset;
    this.#maxKnown = true;
  }

  #knowMax(): void {
    if (this.#maxKnown) return;
    const times = this.times;
    if (this.#maxKnown) return;
    const last = times.lastTimestamp;
    this.#maxHigh = Number(last >> 32n);
    this.#maxLow = Number(last & 0xffffffffn);
    this.#offsetOfMax = times.lastOffset;
    this.#maxKnown = true;
  }

  #readFirstTimestamp(): void {
    const scanner = this.scan(0, { chunkBytes: header.BATCH_OVERHEAD });
    this.#firstTimestamp = scanner.next() ? header.roundedMaxTimestamp(scanner.bytes, scanner.at) : -1;
  }
}

/** A log file up to this size may have an empty offset index: its one batch can be that large. */
const SCAN_WITHOUT_INDEX_BYTES = 64 * 1024;

/** By how much a new segment is rolled earlier than segment.ms says, so that not all logs roll at once. */
export function drawJitter(
  config: { readonly segmentJitterMs: number; readonly segmentMs: number },
  random: Random | undefined,
): number {
  const below = Math.min(config.segmentJitterMs, config.segmentMs, 0x7fffffff);
  return below > 0 && random !== undefined ? random.below(below) : 0;
}

export interface RollLimits {
  readonly segmentBytes: number;
  readonly segmentMs: number;
}
