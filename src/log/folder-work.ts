import type { Storage, Timer } from '../base/ports.ts';
import type { Segment } from './segment.ts';
import type { Segments } from './segments.ts';
import type { LogPorts } from './types.ts';

/** Keeps the files of deleted segments for file.delete.delay.ms, then removes them off the loop. */
export class SegmentGraveyard {
  readonly #ports: Pick<LogPorts, 'storage' | 'timers' | 'logger'>;
  readonly #timers = new Set<Timer>();

  constructor(ports: Pick<LogPorts, 'storage' | 'timers' | 'logger'>) {
    this.#ports = ports;
  }

  /** Renames the files to `.deleted` now, so that a restart finishes what a crash cuts short. Throws StorageError. */
  bury(segments: readonly Segment[], delayMs: number): void {
    const paths = segments.flatMap((segment) => segment.markDeleted());
    if (paths.length === 0) return;
    const timer = this.#ports.timers.after(delayMs, () => {
      this.#timers.delete(timer);
      for (const path of paths) this.#remove(path);
    });
    this.#timers.add(timer);
  }

  /** What is left is removed when the log is opened the next time. */
  close(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }

  #remove(path: string): void {
    this.#ports.storage.remove(path).catch((error: unknown) => {
      this.#ports.logger.warn(`could not remove ${path}`, { error: String(error) });
    });
  }
}

/**
 * fdatasync of everything in a partition's folder that was written since the last time, with the indexes of closed segments
 * and, where there are new ones, the names. `files` are small files that are being synced already. Rejects with the first
 * failure.
 */
export async function syncFolder(
  storage: Storage,
  dir: string,
  segments: Segments,
  files: readonly Promise<void>[],
  newName: boolean,
): Promise<void> {
  const running: Promise<unknown>[] = [...files];
  let newNames = newName;
  for (const segment of segments.all) {
    if (!segment.unsynced && !segment.nameUnsynced) continue;
    newNames ||= segment.nameUnsynced;
    segment.unsynced = false;
    segment.nameUnsynced = false;
    running.push(syncSegment(segment, segment !== segments.active));
  }
  if (newNames) {
    running.push(storage.syncDir(dir));
    running.push(storage.syncDir(parentOf(dir)));
  }
  await Promise.all(running);
}

async function syncSegment(segment: Segment, isClosed: boolean): Promise<void> {
  segment.log.pin();
  try {
    const synced = segment.log.use().sync();
    if (isClosed) await Promise.all([synced, segment.writeIndexes()]);
    else await synced;
  } finally {
    segment.log.unpin();
  }
}

export function parentOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')));
}
