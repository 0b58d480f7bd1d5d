import type { Storage } from '../base/ports.ts';
import { makeDirDurably } from './durable-dirs.ts';
import type { InitialLogDirs } from './initial-log-dirs.ts';

const LOCK_FILE = '.lock';

/** What keeps other processes off the log dirs of a node. */
export class DirLocks {
  readonly #storage: Storage;
  #locks: { release(): void }[] = [];

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** Makes what is missing and locks all. Rejects with Error where another process holds one, and as `InitialLogDirs.use`. */
  async take(dirs: InitialLogDirs): Promise<void> {
    for (const dir of dirs.online) await dirs.use(dir, () => this.#takeOne(dir));
  }

  release(): void {
    for (const lock of this.#locks) lock.release();
    this.#locks = [];
  }

  async #takeOne(dir: string): Promise<void> {
    await makeDirDurably(this.#storage, dir);
    const lock = this.#storage.lock(`${dir}/${LOCK_FILE}`);
    if (lock === undefined)
      throw new Error(`${dir} is in use by another process: it holds ${dir}/${LOCK_FILE}`);
    this.#locks.push(lock);
  }
}
