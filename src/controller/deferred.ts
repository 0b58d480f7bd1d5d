import type { ProtocolError } from '../protocol/errors.ts';

interface Waiting {
  /** Answered once this offset is committed. */
  readonly offset: number;
  readonly deadlineMs: number;
  readonly answer: () => void;
  readonly fail: (error: ProtocolError) => void;
}

/** Answers that wait for what they tell of to be committed, in log order. */
export class DeferredAnswers {
  #waiting: Waiting[] = [];

  get size(): number {
    return this.#waiting.length;
  }

  add(waiting: Waiting): void {
    this.#waiting.push(waiting);
  }

  /** Lets all go whose offset is below the high watermark. */
  complete(highWatermark: number): void {
    let count = 0;
    for (const { offset } of this.#waiting) {
      if (offset >= highWatermark) break;
      count++;
    }
    if (count === 0) return;
    // An answer may bring the next request, which adds to the list.
    for (const { answer } of this.#waiting.splice(0, count)) answer();
  }

  failAll(error: ProtocolError): void {
    for (const { fail } of this.#waiting.splice(0)) fail(error);
  }

  /** Those that have waited past their deadline fail; what they did may still happen. */
  expire(nowMs: number, error: () => ProtocolError): void {
    const late = this.#waiting.filter((one) => one.deadlineMs <= nowMs);
    if (late.length === 0) return;
    this.#waiting = this.#waiting.filter((one) => one.deadlineMs > nowMs);
    for (const { fail } of late) fail(error());
  }
}
