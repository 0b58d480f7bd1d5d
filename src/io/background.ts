import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import {
  type Background,
  type BackgroundJob,
  type BackgroundRun,
  CancelledError,
  type Logger,
  StorageError,
} from '../base/ports.ts';
import { CANCELLED, type FromWorker, type PlainError, type ToWorker } from './background-messages.ts';
import type { StartFlags } from './start-flags.ts';

/** A worker costs some 10 MB, so one that had nothing to do for so long is ended. */
const IDLE_MS = 5_000;
/**
 * Patient jobs come again and again. A new worker runs slow code first and compiles it meanwhile, on threads that take the
 * processors from the loop: beside the first compaction a producer waited five times as long as beside the next ones.
 */
const IDLE_MS_AFTER_PATIENT = 10 * 60 * 1000;

export interface WorkerBackgroundOptions {
  /** The module that calls `serveBackground`. */
  readonly entry: URL;
  /** Runs jobs where no worker can be started. */
  readonly fallback: Background;
  readonly logger: Logger;
  /** Default: as many as the machine has processors, 8 at most. More jobs wait. */
  readonly workersMax?: number;
  /** After jobs that are not patient. Default: 5,000. */
  readonly idleMs?: number;
  readonly startFlags?: StartFlags | undefined;
}

interface Run {
  readonly job: BackgroundJob<unknown, unknown, unknown>;
  readonly input: unknown;
  readonly signal: Int32Array;
  readonly onProgress: ((progress: unknown) => void) | undefined;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  run: Run | undefined;
  isOnline: boolean;
  idleTimer: NodeJS.Timeout | undefined;
  hasBeenPatient: boolean;
}

/** Whether Node can load the module: TypeScript only where it strips types. */
export function canRunAsWorker(entry: URL): boolean {
  if (entry.protocol !== 'file:' || !existsSync(fileURLToPath(entry))) return false;
  return !entry.pathname.endsWith('.ts') || Boolean(Reflect.get(process.features, 'typescript'));
}

/** Background jobs in worker threads, which are started when there is work and ended when there is none for a while. */
export class WorkerBackground implements Background {
  readonly #options: WorkerBackgroundOptions;
  readonly #workersMax: number;
  readonly #threads = new Set<Thread>();
  readonly #waiting: Run[] = [];
  /** No worker could be started. */
  #isBroken = false;
  #isClosed = false;

  constructor(options: WorkerBackgroundOptions) {
    this.#options = options;
    this.#workersMax = options.workersMax ?? Math.min(8, availableParallelism());
  }

  get workerCount(): number {
    return this.#threads.size;
  }

  run<In, Out, Progress>(
    job: BackgroundJob<In, Out, Progress>,
    input: In,
    onProgress?: (progress: Progress) => void,
  ): BackgroundRun<Out> {
    if (this.#isBroken) return this.#options.fallback.run(job, input, onProgress);
    const signal = new Int32Array(new SharedArrayBuffer(4));
    let inline: BackgroundRun<Out> | undefined;
    let isCancelled = false;
    const done = new Promise<Out>((resolve, reject) => {
      const run: Run = {
        job,
        input,
        signal,
        onProgress: onProgress as Run['onProgress'],
        resolve: resolve as Run['resolve'],
        reject: (error) => {
          if (!(error instanceof NoWorkerError)) return reject(error);
          inline = this.#options.fallback.run(job, input, onProgress);
          if (isCancelled) inline.cancel();
          inline.done.then(resolve, reject);
        },
      };
      this.#waiting.push(run);
      this.#next();
    });
    const cancel = () => {
      isCancelled = true;
      Atomics.store(signal, 0, CANCELLED);
      Atomics.notify(signal, 0);
      inline?.cancel();
      this.#dropCancelled();
    };
    return { done, cancel };
  }

  close(): void {
    this.#isClosed = true;
    for (const thread of this.#threads) if (thread.run === undefined) this.#end(thread);
  }

  #end(thread: Thread): void {
    clearTimeout(thread.idleTimer);
    this.#threads.delete(thread);
    void thread.worker.terminate();
  }

  /** Those that no worker has begun need none to end. */
  #dropCancelled(): void {
    for (let at = this.#waiting.length - 1; at >= 0; at -= 1) {
      const run = this.#waiting[at]!;
      if (Atomics.load(run.signal, 0) !== CANCELLED) continue;
      this.#waiting.splice(at, 1);
      run.reject(new CancelledError(run.job.name));
    }
  }

  #next(): void {
    while (this.#waiting.length > 0) {
      const thread = this.#idleThread();
      if (thread === undefined) return;
      const run = this.#waiting.shift()!;
      clearTimeout(thread.idleTimer);
      thread.run = run;
      thread.worker.ref();
      const message: ToWorker = { job: run.job.name, input: run.input, signal: run.signal };
      try {
        thread.worker.postMessage(message);
      } catch (error) {
        // The input is no plain data.
        this.#release(thread);
        run.reject(error instanceof Error ? error : new Error(String(error)));
      }
    }
  }

  #idleThread(): Thread | undefined {
    for (const thread of this.#threads) if (thread.run === undefined) return thread;
    return this.#threads.size < this.#workersMax ? this.#startThread() : undefined;
  }

  #startThread(): Thread {
    this.#options.startFlags?.threadStarts();
    const worker = new Worker(this.#options.entry, { name: 'background' });
    const thread: Thread = {
      worker,
      run: undefined,
      isOnline: false,
      idleTimer: undefined,
      hasBeenPatient: false,
    };
    this.#threads.add(thread);
    let failure: Error | undefined;
    worker.on('message', (message: FromWorker) => this.#onMessage(thread, message));
    worker.on('error', (error) => {
      failure = error instanceof Error ? error : new Error(String(error));
    });
    worker.on('exit', (code) =>
      this.#onExit(thread, failure ?? new Error(`a worker ended with code ${code}`)),
    );
    return thread;
  }

  #onMessage(thread: Thread, message: FromWorker): void {
    if (message.kind === 'ready') {
      thread.isOnline = true;
      this.#options.startFlags?.threadRuns();
      return;
    }
    const { run } = thread;
    if (run === undefined) return;
    if (message.kind === 'progress') {
      run.onProgress?.(message.progress);
      return;
    }
    this.#release(thread);
    if (message.kind === 'result') run.resolve(message.result);
    else run.reject(revived(message.error, run.job.name));
    this.#next();
  }

  #release(thread: Thread): void {
    if (thread.run?.job.isPatient === true) thread.hasBeenPatient = true;
    thread.run = undefined;
    // An idle worker keeps no process alive.
    thread.worker.unref();
    let idleMs = thread.hasBeenPatient ? IDLE_MS_AFTER_PATIENT : (this.#options.idleMs ?? IDLE_MS);
    if (this.#isClosed) idleMs = 0;
    thread.idleTimer = setTimeout(() => this.#end(thread), idleMs).unref();
  }

  #onExit(thread: Thread, failure: Error): void {
    if (!thread.isOnline) this.#options.startFlags?.threadRuns();
    clearTimeout(thread.idleTimer);
    this.#threads.delete(thread);
    const { run } = thread;
    thread.run = undefined;
    if (!thread.isOnline && run !== undefined) {
      if (!this.#isBroken) {
        this.#options.logger.warn('No background thread can be started: its work is done between requests', {
          error: failure.message,
        });
      }
      this.#isBroken = true;
      for (const waiting of [run, ...this.#waiting.splice(0)]) waiting.reject(new NoWorkerError());
      return;
    }
    run?.reject(failure);
    this.#next();
  }
}

/** Stays inside: the job runs on the loop instead. */
class NoWorkerError extends Error {}

function revived(error: PlainError, job: string): Error {
  if (error.kind === 'cancelled') return new CancelledError(job);
  if (error.kind === 'storage') return new StorageError(error.code, error.path, error.message);
  return new Error(`${job}: ${error.message}`, { cause: error.stack });
}
