import * as header from '../protocol/record-batch/header.ts';
import type { PartitionLog } from './log.ts';
import type { MoveThrottle } from './move-throttle.ts';
import type { LogPorts } from './types.ts';

/** What is read, and written on the loop, before others get their turn. */
const CHUNK_BYTES = 512 * 1024;

/**
 * Cuts from a copy what its source does not have, by their leader epochs (KIP-101): the source may have lost its end, or
 * gone on without it.
 */
export function cutDivergence(source: PartitionLog, copy: PartitionLog): void {
  const cache = copy.leaderEpochCache;
  for (let latest = cache.latest; latest !== undefined; latest = cache.latest) {
    const known = source.endOffsetForEpoch(latest.epoch);
    if (known?.leaderEpoch === latest.epoch) {
      copy.truncateTo(Math.min(known.endOffset, copy.logEndOffset));
      return;
    }
    copy.truncateTo(latest.startOffset);
  }
  if (copy.logEndOffset > copy.firstSegmentOffset) copy.truncateFully(source.firstSegmentOffset);
}

/**
 * Copies what readers see of `source` until `copy` has all of it. `check` throws where that is to end early. Rejects with
 * that, and with ProtocolError.
 */
export async function copyLog(
  source: PartitionLog,
  copy: PartitionLog,
  ports: LogPorts,
  check: () => void,
  throttle?: MoveThrottle,
): Promise<void> {
  for (;;) {
    copy.replacement.followLogStart(source.logStartOffset);
    if (copy.assignedEndOffset >= source.logEndOffset) return;
    await throttle?.wait();
    check();
    const bytes = await copyNext(source, copy, check, throttle?.stepBytes(CHUNK_BYTES) ?? CHUNK_BYTES);
    throttle?.copied(bytes);
    await new Promise<void>((resolve) => ports.turn.later(resolve));
    check();
  }
}

/** Appends batches that another log has, in pieces that fit any segment. */
export function appendAll(copy: PartitionLog, batches: Buffer): void {
  for (let from = 0; from < batches.length; ) {
    let to = from;
    do to += header.sizeInBytes(batches, to);
    while (to < batches.length && to + header.sizeInBytes(batches, to) - from <= CHUNK_BYTES);
    copy.appendAsFollower(batches.subarray(from, to));
    from = to;
  }
}

/** Returns the bytes that were copied. */
async function copyNext(
  source: PartitionLog,
  copy: PartitionLog,
  check: () => void,
  bytesMax: number,
): Promise<number> {
  const from = Math.max(copy.assignedEndOffset, source.logStartOffset);
  const upTo = source.logEndOffset;
  const started = source.read(from, bytesMax, { minOneMessage: true, upTo });
  const read = 'pending' in started ? await started.pending : started;
  try {
    check();
    // The log may have been cut meanwhile, or its start moved.
    if (from !== Math.max(copy.assignedEndOffset, source.logStartOffset)) return 0;
    if (read.sizeInBytes === 0) copy.replacement.skipTo(upTo);
    else appendAll(copy, joined(read.bytes));
    return read.sizeInBytes;
  } finally {
    read.release();
  }
}

function joined(bytes: readonly Uint8Array[]): Buffer {
  const first = bytes[0]!;
  if (bytes.length > 1) return Buffer.concat(bytes);
  return Buffer.from(first.buffer, first.byteOffset, first.length);
}
