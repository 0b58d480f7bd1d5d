import type { Timer, Timers } from '../base/ports.ts';

/** Work that waits, once or again and again, until all of it is called off. */
export class Schedule {
  readonly #timers: Timers;
  readonly #waiting = new Set<Timer>();
  #isOver = false;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Runs `run` once, after `delayMs`; never after `stop`. */
  after(delayMs: number, run: () => void): void {
    if (this.#isOver) return;
    const timer = this.#timers.after(delayMs, () => {
      this.#waiting.delete(timer);
      run();
    });
    this.#waiting.add(timer);
  }

  /** Runs `run` after `firstMs` and then with `intervalMs` between the end of a run and the next one. */
  every(intervalMs: number, run: () => void, firstMs = intervalMs): void {
    this.after(Math.max(1, firstMs), () => {
      run();
      this.every(intervalMs, run);
    });
  }

  stop(): void {
    this.#isOver = true;
    for (const timer of this.#waiting) timer.cancel();
    this.#waiting.clear();
  }
}
