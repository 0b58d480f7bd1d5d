import type { Logger, Storage, Timer, Timers } from '../base/ports.ts';
import { StorageError } from '../base/ports.ts';
import type { ProtocolError } from '../protocol/errors.ts';
import { storageError } from './storage-errors.ts';

/** How often the disks are asked, and how long a dir that ran out of space is taken for full at least. */
const POLL_MS = 1000;
/** They are asked before that when half of what was left has been written, but not for less than this. */
const POLL_BYTES_MIN = 1024 * 1024;

export interface FreeSpaceInput {
  readonly storage: Storage;
  readonly timers: Timers;
  readonly logger: Logger;
  /** `storage.min.free.bytes`; 0: only a disk that is full counts. */
  readonly minFreeBytes: () => number;
}

/**
 * Watches the free space of log dirs, so that no request has to ask the disk. While a dir has less than
 * storage.min.free.bytes, or a write to it found no space, producers are refused: with KAFKA_STORAGE_ERROR, which clients
 * take for passing and send the batch again, and which says whose fault it is. What is kept free is for the metadata, for
 * committed offsets, for compaction and checkpoints: they go on, as do reads and whatever deletes. Producers are let in
 * again by themselves, at an eighth more than the least, lest a dir at the brink say so all the time.
 */
export class FreeSpace {
  readonly #input: FreeSpaceInput;
  readonly #dirs = new Set<string>();
  /** What appends to dirs without space fail with: one for all, since an error costs a stack. */
  readonly #short = new Map<string, ProtocolError>();
  #timer: Timer | undefined;
  #bytesToPoll = Number.POSITIVE_INFINITY;

  constructor(input: FreeSpaceInput) {
    this.#input = input;
  }

  watch(dir: string): void {
    this.#dirs.add(dir);
  }

  /** Asks the disks every second from now on. */
  start(): void {
    this.#timer = this.#input.timers.after(POLL_MS, () => {
      this.poll();
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Whether any dir is short of space. */
  get isShort(): boolean {
    return this.#short.size > 0;
  }

  /** Throws ProtocolError(KAFKA_STORAGE_ERROR) while producers can't write to `dir`. */
  ensure(dir: string): void {
    const refusal = this.#short.get(dir);
    if (refusal !== undefined) throw refusal;
  }

  /** So many bytes were written, to whichever dir. */
  wrote(bytes: number): void {
    this.#bytesToPoll -= bytes;
    if (this.#bytesToPoll <= 0) this.poll();
  }

  /** A write below `dir` found no space. */
  ranOut(dir: string): void {
    if (this.#dirs.has(dir) && !this.#short.has(dir)) this.#refuse(dir, 'a write found no space');
  }

  /** Asks the disks now. */
  poll(): void {
    const least = this.#input.minFreeBytes();
    this.#bytesToPoll = Number.POSITIVE_INFINITY;
    for (const dir of this.#dirs) {
      const usableBytes = this.#usableBytes(dir);
      if (usableBytes === undefined) continue;
      if (!this.#short.has(dir)) {
        const leftBytes = Math.max(POLL_BYTES_MIN, (usableBytes - least) / 2);
        this.#bytesToPoll = Math.min(this.#bytesToPoll, leftBytes);
        if (usableBytes < least) {
          this.#refuse(dir, `${usableBytes} bytes are free, less than storage.min.free.bytes=${least}`);
        }
      } else if (usableBytes >= least + (least >> 3) && usableBytes > 0) {
        this.#short.delete(dir);
        this.#input.logger.info(`${dir} has space again: produces are taken`, { usableBytes });
      }
    }
  }

  #refuse(dir: string, why: string): void {
    this.#short.set(dir, storageError(`there is no space for records in ${dir}: ${why}`));
    this.#input.logger.warn(
      `produces to ${dir} are refused until there is space: ${why}. Delete topics or records, shorten their retention, or make the disk larger`,
    );
  }

  /** Undefined where the disk does not tell: whether it is well will show elsewhere. */
  #usableBytes(dir: string): number | undefined {
    try {
      return this.#input.storage.volume(dir).usableBytes;
    } catch (error) {
      if (error instanceof StorageError) return undefined;
      throw error;
    }
  }
}
