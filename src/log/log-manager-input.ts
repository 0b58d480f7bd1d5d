import type { Background, FramePool, Random } from '../base/ports.ts';
import type { LogConfig } from '../config/log-config.ts';
import type { CleanerSettings } from './cleaner/log-cleaner.ts';
import type { LogOptions } from './log-options.ts';
import type { LogPorts } from './types.ts';

/** How often the background work runs, in ms. */
export interface LogIntervals {
  readonly retentionCheckMs: number;
  readonly recoveryPointCheckpointMs: number;
  readonly logStartCheckpointMs: number;
  readonly highWatermarkCheckpointMs: number;
  readonly producerExpiryCheckMs: number;
  /** How long after the start retention and the first two checkpoints run first. */
  readonly initialDelayMs: number;
}

export const defaultLogIntervals: LogIntervals = {
  retentionCheckMs: 5 * 60 * 1000,
  recoveryPointCheckpointMs: 60 * 1000,
  logStartCheckpointMs: 60 * 1000,
  highWatermarkCheckpointMs: 5 * 1000,
  producerExpiryCheckMs: 10 * 60 * 1000,
  initialDelayMs: 30 * 1000,
};

export const defaultCleanerSettings: CleanerSettings = {
  enabled: true,
  threads: 1,
  backoffMs: 15 * 1000,
  dedupeBufferBytes: 128 * 1024 * 1024,
  ioBufferBytes: 512 * 1024,
  bytesPerSecondMax: Number.MAX_VALUE,
  loadFactor: 0.9,
};

export interface LogManagerInput {
  /** The log dirs, without a slash at the end; made where they do not exist. */
  readonly dirs: readonly string[];
  /** Those of them that are known to have failed already, and why. */
  readonly failedDirs?: ReadonlyMap<string, Error>;
  readonly configFor: (topic: string) => LogConfig;
  readonly ports: LogPorts & {
    readonly random: Random;
    readonly background: Background;
    readonly framePool?: FramePool | undefined;
  };
  readonly options?: Partial<LogOptions>;
  readonly intervals?: Partial<LogIntervals>;
  /** Dirs that take no new partitions, as long as another one does. Default: none. */
  readonly cordonedDirs?: () => readonly string[];
  /** How many background jobs recover one dir. Default: 1. */
  readonly recoveryThreadsPerDir?: () => number;
  /** After how much silence a partition forgets a producer. Default: a day. */
  readonly producerIdExpirationMs?: () => number;
  /** log.cleaner.*, read each time they matter. Default: Kafka's. */
  readonly cleanerSettings?: () => CleanerSettings;
  /** Replicas that are copied to another dir at the same time. Default: as many as there are dirs. */
  readonly moveThreads?: () => number | null;
  /** See `MoveThrottle`. Default: no limit. */
  readonly moveBytesPerSecondMax?: () => number;
  /** `storage.min.free.bytes`, see `FreeSpace`. Default: 0. */
  readonly minFreeBytes?: () => number;
  /** Topics that others look after although they live in the same dir (`__cluster_metadata`). Default: that one. */
  readonly skipTopics?: readonly string[];
}
