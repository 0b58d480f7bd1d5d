import type { Logger, Storage } from '../base/ports.ts';

/** A thousand at once would leave no thread of the pool for fdatasync. */
const REMOVING_AT_ONCE = 2;

/** Removes the folders of deleted partitions, off the loop and few at a time. */
export class FolderRemovals {
  readonly #storage: Storage;
  readonly #logger: Logger;
  readonly #waiting: string[] = [];
  readonly #running = new Set<Promise<void>>();
  #closed = false;

  constructor(storage: Storage, logger: Logger) {
    this.#storage = storage;
    this.#logger = logger;
  }

  remove(path: string): void {
    this.#waiting.push(path);
    this.#next();
  }

  /** Resolves when nothing is removed any more; what is left goes after the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#running);
  }

  #next(): void {
    if (this.#running.size >= REMOVING_AT_ONCE || this.#closed) return;
    const path = this.#waiting.shift();
    if (path === undefined) return;
    const removal = this.#storage
      .remove(path)
      .catch((error: unknown) => this.#logger.warn(`could not remove ${path}`, { error: String(error) }))
      .finally(() => {
        this.#running.delete(removal);
        this.#next();
      });
    this.#running.add(removal);
  }
}
