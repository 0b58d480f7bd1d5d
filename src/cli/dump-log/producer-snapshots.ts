import type { Storage } from '../../base/ports.ts';
import { decodeProducerSnapshot, type ProducerSnapshotEntry } from '../../log/producer-snapshot.ts';
import { DumpError } from './dump-error.ts';
import { readWhole } from './files.ts';

const SEQUENCES = 0x80000000;

/** The lines of a snapshot of a partition's producers. Throws {@link DumpError}. */
export function* dumpProducerSnapshot(storage: Storage, path: string): Generator<string, void, undefined> {
  const entries = decodeProducerSnapshot(readWhole(storage, path));
  if (entries === undefined) {
    throw new DumpError(`${path} is damaged, cut short, or no snapshot of producers in version 1`);
  }
  for (const entry of entries) yield entryLine(entry);
}

function entryLine(entry: ProducerSnapshotEntry): string {
  const { lastSequence, lastOffset, offsetDelta, timestamp, currentTxnFirstOffset } = entry;
  const line =
    `producerId: ${entry.producerId} producerEpoch: ${entry.epoch} coordinatorEpoch: ${entry.coordinatorEpoch}` +
    ` currentTxnFirstOffset: OptionalLong${currentTxnFirstOffset < 0 ? '.empty' : `[${currentTxnFirstOffset}]`}` +
    ` lastTimestamp: ${timestamp}`;
  if (lastOffset < 0) return line;
  const firstSequence = lastSequence - offsetDelta + (lastSequence < offsetDelta ? SEQUENCES : 0);
  return (
    `${line} firstSequence: ${firstSequence} lastSequence: ${lastSequence} lastOffset: ${lastOffset}` +
    ` offsetDelta: ${offsetDelta} timestamp: ${timestamp}`
  );
}
