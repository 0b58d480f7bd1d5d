import type { Clock, Turn } from './ports.ts';

export interface CrowdOptions<T> {
  readonly clock: Clock;
  readonly turn: Turn;
  /** The first of a crowd waits no longer than this for the others. */
  readonly waitMsMax: number;
  /** Where ticks are longer than that, it waits for so many of them. Default: 0. */
  readonly waitTicksMin?: number;
  /** Takes all who came, in their order; at least one. */
  readonly admit: (all: readonly T[]) => void;
}

/**
 * What comes right behind one another, in ticks of the loop that all bring some, is admitted together: once a tick has
 * brought no more, or the first has waited long. One that comes alone waits for one tick that brings no other.
 */
export class Crowd<T> {
  readonly #options: CrowdOptions<T>;
  #waiting: T[] = [];
  #sinceMs = 0;

  constructor(options: CrowdOptions<T>) {
    this.#options = options;
  }

  /** Those that are not admitted yet, in their order. */
  get waiting(): readonly T[] {
    return this.#waiting;
  }

  add(one: T): void {
    this.#waiting.push(one);
    if (this.#waiting.length > 1) return;
    this.#sinceMs = this.#options.clock.monotonicMs();
    this.#lookLater(this.#waiting, 0, 0);
  }

  /** Admits those that wait, now. */
  admitAll(): void {
    const all = this.#waiting;
    if (all.length === 0) return;
    this.#waiting = [];
    this.#options.admit(all);
  }

  /** Admits them once a tick has brought no more than the `before` that were there already. */
  #lookLater(crowd: readonly T[], before: number, ticks: number): void {
    this.#options.turn.later(() => {
      if (crowd !== this.#waiting) return;
      if (crowd.length === before || this.#isLate(ticks)) this.admitAll();
      else this.#lookLater(crowd, crowd.length, ticks + 1);
    });
  }

  #isLate(ticks: number): boolean {
    const { clock, waitMsMax, waitTicksMin = 0 } = this.#options;
    return ticks >= waitTicksMin && clock.monotonicMs() - this.#sinceMs >= waitMsMax;
  }
}
