import type { Background, Clock, Logger, Storage, Timers, Turn } from '../base/ports.ts';
import type { EpochEntry } from './epoch-cache.ts';
import type { ProducerDump } from './producer-state.ts';
import type { TransactionalAppend } from './verification.ts';

/** The ports that a log needs, a subset of `Ports`. */
export interface LogPorts {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly turn: Turn;
  readonly background: Background;
  readonly logger: Logger;
}

/**
 * Who appends; it decides which checks run. `client`: all of them. `coordinator`: no sequence checks, control batches
 * allowed. `raft`: offsets and epochs are taken as given and must fit.
 */
export type AppendOrigin = 'client' | 'coordinator' | 'raft';

/** One record that made its batch invalid (KIP-467); `batchIndex` counts from 0. */
export interface RecordError {
  readonly batchIndex: number;
  readonly message: string;
}

export interface AppendOptions {
  readonly origin: AppendOrigin;
  /**
   * Runs once, after the bytes are in the file and, where flush.messages asks for it, synced; or with the error that
   * undid the append. Runs before `appendAsLeader` returns when the bytes were written at once.
   */
  readonly done: (error: Error | undefined) => void;
  /** Written with the call rather than at the end of the tick: for who gathers what a tick brings himself. */
  readonly atOnce?: boolean | undefined;
  /** Of the transaction whose marker this is; 2 and up demand a newer producer epoch (KIP-890). */
  readonly transactionVersion?: number | undefined;
  /** Where given, data of a transaction must belong to one that is open here, or was verified with this guard (KIP-890). */
  readonly transaction?: TransactionalAppend | undefined;
}

/** What an append was given. For a repeat of an earlier batch (`duplicate`) it is what that one was given. */
export interface AppendInfo {
  readonly firstOffset: number;
  readonly lastOffset: number;
  /** -1n under CreateTime. */
  readonly logAppendTimeMs: bigint;
  readonly logStartOffset: number;
  readonly duplicate: boolean;
  /** Records in the append. */
  readonly recordCount: number;
}

export interface TimestampAndOffset {
  readonly offset: number;
  /** -1n where the question was not about a time. */
  readonly timestamp: bigint;
  /** -1 where not known. */
  readonly leaderEpoch: number;
}

/** What a log knows beside its batches. */
export interface LogState {
  readonly producers: ProducerDump;
  readonly epochs: readonly EpochEntry[];
}

export interface EpochEndOffset {
  readonly leaderEpoch: number;
  readonly endOffset: number;
}

/** Bytes of whole batches, in order and valid until `release`, which must be called exactly once. */
export interface LogRead {
  readonly bytes: readonly Uint8Array[];
  readonly sizeInBytes: number;
  /** The offset after the last batch in `bytes`; the start offset when there is none. */
  readonly nextOffset: number;
  /** The first batch did not fit into the limit and was left out (only without `minOneMessage`). */
  readonly firstBatchTooLarge: boolean;
  readonly release: () => void;
}

/** The bytes are probably not in memory: they are being read off the loop. Rejects as `read` throws. */
export interface PendingRead {
  readonly pending: Promise<LogRead>;
}

export interface ReadOptions {
  /** The first batch is returned even when it is larger than the limit (KIP-74). */
  readonly minOneMessage: boolean;
  /** No batch that reaches this offset is returned: high watermark, last stable offset or log end. */
  readonly upTo: number;
  /** Only what takes no more memory is returned: the cached tail. Nothing where the offset lies before it. */
  readonly cachedOnly?: boolean;
}

/** A producer as DescribeProducers shows it. */
export interface ActiveProducer {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly lastSequence: number;
  readonly lastTimestamp: bigint;
  readonly coordinatorEpoch: number;
  /** -1 where no transaction is open. */
  readonly currentTxnStartOffset: number;
}

export interface AbortedTxn {
  readonly producerId: bigint;
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly lastStableOffset: number;
}
