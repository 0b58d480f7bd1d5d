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
import { OpenTransactions } from './open-transactions.ts';
import { checkFirstSequence, checkSequence, isOpen, oldEpoch, supersededEpoch } from './producer-checks.ts';
import { entryOf, NO_EPOCH, ProducerEntry } from './producer-entry.ts';
import type { ProducerSnapshotEntry } from './producer-snapshot.ts';
import type { AbortedTxn, ActiveProducer, AppendOrigin } from './types.ts';
import {
  type ProducerToVerify,
  type TransactionalAppend,
  type VerificationGuard,
  Verifications,
} from './verification.ts';

/** How many batches of a producer are remembered to recognise repeats; clients have at most 5 requests in flight. */
const BATCHES_REMEMBERED = 5;
const EPOCH_MAX = 0x7fff;

/** The whole state as plain data, for its way to another thread. */
export interface ProducerDump {
  readonly entries: readonly Omit<ProducerEntry, 'lastSequence' | 'lastTimestamp' | 'copy' | 'remember'>[];
  readonly unreplicated: readonly CompletedTxn[];
  readonly aborted: readonly AbortedTxn[];
}

interface CompletedTxn {
  readonly firstOffset: number;
  readonly lastOffset: number;
}

/** How to take batches of one producer back: what it looked like before them. */
interface Undo {
  readonly key: ProducerKey;
  readonly before: ProducerEntry | undefined;
  readonly completed: CompletedTxn | undefined;
}

/** An end-of-transaction marker, read from a control batch. */
export interface TxnMarker {
  readonly isAbort: boolean;
  readonly coordinatorEpoch: number;
}

/** What others than the log itself do with its producers. */
export type PartitionProducers = Pick<ProducerState, 'expire' | 'lastRecords' | 'startVerification'>;

/** The batch is one of the last five of its producer: it is in the log already. */
export interface DuplicateBatch {
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly timestamp: bigint;
}

// What logs without producers share, since a map costs more than the rest of their state: never to be added to.
const noEntries = new Map<ProducerKey, ProducerEntry>();
const noneOngoing = new OpenTransactions();

/**
 * The producers of one partition: sequences of idempotent ones (KIP-98), open transactions, aborted ones. A batch is applied
 * when its offset is assigned, so that the next one is checked against it; `rollBack` takes back what was applied since the
 * last `settle`, when the write failed.
 */
export class ProducerState {
  #entries = noEntries;
  // Transactions without a marker.
  #ongoing = noneOngoing;
  // Those with a marker at or above the high watermark.
  #unreplicated: CompletedTxn[] = [];
  // By the offsets of their markers.
  #aborted: AbortedTxn[] = [];
  readonly #undo: Undo[] = [];
  /** Counts calls of `settle` that had something to settle. */
  #settled = 0;
  #verifications = new Verifications();

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
    // What follows on the newest batch repeats none.
    if (first > 0 && first === entry.lastSequence + 1) return undefined;
    const last = header.lastSequence(bytes, at);
    for (const batch of entry.batches) {
      if (batch.firstSequence !== first || batch.lastSequence !== last) continue;
      const { firstOffset, lastOffset, timestampHigh, timestampLow } = batch;
      return { firstOffset, lastOffset, timestamp: joinTimestamp(timestampHigh, timestampLow) };
    }
    return undefined;
  }

  /**
   * Begins to verify that a producer's transaction includes this partition, or goes on with that; undefined where the
   * transaction is open here. Throws INVALID_PRODUCER_EPOCH for a producer that has been superseded.
   */
  startVerification(
    { producerId, epoch, sequence, supportsEpochBump }: ProducerToVerify,
    nowMs: number,
  ): VerificationGuard | undefined {
    const key = keyOf(producerId);
    const entry = this.#entries.get(key);
    if (entry !== undefined && epoch < entry.epoch) throw supersededEpoch(producerId, epoch, entry.epoch);
    if (isOpen(entry, epoch)) return undefined;
    return this.#verifications.start(key, { epoch, sequence, supportsEpochBump }, nowMs);
  }

  /**
   * Throws the ProtocolError that Apache answers for a batch which does not follow: an old epoch, a gap, an older repeat, a
   * new epoch that does not begin with sequence 0, a plain batch inside a transaction, a transaction that nobody verified.
   */
  check(
    bytes: Uint8Array,
    at: number,
    origin: AppendOrigin,
    transaction: TransactionalAppend | undefined,
  ): void {
    const epoch = header.producerEpoch(bytes, at);
    const key = producerKey(bytes, at);
    const entry = this.#entries.get(key);
    if (epoch < (entry?.epoch ?? NO_EPOCH)) throw oldEpoch(bytes, at, entry?.epoch ?? NO_EPOCH);
    const pending = this.#verifications.get(key);
    if (transaction !== undefined && header.isTransactional(bytes, at) && !isOpen(entry, epoch)) {
      if (transaction.guard === undefined || pending?.guard !== transaction.guard) {
        const text = `producer ${header.producerId(bytes, at)} has no transaction that includes the partition`;
        throw new ProtocolError(Errors.INVALID_TXN_STATE, text);
      }
    }
    if (origin === 'client' && pending !== undefined) checkFirstSequence(bytes, at, entry, pending);
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
    entry.timestampHigh = maxTimestampHigh(bytes, at);
    entry.timestampLow = maxTimestampLow(bytes, at);
    const batch = {
      firstSequence: header.baseSequence(bytes, at),
      lastSequence: header.lastSequence(bytes, at),
      firstOffset,
      lastOffset: header.lastOffset(bytes, at),
      timestampHigh: entry.timestampHigh,
      timestampLow: entry.timestampLow,
    };
    entry.remember(batch, BATCHES_REMEMBERED);
    if (!header.isTransactional(bytes, at)) return;
    this.#verifications.end(entry.key);
    if (entry.txnFirstOffset < 0) {
      entry.txnFirstOffset = firstOffset;
      this.#ownOngoing().add(firstOffset);
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
    this.#verifications.endByMarker(key, epoch);
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
    const lastStableOffset = this.#ongoing.first ?? offset + 1;
    this.#aborted.push({ producerId: BigInt(key), firstOffset, lastOffset: offset, lastStableOffset });
  }

  #ownEntries(): Map<ProducerKey, ProducerEntry> {
    if (this.#entries === noEntries) this.#entries = new Map();
    return this.#entries;
  }

  #ownOngoing(): OpenTransactions {
    if (this.#ongoing === noneOngoing) this.#ongoing = new OpenTransactions();
    return this.#ongoing;
  }

  /** What was applied since the last call is in the file. */
  settle(): void {
    if (this.#undo.length === 0) return;
    // One after the other: to set the length takes longer than a few of them.
    while (this.#undo.length > 0) this.#undo.pop();
    this.#settled += 1;
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
      else this.#ownEntries().set(key, before);
      if (completed === undefined) continue;
      // Those before it may have left since with the segments of their markers.
      if (this.#aborted.at(-1)?.lastOffset === completed.lastOffset) this.#aborted.pop();
      this.#unreplicated.pop();
      this.#ownOngoing().add(completed.firstOffset);
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
    let first = this.#ongoing.first ?? Number.POSITIVE_INFINITY;
    for (const txn of this.#unreplicated) first = Math.min(first, txn.firstOffset);
    return first;
  }

  /** Aborted transactions that touch offsets from `from` to before `to`, by their first offsets as some clients need it. */
  abortedTransactions(from: number, to: number): AbortedTxn[] {
    const found: AbortedTxn[] = [];
    for (let at = this.#firstAbortedAt(from); at < this.#aborted.length; at += 1) {
      const txn = this.#aborted[at]!;
      if (txn.firstOffset < to) found.push(txn);
      // All that were open then, and all later ones, begin behind.
      if (txn.lastStableOffset >= to) break;
    }
    return found.length < 2 ? found : found.sort((one, other) => one.firstOffset - other.firstOffset);
  }

  /** Aborted transactions whose marker lies from `from` to before `to`, by the offset of the marker. */
  abortedBetween(from: number, to: number): AbortedTxn[] {
    return this.#aborted.slice(this.#firstAbortedAt(from), this.#firstAbortedAt(to));
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
      entry.copiedAt = -1;
      this.#ownEntries().set(entry.key, entry);
      if (entry.txnFirstOffset >= 0) this.#ownOngoing().add(entry.txnFirstOffset);
    }
    this.#unreplicated = dump.unreplicated.slice();
    this.#aborted = dump.aborted.slice();
  }

  /** Begins anew with what a snapshot and the transaction indexes before it say. */
  restore(saved: readonly ProducerSnapshotEntry[], aborted: readonly AbortedTxn[]): void {
    this.clear();
    for (const one of saved) {
      const entry = entryOf(one);
      this.#ownEntries().set(entry.key, entry);
      if (entry.txnFirstOffset >= 0) this.#ownOngoing().add(entry.txnFirstOffset);
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

  /**
   * The log begins at `logStartOffset`, in the segment at `baseOffset`. What was aborted in there stays known with it: a crash
   * may bring back an earlier log start, and its records with that.
   */
  onLogStartOffset(logStartOffset: number, baseOffset: number): void {
    this.#aborted = this.#aborted.filter((txn) => txn.lastOffset >= baseOffset);
    this.#unreplicated = this.#unreplicated.filter((txn) => txn.lastOffset >= logStartOffset);
  }

  /** Forgets producers that have been silent for `expirationMs` and have no open transaction. */
  expire(nowMs: number, expirationMs: number): void {
    for (const entry of this.#entries.values()) {
      const timestamp = entry.timestampHigh * 4294967296 + entry.timestampLow;
      if (entry.txnFirstOffset < 0 && nowMs - timestamp >= expirationMs) this.#entries.delete(entry.key);
    }
    this.#verifications.expire(nowMs, expirationMs);
  }

  /** Goes on with what is being verified for another log of the partition, which takes no more appends. */
  takeVerificationsOf(other: ProducerState): void {
    this.#verifications = other.#verifications;
  }

  clear(): void {
    this.#entries = noEntries;
    this.#ongoing = noneOngoing;
    this.#unreplicated = [];
    this.#aborted = [];
    this.#undo.length = 0;
    this.#verifications.clear();
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

  /** Where the aborted transactions begin whose markers lie at `offset` or behind it. */
  #firstAbortedAt(offset: number): number {
    let low = 0;
    let high = this.#aborted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#aborted[middle]!.lastOffset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #change(key: ProducerKey, undoable: boolean, completed: CompletedTxn | undefined): ProducerEntry {
    let entry = this.#entries.get(key);
    // Of the batches that one write brings, the first has said what the producer looked like before.
    const isKept = entry?.copiedAt === this.#settled && completed === undefined;
    if (undoable && !isKept) this.#undo.push({ key, before: entry?.copy(), completed });
    if (entry === undefined) {
      entry = new ProducerEntry(key);
      this.#ownEntries().set(key, entry);
    }
    if (undoable) entry.copiedAt = this.#settled;
    return entry;
  }
}
