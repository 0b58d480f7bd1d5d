import type { Random, Storage, Timer } from '../base/ports.ts';
import { StorageError } from '../base/ports.ts';
import * as names from './file-names.ts';
import { openLog } from './loader.ts';
import type { PartitionLog } from './log.ts';
import type { LogDir } from './log-dir.ts';
import type { SharedLogState } from './log-options.ts';
import { MoveThrottle } from './move-throttle.ts';
import { MoveEndedError, ReplicaMove } from './replica-move.ts';
import { asProtocolError, guarded, storageError } from './storage-errors.ts';
import type { LogPorts } from './types.ts';

/** A move that fails, for want of space say, is tried again after so long. */
const RETRY_MS = 15 * 1000;

export interface ReplicaMovesInput {
  readonly ports: LogPorts & { readonly random: Random };
  readonly shared: SharedLogState;
  /** All log dirs, those that have failed too. */
  readonly dirs: readonly LogDir[];
  /** Whether a log dir is missing: it may hold another copy of anything. */
  readonly isDirOffline: () => boolean;
  /** How many replicas are copied at the same time; the others wait. */
  readonly threads: () => number;
  /** See `MoveThrottle`. */
  readonly bytesPerSecondMax: () => number;
  /** `next` takes the place of `source`, which hands over to it after that. */
  readonly onReplaced: (source: PartitionLog, next: PartitionLog, dir: LogDir) => void;
  readonly failDir: (dir: LogDir, error: Error) => void;
  /** What partitions are in a dir has changed: its checkpoints are to be written. */
  readonly onDirChanged: (dir: LogDir) => void;
  /** Removes a folder that is named for it. */
  readonly remove: (folder: string, delayMs: number) => void;
}

interface Entry {
  readonly move: ReplicaMove;
  run: Promise<void> | undefined;
  retry: Timer | undefined;
}

/** The replicas that are on their way to another log dir (KIP-113); a bounded number of them is copied at a time. */
export class ReplicaMoves {
  readonly #input: ReplicaMovesInput;
  readonly #throttle: MoveThrottle;
  /** By name of the partition. */
  readonly #entries = new Map<string, Entry>();
  /** Moves that were cancelled and have not noticed yet. */
  readonly #ending = new Set<Promise<void>>();
  #isStarted = false;

  constructor(input: ReplicaMovesInput) {
    this.#input = input;
    const { clock, timers } = input.ports;
    this.#throttle = new MoveThrottle(clock, timers, input.bytesPerSecondMax);
  }

  /** The copies, unfinished as they are. */
  *copies(): IterableIterator<PartitionLog> {
    for (const { move } of this.#entries.values()) yield move.copy;
  }

  isMoving(log: PartitionLog): boolean {
    return this.#entries.has(keyOf(log));
  }

  /** Moves run from now on. */
  start(): void {
    this.#isStarted = true;
    this.#runNext();
  }

  /** Begins to copy a log into `dir`. What is copied to another dir already is dropped. Throws ProtocolError. */
  move(log: PartitionLog, dir: LogDir): void {
    const before = this.#entries.get(keyOf(log));
    if (before?.move.copy.parentDir === dir.path) return;
    this.cancel(log);
    if (log.parentDir === dir.path) return;
    if (log.isOffline) throw storageError(`${log.dir} is offline`);
    if (this.#input.isDirOffline()) throw storageError(`a dir that is offline may have a copy of ${log.dir}`);
    const { topic, partition } = log;
    const folder = names.futureFolder(topic, partition, this.#input.ports.random);
    guarded(() => dir.begin(keyOf(log)));
    const copy = this.#open(`${dir.path}/${folder}`, log, undefined);
    dir.logs.set(keyOf(log), copy);
    this.#add(log, copy);
  }

  /** Goes on with the copies that a start has found in the dirs. */
  resume(sourceOf: (name: string) => PartitionLog | undefined): void {
    for (const dir of this.#input.dirs) {
      for (const [name, copy] of [...dir.logs]) {
        const source = sourceOf(name);
        // Without its dir the copy waits for a start that has it.
        if (source === undefined || source === copy || dir.failure !== undefined) continue;
        if (source.topicId === copy.topicId) {
          this.#add(source, copy);
          continue;
        }
        const { logger } = this.#input.ports;
        logger.warn(`${copy.dir} has topic id ${copy.topicId}, not ${source.topicId}, and is removed`);
        copy.abandon(new MoveEndedError());
        this.#discard(copy, copy.dir);
      }
    }
  }

  /** The log is to stay where it is, or goes. Throws ProtocolError. */
  cancel(log: PartitionLog): void {
    const move = this.#end(log);
    if (move !== undefined) this.#discard(move.copy, move.folder);
  }

  /** Ends the moves from and to a dir that has failed. What there is of a copy is left for a start with both dirs. */
  dirFailed(dir: LogDir): void {
    for (const [name, { move, retry }] of [...this.#entries]) {
      if (move.copy.parentDir === dir.path) this.#end(move.source);
      else if (move.source.parentDir === dir.path) {
        // The copy stays open, to be closed in order with the others of its dir.
        move.end();
        retry?.cancel();
        this.#entries.delete(name);
      }
    }
  }

  sourceWasCut(source: PartitionLog): void {
    this.#entries.get(keyOf(source))?.move.sourceWasCut();
  }

  /** Ends all moves; the copies stay open. Resolves when nothing touches them any more. */
  async stop(): Promise<void> {
    this.#isStarted = false;
    const runs = [...this.#ending];
    for (const entry of this.#entries.values()) {
      entry.retry?.cancel();
      entry.move.end();
      if (entry.run !== undefined) runs.push(entry.run);
    }
    this.#throttle.wake();
    await Promise.all(runs);
  }

  #add(source: PartitionLog, copy: PartitionLog): void {
    this.#watch(copy);
    const move = new ReplicaMove({
      ports: this.#input.ports,
      throttle: this.#throttle,
      source,
      copy,
      open: (dir, cleanEnd) => this.#open(dir, source, cleanEnd),
      replace: (next) => this.#replace(source, next),
    });
    this.#entries.set(keyOf(source), { move, run: undefined, retry: undefined });
    this.#runNext();
  }

  #runNext(): void {
    if (!this.#isStarted) return;
    let room = Math.max(1, this.#input.threads());
    for (const { run } of this.#entries.values()) if (run !== undefined) room -= 1;
    for (const entry of this.#entries.values()) {
      if (room <= 0) return;
      if (entry.run !== undefined || entry.retry !== undefined) continue;
      room -= 1;
      entry.run = this.#run(entry);
    }
  }

  async #run(entry: Entry): Promise<void> {
    const { move } = entry;
    try {
      await move.run();
      this.#entries.delete(keyOf(move.source));
      const { topic, partition, parentDir } = move.copy;
      this.#input.ports.logger.info(`${topic}-${partition} has moved to ${parentDir}`);
    } catch (error) {
      this.#failed(entry, error);
    }
    entry.run = undefined;
    this.#runNext();
  }

  #failed(entry: Entry, error: unknown): void {
    const { source, copy } = entry.move;
    if (error instanceof MoveEndedError || this.#entries.get(keyOf(source)) !== entry) return;
    const { logger, timers } = this.#input.ports;
    logger.warn(`${keyOf(source)} could not be moved to ${copy.parentDir} and is tried again`, {
      error: error instanceof Error ? error.message : String(error),
      retryMs: RETRY_MS,
    });
    entry.retry = timers.after(RETRY_MS, () => {
      entry.retry = undefined;
      this.#runNext();
    });
  }

  #end(log: PartitionLog): ReplicaMove | undefined {
    const entry = this.#entries.get(keyOf(log));
    if (entry === undefined) return undefined;
    this.#entries.delete(keyOf(log));
    entry.retry?.cancel();
    entry.move.cancel();
    const { run } = entry;
    if (run !== undefined) {
      this.#ending.add(run);
      void run.finally(() => this.#ending.delete(run));
    }
    this.#throttle.wake();
    this.#runNext();
    return entry.move;
  }

  /** `cleanEnd`: all below is in the folder, and synced. */
  #open(dir: string, source: PartitionLog, cleanEnd: number | undefined): PartitionLog {
    const { topic, partition, topicId, config } = source;
    const log = openLog({
      dir,
      topic,
      partition,
      topicId,
      config,
      ports: this.#input.ports,
      shared: this.#input.shared,
      cleanShutdown: cleanEnd !== undefined,
      recoveryPoint: cleanEnd ?? 0,
      logStartOffset: cleanEnd === undefined ? source.firstSegmentOffset : source.logStartOffset,
    });
    this.#watch(log);
    return log;
  }

  /** The last turn of a move: `next` serves from now on, and the old folder goes. */
  #replace(source: PartitionLog, next: PartitionLog): void {
    const [from, to] = [this.#dirOf(source), this.#dirOf(next)];
    from.forget(keyOf(source));
    const left = this.#leave(source, from);
    this.#input.onReplaced(source, next, to);
    source.handOver(next);
    this.#input.onDirChanged(to);
    if (left instanceof Error) {
      this.#input.failDir(from, left);
      return;
    }
    if (from.failure !== undefined) return;
    this.#input.onDirChanged(from);
    if (left !== undefined) this.#input.remove(left, next.config.fileDeleteDelayMs);
  }

  /**
   * Gives the folder of a replica that has moved its `-delete` name before anything is answered from the other folder: it
   * must not come back, to be served where the other dir is away. The new name, undefined where there is nothing, or
   * what failed.
   */
  #leave(source: PartitionLog, from: LogDir): string | undefined | Error {
    if (from.failure !== undefined || !source.leaderEpochCache.folder.mayExist) return undefined;
    try {
      return this.#markDeleted(source, source.dir);
    } catch (error) {
      return asProtocolError(error);
    }
  }

  #discard(copy: PartitionLog, folder: string): void {
    const dir = this.#dirOf(copy);
    dir.forget(keyOf(copy));
    if (dir.failure !== undefined || !copy.leaderEpochCache.folder.mayExist) return;
    this.#input.remove(this.#markDeleted(copy, folder), 0);
  }

  /** Synced: after a power loss neither is an older copy there to be served nor a move that was cancelled to go on. */
  #markDeleted({ topic, partition, parentDir }: PartitionLog, folder: string): string {
    const { storage, random } = this.#input.ports;
    const target = `${parentDir}/${names.deleteFolder(topic, partition, random)}`;
    guarded(() => {
      storage.rename(folder, target);
      storage.syncNow(parentDir);
    });
    return target;
  }

  #watch(copy: PartitionLog): void {
    const dir = this.#dirOf(copy);
    copy.onOffline = (_, error) => this.#input.failDir(dir, error);
    copy.beforeCut = () => dir.lowerCheckpoints(copy);
  }

  #dirOf({ parentDir }: PartitionLog): LogDir {
    return this.#input.dirs.find(({ path }) => path === parentDir)!;
  }
}

/**
 * Gives copies the name of their partition where there is nothing else of it: the dir with the replica that they were to
 * replace is gone for good. To be asked only where no dir is offline.
 */
export function nameLonelyCopies(
  storage: Storage,
  dirs: readonly LogDir[],
  ports: Pick<LogPorts, 'logger'>,
): void {
  const copies: { dir: string; name: string; folder: names.PartitionFolder }[] = [];
  const there = new Set<string>();
  try {
    for (const { path } of dirs) {
      for (const { name, isDirectory } of storage.list(path)) {
        const folder = isDirectory ? names.parseFolder(name) : undefined;
        if (folder?.kind === 'partition') there.add(name);
        if (folder?.kind !== 'future') continue;
        const hasId = storage.sizeOf(`${path}/${name}/${names.PARTITION_METADATA}`) !== undefined;
        if (hasId) copies.push({ dir: path, name, folder });
      }
    }
    for (const { dir, name, folder } of copies) {
      const target = names.partitionFolder(folder.topic, folder.partition);
      if (there.has(target)) continue;
      there.add(target);
      storage.rename(`${dir}/${name}`, `${dir}/${target}`);
      ports.logger.warn(`${dir}/${name} is all there is of ${target}, and takes its place`);
    }
  } catch (error) {
    // Whoever loads the dir will meet it again.
    if (!(error instanceof StorageError)) throw error;
  }
}

const keyOf = ({ topic, partition }: PartitionLog): string => names.partitionFolder(topic, partition);
