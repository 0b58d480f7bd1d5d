import type { Timer } from '../base/ports.ts';
import type { FetchDone, FetchParams, FetchTarget } from './fetch-types.ts';
import type { Partition } from './partition.ts';

/** How much of a partition was readable when the fetch was parked. */
interface Watch {
  readonly partition: Partition;
  readonly target: FetchTarget;
  /** Bytes in the log then. */
  sizeAtPark: number;
  /** Bytes that the fetch could read then. */
  readAtPark: number;
}

/**
 * A fetch that found less than its minimum and waits for more. It notes how large each log was, so that whether enough
 * has come is known without reading.
 */
export class DelayedFetch {
  readonly params: FetchParams;
  readonly targets: readonly FetchTarget[];
  readonly done: FetchDone;
  readonly #watches: Watch[] = [];
  timer: Timer | undefined = undefined;
  /** Set once it is answered or dropped. */
  finished = false;
  /** Being read again right now. */
  reading = false;

  constructor(params: FetchParams, targets: readonly FetchTarget[], done: FetchDone) {
    this.params = params;
    this.targets = targets;
    this.done = done;
  }

  watch(partition: Partition, target: FetchTarget, readableBytes: number): void {
    this.#watches.push({
      partition,
      target,
      sizeAtPark: partition.log.sizeInBytes,
      readAtPark: readableBytes,
    });
    partition.waitingFetches.add(this);
  }

  /** Forgets all partitions. */
  unwatch(): void {
    for (const { partition } of this.#watches) partition.waitingFetches.delete(this);
    this.#watches.length = 0;
  }

  /** Whether the fetch should be answered now: enough bytes came, or a partition can't be read any more. */
  isReady(): boolean {
    let bytes = 0;
    for (const { partition, target, sizeAtPark, readAtPark } of this.#watches) {
      if (partition.readError(target.currentLeaderEpoch, this.params.leaderOnly) !== 0) return true;
      const grown = partition.log.sizeInBytes - sizeAtPark;
      // Retention may have taken more than what came: then only reading tells.
      if (grown < 0) return true;
      bytes += Math.min(readAtPark + grown, target.maxBytes);
    }
    return bytes >= this.params.minBytes;
  }
}
