import type { Background, BackgroundRun, Random, Timer } from '../../base/ports.ts';
import { CancelledError } from '../../base/ports.ts';
import { type CompressionCodec, isCompressionCodec } from '../../protocol/compression/codec.ts';
import type { PartitionLog } from '../log.ts';
import type { Segment } from '../segment.ts';
import type { LogPorts } from '../types.ts';
import { type CleanedGroup, type CleanInput, type CleanResult, cleanLog } from './clean-log.ts';
import { type Cleanable, cleanableOf } from './cleanable.ts';
import { removeCleanedFiles } from './cleaned-segment.ts';
import type { HashSecret } from './key-hash.ts';
import { AbortedError, type RunView, segmentsToReplace, whyOver } from './run-checks.ts';
import { syncCleaned } from './swap.ts';

/** log.cleaner.*; read each time they matter. */
export interface CleanerSettings {
  readonly enabled: boolean;
  /** Runs at a time. */
  readonly threads: number;
  readonly backoffMs: number;
  /** These three are for all runs together. */
  readonly dedupeBufferBytes: number;
  readonly ioBufferBytes: number;
  readonly bytesPerSecondMax: number;
  readonly loadFactor: number;
}

export interface LogCleanerInput {
  readonly logs: () => Iterable<PartitionLog>;
  readonly ports: LogPorts & { readonly random: Random; readonly background: Background };
  readonly settings: () => CleanerSettings;
  /** A log that is to be left alone for now. */
  readonly isPaused: (log: PartitionLog) => boolean;
  /** Whether producers are at work, to whom a run leaves the processor. */
  readonly hasProducers: () => boolean;
  /** Most bytes that one compressed batch may unfold to. */
  readonly plainBytesMax: number;
  /** Makes the recovery points of the log's dir survive a power loss. */
  readonly syncRecoveryPoints: (log: PartitionLog) => Promise<void>;
  /** `cleanedEnd` of the log has changed. */
  readonly onCleaned: (log: PartitionLog) => void;
  /** A run is over, whatever came of it; retention keeps off a log until then. */
  readonly onRunOver: (log: PartitionLog) => void;
}

/** A log that can't be cleaned is tried again after so long, twice as long after each failure in a row. */
const RETRY_MS = 60 * 1000;
const RETRY_MS_MAX = 60 * 60 * 1000;
/** So often a run is told whether producers are at work. */
const LOOK_FOR_PRODUCERS_MS = 100;
/** Beside them a run rests so many times as long as it works. */
const REST_FACTOR = 2;
/** What a table can index; more of log.cleaner.dedupe.buffer.size is of no use to one run. */
const MAP_BYTES_MAX = 0x7fffffff;

interface Run extends RunView {
  /** In memory that the job shares. */
  readonly bytesPerSecond: Float64Array;
  readonly restFactor: Float64Array;
  readonly startedMs: number;
  isCancelled: boolean;
  job: BackgroundRun<CleanResult> | undefined;
  over: Promise<void>;
}

interface Failure {
  readonly retryMs: number;
  readonly atMs: number;
}

/**
 * Keeps compacted logs small: chooses the dirtiest, has a background job write its closed segments anew, and swaps them
 * in. While a job runs the log goes on; before each swap it is checked that the log was not cut, closed or deleted and
 * that the old segments are still the ones which the job read. At most `threads` runs at a time, one per log.
 */
export class LogCleaner {
  readonly #input: LogCleanerInput;
  readonly #runs = new Map<string, Run>();
  readonly #failures = new Map<PartitionLog, Failure>();
  #timer: Timer | undefined;
  /** There while runs are. */
  #producersTimer: Timer | undefined;
  #stopped = true;
  #dirtiestRatio = 0;

  constructor(input: LogCleanerInput) {
    this.#input = input;
  }

  /** Logs that could not be cleaned and wait for another try. */
  get uncleanableCount(): number {
    return this.#failures.size;
  }

  /** Of the dirtiest log when they were last looked at, 0 to 1. */
  get dirtiestRatio(): number {
    return this.#dirtiestRatio;
  }

  start(): void {
    if (!this.#stopped || !this.#input.settings().enabled) return;
    this.#stopped = false;
    this.#input.ports.turn.later(() => this.#look());
  }

  /** Ends all runs. Resolves once nothing touches a file any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    const overs = [...this.#runs.values()].map((run) => {
      this.#cancel(run);
      return run.over;
    });
    await Promise.all(overs);
  }

  isCleaning(log: PartitionLog): boolean {
    return this.#runs.has(log.dir);
  }

  /** The log was cut, or goes away. */
  abort(log: PartitionLog): void {
    for (const run of this.#runs.values()) if (run.log === log) this.#cancel(run);
  }

  /** The log is gone. */
  forget(log: PartitionLog): void {
    this.abort(log);
    this.#failures.delete(log);
  }

  /** log.cleaner.* or settings of topics have changed. */
  settingsChanged(): void {
    this.#shareThrottle();
    this.#wake();
  }

  /** Looks at the end of this tick instead of after the backoff. */
  #wake(): void {
    if (this.#stopped || this.#timer === undefined) return;
    this.#timer.cancel();
    this.#timer = undefined;
    this.#input.ports.turn.later(() => this.#look());
  }

  #cancel(run: Run): void {
    run.isCancelled = true;
    run.job?.cancel();
  }

  /** Begins as many runs as may be; with nothing to do it looks again after log.cleaner.backoff.ms. */
  #look(): void {
    if (this.#stopped) return;
    const { ports, settings } = this.#input;
    const { threads, backoffMs } = settings();
    while (this.#runs.size < threads) {
      const dirtiest = this.#dirtiest();
      if (dirtiest === undefined) break;
      this.#begin(dirtiest.log, dirtiest.cleanable);
    }
    this.#timer?.cancel();
    this.#timer = ports.timers.after(Math.max(1, backoffMs), () => {
      this.#timer = undefined;
      this.#look();
    });
  }

  #dirtiest(): { log: PartitionLog; cleanable: Cleanable } | undefined {
    const nowMs = this.#input.ports.clock.wallMs();
    let dirtiest: { log: PartitionLog; cleanable: Cleanable } | undefined;
    this.#dirtiestRatio = 0;
    for (const log of this.#input.logs()) {
      if (!this.#mayClean(log)) continue;
      let cleanable: Cleanable;
      try {
        log.rollIfDue();
        cleanable = cleanableOf(log, nowMs);
      } catch (error) {
        this.#failed(log, error);
        continue;
      }
      const { dirtyRatio, isOverdue, cleanableBytes } = cleanable;
      this.#dirtiestRatio = Math.max(this.#dirtiestRatio, dirtyRatio);
      const isDue = dirtyRatio > log.config.minCleanableDirtyRatio || (isOverdue && cleanableBytes > 0);
      if (!isDue || cleanableBytes === 0) continue;
      if (dirtiest === undefined || dirtyRatio > dirtiest.cleanable.dirtyRatio) dirtiest = { log, cleanable };
    }
    return dirtiest;
  }

  #mayClean(log: PartitionLog): boolean {
    if (!log.config.cleanupPolicy.includes('compact') || log.isClosed || log.isOffline) return false;
    if (this.isCleaning(log) || this.#input.isPaused(log)) return false;
    const failure = this.#failures.get(log);
    return failure === undefined || failure.atMs + failure.retryMs <= this.#input.ports.clock.monotonicMs();
  }

  #begin(log: PartitionLog, cleanable: Cleanable): void {
    const { clock } = this.#input.ports;
    const segments = log.closedSegments.filter(
      ({ baseOffset }) => baseOffset < cleanable.firstUncleanableOffset,
    );
    const run: Run = {
      log,
      dir: log.dir,
      cutCount: log.cutCount,
      segments: new Map(segments.map((segment) => [segment.baseOffset, segment])),
      bytesPerSecond: sharedNumber(),
      restFactor: sharedNumber(),
      startedMs: clock.monotonicMs(),
      isCancelled: false,
      job: undefined,
      over: Promise.resolve(),
    };
    this.#runs.set(run.dir, run);
    this.#shareThrottle();
    this.#lookForProducers();
    const input = this.#jobInput(run, segments, cleanable);
    run.over = this.#run(run, input).then(
      () => this.#succeeded(log),
      (error: unknown) => this.#ended(run, error),
    );
    run.over = run.over.then(() => {
      this.#runs.delete(run.dir);
      this.#shareThrottle();
      this.#lookForProducers();
      if (this.#stopped) return;
      this.#input.onRunOver(log);
      this.#input.ports.turn.later(() => this.#look());
    });
  }

  #jobInput(run: Run, segments: readonly Segment[], cleanable: Cleanable): CleanInput {
    const { config } = run.log;
    const { threads, dedupeBufferBytes, ioBufferBytes, loadFactor } = this.#input.settings();
    const end = cleanable.firstUncleanableOffset;
    return {
      dir: run.dir,
      segments: segments.map(({ baseOffset, sizeInBytes }) => ({ baseOffset, sizeInBytes })),
      firstDirtyOffset: cleanable.firstDirtyOffset,
      firstUncleanableOffset: end,
      nowMs: this.#input.ports.clock.wallMs(),
      deleteRetentionMs: config.deleteRetentionMs,
      segmentBytes: config.segmentBytes,
      indexBytesMax: config.segmentIndexBytes,
      indexIntervalBytes: config.indexIntervalBytes,
      mapBytesMax: Math.min(MAP_BYTES_MAX, Math.floor(dedupeBufferBytes / threads)),
      mapLoadFactor: loadFactor,
      // One half is for reading, one for writing.
      ioBufferBytes: Math.floor(ioBufferBytes / threads / 2),
      plainBytesMax: this.#input.plainBytesMax,
      secret: this.#drawSecret(),
      codec: codecOf(config.compressionType),
      levels: {
        gzip: config.compressionGzipLevel,
        lz4: config.compressionLz4Level,
        zstd: config.compressionZstdLevel,
      },
      abortedTransactions: run.log.abortedTransactions(segments[0]!.baseOffset, end),
      lastRecords: run.log.producers.lastRecords(),
      bytesPerSecond: run.bytesPerSecond,
      restFactor: run.restFactor,
    };
  }

  async #run(run: Run, input: CleanInput): Promise<void> {
    const { log } = run;
    const { storage, background } = this.#input.ports;
    // What the run relies on must survive a power loss: the ends of transactions, and the segments themselves, for
    // recovery must not meet what the cleaner has left.
    await log.flush();
    this.#check(run);
    await this.#input.syncRecoveryPoints(log);
    this.#check(run);
    let swaps: Promise<void> = Promise.resolve();
    let failure: unknown;
    const job = background.run(cleanLog, input, (group) => {
      swaps = swaps
        .then(() => this.#swap(run, group, failure === undefined))
        .catch((error: unknown) => {
          failure ??= error;
          this.#cancel(run);
        });
    });
    run.job = job;
    const ended = await job.done.then(
      (result) => ({ result }),
      (error: unknown) => ({ error }),
    );
    await swaps;
    // The job may have failed because it was cancelled for that.
    if (failure !== undefined) throw failure;
    if ('error' in ended) throw ended.error;
    const { result } = ended;
    this.#check(run);
    // The checkpoint must not survive a power loss that the new names do not survive.
    await storage.syncDir(run.dir);
    this.#check(run);
    log.cleanedEnd = result.endOffset;
    this.#input.onCleaned(log);
    this.#report(run, input, result);
  }

  /** Syncs the files of a group and swaps them in; takes them away where they are of no use. */
  async #swap(run: Run, group: CleanedGroup, isWanted: boolean): Promise<void> {
    const { storage } = this.#input.ports;
    let isTaken = false;
    try {
      if (!isWanted) return;
      this.#check(run);
      await syncCleaned(storage, run.dir, group.cleaned);
      this.#check(run);
      const old = segmentsToReplace(run, group);
      if (old.length === 0) return;
      isTaken = true;
      run.log.swapSegments(old, group);
      for (const baseOffset of group.replaced) run.segments.delete(baseOffset);
    } finally {
      if (!isTaken) {
        for (const { baseOffset } of group.cleaned) removeCleanedFiles(storage, run.dir, baseOffset);
      }
    }
  }

  #check(run: Run): void {
    const why = run.isCancelled ? 'it was asked to' : whyOver(run);
    if (why !== undefined) throw new AbortedError(why);
  }

  #ended(run: Run, error: unknown): void {
    const { log } = run;
    const there = new Set(log.closedSegments);
    const hasLost = [...run.segments.values()].some((segment) => !there.has(segment));
    const isAborted = error instanceof AbortedError || error instanceof CancelledError;
    if (isAborted || hasLost || log.isClosed || log.isOffline) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#input.ports.logger.info(`cleaning of ${log.topic}-${log.partition} ended early: ${reason}`);
    } else {
      this.#failed(log, error);
    }
  }

  #succeeded(log: PartitionLog): void {
    if (!this.#failures.delete(log)) return;
    this.#input.ports.logger.info(`${log.topic}-${log.partition} can be cleaned again`, {
      uncleanableLogs: this.#failures.size,
    });
  }

  #failed(log: PartitionLog, error: unknown): void {
    const { logger, clock } = this.#input.ports;
    const before = this.#failures.get(log)?.retryMs;
    const retryMs = before === undefined ? RETRY_MS : Math.min(before * 2, RETRY_MS_MAX);
    this.#failures.set(log, { retryMs, atMs: clock.monotonicMs() });
    logger.warn(`${log.topic}-${log.partition} can't be cleaned and stays as it is`, {
      error: error instanceof Error ? error.message : String(error),
      retryMs,
      uncleanableLogs: this.#failures.size,
    });
  }

  #report(run: Run, { firstDirtyOffset }: CleanInput, result: CleanResult): void {
    const { logger, clock } = this.#input.ports;
    const { topic, partition } = run.log;
    logger.info(`cleaned ${topic}-${partition} from ${firstDirtyOffset} to ${result.endOffset}`, {
      tookMs: Math.round(clock.monotonicMs() - run.startedMs),
      readBytes: result.readBytes,
      writtenBytes: result.writtenBytes,
      records: result.readRecords,
      keptRecords: result.keptRecords,
      keys: result.mappedKeys,
      mapBytes: result.mapSizeInBytes,
    });
    if (result.invalidRecords > 0) {
      logger.warn(`${topic}-${partition} had records without a key, which are gone now`, {
        records: result.invalidRecords,
      });
    }
  }

  /** log.cleaner.io.max.bytes.per.second is for all runs together. */
  #shareThrottle(): void {
    const share = this.#input.settings().bytesPerSecondMax / Math.max(1, this.#runs.size);
    for (const run of this.#runs.values()) run.bytesPerSecond[0] = share;
  }

  /** Tells all runs, now and again until there is none. */
  #lookForProducers(): void {
    this.#producersTimer?.cancel();
    this.#producersTimer = undefined;
    if (this.#runs.size === 0) return;
    const factor = this.#input.hasProducers() ? REST_FACTOR : 0;
    for (const run of this.#runs.values()) run.restFactor[0] = factor;
    this.#producersTimer = this.#input.ports.timers.after(LOOK_FOR_PRODUCERS_MS, () =>
      this.#lookForProducers(),
    );
  }

  #drawSecret(): HashSecret {
    const bytes = new Uint8Array(16);
    this.#input.ports.random.fill(bytes);
    const [k0 = 0, k1 = 0, k2 = 0, k3 = 0] = new Uint32Array(bytes.buffer);
    return [k0, k1, k2, k3];
  }
}

/** In memory that a job shares. */
const sharedNumber = () => new Float64Array(new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT));

function codecOf(setting: string): CompressionCodec | undefined {
  const name = setting === 'uncompressed' ? 'none' : setting;
  return isCompressionCodec(name) ? name : undefined;
}
