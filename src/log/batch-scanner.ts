import type { StoredFile } from '../base/ports.ts';
import { crc32c } from '../protocol/crc32c.ts';
import * as header from '../protocol/record-batch/header.ts';
import { isOldMessage } from './batch-bytes.ts';

const CHUNK_BYTES = 128 * 1024;

/** Why a scan stopped: at the end, in a batch that the file does not hold whole, in bytes that are no batch, in format 0 or 1. */
export type ScanEnd = 'end' | 'torn' | 'corrupt' | 'old-format';

/**
 * Walks the batches of a segment file in a buffer of fixed size. While `next` gives true, `bytes` holds at `at` the header
 * of the batch that lies at `position`, and as much of its records as `wholeInBytes` says.
 */
export class BatchScanner {
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  position: number;
  size = 0;
  ended: ScanEnd = 'end';
  readonly #file: StoredFile;
  readonly #end: number;
  readonly #verify: boolean;
  #bufferPosition = 0;
  #buffer: Buffer;
  /** For the rest of batches that are larger than the buffer. */
  #part: Buffer | undefined;

  /** From `position`, where a batch begins, to `end`. `verify` also computes CRCs; `buffer` is used instead of a new one. */
  constructor(
    file: StoredFile,
    position: number,
    end: number,
    options?: { verify?: boolean; chunkBytes?: number; buffer?: Buffer },
  ) {
    this.#file = file;
    this.position = position;
    this.#end = end;
    this.#verify = options?.verify ?? false;
    const wanted = Math.max(options?.chunkBytes ?? CHUNK_BYTES, header.BATCH_OVERHEAD);
    this.#buffer =
      options?.buffer ??
      Buffer.allocUnsafe(Math.min(wanted, Math.max(end - position, header.BATCH_OVERHEAD)));
  }

  next(): boolean {
    this.position += this.size;
    this.size = 0;
    const left = this.#end - this.position;
    if (left <= 0) return this.#stop('end');
    if (!this.#have(Math.min(left, header.BATCH_OVERHEAD))) return this.#stop('torn');
    if (left >= header.HEADER_UP_TO_MAGIC && header.magic(this.bytes, this.at) < header.CURRENT_MAGIC) {
      return this.#stop(this.#isOldMessage(left) ? 'old-format' : 'corrupt');
    }
    if (left < header.BATCH_OVERHEAD) return this.#stop('torn');
    if (header.magic(this.bytes, this.at) !== header.CURRENT_MAGIC) return this.#stop('corrupt');
    const size = header.sizeInBytes(this.bytes, this.at);
    if (size < header.BATCH_OVERHEAD || !header.hasSafeBaseOffset(this.bytes, this.at))
      return this.#stop('corrupt');
    if (size > left) return this.#stop('torn');
    if (this.#verify && !this.#crcIsRight(size)) return this.#stop('corrupt');
    this.size = size;
    return true;
  }

  /** Whether the buffer can hold the batch whole; then it does after this call. */
  loadWhole(): boolean {
    if (this.size > this.#buffer.length) {
      this.#buffer = Buffer.allocUnsafe(this.size);
      this.bytes = this.#buffer.subarray(0, 0);
    }
    return this.#have(this.size);
  }

  #isOldMessage(left: number): boolean {
    const size = header.sizeInBytes(this.bytes, this.at);
    if (size <= 0 || size > left) return false;
    this.size = size;
    const isOld = this.loadWhole() && isOldMessage(this.bytes, this.at);
    this.size = 0;
    return isOld;
  }

  #stop(ended: ScanEnd): false {
    this.ended = ended;
    return false;
  }

  /** Makes `bytes` hold `count` bytes from `position`, as far as the buffer goes. */
  #have(count: number): boolean {
    this.at = this.position - this.#bufferPosition;
    if (this.at >= 0 && this.at + count <= this.bytes.length) return true;
    const wanted = Math.min(this.#buffer.length, this.#end - this.position);
    const read = this.#file.read(this.#buffer.subarray(0, wanted), this.position);
    this.bytes = this.#buffer.subarray(0, read);
    this.#bufferPosition = this.position;
    this.at = 0;
    return read >= count;
  }

  #crcIsRight(size: number): boolean {
    if (size <= this.#buffer.length) return this.#have(size) && header.crcIsValid(this.bytes, this.at);
    const expected = header.crc(this.bytes, this.at);
    this.#part ??= Buffer.allocUnsafe(CHUNK_BYTES);
    const part = this.#part;
    let crc = crc32c(this.bytes, this.at + header.ATTRIBUTES_AT, this.bytes.length);
    for (let done = this.bytes.length - this.at; done < size; ) {
      const wanted = Math.min(part.length, size - done);
      const read = this.#file.read(part.subarray(0, wanted), this.position + done);
      if (read !== wanted) return false;
      crc = crc32c(part, 0, read, crc);
      done += read;
    }
    return crc === expected;
  }
}
