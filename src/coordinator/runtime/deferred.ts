import type { ProtocolError } from '../../protocol/errors.ts';
import type { CoordinatorResult, Done } from './result.ts';

export interface DeferredAnswer<R> {
  /** Let go once the log is committed up to this offset, not included. */
  readonly requiredOffset: number;
  readonly deadlineMs: number;
  readonly result: CoordinatorResult<unknown, R>;
  readonly done: Done<unknown>;
}

type Finish<R> = (answer: DeferredAnswer<R>, error: ProtocolError | undefined) => void;

const NONE: readonly never[] = [];

/** Answers that wait for the records they tell of, in log order. One per request in flight, so requests bound it. */
export class DeferredAnswers<R> {
  readonly #finish: Finish<R>;
  #waiting: DeferredAnswer<R>[] = [];

  constructor(finish: Finish<R>) {
    this.#finish = finish;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** When the first one is late; undefined where none waits. */
  get nextDeadlineMs(): number | undefined {
    return this.#waiting[0]?.deadlineMs;
  }

  add(answer: DeferredAnswer<R>): void {
    this.#waiting.push(answer);
  }

  complete(committedOffset: number): void {
    let count = 0;
    while (count < this.#waiting.length && this.#waiting[count]!.requiredOffset <= committedOffset)
      count += 1;
    // Mostly one waits: popped, it leaves the array its memory.
    if (count === 1 && this.#waiting.length === 1) this.#finish(this.#waiting.pop()!, undefined);
    else for (const answer of this.#takeFirst(count)) this.#finish(answer, undefined);
  }

  /** All wait equally long, so those that are late stand first. */
  expire(nowMs: number, error: () => ProtocolError): void {
    let count = 0;
    while (count < this.#waiting.length && this.#waiting[count]!.deadlineMs <= nowMs) count += 1;
    for (const answer of this.#takeFirst(count)) this.#finish(answer, error());
  }

  failAll(error: ProtocolError): void {
    for (const answer of this.#takeFirst(this.#waiting.length)) this.#finish(answer, error);
  }

  #takeFirst(count: number): readonly DeferredAnswer<R>[] {
    if (count === 0) return NONE;
    const taken = this.#waiting;
    if (count === taken.length) {
      this.#waiting = [];
      return taken;
    }
    return taken.splice(0, count);
  }
}
