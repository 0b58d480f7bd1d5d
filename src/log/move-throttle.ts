import type { Clock, Timer, Timers } from '../base/ports.ts';

/** A change of the limit is noticed after so long at the latest. */
const WAIT_MS_MAX = 1000;

/** Keeps all moves together below `replica.alter.log.dirs.io.max.bytes.per.second`: who copied much waits longer. */
export class MoveThrottle {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #bytesPerSecond: () => number;
  readonly #waiting = new Map<Timer, () => void>();
  #debtBytes = 0;
  #paidMs: number;
  #rate = 0;

  constructor(clock: Clock, timers: Timers, bytesPerSecond: () => number) {
    this.#clock = clock;
    this.#timers = timers;
    this.#bytesPerSecond = bytesPerSecond;
    this.#paidMs = clock.monotonicMs();
  }

  /** What may be copied in one go: `bytesMax`, or what is allowed in a second. */
  stepBytes(bytesMax: number): number {
    return Math.max(1, Math.min(bytesMax, this.#bytesPerSecond()));
  }

  copied(bytes: number): void {
    this.#pay();
    this.#debtBytes += bytes;
  }

  /** Resolves when the next bytes may be copied, or at `wake`. */
  async wait(): Promise<void> {
    let isWoken = false;
    for (let waitMs = this.#waitMs(); waitMs >= 1 && !isWoken; waitMs = this.#waitMs()) {
      isWoken = await new Promise<boolean>((resolve) => {
        const timer = this.#timers.after(Math.min(WAIT_MS_MAX, Math.ceil(waitMs)), () => {
          this.#waiting.delete(timer);
          resolve(false);
        });
        this.#waiting.set(timer, () => resolve(true));
      });
    }
  }

  /** Somebody who waits has been cancelled: all look again. */
  wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const [timer, resolve] of waiting) {
      timer.cancel();
      resolve();
    }
  }

  #waitMs(): number {
    this.#pay();
    return (this.#debtBytes / Math.max(1, this.#rate)) * 1000;
  }

  #pay(): void {
    const nowMs = this.#clock.monotonicMs();
    const rate = this.#bytesPerSecond();
    // What was copied under another limit is not held against this one.
    if (rate !== this.#rate) this.#debtBytes = 0;
    this.#rate = rate;
    const paid = ((nowMs - this.#paidMs) / 1000) * rate;
    this.#paidMs = nowMs;
    this.#debtBytes = Math.max(0, this.#debtBytes - paid);
  }
}
