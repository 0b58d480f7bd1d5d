import type { Timer } from '../base/ports.ts';
import type { FetchDone, FetchParams, FetchTarget } from './fetch-types.ts';
import type { Partition } from './partition.ts';

/** One partition of a parked fetch: how much of it was readable then. */
interface Watch {
  readonly fetch: DelayedFetch;
  readonly partition: Partition;
  readonly target: FetchTarget;
  /** Bytes in the log then. */
  readonly sizeAtPark: number;
  /** The last stable offset then. */
  readonly stableAtPark: number;
  /** Bytes that the fetch could read then. */
  readonly readAtPark: number;
  previous: Watch | undefined;
  next: Watch | undefined;
}

/**
 * The fetches that wait for one partition, in the order in which they came. A list through the watches themselves: each
 * table that a Set has outgrown keeps its last members alive until old memory is collected, and so, with a fetch every
 * few hundred microseconds, nearly all of them: the short collections then copied megabytes and stopped the loop for ms.
 */
export class WaitingFetches {
  #first: Watch | undefined;
  #last: Watch | undefined;

  get isEmpty(): boolean {
    return this.#first === undefined;
  }

  /** Those that wait now; the list may change while they are gone through. */
  all(): DelayedFetch[] {
    const found: DelayedFetch[] = [];
    for (let watch = this.#first; watch !== undefined; watch = watch.next) found.push(watch.fetch);
    return found;
  }

  add(watch: Watch): void {
    watch.previous = this.#last;
    if (this.#last === undefined) this.#first = watch;
    else this.#last.next = watch;
    this.#last = watch;
  }

  remove(watch: Watch): void {
    const { previous, next } = watch;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    watch.previous = undefined;
    watch.next = undefined;
  }
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
    const watch: Watch = {
      fetch: this,
      partition,
      target,
      sizeAtPark: partition.log.sizeInBytes,
      stableAtPark: partition.log.lastStableOffset,
      readAtPark: readableBytes,
      previous: undefined,
      next: undefined,
    };
    this.#watches.push(watch);
    partition.waitingFetches.add(watch);
  }

  /** Forgets all partitions. */
  unwatch(): void {
    for (const watch of this.#watches) watch.partition.waitingFetches.remove(watch);
    this.#watches.length = 0;
  }

  /** Whether the fetch should be answered now: enough bytes came, or a partition can't be read any more. */
  isReady(): boolean {
    let bytes = 0;
    const { isolation, leaderOnly, minBytes } = this.params;
    for (const { partition, target, sizeAtPark, stableAtPark, readAtPark } of this.#watches) {
      if (partition.readError(target.currentLeaderEpoch, leaderOnly) !== 0) return true;
      // Whatever came behind an open transaction is not for this reader yet.
      const isHeld = isolation === 'last_stable' && partition.log.lastStableOffset === stableAtPark;
      const grown = isHeld ? 0 : partition.log.sizeInBytes - sizeAtPark;
      // Retention may have taken more than what came: then only reading tells.
      if (grown < 0) return true;
      bytes += Math.min(readAtPark + grown, target.maxBytes);
    }
    return bytes >= minBytes;
  }
}
