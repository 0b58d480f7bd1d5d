import type { Storage } from '../base/ports.ts';

/**
 * The folder of one partition, which is made when its first file is: a topic costs no work on the disk until it is
 * written, and a start does not read folders that hold nothing. The metadata knows the partition, not the folder.
 */
export class PartitionFolder {
  readonly dir: string;
  /** The names in it, or its own, may not survive a power loss yet. */
  namesUnsynced = false;
  readonly #storage: Storage;
  /** Fills a folder that was just made; undefined once it is there with all it needs. */
  #fill: (() => void) | undefined;
  #begun = false;

  /** Without `fill` the folder is there. */
  constructor(storage: Storage, dir: string, fill?: () => void) {
    this.#storage = storage;
    this.dir = dir;
    this.#fill = fill;
  }

  get isMade(): boolean {
    return this.#fill === undefined;
  }

  /** Whether something of it may be on the disk. */
  get mayExist(): boolean {
    return this.#begun || this.isMade;
  }

  /** Makes it where it is not there. What fails here is tried anew the next time. Throws StorageError. */
  make(): void {
    const fill = this.#fill;
    if (fill === undefined) return;
    this.#storage.makeDir(this.dir);
    this.#begun = true;
    // What fills it writes into it, and must not ask again.
    this.#fill = undefined;
    try {
      fill();
    } catch (error) {
      this.#fill = fill;
      throw error;
    }
    this.namesUnsynced = true;
  }
}
