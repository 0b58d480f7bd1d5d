import { type Storage, StorageError, type StoredFile } from '../base/ports.ts';
import {
  BatchBuilder,
  batchPositions,
  controlBatch,
  crcIsValid,
  isControl,
  records,
} from '../protocol/record-batch/index.ts';
import type { Voter } from './control-records.ts';
import * as control from './control-records.ts';
import type { EntrySerde } from './ports.ts';
import { readSmallFile } from './small-file.ts';

/** Offset after the last one that a snapshot contains, and the epoch of that one. */
export interface SnapshotId {
  readonly endOffset: number;
  readonly epoch: number;
}

/** The form of 4.4, and what `kafka-storage format` of 4.3 writes for the voters. */
export const BOOTSTRAP_SNAPSHOT: SnapshotId = { endOffset: 0, epoch: 0 };
/** The form of 4.3 and before, in the log dir itself. */
export const BOOTSTRAP_CHECKPOINT = 'bootstrap.checkpoint';

const SUFFIX = '.checkpoint';
const PATTERN = /^(\d{20})-(\d{10})\.checkpoint$/;
const MAX_CHECKPOINT_BYTES = 2 ** 31 - 1;
/** A batch is closed once it is this large or has this many records: what is done of a snapshot within one tick. */
const BATCH_BYTES = 64 * 1024;
const BATCH_RECORDS = 500;
/** The first batch of a checkpoint, with the snapshot header, is far smaller. */
const HEAD_BYTES = 4096;

/** A checkpoint file is damaged or incomplete. */
export class CheckpointError extends Error {
  constructor(path: string, problem: string) {
    super(`${path}: ${problem}`);
    this.name = 'CheckpointError';
  }
}

export function checkpointName({ endOffset, epoch }: SnapshotId): string {
  return `${String(endOffset).padStart(20, '0')}-${String(epoch).padStart(10, '0')}${SUFFIX}`;
}

/** The snapshots in a folder, oldest first. */
export function listCheckpoints(storage: Storage, dir: string): readonly SnapshotId[] {
  const found: SnapshotId[] = [];
  for (const { name } of storage.list(dir)) {
    const match = PATTERN.exec(name);
    if (match !== null) found.push({ endOffset: Number(match[1]), epoch: Number(match[2]) });
  }
  return found.sort((a, b) => a.endOffset - b.endOffset || a.epoch - b.epoch);
}

/** What a crash left: a snapshot that was not finished, or one that another broker was about to remove. */
export function isLeftover(name: string): boolean {
  return /^\d{20}-\d{10}\.checkpoint\.(part|deleted)$/.test(name);
}

/** When the newest record that a checkpoint contains was appended, ms; undefined where the file does not tell. */
export function readCheckpointTimestamp(storage: Storage, path: string): number | undefined {
  const file = storage.open(path, 'read');
  const bytes = Buffer.alloc(HEAD_BYTES);
  try {
    const head = bytes.subarray(0, file.read(bytes, 0));
    for (const at of batchPositions(head)) {
      if (!isControl(head, at)) break;
      for (const record of records(head, { at })) {
        const { lastContainedLogTimestampMs } = control.readControl(record);
        if (lastContainedLogTimestampMs !== undefined) return lastContainedLogTimestampMs;
      }
    }
    return undefined;
  } finally {
    file.close();
  }
}

export interface Checkpoint<T> {
  readonly entries: readonly T[];
  readonly kraftVersion: number | undefined;
  readonly voters: readonly Voter[] | undefined;
  readonly lastContainedLogTimestampMs: number;
}

/** Reads and checks a whole checkpoint; undefined where the file is not there. Throws {@link CheckpointError}. */
export function readCheckpoint<T>(
  storage: Storage,
  path: string,
  serde: EntrySerde<T>,
): Checkpoint<T> | undefined {
  const bytes = readSmallFile(storage, path, MAX_CHECKPOINT_BYTES);
  if (bytes === undefined) return undefined;
  const entries: T[] = [];
  let kraftVersion: number | undefined;
  let voters: readonly Voter[] | undefined;
  let timestamp = 0;
  let complete = false;
  for (const at of batchPositions(bytes)) {
    if (!crcIsValid(bytes, at)) throw new CheckpointError(path, `the batch at byte ${at} fails its CRC`);
    for (const record of records(bytes, { at })) {
      if (!isControl(bytes, at)) {
        if (record.value !== null) entries.push(serde.decode(record.value));
        continue;
      }
      const said = control.readControl(record);
      kraftVersion = said.kraftVersion ?? kraftVersion;
      voters = said.voters ?? voters;
      timestamp = said.lastContainedLogTimestampMs ?? timestamp;
      complete ||= said.isFooter === true;
    }
  }
  if (!complete) throw new CheckpointError(path, 'it has no footer: it was not written to its end');
  return { entries, kraftVersion, voters, lastContainedLogTimestampMs: timestamp };
}

export interface CheckpointHead {
  readonly epoch: number;
  readonly lastContainedLogTimestampMs: number;
  /** Both or neither; without them the file says nothing of the quorum. */
  readonly quorum?: { readonly kraftVersion: number; readonly voters: readonly Voter[] };
}

/** The batches of a checkpoint, one at a time, so that the caller can give the loop back in between. */
export function* checkpointBatches(
  head: CheckpointHead,
  values: Iterable<Uint8Array>,
  nowMs: () => number,
): Generator<Buffer> {
  const leaderEpoch = head.epoch;
  const opening = [control.snapshotHeader(BigInt(head.lastContainedLogTimestampMs))];
  if (head.quorum !== undefined && head.quorum.kraftVersion > 0) {
    opening.push(control.kraftVersion(head.quorum.kraftVersion), control.kraftVoters(head.quorum.voters));
  }
  let offset = 0;
  yield controlBatch({ baseOffset: offset, leaderEpoch, timestamp: BigInt(nowMs()) }, opening);
  offset += opening.length;
  let builder = new BatchBuilder({ baseOffset: offset, leaderEpoch });
  // Apache Kafka reads no batch of metadata whose records differ in their timestamps.
  let timestamp = nowMs();
  for (const value of values) {
    builder.append({ timestamp, value });
    offset++;
    if (builder.sizeInBytes < BATCH_BYTES && builder.recordCount < BATCH_RECORDS) continue;
    yield builder.build();
    builder = new BatchBuilder({ baseOffset: offset, leaderEpoch });
    timestamp = nowMs();
  }
  if (builder.recordCount > 0) yield builder.build();
  yield controlBatch({ baseOffset: offset, leaderEpoch, timestamp: BigInt(nowMs()) }, [
    control.snapshotFooter(),
  ]);
}

/** Writes a checkpoint that appears under its name only when it is complete and durable. */
export class CheckpointWriter {
  readonly #storage: Storage;
  readonly #dir: string;
  readonly #name: string;
  readonly #file: StoredFile;
  #position = 0;

  constructor(storage: Storage, dir: string, name: string) {
    this.#storage = storage;
    this.#dir = dir;
    this.#name = name;
    this.#file = storage.open(`${dir}/${name}.part`, 'truncate');
  }

  get sizeInBytes(): number {
    return this.#position;
  }

  write(batch: Uint8Array): void {
    const written = this.#file.write([batch], this.#position);
    if (written < batch.length) {
      throw new StorageError('ENOSPC', this.#file.path, `${this.#file.path}: short write of a snapshot`);
    }
    this.#position += batch.length;
  }

  async finish(): Promise<void> {
    await this.#file.sync();
    this.#file.close();
    this.#storage.rename(`${this.#dir}/${this.#name}.part`, `${this.#dir}/${this.#name}`);
    await this.#storage.syncDir(this.#dir);
  }

  /** Gives up; nothing stays. */
  abandon(): void {
    this.#file.close();
    this.#storage.removeNow(`${this.#dir}/${this.#name}.part`);
  }
}
