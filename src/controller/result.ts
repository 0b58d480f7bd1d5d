import type { MetadataRecord } from '../metadata/records.ts';
import { type ErrorCode, Errors, ProtocolError } from '../protocol/errors.ts';

/** What a handler decides: the records to write, and what to answer once they are committed. */
export interface ControllerResult<R> {
  readonly records: readonly MetadataRecord[];
  readonly response: R;
}

export interface RequestContext {
  readonly apiVersion: number;
  readonly nowMs: number;
  /** Whether the caller may see the settings of a topic that it creates. Default: yes. */
  readonly mayDescribeConfigs?: (topic: string) => boolean;
}

/** A whole request failed, or was answered; errors of single topics and resources stand in the response. */
export type Outcome<R> =
  | { readonly ok: true; readonly response: R }
  | { readonly ok: false; readonly error: ProtocolError };

export interface ApiError {
  readonly code: ErrorCode;
  readonly message: string | null;
}

export const NO_ERROR: ApiError = { code: Errors.NONE, message: null };

/** One request writes no more records than this, and makes no more partitions. */
export const MAX_RECORDS_PER_USER_OP = 10_000;

/** Throws POLICY_VIOLATION where a request would write too many records: they are one batch, all or none. */
export function checkRecordCount(count: number): void {
  if (count <= MAX_RECORDS_PER_USER_OP) return;
  const text = `The request needs ${count} metadata records, more than ${MAX_RECORDS_PER_USER_OP}; ask for less at once.`;
  throw new ProtocolError(Errors.POLICY_VIOLATION, text);
}

/** Runs a step for one topic or resource: its ProtocolError becomes the entry's error, everything else goes up. */
export function apiErrorOf(step: () => void): ApiError {
  try {
    step();
    return NO_ERROR;
  } catch (error) {
    if (error instanceof ProtocolError) return { code: error.code, message: error.message };
    throw error;
  }
}
