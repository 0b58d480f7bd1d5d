import type { Logger, Timers, Turn } from '../base/ports.ts';
import type { Uuid } from '../base/uuid.ts';
import { ZERO_UUID } from '../base/uuid.ts';
import type { LogConfig } from '../config/log-config.ts';
import type { LogManager } from '../log/index.ts';
import { type AppendOrigin, type PartitionLog, RecordValidationError } from '../log/index.ts';
import { type ErrorCode, Errors, ProtocolError } from '../protocol/errors.ts';
import { DelayedFetch } from './delayed-fetch.ts';
import {
  DelayedProduce,
  type ProduceDone,
  type ProduceEntry,
  type ProduceResult,
} from './delayed-produce.ts';
import { FetchReader } from './fetch-reader.ts';
import type { FetchDone, FetchedPartition, FetchParams, FetchTarget } from './fetch-types.ts';
import { Partition, type PartitionState } from './partition.ts';

/** What the replica manager asks of the metadata. */
export interface PartitionDirectory {
  /** Whether the metadata knows the partition, wherever its replicas are. */
  contains(topic: string, partition: number): boolean;
}

export interface ReplicaManagerOptions {
  readonly localId: number;
  readonly logs: LogManager;
  readonly directory: PartitionDirectory;
  readonly timers: Timers;
  readonly turn: Turn;
  readonly logger: Logger;
  /** Bytes that one fetch may take memory for now; 0: it reads only what is held anyway. No bound where not given. */
  readonly fetchRoom?: () => number;
}

/** Topics that only the broker itself and its admin client write. */
const INTERNAL_TOPICS: ReadonlySet<string> = new Set([
  '__consumer_offsets',
  '__transaction_state',
  '__share_group_state',
]);

export function isInternalTopic(topic: string): boolean {
  return INTERNAL_TOPICS.has(topic);
}

/**
 * The partitions of this node: appends to those it leads, reads from those it holds, and the requests that wait for
 * either. Waiting fetches are looked at once per tick, however many appends woke them.
 */
export class ReplicaManager {
  readonly #options: ReplicaManagerOptions;
  readonly #topics = new Map<string, Map<number, Partition>>();
  readonly #progressed: Partition[] = [];
  readonly #reader: FetchReader;
  /** Partitions of this node that could not be opened. */
  readonly #offline = new Set<string>();
  #wakePlanned = false;
  /** Produces of this tick that wait for other replicas, or for the file. */
  readonly #started: { readonly operation: DelayedProduce; readonly timeoutMs: number }[] = [];
  #parkedFetches = 0;

  constructor(options: ReplicaManagerOptions) {
    this.#options = options;
    this.#reader = new FetchReader(this, options.fetchRoom ?? (() => Number.POSITIVE_INFINITY));
  }

  /** Fetches that wait right now. */
  get parkedFetches(): number {
    return this.#parkedFetches;
  }

  partition(topic: string, partition: number): Partition | undefined {
    return this.#topics.get(topic)?.get(partition);
  }

  holds(topic: string, partition: number): boolean {
    return this.partition(topic, partition) !== undefined;
  }

  /** All partitions held here. */
  *partitions(): IterableIterator<Partition> {
    for (const partitions of this.#topics.values()) yield* partitions.values();
  }

  /** The partition, or why it can't be used here. A zero `topicId` asks for no check. */
  find(topic: string, partition: number, topicId: Uuid = ZERO_UUID): Partition {
    const found = this.#topics.get(topic)?.get(partition);
    if (found === undefined) {
      if (this.#offline.has(`${topic}-${partition}`)) throw new ProtocolError(Errors.KAFKA_STORAGE_ERROR);
      throw new ProtocolError(
        this.#options.directory.contains(topic, partition)
          ? Errors.NOT_LEADER_OR_FOLLOWER
          : Errors.UNKNOWN_TOPIC_OR_PARTITION,
      );
    }
    if (topicId !== ZERO_UUID && found.topicId !== topicId) throw new ProtocolError(Errors.UNKNOWN_TOPIC_ID);
    return found;
  }

  /**
   * Holds the partition from now on, or takes its new state. One whose disk fails is answered KAFKA_STORAGE_ERROR.
   * `isNew`: this node never had it before. `dir` is where it is begun, if that log dir is online.
   */
  become(
    topic: string,
    partition: number,
    topicId: Uuid,
    state: PartitionState,
    config: LogConfig,
    isNew: boolean,
    dir?: string,
  ): void {
    const existing = this.partition(topic, partition);
    if (existing !== undefined && existing.topicId !== topicId) this.remove(topic, partition);
    const key = `${topic}-${partition}`;
    try {
      const held =
        this.partition(topic, partition) ?? this.#hold(topic, partition, topicId, config, isNew, dir);
      held.update(state);
      this.#offline.delete(key);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#offline.add(key);
      this.#options.logger.error(`${key} can't be served`, { error: error.message });
    }
  }

  /** Holds the partition no longer; its files go in the background. */
  remove(topic: string, partition: number): void {
    this.#offline.delete(`${topic}-${partition}`);
    const partitions = this.#topics.get(topic);
    const removed = partitions?.get(partition);
    if (partitions === undefined || removed === undefined) return;
    partitions.delete(partition);
    if (partitions.size === 0) this.#topics.delete(topic);
    removed.retire(Errors.UNKNOWN_TOPIC_OR_PARTITION);
    this.#wakeAll(removed);
    try {
      this.#options.logs.delete(topic, partition);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#options.logger.error(`${topic}-${partition} could not be removed`, { error: error.message });
    }
  }

  /** A log in another dir has taken the place of a partition's; see `LogManager.onReplaced`. */
  replaceLog(log: PartitionLog): void {
    const partition = this.partition(log.topic, log.partition);
    if (partition === undefined || partition.topicId !== log.topicId) return;
    partition.replaceLog(log);
    // They count bytes of the log before.
    this.#wakeAll(partition);
  }

  #hold(
    topic: string,
    partition: number,
    topicId: Uuid,
    config: LogConfig,
    isNew: boolean,
    dir: string | undefined,
  ): Partition {
    const log = this.#options.logs.getOrCreate(topic, partition, topicId, config, isNew, dir);
    const made = new Partition({
      localId: this.#options.localId,
      topic,
      partition,
      topicId,
      log,
      onProgress: (progressed) => this.#noteProgress(progressed),
    });
    let partitions = this.#topics.get(topic);
    if (partitions === undefined) {
      partitions = new Map();
      this.#topics.set(topic, partitions);
    }
    partitions.set(partition, made);
    return made;
  }

  /** Gives the logs of a topic their new settings. */
  updateConfig(topic: string, config: LogConfig): void {
    for (const partition of this.#topics.get(topic)?.values() ?? []) partition.log.updateConfig(config);
  }

  /**
   * Appends one batch per entry to the logs led here. `done` runs once, with a result for each entry in order, when
   * all of them are as durable as `requiredAcks` asks for, have failed, or `timeoutMs` passed (acks=all only).
   */
  append(
    entries: readonly ProduceEntry[],
    requiredAcks: number,
    timeoutMs: number,
    origin: AppendOrigin,
    internalTopicsAllowed: boolean,
    done: ProduceDone,
  ): void {
    const operation = new DelayedProduce(entries.length, done);
    for (let i = 0; i < entries.length; i++) {
      this.#appendOne(operation, i, entries[i]!, requiredAcks, origin, internalTopicsAllowed);
    }
    if (operation.started() && requiredAcks === -1) this.#expireLater(operation, timeoutMs);
  }

  /** Reads now if there is enough or the request does not wait; parks it otherwise. The result can cancel it. */
  fetch(
    params: FetchParams,
    targets: readonly FetchTarget[],
    done: FetchDone,
  ): { cancel(): void } | undefined {
    const parked = new DelayedFetch(params, targets, done);
    const waits = params.maxWaitMs > 0 && targets.length > 0;
    let returned = false;
    this.#reader.read(params, targets, (fetched, release, bytes, urgent) => {
      // What came from a slow disk is answered as it is: the logs may have moved on meanwhile.
      if (parked.finished) release();
      else if (waits && !urgent && bytes < params.minBytes && !returned) this.#park(parked, fetched, release);
      else {
        parked.finished = true;
        done(fetched, release);
      }
    });
    returned = true;
    return parked.finished ? undefined : { cancel: () => this.#finish(parked) };
  }

  /** Answers everything that waits: the node stops. */
  close(): void {
    for (const partition of this.partitions()) {
      for (const fetch of partition.waitingFetches.all()) this.#answer(fetch);
    }
  }

  #appendOne(
    operation: DelayedProduce,
    index: number,
    entry: ProduceEntry,
    requiredAcks: number,
    origin: AppendOrigin,
    internalTopicsAllowed: boolean,
  ): void {
    let partition: Partition | undefined;
    try {
      if (!internalTopicsAllowed && INTERNAL_TOPICS.has(entry.topic)) {
        throw new ProtocolError(Errors.INVALID_TOPIC_EXCEPTION, `${entry.topic} is for brokers to write`);
      }
      partition = this.find(entry.topic, entry.partition, entry.topicId);
      const finished = (error: Error | undefined) => operation.finished(index, error);
      const { records, transaction } = entry;
      const info = partition.appendAsLeader(records, requiredAcks, origin, finished, transaction);
      operation.appended(index, info);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      operation.refused(index, refusal(error, partition));
    }
  }

  /** Most are done when the tick ends: they need no timer. */
  #expireLater(operation: DelayedProduce, timeoutMs: number): void {
    if (this.#started.length === 0) this.#options.turn.atEnd(this.#armStarted);
    this.#started.push({ operation, timeoutMs });
  }

  readonly #armStarted = () => {
    for (let one = this.#started.pop(); one !== undefined; one = this.#started.pop()) {
      one.operation.expireAfter(this.#options.timers, one.timeoutMs);
    }
  };

  #noteProgress(partition: Partition): void {
    if (partition.progressNoted) return;
    partition.progressNoted = true;
    this.#progressed.push(partition);
    if (this.#wakePlanned) return;
    this.#wakePlanned = true;
    this.#options.turn.later(() => this.#wake());
  }

  #wake(): void {
    this.#wakePlanned = false;
    const progressed = this.#progressed.splice(0);
    for (const partition of progressed) {
      partition.progressNoted = false;
      for (const fetch of partition.waitingFetches.all()) {
        if (!fetch.reading && fetch.isReady()) this.#answer(fetch);
      }
    }
  }

  #wakeAll(partition: Partition): void {
    for (const fetch of partition.waitingFetches.all()) this.#answer(fetch);
  }

  #park(fetch: DelayedFetch, fetched: readonly FetchedPartition[], release: () => void): void {
    release();
    for (const part of fetched) {
      const partition = this.partition(part.target.topic, part.target.partition);
      if (partition !== undefined) fetch.watch(partition, part.target, part.sizeInBytes);
    }
    this.#parkedFetches += 1;
    fetch.timer = this.#options.timers.after(fetch.params.maxWaitMs, () => this.#answer(fetch));
  }

  /** Reads again and answers with what there is. */
  #answer(fetch: DelayedFetch): void {
    if (fetch.finished || fetch.reading) return;
    fetch.reading = true;
    this.#reader.read(fetch.params, fetch.targets, (fetched, release) => {
      if (fetch.finished) {
        release();
        return;
      }
      this.#finish(fetch);
      fetch.done(fetched, release);
    });
  }

  #finish(fetch: DelayedFetch): void {
    if (fetch.finished) return;
    fetch.finished = true;
    fetch.timer?.cancel();
    if (fetch.timer !== undefined) this.#parkedFetches -= 1;
    fetch.unwatch();
  }
}

/** Of errors that are the client's doing, Apache Kafka names the log start too; of others it knows nothing. */
const BARE_REFUSALS: ReadonlySet<ErrorCode> = new Set([
  Errors.UNKNOWN_TOPIC_OR_PARTITION,
  Errors.NOT_LEADER_OR_FOLLOWER,
  Errors.MESSAGE_TOO_LARGE,
  Errors.RECORD_LIST_TOO_LARGE,
  Errors.CORRUPT_MESSAGE,
  Errors.KAFKA_STORAGE_ERROR,
  Errors.UNKNOWN_TOPIC_ID,
  Errors.INVALID_TOPIC_EXCEPTION,
]);

function refusal(error: ProtocolError, partition: Partition | undefined): ProduceResult {
  const invalid = error instanceof RecordValidationError;
  const bare = BARE_REFUSALS.has(error.code) && !invalid;
  return {
    errorCode: error.code,
    baseOffset: -1,
    logAppendTimeMs: -1n,
    logStartOffset: bare || partition === undefined ? -1 : partition.log.logStartOffset,
    recordErrors: invalid ? error.recordErrors : [],
    errorMessage: invalid ? error.message : null,
  };
}
