import type { Logger, Storage } from '../base/ports.ts';
import { offsetName, offsetOf, SNAPSHOT_SUFFIX, TXN_INDEX_SUFFIX } from './file-names.ts';
import { decodeProducerSnapshot, encodeProducerSnapshot } from './producer-snapshot.ts';
import { ProducerState } from './producer-state.ts';
import { replayProducers } from './producer-updates.ts';
import type { Segment } from './segment.ts';
import type { Segments } from './segments.ts';
import { readSmallFile, syncSmallFile, writeSmallFile } from './small-files.ts';
import { runToEnd } from './steps.ts';
import { isNoSpace } from './storage-errors.ts';
import { decodeTxnIndex, encodeTxnIndex } from './txn-index.ts';
import type { AbortedTxn } from './types.ts';

/**
 * What a partition's folder keeps of its producers: `.snapshot` files, named by the offset up to which they hold all, and
 * a `.txnindex` beside each segment with aborted transactions. As Apache keeps them: a snapshot at the base of each segment
 * that was rolled, and one at the end after a clean stop; they go with the segments of their name, so the state outlives the
 * batches that made it. A lost or damaged one costs a replay from the one before.
 */
export class ProducerFiles {
  readonly #storage: Storage;
  readonly #logger: Logger;
  readonly #dir: string;
  readonly #producers: ProducerState;
  /** Offsets of the snapshots in the folder, ascending. */
  #offsets: number[] = [];
  /** Of those that a recovery has not met again yet. */
  #doubted: Set<number> | undefined;
  #unsynced: Set<string> | undefined;

  constructor(storage: Storage, logger: Logger, dir: string, producers: ProducerState) {
    this.#storage = storage;
    this.#logger = logger;
    this.#dir = dir;
    this.#producers = producers;
  }

  /** The newest snapshot's offset, undefined without any. */
  get newestOffset(): number | undefined {
    return this.#offsets.at(-1);
  }

  /**
   * Takes stock of the folder: of the snapshots at no segment's base only the newest is kept, where it lies behind all
   * bases. Throws StorageError.
   */
  scan(names: readonly string[], segments: readonly Segment[]): void {
    this.#offsets = names
      .filter((name) => name.endsWith(SNAPSHOT_SUFFIX))
      .flatMap((name) => offsetOf(name) ?? [])
      .sort((a, b) => a - b);
    const bases = new Set(segments.map((segment) => segment.baseOffset));
    const last = segments.at(-1)?.baseOffset ?? 0;
    const newest = this.newestOffset;
    this.#drop((offset) => !bases.has(offset) && (offset !== newest || offset < last));
  }

  /**
   * After a crash nothing here is known to survive a power loss: the next sync takes all transaction indexes along, and the
   * snapshots from `offset` on.
   */
  distrust(names: readonly string[], offset: number): void {
    for (const name of names) {
      const isIndex = name.endsWith(TXN_INDEX_SUFFIX);
      const isSnapshot = name.endsWith(SNAPSHOT_SUFFIX) && (offsetOf(name) ?? 0) >= offset;
      if (isIndex || isSnapshot) this.#written(`${this.#dir}/${name}`);
    }
  }

  /**
   * Makes the state that the producers have at the end of `segments`: from the newest sound snapshot and the batches behind
   * it. Snapshots at the last two bases are made where they are missing. Throws StorageError.
   */
  *load(segments: readonly Segment[], endOffset: number): Generator<undefined, void, void> {
    const first = segments[0]?.baseOffset ?? endOffset;
    // One from before the first batch may lack what was between.
    this.#drop((offset) => offset < first || offset > endOffset);
    const from = (yield* this.#restoreNewest(segments)) ?? first;
    if (from >= endOffset) return;
    const bases = segments.slice(-2).map((segment) => segment.baseOffset);
    yield* replayProducers(this.#producers, segments, from, (base) => {
      if (bases.includes(base)) this.takeSnapshot(base);
    });
  }

  /** The same after batches from `endOffset` on were cut. Without producers before there are none now. */
  reload(segments: Segments, endOffset: number): void {
    this.dropFrom(endOffset + 1);
    if (this.#producers.size > 0) runToEnd(this.load(segments.all, endOffset));
    this.writeTxnIndex(segments.active, endOffset);
  }

  /** Removes the snapshots at and above an offset. Throws StorageError. */
  dropFrom(offset: number): void {
    this.#drop((one) => one >= offset);
  }

  /**
   * The snapshots at and above an offset count only where `takeSnapshot` or `settleDoubts` finds in them what it would
   * write: to remove a file and to make it anew costs more than to read it, with a thousand partitions above all.
   */
  doubtFrom(offset: number): void {
    this.#doubted = new Set(this.#offsets.filter((one) => one >= offset));
    this.#offsets = this.#offsets.filter((one) => one < offset);
  }

  /** The state is that at `endOffset`: a doubted snapshot of it is kept, all others go. Throws StorageError. */
  settleDoubts(endOffset: number): void {
    if (this.#doubted?.has(endOffset) === true)
      this.#trust(endOffset, encodeProducerSnapshot(this.#producers.snapshot()));
    for (const offset of this.#doubted ?? []) this.#storage.removeNow(this.#pathOf(offset));
    this.#doubted = undefined;
  }

  /** All batches are gone. */
  clear(): void {
    this.#drop(() => true);
    this.#producers.clear();
  }

  /** The snapshots went away with these segments. */
  forget(segments: readonly Segment[]): void {
    const bases = segments.map((segment) => segment.baseOffset);
    this.#offsets = this.#offsets.filter((offset) => !bases.includes(offset));
    for (const { stem } of segments) {
      this.#unsynced?.delete(stem + SNAPSHOT_SUFFIX);
      this.#unsynced?.delete(stem + TXN_INDEX_SUFFIX);
    }
  }

  /**
   * Keeps the state as it is at `endOffset`, unless a snapshot has it. Durable after `sync`. None where there is no space:
   * that costs a replay from the one before. Throws StorageError.
   */
  takeSnapshot(endOffset: number): void {
    if (endOffset <= (this.newestOffset ?? 0)) return;
    const path = this.#pathOf(endOffset);
    const content = encodeProducerSnapshot(this.#producers.snapshot());
    if (this.#doubted?.has(endOffset) === true && this.#trust(endOffset, content)) return;
    try {
      writeSmallFile(this.#storage, path, content);
    } catch (error) {
      if (isNoSpace(error)) return;
      throw error;
    }
    this.#doubted?.delete(endOffset);
    this.#offsets.push(endOffset);
    this.#written(path);
  }

  /** Writes the aborted transactions whose markers a segment has, up to before `endOffset`. Throws StorageError. */
  writeTxnIndex(segment: Segment, endOffset: number): void {
    this.#writeTxnIndex(segment.stem, this.#producers.abortedBetween(segment.baseOffset, endOffset));
  }

  /** Whether the state stays known when all segments before this one go. */
  outlives(first: Segment): boolean {
    return this.#producers.size === 0 || (this.newestOffset ?? 0) >= first.baseOffset;
  }

  /** Makes what was written survive a power loss, names apart. Rejects with StorageError. */
  async sync(): Promise<void> {
    const paths = this.#unsynced ?? [];
    this.#unsynced = undefined;
    for (const path of paths) {
      if (this.#storage.sizeOf(path) !== undefined) await syncSmallFile(this.#storage, path);
    }
  }

  /** Whether a doubted snapshot has that content; it is one of the folder then. */
  #trust(offset: number, content: Buffer): boolean {
    const found = readSmallFile(this.#storage, this.#pathOf(offset));
    if (found?.equals(content) !== true) return false;
    this.#doubted?.delete(offset);
    this.#offsets.push(offset);
    return true;
  }

  /** Returns up to where the state is known then; undefined where no snapshot is left. */
  *#restoreNewest(segments: readonly Segment[]): Generator<undefined, number | undefined, void> {
    for (let offset = this.newestOffset; offset !== undefined; offset = this.newestOffset) {
      const path = this.#pathOf(offset);
      const bytes = readSmallFile(this.#storage, path);
      const saved = bytes === undefined ? undefined : decodeProducerSnapshot(bytes);
      if (saved !== undefined) {
        this.#producers.restore(saved, yield* this.#readTxnIndexes(segments, offset));
        return offset;
      }
      this.#logger.warn(`${path} is damaged: the snapshot before it, or the log, is read instead`);
      this.dropFrom(offset);
    }
    this.#producers.clear();
    return undefined;
  }

  /** Aborted transactions with markers before `endOffset`; what damaged files do not tell comes from the batches. */
  *#readTxnIndexes(
    segments: readonly Segment[],
    endOffset: number,
  ): Generator<undefined, AbortedTxn[], void> {
    const all: AbortedTxn[] = [];
    for (const [index, segment] of segments.entries()) {
      const { baseOffset, stem } = segment;
      if (baseOffset >= endOffset) break;
      const bytes = readSmallFile(this.#storage, stem + TXN_INDEX_SUFFIX);
      if (bytes === undefined) continue;
      let aborted = decodeTxnIndex(bytes, baseOffset);
      if (aborted === undefined) {
        this.#logger.warn(`${stem}${TXN_INDEX_SUFFIX} is damaged and is made anew from the log`);
        const end = Math.min(endOffset, segments[index + 1]?.baseOffset ?? endOffset);
        aborted = yield* this.#replayTxnIndex(segments.slice(0, index + 1), end);
        this.#writeTxnIndex(stem, aborted);
      }
      all.push(...aborted.filter((txn) => txn.lastOffset < endOffset));
    }
    return all;
  }

  /** The aborted transactions whose markers the last of these segments has. */
  *#replayTxnIndex(
    segments: readonly Segment[],
    endOffset: number,
  ): Generator<undefined, AbortedTxn[], void> {
    const producers = new ProducerState();
    const segment = segments[segments.length - 1]!;
    const before = this.#offsets.filter((offset) => offset <= segment.baseOffset);
    let from = segments[0]!.baseOffset;
    for (let at = before.length - 1; at >= 0; at -= 1) {
      const bytes = readSmallFile(this.#storage, this.#pathOf(before[at]!));
      const saved = bytes === undefined ? undefined : decodeProducerSnapshot(bytes);
      if (saved === undefined) continue;
      producers.restore(saved, []);
      from = before[at]!;
      break;
    }
    yield* replayProducers(producers, segments, from);
    return producers.abortedBetween(segment.baseOffset, endOffset);
  }

  #writeTxnIndex(stem: string, aborted: readonly AbortedTxn[]): void {
    const path = stem + TXN_INDEX_SUFFIX;
    if (aborted.length > 0) {
      writeSmallFile(this.#storage, path, encodeTxnIndex(aborted));
      this.#written(path);
    } else if (this.#storage.sizeOf(path) !== undefined) {
      this.#storage.removeNow(path);
    }
  }

  #drop(mayGo: (offset: number) => boolean): void {
    const kept: number[] = [];
    for (const offset of this.#offsets) {
      if (!mayGo(offset)) {
        kept.push(offset);
        continue;
      }
      this.#storage.removeNow(this.#pathOf(offset));
      this.#unsynced?.delete(this.#pathOf(offset));
    }
    this.#offsets = kept;
  }

  #written(path: string): void {
    this.#unsynced ??= new Set();
    this.#unsynced.add(path);
  }

  #pathOf(offset: number): string {
    return `${this.#dir}/${offsetName(offset)}${SNAPSHOT_SUFFIX}`;
  }
}
