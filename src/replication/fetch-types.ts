import type { Uuid } from '../base/uuid.ts';
import type { EpochEndOffset } from '../log/index.ts';
import type { ErrorCode } from '../protocol/errors.ts';

/** How far a fetch may read: the log end (followers), the high watermark, or the last stable offset. */
export type FetchIsolation = 'log_end' | 'high_watermark' | 'last_stable';

export interface FetchParams {
  /** -1 for consumers, -2 for debugging tools, otherwise the follower's node id. */
  readonly replicaId: number;
  readonly maxWaitMs: number;
  readonly minBytes: number;
  /** Over all partitions. */
  readonly maxBytes: number;
  /** The first batch found is returned even if it is larger than the limits (KIP-74). */
  readonly minOneMessage: boolean;
  readonly isolation: FetchIsolation;
  /** Old consumers must not be served by followers (KIP-392). */
  readonly leaderOnly: boolean;
}

export interface FetchTarget {
  readonly topic: string;
  readonly topicId: Uuid;
  readonly partition: number;
  readonly fetchOffset: number;
  readonly maxBytes: number;
  /** -1 where the client does not say. */
  readonly currentLeaderEpoch: number;
  readonly lastFetchedEpoch: number;
}

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

export interface FetchedPartition {
  readonly target: FetchTarget;
  readonly errorCode: ErrorCode;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
  readonly divergingEpoch: EpochEndOffset | undefined;
  /** Null unless the fetch is read_committed. */
  readonly abortedTransactions: readonly AbortedTransaction[] | null;
  readonly records: readonly Uint8Array[];
  readonly sizeInBytes: number;
}

/** Takes what was read; `release` must be called once the views in it are no longer needed. */
export type FetchDone = (partitions: readonly FetchedPartition[], release: () => void) => void;
