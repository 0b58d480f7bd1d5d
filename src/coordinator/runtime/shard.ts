import type { Clock, Logger } from '../../base/ports.ts';
import type { CoordinatorResult } from './result.ts';
import type { CoordinatorTimer } from './timer.ts';

/** What becomes of a transaction whose records wait in a shard. */
export type TransactionResult = 'commit' | 'abort';

/** Where a replayed record stands in the log, and who wrote it. */
export interface RecordOrigin {
  readonly offset: number;
  /** -1n outside of transactions. */
  readonly producerId: bigint;
}

/**
 * The state of one partition of a coordinator's topic: a function of the records in it, and of nothing else. Handlers
 * are its own methods, run through the runtime; they read the newest state and return what to write.
 */
export interface CoordinatorShard<R> {
  replay(record: R, origin: RecordOrigin): void;
  replayEndTransactionMarker(producerId: bigint, result: TransactionResult): void;
  /** The log was replayed: timers may start. */
  onLoaded(): void;
  /** Whoever waits in here is to be told that this is not the coordinator any more. */
  onUnloaded(): void;
  /** What a handler wrote is committed, or was given up; its `settled` has run. */
  onSettled?(records: readonly R[]): void;
}

/** What a shard may ask of the runtime. */
export interface ShardContext<R> {
  readonly partition: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A timer whose run is a write like any other; it stops with the shard. */
  timer(name: string, run: () => CoordinatorResult<void, R>): CoordinatorTimer;
  /** Runs `answer` after the handler that runs now: an answer may bring the next request of its connection. */
  reply(answer: () => void): void;
}
