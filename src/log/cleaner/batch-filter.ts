import { type CompressionCodec, codecId } from '../../protocol/compression/codec.ts';
import { compress } from '../../protocol/compression/index.ts';
import type { PlainScratch } from '../../protocol/compression/scratch.ts';
import * as header from '../../protocol/record-batch/header.ts';
import { type ProducerKey, producerKey } from '../batch-bytes.ts';
import type { OffsetMap } from './offset-map.ts';
import { RecordCursor } from './record-cursor.ts';
import type { TransactionTracker } from './transactions.ts';

/** The last thing that a producer wrote, by which its sequence or its epoch is known after a restart. */
export interface LastRecord {
  readonly key: ProducerKey;
  /** -1: nothing but a marker since the epoch began. */
  readonly lastDataOffset: number;
  readonly epoch: number;
}

export interface BatchFilterOptions {
  readonly nowMs: number;
  readonly deleteRetentionMs: number;
  /** The batch before this offset stays, be it empty: the end of what this run cleans. */
  readonly upperBoundOffset: number;
  readonly lastRecords: readonly LastRecord[];
  /** Of batches that are written anew; undefined: the one that they have. */
  readonly codec: CompressionCodec | undefined;
  /** Level per codec, where there is one. */
  readonly levels: Readonly<Partial<Record<CompressionCodec, number>>>;
  readonly plainBytesMax: number;
}

export interface FilterCounts {
  readRecords: number;
  keptRecords: number;
  /** Without a key: they can't be compacted, and go. */
  invalidRecords: number;
}

const LONGEST_VARINTS = 15;

/**
 * Decides what stays of a batch, by Apache's rules (KIP-98, KIP-534): of each key the last record; a tombstone until its
 * batch's delete horizon, which is set when the cleaner first meets it; nothing of aborted transactions; markers as long
 * as their transactions need them; and an empty batch where a producer's last sequence number or epoch would be lost.
 */
export class BatchFilter {
  readonly counts: FilterCounts = { readRecords: 0, keptRecords: 0, invalidRecords: 0 };
  readonly #map: OffsetMap;
  readonly #transactions: TransactionTracker;
  readonly #options: BatchFilterOptions;
  readonly #scratch: PlainScratch;
  readonly #lastRecords: ReadonlyMap<ProducerKey, LastRecord>;
  readonly #cursor = new RecordCursor();
  #plain: Buffer = Buffer.allocUnsafe(64 * 1024);
  #plainSize = 0;

  constructor(
    map: OffsetMap,
    transactions: TransactionTracker,
    options: BatchFilterOptions,
    scratch: PlainScratch,
  ) {
    this.#map = map;
    this.#transactions = transactions;
    this.#options = options;
    this.#scratch = scratch;
    this.#lastRecords = new Map(options.lastRecords.map((last) => [last.key, last]));
  }

  /**
   * What stays of the batch at `at`, which must be whole in `bytes`: a view of `bytes` where all of it does, undefined
   * where nothing does. Throws what reading records throws.
   */
  filter(bytes: Buffer, at: number): Uint8Array | undefined {
    const { nowMs } = this.#options;
    const isControl = header.isControl(bytes, at);
    const isOver = isControl
      ? this.#transactions.onControlBatch(bytes, at)
      : this.#transactions.onBatch(bytes, at);
    const horizonMs = header.hasDeleteHorizon(bytes, at) ? header.roundedBaseTimestamp(bytes, at) : undefined;
    const dropsRecords = isOver && (!isControl || (horizonMs !== undefined && horizonMs <= nowMs));
    const staysEmpty = this.#mustStay(bytes, at, isControl);
    if (dropsRecords) {
      this.counts.readRecords += header.recordCount(bytes, at);
      return staysEmpty ? emptied(bytes, at) : undefined;
    }
    const kept = this.#selectRecords(bytes, at, isControl, horizonMs);
    if (kept.count === 0) return staysEmpty ? emptied(bytes, at) : undefined;
    this.counts.keptRecords += kept.count;
    const getsHorizon = horizonMs === undefined && (kept.hasTombstone || (isControl && isOver));
    if (!getsHorizon && kept.count === header.recordCount(bytes, at)) {
      return bytes.subarray(at, at + header.sizeInBytes(bytes, at));
    }
    return this.#rewrite(bytes, at, kept, getsHorizon);
  }

  #mustStay(bytes: Uint8Array, at: number, isControl: boolean): boolean {
    const lastOffset = header.lastOffset(bytes, at);
    if (lastOffset + 1 === this.#options.upperBoundOffset) return true;
    if (!header.hasProducerId(bytes, at)) return false;
    const last = this.#lastRecords.get(producerKey(bytes, at));
    if (last === undefined) return false;
    if (last.lastDataOffset >= 0) return lastOffset === last.lastDataOffset;
    return isControl && header.producerEpoch(bytes, at) === last.epoch;
  }

  /** Collects the bytes of the records that stay. */
  #selectRecords(bytes: Uint8Array, at: number, isControl: boolean, horizonMs: number | undefined): Kept {
    const cursor = this.#cursor;
    const baseOffset = header.baseOffset(bytes, at);
    const keepsTombstones = horizonMs === undefined || this.#options.nowMs < horizonMs;
    cursor.open(bytes, at, this.#options.plainBytesMax, this.#scratch);
    const total = header.recordCount(bytes, at);
    this.counts.readRecords += total;
    const kept: Kept = { count: 0, hasTombstone: false, maxTimestampDelta: 0, ranges: [] };
    // Runs of records that follow each other, so that they are copied at once.
    let from = -1;
    while (cursor.next()) {
      if (isControl || this.#stays(cursor, baseOffset + cursor.offsetDelta, keepsTombstones)) {
        if (from < 0) from = cursor.from;
        if (!cursor.hasValue) kept.hasTombstone = true;
        if (kept.count === 0 || cursor.timestampDelta > kept.maxTimestampDelta) {
          kept.maxTimestampDelta = cursor.timestampDelta;
        }
        kept.count += 1;
      } else if (from >= 0) {
        kept.ranges.push(from, cursor.from);
        from = -1;
      }
    }
    if (from >= 0) kept.ranges.push(from, cursor.payload.length);
    return kept;
  }

  #stays(cursor: RecordCursor, offset: number, keepsTombstones: boolean): boolean {
    if (offset > this.#map.latestOffset) return true;
    if (cursor.keyTo < 0) {
      this.counts.invalidRecords += 1;
      return false;
    }
    if (!cursor.hasValue && !keepsTombstones) return false;
    return offset >= this.#map.get(cursor.payload, cursor.keyFrom, cursor.keyTo);
  }

  /** The offsets and sequence numbers that the batch spans stay as they are, whatever was taken out. */
  #rewrite(bytes: Uint8Array, at: number, kept: Kept, getsHorizon: boolean): Buffer {
    const { nowMs, deleteRetentionMs, codec: wanted, levels } = this.#options;
    const oldBase = header.baseTimestamp(bytes, at);
    const newBase = getsHorizon ? horizonOf(nowMs, deleteRetentionMs) : oldBase;
    this.#plainSize = 0;
    if (newBase === oldBase) this.#copyRanges(kept.ranges);
    else this.#copyShifted(bytes, at, kept.ranges, oldBase - newBase);
    const codec = wanted ?? header.compressionOf(bytes, at) ?? 'none';
    const plain = this.#plain.subarray(0, this.#plainSize);
    const payload = codec === 'none' ? plain : compress(codec, plain, levels[codec]);
    const batch = Buffer.allocUnsafe(header.BATCH_OVERHEAD + payload.length);
    batch.set(payload, header.RECORDS_AT);
    const isCreateTime = header.timestampType(bytes, at) === 'CreateTime';
    const newest = BigInt.asIntN(64, oldBase + BigInt(kept.maxTimestampDelta));
    const flags = header.attributes(bytes, at) & ~header.COMPRESSION_MASK;
    header.writeHeader(batch, 0, {
      ...headerOf(bytes, at),
      sizeInBytes: batch.length,
      attributes: flags | codecId(codec) | (getsHorizon ? header.DELETE_HORIZON_FLAG : 0),
      baseTimestamp: newBase,
      maxTimestamp: isCreateTime ? newest : header.maxTimestamp(bytes, at),
      recordCount: kept.count,
    });
    return batch;
  }

  #copyRanges(ranges: readonly number[]): void {
    const { payload } = this.#cursor;
    for (let i = 0; i < ranges.length; i += 2) this.#copy(payload, ranges[i]!, ranges[i + 1]!);
  }

  /** The same with other timestamp deltas, since they count from another base. */
  #copyShifted(bytes: Uint8Array, at: number, ranges: readonly number[], shift: bigint): void {
    const cursor = this.#cursor;
    // The scratch still holds the records; only the walk begins anew.
    cursor.rewind(header.recordCount(bytes, at));
    let range = 0;
    while (cursor.next()) {
      while (range < ranges.length && cursor.from >= ranges[range + 1]!) range += 2;
      if (range >= ranges.length) return;
      if (cursor.from < ranges[range]!) continue;
      const delta = BigInt.asIntN(64, BigInt(cursor.timestampDelta) + shift);
      this.#reserve(cursor.to - cursor.from + LONGEST_VARINTS);
      const deltaSize = sizeOfVarlong(delta);
      const rest = cursor.to - cursor.afterTimestamp;
      this.#writeVarlong(BigInt(1 + deltaSize + rest));
      this.#plain[this.#plainSize++] = cursor.payload[cursor.attributesAt]!;
      this.#writeVarlong(delta);
      this.#copy(cursor.payload, cursor.afterTimestamp, cursor.to);
    }
  }

  #copy(from: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start);
    this.#plain.set(from.subarray(start, end), this.#plainSize);
    this.#plainSize += end - start;
  }

  #reserve(more: number): void {
    const needed = this.#plainSize + more;
    if (needed <= this.#plain.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#plain.length * 2));
    larger.set(this.#plain.subarray(0, this.#plainSize));
    this.#plain = larger;
  }

  #writeVarlong(value: bigint): void {
    let raw = zigzag(value);
    for (; raw >= 0x80n; raw >>= 7n) this.#plain[this.#plainSize++] = Number(raw & 0x7fn) | 0x80;
    this.#plain[this.#plainSize++] = Number(raw);
  }
}

interface Kept {
  count: number;
  hasTombstone: boolean;
  maxTimestampDelta: number | bigint;
  /** Of the plain payload: where each run begins and ends. */
  readonly ranges: number[];
}

function horizonOf(nowMs: number, deleteRetentionMs: number): bigint {
  return BigInt(Math.min(nowMs + deleteRetentionMs, Number.MAX_SAFE_INTEGER));
}

const zigzag = (value: bigint) => BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));

function sizeOfVarlong(value: bigint): number {
  let size = 1;
  for (let raw = zigzag(value); raw >= 0x80n; raw >>= 7n) size += 1;
  return size;
}

function headerOf(bytes: Uint8Array, at: number): header.BatchHeader {
  return {
    baseOffset: header.baseOffset(bytes, at),
    sizeInBytes: header.sizeInBytes(bytes, at),
    leaderEpoch: header.partitionLeaderEpoch(bytes, at),
    attributes: header.attributes(bytes, at),
    lastOffsetDelta: header.lastOffsetDelta(bytes, at),
    baseTimestamp: header.baseTimestamp(bytes, at),
    maxTimestamp: header.maxTimestamp(bytes, at),
    producerId: header.producerId(bytes, at),
    producerEpoch: header.producerEpoch(bytes, at),
    baseSequence: header.baseSequence(bytes, at),
    recordCount: header.recordCount(bytes, at),
  };
}

/** The header alone: what offsets and sequence numbers there were. It has no codec and no horizon any more. */
function emptied(bytes: Uint8Array, at: number): Buffer {
  const batch = Buffer.alloc(header.BATCH_OVERHEAD);
  header.writeHeader(batch, 0, {
    ...headerOf(bytes, at),
    sizeInBytes: header.BATCH_OVERHEAD,
    attributes: header.attributes(bytes, at) & ~(header.COMPRESSION_MASK | header.DELETE_HORIZON_FLAG),
    baseTimestamp: -1n,
    recordCount: 0,
  });
  return batch;
}
