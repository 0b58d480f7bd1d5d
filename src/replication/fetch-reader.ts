import { ZERO_UUID } from '../base/uuid.ts';
import type { LogRead } from '../log/index.ts';
import { type ErrorCode, Errors, ProtocolError } from '../protocol/errors.ts';
import type { FetchedPartition, FetchParams, FetchTarget } from './fetch-types.ts';
import type { Partition } from './partition.ts';

/** Finds partitions; throws `ProtocolError` where there is none. */
export interface PartitionFinder {
  find(topic: string, partition: number): Partition;
}

/** What one pass over all partitions of a fetch gave. */
export type ReadDone = (
  fetched: readonly FetchedPartition[],
  release: () => void,
  sizeInBytes: number,
  /** Something happened that the client must know at once: an error or a diverging epoch. */
  urgent: boolean,
) => void;

const NOTHING: readonly Uint8Array[] = [];

/** Reads the partitions of one fetch in order, under the limits of KIP-74. */
export class FetchReader {
  readonly #finder: PartitionFinder;
  readonly #room: () => number;

  /** `room` is how many bytes a fetch may take memory for now; 0: it reads only what is held anyway. */
  constructor(finder: PartitionFinder, room: () => number) {
    this.#finder = finder;
    this.#room = room;
  }

  /** `done` runs before this returns unless some bytes have to come from a slow disk. */
  read(params: FetchParams, targets: readonly FetchTarget[], done: ReadDone): void {
    new Pass(this.#finder, params, targets, this.#room(), done).run();
  }
}

/** One pass: goes on where it stopped when bytes that were read off the loop have arrived. */
class Pass {
  readonly #finder: PartitionFinder;
  readonly #params: FetchParams;
  readonly #targets: readonly FetchTarget[];
  readonly #done: ReadDone;
  readonly #fetched: FetchedPartition[] = [];
  readonly #reads: LogRead[] = [];
  #at = 0;
  #bytes = 0;
  #left: number;
  #minOneMessage: boolean;
  readonly #cachedOnly: boolean;
  #urgent = false;

  constructor(
    finder: PartitionFinder,
    params: FetchParams,
    targets: readonly FetchTarget[],
    room: number,
    done: ReadDone,
  ) {
    this.#finder = finder;
    this.#params = params;
    this.#targets = targets;
    this.#minOneMessage = params.minOneMessage;
    this.#done = done;
    this.#cachedOnly = room === 0;
    this.#left = this.#cachedOnly ? params.maxBytes : Math.min(params.maxBytes, room);
  }

  run(): void {
    while (this.#at < this.#targets.length) {
      const target = this.#targets[this.#at]!;
      let later: Promise<void> | undefined;
      try {
        later = this.#readOne(target);
      } catch (error) {
        this.#fail(target, error);
      }
      this.#at += 1;
      if (later !== undefined) {
        later.catch((error: unknown) => this.#fail(target, error)).then(() => this.run());
        return;
      }
    }
    const reads = this.#reads;
    const release = (): void => {
      for (const read of reads) read.release();
    };
    this.#done(this.#fetched, release, this.#bytes, this.#urgent);
  }

  #readOne(target: FetchTarget): Promise<void> | undefined {
    const partition = this.#finder.find(target.topic, target.partition);
    if (!hasSameTopicId(partition, target)) throw new ProtocolError(Errors.INCONSISTENT_TOPIC_ID);
    const { isolation, leaderOnly, replicaId } = this.#params;
    const log = partition.readableLog(target.currentLeaderEpoch, leaderOnly);
    if (replicaId >= 0 && !partition.state.replicas.includes(replicaId)) {
      throw new ProtocolError(
        target.currentLeaderEpoch === -1 ? Errors.NOT_LEADER_OR_FOLLOWER : Errors.UNKNOWN_LEADER_EPOCH,
      );
    }
    if (target.lastFetchedEpoch !== -1 && this.#diverges(partition, target)) return undefined;
    const highWatermark = log.highWatermark;
    const lastStableOffset = log.lastStableOffset;
    const logStartOffset = log.logStartOffset;
    let upTo = highWatermark;
    if (isolation === 'log_end') upTo = log.logEndOffset;
    else if (isolation === 'last_stable') upTo = lastStableOffset;
    const result = log.read(target.fetchOffset, Math.min(target.maxBytes, this.#left), {
      minOneMessage: this.#minOneMessage,
      cachedOnly: this.#cachedOnly,
      upTo,
    });
    const take = (read: LogRead): void => {
      this.#bytes += read.sizeInBytes;
      this.#left = Math.max(0, this.#left - read.sizeInBytes);
      if (read.sizeInBytes > 0) this.#minOneMessage = false;
      this.#reads.push(read);
      this.#fetched.push({
        target,
        errorCode: Errors.NONE,
        highWatermark,
        lastStableOffset,
        logStartOffset,
        divergingEpoch: undefined,
        abortedTransactions:
          isolation === 'last_stable' ? log.abortedTransactions(target.fetchOffset, read.nextOffset) : null,
        records: read.bytes,
        sizeInBytes: read.sizeInBytes,
      });
    };
    if ('pending' in result) return result.pending.then(take);
    take(result);
    return undefined;
  }

  /** KIP-595: a fetcher whose last epoch ends elsewhere here is told where, instead of being given records. */
  #diverges(partition: Partition, target: FetchTarget): boolean {
    const end = partition.endOffsetForEpoch(target.lastFetchedEpoch);
    const { log } = partition;
    if (end === undefined || target.fetchOffset < log.logStartOffset) {
      throw new ProtocolError(Errors.OFFSET_OUT_OF_RANGE);
    }
    if (end.leaderEpoch >= target.lastFetchedEpoch && end.endOffset >= target.fetchOffset) return false;
    this.#urgent = true;
    this.#fetched.push({
      target,
      errorCode: Errors.NONE,
      highWatermark: log.highWatermark,
      lastStableOffset: log.lastStableOffset,
      logStartOffset: log.logStartOffset,
      divergingEpoch: end,
      abortedTransactions: null,
      records: NOTHING,
      sizeInBytes: 0,
    });
    return true;
  }

  #fail(target: FetchTarget, error: unknown): void {
    if (!(error instanceof ProtocolError)) throw error;
    this.#urgent = true;
    this.#fetched.push(failedFetch(target, error.code));
  }
}

function hasSameTopicId(partition: Partition, target: FetchTarget): boolean {
  return target.topicId === ZERO_UUID || target.topicId === partition.topicId;
}

/** An answer that names nothing but an error. */
export function failedFetch(target: FetchTarget, errorCode: ErrorCode): FetchedPartition {
  return {
    target,
    errorCode,
    highWatermark: -1,
    lastStableOffset: -1,
    logStartOffset: -1,
    divergingEpoch: undefined,
    abortedTransactions: null,
    records: NOTHING,
    sizeInBytes: 0,
  };
}
