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
import { recoverLogs } from './recovery-job.ts';
import { guarded } from './storage-errors.ts';
import type { LogPorts } from './types.ts';

/** Work on the loop goes on for so long before others get their turn. */
const SLICE_MS = 5;
/** One job recovers so much, or so many folders: less costs messages, more leaves threads without work at the end. */
const JOB_BYTES = 32 * 1024 * 1024;
const JOB_FOLDERS = 64;
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
  /** It begins with message format 0 or 1, which goes before all else. */
  readonly isOld: boolean;
}

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
  /** By topic: the partitions of one share them. */
  readonly #configs = new Map<string, LogConfig>();
  readonly #conversion: OldFormatConversion;

  constructor(input: DirLoadingInput) {
    this.#input = input;
    this.#conversion = new OldFormatConversion(input.ports, input.shared.options.plainBytesMax);
  }

  /** Rejects with ProtocolError(KAFKA_STORAGE_ERROR), StorageError or LoadInterruptedError once nothing runs any more. */
  async run(folders: readonly (readonly [string, names.PartitionFolder])[]): Promise<void> {
    this.#startSlice();
    const plan: Folder[] = [];
    for (const [name, folder] of folders) {
      if (this.#isSliceOver()) await this.#nextSlice();
      plan.push(guarded(() => this.#plan(name, folder)));
    }
    await this.#convertOld(plan);
    const unread = plan.filter(({ bytes }) => bytes > 0);
    const bytes = unread.reduce((sum, one) => sum + one.bytes, 0);
    if (bytes > 0) this.#progress = new RecoveryProgress(this.#input, unread.length, bytes);
    try {
      for (const one of plan) {
        if (one.bytes > 0) continue;
        if (this.#isSliceOver()) await this.#nextSlice();
        this.#open(one, undefined);
      }
      if (bytes < this.#input.shared.options.offLoopRecoveryBytes) await this.#recoverHere(unread);
      else await this.#recoverAside(unread);
      // Nobody is served before.
      if (this.#hasForgottenHoles) guarded(() => this.#input.dir.keepCleanedEnds());
      this.#progress?.finished();
    } finally {
      this.#progress?.close();
    }
  }

  /** `run` rejects soon, with what it has opened left open. */
  interrupt(): void {
    this.#isInterrupted = true;
    for (const run of this.#runs) run.cancel();
    this.#conversion.cancel();
  }

  /** Several folders at once; what is planned for them afterwards takes the place of what was. */
  async #convertOld(plan: Folder[]): Promise<void> {
    const old = plan.flatMap(({ isOld }, at) => (isOld ? [at] : []));
    const next = async (): Promise<void> => {
      for (let at = old.shift(); at !== undefined; at = old.shift()) {
        const { name, folder, config } = plan[at]!;
        await this.#conversion.convert(`${this.#input.dir.path}/${name}`, config);
        plan[at] = guarded(() => this.#plan(name, folder));
      }
    };
    const threads = Array.from({ length: Math.min(this.#input.threads, old.length) }, next);
    const ended = await Promise.allSettled(threads);
    if (this.#isInterrupted) throw new LoadInterruptedError();
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
  }

  #plan(name: string, folder: names.PartitionFolder): Folder {
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
    const isOld = this.#conversion.isNeededIn(path, files);
    return { name, key, folder, config: this.#configOf(folder.topic), files, bytes, isOld };
  }

  #configOf(topic: string): LogConfig {
    let config = this.#configs.get(topic);
    if (config === undefined) {
      config = this.#input.configFor(topic);
      this.#configs.set(topic, config);
    }
    return config;
  }

  async #recoverHere(folders: readonly Folder[]): Promise<void> {
    if (folders.length === 0) return;
    const { ports } = this.#input;
    const buffer = recoveryBuffer();
    for (const folder of folders) {
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

  async #recoverAside(folders: readonly Folder[]): Promise<void> {
    const jobs = jobsOf(folders);
    let failure: unknown;
    const next = async (): Promise<void> => {
      for (let job = jobs.shift(); job !== undefined && failure === undefined; job = jobs.shift()) {
        try {
          await this.#runJob(job);
        } catch (error) {
          failure ??= error;
          for (const run of this.#runs) run.cancel();
        }
      }
    };
    await Promise.all(Array.from({ length: this.#input.threads }, next));
    if (this.#isInterrupted) throw new LoadInterruptedError();
    if (failure !== undefined) throw failure;
  }

  async #runJob(folders: readonly Folder[]): Promise<void> {
    if (this.#isInterrupted) throw new LoadInterruptedError();
    const input = folders.map((folder) => this.#toRecover(folder));
    const run = this.#input.ports.background.run(recoverLogs, input, (bytes) => this.#progress?.read(bytes));
    this.#runs.add(run);
    let recovered: readonly RecoveredFolder[];
    try {
      recovered = await run.done;
    } finally {
      this.#runs.delete(run);
    }
    for (const [at, folder] of folders.entries()) {
      if (this.#isSliceOver()) await this.#nextSlice();
      this.#open(folder, recovered[at]);
    }
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

function jobsOf(folders: readonly Folder[]): Folder[][] {
  const jobs: Folder[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const folder of folders) {
    const last = jobs.at(-1);
    if (last === undefined || bytes + folder.bytes > JOB_BYTES || last.length >= JOB_FOLDERS) {
      jobs.push([folder]);
      bytes = folder.bytes;
    } else {
      last.push(folder);
      bytes += folder.bytes;
    }
  }
  return jobs;
}

/** Says once a second how far the recovery of a dir is, and at the end how long it took. */
class RecoveryProgress {
  readonly #input: DirLoadingInput;
  readonly #logs: number;
  readonly #bytes: number;
  readonly #startMs: number;
  #timer: Timer | undefined;
  #doneLogs = 0;
  #doneBytes = 0;

  constructor(input: DirLoadingInput, logs: number, bytes: number) {
    this.#input = input;
    this.#logs = logs;
    this.#bytes = bytes;
    this.#startMs = input.ports.clock.monotonicMs();
    this.#plan();
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
