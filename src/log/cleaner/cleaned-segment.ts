import { type Storage, StorageError, type StoredFile } from '../../base/ports.ts';
import * as header from '../../protocol/record-batch/header.ts';
import { maxTimestampHigh, maxTimestampLow } from '../batch-bytes.ts';
import {
  CLEANED_SUFFIX,
  INDEX_SUFFIX,
  LOG_SUFFIX,
  offsetName,
  TIME_INDEX_SUFFIX,
  TXN_INDEX_SUFFIX,
} from '../file-names.ts';
import { OffsetIndex, RELATIVE_OFFSET_MAX } from '../offset-index.ts';
import { TimeIndex } from '../time-index.ts';
import { encodeTxnIndex } from '../txn-index.ts';
import type { AbortedTxn } from '../types.ts';

export interface CleanedSegmentOptions {
  readonly dir: string;
  readonly indexIntervalBytes: number;
  readonly indexBytesMax: number;
  readonly writeBufferBytes: number;
  readonly segmentBytesMax: number;
}

/** A segment whose files wait under their names with `.cleaned` behind. */
export interface CleanedSegmentInfo {
  readonly baseOffset: number;
  readonly sizeInBytes: number;
  /** Those whose markers it has and of which a batch is left somewhere; a `.txnindex` tells them where there are any. */
  readonly aborted: readonly AbortedTxn[];
}

/**
 * The files of a cleaned segment by their suffixes. The log comes first: a start takes an index that still waits under its
 * other name, but none without a log.
 */
export function suffixesOf({ aborted }: CleanedSegmentInfo): readonly string[] {
  const suffixes = [LOG_SUFFIX, INDEX_SUFFIX, TIME_INDEX_SUFFIX];
  return aborted.length === 0 ? suffixes : [...suffixes, TXN_INDEX_SUFFIX];
}

/** Writes what the cleaner keeps: a log file and the two indexes beside it, as an active segment would make them. */
export class CleanedSegmentWriter {
  readonly baseOffset: number;
  readonly #storage: Storage;
  readonly #options: CleanedSegmentOptions;
  readonly #stem: string;
  readonly #file: StoredFile;
  readonly #offsets: OffsetIndex;
  readonly #times: TimeIndex;
  readonly #aborted: AbortedTxn[] = [];
  readonly #buffer: Buffer;
  #buffered = 0;
  #written = 0;
  #bytesSinceIndexEntry = 0;
  #maxHigh = -1;
  #maxLow = 0xffffffff;
  #offsetOfMax: number;

  /** Throws StorageError, as all here does. */
  constructor(storage: Storage, baseOffset: number, options: CleanedSegmentOptions) {
    this.baseOffset = baseOffset;
    this.#storage = storage;
    this.#options = options;
    this.#stem = `${options.dir}/${offsetName(baseOffset)}`;
    this.#offsets = new OffsetIndex(baseOffset, options.indexBytesMax);
    this.#times = new TimeIndex(baseOffset, options.indexBytesMax);
    this.#offsetOfMax = baseOffset;
    this.#buffer = Buffer.allocUnsafe(options.writeBufferBytes);
    this.#file = storage.open(this.#stem + LOG_SUFFIX + CLEANED_SUFFIX, 'truncate');
  }

  get sizeInBytes(): number {
    return this.#written + this.#buffered;
  }

  /** An empty segment takes any batch. */
  hasRoomFor(batch: Uint8Array): boolean {
    if (this.sizeInBytes === 0) return true;
    if (this.sizeInBytes + batch.length > this.#options.segmentBytesMax) return false;
    return header.lastOffset(batch, 0) - this.baseOffset <= RELATIVE_OFFSET_MAX;
  }

  /** One batch behind the last one. Its bytes are not needed afterwards. */
  append(batch: Uint8Array): void {
    const high = maxTimestampHigh(batch, 0);
    const low = maxTimestampLow(batch, 0);
    const lastOffset = header.lastOffset(batch, 0);
    if (high > this.#maxHigh || (high === this.#maxHigh && low > this.#maxLow)) {
      this.#maxHigh = high;
      this.#maxLow = low;
      this.#offsetOfMax = lastOffset;
    }
    if (this.#bytesSinceIndexEntry > this.#options.indexIntervalBytes) {
      this.#offsets.append(lastOffset, this.sizeInBytes);
      this.#times.maybeAppend(this.#maxHigh, this.#maxLow, this.#offsetOfMax);
      this.#bytesSinceIndexEntry = 0;
    }
    this.#bytesSinceIndexEntry += batch.length;
    this.appendRaw(batch);
  }

  /** Bytes that no index is to know of. */
  appendRaw(bytes: Uint8Array): void {
    if (this.#buffered + bytes.length > this.#buffer.length) this.#flush();
    if (bytes.length > this.#buffer.length) {
      this.#write(bytes);
    } else {
      this.#buffer.set(bytes, this.#buffered);
      this.#buffered += bytes.length;
    }
  }

  /** Of the marker that was appended last. */
  addAborted(txn: AbortedTxn): void {
    this.#aborted.push(txn);
  }

  finish(): CleanedSegmentInfo {
    this.#flush();
    if (this.#written > 0) this.#times.maybeAppend(this.#maxHigh, this.#maxLow, this.#offsetOfMax);
    this.#file.close();
    this.#writeWhole(INDEX_SUFFIX, this.#offsets.contents());
    this.#writeWhole(TIME_INDEX_SUFFIX, this.#times.contents());
    if (this.#aborted.length > 0) this.#writeWhole(TXN_INDEX_SUFFIX, encodeTxnIndex(this.#aborted));
    return { baseOffset: this.baseOffset, sizeInBytes: this.#written, aborted: this.#aborted };
  }

  /** Lets go of the file; it is removed with the others of the run. */
  close(): void {
    this.#file.close();
  }

  #flush(): void {
    if (this.#buffered === 0) return;
    const chunk = this.#buffer.subarray(0, this.#buffered);
    this.#buffered = 0;
    this.#write(chunk);
  }

  #write(chunk: Uint8Array): void {
    writeAll(this.#file, chunk, this.#written);
    this.#written += chunk.length;
  }

  #writeWhole(suffix: string, bytes: Buffer): void {
    const file = this.#storage.open(this.#stem + suffix + CLEANED_SUFFIX, 'truncate');
    try {
      if (bytes.length > 0) writeAll(file, bytes, 0);
    } finally {
      file.close();
    }
  }
}

function writeAll(file: StoredFile, bytes: Uint8Array, at: number): void {
  const written = file.write([bytes], at);
  if (written === bytes.length) return;
  throw new StorageError('ENOSPC', file.path, `only ${written} of ${bytes.length} bytes were written`);
}

/** Takes away what a run left that does not come to its end. Throws StorageError. */
export function removeCleanedFiles(storage: Storage, dir: string, baseOffset: number): void {
  for (const suffix of [LOG_SUFFIX, INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX]) {
    storage.removeNow(`${dir}/${offsetName(baseOffset)}${suffix}${CLEANED_SUFFIX}`);
  }
}
