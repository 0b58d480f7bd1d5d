import {
  baseOffset,
  batchPositions,
  crcIsValid,
  isControl,
  lastOffset,
  maxTimestamp,
  partitionLeaderEpoch,
  records,
  sizeInBytes,
} from '../protocol/record-batch/index.ts';
import { type QuorumControl, readControl } from './control-records.ts';
import type { CommittedBatch, EntrySerde, ReplicatedLog } from './ports.ts';

/** A batch of the metadata log is damaged, or an offset is missing. */
export class LogReadError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'LogReadError';
  }
}

export type LogBatch<T> =
  | { readonly control: QuorumControl; readonly committed?: undefined }
  | { readonly control?: undefined; readonly committed: CommittedBatch<T> };

const READ_BYTES = 1024 * 1024;

/** The batches in [from, end) with their entries decoded, as many at once as one read gave. Throws {@link LogReadError} and what decoding throws. */
export async function* readLogBatches<T>(
  log: ReplicatedLog,
  from: number,
  end: number,
  serde: EntrySerde<T>,
): AsyncGenerator<readonly LogBatch<T>[]> {
  let next = from;
  while (next < end) {
    const read = log.read(next, READ_BYTES);
    const bytes = read instanceof Promise ? await read : read;
    // All are decoded before control goes back: the bytes are only ours until then.
    const batches: LogBatch<T>[] = [];
    for (const at of batchPositions(bytes)) {
      const last = lastOffset(bytes, at);
      if (last < next) continue;
      if (baseOffset(bytes, at) >= end) break;
      if (!crcIsValid(bytes, at))
        throw new LogReadError(`metadata log: the batch at offset ${next} fails its CRC`);
      batches.push(decodeBatch(bytes, at, next, serde));
      next = last + 1;
    }
    if (batches.length === 0)
      throw new LogReadError(`metadata log: nothing can be read at offset ${next}, before ${end}`);
    yield batches;
  }
}

function decodeBatch<T>(bytes: Uint8Array, at: number, from: number, serde: EntrySerde<T>): LogBatch<T> {
  if (isControl(bytes, at)) {
    let control: QuorumControl = {};
    for (const record of records(bytes, { at })) control = { ...control, ...readControl(record) };
    return { control };
  }
  const entries: T[] = [];
  let first: number | undefined;
  for (const record of records(bytes, { at })) {
    if (record.offset < from) continue;
    first ??= record.offset;
    if (record.value === null)
      throw new LogReadError(`metadata log: the record at ${record.offset} has no value`);
    entries.push(serde.decode(record.value));
  }
  return {
    committed: {
      baseOffset: first ?? from,
      epoch: partitionLeaderEpoch(bytes, at),
      timestampMs: Number(maxTimestamp(bytes, at)),
      sizeInBytes: sizeInBytes(bytes, at),
      entries,
    },
  };
}
