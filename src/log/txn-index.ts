import type { AbortedTxn } from './types.ts';

const VERSION = 0;
const ENTRY_BYTES = 34;

/** The bytes of Apache's `.txnindex`: the aborted transactions whose marker lies in a segment, by offset of the marker. */
export function encodeTxnIndex(aborted: readonly AbortedTxn[]): Buffer {
  const bytes = Buffer.alloc(aborted.length * ENTRY_BYTES);
  aborted.forEach((txn, slot) => {
    const at = slot * ENTRY_BYTES;
    bytes.writeInt16BE(VERSION, at);
    bytes.writeBigInt64BE(txn.producerId, at + 2);
    bytes.writeBigInt64BE(BigInt(txn.firstOffset), at + 10);
    bytes.writeBigInt64BE(BigInt(txn.lastOffset), at + 18);
    bytes.writeBigInt64BE(BigInt(txn.lastStableOffset), at + 26);
  });
  return bytes;
}

/**
 * Undefined where the bytes can't be the transaction index of a segment that begins at `baseOffset`. No bytes at all are
 * what a power loss leaves: a segment without aborted transactions has no such file.
 */
export function decodeTxnIndex(bytes: Buffer, baseOffset: number): AbortedTxn[] | undefined {
  if (bytes.length === 0 || bytes.length % ENTRY_BYTES !== 0) return undefined;
  const aborted: AbortedTxn[] = [];
  let before = baseOffset - 1;
  for (let at = 0; at < bytes.length; at += ENTRY_BYTES) {
    const [firstOffset, lastOffset, lastStableOffset] = [10, 18, 26].map((field) =>
      Number(bytes.readBigInt64BE(at + field)),
    ) as [number, number, number];
    const isSound = [firstOffset, lastOffset, lastStableOffset].every(Number.isSafeInteger);
    if (bytes.readInt16BE(at) !== VERSION || !isSound || lastOffset <= before || firstOffset > lastOffset) {
      return undefined;
    }
    before = lastOffset;
    aborted.push({ producerId: bytes.readBigInt64BE(at + 2), firstOffset, lastOffset, lastStableOffset });
  }
  return aborted;
}
