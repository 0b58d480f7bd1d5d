import type { Clock, Logger, Random, Timer, Timers, Turn } from '../../../src/base/ports.ts';
import type { CoordinatorLog } from '../../../src/coordinator/runtime/ports.ts';
import type { LogRead } from '../../../src/log/index.ts';
import { type ErrorCode, ProtocolError } from '../../../src/protocol/errors.ts';
import * as header from '../../../src/protocol/record-batch/header.ts';

const START_MS = 1_700_000_000_000;

interface Due {
  readonly atMs: number;
  readonly run: () => void;
}

/** Time that only moves when told to, timers on it, and the ends of ticks. */
export class VirtualTime implements Clock, Timers, Turn {
  #nowMs = 0;
  #due: Due[] = [];
  #later: (() => void)[] = [];
  #first: (() => void)[] = [];
  #atEnd: (() => void)[] = [];

  wallMs(): number {
    return START_MS + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const due: Due = { atMs: this.#nowMs + Math.max(0, delayMs), run };
    // Sorted by time; what is due at the same moment runs in the order in which it was asked for.
    let at = this.#due.length;
    while (at > 0 && this.#due[at - 1]!.atMs > due.atMs) at -= 1;
    this.#due.splice(at, 0, due);
    const cancel = (): void => {
      const found = this.#due.indexOf(due);
      if (found >= 0) this.#due.splice(found, 1);
    };
    return { cancel };
  }

  later(run: () => void): void {
    this.#later.push(run);
  }

  first(run: () => void): void {
    this.#first.push(run);
  }

  atEnd(run: () => void): void {
    this.#atEnd.push(run);
  }

  get timersWaiting(): number {
    return this.#due.length;
  }

  /** Ends this tick and all that follow from it without time passing. */
  settle(): void {
    while (this.#first.length + this.#later.length + this.#atEnd.length > 0) {
      while (this.#first.length > 0) this.#first.shift()!();
      for (const run of this.#later.splice(0)) run();
      while (this.#atEnd.length > 0) this.#atEnd.shift()!();
    }
  }

  /** Lets time pass; everything that is due runs at its moment. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    this.settle();
    while (this.#due.length > 0 && this.#due[0]!.atMs <= untilMs) {
      const next = this.#due.shift()!;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.run();
      this.settle();
    }
    this.#nowMs = untilMs;
  }
}

/** Bytes that count up: member ids are told apart and the same in every run. */
export class CountingRandom implements Random {
  #next = 0;

  below(bound: number): number {
    this.#next += 1;
    return this.#next % bound;
  }

  fill(into: Uint8Array): void {
    this.#next += 1;
    into.fill(0);
    Buffer.from(into.buffer, into.byteOffset, into.byteLength).writeUInt32BE(this.#next, into.length - 4);
  }
}

export const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};

interface Append {
  readonly endOffset: number;
  readonly committed: (error: Error | undefined) => void;
}

/** A partition in memory: appends are committed when the test says so, or at once. */
export class MemoryLog implements CoordinatorLog {
  readonly batches: Buffer[] = [];
  readonly startOffset = 0;
  batchBytesMax = 1_048_588;
  /** Appends wait for {@link commit} when false. */
  commitsAtOnce = true;
  /** Batches that are taken from now on are not kept, however loudly they are acknowledged. */
  forgetsAppends = false;
  /** The next append throws this. */
  refusal: ErrorCode | undefined;
  #waiting: Append[] = [];

  get endOffset(): number {
    const last = this.batches.at(-1);
    return last === undefined ? 0 : header.lastOffset(last, 0) + 1;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  append(batch: Buffer, committed: (error: Error | undefined) => void): number {
    if (this.refusal !== undefined) {
      const code = this.refusal;
      this.refusal = undefined;
      throw new ProtocolError(code);
    }
    const first = this.endOffset;
    header.setBaseOffset(batch, 0, first);
    if (this.forgetsAppends) {
      committed(undefined);
      return first;
    }
    this.batches.push(batch);
    if (this.commitsAtOnce) committed(undefined);
    else this.#waiting.push({ endOffset: this.endOffset, committed });
    return first;
  }

  /** All that waits reaches the high watermark. */
  commit(): void {
    for (const { committed } of this.#waiting.splice(0)) committed(undefined);
  }

  /** The write failed: nothing that waits is in the log. */
  fail(error: Error): void {
    const lost = this.#waiting.splice(0);
    this.batches.length -= lost.length;
    for (const { committed } of lost) committed(error);
  }

  read(from: number, maxBytes: number): LogRead {
    const bytes: Buffer[] = [];
    let nextOffset = from;
    let sizeInBytes = 0;
    for (const batch of this.batches) {
      if (header.lastOffset(batch, 0) < from) continue;
      if (sizeInBytes > 0 && sizeInBytes + batch.length > maxBytes) break;
      bytes.push(batch);
      sizeInBytes += batch.length;
      nextOffset = header.lastOffset(batch, 0) + 1;
    }
    return { bytes, sizeInBytes, nextOffset, firstBatchTooLarge: false, release: () => undefined };
  }
}

/** Lets promises run: a load goes on. */
export async function turnOver(time: VirtualTime): Promise<void> {
  for (let i = 0; i < 20; i++) {
    await Promise.resolve();
    time.settle();
  }
}
