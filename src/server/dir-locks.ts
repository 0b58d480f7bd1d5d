import { type Storage, StorageError } from '../base/ports.ts';
import { makeDirDurably } from './durable-dirs.ts';

const LOCK_FILE = '.lock';

/** What keeps other processes off the log dirs of a node. */
export class DirLocks {
  readonly #storage: Storage;
  /** The dir that a node can't do without. */
  readonly #metadataLogDir: string;
  #locks: { release(): void }[] = [];

  constructor(storage: Storage, metadataLogDir: string) {
    this.#storage = storage;
    this.#metadataLogDir = metadataLogDir;
  }

  /**
   * Makes what is missing and locks all. Resolves with the dirs whose disk failed, and why: the node serves the others.
   * Rejects with Error where another process holds one, and with StorageError where the metadata log's can't be locked.
   */
  async take(dirs: readonly string[]): Promise<ReadonlyMap<string, StorageError>> {
    const failed = new Map<string, StorageError>();
    for (const dir of dirs) {
      try {
        await this.#takeOne(dir);
      } catch (error) {
        if (!(error instanceof StorageError) || dir === this.#metadataLogDir) throw error;
        failed.set(dir, error);
      }
    }
    return failed;
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
