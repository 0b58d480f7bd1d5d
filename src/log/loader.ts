import type { Logger } from '../base/ports.ts';
import type { Uuid } from '../base/uuid.ts';
import { ZERO_UUID } from '../base/uuid.ts';
import type { LogConfig } from '../config/log-config.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import { LeaderEpochCache } from './epoch-cache.ts';
import * as names from './file-names.ts';
import {
  type FolderToRecover,
  type RecoveredFolder,
  type RecoveryNote,
  recoverFolder,
} from './folder-recovery.ts';
import { writeTopicId } from './folder-work.ts';
import { finishLeftovers } from './leftovers.ts';
import type { LoadedLog } from './loaded-log.ts';
import { PartitionLog } from './log.ts';
import type { SharedLogState } from './log-options.ts';
import { PartitionFolder } from './partition-folder.ts';
import { ProducerFiles } from './producer-files.ts';
import { ProducerState } from './producer-state.ts';
import { drawJitter, Segment, type SegmentContext } from './segment.ts';
import { Segments } from './segments.ts';
import { parsePartitionMetadata, readSmallFile } from './small-files.ts';
import { runToEnd } from './steps.ts';
import { guarded } from './storage-errors.ts';
import type { LogPorts } from './types.ts';

export interface OpenLogInput {
  /** The partition's folder; where it does not exist it is made with the first write. */
  readonly dir: string;
  readonly topic: string;
  readonly partition: number;
  /** What partition.metadata must say, and gets to say where there is none. Undefined: what it says counts. */
  readonly topicId: Uuid | undefined;
  readonly config: LogConfig;
  readonly ports: LogPorts;
  readonly shared: SharedLogState;
  /** The folder was closed in order: its files are believed. */
  readonly cleanShutdown: boolean;
  /** The names of the folder's files, sorted, where they were just listed. */
  readonly files?: readonly string[] | undefined;
  /** What `recoverFolder` made of the folder; without it an unclean one is recovered here and now. */
  readonly recovered?: RecoveredFolder | undefined;
  /** All below was synced; above it batches are checked after an unclean stop. */
  readonly recoveryPoint: number;
  /** Up to where it was compacted; undefined where it never was. */
  readonly cleanedEnd?: number | undefined;
  readonly logStartOffset?: number | undefined;
}

/**
 * Opens a partition's folder, begins a new one, or recovers one after a crash: leftovers are finished or removed, torn tails
 * cut, missing indexes rebuilt, epochs and producers brought in line. Throws ProtocolError: INCONSISTENT_TOPIC_ID, or
 * KAFKA_STORAGE_ERROR.
 */
export function openLog(input: OpenLogInput): PartitionLog {
  const log = guarded(() => new PartitionLog(load(input)));
  log.cleanedEnd = input.cleanedEnd;
  return log;
}

function load(input: OpenLogInput): LoadedLog {
  const { dir, ports, config, shared } = input;
  const { storage } = ports;
  if (input.recovered === undefined && !storage.isDirectory(dir)) return begin(input);
  const recovered = input.cleanShutdown ? input.recovered : (input.recovered ?? recoverNow(input));
  const { topicId, written } = settleTopicId(input, recovered);
  const folder = new PartitionFolder(storage, dir);
  const context: SegmentContext = { storage, files: shared.files, folder, settings: config };
  const epochs = new LeaderEpochCache(storage, folder);
  const segments = new Segments();
  const checkpointStart = input.logStartOffset ?? 0;
  const files = recovered?.files ?? finishLeftovers(storage, ports.logger, dir, input.files);
  if (recovered === undefined) {
    epochs.load(ports.logger);
    loadSegments(input, context, segments, files);
  } else {
    epochs.restore(recovered.epochs);
    adoptSegments(input, context, segments, recovered);
  }
  const producers = new ProducerState();
  const producerFiles = new ProducerFiles(storage, ports.logger, dir, producers);
  producerFiles.scan(files, segments.all);
  if (!input.cleanShutdown) {
    distrust(segments, input.recoveryPoint);
    epochs.distrustFile();
    producerFiles.distrust(files, input.recoveryPoint);
  }
  for (const offset of recovered?.reindexed ?? []) segments.at(segments.floor(offset))?.distrustFiles();
  let logEndOffset = recovered?.endOffset ?? findEnd(segments);
  const isEmptied = logEndOffset < checkpointStart;
  if (isEmptied) {
    if (segments.count > 0) {
      ports.logger.warn(
        `${dir} ends at ${logEndOffset}, before its log start ${checkpointStart}: all of it goes`,
      );
      for (const segment of segments.removeAll()) removeNow(input, segment.markDeleted());
      epochs.clear();
    }
    // Also where no segment is left: a power loss can bring a snapshot back that a reset of the log took away.
    producerFiles.clear();
    const first = newSegment(input, context, checkpointStart, undefined);
    first.create();
    segments.add(first);
    logEndOffset = checkpointStart;
  }
  const logStartOffset = Math.max(checkpointStart, segments.first.baseOffset);
  epochs.truncateFromEnd(logEndOffset);
  if (checkpointStart > 0) epochs.truncateFromStart(checkpointStart);
  if (recovered === undefined) runToEnd(producerFiles.load(segments.all, logEndOffset));
  else if (!isEmptied) producers.restoreDump(recovered.producers);
  const recoveryPoint = input.cleanShutdown ? logEndOffset : Math.min(input.recoveryPoint, logEndOffset);
  return {
    topic: input.topic,
    partition: input.partition,
    topicId,
    dir,
    config,
    ports,
    shared,
    context,
    segments,
    producers,
    producerFiles,
    epochs,
    logStartOffset,
    logEndOffset,
    recoveryPoint,
    // After a crash nothing on disk is known to survive a power loss: the first sync takes names and ids along.
    isNew: written || !input.cleanShutdown,
  };
}

/** An empty log without a folder. */
function begin(input: OpenLogInput): LoadedLog {
  const { topic, partition, topicId, dir, config, ports, shared } = input;
  const { storage } = ports;
  const folder = new PartitionFolder(storage, dir, () => {
    if (topicId !== undefined) writeTopicId(storage, dir, topicId);
    epochs.writeIfChanged();
  });
  const epochs = new LeaderEpochCache(storage, folder);
  const context: SegmentContext = { storage, files: shared.files, folder, settings: config };
  const segments = new Segments();
  const start = input.logStartOffset ?? 0;
  segments.add(newSegment(input, context, start, undefined));
  const producers = new ProducerState();
  return {
    topic,
    partition,
    topicId: topicId ?? ZERO_UUID,
    dir,
    config,
    ports,
    shared,
    context,
    segments,
    producers,
    producerFiles: new ProducerFiles(storage, ports.logger, dir, producers),
    epochs,
    logStartOffset: start,
    logEndOffset: start,
    recoveryPoint: start,
    isNew: true,
  };
}

function settleTopicId(
  input: OpenLogInput,
  recovered: RecoveredFolder | undefined,
): { topicId: Uuid; written: boolean } {
  const { storage, logger } = input.ports;
  const path = `${input.dir}/${names.PARTITION_METADATA}`;
  const text =
    recovered === undefined ? readSmallFile(storage, path)?.toString('utf8') : recovered.partitionMetadata;
  const stored = text === undefined ? undefined : parsePartitionMetadata(text);
  if (text !== undefined && stored === undefined) logger.warn(`${path} is malformed and is written anew`);
  const { topicId } = input;
  if (stored !== undefined && topicId !== undefined && stored !== topicId) {
    throw new ProtocolError(Errors.INCONSISTENT_TOPIC_ID, `${path} has topic id ${stored}, not ${topicId}`);
  }
  const written = stored === undefined && topicId !== undefined;
  if (written) writeTopicId(storage, input.dir, topicId);
  return { topicId: topicId ?? stored ?? ZERO_UUID, written };
}

function loadSegments(
  input: OpenLogInput,
  context: SegmentContext,
  segments: Segments,
  files: readonly string[],
): void {
  for (const name of files) {
    const baseOffset = name.endsWith(names.LOG_SUFFIX) ? names.offsetOf(name) : undefined;
    if (baseOffset === undefined) continue;
    const size = input.ports.storage.sizeOf(`${input.dir}/${name}`) ?? 0;
    segments.add(newSegment(input, context, baseOffset, size));
  }
}

function adoptSegments(
  input: OpenLogInput,
  context: SegmentContext,
  segments: Segments,
  recovered: RecoveredFolder,
): void {
  for (const { baseOffset, sizeInBytes } of recovered.segments)
    segments.add(newSegment(input, context, baseOffset, sizeInBytes));
  if (recovered.activeIndexes !== undefined) segments.active.adoptIndexes(recovered.activeIndexes);
}

/** Where a log ends whose files are believed. What tells it goes again: most partitions are idle for long after a start. */
function findEnd(segments: Segments): number {
  if (segments.count === 0) return -1;
  const { active } = segments;
  const endOffset = active.readNextOffset();
  active.unloadIndexes();
  active.close();
  return endOffset;
}

/** What `recoverFolder` must know of a log. */
export function folderToRecover(
  input: Pick<OpenLogInput, 'dir' | 'config' | 'cleanShutdown' | 'recoveryPoint' | 'files' | 'cleanedEnd'>,
): FolderToRecover {
  const { dir, config, cleanShutdown, recoveryPoint, files, cleanedEnd } = input;
  return {
    dir,
    files,
    recoveryPoint: cleanShutdown ? Number.POSITIVE_INFINITY : recoveryPoint,
    // What compaction has left stays when the policy becomes another.
    isCompacted: config.cleanupPolicy.includes('compact') || cleanedEnd !== undefined,
    segmentIndexBytes: config.segmentIndexBytes,
    indexIntervalBytes: config.indexIntervalBytes,
  };
}

function recoverNow(input: OpenLogInput): RecoveredFolder {
  const { ports } = input;
  const recovered = runToEnd(recoverFolder(folderToRecover({ ...input, cleanShutdown: false }), ports));
  logNotes(ports.logger, recovered.notes);
  return recovered;
}

export function logNotes(logger: Logger, notes: readonly RecoveryNote[]): void {
  for (const { level, message, fields } of notes) logger[level](message, fields);
}

/** After a crash nothing above the recovery point is known to survive a power loss. */
function distrust(segments: Segments, recoveryPoint: number): void {
  for (const segment of segments.all.slice(Math.max(0, segments.floor(recoveryPoint))))
    segment.distrustFiles();
}

function newSegment(
  input: OpenLogInput,
  context: SegmentContext,
  baseOffset: number,
  size: number | undefined,
): Segment {
  return new Segment(context, input.dir, baseOffset, {
    sizeInBytes: size,
    nowMs: input.ports.clock.wallMs(),
    rollJitterMs: drawJitter(input.config, input.shared.random),
  });
}

function removeNow(input: OpenLogInput, paths: readonly string[]): void {
  for (const path of paths) input.ports.storage.removeNow(path);
}
