import type { LogConfig } from '../config/log-config.ts';
import type { LoadedLog } from './loaded-log.ts';
import type { LogOffsets } from './log-offsets.ts';
import type { LogWriter } from './log-writer.ts';
import type { LogReader } from './reader.ts';
import type { LogTail } from './tail-cache.ts';

/** What the parts of one log share: one another, and what they ask of the log. */
export interface LogParts {
  readonly loaded: LoadedLog;
  readonly config: () => LogConfig;
  readonly writer: LogWriter;
  readonly offsets: LogOffsets;
  readonly logStart: () => number;
  readonly tail: LogTail;
  readonly reader: LogReader;
  /** Throws ProtocolError(KAFKA_STORAGE_ERROR) where the log is closed or offline. */
  readonly ensureOnline: () => void;
  /** Batches from the offset on are about to be cut: checkpoints that promise more are lowered. Throws StorageError. */
  readonly beforeCut: (offset: number) => void;
  /** Batches were cut. */
  readonly onCut: () => void;
  /** The disk failed where it can't be undone: what lies in the folder is for the next start to make good. */
  readonly halfDone: (error: unknown) => void;
  /** An append could not be made: unless that may pass, the dir is offline, so that another replica leads. */
  readonly failed: (error: unknown) => void;
}
