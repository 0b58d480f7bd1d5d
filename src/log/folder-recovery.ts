import type { BackgroundContext, Logger, StepEnd, Storage } from '../base/ports.ts';
import * as header from '../protocol/record-batch/header.ts';
import type { BatchScanner } from './batch-scanner.ts';
import { type EpochEntry, LeaderEpochCache } from './epoch-cache.ts';
import * as names from './file-names.ts';
import { finishLeftovers, listFiles } from './leftovers.ts';
import { OpenFiles } from './open-files.ts';
import { PartitionFolder } from './partition-folder.ts';
import { ProducerFiles } from './producer-files.ts';
import { type ProducerDump, ProducerState } from './producer-state.ts';
import { applyScanned } from './producer-updates.ts';
import {
  type PackedIndexes,
  type RecoveredSegment,
  Segment,
  type SegmentContext,
  type SegmentSettings,
} from './segment.ts';
import { Segments } from './segments.ts';
import { readSmallFile } from './small-files.ts';

const OPEN_FILES_MAX = 8;
/** What was read is checked while it is still in a processor's own cache: a megabyte is not. */
const BUFFER_BYTES = 256 * 1024;

/** Plain data, for it may go to another thread. */
export interface FolderToRecover extends SegmentSettings {
  readonly dir: string;
  /** Segments that hold this offset or lie behind it are read and checked. Infinity: only what is missing is made. */
  readonly recoveryPoint: number;
  /** Offsets may be missing between two segments. */
  readonly isCompacted: boolean;
  /** The names of the folder's files, sorted, where they were just listed. */
  readonly files?: readonly string[] | undefined;
}

export interface RecoveryNote {
  readonly level: 'info' | 'warn';
  readonly message: string;
  readonly fields?: { readonly [name: string]: number };
}

/** All that opening the log takes, so that nothing in the folder is read twice. */
export interface RecoveredFolder {
  /** Bytes that were read and found good. */
  readonly bytes: number;
  /** The names of the folder's files, sorted; those of the segments may differ from what `segments` says. */
  readonly files: readonly string[];
  readonly segments: readonly { readonly baseOffset: number; readonly sizeInBytes: number }[];
  /** -1 where there is no segment. */
  readonly endOffset: number;
  /** Of the last segment where it was read: its files are written when it is rolled or closed, as they always are. */
  readonly activeIndexes: PackedIndexes | undefined;
  readonly epochs: readonly EpochEntry[];
  /** The text of partition.metadata. */
  readonly partitionMetadata: string | undefined;
  /** All that the batches tell of their producers: a snapshot would keep the last batch of each only. */
  readonly producers: ProducerDump;
  /** Offsets are missing between two of the segments that were read, as compaction leaves them. */
  readonly hasHoles: boolean;
  /** Base offsets of the segments below the recovery point that lacked an index: what was made is not synced. */
  readonly reindexed: readonly number[];
  /** What the log is to say of it. */
  readonly notes: readonly RecoveryNote[];
}

/**
 * Makes a folder that a crash left one that can be opened: finishes leftovers, reads what lies above the recovery point, cuts
 * the log at the first damage or gap, and writes the epochs and producer snapshots that belong to what is kept, with the
 * indexes of all segments but the last, whose are handed over. Nothing of it is synced but that segments are gone. Tells
 * progress in bytes. Throws StorageError. `buffer` serves one folder after the other: fresh memory of that size costs as much
 * as what is done with it.
 */
export function* recoverFolder(
  input: FolderToRecover,
  { storage, clock }: Pick<BackgroundContext, 'storage' | 'clock'>,
  buffer: Buffer = recoveryBuffer(),
): Generator<StepEnd<number> | undefined, RecoveredFolder, void> {
  const notes: RecoveryNote[] = [];
  const recovery = new FolderRecovery(input, storage, notes, clock.wallMs(), buffer);
  try {
    yield* recovery.run();
    return recovery.result(notes);
  } finally {
    recovery.close();
  }
}

export function recoveryBuffer(): Buffer {
  return Buffer.allocUnsafe(BUFFER_BYTES);
}

class FolderRecovery {
  readonly #input: FolderToRecover;
  readonly #storage: Storage;
  readonly #logger: Logger;
  readonly #context: SegmentContext;
  readonly #segments = new Segments();
  readonly #epochs: LeaderEpochCache;
  readonly #producers = new ProducerState();
  readonly #reindexed: number[] = [];
  #hasHoles = false;
  readonly #producerFiles: ProducerFiles;
  readonly #nowMs: number;
  readonly #buffer: Buffer;
  #files: readonly string[] = [];
  #bytes = 0;
  /** Of the segment that was looked at last. */
  #endOffset = -1;
  #activeIndexes: PackedIndexes | undefined;

  constructor(
    input: FolderToRecover,
    storage: Storage,
    notes: RecoveryNote[],
    nowMs: number,
    buffer: Buffer,
  ) {
    this.#input = input;
    this.#storage = storage;
    this.#nowMs = nowMs;
    this.#buffer = buffer;
    this.#logger = noting(notes);
    const folder = new PartitionFolder(storage, input.dir);
    const { segmentIndexBytes, indexIntervalBytes } = input;
    const files = new OpenFiles(storage, OPEN_FILES_MAX);
    this.#context = { storage, files, folder, settings: { segmentIndexBytes, indexIntervalBytes } };
    this.#epochs = new LeaderEpochCache(storage, folder);
    this.#producerFiles = new ProducerFiles(storage, this.#logger, input.dir, this.#producers);
  }

  *run(): Generator<StepEnd<number> | undefined, void, void> {
    const { dir, recoveryPoint, files } = this.#input;
    this.#files = finishLeftovers(this.#storage, this.#logger, dir, files);
    if (this.#files.includes(names.LEADER_EPOCH_CHECKPOINT)) this.#epochs.load(this.#logger);
    this.#loadSegments();
    this.#producerFiles.scan(this.#files, this.#segments.all);
    yield* this.#rebuildBelow(recoveryPoint);
    const first = Math.max(0, this.#segments.floor(recoveryPoint));
    yield* this.#recoverFrom(Number.isFinite(recoveryPoint) ? first : this.#segments.count);
    this.#epochs.writeIfChanged();
  }

  /** To be called once it has run. Throws StorageError. */
  result(notes: readonly RecoveryNote[]): RecoveredFolder {
    const { dir } = this.#input;
    const hasMetadata = this.#files.includes(names.PARTITION_METADATA);
    const metadata = hasMetadata
      ? readSmallFile(this.#storage, `${dir}/${names.PARTITION_METADATA}`)
      : undefined;
    return {
      bytes: this.#bytes,
      files: this.#hasProducerFiles() ? listFiles(this.#storage, dir) : this.#files,
      segments: this.#segments.all.map(({ baseOffset, sizeInBytes }) => ({ baseOffset, sizeInBytes })),
      endOffset: this.#endOffset,
      activeIndexes: this.#activeIndexes,
      epochs: this.#epochs.entries,
      partitionMetadata: metadata?.toString('utf8'),
      producers: this.#producers.dump(),
      hasHoles: this.#hasHoles,
      reindexed: this.#reindexed,
      notes,
    };
  }

  /** Whether there may be snapshots or transaction indexes, which come and go while the batches are read. */
  #hasProducerFiles(): boolean {
    if (this.#producerFiles.newestOffset !== undefined || this.#producers.size > 0) return true;
    return this.#files.some(
      (name) => name.endsWith(names.SNAPSHOT_SUFFIX) || name.endsWith(names.TXN_INDEX_SUFFIX),
    );
  }

  close(): void {
    for (const segment of this.#segments.all) segment.close();
  }

  #loadSegments(): void {
    for (const name of this.#files) {
      const baseOffset = name.endsWith(names.LOG_SUFFIX) ? names.offsetOf(name) : undefined;
      if (baseOffset === undefined) continue;
      const sizeInBytes = this.#storage.sizeOf(`${this.#input.dir}/${name}`) ?? 0;
      const init = { sizeInBytes, nowMs: this.#nowMs, rollJitterMs: 0 };
      this.#segments.add(new Segment(this.#context, this.#input.dir, baseOffset, init));
    }
  }

  /** Segments that need no check but lack an index are indexed anew. */
  *#rebuildBelow(recoveryPoint: number): Generator<StepEnd<number> | undefined, void, void> {
    const end = Number.isFinite(recoveryPoint) ? this.#segments.floor(recoveryPoint) : this.#segments.count;
    for (const segment of this.#segments.all.slice(0, Math.max(0, end))) {
      if (segment.sizeInBytes === 0 || this.#files.includes(baseName(segment.stem) + names.INDEX_SUFFIX))
        continue;
      this.#logger.warn(`${segment.stem}${names.INDEX_SUFFIX} is missing and is made anew`);
      yield* segment.rebuildIndexes();
      segment.writeIndexesUnsynced();
      this.#reindexed.push(segment.baseOffset);
      this.#bytes += segment.sizeInBytes;
      yield { progress: segment.sizeInBytes };
    }
  }

  /** Reads the segments from the one at `first` on; the first damage or gap ends the log. */
  *#recoverFrom(first: number): Generator<StepEnd<number> | undefined, void, void> {
    const segments = this.#segments;
    const start = segments.at(first)?.baseOffset;
    // Producers come from what is trusted.
    if (start !== undefined) this.#producerFiles.doubtFrom(start + 1);
    const trusted = segments.all.slice(0, first);
    if (segments.count === 0) return;
    this.#endOffset = start ?? segments.active.readNextOffset();
    yield* this.#producerFiles.load(trusted, this.#endOffset);
    for (let at = first; at < segments.count; at += 1) {
      const segment = segments.at(at)!;
      this.#producerFiles.takeSnapshot(segment.baseOffset);
      yield* this.#recoverSegment(segment, segments.at(at + 1));
    }
    this.#producerFiles.settleDoubts(this.#endOffset);
  }

  /** Where nothing behind the segment can be part of the log, what is there goes. */
  *#recoverSegment(
    segment: Segment,
    next: Segment | undefined,
  ): Generator<StepEnd<number> | undefined, void, void> {
    const { cutBytes, ended, endOffset } = yield* this.#read(segment);
    this.#endOffset = endOffset;
    const isFollowed = next !== undefined && cutBytes === 0 && this.#leadsTo(next);
    if (next !== undefined && !isFollowed) this.#dropBehind(segment);
    if (cutBytes > 0) {
      segment.cutRest();
      const keptBytes = segment.sizeInBytes;
      this.#logger.warn(`cut ${cutBytes} bytes (${ended}) off ${segment.log.path}`, { keptBytes });
    }
    if (this.#hasProducerFiles()) this.#producerFiles.writeTxnIndex(segment, endOffset);
    segment.close();
    if (isFollowed) {
      this.#hasHoles ||= endOffset < next.baseOffset;
      segment.writeIndexesUnsynced();
      segment.unloadIndexes();
    } else {
      this.#activeIndexes = segment.packIndexes();
    }
  }

  /** Reads a segment and tells how far it has come. */
  *#read(segment: Segment): Generator<StepEnd<number> | undefined, RecoveredSegment, void> {
    const steps = segment.recover((scanner) => this.#visit(scanner), this.#buffer);
    let told = 0;
    for (;;) {
      const step = steps.next();
      const progress = segment.sizeInBytes - told;
      told = segment.sizeInBytes;
      this.#bytes += progress;
      yield { progress };
      if (step.done === true) return step.value;
    }
  }

  /**
   * Whether a segment can follow what was read last. A power loss took the unsynced end of one, just behind a batch, and left
   * the next. Compaction makes such gaps by design. Or it brought a segment back that was cut off, and whose offsets others
   * have since.
   */
  #leadsTo({ baseOffset }: Segment): boolean {
    return this.#endOffset === baseOffset || (this.#input.isCompacted && this.#endOffset < baseOffset);
  }

  #visit(scanner: BatchScanner): boolean {
    const epoch = header.partitionLeaderEpoch(scanner.bytes, scanner.at);
    if (epoch > (this.#epochs.latest?.epoch ?? -1))
      this.#epochs.assignUnwritten(epoch, header.baseOffset(scanner.bytes, scanner.at));
    applyScanned(this.#producers, scanner);
    return true;
  }

  /**
   * Synced before the damage is cut and before anything is appended in its place: else a power loss could bring the segments
   * back behind an end that shows no damage any more.
   */
  #dropBehind(segment: Segment): void {
    const lost = this.#segments.removeAbove(segment.baseOffset);
    for (const one of lost) {
      this.#logger.warn(`${one.log.path} follows the damage and is removed`);
      for (const path of one.markDeleted()) this.#storage.removeNow(path);
    }
    this.#producerFiles.forget(lost);
    this.#storage.syncNow(this.#input.dir);
  }
}

function baseName(stem: string): string {
  return stem.slice(stem.lastIndexOf('/') + 1);
}

function noting(notes: RecoveryNote[]): Logger {
  const note =
    (level: RecoveryNote['level']) =>
    (message: string, fields?: { readonly [name: string]: unknown }): void => {
      const numbers = Object.entries(fields ?? {}).filter(
        (entry): entry is [string, number] => typeof entry[1] === 'number',
      );
      notes.push({
        level,
        message,
        ...(fields === undefined ? {} : { fields: Object.fromEntries(numbers) }),
      });
    };
  const logger: Logger = {
    debug: () => {},
    info: note('info'),
    warn: note('warn'),
    error: note('warn'),
    child: () => logger,
  };
  return logger;
}
