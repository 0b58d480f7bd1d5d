import type { Uuid } from '../base/uuid.ts';
import type { LogConfig } from '../config/log-config.ts';
import type { LeaderEpochCache } from './epoch-cache.ts';
import type { SharedLogState } from './log-options.ts';
import type { ProducerFiles } from './producer-files.ts';
import type { ProducerState } from './producer-state.ts';
import type { SegmentContext } from './segment.ts';
import type { Segments } from './segments.ts';
import type { LogPorts } from './types.ts';

/** What the loader found in a partition's folder; see loader.ts. */
export interface LoadedLog {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: Uuid;
  readonly dir: string;
  readonly config: LogConfig;
  readonly ports: LogPorts;
  readonly shared: SharedLogState;
  readonly context: SegmentContext;
  readonly segments: Segments;
  readonly producers: ProducerState;
  readonly producerFiles: ProducerFiles;
  readonly epochs: LeaderEpochCache;
  readonly logStartOffset: number;
  readonly logEndOffset: number;
  readonly recoveryPoint: number;
  /** The folder or its partition.metadata is new. */
  readonly isNew: boolean;
}
