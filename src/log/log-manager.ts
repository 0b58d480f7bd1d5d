import type { Background, FramePool, Random, Timer } from '../base/ports.ts';
import { StorageError } from '../base/ports.ts';
import { type Uuid, ZERO_UUID } from '../base/uuid.ts';
import type { LogConfig } from '../config/log-config.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import { type CleanerSettings, LogCleaner } from './cleaner/log-cleaner.ts';
import { DirLoading, LoadInterruptedError } from './dir-loading.ts';
import * as names from './file-names.ts';
import { FolderRemovals } from './folder-removals.ts';
import { FreeSpace } from './free-space.ts';
import { openLog } from './loader.ts';
import type { PartitionLog } from './log.ts';
import { emptiestDir, LogDir } from './log-dir.ts';
import { type LogOptions, type SharedLogState, sharedLogState } from './log-options.ts';
import { asProtocolError, guarded, isNoSpace, storageError } from './storage-errors.ts';
import type { LogPorts } from './types.ts';

/** How often the background work runs, in ms. */
export interface LogIntervals {
  readonly retentionCheckMs: number;
  readonly recoveryPointCheckpointMs: number;
  readonly logStartCheckpointMs: number;
  readonly highWatermarkCheckpointMs: number;
  readonly producerExpiryCheckMs: number;
  /** How long after the start retention and the first two checkpoints run first. */
  readonly initialDelayMs: number;
}

const DAY_MS = 24 * 60 * 60 * 1000;
/** Each needs a few open files and a thread of the pool. */
const SYNCING_AT_ONCE = 16;
/** Logs that retention looks at before other work gets its turn. */
const RETAINED_AT_ONCE = 50;

export const defaultLogIntervals: LogIntervals = {
  retentionCheckMs: 5 * 60 * 1000,
  recoveryPointCheckpointMs: 60 * 1000,
  logStartCheckpointMs: 60 * 1000,
  highWatermarkCheckpointMs: 5 * 1000,
  producerExpiryCheckMs: 10 * 60 * 1000,
  initialDelayMs: 30 * 1000,
};

const defaultCleanerSettings: CleanerSettings = {
  enabled: true,
  threads: 1,
  backoffMs: 15 * 1000,
  dedupeBufferBytes: 128 * 1024 * 1024,
  ioBufferBytes: 512 * 1024,
  bytesPerSecondMax: Number.MAX_VALUE,
  loadFactor: 0.9,
};

export interface LogManagerInput {
  /** The log dirs, without a slash at the end; made where they do not exist. */
  readonly dirs: readonly string[];
  readonly configFor: (topic: string) => LogConfig;
  readonly ports: LogPorts & {
    readonly random: Random;
    readonly background: Background;
    readonly framePool?: FramePool | undefined;
  };
  readonly options?: Partial<LogOptions>;
  readonly intervals?: Partial<LogIntervals>;
  /** Dirs that take no new partitions, as long as another one does. Default: none. */
  readonly cordonedDirs?: () => readonly string[];
  /** How many background jobs recover one dir. Default: 1. */
  readonly recoveryThreadsPerDir?: () => number;
  /** After how much silence a partition forgets a producer. Default: a day. */
  readonly producerIdExpirationMs?: () => number;
  /** log.cleaner.*, read each time they matter. Default: Kafka's. */
  readonly cleanerSettings?: () => CleanerSettings;
  /** `storage.min.free.bytes`, see `FreeSpace`. Default: 0. */
  readonly minFreeBytes?: () => number;
  /** Topics that others look after although they live in the same dir (`__cluster_metadata`). Default: that one. */
  readonly skipTopics?: readonly string[];
}

/**
 * All partitions of one broker: opens every folder of the log dirs, makes and deletes partitions, runs retention and writes
 * the checkpoints. A dir whose disk fails takes its partitions with it; the others serve on.
 */
export class LogManager {
  /** Called once per dir that failed. */
  onDirFailure: (dir: string, error: Error) => void = () => {};
  readonly shared: SharedLogState;
  /** Compacts the logs with cleanup.policy=compact; begins with `startBackground`. */
  readonly cleaner: LogCleaner;
  readonly #input: LogManagerInput;
  readonly #dirs: LogDir[] = [];
  readonly #logs = new Map<string, PartitionLog>();
  readonly #intervals: LogIntervals;
  readonly #space: FreeSpace;
  readonly #timers = new Set<Timer>();
  readonly #removals: FolderRemovals;
  /** What appends to a deleted partition fail with: one for all, since an error costs a stack. */
  readonly #deleted = new ProtocolError(Errors.UNKNOWN_TOPIC_OR_PARTITION, 'the partition was deleted');
  readonly #loadings = new Set<DirLoading>();
  readonly #failures: ProtocolError[] = [];
  #isInterrupted = false;
  #isInBackground = false;
  #closed = false;

  private constructor(input: LogManagerInput) {
    this.#input = input;
    this.#intervals = { ...defaultLogIntervals, ...input.intervals };
    const { storage, random, framePool, timers, logger } = input.ports;
    const minFreeBytes = input.minFreeBytes ?? (() => 0);
    this.#removals = new FolderRemovals(storage, logger);
    this.#space = new FreeSpace({ storage, timers, logger, minFreeBytes });
    const { options } = input;
    this.shared = sharedLogState({ storage, options, random, pool: framePool, space: this.#space });
    this.shared.files.onSyncFailed = (path, error) => {
      const dir = this.#dirs.find((one) => path.startsWith(`${one.path}/`));
      if (dir !== undefined) this.#failDir(dir, asProtocolError(error));
    };
    this.cleaner = new LogCleaner({
      logs: () => this.#logs.values(),
      ports: input.ports,
      settings: input.cleanerSettings ?? (() => defaultCleanerSettings),
      plainBytesMax: this.shared.options.plainBytesMax,
      syncRecoveryPoints: async (log) => this.#dirHolding(log)?.syncRecoveryPoints(),
      onCleaned: (log) => this.#writeCleanedEnd(log),
      onRunOver: (log) => this.#retain(log),
    });
  }

  /**
   * Opens every dir, takes note of how it was closed and removes the markers of that, so that from here on a crash is seen
   * as one. `load` comes next. Throws ProtocolError(KAFKA_STORAGE_ERROR) only where no dir can be used.
   */
  static create(input: LogManagerInput): LogManager {
    const manager = new LogManager(input);
    for (const path of input.dirs) {
      try {
        manager.#openDir(path);
      } catch (error) {
        manager.#refuseDir(path, asProtocolError(error));
      }
    }
    manager.#ensureDirs();
    manager.#space.poll();
    return manager;
  }

  /** As `create` and `load`. */
  static async open(input: LogManagerInput): Promise<LogManager> {
    const manager = LogManager.create(input);
    await manager.load();
    return manager;
  }

  /**
   * Opens the partitions of all dirs, recovered where that is needed. Rejects with ProtocolError(KAFKA_STORAGE_ERROR) where
   * no dir can be used, and with LoadInterruptedError.
   */
  async load(): Promise<void> {
    const dirs = this.#dirs.filter((dir) => dir.failure === undefined);
    const ended = await Promise.allSettled(dirs.map((dir) => this.#loadDir(dir)));
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
    this.#ensureDirs();
  }

  /** `load` rejects soon; what it has opened is closed in order by `close`. */
  interrupt(): void {
    this.#isInterrupted = true;
    for (const loading of this.#loadings) loading.interrupt();
  }

  get dirs(): readonly string[] {
    return this.#dirs.filter((dir) => dir.failure === undefined).map((dir) => dir.path);
  }

  /** Dirs that failed, at the start or since. */
  get offlineDirs(): readonly string[] {
    const online = this.dirs;
    return this.#input.dirs.filter((dir) => !online.includes(dir));
  }

  /** Whether the dir was closed in order before; brokers register with the epoch in the marker (KIP-966). */
  hadCleanShutdown(dir: string): boolean {
    return this.#dirs.find((one) => one.path === dir)?.cleanShutdown ?? false;
  }

  get(topic: string, partition: number): PartitionLog | undefined {
    return this.#logs.get(names.partitionFolder(topic, partition));
  }

  all(): IterableIterator<PartitionLog> {
    return this.#logs.values();
  }

  /** The log dir that holds a log. */
  dirOf(log: PartitionLog): string {
    return log.parentDir;
  }

  /**
   * The partition's log, begun where there is none in `wantedDir`, or in the dir with the fewest partitions. One that is
   * not new may lie in a dir that is offline, and is begun only where all are online: two logs of one partition would part
   * ways. Throws ProtocolError: INCONSISTENT_TOPIC_ID where the folder belongs to a topic with another id,
   * KAFKA_STORAGE_ERROR.
   */
  getOrCreate(
    topic: string,
    partition: number,
    topicId: Uuid,
    config?: LogConfig,
    isNew = true,
    wantedDir?: string,
  ): PartitionLog {
    if (this.#closed) throw storageError('the log manager is closed');
    const name = names.partitionFolder(topic, partition);
    const found = this.#logs.get(name);
    if (found !== undefined) {
      if (found.topicId === ZERO_UUID) found.adoptTopicId(topicId);
      if (found.topicId === topicId) {
        if (config !== undefined) found.updateConfig(config);
        return found;
      }
      throw new ProtocolError(
        Errors.INCONSISTENT_TOPIC_ID,
        `${name} has topic id ${found.topicId}, not ${topicId}`,
      );
    }
    if (!isNew && this.offlineDirs.length > 0) {
      throw storageError(`${name} may lie in a log dir that is offline: ${this.offlineDirs.join(', ')}`);
    }
    const wanted = this.#dirs.find(({ path, failure }) => path === wantedDir && failure === undefined);
    const dir = wanted ?? emptiestDir(this.#dirs, this.#input.cordonedDirs?.() ?? []);
    guarded(() => dir.begin(name));
    const log = openLog({
      dir: `${dir.path}/${name}`,
      topic,
      partition,
      topicId,
      config: config ?? this.#input.configFor(topic),
      ports: this.#input.ports,
      shared: this.shared,
      cleanShutdown: false,
      recoveryPoint: 0,
    });
    this.#adopt(dir, name, log);
    return log;
  }

  /**
   * Takes a partition away: its folder gets a `-delete` name now, so that the partition's own name is free, and is removed
   * after file.delete.delay.ms off the loop. False where there is none. Throws ProtocolError(KAFKA_STORAGE_ERROR).
   */
  delete(topic: string, partition: number): boolean {
    const name = names.partitionFolder(topic, partition);
    const log = this.#logs.get(name);
    if (log === undefined) return false;
    const dir = this.#dirHolding(log);
    this.#logs.delete(name);
    dir?.forget(name);
    this.cleaner.forget(log);
    log.abandon(this.#deleted);
    // The next partition of this name begins dirty.
    this.#writeCleanedEnd(log);
    if (dir === undefined || dir.failure !== undefined) return true;
    const { storage, random } = this.#input.ports;
    if (!log.leaderEpochCache.folder.mayExist) return true;
    const target = `${dir.path}/${names.deleteFolder(topic, partition, random)}`;
    guarded(() => storage.rename(log.dir, target));
    log.movedTo(target);
    this.#after(log.config.fileDeleteDelayMs, () => this.#removals.remove(target));
    return true;
  }

  /** To be awaited before anybody reads or appends; see `PartitionLog.syncRecovered`. A dir that fails goes offline. */
  async syncRecovered(): Promise<void> {
    const waiting = this.#logs.values();
    const next = async (): Promise<void> => {
      for (const log of waiting) {
        await log.syncRecovered().catch((error: unknown) => {
          // Where the dir went offline that was logged.
          if (!log.isOffline) throw error;
        });
      }
    };
    await Promise.all(Array.from({ length: SYNCING_AT_ONCE }, next));
  }

  /** The dir's marker of a clean stop is not to be written: something else in it was lost. */
  markUnclean(path: string): void {
    for (const dir of this.#dirs) if (dir.path === path) dir.unclean = true;
  }

  /** Starts the watch over free space, retention, the cleaner, checkpoints and the expiry of producer ids. */
  startBackground(): void {
    this.#space.start();
    this.cleaner.start();
    const every = this.#intervals;
    const first = every.initialDelayMs;
    this.#isInBackground = true;
    this.#every(every.retentionCheckMs, () => this.#retainAll(), first);
    this.#every(
      every.recoveryPointCheckpointMs,
      () => this.#eachDir((dir) => dir.writeRecoveryPoints()),
      first,
    );
    this.#every(every.logStartCheckpointMs, () => this.#eachDir((dir) => dir.writeLogStarts()), first);
    this.#every(every.highWatermarkCheckpointMs, () => this.#eachDir((dir) => dir.writeHighWatermarks()));
    this.#every(every.producerExpiryCheckMs, () => {
      const expirationMs = this.#input.producerIdExpirationMs?.() ?? DAY_MS;
      const nowMs = this.#input.ports.clock.wallMs();
      for (const log of this.#logs.values()) log.producers.expire(nowMs, expirationMs);
    });
  }

  /**
   * Writes, syncs and closes all logs; dirs where all went well get their clean-shutdown marker with `brokerEpoch` (-1:
   * none). Never rejects.
   */
  async close(brokerEpoch = -1): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#space.stop();
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    await this.cleaner.stop();
    await this.#removals.close();
    await Promise.all(
      this.#dirs.map((dir) =>
        dir.close(brokerEpoch).catch((error: unknown) => {
          this.#input.ports.logger.error(`${dir.path} was not closed in order`, { error: String(error) });
        }),
      ),
    );
    this.#logs.clear();
  }

  #openDir(path: string): void {
    const { storage, logger } = this.#input.ports;
    guarded(() => {
      if (!storage.isDirectory(path)) storage.makeDir(path);
      const dir = LogDir.open(path, storage, logger);
      dir.removeMarker();
      this.#dirs.push(dir);
      this.#space.watch(path);
    });
  }

  /** A dir that can't be loaded is offline, with all its partitions. Rejects with what is no failure of the dir. */
  async #loadDir(dir: LogDir): Promise<void> {
    const { configFor, ports } = this.#input;
    const loading = new DirLoading({
      dir,
      configFor,
      ports,
      shared: this.shared,
      threads: Math.max(1, this.#input.recoveryThreadsPerDir?.() ?? 1),
      adopt: (name, log) => this.#adoptLoaded(dir, name, log),
    });
    this.#loadings.add(loading);
    try {
      if (this.#isInterrupted) loading.interrupt();
      await loading.run(this.#foldersOf(dir));
      dir.loaded();
    } catch (error) {
      if (error instanceof LoadInterruptedError) throw error;
      const failure = asProtocolError(error);
      dir.failure = failure;
      for (const [name, log] of dir.logs) {
        log.abandon(failure);
        this.#logs.delete(name);
      }
      dir.logs.clear();
      this.#refuseDir(dir.path, failure);
    } finally {
      this.#loadings.delete(loading);
    }
  }

  #foldersOf({ path }: LogDir): (readonly [string, names.PartitionFolder])[] {
    const { storage, logger } = this.#input.ports;
    const found: (readonly [string, names.PartitionFolder])[] = [];
    for (const { name, isDirectory } of guarded(() => storage.list(path))) {
      if (!isDirectory) continue;
      const folder = names.parseFolder(name);
      if (folder === undefined) {
        logger.warn(`${path}/${name} is not the folder of a partition and is left alone`);
      } else if (folder.kind === 'delete') {
        const { fileDeleteDelayMs } = this.#input.configFor(folder.topic);
        this.#after(fileDeleteDelayMs, () => this.#removals.remove(`${path}/${name}`));
      } else if (folder.kind !== 'partition') {
        logger.warn(`${path}/${name} is a ${folder.kind} folder and is left alone`);
      } else if (!this.#skips(folder.topic)) {
        found.push([name, folder]);
      }
    }
    return found;
  }

  #adoptLoaded(dir: LogDir, name: string, log: PartitionLog): void {
    if (this.#logs.has(name)) {
      const failure = storageError(`${name} is in more than one log dir`);
      log.abandon(failure);
      throw failure;
    }
    this.#adopt(dir, name, log);
  }

  #refuseDir(path: string, failure: ProtocolError): void {
    this.#failures.push(failure);
    this.#input.ports.logger.error(`log dir ${path} can't be used`, { error: failure.message });
  }

  #ensureDirs(): void {
    const failure = this.#failures.at(-1);
    if (this.dirs.length === 0 && failure !== undefined) throw failure;
  }

  #adopt(dir: LogDir, name: string, log: PartitionLog): void {
    this.#logs.set(name, log);
    dir.logs.set(name, log);
    log.onOffline = (_, error) => this.#failDir(dir, error);
    log.onRetentionChanged = () => {
      this.cleaner.settingsChanged();
      this.#input.ports.turn.later(() => this.#retain(log));
    };
    log.beforeCut = () => dir.lowerRecoveryPoints();
    log.onCut = () => {
      this.cleaner.abort(log);
      this.#writeCleanedEnd(log);
    };
  }

  #failDir(dir: LogDir, error: Error): void {
    if (dir.failure !== undefined) return;
    dir.failure = error;
    this.#input.ports.logger.error(`log dir ${dir.path} is offline, ${dir.logs.size} partitions with it`, {
      error: error.message,
    });
    for (const log of dir.logs.values()) log.takeOffline(error);
    this.onDirFailure(dir.path, error);
  }

  /** Some logs at a time: each may need its indexes read. */
  #retainAll(): void {
    const logs = this.#logs.values();
    const slice = () => {
      for (let count = 0; count < RETAINED_AT_ONCE; count += 1) {
        const next = logs.next();
        if (next.done === true || this.#closed) return;
        this.#retain(next.value);
      }
      this.#input.ports.turn.later(slice);
    };
    slice();
  }

  /** Rolls the active segment where it is due and deletes what may go, unless the cleaner has the log in hand. */
  #retain(log: PartitionLog): void {
    if (!this.#isInBackground || this.#closed || this.cleaner.isCleaning(log)) return;
    try {
      log.rollIfDue();
      log.deleteOldSegments();
    } catch (error) {
      this.#input.ports.logger.error(`retention of ${log.dir} failed`, {
        error: asProtocolError(error).message,
      });
    }
  }

  #dirHolding(log: PartitionLog): LogDir | undefined {
    return this.#dirs.find(({ path }) => path === log.parentDir);
  }

  #skips(topic: string): boolean {
    return (this.#input.skipTopics ?? ['__cluster_metadata']).includes(topic);
  }

  #eachDir(run: (dir: LogDir) => void): void {
    for (const dir of this.#dirs) this.#write(dir, run);
  }

  #writeCleanedEnd(log: PartitionLog): void {
    const dir = this.#dirHolding(log);
    if (dir !== undefined && log.cleanedEnd !== undefined) this.#write(dir, (one) => one.writeCleanedEnds());
  }

  /** A checkpoint that can't be written now is written the next time. */
  #write(dir: LogDir, run: (dir: LogDir) => void): void {
    if (dir.failure !== undefined) return;
    try {
      run(dir);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      if (isNoSpace(error)) {
        this.#space.ranOut(dir.path);
        return;
      }
      this.#input.ports.logger.warn(`a checkpoint in ${dir.path} could not be written`, {
        error: error.message,
      });
    }
  }

  #after(delayMs: number, run: () => void): void {
    const timer = this.#input.ports.timers.after(delayMs, () => {
      this.#timers.delete(timer);
      run();
    });
    this.#timers.add(timer);
  }

  #every(intervalMs: number, run: () => void, firstMs = intervalMs): void {
    this.#after(Math.max(1, firstMs), () => {
      run();
      if (!this.#closed) this.#every(intervalMs, run);
    });
  }
}
