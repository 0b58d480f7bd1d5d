import type { AbortedTxn, ActiveProducer } from '../../src/log/types.ts';
import { promised } from './model.ts';

/** Records are at most so much older than their append. */
export const TIMESTAMP_LAG_MS_MAX = 3000;

/** A record, or a marker, as it was appended. */
export interface Entry {
  readonly offset: number;
  /** No other that was ever appended has it, also where key and value are the same. */
  readonly id: string;
  readonly key: string;
  /** Null: a tombstone. */
  readonly value: string | null;
  readonly appendedMs: number;
  readonly producer: { readonly id: number; readonly epoch: number; readonly sequence: number } | undefined;
  /** A record of a transaction, or the marker that ends it. */
  readonly isTransactional: boolean;
  readonly marker: 'commit' | 'abort' | undefined;
}

export interface ReadRecord {
  readonly offset: number;
  /** Of {@link Entry}. */
  readonly id: string;
  readonly timestampMs: number;
  readonly key: string;
  readonly value: string | null;
}

export interface ReadBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly producerId: number | undefined;
  readonly isTransactional: boolean;
  readonly marker: 'commit' | 'abort' | undefined;
  readonly isControl: boolean;
  readonly records: readonly ReadRecord[];
}

/** What is there of a log. */
export interface LogView {
  readonly logStartOffset: number;
  readonly logEndOffset: number;
  readonly lastStableOffset: number;
  readonly activeBaseOffset: number;
  readonly batches: readonly ReadBatch[];
  readonly aborted: readonly AbortedTxn[];
  readonly producers: readonly ActiveProducer[];
}

type Fate = 'committed' | 'aborted' | 'open';

interface ProducerFate {
  epoch: number;
  lastSequence: number;
  lastOffset: number;
  /** Without markers; -1 for none. */
  lastDataOffset: number;
  isOpen: boolean;
}

/** Everything that was appended to one log and not cut off, and what must be left of it. */
export class LogModel {
  readonly name: string;
  /** It had `compact` at some time, so that records may be gone. */
  wasCompacted = false;
  /** The shortest that it ever had. */
  deleteRetentionMs = Number.POSITIVE_INFINITY;
  retentionMs = Number.POSITIVE_INFINITY;
  /** retention.bytes was set at some time, so that the log start may lie anywhere. */
  wasBounded = false;
  /** What was acknowledged survives a kill, what was flushed a power loss too. */
  acknowledgedEnd = 0;
  flushedEnd = 0;
  /** Up to where DeleteRecords was told to delete. */
  deletedEnd = 0;
  #entries: Entry[] = [];
  /** What was cut off, and may come back when a power loss undoes that. */
  #past: Entry[] = [];
  /** Of earlier logs of the name. */
  readonly #former: Entry[] = [];
  readonly #batchOffsets = new Set<number>();
  /** Where the log began after a power loss: that of producers may be all that is known of them. */
  #starts: number[] = [];
  /** A cut was undone, or came half way: of producers there may be what nothing else tells of. */
  #producersAreUnknown = false;
  /**
   * Producers whose newest batches were cut off. Of what is left of them a snapshot may be all that tells: compaction and
   * retention rely on the newest, and after a cut the log is read again from below where a snapshot is missing.
   */
  readonly #shortened = new Set<number>();
  #wasCut = false;

  constructor(name: string) {
    this.name = name;
  }

  /** One batch. */
  append(entries: readonly Entry[]): void {
    this.#entries.push(...entries);
    for (const { producer, marker } of entries)
      if (producer !== undefined && marker === undefined) this.#shortened.delete(producer.id);
    this.#batchOffsets.add(entries[0]!.offset);
  }

  /** Where batches begin, from `offset` on. */
  batchOffsets(offset: number): number[] {
    return this.#entries
      .map((entry) => entry.offset)
      .filter((one) => one >= offset && this.#batchOffsets.has(one));
  }

  /** What lies at or above `offset` is gone, or will be. */
  cut(offset: number): void {
    this.#wasCut = true;
    for (const entry of this.#entries)
      if (entry.offset >= offset && entry.producer !== undefined) this.#shortened.add(entry.producer.id);
    this.#past.push(...this.#entries.filter((entry) => entry.offset >= offset));
    this.#entries = this.#entries.filter((entry) => entry.offset < offset);
    for (const one of this.#batchOffsets) if (one >= offset) this.#batchOffsets.delete(one);
    this.acknowledgedEnd = Math.min(this.acknowledgedEnd, offset);
    this.flushedEnd = Math.min(this.flushedEnd, offset);
    this.deletedEnd = Math.min(this.deletedEnd, offset);
  }

  /** All is gone, and what comes next begins at `offset`. */
  reset(offset: number): void {
    this.cut(0);
    this.#starts = [];
    this.#producersAreUnknown = false;
    this.#shortened.clear();
    this.deletedEnd = offset;
  }

  /** Another log of the same name begins. */
  recreated(): void {
    this.reset(0);
    this.#former.push(...this.#past);
    this.#past = [];
  }

  /** All below survives a power loss. */
  flushed(end: number): void {
    this.flushedEnd = Math.max(this.flushedEnd, end);
  }

  /** Its folder has lost the topic id: as nothing in it was ever synced it may be that of an earlier log. */
  lostIdentity(): void {
    this.#past.unshift(...this.#former);
  }

  /**
   * The process is another one. What was promised is there; of the rest what is there counts from now on. It lost its
   * power, or a cut was under way: then that may have been undone.
   */
  restarted(view: LogView, lostPower: boolean, isHalfCut: boolean): void {
    const returning = lostPower || isHalfCut ? this.#past : [];
    if (lostPower) this.#starts.push(view.logStartOffset);
    this.#producersAreUnknown ||= isHalfCut;
    const kept = lostPower ? this.flushedEnd : this.acknowledgedEnd;
    const promisedEntries = this.#entries.filter((entry) => entry.offset < kept);
    const least = (promisedEntries.at(-1)?.offset ?? -1) + 1;
    // A cut may be undone by halves: what comes back then begins anywhere, and nothing before it was promised.
    if (lostPower && !promisedEntries.some(({ offset }) => offset < view.logStartOffset)) {
      this.deletedEnd = Math.max(this.deletedEnd, view.logStartOffset);
    }
    promised(view.logEndOffset >= least, () => `${this.name} ends at ${view.logEndOffset}, below ${least}`);
    // What lies before the log start may be all that a producer has written.
    const known = this.#entries.filter(({ offset }) => offset < Math.max(kept, view.logStartOffset));
    const entries = new Map(known.map((entry) => [entry.offset, entry]));
    const current = new Set(this.#entries);
    for (const batch of view.batches) {
      for (const record of batch.records) {
        const found = this.#find(record, returning);
        const wanted = promisedEntries.find(({ offset }) => offset === record.offset);
        promised(
          found !== undefined && (wanted === undefined || wanted === found),
          () => `${this.name}: ${record.key}=${record.value} is at ${record.offset} after a restart`,
        );
        entries.set(record.offset, found);
        // What was cut is back, and with it producers of batches that were compacted away before.
        this.#producersAreUnknown ||= !current.has(found);
      }
    }
    this.#entries = [...entries.values()].sort((a, b) => a.offset - b.offset);
    this.#batchOffsets.clear();
    for (const { baseOffset } of view.batches) this.#batchOffsets.add(baseOffset);
    this.acknowledgedEnd = view.logEndOffset;
    this.flushedEnd = Math.min(this.flushedEnd, view.logEndOffset);
  }

  #find(record: ReadRecord, returning: readonly Entry[]): Entry | undefined {
    const isIt = (entry: Entry) => entry.offset === record.offset && isSame(entry, record);
    return this.#entries.find(isIt) ?? returning.find(isIt);
  }

  /** The producers whose transaction is open at the log end. */
  openTransactions(): Set<number> {
    const open = new Set<number>();
    for (const [id, { isOpen }] of this.#producers()) if (isOpen) open.add(id);
    return open;
  }

  /** Holds the whole log against what was appended. */
  check(view: LogView, nowMs: number): void {
    this.#checkStart(view, nowMs);
    const present = this.#checkOffsets(view);
    const fates = this.#fates();
    const lasts = new Map<string, Entry>();
    const entries = this.#entries.filter(
      ({ offset }) => offset >= view.logStartOffset && offset < view.logEndOffset,
    );
    for (const entry of entries) {
      if (entry.marker === undefined && fates.get(entry) !== 'aborted') lasts.set(entry.key, entry);
    }
    for (const entry of entries) this.#checkPresence(entry, fates.get(entry)!, lasts, present, view, nowMs);
    this.#checkCommitted(view, fates);
    this.#checkProducers(view);
  }

  /** After all is calm: nothing superseded is left in the closed segments up to `cleanedEnd`. */
  checkCompacted(view: LogView, cleanedEnd: number): void {
    const seen = new Map<string, number>();
    for (const { records, isControl } of view.batches) {
      if (isControl) continue;
      for (const { offset, key } of records) {
        // The batch in which the log starts may have records before that, which the cleaner does not look at.
        if (offset >= cleanedEnd || offset < view.logStartOffset) continue;
        const before = seen.get(key);
        promised(
          before === undefined,
          () => `${this.name}: ${key} is at ${before} and at ${offset} after compaction`,
        );
        seen.set(key, offset);
      }
    }
  }

  /** Nothing but retention and DeleteRecords moves the log start. */
  #checkStart({ logStartOffset }: LogView, nowMs: number): void {
    if (this.wasBounded) return;
    for (const { offset, key, appendedMs } of this.#entries) {
      if (offset < this.deletedEnd) continue;
      if (offset >= logStartOffset) return;
      promised(
        nowMs - appendedMs + TIMESTAMP_LAG_MS_MAX >= this.retentionMs,
        () => `${this.name} begins at ${logStartOffset}: ${key} at ${offset} was to be kept`,
      );
    }
  }

  #checkOffsets(view: LogView): ReadonlySet<number> {
    const known = new Map(this.#entries.map((entry) => [entry.offset, entry]));
    const present = new Set<number>();
    let next = 0;
    for (const { baseOffset, lastOffset, records } of view.batches) {
      promised(baseOffset >= next, () => `${this.name}: a batch at ${baseOffset} behind offset ${next - 1}`);
      next = lastOffset + 1;
      for (const record of records) {
        const { offset, key, value } = record;
        promised(
          offset >= baseOffset && offset <= lastOffset,
          () => `${this.name}: ${offset} out of its batch`,
        );
        const entry = known.get(offset);
        promised(
          entry !== undefined && isSame(entry, record),
          () =>
            `${this.name}: ${record.id}: ${key}=${value} at ${offset}, where ${entry?.id}: ${entry?.key}=${entry?.value} was written`,
        );
        present.add(offset);
      }
    }
    return present;
  }

  #checkPresence(
    entry: Entry,
    fate: Fate,
    lasts: ReadonlyMap<string, Entry>,
    present: ReadonlySet<number>,
    view: LogView,
    nowMs: number,
  ): void {
    const { offset, key, value } = entry;
    const isThere = present.has(offset);
    const text = () =>
      `${this.name}: ${key}=${value} at ${offset} (${fate}${entry.marker === undefined ? '' : ', a marker'})`;
    // A cut can take the marker of what was stable, and compacted, before.
    const isStable = offset < view.lastStableOffset || this.#wasCut;
    if (!this.wasCompacted || offset >= view.activeBaseOffset || !isStable) {
      promised(isThere, () => `${text()} is gone, and was not to be compacted`);
      return;
    }
    if (entry.marker !== undefined || fate === 'aborted') return;
    const last = lasts.get(key)!;
    if (last === entry && value !== null) promised(isThere, () => `${text()} is gone, the last of its key`);
    if (last === entry && value === null && !isThere) {
      const ageMs = nowMs - entry.appendedMs;
      promised(ageMs >= this.deleteRetentionMs, () => `${text()}, a tombstone, is gone after ${ageMs} ms`);
    }
    const lastIsGone = last.value === null && !present.has(last.offset);
    promised(!(isThere && lastIsGone), () => `${text()} is there, the tombstone at ${last.offset} is not`);
  }

  /** What a read_committed consumer sees, by the rules of the clients. */
  #checkCommitted(view: LogView, fates: ReadonlyMap<Entry, Fate>): void {
    const known = new Map(this.#entries.map((entry) => [entry.offset, entry]));
    const coming = [...view.aborted].sort((a, b) => a.firstOffset - b.firstOffset);
    const aborted = new Set<number>();
    for (const batch of view.batches) {
      if (batch.lastOffset >= view.lastStableOffset) return;
      while (coming.length > 0 && coming[0]!.firstOffset <= batch.lastOffset) {
        aborted.add(Number(coming.shift()!.producerId));
      }
      const { producerId } = batch;
      if (batch.marker === 'abort' && producerId !== undefined) aborted.delete(producerId);
      if (batch.isControl) continue;
      const isHidden = batch.isTransactional && producerId !== undefined && aborted.has(producerId);
      for (const { offset } of batch.records) {
        const fate = fates.get(known.get(offset)!);
        promised(
          isHidden === (fate === 'aborted'),
          () =>
            `${this.name}: ${offset}, ${fate}, is ${isHidden ? 'hidden from' : 'shown to'} read_committed; of ${producerId} aborted are ${view.aborted
              .filter((txn) => Number(txn.producerId) === producerId)
              .map((txn) => `${txn.firstOffset} to ${txn.lastOffset}`)
              .join(', ')}`,
        );
      }
    }
  }

  /** Producers whose batches are all before the log start may be known, as they were then, or forgotten. */
  #checkProducers({ producers, logStartOffset }: LogView): void {
    if (this.#producersAreUnknown) return;
    const possible = [0, ...this.#starts].map((start) => this.#producers(start));
    for (const [id, { lastOffset }] of possible[0]!) {
      if (this.#shortened.has(id)) continue;
      const isKnown = producers.some(({ producerId }) => Number(producerId) === id);
      promised(isKnown || lastOffset < logStartOffset, () => `${this.name}: producer ${id} is forgotten`);
    }
    for (const producer of producers) {
      if (this.#shortened.has(Number(producer.producerId))) continue;
      const fates = possible.map((all) => all.get(Number(producer.producerId)));
      const isSame = fates.some(
        (fate) => fate === undefined || this.#lastTold(fate) < logStartOffset || isAt(producer, fate),
      );
      const { producerId, producerEpoch, lastSequence, currentTxnStartOffset } = producer;
      promised(
        isSame,
        () =>
          `${this.name}: producer ${producerId} is at ${producerEpoch}/${lastSequence}/${currentTxnStartOffset}, and should be at ${JSON.stringify(fates)}`,
      );
    }
  }

  /** A cut takes snapshots along; where the disk was full at the roll before, a marker is then all that is left to tell. */
  #lastTold({ lastOffset, lastDataOffset }: ProducerFate): number {
    return this.#wasCut ? lastDataOffset : lastOffset;
  }

  /** What all that was appended from `start` on has made of its producers. */
  #producers(start = 0): ReadonlyMap<number, ProducerFate> {
    const producers = new Map<number, ProducerFate>();
    for (const { producer, marker, isTransactional, offset } of this.#entries) {
      if (producer === undefined || offset < start) continue;
      let fate = producers.get(producer.id);
      if (fate === undefined || fate.epoch !== producer.epoch) {
        const isOpen = fate?.isOpen ?? false;
        fate = { epoch: producer.epoch, lastSequence: -1, lastOffset: offset, lastDataOffset: -1, isOpen };
        producers.set(producer.id, fate);
      }
      fate.lastOffset = offset;
      if (marker === undefined) {
        fate.lastSequence = producer.sequence;
        fate.lastDataOffset = offset;
      }
      fate.isOpen = isTransactional && marker === undefined;
    }
    return producers;
  }

  #fates(): Map<Entry, Fate> {
    const fates = new Map<Entry, Fate>();
    const open = new Map<number, Entry[]>();
    for (const entry of this.#entries) {
      const { producer, marker, isTransactional } = entry;
      if (producer === undefined || !isTransactional) {
        fates.set(entry, 'committed');
      } else if (marker === undefined) {
        fates.set(entry, 'open');
        open.set(producer.id, [...(open.get(producer.id) ?? []), entry]);
      } else {
        fates.set(entry, 'committed');
        for (const one of open.get(producer.id) ?? [])
          fates.set(one, marker === 'commit' ? 'committed' : 'aborted');
        open.delete(producer.id);
      }
    }
    return fates;
  }
}

function isSame(entry: Entry, record: ReadRecord): boolean {
  return entry.id === record.id && entry.key === record.key && entry.value === record.value;
}

function isAt({ producerEpoch, lastSequence, currentTxnStartOffset }: ActiveProducer, fate: ProducerFate) {
  const isOpen = currentTxnStartOffset >= 0;
  return fate.epoch === producerEpoch && fate.lastSequence === lastSequence && fate.isOpen === isOpen;
}
