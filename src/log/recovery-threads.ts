/** One job recovers so much, or so many folders: less costs messages, more leaves threads without work at the end. */
const JOB_BYTES = 32 * 1024 * 1024;
const JOB_FOLDERS = 64;

/**
 * Shares folders out to jobs, several of which run at a time, while more folders come. Holds what the dir holds: names. Once
 * a job has failed no further one begins.
 */
export class RecoveryThreads<Folder extends { readonly bytes: number }> {
  readonly #threads: number;
  readonly #run: (folders: readonly Folder[]) => Promise<void>;
  readonly #jobs: Folder[][] = [];
  /** Of the last job, which more folders join. */
  #lastBytes = 0;
  #running = 0;
  #isComplete = false;
  #failure: { readonly error: unknown } | undefined;
  #end: (() => void) | undefined;

  constructor(threads: number, run: (folders: readonly Folder[]) => Promise<void>) {
    this.#threads = threads;
    this.#run = run;
  }

  add(folder: Folder): void {
    const last = this.#jobs.at(-1);
    if (last === undefined || this.#lastBytes + folder.bytes > JOB_BYTES || last.length >= JOB_FOLDERS) {
      this.#jobs.push([folder]);
      this.#lastBytes = folder.bytes;
      this.#next();
    } else {
      last.push(folder);
      this.#lastBytes += folder.bytes;
    }
  }

  /** No more folders come. Resolves once all jobs are over; rejects with the first failure, once nothing runs any more. */
  async over(): Promise<void> {
    this.#isComplete = true;
    await new Promise<void>((resolve) => {
      this.#end = resolve;
      this.#next();
    });
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** No further job begins. */
  stop(): void {
    this.#jobs.length = 0;
  }

  #next(): void {
    while (this.#running < this.#threads && this.#jobs.length > (this.#isComplete ? 0 : 1)) {
      this.#running += 1;
      this.#run(this.#jobs.shift()!)
        .catch((error: unknown) => {
          this.#failure ??= { error };
          this.stop();
        })
        .then(() => {
          this.#running -= 1;
          this.#next();
        });
    }
    if (this.#isComplete && this.#running === 0) this.#end?.();
  }
}
