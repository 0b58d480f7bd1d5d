import type { BackgroundRun, Timer } from '../base/ports.ts';
import type { LogConfig } from '../config/log-config.ts';
import * as names from './file-names.ts';
import {
  type FolderToRecover,
  type RecoveredFolder,
  recoverFolder,
  recoveryBuffer,
} from './folder-recovery.ts';
import { listFiles } from './leftovers.ts';
import { folderToRecover, logNotes, openLog } from './loader.ts';
import type { PartitionLog } from './log.ts';
import type { LogDir } from './log-dir.ts';
import type { SharedLogState } from './log-options.ts';
import { OldFormatConversion } from './old-format-conversion.ts';
import { beginsInOldFormat } from './old-segments.ts';
import { recoverLogs } from './recovery-job.ts';
import { RecoveryThreads } from './recovery-threads.ts';
import { guarded } from './storage-errors.ts';
import type { LogPorts } from './types.ts';

/** Work on the loop goes on for so long before others get their turn. */
const SLICE_MS = 5;
const PROGRESS_MS = 1000;

/** `LogManager.load` was cut short by `interrupt`. */
export class LoadInterruptedError extends Error {
  constructor() {
    super('the loading of the logs was interrupted');
    this.name = 'LoadInterruptedError';
  }
}

export interface DirLoadingInput {
  readonly dir: LogDir;
  readonly configFor: (topic: string) => LogConfig;
  readonly ports: LogPorts;
  readonly shared: SharedLogState;
  /** How many jobs recover folders at the same time. */
  readonly threads: number;
  readonly adopt: (folder: names.PartitionFolder, log: PartitionLog) => void;
}

interface Folder {
  readonly name: string;
  /** The partition's, which the checkpoints know it by. */
  readonly key: string;
  readonly folder: names.PartitionFolder;
  readonly config: LogConfig;
  readonly files: readonly string[];
  /** What must be read before the log can be opened, in bytes; 0 where opening it is all there is to do. */
  readonly bytes: number;
}

type NamedFolder = readonly [name: string, folder: names.PartitionFolder];

/**
 * Opens the partitions of one log dir. What a crash left is recovered first: below `offLoopRecoveryBytes` in all it is done
 * here, in slices between which others get their turn, since a thread costs more to start than that takes; from there
 * on in background jobs, several at a time. Partitions are opened as soon as they are recovered.
 */
export class DirLoading {
  readonly #input: DirLoadingInput;
  readonly #runs = new Set<BackgroundRun<unknown>>();
  #isInterrupted = false;
  #sliceEndMs = 0;
  #progress: RecoveryProgress | undefined;
  /** Logs have holes that no checkpoint tells of. */
  #hasForgottenHoles = false;
  /** No folder is looked through for old message formats any more. */
  #isConverted = false;
  /** By topic: the partitions of one share them. */
  readonly #configs = new Map<string, LogConfig>();
  readonly #conversion: OldFormatConversion;

  constructor(input: DirLoadingInput) {
    this.#input = input;
    this.#conversion = new OldFormatConversion(input.ports, input.shared.options.plainBytesMax);
  }

  /** Rejects with ProtocolError(KAFKA_STORAGE_ERROR), StorageError or LoadInterruptedError once nothing runs any more. */
  async run(folders: readonly NamedFolder[]): Promise<void> {
    this.#startSlice();
    try {
      const old = await this.#load(folders);
      if (old.length > 0) {
        await this.#convert(old);
        this.#isConverted = true;
        await this.#load(old);
      }
      // Nobody is served before.
      this.#keepHoles();
      this.#progress?.finished();
    } catch (error) {
      // What was opened is closed in order: the next start does not read it again.
      if (error instanceof LoadInterruptedError) this.#keepHoles();
      throw error;
    } finally {
      this.#progress?.close();
    }
  }

  /** Opens folders, all but those that it returns: they begin with message format 0 or 1. */
  async #load(folders: readonly NamedFolder[]): Promise<readonly NamedFolder[]> {
    const old: NamedFolder[] = [];
    const threads = new RecoveryThreads<Folder>(this.#input.threads, (job) => this.#runJob(job, old));
    try {
      const few = await this.#planAll(folders, threads, old);
      await this.#recoverHere(few, old);
    } catch (error) {
      threads.stop();
      for (const run of this.#runs) run.cancel();
      await threads.over().catch(() => {});
      throw error;
    }
    try {
      await threads.over();
    } catch (error) {
      throw this.#isInterrupted ? new LoadInterruptedError() : error;
    }
    return old;
  }

  /**
   * Opens what needs no recovery and gives the rest to the threads, who begin while more is looked at. Returns what there
   * is to recover where it is not worth a thread.
   */
  async #planAll(
    folders: readonly NamedFolder[],
    threads: RecoveryThreads<Folder>,
    old: NamedFolder[],
  ): Promise<Folder[]> {
    const waiting: Folder[] = [];
    let bytes = 0;
    for (const named of folders) {
      if (this.#isSliceOver()) await this.#nextSlice();
      const folder = guarded(() => this.#plan(named));
      if (folder.bytes === 0) {
        if (guarded(() => this.#beginsOld(folder))) old.push(named);
        else this.#open(folder, undefined);
        continue;
      }
      this.#progress ??= new RecoveryProgress(this.#input);
      this.#progress.planned(folder.bytes);
      waiting.push(folder);
      bytes += folder.bytes;
      if (bytes < this.#input.shared.options.offLoopRecoveryBytes) continue;
      for (const one of waiting.splice(0)) threads.add(one);
    }
    return waiting;
  }

  /** `run` rejects soon, with what it has opened left open. */
  interrupt(): void {
    this.#isInterrupted = true;
    for (const run of this.#runs) run.cancel();
    this.#conversion.cancel();
  }

  /** Several folders at once. */
  async #convert(old: readonly NamedFolder[]): Promise<void> {
    const waiting = old.values();
    const next = async (): Promise<void> => {
      for (const [name, { topic }] of waiting) {
        await this.#conversion.convert(`${this.#input.dir.path}/${name}`, this.#configOf(topic));
      }
    };
    const threads = Array.from({ length: Math.min(this.#input.threads, old.length) }, next);
    const ended = await Promise.allSettled(threads);
    if (this.#isInterrupted) throw new LoadInterruptedError();
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
  }

  #plan([name, folder]: NamedFolder): Folder {
    const { dir, ports } = this.#input;
    const path = `${dir.path}/${name}`;
    const files = listFiles(ports.storage, path);
    const logs = files.filter((file) => file.endsWith(names.LOG_SUFFIX));
    const key = names.partitionFolder(folder.topic, folder.partition);
    const recoveryPoint = dir.recoveryPoints.get(key) ?? 0;
    const above = logs.findLastIndex((file) => (names.offsetOf(file) ?? 0) <= recoveryPoint);
    // Folders of before there were snapshots are read once, too.
    const hasProducers = files.some((file) => file.endsWith(names.SNAPSHOT_SUFFIX));
    let bytes = 0;
    for (const [at, file] of logs.entries()) {
      const isIndexed = files.includes(file.slice(0, -names.LOG_SUFFIX.length) + names.INDEX_SUFFIX);
      const isTrusted = dir.cleanShutdown ? hasProducers : at < above;
      if (!isTrusted || !isIndexed) bytes += ports.storage.sizeOf(`${path}/${file}`) ?? 0;
    }
    return { name, key, folder, config: this.#configOf(folder.topic), files, bytes };
  }

  #beginsOld({ name, files }: Folder): boolean {
    if (this.#isConverted) return false;
    return beginsInOldFormat(this.#input.ports.storage, `${this.#input.dir.path}/${name}`, files);
  }

  #configOf(topic: string): LogConfig {
    let config = this.#configs.get(topic);
    if (config === undefined) {
      config = this.#input.configFor(topic);
      this.#configs.set(topic, config);
    }
    return config;
  }

  async #recoverHere(folders: readonly Folder[], old: NamedFolder[]): Promise<void> {
    if (folders.length === 0) return;
    const { ports } = this.#input;
    const buffer = recoveryBuffer();
    for (const folder of folders) {
      if (guarded(() => this.#beginsOld(folder))) {
        this.#leaveOld(folder, old);
        continue;
      }
      const steps = recoverFolder(this.#toRecover(folder), ports, buffer);
      try {
        for (;;) {
          if (this.#isSliceOver()) await this.#nextSlice();
          const step = steps.next();
          if (step.done === true) {
            this.#open(folder, step.value);
            break;
          }
          this.#progress?.read(step.value?.progress ?? 0);
        }
      } finally {
        // Its value goes nowhere.
        steps.return(undefined as never);
      }
    }
  }

  async #runJob(folders: readonly Folder[], old: NamedFolder[]): Promise<void> {
    if (this.#isInterrupted) throw new LoadInterruptedError();
    const input = folders.map((folder) => this.#toRecover(folder));
    const { background } = this.#input.ports;
    const job = { folders: input, areConverted: this.#isConverted };
    const run = background.run(recoverLogs, job, (bytes) => this.#progress?.read(bytes));
    this.#runs.add(run);
    let recovered: readonly (RecoveredFolder | undefined)[];
    try {
      recovered = await run.done;
    } catch (error) {
      for (const other of this.#runs) other.cancel();
      throw error;
    } finally {
      this.#runs.delete(run);
    }
    for (const [at, folder] of folders.entries()) {
      if (this.#isSliceOver()) await this.#nextSlice();
      const one = recovered[at];
      if (one === undefined) this.#leaveOld(folder, old);
      else this.#open(folder, one);
    }
  }

  #leaveOld({ name, folder, bytes }: Folder, old: NamedFolder[]): void {
    old.push([name, folder]);
    this.#progress?.planned(-bytes);
  }

  #toRecover({ name, key, config, files }: Folder): FolderToRecover {
    const { dir } = this.#input;
    return folderToRecover({
      dir: `${dir.path}/${name}`,
      config,
      cleanShutdown: dir.cleanShutdown,
      recoveryPoint: dir.recoveryPoints.get(key) ?? 0,
      files,
      cleanedEnd: dir.cleanedEnds.get(key),
    });
  }

  #open({ name, key, folder, config, files, bytes }: Folder, recovered: RecoveredFolder | undefined): void {
    const { dir, ports, shared, adopt } = this.#input;
    if (recovered !== undefined) logNotes(ports.logger, recovered.notes);
    const log = openLog({
      dir: `${dir.path}/${name}`,
      topic: folder.topic,
      partition: folder.partition,
      topicId: undefined,
      config,
      ports,
      shared,
      cleanShutdown: dir.cleanShutdown,
      files: bytes === 0 ? files : undefined,
      recovered,
      recoveryPoint: dir.recoveryPoints.get(key) ?? 0,
      logStartOffset: dir.logStarts.get(key),
      cleanedEnd: dir.cleanedEnds.get(key),
    });
    log.updateHighWatermark(dir.highWatermarks.get(key) ?? 0);
    if (recovered?.hasHoles === true && log.cleanedEnd === undefined) {
      log.cleanedEnd = log.logStartOffset;
      this.#hasForgottenHoles = true;
    }
    if (bytes > 0) this.#progress?.opened();
    adopt(folder, log);
  }

  #keepHoles(): void {
    if (this.#hasForgottenHoles) guarded(() => this.#input.dir.keepCleanedEnds());
  }

  #startSlice(): void {
    this.#sliceEndMs = this.#input.ports.clock.monotonicMs() + SLICE_MS;
  }

  #isSliceOver(): boolean {
    if (this.#isInterrupted) throw new LoadInterruptedError();
    return this.#input.ports.clock.monotonicMs() >= this.#sliceEndMs;
  }

  async #nextSlice(): Promise<void> {
    await new Promise<void>((resolve) => this.#input.ports.turn.later(resolve));
    this.#startSlice();
  }
}

/** Says once a second how far the recovery of a dir is, and at the end how long it took. */
class RecoveryProgress {
  readonly #input: DirLoadingInput;
  readonly #startMs: number;
  #timer: Timer | undefined;
  #logs = 0;
  #bytes = 0;
  #doneLogs = 0;
  #doneBytes = 0;

  constructor(input: DirLoadingInput) {
    this.#input = input;
    this.#startMs = input.ports.clock.monotonicMs();
    this.#plan();
  }

  /** Another log is to be recovered; negative bytes take one back. */
  planned(bytes: number): void {
    this.#logs += Math.sign(bytes);
    this.#bytes += bytes;
  }

  read(bytes: number): void {
    this.#doneBytes += bytes;
  }

  opened(): void {
    this.#doneLogs += 1;
  }

  finished(): void {
    const { dir, ports } = this.#input;
    const tookMs = Math.round(this.#elapsedMs());
    const why = dir.cleanShutdown ? 'had parts missing' : 'were not closed in order';
    ports.logger.info(`recovered ${this.#logs} logs in ${dir.path} that ${why}`, {
      bytes: this.#bytes,
      tookMs,
    });
  }

  close(): void {
    this.#timer?.cancel();
  }

  #elapsedMs(): number {
    return this.#input.ports.clock.monotonicMs() - this.#startMs;
  }

  #plan(): void {
    this.#timer = this.#input.ports.timers.after(PROGRESS_MS, () => {
      this.#tell();
      this.#plan();
    });
  }

  #tell(): void {
    const { dir, ports } = this.#input;
    const done = this.#doneBytes / this.#bytes;
    const secondsLeft = done > 0 ? Math.ceil((this.#elapsedMs() / 1000) * (1 / done - 1)) : undefined;
    const mebi = (bytes: number) => Math.round(bytes / (1024 * 1024));
    const left = secondsLeft === undefined ? '' : `, about ${Math.max(0, secondsLeft)} s left`;
    ports.logger.info(
      `recovering ${dir.path}: ${this.#doneLogs} of ${this.#logs} logs, ${mebi(this.#doneBytes)} of ${mebi(this.#bytes)} MiB${left}`,
    );
  }
}
