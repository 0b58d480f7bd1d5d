import {
  closeSync,
  fdatasync,
  fstatSync,
  ftruncateSync,
  read as readAsync,
  readSync,
  writeSync,
  writevSync,
} from 'node:fs';
import type { Gate } from '../base/gate.ts';
import { StorageError, type StoredFile } from '../base/ports.ts';
import { storageError } from './storage-error.ts';

/**
 * The most that one call writes. For larger ones Linux takes large folios for the page cache, which need memory that lay free
 * in one piece: in a virtual machine mostly memory that the host has taken back meanwhile, at three to six times the cost
 * of the write (`bench/micro/write-pieces.ts`). Calls of this size cost no more than one of a megabyte.
 */
const PIECE_BYTES = 64 * 1024;

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: StorageError) => void;
}

export class DiskFile implements StoredFile {
  readonly path: string;
  readonly #fd: number;
  readonly #reads: Gate;
  /** Calls of the thread pool that use the descriptor: it is closed after the last, since the number is given anew. */
  #inFlight = 0;
  #closed = false;
  #syncing = false;
  #syncNext: Waiting[] = [];
  #syncFailure: StorageError | undefined;

  constructor(path: string, fd: number, reads: Gate) {
    this.path = path;
    this.#fd = fd;
    this.#reads = reads;
  }

  size(): number {
    this.#assertOpen();
    try {
      return fstatSync(this.#fd).size;
    } catch (error) {
      throw storageError(error, this.path);
    }
  }

  read(into: Uint8Array, at: number): number {
    this.#assertOpen();
    let done = 0;
    try {
      while (done < into.length) {
        const count = readSync(this.#fd, into, done, into.length - done, at + done);
        if (count === 0) break;
        done += count;
      }
    } catch (error) {
      throw storageError(error, this.path);
    }
    return done;
  }

  readLater(into: Uint8Array, at: number): Promise<number> {
    if (this.#closed) return Promise.reject(this.#closedError());
    this.#inFlight++;
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        this.#reads.leave();
        this.#release();
        settle();
      };
      const step = (done: number) => {
        readAsync(this.#fd, into, done, into.length - done, at + done, (error, count) => {
          if (error !== null) finish(() => reject(storageError(error, this.path)));
          else if (count === 0 || done + count === into.length) finish(() => resolve(done + count));
          else step(done + count);
        });
      };
      this.#reads.enter(() => step(0));
    });
  }

  write(chunks: readonly Uint8Array[], at: number): number {
    this.#assertOpen();
    try {
      let done = 0;
      for (let first = 0; first < chunks.length; ) {
        let end = first;
        let size = 0;
        while (end < chunks.length && (end === first || size + chunks[end]!.length <= PIECE_BYTES)) {
          size += chunks[end]!.length;
          end += 1;
        }
        const count =
          end - first === 1
            ? this.#writePieces(chunks[first]!, at + done)
            : writevSync(
                this.#fd,
                first === 0 && end === chunks.length ? chunks : chunks.slice(first, end),
                at + done,
              );
        done += count;
        if (count < size) break;
        first = end;
      }
      return done;
    } catch (error) {
      throw storageError(error, this.path);
    }
  }

  #writePieces(chunk: Uint8Array, at: number): number {
    let done = 0;
    while (done < chunk.length) {
      const wanted = Math.min(PIECE_BYTES, chunk.length - done);
      const count = writeSync(this.#fd, chunk, done, wanted, at + done);
      done += count;
      if (count < wanted) break;
    }
    return done;
  }

  /**
   * One fdatasync runs at a time; all that is asked for meanwhile shares the one after it. Once one has failed every
   * later call fails too: the kernel has dropped what it could not write, and another try would claim that it is there.
   */
  sync(): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closedError());
    if (this.#syncFailure !== undefined) return Promise.reject(this.#syncFailure);
    return new Promise((resolve, reject) => {
      this.#syncNext.push({ resolve, reject });
      if (!this.#syncing) this.#startSync();
    });
  }

  truncate(size: number): void {
    this.#assertOpen();
    try {
      ftruncateSync(this.#fd, size);
    } catch (error) {
      throw storageError(error, this.path);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#inFlight === 0) this.#closeNow();
  }

  #startSync(): void {
    const waiting = this.#syncNext;
    this.#syncNext = [];
    this.#syncing = true;
    this.#inFlight++;
    fdatasync(this.#fd, (error) => {
      this.#syncing = false;
      if (error !== null) this.#syncFailure ??= storageError(error, this.path);
      const failure = this.#syncFailure;
      if (failure !== undefined) waiting.push(...this.#syncNext.splice(0));
      else if (this.#syncNext.length > 0) this.#startSync();
      this.#release();
      for (const { resolve, reject } of waiting) {
        if (failure === undefined) resolve();
        else reject(failure);
      }
    });
  }

  #release(): void {
    this.#inFlight--;
    if (this.#closed && this.#inFlight === 0) this.#closeNow();
  }

  #closeNow(): void {
    try {
      closeSync(this.#fd);
    } catch {
      // The descriptor is gone in any case; what had to be durable was asked of `sync`.
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw this.#closedError();
  }

  #closedError(): StorageError {
    return new StorageError('EOTHER', this.path, `${this.path} is closed`);
  }
}
