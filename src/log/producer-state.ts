import { Errors, ProtocolError } from '../protocol/errors.ts';
import * as header from '../protocol/record-batch/header.ts';
import {
  joinTimestamp,
  keyOf,
  maxTimestampHigh,
  maxTimestampLow,
  type ProducerKey,
  producerKey,
} from './batch-bytes.ts';
import type { LastRecord } from './cleaner/batch-filter.ts';
import type { ProducerSnapshotEntry } from './producer-snapshot.ts';
import type { AbortedTxn, ActiveProducer, AppendOrigin } from './types.ts';

/** How many batches of a producer are remembered to recognise repeats; clients have at most 5 requests in flight. */
const BATCHES_REMEMBERED = 5;
const SEQUENCE_MAX = 0x7fffffff;
const EPOCH_MAX = 0x7fff;
const NO_EPOCH = -1;

interface BatchMetadata {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly timestamp: bigint;
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
  batches: BatchMetadata[] = [];

  constructor(key: ProducerKey) {
    this.key = key;
  }

  get lastSequence(): number {
    return this.batches.at(-1)?.lastSequence ?? -1;
  }

  get lastTimestamp(): bigint {
    return joinTimestamp(this.timestampHigh, this.timestampLow);
  }

  copy(): ProducerEntry {
    const copy = new ProducerEntry(this.key);
    copy.epoch = this.epoch;
    copy.coordinatorEpoch = this.coordinatorEpoch;
    copy.timestampHigh = this.timestampHigh;
    copy.timestampLow = this.timestampLow;
    copy.txnFirstOffset = this.txnFirstOffset;
    copy.batches = this.batches.slice();
    return copy;
  }
}

/** The whole state as plain data, for its way to another thread. */
export interface ProducerDump {
  readonly entries: readonly Omit<ProducerEntry, 'lastSequence' | 'lastTimestamp' | 'copy'>[];
  readonly unreplicated: readonly CompletedTxn[];
  readonly aborted: readonly AbortedTxn[];
}

interface CompletedTxn {
  readonly firstOffset: number;
  readonly lastOffset: number;
}

/** A producer as a snapshot keeps it; its last batch is the only one that is remembered. */
function entryOf(saved: ProducerSnapshotEntry): ProducerEntry {
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
  entry.batches.push({ firstSequence, lastSequence, firstOffset, lastOffset, timestamp });
  return entry;
}

/** How to take one batch back: what its producer looked like before. */
interface Undo {
  readonly key: ProducerKey;
  readonly before: ProducerEntry | undefined;
  readonly completed: CompletedTxn | undefined;
  readonly abortedCount: number;
}

/** An end-of-transaction marker, read from a control batch. */
export interface TxnMarker {
  readonly isAbort: boolean;
  readonly coordinatorEpoch: number;
}

/** The batch is one of the last five of its producer: it is in the log already. */
export interface DuplicateBatch {
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly timestamp: bigint;
}

/**
 * The producers of one partition: sequences of idempotent ones (KIP-98), open transactions, aborted ones. A batch is applied
 * when its offset is assigned, so that the next one is checked against it; `rollBack` takes back what was applied since the
 * last `settle`, when the write failed.
 */
export class ProducerState {
  readonly #entries = new Map<ProducerKey, ProducerEntry>();
  // First offsets of transactions, ascending: without a marker, and with one at or above the high watermark.
  readonly #ongoing = new Map<number, ProducerKey>();
  #unreplicated: CompletedTxn[] = [];
  #aborted: AbortedTxn[] = [];
  readonly #undo: Undo[] = [];

  get size(): number {
    return this.#entries.size;
  }

  entry(key: ProducerKey): ProducerEntry | undefined {
    return this.#entries.get(key);
  }

  entries(): IterableIterator<ProducerEntry> {
    return this.#entries.values();
  }

  /** The earlier batch that `bytes` at `at` repeats, if it is one of the producer's last five. */
  findDuplicate(bytes: Uint8Array, at: number): DuplicateBatch | undefined {
    const entry = this.#entries.get(producerKey(bytes, at));
    if (entry === undefined || entry.epoch !== header.producerEpoch(bytes, at)) return undefined;
    const first = header.baseSequence(bytes, at);
    const last = header.lastSequence(bytes, at);
    for (const batch of entry.batches) {
      if (batch.firstSequence === first && batch.lastSequence === last) return batch;
    }
    return undefined;
  }

  /**
   * Throws the ProtocolError that Apache answers for a batch which does not follow: an old epoch, a gap, an older repeat, a
   * new epoch that does not begin with sequence 0, a plain batch inside a transaction.
   */
  check(bytes: Uint8Array, at: number, origin: AppendOrigin): void {
    const epoch = header.producerEpoch(bytes, at);
    const entry = this.#entries.get(producerKey(bytes, at));
    if (epoch < (entry?.epoch ?? NO_EPOCH)) throw oldEpoch(bytes, at, entry?.epoch ?? NO_EPOCH);
    if (entry === undefined) return;
    if (origin === 'client') checkSequence(bytes, at, entry, epoch);
    if (entry.txnFirstOffset >= 0 && !header.isTransactional(bytes, at)) {
      const text = `producer ${header.producerId(bytes, at)} has an open transaction and sent a batch outside of it`;
      throw new ProtocolError(Errors.INVALID_TXN_STATE, text);
    }
  }

  /** Throws where a marker comes from a producer epoch or a coordinator that has been superseded. */
  checkMarker(bytes: Uint8Array, at: number, marker: TxnMarker, transactionVersion: number): void {
    const entry = this.#entries.get(producerKey(bytes, at));
    if (entry === undefined) return;
    const epoch = header.producerEpoch(bytes, at);
    // KIP-890: from transaction version 2 on the marker has a newer epoch; the same one is fine as a repeat of the marker.
    const isRepeat = epoch === entry.epoch && (entry.txnFirstOffset < 0 || epoch === EPOCH_MAX);
    const isOld = transactionVersion >= 2 ? epoch <= entry.epoch && !isRepeat : epoch < entry.epoch;
    if (isOld) throw oldEpoch(bytes, at, entry.epoch);
    if (entry.coordinatorEpoch > marker.coordinatorEpoch) {
      const text = `coordinator epoch ${marker.coordinatorEpoch} is older than ${entry.coordinatorEpoch}`;
      throw new ProtocolError(Errors.TRANSACTION_COORDINATOR_FENCED, text);
    }
  }

  /** Counts a data batch in, checked or not (replay). Its base offset is set. */
  append(bytes: Uint8Array, at: number, undoable: boolean): void {
    const entry = this.#change(producerKey(bytes, at), undoable, undefined);
    const epoch = header.producerEpoch(bytes, at);
    const firstOffset = header.baseOffset(bytes, at);
    if (entry.epoch !== epoch) {
      entry.epoch = epoch;
      entry.batches = [];
    }
    if (entry.batches.length === BATCHES_REMEMBERED) entry.batches.shift();
    entry.timestampHigh = maxTimestampHigh(bytes, at);
    entry.timestampLow = maxTimestampLow(bytes, at);
    entry.batches.push({
      firstSequence: header.baseSequence(bytes, at),
      lastSequence: header.lastSequence(bytes, at),
      firstOffset,
      lastOffset: header.lastOffset(bytes, at),
      timestamp: entry.lastTimestamp,
    });
    if (header.isTransactional(bytes, at) && entry.txnFirstOffset < 0) {
      entry.txnFirstOffset = firstOffset;
      this.#ongoing.set(firstOffset, entry.key);
    }
  }

  /** Counts a transaction marker in: the producer's transaction is over, but unstable until its marker is replicated. */
  appendMarker(bytes: Uint8Array, at: number, marker: TxnMarker, timestamp: bigint, undoable: boolean): void {
    const key = producerKey(bytes, at);
    const before = this.#entries.get(key);
    const offset = header.baseOffset(bytes, at);
    const firstOffset = before?.txnFirstOffset ?? -1;
    const completed = firstOffset < 0 ? undefined : { firstOffset, lastOffset: offset };
    const entry = this.#change(key, undoable, completed);
    const epoch = header.producerEpoch(bytes, at);
    if (entry.epoch !== epoch) {
      entry.epoch = epoch;
      entry.batches = [];
    }
    entry.coordinatorEpoch = marker.coordinatorEpoch;
    entry.txnFirstOffset = -1;
    entry.timestampHigh = Number(timestamp >> 32n);
    entry.timestampLow = Number(timestamp & 0xffffffffn);
    if (completed === undefined) return;
    this.#ongoing.delete(firstOffset);
    this.#unreplicated.push(completed);
    if (!marker.isAbort) return;
    const lastStableOffset = this.#firstOngoing() ?? offset + 1;
    this.#aborted.push({ producerId: BigInt(key), firstOffset, lastOffset: offset, lastStableOffset });
  }

  /** What was applied since the last call is in the file. */
  settle(): void {
    this.#undo.length = 0;
  }

  /** Takes back what was applied since the last `settle`. */
  rollBack(): void {
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) {
      const { key, before, completed } = undo;
      const now = this.#entries.get(key);
      if (now !== undefined && now.txnFirstOffset >= 0 && now.txnFirstOffset !== before?.txnFirstOffset) {
        this.#ongoing.delete(now.txnFirstOffset);
      }
      if (before === undefined) this.#entries.delete(key);
      else this.#entries.set(key, before);
      this.#aborted.length = undo.abortedCount;
      if (completed === undefined) continue;
      this.#unreplicated.pop();
      this.#ongoing.set(completed.firstOffset, key);
    }
  }

  /** Transactions whose marker lies below the high watermark are stable. */
  onHighWatermark(highWatermark: number): void {
    const unreplicated = this.#unreplicated;
    if (unreplicated.length === 0 || unreplicated[0]!.lastOffset >= highWatermark) return;
    this.#unreplicated = unreplicated.filter((txn) => txn.lastOffset >= highWatermark);
  }

  /** The first offset of the oldest transaction that is open, or whose marker is not replicated; undefined without. */
  get firstUnstableOffset(): number | undefined {
    if (this.#ongoing.size === 0 && this.#unreplicated.length === 0) return undefined;
    let first = this.#firstOngoing() ?? Number.POSITIVE_INFINITY;
    for (const txn of this.#unreplicated) first = Math.min(first, txn.firstOffset);
    return first;
  }

  /** Aborted transactions that touch offsets from `from` to before `to`, by the offset of their marker. */
  abortedTransactions(from: number, to: number): AbortedTxn[] {
    return this.#aborted.filter((txn) => txn.lastOffset >= from && txn.firstOffset < to);
  }

  /** Aborted transactions whose marker lies from `from` to before `to`, by the offset of the marker. */
  abortedBetween(from: number, to: number): AbortedTxn[] {
    return this.#aborted.filter((txn) => txn.lastOffset >= from && txn.lastOffset < to);
  }

  /** All producers, as a snapshot keeps them. */
  snapshot(): ProducerSnapshotEntry[] {
    return Array.from(this.#entries.values(), (entry) => {
      const last = entry.batches.at(-1);
      return {
        producerId: BigInt(entry.key),
        epoch: entry.epoch,
        lastSequence: last?.lastSequence ?? -1,
        lastOffset: last?.lastOffset ?? -1,
        offsetDelta: last === undefined ? 0 : last.lastOffset - last.firstOffset,
        timestamp: entry.lastTimestamp,
        coordinatorEpoch: entry.coordinatorEpoch,
        currentTxnFirstOffset: entry.txnFirstOffset,
      };
    });
  }

  dump(): ProducerDump {
    const entries = Array.from(this.#entries.values(), (entry) => ({ ...entry }));
    return { entries, unreplicated: this.#unreplicated.slice(), aborted: this.#aborted.slice() };
  }

  /** Begins anew with what another state has dumped. */
  restoreDump(dump: ProducerDump): void {
    this.clear();
    for (const plain of dump.entries) {
      const entry = Object.assign(new ProducerEntry(plain.key), plain);
      this.#entries.set(entry.key, entry);
      if (entry.txnFirstOffset >= 0) this.#ongoing.set(entry.txnFirstOffset, entry.key);
    }
    this.#unreplicated = dump.unreplicated.slice();
    this.#aborted = dump.aborted.slice();
  }

  /** Begins anew with what a snapshot and the transaction indexes before it say. */
  restore(saved: readonly ProducerSnapshotEntry[], aborted: readonly AbortedTxn[]): void {
    this.clear();
    for (const one of saved) {
      const entry = entryOf(one);
      this.#entries.set(entry.key, entry);
      if (entry.txnFirstOffset >= 0) this.#ongoing.set(entry.txnFirstOffset, entry.key);
    }
    this.#aborted = aborted.slice();
  }

  /** What each producer wrote last. */
  lastRecords(): LastRecord[] {
    return Array.from(this.#entries.values(), ({ key, epoch, batches }) => ({
      key,
      epoch,
      lastDataOffset: batches.at(-1)?.lastOffset ?? -1,
    }));
  }

  /** Of the aborted transactions whose markers lie from `from` to before `to` only these are still to be known. */
  keepAborted(from: number, to: number, kept: readonly AbortedTxn[]): void {
    const before = this.#aborted.filter((txn) => txn.lastOffset < from);
    const after = this.#aborted.filter((txn) => txn.lastOffset >= to);
    this.#aborted = [...before, ...kept, ...after];
  }

  onLogStartOffset(logStartOffset: number): void {
    this.#aborted = this.#aborted.filter((txn) => txn.lastOffset >= logStartOffset);
    this.#unreplicated = this.#unreplicated.filter((txn) => txn.lastOffset >= logStartOffset);
  }

  /** Forgets producers that have been silent for `expirationMs` and have no open transaction. */
  expire(nowMs: number, expirationMs: number): void {
    for (const entry of this.#entries.values()) {
      const timestamp = entry.timestampHigh * 4294967296 + entry.timestampLow;
      if (entry.txnFirstOffset < 0 && nowMs - timestamp >= expirationMs) this.#entries.delete(entry.key);
    }
  }

  clear(): void {
    this.#entries.clear();
    this.#ongoing.clear();
    this.#unreplicated = [];
    this.#aborted = [];
    this.#undo.length = 0;
  }

  active(): ActiveProducer[] {
    return [...this.#entries.values()].map((entry) => ({
      producerId: BigInt(entry.key),
      producerEpoch: entry.epoch,
      lastSequence: entry.lastSequence,
      lastTimestamp: entry.lastTimestamp,
      coordinatorEpoch: entry.coordinatorEpoch,
      currentTxnStartOffset: entry.txnFirstOffset,
    }));
  }

  #firstOngoing(): number | undefined {
    let first: number | undefined;
    for (const offset of this.#ongoing.keys()) {
      if (first === undefined || offset < first) first = offset;
    }
    return first;
  }

  #change(key: ProducerKey, undoable: boolean, completed: CompletedTxn | undefined): ProducerEntry {
    let entry = this.#entries.get(key);
    if (undoable)
      this.#undo.push({ key, before: entry?.copy(), completed, abortedCount: this.#aborted.length });
    if (entry === undefined) {
      entry = new ProducerEntry(key);
      this.#entries.set(key, entry);
    }
    return entry;
  }
}

function oldEpoch(bytes: Uint8Array, at: number, lastEpoch: number): ProtocolError {
  const epoch = header.producerEpoch(bytes, at);
  const text = `epoch ${epoch} of producer ${header.producerId(bytes, at)} is older than ${lastEpoch}`;
  return new ProtocolError(Errors.INVALID_PRODUCER_EPOCH, text);
}

function checkSequence(bytes: Uint8Array, at: number, entry: ProducerEntry, epoch: number): void {
  const first = header.baseSequence(bytes, at);
  let fits: boolean;
  if (epoch !== entry.epoch) {
    fits = first === 0 || entry.epoch === NO_EPOCH;
  } else {
    const last = entry.lastSequence;
    fits = first === last + 1 || (first === 0 && last === SEQUENCE_MAX);
  }
  if (fits) return;
  const text = `producer ${header.producerId(bytes, at)} epoch ${epoch} sent sequence ${first} after ${entry.lastSequence} of epoch ${entry.epoch}`;
  throw new ProtocolError(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER, text);
}
