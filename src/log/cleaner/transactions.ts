import { ControlType, controlTypeOf } from '../../protocol/record-batch/control.ts';
import * as header from '../../protocol/record-batch/header.ts';
import { records } from '../../protocol/record-batch/records.ts';
import { type ProducerKey, producerKey } from '../batch-bytes.ts';
import type { AbortedTxn } from '../types.ts';

interface AbortedState {
  readonly txn: AbortedTxn;
  /** A batch of it was still there when the cleaner came by. */
  seen: boolean;
}

/**
 * Follows the transactions of a log while batches are read in order, and says what may go with them: the data of aborted
 * ones at once, a marker once a run found no batch of its transaction any more. Until then readers, and whoever makes
 * the producer state anew from the log, need the marker to know how the transaction ended.
 */
export class TransactionTracker {
  /** The aborted transaction that the last control batch ended, where readers must go on to know of it. */
  ended: AbortedTxn | undefined;
  readonly #committed = new Set<ProducerKey>();
  readonly #aborted = new Map<ProducerKey, AbortedState>();
  readonly #coming: readonly AbortedTxn[];
  #next = 0;

  /** All aborted transactions that touch the offsets to come. */
  constructor(aborted: readonly AbortedTxn[]) {
    this.#coming = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  }

  /** For a control batch, whole in `bytes`. True: the marker is of no use any more. */
  onControlBatch(bytes: Uint8Array, at: number): boolean {
    this.#begin(header.lastOffset(bytes, at));
    this.ended = undefined;
    // An empty one is what an earlier run left of a marker.
    const first = header.recordCount(bytes, at) === 0 ? undefined : records(bytes, { at }).next().value;
    if (!first) return true;
    const key = producerKey(bytes, at);
    const type = controlTypeOf(first.key);
    if (type === ControlType.COMMIT) return !this.#committed.delete(key);
    if (type !== ControlType.ABORT) return false;
    const state = this.#aborted.get(key);
    this.#aborted.delete(key);
    if (state?.seen !== true) return true;
    this.ended = state.txn;
    return false;
  }

  /** For any other batch. True: it belongs to an aborted transaction. */
  onBatch(bytes: Uint8Array, at: number): boolean {
    this.#begin(header.lastOffset(bytes, at));
    if (!header.isTransactional(bytes, at)) return false;
    const key = producerKey(bytes, at);
    const state = this.#aborted.get(key);
    if (state === undefined) {
      this.#committed.add(key);
      return false;
    }
    state.seen = true;
    return true;
  }

  #begin(lastOffset: number): void {
    for (; this.#next < this.#coming.length; this.#next += 1) {
      const txn = this.#coming[this.#next]!;
      if (txn.firstOffset > lastOffset) return;
      const id = Number(txn.producerId);
      const key = Number.isSafeInteger(id) ? id : txn.producerId;
      if (!this.#aborted.has(key)) this.#aborted.set(key, { txn, seen: false });
    }
  }
}
