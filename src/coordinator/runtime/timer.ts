import type { Clock, Timer, Timers } from '../../base/ports.ts';

export interface TimerOwner {
  /** The timer waits from now on, or no longer. */
  armed(): void;
  disarmed(): void;
  due(): void;
}

/**
 * A deadline that is moved far more often than it is reached (a session's, with every heartbeat): moving it back costs
 * one store, and the timer behind it looks again when it is due.
 */
export class CoordinatorTimer {
  readonly #timers: Timers;
  readonly #clock: Clock;
  readonly #owner: TimerOwner;
  #timer: Timer | undefined;
  #timerDueMs = 0;
  #deadlineMs = 0;

  constructor(timers: Timers, clock: Clock, owner: TimerOwner) {
    this.#timers = timers;
    this.#clock = clock;
    this.#owner = owner;
  }

  /** Runs `delayMs` from now, in place of any time that was set before. */
  arm(delayMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    this.#deadlineMs = nowMs + delayMs;
    if (this.#timer === undefined) this.#owner.armed();
    else if (this.#timerDueMs <= this.#deadlineMs) return;
    this.#timer?.cancel();
    this.#start(nowMs);
  }

  cancel(): void {
    if (this.#timer === undefined) return;
    this.#timer.cancel();
    this.#timer = undefined;
    this.#owner.disarmed();
  }

  #start(nowMs: number): void {
    this.#timerDueMs = this.#deadlineMs;
    this.#timer = this.#timers.after(this.#deadlineMs - nowMs, () => this.#fire());
  }

  #fire(): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#deadlineMs) {
      this.#start(nowMs);
      return;
    }
    this.#timer = undefined;
    this.#owner.disarmed();
    this.#owner.due();
  }
}
