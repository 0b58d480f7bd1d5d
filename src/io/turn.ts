import type { Turn } from '../base/ports.ts';

/**
 * The end of a tick of the loop: `setImmediate`, once for all that was asked for, since it runs after every socket that
 * was readable has been read. A microtask or `nextTick` would run between two sockets and so collect only the answers
 * of one.
 */
export class LoopTurn implements Turn {
  #queue: (() => void)[] = [];
  #running: (() => void)[] = [];
  readonly #first: (() => void)[] = [];
  readonly #atEnd: (() => void)[] = [];
  #scheduled = false;

  later(run: () => void): void {
    this.#queue.push(run);
    this.#schedule();
  }

  first(run: () => void): void {
    this.#first.push(run);
    this.#schedule();
  }

  atEnd(run: () => void): void {
    this.#atEnd.push(run);
    this.#schedule();
  }

  /** Two, one for each list: promises that the functions of the first resolve go on between them. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#runLater);
    setImmediate(this.#runAtEnd);
  }

  readonly #runLater = (): void => {
    if (this.#first.length > 0) drain(this.#first);
    const queue = this.#queue;
    this.#queue = this.#running;
    this.#running = queue;
    let done = 0;
    try {
      while (done < queue.length) (queue[done++] as () => void)();
    } finally {
      // One that throws takes nothing from those behind it: they run in the next tick, before what was asked since.
      if (done < queue.length) this.#queue.unshift(...queue.slice(done));
      queue.length = 0;
    }
  };

  readonly #runAtEnd = (): void => {
    this.#scheduled = false;
    try {
      drain(this.#atEnd);
    } finally {
      if (this.#atEnd.length + this.#first.length + this.#queue.length > 0) this.#schedule();
    }
  };
}

/** Runs all, and what they add. One that throws leaves those behind it where they are. */
function drain(queue: (() => void)[]): void {
  let done = 0;
  try {
    while (done < queue.length) (queue[done++] as () => void)();
  } finally {
    queue.splice(0, done);
  }
}
