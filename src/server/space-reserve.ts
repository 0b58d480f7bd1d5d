import type { Logger, Random, Storage, Timer, Timers } from '../base/ports.ts';
import { StorageError } from '../base/ports.ts';

const NAME = 'space-reserve';
/** Enough for a restart with ten thousand partitions: the records of their leaders, and checkpoints. */
const RESERVE_BYTES = 8 * 1024 * 1024;
const PIECE_BYTES = 1024 * 1024;
const POLL_MS = 1000;

export interface SpaceReserveInput {
  /** `metadata.log.dir`. */
  readonly dir: string;
  readonly storage: Storage;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
  /** `storage.min.free.bytes`. */
  readonly minFreeBytes: () => number;
}

/**
 * A file that takes space while there is little, so that there is some when there is none: a start writes the metadata
 * log, and without one nobody can delete what fills the disk. It is made when less than twice storage.min.free.bytes is
 * free, given up when nearly nothing is, and removed when there is plenty again. There is none where that setting is
 * smaller than twice the file.
 */
export class SpaceReserve {
  readonly #input: SpaceReserveInput;
  readonly #path: string;
  #timer: Timer | undefined;

  constructor(input: SpaceReserveInput) {
    this.#input = input;
    this.#path = `${input.dir}/${NAME}`;
  }

  /** Looks now, and every second from now on. */
  start(): void {
    try {
      this.#look();
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.#input.logger.debug('the space reserve could not be kept', { error: error.message });
    }
    this.#timer = this.#input.timers.after(POLL_MS, () => this.start());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #look(): void {
    const { storage, logger } = this.#input;
    const { usableBytes } = storage.volume(this.#input.dir);
    const least = this.#input.minFreeBytes();
    const isThere = storage.sizeOf(this.#path) !== undefined;
    if (isThere && usableBytes < RESERVE_BYTES / 4) {
      storage.removeNow(this.#path);
      logger.warn(`${this.#path} is given up: the disk is full, and the metadata log needs space`);
    } else if (isThere && usableBytes >= 2 * least + RESERVE_BYTES) {
      storage.removeNow(this.#path);
    } else if (!isThere && usableBytes < 2 * least && Math.min(usableBytes, least) >= 2 * RESERVE_BYTES) {
      this.#make();
    }
  }

  #make(): void {
    // Zeroes would take no space where the file system compresses.
    const piece = Buffer.alloc(PIECE_BYTES);
    this.#input.random.fill(piece);
    const file = this.#input.storage.open(this.#path, 'truncate');
    try {
      for (let at = 0; at < RESERVE_BYTES; at += PIECE_BYTES) file.write([piece], at);
    } finally {
      file.close();
    }
  }
}
