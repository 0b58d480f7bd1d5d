import type { Storage, Timer } from '../base/ports.ts';
import type { Uuid } from '../base/uuid.ts';
import type { LeaderEpochCache } from './epoch-cache.ts';
import { PARTITION_METADATA } from './file-names.ts';
import type { ProducerFiles } from './producer-files.ts';
import type { Segment } from './segment.ts';
import type { Segments } from './segments.ts';
import { allOver, formatPartitionMetadata, syncSmallFile, writeSmallFile } from './small-files.ts';
import type { LogPorts } from './types.ts';

/** Keeps the files of deleted segments for file.delete.delay.ms, then removes them off the loop. */
export class SegmentGraveyard {
  readonly #ports: Pick<LogPorts, 'storage' | 'timers' | 'logger'>;
  #timers: Set<Timer> | undefined;

  constructor(ports: Pick<LogPorts, 'storage' | 'timers' | 'logger'>) {
    this.#ports = ports;
  }

  /**
   * Renames the files to `.deleted` now, so that a restart finishes what a crash cuts short; snapshots at `keptOffsets`
   * stay. Throws StorageError.
   */
  bury(segments: readonly Segment[], delayMs: number, keptOffsets?: ReadonlySet<number>): void {
    const paths = segments.flatMap((segment) => segment.markDeleted(keptOffsets?.has(segment.baseOffset)));
    if (paths.length === 0) return;
    const timer = this.#ports.timers.after(delayMs, () => {
      this.#timers?.delete(timer);
      for (const path of paths) this.#remove(path);
    });
    this.#timers ??= new Set();
    this.#timers.add(timer);
  }

  /** What is left is removed when the log is opened the next time. */
  close(): void {
    for (const timer of this.#timers ?? []) timer.cancel();
    this.#timers = undefined;
  }

  #remove(path: string): void {
    this.#ports.storage.remove(path).catch((error: unknown) => {
      this.#ports.logger.warn(`could not remove ${path}`, { error: String(error) });
    });
  }
}

/**
 * fdatasync of everything in a partition's folder that was written since the last time, with the indexes of closed segments
 * and, where there are new ones, the names. Rejects with the first failure.
 */
export async function syncFolder(
  storage: Storage,
  dir: string,
  segments: Segments,
  epochs: LeaderEpochCache,
  producerFiles: ProducerFiles,
  isNew: boolean,
): Promise<void> {
  const { folder } = epochs;
  if (!folder.isMade) return;
  const metadata = `${dir}/${PARTITION_METADATA}`;
  const isNewFolder = isNew || folder.namesUnsynced;
  const hasNewMetadata = isNewFolder && storage.sizeOf(metadata) !== undefined;
  const running: Promise<unknown>[] = [epochs.sync(), producerFiles.sync()];
  folder.namesUnsynced = false;
  let newNames = isNewFolder;
  const indexed: Segment[] = [];
  for (const segment of segments.all) {
    const isClosed = segment !== segments.active;
    const lacksIndexes = isClosed && segment.areIndexesPending;
    if (!segment.unsynced && !segment.nameUnsynced && !lacksIndexes) continue;
    newNames ||= segment.nameUnsynced || lacksIndexes;
    segment.nameUnsynced = false;
    running.push(syncSegment(segment, isClosed));
    if (isClosed) indexed.push(segment);
  }
  if (hasNewMetadata) running.push(syncSmallFile(storage, metadata));
  // Index files get their names once they are written, and an older one must not come back under them.
  if (indexed.length > 0) await allOver(running.splice(0));
  if (newNames) {
    running.push(storage.syncDir(dir));
    running.push(storage.syncDir(parentOf(dir)));
  }
  await allOver(running);
  for (const segment of indexed) segment.indexesSynced();
}

async function syncSegment(segment: Segment, isClosed: boolean): Promise<void> {
  const synced = segment.log.sync();
  if (isClosed) await allOver([synced, segment.writeIndexes()]);
  else await synced;
}

/** What a clean stop leaves beside the batches: finished indexes, epochs and producers, synced. Rejects with StorageError. */
export async function finishFolder(
  storage: Storage,
  dir: string,
  segments: Segments,
  epochs: LeaderEpochCache,
  producerFiles: ProducerFiles,
  endOffset: number,
): Promise<void> {
  if (!epochs.folder.isMade) return;
  producerFiles.writeTxnIndex(segments.active, endOffset);
  producerFiles.takeSnapshot(endOffset);
  await producerFiles.sync();
  epochs.writeIfChanged();
  await epochs.sync();
  for (const segment of segments.all) {
    segment.finishIndexes();
    await segment.writeIndexes();
  }
  await storage.syncDir(dir);
  for (const segment of segments.all) segment.indexesSynced();
}

/** Writes partition.metadata. Throws StorageError. */
export function writeTopicId(storage: Storage, dir: string, topicId: Uuid): void {
  writeSmallFile(storage, `${dir}/${PARTITION_METADATA}`, formatPartitionMetadata(topicId));
}

export function parentOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')));
}
