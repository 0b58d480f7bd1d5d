import type { Clock, Logger, Timer, Timers, Turn } from '../../base/ports.ts';
import type { CompressionCodec } from '../../protocol/compression/index.ts';
import { type ErrorCode, Errors, ProtocolError } from '../../protocol/errors.ts';
import type { CoordinatorLog, RecordSerde } from './ports.ts';
import { type CoordinatorResult, type Done, failed, type Outcome } from './result.ts';
import type { CoordinatorShard, ShardContext } from './shard.ts';
import { ShardHost } from './shard-host.ts';
import type { TransactionalWrite, TransactionCompletion } from './transactions.ts';

export interface CoordinatorRuntimeOptions<S extends CoordinatorShard<R>, R> {
  /** The topic whose partitions hold the shards; for log lines. */
  readonly topic: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly turn: Turn;
  readonly logger: Logger;
  readonly serde: RecordSerde<R>;
  readonly makeShard: (context: ShardContext<R>) => S;
  /** Of the batches that are written. */
  readonly compression: CompressionCodec;
  /** Ms that an answer may wait for its records to be committed. */
  readonly commitTimeoutMs: number;
  /** Bytes read at a time while a shard is loaded. */
  readonly loadBufferBytes: number;
}

interface Slot<S extends CoordinatorShard<R>, R> {
  readonly log: CoordinatorLog;
  host: ShardHost<S, R>;
  /** Loads that failed since one succeeded. */
  failedLoads: number;
  retry: Timer | undefined;
}

/** An answer that is due. */
interface Reply {
  readonly done: Done<unknown>;
  readonly outcome: Outcome<unknown>;
}

/** Between two tries to load a shard: as long at first, twice as long each time, at most so long. */
const RETRY_MS_FIRST = 1000;
const RETRY_MS_MAX = 60_000;
const NO_RECORDS: readonly never[] = [];

/**
 * Runs the shards of one coordinator, one per partition of its topic that this node leads: a handler returns records
 * and an answer, the records are replayed before the next handler of that shard runs, and the answer leaves when they
 * are committed. A failed append or a throw in replay is no request error: the shard is dropped and loaded again, again
 * and again where the log can't be read.
 */
export class CoordinatorRuntime<S extends CoordinatorShard<R>, R> {
  readonly #options: CoordinatorRuntimeOptions<S, R>;
  readonly #slots = new Map<number, Slot<S, R>>();
  #replies: Reply[] = [];
  #depth = 0;
  #draining = false;

  constructor(options: CoordinatorRuntimeOptions<S, R>) {
    this.#options = options;
  }

  /** Partitions whose shards live here, loaded or not. */
  partitions(): number[] {
    return [...this.#slots.keys()];
  }

  /** Why requests for this partition are refused now, or NONE. */
  errorOf(partition: number): ErrorCode {
    return this.#slots.get(partition)?.host.error ?? Errors.NOT_COORDINATOR;
  }

  /** This node leads the partition, whose log this is. The same log again changes nothing. */
  load(partition: number, log: CoordinatorLog): void {
    if (this.#slots.get(partition)?.log === log) return;
    this.unload(partition);
    this.#enter(() => {
      const host = this.#newHost(partition, log);
      this.#slots.set(partition, { log, host, failedLoads: 0, retry: undefined });
      host.load();
    });
  }

  /** This node leads the partition no longer. */
  unload(partition: number): void {
    const slot = this.#slots.get(partition);
    if (slot === undefined) return;
    this.#slots.delete(partition);
    slot.retry?.cancel();
    this.#enter(() => {
      slot.host.finish();
      slot.host.close(Errors.NOT_COORDINATOR);
    });
  }

  /** The node stops: whoever waits is answered. */
  close(): void {
    for (const partition of this.partitions()) this.unload(partition);
  }

  /** Runs a handler that may write. `done` gets the answer once all that the handler saw and wrote is committed. */
  write<T>(
    name: string,
    partition: number,
    handler: (shard: S) => CoordinatorResult<T, R>,
    done: Done<T>,
  ): void {
    this.#depth += 1;
    try {
      const slot = this.#slots.get(partition);
      if (slot !== undefined) slot.host.run(name, handler, done);
      else this.#reply(done, failed(new ProtocolError(Errors.NOT_COORDINATOR)));
    } finally {
      this.#leave();
    }
  }

  /** The same for records that are part of a transaction: pending until `completeTransaction`. */
  writeTransactional<T>(
    name: string,
    partition: number,
    write: TransactionalWrite,
    handler: (shard: S) => CoordinatorResult<T, R>,
    done: Done<T>,
  ): void {
    this.#at(partition, done, (host) => host.runTransactional(name, write, handler, done));
  }

  /** Writes the marker of a transaction; `done` gets its outcome once the marker is committed. */
  completeTransaction(
    name: string,
    partition: number,
    completion: TransactionCompletion,
    done: Done<void>,
  ): void {
    this.#at(partition, done, (host) => host.completeTransaction(name, completion, done));
  }

  /** Runs a handler that only reads; the answer waits for what is on its way to the log. */
  read<T>(name: string, partition: number, handler: (shard: S) => T, done: Done<T>): void {
    this.write(name, partition, (shard) => ({ records: NO_RECORDS, response: handler(shard) }), done);
  }

  /**
   * The shard of a partition where all that it knows is committed: what it says now is what {@link read} would answer.
   * Undefined where that takes a wait, and inside of handlers.
   */
  committed(partition: number): S | undefined {
    return this.#depth > 0 ? undefined : this.#slots.get(partition)?.host.committed;
  }

  #at<T>(partition: number, done: Done<T>, run: (host: ShardHost<S, R>) => void): void {
    this.#enter(() => {
      const slot = this.#slots.get(partition);
      if (slot !== undefined) run(slot.host);
      else this.#reply(done, failed(new ProtocolError(Errors.NOT_COORDINATOR)));
    });
  }

  #newHost(partition: number, log: CoordinatorLog): ShardHost<S, R> {
    const options = this.#options;
    const host: ShardHost<S, R> = new ShardHost<S, R>({
      ...options,
      partition,
      name: `${options.topic}-${partition}`,
      log,
      enter: (run) => this.#enter(run),
      reply: (done, outcome) => this.#reply(done, outcome),
      onBroken: (error) => this.#reload(partition, host, error),
      onLoadFailed: () => this.#retryLater(partition, host),
      onDrained: () => this.#slots.get(partition)?.host.load(),
    });
    return host;
  }

  /** What is on its way to the log settles first: the new life begins with all that was written. */
  #reload(partition: number, broken: ShardHost<S, R>, error: Error): void {
    const slot = this.#slots.get(partition);
    if (slot?.host !== broken) return;
    const { topic, logger } = this.#options;
    logger.error(`${topic}-${partition} could not be written and is loaded again`, { error: error.message });
    slot.host = this.#newHost(partition, slot.log);
    slot.failedLoads = 0;
    broken.close(Errors.NOT_COORDINATOR);
    if (broken.isDrained) slot.host.load();
  }

  /** A disk that failed to answer may answer again. */
  #retryLater(partition: number, failed: ShardHost<S, R>): number {
    const slot = this.#slots.get(partition);
    if (slot?.host !== failed) return 0;
    const delayMs = Math.min(RETRY_MS_FIRST * 2 ** slot.failedLoads, RETRY_MS_MAX);
    slot.failedLoads += 1;
    slot.retry = this.#options.timers.after(delayMs, () => {
      slot.retry = undefined;
      this.#enter(() => {
        failed.close(Errors.NOT_COORDINATOR);
        slot.host = this.#newHost(partition, slot.log);
        slot.host.load();
      });
    });
    return delayMs;
  }

  /** Runs what may change shards, then the answers that it brought: none of them runs inside a handler. */
  #enter(run: () => void): void {
    this.#depth += 1;
    try {
      run();
    } finally {
      this.#leave();
    }
  }

  #leave(): void {
    this.#depth -= 1;
    if (this.#depth === 0 && !this.#draining && this.#replies.length > 0) this.#drain();
  }

  #drain(): void {
    this.#draining = true;
    try {
      while (this.#replies.length > 0) {
        const replies = this.#replies;
        // Mostly there is one: popped, it leaves the array its memory.
        if (replies.length === 1) this.#answer(replies.pop()!);
        else {
          this.#replies = [];
          for (const reply of replies) this.#answer(reply);
        }
      }
    } finally {
      this.#draining = false;
    }
  }

  #reply<T>(done: Done<T>, outcome: Outcome<T>): void {
    this.#replies.push({ done: done as Done<unknown>, outcome });
  }

  #answer({ done, outcome }: Reply): void {
    try {
      done(outcome);
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#options.logger.error('An answer of a coordinator could not be given', { error: text });
    }
  }
}
