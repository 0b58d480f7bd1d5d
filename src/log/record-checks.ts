import type { LogConfig } from '../config/log-config.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import type { TimestampType } from '../protocol/record-batch/header.ts';
import type { RecordError } from './types.ts';

const ERRORS_SHOWN = 3;
const NO_TIMESTAMP = -1n;

/** One or more records made a batch invalid (INVALID_RECORD or INVALID_TIMESTAMP); Produce names them (KIP-467). */
export class RecordValidationError extends ProtocolError {
  readonly recordErrors: readonly RecordError[];
  constructor(
    code: typeof Errors.INVALID_RECORD | typeof Errors.INVALID_TIMESTAMP,
    message: string,
    recordErrors: readonly RecordError[],
  ) {
    super(code, message);
    this.name = 'RecordValidationError';
    this.recordErrors = recordErrors;
  }
}

/** The part of a log's settings that says which records it takes. */
export type RecordRules = Pick<
  LogConfig,
  'cleanupPolicy' | 'messageTimestampType' | 'messageTimestampBeforeMaxMs' | 'messageTimestampAfterMaxMs'
>;

/** What the checks look at, in any format. */
interface CheckedRecord {
  readonly offset: number;
  readonly timestamp: bigint;
  readonly key: Uint8Array | null;
}

/** Collects what is wrong with the records of one batch, by the rules of the topic. */
export class RecordChecks {
  readonly #rules: RecordRules;
  readonly #needKeys: boolean;
  readonly #givenType: TimestampType | undefined;
  readonly #nowMs: number;
  readonly #errors: RecordError[] = [];
  #wrongTimes = 0;
  #next = 0;

  /** `givenType` is the timestamp type that the producer gave the batch. */
  constructor(rules: RecordRules, givenType: TimestampType | undefined, nowMs: number) {
    this.#rules = rules;
    this.#needKeys = rules.cleanupPolicy.includes('compact');
    this.#givenType = givenType;
    this.#nowMs = nowMs;
  }

  get failed(): boolean {
    return this.#errors.length > 0;
  }

  /** Looks at the next record. */
  check(record: CheckedRecord): void {
    const { messageTimestampType } = this.#rules;
    if (this.#needKeys && record.key === null) {
      this.refuse('a record needs a key where cleanup.policy has compact');
    } else if (messageTimestampType === 'CreateTime' && record.timestamp !== NO_TIMESTAMP) {
      if (isInRange(record.timestamp, this.#rules, this.#nowMs)) this.#next += 1;
      else this.refuseTime(rangeText(record.timestamp, record.offset, this.#rules, this.#nowMs));
    } else if (this.#givenType === 'LogAppendTime') {
      this.refuseTime('LogAppendTime is for the broker to set');
    } else this.#next += 1;
  }

  /** The next record can't be taken, whatever the topic wants. */
  refuse(message: string): void {
    this.#errors.push({ batchIndex: this.#next, message });
    this.#next += 1;
  }

  /** The next record's timestamp is not allowed. */
  refuseTime(message: string): void {
    this.refuse(message);
    this.#wrongTimes += 1;
  }

  /** Throws RecordValidationError where a record was refused: INVALID_TIMESTAMP if it was for that with any of them. */
  finish(): void {
    const errors = this.#errors;
    if (errors.length === 0) return;
    if (this.#wrongTimes > 0) {
      const text = `${this.#wrongTimes} of the records have a timestamp that is not allowed`;
      throw new RecordValidationError(Errors.INVALID_TIMESTAMP, text, errors);
    }
    const shown = errors
      .slice(0, ERRORS_SHOWN)
      .map((error) => `${error.batchIndex}: ${error.message}`)
      .join('; ');
    const text = `${errors.length} of the records are refused, first of all ${shown}`;
    throw new RecordValidationError(Errors.INVALID_RECORD, text, errors);
  }
}

/** Apache's arithmetic, which wraps at 64 bits: what is extremely old counts as of the future. */
export function isInRange(timestamp: bigint, rules: RecordRules, nowMs: number): boolean {
  const before = rules.messageTimestampBeforeMaxMs;
  const after = rules.messageTimestampAfterMaxMs;
  const age = BigInt.asIntN(64, BigInt(nowMs) - timestamp);
  if (before < Number.MAX_SAFE_INTEGER && age > BigInt(before)) return false;
  return after >= Number.MAX_SAFE_INTEGER || BigInt.asIntN(64, -age) <= BigInt(after);
}

export function rangeText(timestamp: bigint, offset: number, rules: RecordRules, nowMs: number): string {
  const from = BigInt(nowMs) - BigInt(rules.messageTimestampBeforeMaxMs);
  const to = BigInt(nowMs) + BigInt(rules.messageTimestampAfterMaxMs);
  return `the timestamp ${timestamp} at offset ${offset} is not between ${from} and ${to}`;
}
