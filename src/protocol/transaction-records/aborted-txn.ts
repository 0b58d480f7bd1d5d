import { type Infer, int64, message, offset } from '../schema.ts';

/** An entry of a transaction index: an aborted transaction of the segment (KIP-98). */
export const AbortedTxn = message(
  { name: 'AbortedTxn', versions: [0, 0] },
  {
    producerId: int64,
    firstOffset: offset,
    lastOffset: offset,
    lastStableOffset: offset,
  },
);
export type AbortedTxn = Infer<typeof AbortedTxn>;
