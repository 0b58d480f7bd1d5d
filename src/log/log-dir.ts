import { type Logger, type Storage, StorageError } from '../base/ports.ts';
import * as names from './file-names.ts';
import type { PartitionLog } from './log.ts';
import {
  CheckpointError,
  formatCheckpoint,
  parseOffsetCheckpoint,
  readSmallFile,
  replaceSmallFile,
} from './small-files.ts';
import { storageError } from './storage-errors.ts';

/** Each needs a few open files and a thread of the pool while it syncs. */
const CLOSING_AT_ONCE = 16;

/** One log dir: its partitions, its checkpoint files and the marker of an orderly stop. */
export class LogDir {
  readonly path: string;
  readonly cleanShutdown: boolean;
  /** What the checkpoints said when the dir was opened; empty once its partitions are, who know it better. */
  recoveryPoints: ReadonlyMap<string, number>;
  logStarts: ReadonlyMap<string, number>;
  highWatermarks: ReadonlyMap<string, number>;
  cleanedEnds: ReadonlyMap<string, number>;
  /** By folder name. */
  readonly logs = new Map<string, PartitionLog>();
  failure: Error | undefined;
  /** All its partitions are open. */
  isLoaded = false;
  /** Closed without the marker, whatever its logs do. */
  unclean = false;
  readonly #storage: Storage;
  readonly #logger: Logger;
  /** Logs of which there may be lines in the checkpoints although they are gone. */
  readonly #gone = new Set<string>();
  readonly #written = new Map<string, string>();
  readonly #running = new Map<string, Promise<void>>();

  private constructor(path: string, storage: Storage, logger: Logger) {
    this.path = path;
    this.#storage = storage;
    this.#logger = logger;
    this.cleanShutdown = storage.sizeOf(`${path}/${names.CLEAN_SHUTDOWN_FILE}`) !== undefined;
    this.recoveryPoints = this.#read(names.RECOVERY_POINT_CHECKPOINT);
    this.logStarts = this.#read(names.LOG_START_CHECKPOINT);
    this.highWatermarks = this.#read(names.HIGH_WATERMARK_CHECKPOINT);
    this.cleanedEnds = this.#read(names.CLEANER_CHECKPOINT);
  }

  /** Throws StorageError. */
  static open(path: string, storage: Storage, logger: Logger): LogDir {
    return new LogDir(path, storage, logger);
  }

  /** Throws StorageError. */
  removeMarker(): void {
    if (!this.cleanShutdown) return;
    this.#storage.removeNow(`${this.path}/${names.CLEAN_SHUTDOWN_FILE}`);
    // Now, before anything is written: a marker that came back after a power loss would have recovery skipped.
    this.#storage.syncNow(this.path);
  }

  /** All partitions that the dir has are in `logs`. */
  loaded(): void {
    this.isLoaded = true;
    for (const checkpoint of [this.recoveryPoints, this.logStarts, this.highWatermarks, this.cleanedEnds]) {
      for (const name of checkpoint.keys()) if (!this.logs.has(name)) this.#gone.add(name);
    }
    this.recoveryPoints = new Map();
    this.logStarts = new Map();
    this.highWatermarks = new Map();
    this.cleanedEnds = new Map();
  }

  /** The log of this name is gone. */
  forget(name: string): void {
    this.logs.delete(name);
    this.#gone.add(name);
  }

  /**
   * A log of this name begins: from here on no checkpoint speaks of an earlier one, whose recovery point and log start
   * would have the new one's records believed unread, or dropped, after a crash. Throws StorageError.
   */
  begin(name: string): void {
    if (!this.#gone.has(name)) return;
    this.writeRecoveryPoints();
    this.writeLogStarts();
    this.writeHighWatermarks();
    this.writeCleanedEnds();
    this.#gone.clear();
  }

  /**
   * Before a log is cut, whose recovery point and cleaned end are lowered: what the checkpoints say above would have
   * recovery believe segments that were never synced, and the cleaner records that it has never seen. A checkpoint that
   * says more is synced at once, on the loop: a power loss must not bring it back beside the bytes that are written behind
   * the cut. One that can't be written goes, and all is read, or cleaned, anew. Throws StorageError.
   */
  lowerCheckpoints(log: PartitionLog): void {
    const { RECOVERY_POINT_CHECKPOINT, CLEANER_CHECKPOINT } = names;
    const recovered = this.#written.get(RECOVERY_POINT_CHECKPOINT);
    const cleaned = this.#written.get(CLEANER_CHECKPOINT);
    const isSynced = [
      this.#lower(RECOVERY_POINT_CHECKPOINT, isAbove(recovered, log, log.safeRecoveryPoint), () =>
        this.writeRecoveryPoints(),
      ),
      this.#lower(CLEANER_CHECKPOINT, isAbove(cleaned, log, log.cleanedEnd ?? 0), () =>
        this.writeCleanedEnds(),
      ),
    ];
    if (isSynced.includes(true)) this.#storage.syncNow(this.path);
  }

  /** Returns whether the name has to be synced, as the bytes are then. */
  #lower(name: string, saysMore: boolean, write: () => void): boolean {
    const path = `${this.path}/${name}`;
    try {
      write();
      if (saysMore) this.#storage.syncNow(path);
    } catch (error) {
      this.#written.delete(name);
      this.#storage.removeNow(path);
      this.#logger.warn(`${path} could not be written`, { error: String(error) });
    }
    return saysMore;
  }

  writeRecoveryPoints(): void {
    this.#write(names.RECOVERY_POINT_CHECKPOINT, this.recoveryPoints, (log) => log.safeRecoveryPoint);
  }

  /** Only the starts that the segments' names do not tell. */
  writeLogStarts(): void {
    this.#write(names.LOG_START_CHECKPOINT, this.logStarts, (log) =>
      log.logStartOffset > log.firstSegmentOffset ? log.logStartOffset : undefined,
    );
  }

  writeHighWatermarks(): void {
    this.#write(names.HIGH_WATERMARK_CHECKPOINT, this.highWatermarks, (log) => log.highWatermark);
  }

  /** Up to where the cleaner has come, of the logs that it has cleaned. */
  writeCleanedEnds(): void {
    this.#write(names.CLEANER_CHECKPOINT, this.cleanedEnds, (log) => log.cleanedEnd);
  }

  /**
   * Logs were found with holes that no checkpoint tells of. From here on one does, also after a power loss: by then a topic
   * may have another policy, and its holes would pass for damage that ends the log. Throws StorageError.
   */
  keepCleanedEnds(): void {
    this.writeCleanedEnds();
    this.#storage.syncNow(`${this.path}/${names.CLEANER_CHECKPOINT}`);
    this.#storage.syncNow(this.path);
  }

  /** Partitions have come or gone. */
  writeAll(): void {
    this.writeRecoveryPoints();
    this.writeLogStarts();
    this.writeHighWatermarks();
    this.writeCleanedEnds();
  }

  /** Resolves once the recovery points as they are now survive a power loss. Rejects with StorageError. */
  async syncRecoveryPoints(): Promise<void> {
    this.writeRecoveryPoints();
    await this.#running.get(names.RECOVERY_POINT_CHECKPOINT);
    if (!this.#written.has(names.RECOVERY_POINT_CHECKPOINT)) {
      throw new StorageError('EIO', this.path, `the recovery points of ${this.path} could not be synced`);
    }
    await this.#storage.syncDir(this.path);
  }

  /**
   * Closes the logs and, when all went well, leaves the marker. Rejects with the first failure. Nothing touches a file any
   * more once it has settled.
   */
  async close(brokerEpoch: number): Promise<void> {
    try {
      await this.#close(brokerEpoch);
    } finally {
      await Promise.all(this.#running.values());
    }
  }

  async #close(brokerEpoch: number): Promise<void> {
    if (this.failure !== undefined) {
      this.#abandon(this.failure);
      throw this.failure;
    }
    const waiting = this.logs.values();
    let failure: Error | undefined;
    const closeNext = async (): Promise<void> => {
      for (const log of waiting) {
        await log.close().catch((error: Error) => {
          failure ??= error;
        });
      }
    };
    await Promise.all(Array.from({ length: CLOSING_AT_ONCE }, closeNext));
    if (failure !== undefined) {
      this.#abandon(failure);
      throw failure;
    }
    this.#write(names.RECOVERY_POINT_CHECKPOINT, this.recoveryPoints, (log) => log.recoveryPoint);
    this.writeLogStarts();
    this.writeHighWatermarks();
    await Promise.all(this.#running.values());
    await this.#storage.syncDir(this.path);
    // A dir that was closed in order before, and whose loading was interrupted, still is.
    if (this.unclean || (!this.isLoaded && !this.cleanShutdown)) return;
    const marker = `{"version":0,"brokerEpoch":${brokerEpoch}}`;
    await replaceSmallFile(this.#storage, `${this.path}/${names.CLEAN_SHUTDOWN_FILE}`, marker);
    await this.#storage.syncDir(this.path);
  }

  /** Files and timers of logs that can't be closed in order must not outlive the broker. */
  #abandon(failure: Error): void {
    for (const log of this.logs.values()) log.abandon(failure);
  }

  #read(name: string): ReadonlyMap<string, number> {
    const text = readSmallFile(this.#storage, `${this.path}/${name}`)?.toString('utf8');
    if (text === undefined) return new Map();
    try {
      return parseOffsetCheckpoint(text);
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      this.#logger.warn(`${this.path}/${name} can't be read and is ignored: ${error.message}`);
      return new Map();
    }
  }

  /** What was known of logs that were not opened yet stays known. */
  #unloadedLines(before: ReadonlyMap<string, number>): string[] {
    const lines: string[] = [];
    for (const [name, offset] of before) {
      const folder = this.logs.has(name) ? undefined : names.parseFolder(name);
      if (folder !== undefined) lines.push(`${folder.topic} ${folder.partition} ${offset}`);
    }
    return lines;
  }

  #write(
    name: string,
    before: ReadonlyMap<string, number>,
    offsetOf: (log: PartitionLog) => number | undefined,
  ): void {
    const lines: string[] = [];
    for (const log of this.logs.values()) {
      // Without a folder there is nothing to say of it.
      if (!log.leaderEpochCache.folder.isMade) continue;
      const offset = offsetOf(log);
      if (offset !== undefined) lines.push(`${log.topic} ${log.partition} ${offset}`);
    }
    if (!this.isLoaded) lines.push(...this.#unloadedLines(before));
    const text = formatCheckpoint(lines);
    if (this.#written.get(name) === text) return;
    this.#track(name, replaceSmallFile(this.#storage, `${this.path}/${name}`, text));
    this.#written.set(name, text);
  }

  #track(name: string, synced: Promise<void>): void {
    const running = synced.catch((error: unknown) => {
      this.#written.delete(name);
      this.#logger.warn(`${this.path}/${name} could not be synced`, { error: String(error) });
    });
    this.#running.set(name, running);
  }
}

/**
 * The dir with the fewest partitions, which none of `cordoned` is while there is another. Throws KAFKA_STORAGE_ERROR where
 * all are offline.
 */
export function emptiestDir(dirs: readonly LogDir[], cordoned: readonly string[]): LogDir {
  const online = dirs.filter((dir) => dir.failure === undefined);
  // Where all are cordoned it is the first, as in Apache: the controller places nothing here, so somebody insisted.
  let emptiest = online[0];
  for (const dir of online.filter(({ path }) => !cordoned.includes(path)).reverse()) {
    if (emptiest === undefined || cordoned.includes(emptiest.path) || dir.logs.size <= emptiest.logs.size)
      emptiest = dir;
  }
  if (emptiest === undefined) throw storageError('no log dir is online');
  return emptiest;
}

/** Whether a checkpoint has more than `offset` for a log, by the text that was written last; what was found may have. */
function isAbove(text: string | undefined, { topic, partition }: PartitionLog, offset: number): boolean {
  if (text === undefined) return true;
  const start = `\n${topic} ${partition} `;
  const at = text.indexOf(start);
  return at >= 0 && Number.parseInt(text.slice(at + start.length), 10) > offset;
}
