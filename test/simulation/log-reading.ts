import type { PartitionLog } from '../../src/log/log.ts';
import type { LogRead, PendingRead } from '../../src/log/types.ts';
import { ControlType, controlTypeOf, coordinatorEpochOf } from '../../src/protocol/record-batch/control.ts';
import * as header from '../../src/protocol/record-batch/header.ts';
import { type KafkaRecord, records } from '../../src/protocol/record-batch/records.ts';
import type { LogView, ReadBatch } from './log-model.ts';
import { promised } from './model.ts';
import type { SeededRandom } from './random.ts';

const CHUNK_BYTES = 4000;
const PROBES = 3;

/** The header of each record that says which it is. */
export const ID_HEADER = 'id';

/** What a marker is known by. */
export function markerId(coordinatorEpoch: number): string {
  return `marker ${coordinatorEpoch}`;
}

/** Waits for what a log promises; undefined where its process was ended meanwhile. */
export type Settle = <T>(promise: Promise<T>) => Promise<T | undefined>;

/**
 * All that a log holds, read from its start to its end; undefined where its files changed meanwhile or its process was
 * ended. Rejects with ProtocolError where its disk failed.
 */
export async function readWhole(log: PartitionLog, settle: Settle): Promise<LogView | undefined> {
  const isSame = sameness(log);
  const { logStartOffset, logEndOffset } = log;
  const batches: ReadBatch[] = [];
  for (let next = logStartOffset; next < logEndOffset; ) {
    const bytes = await readAt(log, next, CHUNK_BYTES, settle);
    if (bytes === undefined || !isSame()) return undefined;
    if (bytes.length === 0) break;
    for (let at = 0; at < bytes.length; at += header.sizeInBytes(bytes, at)) {
      promised(header.crcIsValid(bytes, at), () => `a batch at ${next} does not fit its CRC`);
      batches.push(batchAt(bytes, at));
      next = header.lastOffset(bytes, at) + 1;
    }
  }
  const { lastStableOffset, activeBaseOffset } = log;
  const aborted = log.abortedTransactions(logStartOffset, logEndOffset);
  const producers = log.activeProducers();
  return { logStartOffset, logEndOffset, lastStableOffset, activeBaseOffset, batches, aborted, producers };
}

/** A reader that begins anywhere, and a question for a time, get what the whole log holds there. */
export async function probe(
  log: PartitionLog,
  view: LogView,
  random: SeededRandom,
  settle: Settle,
): Promise<void> {
  const isSame = sameness(log);
  const { logStartOffset, logEndOffset, batches } = view;
  if (log.logStartOffset !== logStartOffset) return;
  for (let count = 0; count < PROBES; count += 1) {
    const offset = random.between(logStartOffset, logEndOffset);
    const bytes = await readAt(log, offset, random.pick([1, CHUNK_BYTES]), settle);
    if (bytes === undefined || !isSame() || log.logEndOffset !== logEndOffset) return;
    const found = bytes.length === 0 ? undefined : header.baseOffset(bytes, 0);
    const expected = batches.find(({ lastOffset }) => lastOffset >= offset)?.baseOffset;
    promised(
      found === expected,
      () => `a reader at ${offset} gets the batch at ${found}, and not that at ${expected}`,
    );
  }
  // As in Apache the first segment that is new enough decides, also where its records in time lie below the log start.
  const isWhole = logStartOffset <= log.firstSegmentOffset;
  if (isWhole && log.logEndOffset === logEndOffset) probeTime(log, view, random);
}

function probeTime(log: PartitionLog, view: LogView, random: SeededRandom): void {
  const { batches, logStartOffset, logEndOffset } = view;
  // Of an empty batch the cleaner keeps the largest timestamp, at which a question ends as in Apache.
  const all = batches.flatMap((batch) => batch.records).filter(({ offset }) => offset >= logStartOffset);
  if (all.length === 0 || batches.some((batch) => batch.records.length === 0)) return;
  const timestampMs = random.pick(all).timestampMs + random.between(-1, 1);
  const expected = all.find((record) => record.timestampMs >= timestampMs)?.offset;
  const found = log.offsetForTimestamp(BigInt(timestampMs))?.offset;
  // It knows what nobody may see yet.
  const isHidden = found !== undefined && found >= logEndOffset;
  promised(
    (isHidden ? undefined : found) === expected,
    () => `${log.topic}: the first record at ${timestampMs} is at ${found}, and not at ${expected}`,
  );
}

async function readAt(
  log: PartitionLog,
  offset: number,
  maxBytes: number,
  settle: Settle,
): Promise<Buffer | undefined> {
  const asked: LogRead | PendingRead = log.read(offset, maxBytes, {
    minOneMessage: true,
    upTo: log.logEndOffset,
  });
  const read = 'pending' in asked ? await settle(asked.pending) : asked;
  if (read === undefined) return undefined;
  const bytes = Buffer.concat(read.bytes);
  read.release();
  return bytes;
}

/** Whether the log is still made of the same segments. */
function sameness(log: PartitionLog): () => boolean {
  const { cutCount, logStartOffset, closedSegments } = log;
  return () =>
    !log.isClosed &&
    log.cutCount === cutCount &&
    log.logStartOffset === logStartOffset &&
    closedSegments.every((segment, at) => log.closedSegments[at] === segment);
}

function batchAt(bytes: Buffer, at: number): ReadBatch {
  const isControl = header.isControl(bytes, at);
  const found = [...records(bytes, { at })];
  const type = isControl && found.length > 0 ? controlTypeOf(found[0]!.key) : undefined;
  return {
    baseOffset: header.baseOffset(bytes, at),
    lastOffset: header.lastOffset(bytes, at),
    producerId: header.hasProducerId(bytes, at) ? Number(header.producerId(bytes, at)) : undefined,
    isTransactional: header.isTransactional(bytes, at),
    isControl,
    marker: type === ControlType.ABORT ? 'abort' : type === ControlType.COMMIT ? 'commit' : undefined,
    records: found.map((record) => {
      const { offset, key, value } = record;
      const timestampMs = Number(record.timestamp);
      if (isControl)
        return { offset, id: markerId(coordinatorEpochOf(value)), timestampMs, key: '', value: null };
      const text = value === null ? null : Buffer.from(value).toString();
      return { offset, id: idOf(record), timestampMs, key: Buffer.from(key ?? []).toString(), value: text };
    }),
  };
}

function idOf({ headers }: KafkaRecord): string {
  return headers
    .map(({ key, value }) => (key === ID_HEADER ? Buffer.from(value ?? []).toString() : '?'))
    .join();
}
