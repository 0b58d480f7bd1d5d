import { Errors, ProtocolError } from '../protocol/errors.ts';
import * as header from '../protocol/record-batch/header.ts';
import type { AppendInfo } from './types.ts';

export interface BatchSpan {
  readonly firstOffset: number;
  readonly lastOffset: number;
  /** The largest timestamp of all batches, rounded to a number. */
  readonly timestamp: number;
}

/** The offsets that whole batches span. Throws INVALID_RECORD unless they ascend from `endOffset` on. */
export function spanOf(batches: Uint8Array, endOffset: number): BatchSpan {
  let lastOffset = endOffset - 1;
  let timestamp = -1;
  for (let at = 0; at < batches.length; at += header.sizeInBytes(batches, at)) {
    const baseOffset = header.baseOffset(batches, at);
    if (baseOffset <= lastOffset || !header.hasSafeBaseOffset(batches, at)) {
      throw new ProtocolError(
        Errors.INVALID_RECORD,
        `batch at offset ${baseOffset} after offset ${lastOffset}`,
      );
    }
    lastOffset = header.lastOffset(batches, at);
    timestamp = Math.max(timestamp, header.roundedMaxTimestamp(batches, at));
  }
  return { firstOffset: header.baseOffset(batches, 0), lastOffset, timestamp };
}

export function appendInfo(
  firstOffset: number,
  lastOffset: number,
  logAppendTimeMs: bigint,
  logStartOffset: number,
  duplicate: boolean,
): AppendInfo {
  const recordCount = lastOffset - firstOffset + 1;
  return { firstOffset, lastOffset, logAppendTimeMs, logStartOffset, duplicate, recordCount };
}
