import { CorruptCompressionError, OutputTooLargeError } from '../protocol/compression/codec.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import * as header from '../protocol/record-batch/header.ts';
import { InvalidRecordError, type KafkaRecord, records } from '../protocol/record-batch/records.ts';
import type { BatchScanner } from './batch-scanner.ts';
import type { LeaderEpochCache } from './epoch-cache.ts';
import type { Segments } from './segments.ts';
import type { TimestampAndOffset } from './types.ts';

export const EARLIEST_TIMESTAMP = -2n;
export const LATEST_TIMESTAMP = -1n;
export const MAX_TIMESTAMP = -3n;
export const EARLIEST_LOCAL_TIMESTAMP = -4n;

/** What ListOffsets asks for: a special time, or the first record at or after a time. Throws as `findByTimestamp`. */
export function findOffset(
  segments: Segments,
  epochs: LeaderEpochCache,
  timestamp: bigint,
  logStartOffset: number,
  logEndOffset: number,
): TimestampAndOffset | undefined {
  const at = (offset: number, epoch: number | undefined) => ({
    offset,
    timestamp: -1n,
    leaderEpoch: epoch ?? -1,
  });
  if (timestamp === LATEST_TIMESTAMP) return at(logEndOffset, epochs.latest?.epoch);
  if (timestamp === EARLIEST_TIMESTAMP || timestamp === EARLIEST_LOCAL_TIMESTAMP) {
    return at(logStartOffset, epochs.epochFor(logStartOffset));
  }
  if (timestamp === MAX_TIMESTAMP) return findMaxTimestamp(segments);
  return timestamp < 0n ? undefined : findByTimestamp(segments, timestamp, logStartOffset);
}

/**
 * The first record at or above `startOffset` whose timestamp is at or after `timestamp`. As in Apache the first segment that
 * is new enough decides alone, also where its records in time lie below the start, or have no timestamps. Segments that lie
 * below the start are as good as gone. Throws StorageError, and CORRUPT_MESSAGE for a batch that can't be read.
 */
export function findByTimestamp(
  segments: Segments,
  timestamp: bigint,
  startOffset: number,
): TimestampAndOffset | undefined {
  const first = Math.max(0, segments.floor(startOffset));
  // Of a closed segment that compaction has emptied only its file has a time, which says nothing.
  const segment = segments.all.find(
    (one, at) => at >= first && one.sizeInBytes > 0 && one.largestTimestamp >= timestamp,
  );
  if (segment === undefined) return undefined;
  const from = Math.max(segment.times.offsetFor(timestamp), startOffset);
  const scanner = segment.scan(segment.offsets.positionFor(from), { chunkBytes: 16 * 1024 });
  while (scanner.next()) {
    if (header.maxTimestamp(scanner.bytes, scanner.at) < timestamp) continue;
    if (header.lastOffset(scanner.bytes, scanner.at) < startOffset) continue;
    const found = firstRecord(
      scanner,
      (record) => record.timestamp >= timestamp && record.offset >= startOffset,
    );
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The first record that has the largest timestamp of the log. Throws as `findByTimestamp`. */
export function findMaxTimestamp(segments: Segments): TimestampAndOffset | undefined {
  let newest = segments.first;
  for (const segment of segments.all) {
    if (segment.maxTimestamp > newest.maxTimestamp) newest = segment;
  }
  if (newest.sizeInBytes === 0) return undefined;
  const timestamp = newest.maxTimestamp;
  const scanner = newest.scan(newest.offsets.positionFor(newest.offsetOfMaxTimestamp), {
    chunkBytes: 16 * 1024,
  });
  while (scanner.next()) {
    if (header.maxTimestamp(scanner.bytes, scanner.at) !== timestamp) continue;
    return firstRecord(scanner, (record) => record.timestamp === timestamp);
  }
  return undefined;
}

function firstRecord(
  scanner: BatchScanner,
  matches: (record: KafkaRecord) => boolean,
): TimestampAndOffset | undefined {
  scanner.loadWhole();
  const leaderEpoch = header.partitionLeaderEpoch(scanner.bytes, scanner.at);
  try {
    for (const record of records(scanner.bytes, { at: scanner.at })) {
      if (matches(record)) return { offset: record.offset, timestamp: record.timestamp, leaderEpoch };
    }
  } catch (error) {
    const isCorrupt =
      error instanceof InvalidRecordError ||
      error instanceof CorruptCompressionError ||
      error instanceof OutputTooLargeError;
    throw isCorrupt ? new ProtocolError(Errors.CORRUPT_MESSAGE, error.message) : error;
  }
  return undefined;
}

/**
 * What brokers before 0.10.1 answered: at most `countMax` offsets where segments begin, newest first, of those that were
 * written at or before a time; the log end counts as written now. -1 and -2 stand for all and for the first one.
 */
export function offsetsBefore(
  segments: Segments,
  timestamp: bigint,
  countMax: number,
  log: { readonly logStartOffset: number; readonly logEndOffset: number; readonly nowMs: number },
): number[] {
  const starts = segments.all.map((segment) => Math.max(segment.baseOffset, log.logStartOffset));
  if (segments.active.sizeInBytes > 0) starts.push(log.logEndOffset);
  let last = starts.length - 1;
  if (timestamp === EARLIEST_TIMESTAMP) last = 0;
  else if (timestamp !== LATEST_TIMESTAMP) {
    while (last >= 0 && BigInt(segments.at(last)?.modifiedMs ?? log.nowMs) > timestamp) last -= 1;
  }
  return starts.slice(Math.max(0, last + 1 - Math.max(0, countMax)), last + 1).reverse();
}
