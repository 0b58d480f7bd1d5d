import { Gate } from '../base/gate.ts';
import type { Clock, Timers } from '../base/ports.ts';
import type { ProducerActivity } from './producer-activity.ts';

/** Of the four threads of the pool; the others are for fdatasync. */
const COLD_READS_AT_ONCE = 2;
/** One read; who asks for more gets the rest with the next fetch, unless a single batch is larger. */
const READ_BYTES_MAX = 4 * 1024 * 1024;
/** While producers are active: what is done with more at a time, here and by its reader, is longer than they should wait. */
const READ_BYTES_MAX_BESIDE_PRODUCERS = 128 * 1024;
/** And so many times as long as a read took nothing is read after it then. */
const REST_FACTOR = 4;
/** But no longer: a read that took long has waited for the disk, which costs producers little. */
const REST_MS_MAX = 12;

export interface ColdReadsInput {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly activity: ProducerActivity;
}

/**
 * Reads off the loop, two at a time. A consumer of old data takes whatever the disk gives, and with it the processors:
 * the kernel's work to bring the pages in, the copies, its own work where it runs on the same machine. While producers
 * are active such reads are small and get a share of the time; nobody waits when they are not.
 */
export class ColdReads {
  readonly #input: ColdReadsInput | undefined;
  readonly #gate = new Gate(COLD_READS_AT_ONCE);
  #restUntilMs = Number.NEGATIVE_INFINITY;

  /** Without clock and timers nothing is held back. */
  constructor(input?: ColdReadsInput) {
    this.#input = input;
  }

  /** Most bytes that one read should bring. */
  get bytesMax(): number {
    const isShared = this.#input?.activity.isActive(this.#input.clock.monotonicMs()) === true;
    return isShared ? READ_BYTES_MAX_BESIDE_PRODUCERS : READ_BYTES_MAX;
  }

  /** Runs `work` when it is its turn; settles as it does. `work` must not throw. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const input = this.#input;
    return this.#gate.run(input === undefined ? work : () => this.#runInShare(work, input));
  }

  async #runInShare<T>(work: () => Promise<T>, { clock, timers, activity }: ColdReadsInput): Promise<T> {
    const askedMs = clock.monotonicMs();
    const waitMs = this.#restUntilMs - askedMs;
    if (waitMs > 0 && activity.isActive(askedMs)) {
      await new Promise<void>((resolve) => {
        timers.after(waitMs, resolve);
      });
    }
    const fromMs = clock.monotonicMs();
    try {
      return await work();
    } finally {
      const nowMs = clock.monotonicMs();
      const restMs = Math.min(REST_MS_MAX, (nowMs - fromMs) * REST_FACTOR);
      // Two that ran at once have both to rest.
      this.#restUntilMs = activity.isActive(nowMs) ? Math.max(nowMs, this.#restUntilMs) + restMs : nowMs;
    }
  }
}
