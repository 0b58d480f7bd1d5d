import type { BackgroundContext, BackgroundJob, StepEnd, Storage, StoredFile } from '../../base/ports.ts';
import type { CompressionCodec } from '../../protocol/compression/codec.ts';
import { prepareCodec } from '../../protocol/compression/index.ts';
import { PlainScratch } from '../../protocol/compression/scratch.ts';
import * as header from '../../protocol/record-batch/header.ts';
import { BatchScanner } from '../batch-scanner.ts';
import { INDEX_SUFFIX, LOG_SUFFIX, offsetName, TIME_INDEX_SUFFIX } from '../file-names.ts';
import { SEGMENT_BYTES_MAX } from '../segment.ts';
import type { AbortedTxn } from '../types.ts';
import { BatchFilter, type BatchFilterOptions, type FilterCounts, type LastRecord } from './batch-filter.ts';
import {
  type CleanedSegmentInfo,
  type CleanedSegmentOptions,
  CleanedSegmentWriter,
  removeCleanedFiles,
} from './cleaned-segment.ts';
import type { HashSecret } from './key-hash.ts';
import { OffsetMap } from './offset-map.ts';
import { RecordCursor } from './record-cursor.ts';
import { type ClosedSegment, groupSegments, type SegmentToClean } from './segment-groups.ts';
import { TransactionTracker } from './transactions.ts';

/** The cleaner's reads and writes are at least this large, whatever log.cleaner.io.buffer.size says. */
const IO_BYTES_MIN = 4096;
/** So often a run that is held back looks whether it may go faster now. */
const WAIT_MS_MAX = 1000;
/** While it rests between its steps, steps are short: who wakes on its processor waits for the end of one. */
const RESTING_STEP_BYTES = 32 * 1024;
/** Shorter rests are put together. */
const REST_MS_MIN = 0.2;

export interface CleanInput {
  readonly dir: string;
  /** All closed segments below `firstUncleanableOffset`, which is where the next one begins. */
  readonly segments: readonly ClosedSegment[];
  readonly firstDirtyOffset: number;
  readonly firstUncleanableOffset: number;
  readonly nowMs: number;
  readonly deleteRetentionMs: number;
  readonly segmentBytes: number;
  readonly indexBytesMax: number;
  readonly indexIntervalBytes: number;
  readonly mapBytesMax: number;
  readonly mapLoadFactor: number;
  readonly ioBufferBytes: number;
  readonly plainBytesMax: number;
  readonly secret: HashSecret;
  readonly codec: CompressionCodec | undefined;
  readonly levels: Readonly<Partial<Record<CompressionCodec, number>>>;
  readonly abortedTransactions: readonly AbortedTxn[];
  readonly lastRecords: readonly LastRecord[];
  /** One number in shared memory: bytes a second that this run may read and write, changed while it runs. */
  readonly bytesPerSecond: Float64Array;
  /** The same: the run rests so many times as long as it works; 0 where nobody needs the processor. */
  readonly restFactor: Float64Array;
}

/** Segments that take the place of others; their files are written, not synced. */
export interface CleanedGroup {
  /** Base offsets, ascending. */
  readonly replaced: readonly number[];
  readonly cleaned: readonly CleanedSegmentInfo[];
}

export interface CleanResult extends FilterCounts {
  /** The first offset that this run did not look at. */
  readonly endOffset: number;
  readonly mappedKeys: number;
  readonly mapSizeInBytes: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
}

type Steps<T> = Generator<StepEnd<CleanedGroup> | undefined, T, void>;

/**
 * Compacts the closed segments of one log: notes the last offset of each key in the dirty part, then writes all segments
 * up to there anew without what is superseded, group by group. Each group is told as progress once its files are there;
 * they belong to whoever runs the job from then on. Bytes that are no sound batches end the run.
 */
export const cleanLog: BackgroundJob<CleanInput, CleanResult, CleanedGroup> = {
  name: 'clean-log',
  isPatient: true,
  prepare: () => prepareCodec('zstd'),
  *run(input, context) {
    return yield* new CleanRun(input, context).run();
  },
};

/** The log holds what the cleaner can't read; only the name of the log's file and a position come with it. */
class UncleanableError extends Error {
  constructor(path: string, position: number, reason: string) {
    super(`${path} at position ${position}: ${reason}`);
    this.name = 'UncleanableError';
  }
}

class CleanRun {
  readonly #input: CleanInput;
  readonly #storage: Storage;
  readonly #context: BackgroundContext;
  readonly #scratch = new PlainScratch();
  readonly #map: OffsetMap;
  readonly #ioBytes: number;
  #source: StoredFile | undefined;
  #target: CleanedSegmentWriter | undefined;
  /** Base offsets of files that nobody has taken over. */
  #begun: number[] = [];
  #readBytes = 0;
  #writtenBytes = 0;
  // Read or written since the step began, and what the throttle has not let pass yet.
  #stepBytes = 0;
  #debtBytes = 0;
  #paidMs: number;
  /** When this step began, and the rest that it and others have earned. */
  #resumedMs: number;
  #restMs = 0;

  constructor(input: CleanInput, context: BackgroundContext) {
    this.#input = input;
    this.#context = context;
    this.#storage = context.storage;
    this.#ioBytes = Math.max(IO_BYTES_MIN, input.ioBufferBytes);
    this.#paidMs = context.clock.monotonicMs();
    this.#resumedMs = this.#paidMs;
    this.#map = new OffsetMap({
      bytesMax: input.mapBytesMax,
      loadFactor: input.mapLoadFactor,
      keysMax: input.firstUncleanableOffset - input.firstDirtyOffset,
      secret: input.secret,
    });
  }

  *run(): Steps<CleanResult> {
    const input = this.#input;
    try {
      yield* this.#buildMap();
      const endOffset = this.#map.latestOffset + 1;
      const transactions = new TransactionTracker(input.abortedTransactions);
      const filter = new BatchFilter(this.#map, transactions, this.#filterOptions(), this.#scratch);
      for (const group of this.#groups(endOffset)) yield* this.#cleanGroup(group, filter, transactions);
      return {
        ...filter.counts,
        endOffset,
        mappedKeys: this.#map.size,
        mapSizeInBytes: this.#map.sizeInBytes,
        readBytes: this.#readBytes,
        writtenBytes: this.#writtenBytes,
      };
    } finally {
      this.#source?.close();
      this.#target?.close();
      for (const baseOffset of this.#begun) removeCleanedFiles(this.#storage, input.dir, baseOffset);
    }
  }

  #groups(endOffset: number): readonly (readonly SegmentToClean[])[] {
    const { dir, segments, firstUncleanableOffset } = this.#input;
    const sizeOf = (baseOffset: number, suffix: string) =>
      this.#storage.sizeOf(`${dir}/${offsetName(baseOffset)}${suffix}`) ?? 0;
    const concerned = segments
      .filter(({ baseOffset }) => baseOffset < endOffset)
      .map((segment) => ({
        ...segment,
        offsetIndexBytes: sizeOf(segment.baseOffset, INDEX_SUFFIX),
        timeIndexBytes: sizeOf(segment.baseOffset, TIME_INDEX_SUFFIX),
      }));
    return groupSegments(concerned, { ...this.#input, endOffset: firstUncleanableOffset });
  }

  #filterOptions(): BatchFilterOptions {
    return { ...this.#input, upperBoundOffset: this.#input.firstUncleanableOffset };
  }

  /** Stops where the map is full; the rest of the dirty part waits for the next run. */
  *#buildMap(): Steps<void> {
    const { segments, firstDirtyOffset, firstUncleanableOffset, abortedTransactions } = this.#input;
    // The markers of the others lie before what is read here: they would count as open to the end.
    const aborted = abortedTransactions.filter(({ lastOffset }) => lastOffset >= firstDirtyOffset);
    const transactions = new TransactionTracker(aborted);
    const cursor = new RecordCursor();
    for (let at = 0; at < segments.length; at += 1) {
      const endOffset = segments[at + 1]?.baseOffset ?? firstUncleanableOffset;
      if (endOffset <= firstDirtyOffset) continue;
      const scanner = this.#open(segments[at]!);
      while (scanner.next()) {
        if (this.#isStepOver(scanner.size, 0)) yield* this.#pause();
        if (header.lastOffset(scanner.bytes, scanner.at) < firstDirtyOffset) continue;
        if (!this.#mapBatch(scanner, transactions, cursor)) return this.#closeSource();
      }
      this.#endOf(scanner);
      this.#map.latestOffset = Math.max(this.#map.latestOffset, endOffset - 1);
    }
  }

  /** False where the map is full. */
  #mapBatch(scanner: BatchScanner, transactions: TransactionTracker, cursor: RecordCursor): boolean {
    this.#loadWhole(scanner);
    const { bytes, at } = scanner;
    const map = this.#map;
    if (header.isControl(bytes, at)) {
      transactions.onControlBatch(bytes, at);
    } else if (!transactions.onBatch(bytes, at)) {
      const baseOffset = header.baseOffset(bytes, at);
      cursor.open(bytes, at, this.#input.plainBytesMax, this.#scratch);
      while (cursor.next()) {
        const offset = baseOffset + cursor.offsetDelta;
        if (cursor.keyTo < 0 || offset < this.#input.firstDirtyOffset) continue;
        if (map.isFull) return false;
        map.put(cursor.payload, cursor.keyFrom, cursor.keyTo, offset);
      }
    }
    map.latestOffset = header.lastOffset(bytes, at);
    return true;
  }

  *#cleanGroup(
    group: readonly SegmentToClean[],
    filter: BatchFilter,
    transactions: TransactionTracker,
  ): Steps<void> {
    const cleaned: CleanedSegmentInfo[] = [];
    let target = this.#begin(group[0]!.baseOffset);
    for (const segment of group) {
      const scanner = this.#open(segment);
      while (scanner.next()) {
        this.#loadWhole(scanner);
        const kept = filter.filter(scanner.bytes, scanner.at);
        if (kept !== undefined) {
          if (!target.hasRoomFor(kept)) {
            cleaned.push(this.#finish(target));
            target = this.#begin(header.baseOffset(kept, 0));
          }
          target.append(kept);
          const isControl = header.isControl(scanner.bytes, scanner.at);
          if (isControl && transactions.ended !== undefined) target.addAborted(transactions.ended);
        }
        if (this.#isStepOver(scanner.size, kept?.length ?? 0)) yield* this.#pause();
      }
      this.#endOf(scanner);
    }
    cleaned.push(this.#finish(target));
    const progress = { replaced: group.map(({ baseOffset }) => baseOffset), cleaned };
    this.#begun = [];
    yield { progress };
  }

  #begin(baseOffset: number): CleanedSegmentWriter {
    const { dir, indexIntervalBytes, indexBytesMax } = this.#input;
    const options: CleanedSegmentOptions = {
      dir,
      indexIntervalBytes,
      indexBytesMax,
      writeBufferBytes: this.#ioBytes,
      segmentBytesMax: SEGMENT_BYTES_MAX,
    };
    this.#begun.push(baseOffset);
    this.#target = new CleanedSegmentWriter(this.#storage, baseOffset, options);
    return this.#target;
  }

  #finish(target: CleanedSegmentWriter): CleanedSegmentInfo {
    const info = target.finish();
    this.#target = undefined;
    return info;
  }

  #open({ baseOffset, sizeInBytes }: ClosedSegment): BatchScanner {
    this.#closeSource();
    this.#source = this.#storage.open(`${this.#input.dir}/${offsetName(baseOffset)}${LOG_SUFFIX}`, 'read');
    return new BatchScanner(this.#source, 0, sizeInBytes, { chunkBytes: this.#ioBytes });
  }

  #closeSource(): void {
    this.#source?.close();
    this.#source = undefined;
  }

  /** What is written anew gets a new CRC, so damage must be found before. */
  #loadWhole(scanner: BatchScanner): void {
    const path = this.#source!.path;
    if (!scanner.loadWhole()) throw new UncleanableError(path, scanner.position, 'the file is cut short');
    if (!header.crcIsValid(scanner.bytes, scanner.at)) {
      throw new UncleanableError(path, scanner.position, 'the batch does not fit its CRC');
    }
  }

  #endOf(scanner: BatchScanner): void {
    if (scanner.ended === 'end') return;
    const reason = scanner.ended === 'old-format' ? 'message format 0 or 1' : `${scanner.ended} batch`;
    throw new UncleanableError(this.#source!.path, scanner.position, reason);
  }

  #isStepOver(readBytes: number, writtenBytes: number): boolean {
    this.#readBytes += readBytes;
    this.#writtenBytes += writtenBytes;
    this.#stepBytes += readBytes + writtenBytes;
    const isResting = this.#input.restFactor[0]! > 0;
    return this.#stepBytes >= (isResting ? Math.min(RESTING_STEP_BYTES, this.#ioBytes) : this.#ioBytes);
  }

  /** Ends a step, and waits as long as log.cleaner.io.max.bytes.per.second asks, and whoever needs the processor. */
  *#pause(): Steps<void> {
    const { clock } = this.#context;
    this.#debtBytes += this.#stepBytes;
    this.#stepBytes = 0;
    const endedMs = clock.monotonicMs();
    this.#restMs += (endedMs - this.#resumedMs) * this.#input.restFactor[0]!;
    const restedMs = endedMs + this.#restMs;
    yield;
    for (;;) {
      const nowMs = clock.monotonicMs();
      const bytesPerMs = this.#input.bytesPerSecond[0]! / 1000;
      this.#debtBytes = Math.max(0, this.#debtBytes - (nowMs - this.#paidMs) * bytesPerMs);
      this.#paidMs = nowMs;
      this.#resumedMs = nowMs;
      this.#restMs = Math.max(0, restedMs - nowMs);
      const debtMs = this.#debtBytes / bytesPerMs;
      // What is less than a timer can wait stays on the bill.
      const waitMs = Math.max(debtMs >= 1 ? debtMs : 0, this.#restMs >= REST_MS_MIN ? this.#restMs : 0);
      if (waitMs === 0) return;
      yield { waitMs: Math.min(WAIT_MS_MAX, waitMs) };
    }
  }
}
