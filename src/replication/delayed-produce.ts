import { assert } from '../base/assert.ts';
import type { Timer, Timers } from '../base/ports.ts';
import type { Uuid } from '../base/uuid.ts';
import type { AppendInfo, RecordError } from '../log/index.ts';
import { type ErrorCode, Errors, ProtocolError } from '../protocol/errors.ts';
import type { SpecialAppend } from './partition.ts';

/** One batch for one partition. */
export interface ProduceEntry {
  readonly topic: string;
  /** The zero uuid where the client named the topic. */
  readonly topicId: Uuid;
  readonly partition: number;
  /** Valid until the operation is done. */
  readonly records: Buffer;
  /** Undefined for what belongs to no transaction. */
  readonly transaction: SpecialAppend | undefined;
}

export interface ProduceResult {
  readonly errorCode: ErrorCode;
  /** -1 where nothing was appended. */
  readonly baseOffset: number;
  readonly logAppendTimeMs: bigint;
  readonly logStartOffset: number;
  readonly recordErrors: readonly RecordError[];
  readonly errorMessage: string | null;
}

export type ProduceDone = (results: readonly ProduceResult[]) => void;

const NO_RECORD_ERRORS: readonly RecordError[] = [];

/** An answer that names nothing but an error. */
export function failedProduce(errorCode: ErrorCode, errorMessage: string | null = null): ProduceResult {
  return {
    errorCode,
    baseOffset: -1,
    logAppendTimeMs: -1n,
    logStartOffset: -1,
    recordErrors: NO_RECORD_ERRORS,
    errorMessage,
  };
}

/**
 * One produce request while its batches become durable: collects a result for each and reports once. The count starts
 * one above the number of batches, so that batches which finish at once don't report before the last was appended.
 */
export class DelayedProduce {
  readonly #results: (ProduceResult | undefined)[];
  readonly #done: ProduceDone;
  readonly #isFinished: (true | undefined)[];
  #open: number;
  #timer: Timer | undefined;
  #reported = false;

  constructor(count: number, done: ProduceDone) {
    // Neither is filled: that is a call out of compiled code, for one batch mostly.
    this.#results = new Array<ProduceResult | undefined>(count);
    this.#isFinished = new Array<true | undefined>(count);
    this.#done = done;
    this.#open = count + 1;
  }

  /** The log took the batch. A failure that was told before this stays. */
  appended(index: number, info: AppendInfo): void {
    this.#results[index] ??= {
      errorCode: Errors.NONE,
      baseOffset: info.firstOffset,
      logAppendTimeMs: info.logAppendTimeMs,
      logStartOffset: info.logStartOffset,
      recordErrors: NO_RECORD_ERRORS,
      errorMessage: null,
    };
  }

  /** The log did not take the batch. */
  refused(index: number, result: ProduceResult): void {
    this.#results[index] = result;
    this.#close(index);
  }

  /** The batch is as durable as was asked for, or was undone. */
  finished(index: number, error: Error | undefined): void {
    if (error !== undefined) {
      this.#results[index] = failedProduce(
        error instanceof ProtocolError ? error.code : Errors.KAFKA_STORAGE_ERROR,
      );
    }
    this.#close(index);
  }

  /** All batches were given to their logs. True while some are not yet durable. */
  started(): boolean {
    this.#open -= 1;
    if (this.#open === 0) this.#report();
    return this.#open > 0;
  }

  /** What is not durable by then is answered REQUEST_TIMED_OUT; it may become durable later. */
  expireAfter(timers: Timers, timeoutMs: number): void {
    if (this.#reported) return;
    this.#timer = timers.after(timeoutMs, () => this.#expire());
  }

  #expire(): void {
    if (this.#reported) return;
    for (let i = 0; i < this.#isFinished.length; i++) {
      if (this.#isFinished[i] === true) continue;
      const { logStartOffset, baseOffset, logAppendTimeMs } = this.#results[i] ?? failedProduce(Errors.NONE);
      this.#results[i] = {
        ...failedProduce(Errors.REQUEST_TIMED_OUT),
        logStartOffset,
        baseOffset,
        logAppendTimeMs,
      };
    }
    this.#report();
  }

  #close(index: number): void {
    assert(this.#isFinished[index] === undefined || this.#reported, 'a batch finishes once');
    this.#isFinished[index] = true;
    this.#open -= 1;
    if (this.#open === 0 && !this.#reported) this.#report();
  }

  #report(): void {
    this.#reported = true;
    this.#timer?.cancel();
    const results = this.#results;
    this.#done(results as readonly ProduceResult[]);
  }
}
