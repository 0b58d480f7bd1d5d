import type { Clock, Logger, Timer, Timers, Turn } from '../../base/ports.ts';
import { type CompressionCodec, prepareCodec } from '../../protocol/compression/index.ts';
import { type ErrorCode, Errors, ProtocolError } from '../../protocol/errors.ts';
import { endTxnMarkerBatch } from '../../protocol/record-batch/control.ts';
import { BatchWriter } from './batch-writer.ts';
import { DeferredAnswers } from './deferred.ts';
import { type LoadSummary, loadShard } from './loader.ts';
import type { CoordinatorLog, RecordSerde } from './ports.ts';
import { type CoordinatorResult, type Done, failed, type Outcome } from './result.ts';
import type { CoordinatorShard, ShardContext } from './shard.ts';
import { CoordinatorTimer } from './timer.ts';
import type { TransactionalWrite, TransactionCompletion } from './transactions.ts';

const NO_PRODUCER_ID = -1n;
const NOTHING: Outcome<undefined> = { ok: true, response: undefined };

export interface ShardHostOptions<S extends CoordinatorShard<R>, R> {
  readonly partition: number;
  /** For log lines: topic and partition. */
  readonly name: string;
  readonly log: CoordinatorLog;
  readonly serde: RecordSerde<R>;
  readonly makeShard: (context: ShardContext<R>) => S;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly turn: Turn;
  readonly logger: Logger;
  readonly compression: CompressionCodec;
  readonly commitTimeoutMs: number;
  readonly loadBufferBytes: number;
  /** Everything that comes from outside (requests come so already) runs in here; answers follow it. */
  readonly enter: (run: () => void) => void;
  readonly reply: <T>(done: Done<T>, outcome: Outcome<T>) => void;
  /** State and log may differ: this host must be closed and another one load the shard. */
  readonly onBroken: (error: Error) => void;
  /** The log can't be read: this host is of no use, and says when there is another try, in ms. */
  readonly onLoadFailed: () => number;
  /** A closed host has no append on its way any more: the log says all that there is. */
  readonly onDrained: () => void;
}

/** One life of a shard: loaded from its log, active, and closed with its leadership or when it must be loaded again. */
export class ShardHost<S extends CoordinatorShard<R>, R> {
  readonly #options: ShardHostOptions<S, R>;
  readonly #shard: S;
  readonly #deferred = new DeferredAnswers<R>(({ result, done }, error) => this.#finish(result, done, error));
  readonly #timers = new Set<CoordinatorTimer>();
  #deadlineTimer: Timer | undefined;
  #writer: BatchWriter<R> | undefined;
  #state: 'waiting' | 'loading' | 'active' | 'failed' | 'closed' = 'waiting';

  constructor(options: ShardHostOptions<S, R>) {
    this.#options = options;
    const { partition, clock, logger, makeShard } = options;
    const reply = (answer: () => void) => options.reply(answer, NOTHING);
    const timer = (name: string, run: () => CoordinatorResult<void, R>) => this.#timer(name, run);
    this.#shard = makeShard({ partition, clock, logger, reply, timer });
  }

  /** Why requests are refused now, or NONE. */
  get error(): ErrorCode {
    switch (this.#state) {
      case 'active':
        return Errors.NONE;
      case 'waiting':
      case 'loading':
        return Errors.COORDINATOR_LOAD_IN_PROGRESS;
      default:
        return Errors.NOT_COORDINATOR;
    }
  }

  /** The shard, if it is active and nothing that it knows waits to be committed. */
  get committed(): S | undefined {
    const writer = this.#writer;
    if (this.#state !== 'active' || writer === undefined) return undefined;
    return writer.awaitedOffset <= writer.committedOffset ? this.#shard : undefined;
  }

  get isDrained(): boolean {
    return this.#writer === undefined || this.#writer.appendsInFlight === 0;
  }

  /** Replays the log; at once where it is empty. */
  load(): void {
    const { log, compression } = this.#options;
    if (this.#state !== 'waiting') return;
    this.#state = 'loading';
    const codec = prepareCodec(compression);
    if (codec === undefined && log.startOffset === log.endOffset) {
      this.#activate({ endOffset: log.endOffset, records: 0, skipped: 0 });
      return;
    }
    this.#replayLog(codec).catch((error: unknown) => {
      if (this.#state === 'loading') this.#loadFailed(error);
    });
  }

  async #replayLog(codec: Promise<void> | undefined): Promise<void> {
    const { log, serde, turn, clock, loadBufferBytes, enter } = this.#options;
    const startMs = clock.monotonicMs();
    await codec;
    const isCancelled = () => this.#state !== 'loading';
    const shard = this.#shard;
    const summary = await loadShard<R>({
      log,
      shard,
      serde,
      turn,
      bufferBytes: loadBufferBytes,
      isCancelled,
    });
    if (summary !== undefined) enter(() => this.#activate(summary, startMs));
  }

  run<T>(name: string, handler: (shard: S) => CoordinatorResult<T, R>, done: Done<T>): void {
    const writer = this.#writer;
    if (this.#state !== 'active' || writer === undefined) {
      this.#refuse(done);
      return;
    }
    try {
      const result = handler(this.#shard);
      if (result.records.length > 0 && !this.#write(writer, result, done)) return;
      this.#defer(writer, result, done);
    } catch (error) {
      this.#failed(name, done, error);
    }
  }

  /** The same for records that are part of a transaction: they are pending until its marker comes. */
  runTransactional<T>(
    name: string,
    write: TransactionalWrite,
    handler: (shard: S) => CoordinatorResult<T, R>,
    done: Done<T>,
  ): void {
    this.#attempt(name, done, (writer) => {
      const result = handler(this.#shard);
      const { records } = result;
      if (records.length > 0) {
        this.#flush(writer);
        // A refusal, as that of a transaction which is over, changes nothing here.
        const first = writer.appendTransactional(records, write);
        this.#replay(() => {
          for (const [at, record] of records.entries()) {
            this.#shard.replay(record, { offset: first + at, producerId: write.producerId });
          }
        });
      }
      this.#defer(writer, result, done);
    });
  }

  /** Appends the marker of a transaction; its records take effect or vanish. */
  completeTransaction(name: string, completion: TransactionCompletion, done: Done<void>): void {
    this.#attempt(name, done, (writer) => {
      const { producerId, producerEpoch, coordinatorEpoch, result, transactionVersion } = completion;
      this.#flush(writer);
      const marker = endTxnMarkerBatch({
        committed: result === 'commit',
        producerId,
        producerEpoch,
        coordinatorEpoch,
        timestamp: BigInt(this.#options.clock.wallMs()),
      });
      writer.appendBatch(marker, 1, { transactionVersion });
      this.#replay(() => this.#shard.replayEndTransactionMarker(producerId, result));
      this.#defer(writer, { records: [], response: undefined }, done);
    });
  }

  #attempt<T>(name: string, done: Done<T>, run: (writer: BatchWriter<R>) => void): void {
    const writer = this.#writer;
    if (this.#state !== 'active' || writer === undefined) {
      this.#refuse(done);
      return;
    }
    try {
      run(writer);
    } catch (error) {
      this.#failed(name, done, error);
    }
  }

  #refuse<T>(done: Done<T>): void {
    this.#options.reply(done, failed(new ProtocolError(this.error)));
  }

  #failed<T>(name: string, done: Done<T>, error: unknown): void {
    this.#options.reply(done, failed(this.#asProtocolError(name, error)));
  }

  /** What was gathered goes to the log first, in the order in which it was replayed. */
  #flush(writer: BatchWriter<R>): void {
    writer.flush();
    this.#ensureActive();
  }

  /** After an append, which may have broken the shard. */
  #replay(run: () => void): void {
    this.#ensureActive();
    try {
      run();
    } catch (error) {
      this.#options.onBroken(error instanceof Error ? error : new Error(String(error)));
      this.#ensureActive();
    }
  }

  #ensureActive(): void {
    if (this.#state !== 'active') throw new ProtocolError(Errors.NOT_COORDINATOR);
  }

  /** Writes what was gathered, as far as this node still leads the partition: `close` follows. */
  finish(): void {
    if (this.#state === 'active') this.#writer?.flush();
  }

  /** Answers whoever waits in here. Idempotent. */
  close(code: ErrorCode): void {
    if (this.#state === 'closed') return;
    const wasActive = this.#state === 'active';
    this.#state = 'closed';
    this.#writer?.close();
    this.#deadlineTimer?.cancel();
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    if (wasActive) this.#shard.onUnloaded();
    this.#deferred.failAll(new ProtocolError(code));
  }

  #activate(summary: LoadSummary, startMs?: number): void {
    const { log, serde, clock, timers, turn, compression, enter, logger, name } = this.#options;
    const complete = () => this.#deferred.complete(this.#writer!.committedOffset);
    this.#writer = new BatchWriter<R>(
      {
        log,
        serde,
        clock,
        timers,
        turn,
        compression,
        onCommitted: () => enter(complete),
        onFailed: (error) => enter(() => this.#options.onBroken(error)),
        onIdle: () => {
          if (this.#state === 'closed') enter(() => this.#options.onDrained());
        },
      },
      summary.endOffset,
    );
    this.#state = 'active';
    this.#shard.onLoaded();
    if (startMs === undefined) return;
    logger.info(`Loaded ${name}`, { ...summary, ms: Math.round(clock.monotonicMs() - startMs) });
  }

  #loadFailed(error: unknown): void {
    const { logger, name, onLoadFailed } = this.#options;
    this.#state = 'failed';
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    logger.error(`${name} can't be loaded: what it holds has no coordinator until another try succeeds`, {
      nextTryMs: onLoadFailed(),
      error: text,
    });
  }

  /** False where the records were refused or the shard broke; `done` is served then. */
  #write<T>(writer: BatchWriter<R>, result: CoordinatorResult<T, R>, done: Done<T>): boolean {
    const { records, replay, atomic, settled, pace = 'with the tick' } = result;
    if (atomic !== false) {
      try {
        writer.reserve(records, atomic === 'where it fits');
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        settled?.(error);
        this.#options.reply(done, failed(error));
        return false;
      }
    }
    for (const record of records) {
      // An append on the way may have broken the shard.
      if (this.#state !== 'active') break;
      const offset = writer.add(record, pace);
      if (replay === false) continue;
      try {
        this.#shard.replay(record, { offset, producerId: NO_PRODUCER_ID });
      } catch (error) {
        this.#options.onBroken(error instanceof Error ? error : new Error(String(error)));
      }
    }
    if (this.#state === 'active') return true;
    this.#options.reply(done, failed(new ProtocolError(Errors.NOT_COORDINATOR)));
    return false;
  }

  #defer<T>(writer: BatchWriter<R>, result: CoordinatorResult<T, R>, done: Done<T>): void {
    const requiredOffset = writer.awaitedOffset;
    if (requiredOffset <= writer.committedOffset) {
      this.#finish(result, done, undefined);
      return;
    }
    const deadlineMs = this.#options.clock.monotonicMs() + this.#options.commitTimeoutMs;
    // Each answer that waits has a type of its own, which only its own `done` knows.
    this.#deferred.add({ requiredOffset, deadlineMs, result, done: done as Done<unknown> });
    this.#watchDeadline();
  }

  #finish<T>(result: CoordinatorResult<T, R>, done: Done<T>, error: ProtocolError | undefined): void {
    const { records, response, settled } = result;
    if (this.#state === 'active') {
      settled?.(error);
      if (records.length > 0) this.#shard.onSettled?.(records);
    }
    this.#options.reply(done, error === undefined ? { ok: true, response } : failed(error));
  }

  #watchDeadline(): void {
    const { timers, clock, enter } = this.#options;
    const dueMs = this.#deferred.nextDeadlineMs;
    if (this.#deadlineTimer !== undefined || dueMs === undefined || this.#state !== 'active') return;
    this.#deadlineTimer = timers.after(dueMs - clock.monotonicMs(), () => {
      this.#deadlineTimer = undefined;
      const late = 'the records were not committed in time; they may still be';
      const error = () => new ProtocolError(Errors.REQUEST_TIMED_OUT, late);
      enter(() => this.#deferred.expire(clock.monotonicMs(), error));
      this.#watchDeadline();
    });
  }

  #timer(name: string, run: () => CoordinatorResult<void, R>): CoordinatorTimer {
    const { timers, clock, enter } = this.#options;
    const timer: CoordinatorTimer = new CoordinatorTimer(timers, clock, {
      armed: () => this.#timers.add(timer),
      disarmed: () => this.#timers.delete(timer),
      due: () => enter(() => this.run(name, run, () => undefined)),
    });
    return timer;
  }

  #asProtocolError(name: string, error: unknown): ProtocolError {
    if (error instanceof ProtocolError) return error;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#options.logger.error('A coordinator request failed unexpectedly', { request: name, error: text });
    return new ProtocolError(Errors.UNKNOWN_SERVER_ERROR);
  }
}
