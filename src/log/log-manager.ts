import { StorageError } from '../base/ports.ts';
import { type Uuid, ZERO_UUID } from '../base/uuid.ts';
import type { LogConfig } from '../config/log-config.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import { LogCleaner } from './cleaner/log-cleaner.ts';
import { DirLoading, LoadInterruptedError } from './dir-loading.ts';
import * as names from './file-names.ts';
import { FolderRemovals } from './folder-removals.ts';
import { FreeSpace } from './free-space.ts';
import { openLog } from './loader.ts';
import type { PartitionLog } from './log.ts';
import { emptiestDir, LogDir } from './log-dir.ts';
import {
  defaultCleanerSettings,
  defaultLogIntervals,
  type LogIntervals,
  type LogManagerInput,
} from './log-manager-input.ts';
import { type SharedLogState, sharedLogState } from './log-options.ts';
import { partitionFolders, setAside } from './partition-folders.ts';
import { nameLonelyCopies, ReplicaMoves } from './replica-moves.ts';
import { Schedule } from './schedule.ts';
import { asProtocolError, guarded, isNoSpace, storageError } from './storage-errors.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Each needs a few open files and a thread of the pool. */
const SYNCING_AT_ONCE = 16;
/** Partitions that are not here and have been given a dir; the oldest are forgotten. */
const PREFERRED_DIRS_MAX = 10_000;
/** Logs that retention looks at before other work gets its turn. */
const RETAINED_AT_ONCE = 50;

/**
 * All partitions of one broker: opens every folder of the log dirs, makes and deletes partitions, runs retention and writes
 * the checkpoints. A dir whose disk fails takes its partitions with it; the others serve on.
 */
export class LogManager {
  /** Called once per dir that failed. */
  onDirFailure: (dir: string, error: Error) => void = () => {};
  /** Called when a log in another dir takes a partition's place, before that one is abandoned. */
  onReplaced: (log: PartitionLog) => void = () => {};
  readonly shared: SharedLogState;
  /** Compacts the logs with cleanup.policy=compact; begins with `startBackground`. */
  readonly cleaner: LogCleaner;
  readonly #input: LogManagerInput;
  readonly #dirs: LogDir[] = [];
  readonly #logs = new Map<string, PartitionLog>();
  #rivals: readonly PartitionLog[] = [];
  readonly #intervals: LogIntervals;
  readonly #space: FreeSpace;
  readonly #schedule: Schedule;
  readonly #removals: FolderRemovals;
  readonly #moves: ReplicaMoves;
  /** Where partitions are to begin that are not there yet; see `move`. */
  readonly #preferredDirs = new Map<string, string>();
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
    const { storage, random, framePool, clock, timers, logger } = input.ports;
    const minFreeBytes = input.minFreeBytes ?? (() => 0);
    this.#schedule = new Schedule(timers);
    this.#removals = new FolderRemovals(storage, logger);
    this.#space = new FreeSpace({ storage, timers, logger, minFreeBytes });
    const { options } = input;
    const pace = { clock, timers };
    this.shared = sharedLogState({ storage, options, random, pool: framePool, space: this.#space, pace });
    this.shared.files.onSyncFailed = (path, error) => {
      const dir = this.#dirs.find((one) => path.startsWith(`${one.path}/`));
      if (dir !== undefined) this.#failDir(dir, asProtocolError(error));
    };
    this.cleaner = new LogCleaner({
      logs: () => this.#logs.values(),
      ports: input.ports,
      settings: input.cleanerSettings ?? (() => defaultCleanerSettings),
      isPaused: (log) => this.#moves.isMoving(log),
      hasProducers: () => this.shared.activity.isActive(clock.monotonicMs()),
      plainBytesMax: this.shared.options.plainBytesMax,
      syncRecoveryPoints: async (log) => this.#dirHolding(log)?.syncRecoveryPoints(),
      onCleaned: (log) => this.#writeCleanedEnd(log),
      onRunOver: (log) => this.#retain(log),
    });
    this.#moves = this.#makeMoves();
  }

  /**
   * Opens every dir, takes note of how it was closed and removes the markers of that, so that from here on a crash is seen
   * as one. `load` comes next. Throws ProtocolError(KAFKA_STORAGE_ERROR) only where no dir can be used.
   */
  static create(input: LogManagerInput): LogManager {
    const manager = new LogManager(input);
    for (const path of input.dirs) {
      try {
        const failure = input.failedDirs?.get(path);
        if (failure !== undefined) throw failure;
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
    if (this.offlineDirs.length === 0) nameLonelyCopies(this.#input.ports.storage, dirs, this.#input.ports);
    const ended = await Promise.allSettled(dirs.map((dir) => this.#loadDir(dir)));
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
    this.#ensureDirs();
    this.#moves.resume((name) => this.#logs.get(name));
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

  /** Copies of replicas that move to another dir; `get` and `all` know nothing of them. */
  futures(): IterableIterator<PartitionLog> {
    return this.#moves.copies();
  }

  /**
   * The partition's log, begun where there is none in `assignedDir`, or in the dir with the fewest partitions. One that is
   * not new may lie in a dir that is offline, and is begun only where all are online: two logs of one partition would part
   * ways. For the same reason one that is assigned to a dir which is offline is not served from another. Throws
   * ProtocolError: INCONSISTENT_TOPIC_ID where the folder belongs to a topic with another id, KAFKA_STORAGE_ERROR.
   */
  getOrCreate(
    topic: string,
    partition: number,
    topicId: Uuid,
    config?: LogConfig,
    isNew = true,
    assignedDir?: string,
  ): PartitionLog {
    if (this.#closed) throw storageError('the log manager is closed');
    const name = names.partitionFolder(topic, partition);
    const found = this.#logs.get(name);
    if (found !== undefined) {
      if (found.topicId === ZERO_UUID) found.adoptTopicId(topicId);
      if (found.topicId === topicId) {
        this.#ensureNotOlder(found, assignedDir);
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
    const preferredDir = assignedDir ?? this.#preferredDirs.get(name);
    this.#preferredDirs.delete(name);
    const wanted = this.#dirs.find(({ path, failure }) => path === preferredDir && failure === undefined);
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

  /** What a power loss brought back after a move, or a failed dir kept, may lie in one dir while the other is away. */
  #ensureNotOlder({ topic, partition, parentDir }: PartitionLog, assignedDir: string | undefined): void {
    if (assignedDir === undefined || assignedDir === parentDir || this.dirs.includes(assignedDir)) return;
    const { offlineDirs } = this;
    if (offlineDirs.length === 0) return;
    throw storageError(
      `${topic}-${partition} belongs in ${assignedDir}, and what lies in ${parentDir} may be older: bring the log dirs back that are offline (${offlineDirs.join(', ')}), or take those out of log.dirs that are lost`,
    );
  }

  /**
   * Takes a partition away: its folder gets a `-delete` name now, so that the partition's own name is free, and is removed
   * after file.delete.delay.ms off the loop. False where there is none. Throws ProtocolError(KAFKA_STORAGE_ERROR).
   */
  delete(topic: string, partition: number): boolean {
    const name = names.partitionFolder(topic, partition);
    const log = this.#logs.get(name);
    if (log === undefined) return false;
    this.#moves.cancel(log);
    this.#logs.delete(name);
    this.#deleteLog(log, name);
    return true;
  }

  /**
   * Logs that have the name of another one in another dir, and another topic: a dir was away while the topic was deleted
   * and made anew. They are in nobody's way until {@link adoptRival} or {@link deleteRival}, for which of the two is the
   * cluster's the metadata tells.
   */
  get rivals(): readonly PartitionLog[] {
    return this.#rivals;
  }

  /** The log of its name has gone, and it takes the place; where another rival of the same topic did, the longer one stays. */
  adoptRival(log: PartitionLog): void {
    const name = this.#takeRival(log);
    const other = this.#logs.get(name);
    const dir = this.#dirHolding(log);
    if (other !== undefined) this.#keepLonger(other, log);
    else if (dir !== undefined) this.#adopt(dir, name, log);
  }

  /** As `delete`. Throws ProtocolError(KAFKA_STORAGE_ERROR). */
  deleteRival(log: PartitionLog): void {
    this.#deleteLog(log, this.#takeRival(log));
  }

  #takeRival(log: PartitionLog): string {
    this.#rivals = this.#rivals.filter((one) => one !== log);
    return names.partitionFolder(log.topic, log.partition);
  }

  #abandonRivals(isGone: (log: PartitionLog) => boolean, why: Error): void {
    for (const log of this.#rivals) if (isGone(log)) log.abandon(why);
    this.#rivals = this.#rivals.filter((log) => !isGone(log));
  }

  #deleteLog(log: PartitionLog, name: string): void {
    const dir = this.#dirHolding(log);
    dir?.forget(name);
    this.cleaner.forget(log);
    log.abandon(this.#deleted);
    // The next partition of this name begins dirty.
    this.#writeCleanedEnd(log);
    if (dir === undefined || dir.failure !== undefined) return;
    if (!log.leaderEpochCache.folder.mayExist) return;
    const { storage, random } = this.#input.ports;
    const target = `${dir.path}/${names.deleteFolder(log.topic, log.partition, random)}`;
    guarded(() => storage.rename(log.dir, target));
    log.movedTo(target);
    this.#schedule.after(log.config.fileDeleteDelayMs, () => this.#removals.remove(target));
  }

  /**
   * Has the partition go to another log dir while it serves (KIP-113). Asked for the dir where it is, it stays, and a move
   * that is under way ends; where it is not here yet it is to begin there. Throws ProtocolError: LOG_DIR_NOT_FOUND,
   * KAFKA_STORAGE_ERROR, REPLICA_NOT_AVAILABLE, INVALID_REPLICA_ASSIGNMENT for a cordoned dir, INVALID_TOPIC_EXCEPTION for
   * a name that leaves no room for a suffix.
   */
  move(topic: string, partition: number, path: string): void {
    if (!names.fitsFutureFolder(topic, partition)) {
      throw new ProtocolError(Errors.INVALID_TOPIC_EXCEPTION, `${topic} leaves no room for a suffix`);
    }
    if (!this.#input.dirs.includes(path)) {
      throw new ProtocolError(Errors.LOG_DIR_NOT_FOUND, `${path} is not one of log.dirs`);
    }
    const dir = this.#dirs.find((one) => one.path === path && one.failure === undefined);
    if (dir === undefined) throw storageError(`${path} is offline`);
    if (this.#input.cordonedDirs?.().includes(path)) {
      throw new ProtocolError(Errors.INVALID_REPLICA_ASSIGNMENT, `${path} is cordoned`);
    }
    const log = this.get(topic, partition);
    if (log === undefined) {
      this.#prefer(names.partitionFolder(topic, partition), path);
      throw new ProtocolError(Errors.REPLICA_NOT_AVAILABLE, `${topic}-${partition} is not here`);
    }
    this.#moves.move(log, dir);
    this.cleaner.abort(log);
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
    this.#moves.start();
    const every = this.#intervals;
    const first = every.initialDelayMs;
    this.#isInBackground = true;
    this.#schedule.every(every.retentionCheckMs, () => this.#retainAll(), first);
    this.#schedule.every(
      every.recoveryPointCheckpointMs,
      () => this.#eachDir((dir) => dir.writeRecoveryPoints()),
      first,
    );
    this.#schedule.every(
      every.logStartCheckpointMs,
      () => this.#eachDir((dir) => dir.writeLogStarts()),
      first,
    );
    this.#schedule.every(every.highWatermarkCheckpointMs, () =>
      this.#eachDir((dir) => dir.writeHighWatermarks()),
    );
    this.#schedule.every(every.producerExpiryCheckMs, () => {
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
    this.#schedule.stop();
    await this.cleaner.stop();
    await this.#moves.stop();
    await this.#removals.close();
    this.#abandonRivals(() => true, storageError('the log manager is closed'));
    await Promise.all(
      this.#dirs.map((dir) =>
        dir.close(brokerEpoch).catch((error: unknown) => {
          this.#input.ports.logger.error(`${dir.path} was not closed in order`, { error: String(error) });
        }),
      ),
    );
    // Those of logs that are offline, or nobody waits for: another process may open the folders next.
    await this.shared.syncs.settled();
    await this.shared.files.settled();
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
      adopt: (folder, log) => this.#adoptLoaded(dir, folder, log),
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
        if (this.#logs.get(name) === log) this.#logs.delete(name);
      }
      this.#abandonRivals((log) => log.parentDir === dir.path, failure);
      dir.logs.clear();
      this.#refuseDir(dir.path, failure);
    } finally {
      this.#loadings.delete(loading);
    }
  }

  #foldersOf({ path }: LogDir): (readonly [string, names.PartitionFolder])[] {
    const { ports, skipTopics = ['__cluster_metadata'], configFor } = this.#input;
    return guarded(() => partitionFolders(path, ports)).filter(([name, { kind, topic }]) => {
      if (kind !== 'delete') return !skipTopics.includes(topic);
      this.#schedule.after(configFor(topic).fileDeleteDelayMs, () =>
        this.#removals.remove(`${path}/${name}`),
      );
      return false;
    });
  }

  #adoptLoaded(dir: LogDir, folder: names.PartitionFolder, log: PartitionLog): void {
    const name = names.partitionFolder(folder.topic, folder.partition);
    const sibling = dir.logs.get(name);
    if (folder.kind === 'future') {
      if (sibling !== undefined) setAside(this.#input.ports, log, sibling);
      else dir.logs.set(name, log);
      return;
    }
    if (sibling !== undefined) setAside(this.#input.ports, sibling, log);
    const other = this.#logs.get(name);
    const otherDir = other && this.#dirHolding(other);
    if (other === undefined || otherDir === undefined) {
      this.#adopt(dir, name, log);
      return;
    }
    if (other.topicId !== log.topicId) {
      this.#rivals = [...this.#rivals, log];
      return;
    }
    this.#keepLonger(other, log);
  }

  /** A move that a crash cut short at its very end leaves both, and so does a dir that was away meanwhile. */
  #keepLonger(other: PartitionLog, log: PartitionLog): void {
    if (log.logEndOffset <= other.logEndOffset) {
      setAside(this.#input.ports, log, other);
      return;
    }
    const name = names.partitionFolder(log.topic, log.partition);
    setAside(this.#input.ports, other, log);
    this.#dirHolding(other)?.logs.delete(name);
    const dir = this.#dirHolding(log);
    if (dir !== undefined) this.#adopt(dir, name, log);
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
    log.beforeCut = () => dir.lowerCheckpoints(log);
    log.onCut = () => {
      this.cleaner.abort(log);
      this.#moves.sourceWasCut(log);
    };
  }

  #failDir(dir: LogDir, error: Error): void {
    if (dir.failure !== undefined) return;
    dir.failure = error;
    this.#input.ports.logger.error(`log dir ${dir.path} is offline, ${dir.logs.size} partitions with it`, {
      error: error.message,
    });
    for (const log of dir.logs.values()) log.takeOffline(error);
    this.#moves.dirFailed(dir);
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

  #makeMoves(): ReplicaMoves {
    const { dirs, ports, moveThreads, moveBytesPerSecondMax } = this.#input;
    return new ReplicaMoves({
      ports,
      shared: this.shared,
      dirs: this.#dirs,
      isDirOffline: () => this.offlineDirs.length > 0,
      threads: () => moveThreads?.() ?? dirs.length,
      bytesPerSecondMax: moveBytesPerSecondMax ?? (() => Number.MAX_VALUE),
      onReplaced: (source, next, dir) => {
        this.cleaner.forget(source);
        this.#adopt(dir, names.partitionFolder(next.topic, next.partition), next);
        this.onReplaced(next);
      },
      failDir: (dir, error) => this.#failDir(dir, error),
      onDirChanged: (dir) => this.#write(dir, (one) => one.writeAll()),
      remove: (folder, delayMs) => this.#schedule.after(delayMs, () => this.#removals.remove(folder)),
    });
  }

  #prefer(name: string, path: string): void {
    this.#preferredDirs.set(name, path);
    if (this.#preferredDirs.size <= PREFERRED_DIRS_MAX) return;
    for (const oldest of this.#preferredDirs.keys()) {
      this.#preferredDirs.delete(oldest);
      return;
    }
  }

  #dirHolding(log: PartitionLog): LogDir | undefined {
    return this.#dirs.find(({ path }) => path === log.parentDir);
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
}
