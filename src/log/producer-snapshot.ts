import { crc32c } from '../protocol/crc32c.ts';

const VERSION = 1;
const CRC_AT = 2;
const ENTRIES_AT = 6;
const FIRST_ENTRY_AT = 10;
const ENTRY_BYTES = 46;

/** A producer as Apache's `.snapshot` keeps it: only its last batch is remembered. */
export interface ProducerSnapshotEntry {
  readonly producerId: bigint;
  readonly epoch: number;
  /** -1 where it has sent no data in this epoch; then `lastOffset` is -1 too and `offsetDelta` 0. */
  readonly lastSequence: number;
  readonly lastOffset: number;
  /** Records in the last batch, less one. */
  readonly offsetDelta: number;
  readonly timestamp: bigint;
  readonly coordinatorEpoch: number;
  /** -1 where no transaction is open. */
  readonly currentTxnFirstOffset: number;
}

/** The bytes of a snapshot: version, CRC-32C of what follows, number of entries, entries of fixed size. */
export function encodeProducerSnapshot(entries: readonly ProducerSnapshotEntry[]): Buffer {
  const bytes = Buffer.alloc(FIRST_ENTRY_AT + entries.length * ENTRY_BYTES);
  bytes.writeInt16BE(VERSION, 0);
  bytes.writeInt32BE(entries.length, ENTRIES_AT);
  let at = FIRST_ENTRY_AT;
  for (const entry of entries) {
    bytes.writeBigInt64BE(entry.producerId, at);
    bytes.writeInt16BE(entry.epoch, at + 8);
    bytes.writeInt32BE(entry.lastSequence, at + 10);
    bytes.writeBigInt64BE(BigInt(entry.lastOffset), at + 14);
    bytes.writeInt32BE(entry.offsetDelta, at + 22);
    bytes.writeBigInt64BE(entry.timestamp, at + 26);
    bytes.writeInt32BE(entry.coordinatorEpoch, at + 34);
    bytes.writeBigInt64BE(BigInt(entry.currentTxnFirstOffset), at + 38);
    at += ENTRY_BYTES;
  }
  bytes.writeUInt32BE(crc32c(bytes, ENTRIES_AT, bytes.length), CRC_AT);
  return bytes;
}

/** Undefined where the bytes are no whole snapshot of version 1. */
export function decodeProducerSnapshot(bytes: Buffer): ProducerSnapshotEntry[] | undefined {
  if (bytes.length < FIRST_ENTRY_AT || bytes.readInt16BE(0) !== VERSION) return undefined;
  const count = bytes.readInt32BE(ENTRIES_AT);
  if (bytes.length !== FIRST_ENTRY_AT + count * ENTRY_BYTES) return undefined;
  if (bytes.readUInt32BE(CRC_AT) !== crc32c(bytes, ENTRIES_AT, bytes.length)) return undefined;
  const entries: ProducerSnapshotEntry[] = [];
  for (let at = FIRST_ENTRY_AT; at < bytes.length; at += ENTRY_BYTES) {
    entries.push({
      producerId: bytes.readBigInt64BE(at),
      epoch: bytes.readInt16BE(at + 8),
      lastSequence: bytes.readInt32BE(at + 10),
      lastOffset: Number(bytes.readBigInt64BE(at + 14)),
      offsetDelta: bytes.readInt32BE(at + 22),
      timestamp: bytes.readBigInt64BE(at + 26),
      coordinatorEpoch: bytes.readInt32BE(at + 34),
      currentTxnFirstOffset: Number(bytes.readBigInt64BE(at + 38)),
    });
  }
  return entries;
}
