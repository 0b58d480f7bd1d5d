import type { Ports, Timer } from '../base/ports.ts';
import {
  type CheckpointHead,
  CheckpointWriter,
  checkpointBatches,
  checkpointName,
  isLeftover,
  listCheckpoints,
  readCheckpointTimestamp,
  type SnapshotId,
} from './checkpoint.ts';
import type { EntrySerde, ReplicatedLog } from './ports.ts';

/** What the metadata log may take; the newest snapshot and what follows it always stay. */
export interface MetadataRetention {
  /** `metadata.max.retention.bytes`, of log and snapshots together; below 0 for no limit. */
  readonly maxBytes: number;
  /** `metadata.max.retention.ms`, for a snapshot's newest record; below 0 for no limit. */
  readonly maxMs: number;
}

export interface SnapshotsOptions<T> {
  readonly dir: string;
  readonly log: ReplicatedLog;
  readonly serde: EntrySerde<T>;
  readonly retention: MetadataRetention;
  readonly ports: Pick<Ports, 'storage' | 'clock' | 'timers' | 'turn' | 'logger'>;
}

/** As often as Apache Kafka looks. */
const CLEAN_INTERVAL_MS = 60_000;

/** The snapshots of the metadata log: written in slices beside all other work, and removed when they are old. */
export class Snapshots<T> {
  readonly #options: SnapshotsOptions<T>;
  #timer: Timer | undefined;
  #stopped = false;
  /** Snapshots that may have their name already, but not for sure after a power loss. */
  #underWay = 0;

  constructor(options: SnapshotsOptions<T>) {
    this.#options = options;
  }

  /** Removes what a crash left of unfinished ones, and those that lie before the log. */
  removeLeftovers(): void {
    const { dir, log, ports } = this.#options;
    for (const { name } of ports.storage.list(dir)) {
      if (isLeftover(name)) ports.storage.removeNow(`${dir}/${name}`);
    }
    for (const id of listCheckpoints(ports.storage, dir)) {
      if (id.endOffset < log.startOffset) this.#remove(id);
    }
  }

  /** Looks for what may go now and every minute from here on. */
  startCleaning(): void {
    this.clean();
    this.#timer = this.#options.ports.timers.after(CLEAN_INTERVAL_MS, () => this.startCleaning());
  }

  /** One that is being written is given up. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /**
   * Writes a snapshot of the state before `id.endOffset`, a batch per tick. It has its name once it is whole and durable.
   * False where it was given up because the node stops. Rejects with StorageError.
   */
  async write(id: SnapshotId, head: CheckpointHead, entries: Iterable<T>): Promise<boolean> {
    const { dir, ports, serde } = this.#options;
    const writer = new CheckpointWriter(ports.storage, dir, checkpointName(id));
    const values = (function* () {
      for (const entry of entries) yield serde.encode(entry);
    })();
    this.#underWay++;
    try {
      for (const batch of checkpointBatches(head, values, () => ports.clock.wallMs())) {
        writer.write(batch);
        await new Promise<void>((resolve) => ports.turn.later(resolve));
        if (this.#stopped) {
          writer.abandon();
          return false;
        }
      }
      await writer.finish();
      return true;
    } catch (error) {
      writer.abandon();
      throw error;
    } finally {
      this.#underWay--;
    }
  }

  /**
   * Removes the oldest snapshots, and the log before the one that follows, while the log with its snapshots is too large
   * or the oldest is too old.
   */
  clean(): void {
    // Nothing may go in favour of one that is not durable; the next time is early enough.
    if (this.#underWay > 0) return;
    try {
      this.#cleanBySize();
      this.#cleanByAge();
    } catch (error) {
      this.#options.ports.logger.warn('old metadata snapshots could not be removed', {
        error: error instanceof Error ? error.message : String(error),
      });
    }
  }

  #cleanBySize(): void {
    const { dir, log, ports, retention } = this.#options;
    if (retention.maxBytes < 0) return;
    const ids = listCheckpoints(ports.storage, dir);
    const sizeOf = (id: SnapshotId) => ports.storage.sizeOf(`${dir}/${checkpointName(id)}`) ?? 0;
    let total = ids.reduce((sum, id) => sum + sizeOf(id), 0);
    this.#cleanWhile(ids, (oldest) => {
      if (log.sizeInBytes + total <= retention.maxBytes) return undefined;
      total -= sizeOf(oldest);
      return 'metadata.max.retention.bytes';
    });
  }

  #cleanByAge(): void {
    const { dir, ports, retention } = this.#options;
    if (retention.maxMs < 0) return;
    const nowMs = ports.clock.wallMs();
    this.#cleanWhile(listCheckpoints(ports.storage, dir), (oldest) => {
      const timestamp = readCheckpointTimestamp(ports.storage, `${dir}/${checkpointName(oldest)}`);
      return timestamp !== undefined && nowMs - timestamp > retention.maxMs
        ? 'metadata.max.retention.ms'
        : undefined;
    });
  }

  #cleanWhile(ids: readonly SnapshotId[], reasonFor: (oldest: SnapshotId) => string | undefined): void {
    const { log, ports } = this.#options;
    for (const [at, oldest] of ids.entries()) {
      const next = ids[at + 1];
      if (next === undefined || log.startOffset >= next.endOffset) return;
      const reason = reasonFor(oldest);
      if (reason === undefined) return;
      ports.logger.info('removing a metadata snapshot and the log before the next', {
        snapshot: checkpointName(oldest),
        reason,
      });
      log.deleteBefore(next.endOffset);
      this.#remove(oldest);
    }
  }

  #remove(id: SnapshotId): void {
    const path = `${this.#options.dir}/${checkpointName(id)}`;
    this.#options.ports.storage.remove(path).catch((error: unknown) => {
      this.#options.ports.logger.warn(`could not remove ${path}`, { error: String(error) });
    });
  }
}
