import type { ProtocolError } from '../../protocol/errors.ts';

/** Ms that records may wait for others to be written with. */
export const UNHURRIED_MS = 50;

/**
 * When records are written: with all that their tick brings; before the rest of that, where an answer is waited for; or
 * with the next ones, or after {@link UNHURRIED_MS}, where whoever loads the log finds out without them, so that they only
 * spare it some work and no answer waits for them.
 */
export type Pace = 'with the tick' | 'first' | 'unhurried';

/** What a handler decides: the records to write, and what to answer once they are committed. */
export interface CoordinatorResult<T, R> {
  readonly records: readonly R[];
  readonly response: T;
  /**
   * False where the handler has changed the state itself, so that the records only keep it: they are replayed when the
   * log is loaded, not now. Default true.
   */
  readonly replay?: boolean;
  /** Default `with the tick`. */
  readonly pace?: Pace;
  /**
   * False where the records may be spread over several batches: none depends on another. `where it fits` where the first
   * ones of them alone, which a crash may leave, are no harm either, and one batch is too small for all. Default true.
   */
  readonly atomic?: boolean | 'where it fits';
  /**
   * Runs when the records are committed, before the answer; or with the error when they were too large for a batch, or
   * not committed in time (then they may still be). It never runs when the shard is unloaded before that.
   */
  readonly settled?: (error: ProtocolError | undefined) => void;
}

export type Outcome<T> =
  | { readonly ok: true; readonly response: T }
  | { readonly ok: false; readonly error: ProtocolError };

/** Takes the outcome of a request, exactly once and never from inside a handler. */
export type Done<T> = (outcome: Outcome<T>) => void;

export const failed = (error: ProtocolError): Outcome<never> => ({ ok: false, error });
