import { StorageError, type StoredFile } from '../base/ports.ts';

/** Files grow by pieces of this size, so that an append never copies what is there. */
const CHUNK_BYTES = 64 * 1024;
/** The first piece starts smaller: thousands of small partitions must not take 64 KiB each. */
const FIRST_BYTES = 1024;

/** Counts the bytes of all files of one storage. */
export class MemoryBudget {
  readonly maxBytes: number;
  usedBytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }
}

/** The content of one file. Lives as long as it has a name or somebody has it open. */
export class MemoryContent {
  size = 0;
  modifiedMs = Date.now();
  readonly #budget: MemoryBudget;
  #chunks: Buffer[] = [];
  #openHandles = 0;
  #named = true;

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  opened(): void {
    this.#openHandles++;
  }

  closed(): void {
    this.#openHandles--;
    this.#releaseIfUnused();
  }

  unnamed(): void {
    this.#named = false;
    this.#releaseIfUnused();
  }

  read(into: Uint8Array, at: number): number {
    const count = Math.max(0, Math.min(into.length, this.size - at));
    for (let done = 0; done < count; ) {
      const from = at + done;
      const inChunk = from % CHUNK_BYTES;
      const part = Math.min(count - done, CHUNK_BYTES - inChunk);
      const chunk = this.#chunks[Math.floor(from / CHUNK_BYTES)] as Buffer;
      into.set(chunk.subarray(inChunk, inChunk + part), done);
      done += part;
    }
    return count;
  }

  /** Writes as much of `bytes` as there is memory for. */
  write(bytes: Uint8Array, at: number): number {
    if (bytes.length === 0) return 0;
    const end = this.#reserve(at + bytes.length);
    if (end <= at) return 0;
    if (at > this.size) this.#zero(this.size, at);
    const count = end - at;
    for (let done = 0; done < count; ) {
      const to = at + done;
      const inChunk = to % CHUNK_BYTES;
      const part = Math.min(count - done, CHUNK_BYTES - inChunk);
      (this.#chunks[Math.floor(to / CHUNK_BYTES)] as Buffer).set(bytes.subarray(done, done + part), inChunk);
      done += part;
    }
    this.size = Math.max(this.size, end);
    this.modifiedMs = Date.now();
    return count;
  }

  /** False when there is no memory to grow into. */
  truncate(size: number): boolean {
    if (size > this.size) {
      if (this.#reserve(size) < size) return false;
      this.#zero(this.size, size);
    }
    this.size = size;
    this.modifiedMs = Date.now();
    const keep = Math.ceil(size / CHUNK_BYTES);
    for (const chunk of this.#chunks.splice(keep)) this.#budget.usedBytes -= chunk.length;
    return true;
  }

  /** Makes room up to `end`; returns how far there is room. */
  #reserve(end: number): number {
    for (;;) {
      const last = this.#chunks.at(-1);
      const room =
        this.#chunks.length === 0 ? 0 : (this.#chunks.length - 1) * CHUNK_BYTES + (last?.length ?? 0);
      if (room >= end) return end;
      const grows = last !== undefined && last.length < CHUNK_BYTES;
      const from = grows ? room - last.length : room;
      const want = this.#chunks.length > 1 || !(grows || room === 0) ? CHUNK_BYTES : firstSize(end - from);
      if (this.#budget.usedBytes + want - (grows ? last.length : 0) > this.#budget.maxBytes) return room;
      const chunk = Buffer.allocUnsafeSlow(want);
      this.#budget.usedBytes += want;
      if (grows) {
        chunk.set(last, 0);
        this.#budget.usedBytes -= last.length;
        this.#chunks.pop();
      }
      this.#chunks.push(chunk);
    }
  }

  #zero(from: number, to: number): void {
    for (let at = from; at < to; ) {
      const inChunk = at % CHUNK_BYTES;
      const part = Math.min(to - at, CHUNK_BYTES - inChunk);
      (this.#chunks[Math.floor(at / CHUNK_BYTES)] as Buffer).fill(0, inChunk, inChunk + part);
      at += part;
    }
  }

  #releaseIfUnused(): void {
    if (!this.#named && this.#openHandles === 0) this.truncate(0);
  }
}

/** The least power of two from 1 KiB to a whole piece that holds `bytes`. */
function firstSize(bytes: number): number {
  let size = FIRST_BYTES;
  while (size < bytes && size < CHUNK_BYTES) size *= 2;
  return size;
}

/** What an open file in memory reads and changes. */
export interface FileContent {
  readonly size: number;
  opened(): void;
  closed(): void;
  read(into: Uint8Array, at: number): number;
  /** Writes as much as there is memory for. */
  write(bytes: Uint8Array, at: number): number;
  /** False where there is no memory for it. */
  truncate(size: number): boolean;
}

export interface MemoryFileOptions {
  readonly writable: boolean;
  /** What is said where no memory is left. */
  readonly fullText?: string;
  readonly onClose?: () => void;
}

/** An open file whose content, or what is changed of it, is in memory. */
export class MemoryFile implements StoredFile {
  readonly path: string;
  readonly #content: FileContent;
  readonly #options: MemoryFileOptions;
  #closed = false;

  constructor(path: string, content: FileContent, options: MemoryFileOptions) {
    this.path = path;
    this.#content = content;
    this.#options = options;
    content.opened();
  }

  size(): number {
    this.#assertOpen();
    return this.#content.size;
  }

  read(into: Uint8Array, at: number): number {
    this.#assertOpen();
    return this.#content.read(into, at);
  }

  async readLater(into: Uint8Array, at: number): Promise<number> {
    return this.read(into, at);
  }

  write(chunks: readonly Uint8Array[], at: number): number {
    this.#assertWritable();
    let done = 0;
    for (const chunk of chunks) {
      const count = this.#content.write(chunk, at + done);
      done += count;
      if (count < chunk.length) {
        if (done === 0) throw this.#full();
        break;
      }
    }
    return done;
  }

  async sync(): Promise<void> {
    this.#assertOpen();
  }

  truncate(size: number): void {
    this.#assertWritable();
    if (!this.#content.truncate(size)) throw this.#full();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#content.closed();
    this.#options.onClose?.();
  }

  #assertOpen(): void {
    if (this.#closed) throw new StorageError('EOTHER', this.path, `${this.path} is closed`);
  }

  #assertWritable(): void {
    this.#assertOpen();
    if (!this.#options.writable)
      throw new StorageError('EACCES', this.path, `${this.path} is open for reading`);
  }

  #full(): StorageError {
    const text = this.#options.fullText ?? 'the memory of this storage is used up';
    return new StorageError('ENOSPC', this.path, text);
  }
}
