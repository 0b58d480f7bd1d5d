import { joinTimestamp, keyOf, type ProducerKey } from './batch-bytes.ts';
import type { ProducerSnapshotEntry } from './producer-snapshot.ts';

export const SEQUENCE_MAX = 0x7fffffff;
export const NO_EPOCH = -1;

interface BatchMetadata {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  /** Halves, as in a batch: a bigint for each append would cost as much as the rest. */
  readonly timestampHigh: number;
  readonly timestampLow: number;
}

/** What one producer id has done in this partition. */
export class ProducerEntry {
  readonly key: ProducerKey;
  epoch = NO_EPOCH;
  coordinatorEpoch = -1;
  timestampHigh = -1;
  timestampLow = 0xffffffff;
  /** First offset of the open transaction, -1 without. */
  txnFirstOffset = -1;
  /** The newest is last. */
  batches: BatchMetadata[];
  /** When its state before the write under way was kept last, in settled writes of its log; -1 for never. */
  copiedAt = -1;

  constructor(key: ProducerKey, batches: BatchMetadata[] = []) {
    this.key = key;
    this.batches = batches;
  }

  get lastSequence(): number {
    const { batches } = this;
    return batches.length === 0 ? -1 : batches[batches.length - 1]!.lastSequence;
  }

  get lastTimestamp(): bigint {
    return joinTimestamp(this.timestampHigh, this.timestampLow);
  }

  /** The newest batch; the oldest of `most` goes. Moved by hand: with each append, `shift` and `push` cost more than all else. */
  remember(batch: BatchMetadata, most: number): void {
    const { batches } = this;
    if (batches.length < most) {
      batches.push(batch);
      return;
    }
    for (let at = 1; at < most; at += 1) batches[at - 1] = batches[at]!;
    batches[most - 1] = batch;
  }

  copy(): ProducerEntry {
    const copy = new ProducerEntry(this.key, this.batches.slice());
    copy.epoch = this.epoch;
    copy.coordinatorEpoch = this.coordinatorEpoch;
    copy.timestampHigh = this.timestampHigh;
    copy.timestampLow = this.timestampLow;
    copy.txnFirstOffset = this.txnFirstOffset;
    return copy;
  }
}

/** A producer as a snapshot keeps it; its last batch is the only one that is remembered. */
export function entryOf(saved: ProducerSnapshotEntry): ProducerEntry {
  const { producerId, lastSequence, lastOffset, offsetDelta, timestamp } = saved;
  const entry = new ProducerEntry(keyOf(producerId));
  entry.epoch = saved.epoch;
  entry.coordinatorEpoch = saved.coordinatorEpoch;
  entry.timestampHigh = Number(timestamp >> 32n);
  entry.timestampLow = Number(timestamp & 0xffffffffn);
  entry.txnFirstOffset = saved.currentTxnFirstOffset;
  if (lastOffset < 0) return entry;
  const firstSequence = lastSequence - offsetDelta + (lastSequence < offsetDelta ? SEQUENCE_MAX + 1 : 0);
  const firstOffset = lastOffset - offsetDelta;
  const { timestampHigh, timestampLow } = entry;
  entry.batches.push({ firstSequence, lastSequence, firstOffset, lastOffset, timestampHigh, timestampLow });
  return entry;
}
