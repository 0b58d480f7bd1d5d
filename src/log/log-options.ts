import { BufferPool } from '../base/buffer-pool.ts';
import { Gate } from '../base/gate.ts';
import type { Clock, FramePool, Random, Storage, Timers } from '../base/ports.ts';
import { PlainScratch } from '../protocol/compression/scratch.ts';
import { ColdReads } from './cold-reads.ts';
import type { FreeSpace } from './free-space.ts';
import { OpenFiles } from './open-files.ts';
import { ProducerActivity } from './producer-activity.ts';
import { ReadAhead } from './read-ahead.ts';
import { TailCache } from './tail-cache.ts';

/** What all logs of one node share. */
export interface SharedLogState {
  readonly files: OpenFiles;
  readonly tails: TailCache;
  /** Syncs of whole folders, each with a handful of open files. */
  readonly syncs: Gate;
  /** Reads off the loop. */
  readonly coldReads: ColdReads;
  readonly ahead: ReadAhead;
  readonly activity: ProducerActivity;
  /** Buffers for reads and tails. */
  readonly pool: FramePool;
  /** Where compressed batches are unfolded to be checked. */
  readonly scratch: PlainScratch;
  readonly traffic: Traffic;
  /** Undefined where nobody watches it. */
  readonly space: FreeSpace | undefined;
  readonly options: LogOptions;
  /** Draws segment.jitter.ms; without it there is no jitter. */
  readonly random: Random | undefined;
}

/** Bytes that this process has moved through the page cache, as a clock for what is probably still there. */
export interface Traffic {
  bytes: number;
}

export interface LogOptions {
  /** Appends of at least this size are written at once, smaller ones once per tick. */
  readonly writeAtOnceBytes: number;
  /** A log with so many bytes staged does not wait for the end of the tick. */
  readonly stagedBytesMax: number;
  /** Budget of the tail caches of all logs. */
  readonly tailCacheBytes: number;
  /** Idle buffers kept for reads and tails. */
  readonly idleBufferBytes: number;
  /** What was touched within so many bytes of traffic is read without leaving the loop. */
  readonly warmBytes: number;
  /** See `OpenFiles`. */
  readonly openFilesMax: number;
  /** Walk the records of compressed batches on append, as Apache does. */
  readonly walkCompressed: boolean;
  /** A dir with less to recover is recovered on the loop; see dir-loading.ts. */
  readonly offLoopRecoveryBytes: number;
  /** Most bytes that one compressed batch may unfold to. */
  readonly plainBytesMax: number;
}

export const defaultLogOptions: LogOptions = {
  writeAtOnceBytes: 64 * 1024,
  stagedBytesMax: 1024 * 1024,
  tailCacheBytes: 32 * 1024 * 1024,
  idleBufferBytes: 32 * 1024 * 1024,
  warmBytes: 1024 * 1024 * 1024,
  openFilesMax: 512,
  walkCompressed: true,
  offLoopRecoveryBytes: 16 * 1024 * 1024,
  plainBytesMax: 256 * 1024 * 1024,
};

/** Of a thread pool of four; the fewest open files that leave it no idle thread, even on slow disks. */
const SYNCING_AT_ONCE = 16;

export interface SharedLogInput {
  readonly storage: Storage;
  readonly options?: Partial<LogOptions> | undefined;
  readonly random?: Random | undefined;
  readonly pool?: FramePool | undefined;
  readonly space?: FreeSpace | undefined;
  /** Where cold reads are to leave time to producers. */
  readonly pace?: { readonly clock: Clock; readonly timers: Timers } | undefined;
}

export function sharedLogState(input: SharedLogInput): SharedLogState {
  const options = { ...defaultLogOptions, ...input.options };
  const activity = new ProducerActivity();
  const pool = input.pool ?? new BufferPool({ maxRetainedBytes: options.idleBufferBytes });
  return {
    files: new OpenFiles(input.storage, options.openFilesMax),
    tails: new TailCache(options.tailCacheBytes, pool),
    syncs: new Gate(SYNCING_AT_ONCE),
    coldReads: new ColdReads(input.pace && { ...input.pace, activity }),
    ahead: new ReadAhead(pool),
    activity,
    pool,
    scratch: new PlainScratch(),
    traffic: { bytes: 0 },
    space: input.space,
    options,
    random: input.random,
  };
}
