import type { Storage, StoredFile } from '../../base/ports.ts';
import { formatOf, recordsOf } from './batches.ts';
import { DumpError } from './dump-error.ts';
import { batchesOf, beside, type FileBatch, offsetInName, openFile, readWhole } from './files.ts';
import { Findings } from './findings.ts';
import type { IndexOptions } from './options.ts';

const OFFSET_ENTRY_BYTES = 8;
const TIME_ENTRY_BYTES = 12;
const TXN_ENTRY_BYTES = 34;
const NO_TIMESTAMP = -1n;
const EVERY_ENTRY: IndexOptions = {
  verifyIndexOnly: false,
  indexSanityOnly: false,
  maxMessageSize: 0x7fffffff,
};

/** The lines of an offset index, checked against the log beside it. Throws {@link DumpError}. */
export function* dumpOffsetIndex(
  storage: Storage,
  path: string,
  options: IndexOptions,
  findings: Findings,
): Generator<string, void, undefined> {
  const index = new OffsetEntries(readWhole(storage, path), offsetInName(path));
  const log = openFile(storage, beside(path, '.log'));
  try {
    if (index.count === 0) {
      yield `${path} is empty.`;
      return;
    }
    if (options.indexSanityOnly) {
      checkSanity(
        path,
        index.sizeInBytes,
        OFFSET_ENTRY_BYTES,
        index.offsetAt(index.count - 1),
        index.baseOffset,
      );
      yield `${path} passed sanity check.`;
      return;
    }
    for (let slot = 0; slot < index.count; slot += 1) {
      const offset = index.offsetAt(slot);
      const position = index.positionAt(slot);
      if (slot > 0 && offset === index.baseOffset) return;
      const found = lastOffsetAt(path, log, position, options.maxMessageSize);
      if (found !== offset) findings.indexMismatch(path, offset, found);
      if (!options.verifyIndexOnly) yield `offset: ${offset} position: ${position}`;
    }
  } finally {
    log.close();
  }
}

/** The lines of a time index, checked against the log beside it. Throws {@link DumpError}. */
export function* dumpTimeIndex(
  storage: Storage,
  path: string,
  options: IndexOptions,
  findings: Findings,
): Generator<string, void, undefined> {
  const bytes = readWhole(storage, path);
  const baseOffset = offsetInName(path);
  const count = Math.floor(bytes.length / TIME_ENTRY_BYTES);
  const timestampAt = (slot: number) => bytes.readBigInt64BE(slot * TIME_ENTRY_BYTES);
  const offsetAt = (slot: number) => baseOffset + bytes.readInt32BE(slot * TIME_ENTRY_BYTES + 8);
  if (options.indexSanityOnly) {
    if (count > 0 && timestampAt(count - 1) < timestampAt(0)) {
      throw new DumpError(`${path} failed its sanity check: its last timestamp is before its first one`);
    }
    checkSanity(
      path,
      bytes.length,
      TIME_ENTRY_BYTES,
      count === 0 ? baseOffset : offsetAt(count - 1),
      baseOffset,
    );
    yield `${path} passed sanity check.`;
    return;
  }
  const index = offsetsBeside(storage, path, baseOffset);
  const log = openFile(storage, beside(path, '.log'));
  try {
    let before = NO_TIMESTAMP;
    for (let slot = 0; slot < count; slot += 1) {
      const timestamp = timestampAt(slot);
      const offset = offsetAt(slot);
      if (slot > 0 && offset === baseOffset) return;
      const found = firstBatchUpTo(log, index.positionFor(offset), offset);
      if (found === undefined) findings.offsetNotFound(path, offset, -1);
      else if (lastOffsetOf(log, found) !== offset)
        findings.offsetNotFound(path, offset, lastOffsetOf(log, found));
      else {
        const largest = largestTimestamp(log.path, found);
        if (largest !== timestamp) findings.timestampMismatch(path, timestamp, largest);
        if (before >= timestamp) findings.timestampOutOfOrder(path, timestamp, before);
      }
      if (!options.verifyIndexOnly) yield `timestamp: ${timestamp} offset: ${offset}`;
      before = timestamp;
    }
  } finally {
    log.close();
  }
}

/** The lines of a transaction index: the aborted transactions of a segment (KIP-98). Throws {@link DumpError}. */
export function* dumpTxnIndex(storage: Storage, path: string): Generator<string, void, undefined> {
  const bytes = readWhole(storage, path);
  for (let at = 0; at + TXN_ENTRY_BYTES <= bytes.length; at += TXN_ENTRY_BYTES) {
    const version = bytes.readInt16BE(at);
    if (version !== 0)
      throw new DumpError(`${path}: the entry at position ${at} has version ${version}, not 0`);
    const [producerId, firstOffset, lastOffset, lastStableOffset] = [2, 10, 18, 26].map((field) =>
      bytes.readBigInt64BE(at + field),
    );
    yield `version: 0 producerId: ${producerId} firstOffset: ${firstOffset} lastOffset: ${lastOffset}` +
      ` lastStableOffset: ${lastStableOffset}`;
  }
}

/** Whether a file with entries has only right ones: for its log, which lies beside it. Throws StorageError. */
export function isSoundIndex(storage: Storage, path: string): boolean {
  const dump = path.endsWith('.timeindex') ? dumpTimeIndex : dumpOffsetIndex;
  const findings = new Findings();
  try {
    let entries = 0;
    for (const _ of dump(storage, path, EVERY_ENTRY, findings)) entries += 1;
    return entries > 0 && findings.isEmpty;
  } catch (error) {
    if (error instanceof DumpError) return false;
    throw error;
  }
}

/** The entries of an offset index as they stand in the file, right or wrong. */
class OffsetEntries {
  readonly baseOffset: number;
  readonly count: number;
  readonly sizeInBytes: number;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer, baseOffset: number) {
    this.#bytes = bytes;
    this.baseOffset = baseOffset;
    this.sizeInBytes = bytes.length;
    this.count = Math.floor(bytes.length / OFFSET_ENTRY_BYTES);
  }

  offsetAt(slot: number): number {
    return this.baseOffset + this.#bytes.readInt32BE(slot * OFFSET_ENTRY_BYTES);
  }

  positionAt(slot: number): number {
    return this.#bytes.readInt32BE(slot * OFFSET_ENTRY_BYTES + 4);
  }

  /** Where to begin looking for an offset; 0 where no entry is below it. */
  positionFor(offset: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.offsetAt(middle) <= offset) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : this.positionAt(low - 1);
  }
}

function offsetsBeside(storage: Storage, path: string, baseOffset: number): OffsetEntries {
  const index = beside(path, '.index');
  const exists = storage.sizeOf(index) !== undefined;
  return new OffsetEntries(exists ? readWhole(storage, index) : Buffer.alloc(0), baseOffset);
}

function checkSanity(
  path: string,
  sizeInBytes: number,
  entryBytes: number,
  lastOffset: number,
  baseOffset: number,
): void {
  const failure =
    lastOffset < baseOffset
      ? `its last offset ${lastOffset} is below the first offset of its segment, ${baseOffset}`
      : sizeInBytes % entryBytes !== 0
        ? `${sizeInBytes} bytes are not whole entries of ${entryBytes}`
        : undefined;
  if (failure !== undefined) throw new DumpError(`${path} failed its sanity check: ${failure}`);
}

function lastOffsetAt(path: string, log: StoredFile, position: number, maxMessageSize: number): number {
  const end = Math.min(log.size(), position + maxMessageSize);
  for (const batch of batchesOf(log, position, end)) return lastOffsetOf(log, batch);
  throw new DumpError(
    `${path} points to position ${position} of ${log.path}, where no whole batch of up to ${maxMessageSize} bytes ` +
      '(--max-message-size) stands',
  );
}

function firstBatchUpTo(log: StoredFile, position: number, offset: number): FileBatch | undefined {
  for (const batch of batchesOf(log, position, log.size())) {
    if (lastOffsetOf(log, batch) >= offset) return batch;
  }
  return undefined;
}

function lastOffsetOf(log: StoredFile, batch: FileBatch): number {
  return formatOf(log.path, batch).lastOffset(batch.bytes);
}

function largestTimestamp(path: string, batch: FileBatch): bigint {
  let largest = NO_TIMESTAMP;
  for (const { timestamp } of recordsOf(path, batch)) if (timestamp > largest) largest = timestamp;
  return largest;
}
