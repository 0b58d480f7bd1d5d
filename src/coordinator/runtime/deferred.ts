import type { ProtocolError } from '../../protocol/errors.ts';

export interface DeferredEvent {
  /** Let go once the log is committed up to this offset, not included. */
  readonly requiredOffset: number;
  readonly deadlineMs: number;
  readonly finish: (error: ProtocolError | undefined) => void;
}

const NONE: readonly DeferredEvent[] = [];

/** Answers that wait for the records they tell of, in log order. One per request in flight, so requests bound it. */
export class DeferredEvents {
  #waiting: DeferredEvent[] = [];

  get size(): number {
    return this.#waiting.length;
  }

  /** When the first one is late; undefined where none waits. */
  get nextDeadlineMs(): number | undefined {
    return this.#waiting[0]?.deadlineMs;
  }

  add(event: DeferredEvent): void {
    this.#waiting.push(event);
  }

  complete(committedOffset: number): void {
    let count = 0;
    while (count < this.#waiting.length && this.#waiting[count]!.requiredOffset <= committedOffset)
      count += 1;
    // Mostly one waits: popped, it leaves the array its memory.
    if (count === 1 && this.#waiting.length === 1) this.#waiting.pop()!.finish(undefined);
    else for (const event of this.#takeFirst(count)) event.finish(undefined);
  }

  /** All wait equally long, so those that are late stand first. */
  expire(nowMs: number, error: () => ProtocolError): void {
    let count = 0;
    while (count < this.#waiting.length && this.#waiting[count]!.deadlineMs <= nowMs) count += 1;
    for (const event of this.#takeFirst(count)) event.finish(error());
  }

  failAll(error: ProtocolError): void {
    for (const event of this.#takeFirst(this.#waiting.length)) event.finish(error);
  }

  #takeFirst(count: number): readonly DeferredEvent[] {
    if (count === 0) return NONE;
    const taken = this.#waiting;
    if (count === taken.length) {
      this.#waiting = [];
      return taken;
    }
    return taken.splice(0, count);
  }
}
