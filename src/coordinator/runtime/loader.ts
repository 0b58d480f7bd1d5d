import type { Turn } from '../../base/ports.ts';
import type { LogRead } from '../../log/index.ts';
import { prepareCodec } from '../../protocol/compression/index.ts';
import { ControlType, controlTypeOf } from '../../protocol/record-batch/control.ts';
import * as header from '../../protocol/record-batch/header.ts';
import { batchPositions, records } from '../../protocol/record-batch/records.ts';
import type { CoordinatorLog, RecordSerde } from './ports.ts';
import type { CoordinatorShard } from './shard.ts';

const NO_PRODUCER_ID = -1n;

export interface LoadSummary {
  /** The offset after the last record. */
  readonly endOffset: number;
  readonly records: number;
  /** Records of types that this version does not know. */
  readonly skipped: number;
}

export interface LoadOptions<R> {
  readonly log: CoordinatorLog;
  readonly shard: CoordinatorShard<R>;
  readonly serde: RecordSerde<R>;
  readonly turn: Turn;
  /** Bytes read at a time; the loop is given back in between. */
  readonly bufferBytes: number;
  /** True once nobody wants the state any more. */
  readonly isCancelled: () => boolean;
}

/**
 * Replays a partition from its start to its end as it is now. Undefined where it was cancelled. Rejects with what the
 * log, the records or the replay throw.
 */
export async function loadShard<R>(options: LoadOptions<R>): Promise<LoadSummary | undefined> {
  const { log, turn, isCancelled } = options;
  const summary = { endOffset: log.startOffset, records: 0, skipped: 0 };
  while (summary.endOffset < log.endOffset) {
    const from = summary.endOffset;
    const read = log.read(from, options.bufferBytes);
    const got = 'pending' in read ? await read.pending : read;
    try {
      if (isCancelled()) return undefined;
      const codec = codecToPrepare(got);
      if (codec !== undefined) await codec;
      replayRead(options, got, summary);
    } finally {
      got.release();
    }
    // What was compacted away at the end leaves no batch behind.
    if (summary.endOffset === from) break;
    if (summary.endOffset < log.endOffset) await new Promise<void>((resolve) => turn.later(resolve));
    if (isCancelled()) return undefined;
  }
  return { ...summary, endOffset: Math.max(summary.endOffset, log.endOffset) };
}

function codecToPrepare(read: LogRead): Promise<void> | undefined {
  for (const bytes of read.bytes) {
    for (const at of batchPositions(bytes)) {
      if (header.compressionOf(bytes, at) !== 'zstd') continue;
      const wait = prepareCodec('zstd');
      if (wait !== undefined) return wait;
    }
  }
  return undefined;
}

function replayRead<R>(
  options: LoadOptions<R>,
  read: LogRead,
  summary: { endOffset: number; records: number; skipped: number },
): void {
  for (const bytes of read.bytes) {
    for (const at of batchPositions(bytes)) {
      if (header.isControl(bytes, at)) replayControl(options.shard, bytes, at);
      else replayBatch(options, bytes, at, summary);
      summary.endOffset = header.lastOffset(bytes, at) + 1;
    }
  }
}

function replayBatch<R>(
  { shard, serde }: LoadOptions<R>,
  bytes: Uint8Array,
  at: number,
  summary: { records: number; skipped: number },
): void {
  const producerId = header.isTransactional(bytes, at) ? header.producerId(bytes, at) : NO_PRODUCER_ID;
  for (const { offset, key, value } of records(bytes, { at })) {
    const record = key === null ? undefined : serde.decode(key, value);
    if (record === undefined) {
      summary.skipped += 1;
      continue;
    }
    summary.records += 1;
    shard.replay(record, { offset, producerId });
  }
}

function replayControl<R>(shard: CoordinatorShard<R>, bytes: Uint8Array, at: number): void {
  for (const { key } of records(bytes, { at })) {
    const type = controlTypeOf(key);
    const producerId = header.producerId(bytes, at);
    if (type === ControlType.COMMIT) shard.replayEndTransactionMarker(producerId, 'commit');
    else if (type === ControlType.ABORT) shard.replayEndTransactionMarker(producerId, 'abort');
  }
}
