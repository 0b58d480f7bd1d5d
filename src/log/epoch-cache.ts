import type { Logger, Storage } from '../base/ports.ts';
import { LEADER_EPOCH_CHECKPOINT } from './file-names.ts';
import type { PartitionFolder } from './partition-folder.ts';
import {
  CheckpointError,
  formatCheckpoint,
  parseCheckpoint,
  parseOffset,
  readSmallFile,
  syncSmallFile,
  writeSmallFile,
} from './small-files.ts';
import type { EpochEndOffset } from './types.ts';

export interface EpochEntry {
  readonly epoch: number;
  readonly startOffset: number;
}

/**
 * Which leader epoch began at which offset, mirrored in `leader-epoch-checkpoint` (KIP-101). Epochs and start offsets both
 * ascend. A new epoch is in the file before its first batch and not earlier: a start that elects a leader for each of a
 * thousand partitions writes no files for it, and what has no batch is cut when a log is opened anyway. Entries that were
 * cut may linger in the file until the next write, and are cut again then, too.
 */
export class LeaderEpochCache {
  readonly folder: PartitionFolder;
  readonly #storage: Storage;
  #entries: EpochEntry[] = [];
  #unsynced = false;
  #unwritten = false;
  /** The latest entry has no batch yet, and the file lacks it. */
  #isAnnounced = false;

  constructor(storage: Storage, folder: PartitionFolder) {
    this.#storage = storage;
    this.folder = folder;
  }

  get entries(): readonly EpochEntry[] {
    return this.#entries;
  }

  get latest(): EpochEntry | undefined {
    return this.#entries.at(-1);
  }

  /** The latest that is in the file, apart from what could not be written. */
  get latestWithBatch(): EpochEntry | undefined {
    return this.#entries.at(this.#isAnnounced ? -2 : -1);
  }

  /** Reads the file. One that can't be read counts as empty: recovery finds the epochs in the batches. */
  load(logger: Logger): void {
    const path = this.#path();
    try {
      const text = readSmallFile(this.#storage, path)?.toString('utf8') ?? '';
      for (const [epoch, startOffset] of parseCheckpoint(text, 2)) {
        this.#assign(parseOffset(epoch), parseOffset(startOffset));
      }
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      logger.warn(`${path} can't be read and is made anew: ${error.message}`);
      this.#entries.length = 0;
    }
    this.#unwritten = false;
    this.#isAnnounced = false;
  }

  /** Takes what the file holds, where somebody else has just read it. */
  restore(entries: readonly EpochEntry[]): void {
    this.#entries = entries.slice();
  }

  /** After a crash the file is not known to survive a power loss: the next sync takes it along. */
  distrustFile(): void {
    this.#unsynced = this.#entries.length > 0;
  }

  /** Notes that `epoch` begins at `startOffset`, which has no batch so far; drops entries that contradict it. */
  announce(epoch: number, startOffset: number): void {
    if (this.#assign(epoch, startOffset)) this.#isAnnounced = true;
  }

  /** Notes that a batch of `epoch` is about to be written at `startOffset`, the first of it or not. Throws StorageError. */
  assign(epoch: number, startOffset: number): void {
    this.assignUnwritten(epoch, startOffset);
    // Also what could not be written before.
    this.writeIfChanged();
  }

  /** The same without writing the file, for recovery. */
  assignUnwritten(epoch: number, startOffset: number): void {
    if (this.#assign(epoch, startOffset) || this.#isAnnounced) this.#unwritten = true;
    this.#isAnnounced = false;
  }

  /** The epoch that the record at `offset` has, undefined where not known. */
  epochFor(offset: number): number | undefined {
    let epoch: number | undefined;
    for (const entry of this.#entries) {
      if (entry.startOffset > offset) break;
      epoch = entry.epoch;
    }
    return epoch;
  }

  /**
   * The largest known epoch up to `epoch` and where it ends, as OffsetForLeaderEpoch answers (KIP-101, KIP-279). Undefined
   * for an epoch that is above all known ones, or -1.
   */
  endOffsetFor(epoch: number, logEndOffset: number): EpochEndOffset | undefined {
    const latest = this.latest;
    if (epoch < 0 || latest === undefined || epoch > latest.epoch) return undefined;
    if (epoch === latest.epoch) return { leaderEpoch: epoch, endOffset: logEndOffset };
    const next = this.#entries.findIndex((entry) => entry.epoch > epoch);
    const floor = this.#entries[next - 1];
    return { leaderEpoch: floor?.epoch ?? epoch, endOffset: this.#entries[next]!.startOffset };
  }

  /** Drops epochs that begin at or after `endOffset`; the file follows later. */
  truncateFromEnd(endOffset: number): void {
    while (this.latest !== undefined && this.latest.startOffset >= endOffset) {
      this.#entries.pop();
      if (this.#isAnnounced) this.#isAnnounced = false;
      else this.#unwritten = true;
    }
  }

  /** Drops epochs that end at or before `startOffset`; the one that holds it begins there now. The file follows later. */
  truncateFromStart(startOffset: number): void {
    let count = 0;
    while (count < this.#entries.length && this.#entries[count]!.startOffset <= startOffset) count += 1;
    const holder = this.#entries[count - 1];
    if (holder === undefined || (count === 1 && holder.startOffset === startOffset)) return;
    this.#entries.splice(0, count, { epoch: holder.epoch, startOffset });
    this.#unwritten = true;
  }

  /** Throws StorageError. */
  replaceAll(entries: readonly EpochEntry[]): void {
    this.#entries.splice(0, this.#entries.length, ...entries);
    this.#isAnnounced = false;
    this.#write();
  }

  clear(): void {
    this.#entries.length = 0;
    this.#unwritten = true;
    this.#isAnnounced = false;
  }

  /** Writes the file if entries changed behind its back. Throws StorageError. */
  writeIfChanged(): void {
    if (this.#unwritten) this.#write();
  }

  /** Makes the file as it was written last survive a power loss (its name apart). Rejects with StorageError. */
  async sync(): Promise<void> {
    if (!this.#unsynced) return;
    this.#unsynced = false;
    await syncSmallFile(this.#storage, this.#path());
  }

  #write(): void {
    if (!this.folder.isMade) {
      this.#unwritten = true;
      return;
    }
    const entries = this.#isAnnounced ? this.#entries.slice(0, -1) : this.#entries;
    const lines = entries.map(({ epoch, startOffset }) => `${epoch} ${startOffset}`);
    writeSmallFile(this.#storage, this.#path(), formatCheckpoint(lines));
    this.#unsynced = true;
    this.#unwritten = false;
  }

  #assign(epoch: number, startOffset: number): boolean {
    const latest = this.latest;
    if (epoch < 0 || startOffset < 0) return false;
    if (latest !== undefined && latest.epoch === epoch && startOffset >= latest.startOffset) return false;
    for (let last = this.latest; last !== undefined; last = this.latest) {
      if (last.epoch < epoch && last.startOffset < startOffset) break;
      this.#entries.pop();
    }
    const entry = { epoch, startOffset };
    // An array that grows by one takes room for seventeen.
    if (this.#entries.length === 0) this.#entries = [entry];
    else this.#entries.push(entry);
    return true;
  }

  #path(): string {
    return `${this.folder.dir}/${LEADER_EPOCH_CHECKPOINT}`;
  }
}
