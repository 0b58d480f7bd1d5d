import { StorageError } from '../base/ports.ts';

/** The dirs of a node that starts. Those whose disk fails go offline, and the node serves the others. */
export class InitialLogDirs {
  readonly metadataLogDir: string;
  readonly #all: readonly string[];
  readonly #offline = new Map<string, StorageError>();

  constructor(metadataLogDir: string, logDirs: readonly string[]) {
    this.metadataLogDir = metadataLogDir;
    this.#all = [...new Set([metadataLogDir, ...logDirs])];
  }

  /** Those that have not failed, the metadata log's first. */
  get online(): readonly string[] {
    return this.#all.filter((dir) => !this.#offline.has(dir));
  }

  /** Those that have, and why. */
  get offline(): ReadonlyMap<string, Error> {
    return this.#offline;
  }

  /**
   * Does something with a dir, and puts it offline where its disk fails in it: undefined then. Rejects with
   * StorageError where that is the metadata log's, which a node can't do without, and with whatever else is wrong.
   */
  async use<T>(dir: string, run: () => Promise<T> | T): Promise<T | undefined> {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof StorageError) || dir === this.metadataLogDir) throw error;
      this.#offline.set(dir, error);
      return undefined;
    }
  }
}
