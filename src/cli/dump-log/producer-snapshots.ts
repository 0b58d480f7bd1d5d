import type { Storage } from '../../base/ports.ts';
import { crc32c } from '../../protocol/crc32c.ts';
import { DumpError } from './dump-error.ts';
import { readWhole } from './files.ts';

const HEADER_BYTES = 10;
const CRC_FROM = 6;
const ENTRY_BYTES = 46;
const VERSION = 1;
const SEQUENCES = 0x80000000;

/** The lines of a snapshot of a partition's producers. Throws {@link DumpError}. */
export function* dumpProducerSnapshot(storage: Storage, path: string): Generator<string, void, undefined> {
  const bytes = readWhole(storage, path);
  if (bytes.length < HEADER_BYTES) throw new DumpError(`${path} is cut short: it has ${bytes.length} bytes`);
  const version = bytes.readInt16BE(0);
  if (version !== VERSION) throw new DumpError(`${path} has version ${version}, not ${VERSION}`);
  const crc = crc32c(bytes, CRC_FROM) >>> 0;
  if (bytes.readUInt32BE(2) !== crc) {
    throw new DumpError(`${path} is damaged: its CRC is ${bytes.readUInt32BE(2)}, that of its bytes ${crc}`);
  }
  const count = bytes.readInt32BE(CRC_FROM);
  if (count < 0 || HEADER_BYTES + count * ENTRY_BYTES > bytes.length) {
    throw new DumpError(`${path} is cut short: ${count} producers do not fit into ${bytes.length} bytes`);
  }
  for (let n = 0; n < count; n += 1) yield entryLine(bytes, HEADER_BYTES + n * ENTRY_BYTES);
}

function entryLine(bytes: Buffer, at: number): string {
  const lastSequence = bytes.readInt32BE(at + 10);
  const lastOffset = bytes.readBigInt64BE(at + 14);
  const offsetDelta = bytes.readInt32BE(at + 22);
  const timestamp = bytes.readBigInt64BE(at + 26);
  const txnFirstOffset = bytes.readBigInt64BE(at + 38);
  const line =
    `producerId: ${bytes.readBigInt64BE(at)} producerEpoch: ${bytes.readInt16BE(at + 8)}` +
    ` coordinatorEpoch: ${bytes.readInt32BE(at + 34)}` +
    ` currentTxnFirstOffset: OptionalLong${txnFirstOffset < 0n ? '.empty' : `[${txnFirstOffset}]`}` +
    ` lastTimestamp: ${timestamp}`;
  if (lastOffset < 0n) return line;
  const firstSequence = lastSequence - offsetDelta + (lastSequence < offsetDelta ? SEQUENCES : 0);
  return (
    `${line} firstSequence: ${firstSequence} lastSequence: ${lastSequence} lastOffset: ${lastOffset}` +
    ` offsetDelta: ${offsetDelta} timestamp: ${timestamp}`
  );
}
