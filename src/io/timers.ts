import type { Clock, Timer, Timers } from '../base/ports.ts';
import { TimerWheel, WheelEntry } from '../base/timer-wheel.ts';

const NODE_TIMEOUT_MAX_MS = 2 ** 31 - 1;

class WheelTimer extends WheelEntry implements Timer {
  readonly run: () => void;
  readonly #wheel: TimerWheel<WheelTimer>;

  constructor(wheel: TimerWheel<WheelTimer>, run: () => void) {
    super();
    this.#wheel = wheel;
    this.run = run;
  }

  cancel(): void {
    this.#wheel.remove(this);
  }
}

/** One timer wheel with one timeout of Node behind it. It keeps no process alive. */
export class SystemTimers implements Timers {
  readonly #clock: Clock;
  readonly #wheel: TimerWheel<WheelTimer>;
  #timeout: NodeJS.Timeout | undefined;
  #armedForMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#wheel = new TimerWheel(clock.monotonicMs());
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = new WheelTimer(this.#wheel, run);
    const nowMs = this.#clock.monotonicMs();
    this.#wheel.catchUp(nowMs);
    this.#wheel.add(timer, nowMs + Math.max(delayMs, 0));
    if (timer.dueTick < this.#armedForMs) this.#arm(nowMs);
    return timer;
  }

  /** A timeout for what comes next. One that turns out too early (all was cancelled) just arms the one after it. */
  #arm(nowMs: number): void {
    const nextMs = this.#wheel.nextMs();
    if (nextMs >= this.#armedForMs) return;
    if (this.#timeout !== undefined) clearTimeout(this.#timeout);
    this.#armedForMs = nextMs;
    const delayMs = Math.min(Math.max(Math.ceil(nextMs - nowMs), 1), NODE_TIMEOUT_MAX_MS);
    this.#timeout = setTimeout(this.#expire, delayMs).unref();
  }

  readonly #expire = (): void => {
    this.#timeout = undefined;
    this.#armedForMs = Number.POSITIVE_INFINITY;
    try {
      this.#wheel.advance(this.#clock.monotonicMs(), (timer) => timer.run());
    } finally {
      if (this.#wheel.size > 0) this.#arm(this.#clock.monotonicMs());
    }
  };
}
