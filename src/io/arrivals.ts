import type { Clock, Turn } from '../base/ports.ts';

/** The first of a crowd waits for the others so long, and at least {@link WAIT_TICKS_MIN} where ticks are longer. */
export const WAIT_MS_MAX = 5;
export const WAIT_TICKS_MIN = 4;

/**
 * Connections that arrive together are let in together. libuv accepts one per tick of the loop: if what the first of
 * them ask for were done in between, those behind would come late, and members that start together would make a
 * generation of their group for each. One that comes alone waits for one tick that brings no other.
 */
export class Arrivals {
  readonly #turn: Turn;
  readonly #clock: Clock;
  #waiting: (() => void)[] = [];
  #sinceMs = 0;

  constructor(turn: Turn, clock: Clock) {
    this.#turn = turn;
    this.#clock = clock;
  }

  /** How many have arrived and are not let in. */
  get count(): number {
    return this.#waiting.length;
  }

  add(letIn: () => void): void {
    this.#waiting.push(letIn);
    if (this.#waiting.length > 1) return;
    this.#sinceMs = this.#clock.monotonicMs();
    this.#lookLater(0, 0);
  }

  /** Lets them in once a tick has brought no more than the `before` that were there already. */
  #lookLater(before: number, ticks: number): void {
    this.#turn.later(() => {
      const { length } = this.#waiting;
      if (length > before && !this.#isLate(ticks)) this.#lookLater(length, ticks + 1);
      else this.#letAllIn();
    });
  }

  #isLate(ticks: number): boolean {
    return ticks >= WAIT_TICKS_MIN && this.#clock.monotonicMs() - this.#sinceMs >= WAIT_MS_MAX;
  }

  #letAllIn(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const letIn of waiting) letIn();
  }
}
