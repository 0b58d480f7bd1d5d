import type { ProtocolError } from '../../protocol/errors.ts';

export interface DeferredEvent {
  /** Let go once the log is committed up to this offset, not included. */
  readonly requiredOffset: number;
  readonly deadlineMs: number;
  readonly finish: (error: ProtocolError | undefined) => void;
}

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
    if (count === 0) return;
    const ready = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    for (const event of ready) event.finish(undefined);
  }

  /** All wait equally long, so those that are late stand first. */
  expire(nowMs: number, error: () => ProtocolError): void {
    let count = 0;
    while (count < this.#waiting.length && this.#waiting[count]!.deadlineMs <= nowMs) count += 1;
    if (count === 0) return;
    const late = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    for (const event of late) event.finish(error());
  }

  failAll(error: ProtocolError): void {
    const all = this.#waiting;
    this.#waiting = [];
    for (const event of all) event.finish(error);
  }
}
