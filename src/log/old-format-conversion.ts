import type { BackgroundRun } from '../base/ports.ts';
import { removeCleanedFiles } from './cleaner/cleaned-segment.ts';
import { replaceSegment, syncCleaned } from './cleaner/swap.ts';
import { LOG_SUFFIX, offsetName, offsetOf } from './file-names.ts';
import { finishLeftovers } from './leftovers.ts';
import { beginsWithOldMessage, type ConvertedSegment, convertSegment, isSegment } from './old-segments.ts';
import type { SegmentSettings } from './segment.ts';
import type { LogPorts } from './types.ts';

/**
 * Brings the folders of clusters that are older than they look up to format 2, before anybody opens them: Apache Kafka goes
 * on to read formats 0 and 1 where segments of brokers before 0.11 are left, here batches on disk are of format 2. A
 * background job writes each segment anew, and it takes the place of the old one when it is synced.
 */
export class OldFormatConversion {
  readonly #ports: LogPorts;
  readonly #plainBytesMax: number;
  readonly #runs = new Set<BackgroundRun<unknown>>();

  constructor(ports: LogPorts, plainBytesMax: number) {
    this.#ports = ports;
    this.#plainBytesMax = plainBytesMax;
  }

  /** Rejects with StorageError, or with CancelledError after `cancel`; the next start goes on then. */
  async convert(dir: string, settings: SegmentSettings): Promise<void> {
    const { storage, logger, clock } = this.#ports;
    const startMs = clock.monotonicMs();
    const files = finishLeftovers(storage, logger, dir).filter(isSegment);
    const isNew = (name: string) =>
      storage.sizeOf(`${dir}/${name}`) !== 0 && !beginsWithOldMessage(storage, `${dir}/${name}`);
    const end = files.findIndex(isNew);
    const old = end < 0 ? files : files.slice(0, end);
    const bytes = old.reduce((sum, name) => sum + (storage.sizeOf(`${dir}/${name}`) ?? 0), 0);
    logger.info(`${dir} has segments of message format 0 or 1, which are written anew in format 2`, {
      segments: old.length,
      bytes,
    });
    for (const name of old.toReversed()) await this.#convertSegment(dir, offsetOf(name)!, settings);
    await storage.syncDir(dir);
    logger.info(`${dir} is in message format 2 now`, { tookMs: Math.round(clock.monotonicMs() - startMs) });
  }

  /** What runs ends early. */
  cancel(): void {
    for (const run of this.#runs) run.cancel();
  }

  async #convertSegment(dir: string, baseOffset: number, settings: SegmentSettings): Promise<void> {
    const { storage, background, logger } = this.#ports;
    const { indexIntervalBytes, segmentIndexBytes } = settings;
    const plainBytesMax = this.#plainBytesMax;
    const input = { dir, baseOffset, indexIntervalBytes, segmentIndexBytes, plainBytesMax };
    const run = background.run(convertSegment, input);
    this.#runs.add(run);
    try {
      const { cleaned, stoppedAt } = await run.done;
      if (stoppedAt !== undefined) logger.warn(stopText(dir, baseOffset, stoppedAt));
      if (cleaned === undefined) return;
      await syncCleaned(storage, dir, [cleaned]);
      replaceSegment(storage, dir, cleaned);
    } finally {
      this.#runs.delete(run);
      removeCleanedFiles(storage, dir, baseOffset);
    }
  }
}

function stopText(dir: string, baseOffset: number, at: ConvertedSegment['stoppedAt'] & object): string {
  const path = `${dir}/${offsetName(baseOffset)}${LOG_SUFFIX}`;
  return `${path} is written anew only up to position ${at.position}, where ${at.reason}`;
}
