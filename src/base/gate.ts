/** Lets at most `limit` pieces of work run at once; the others wait in order. */
export class Gate {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  readonly #settling: (() => void)[] = [];
  #running = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  enter(run: () => void): void {
    if (this.#running < this.#limit) {
      this.#running++;
      run();
    } else {
      this.#waiting.push(run);
    }
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running--;
    else next();
    if (this.#running === 0) for (const settled of this.#settling.splice(0)) settled();
  }

  /** Resolves once nothing runs or waits. */
  async settled(): Promise<void> {
    if (this.#running > 0) await new Promise<void>((resolve) => this.#settling.push(resolve));
  }

  /** Runs `work` when it is its turn, at once where there is room; settles as it does. `work` must not throw. */
  run<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.enter(() => {
        work()
          .finally(() => this.leave())
          .then(resolve, reject);
      });
    });
  }
}
