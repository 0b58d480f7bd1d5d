import type { Uuid } from '../base/uuid.ts';
import { ZERO_UUID } from '../base/uuid.ts';
import type { LogConfig } from '../config/log-config.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import * as header from '../protocol/record-batch/header.ts';
import { BatchScanner } from './batch-scanner.ts';
import { LeaderEpochCache } from './epoch-cache.ts';
import * as names from './file-names.ts';
import { writeTopicId } from './folder-work.ts';
import type { LoadedLog } from './loaded-log.ts';
import { PartitionLog } from './log.ts';
import type { SharedLogState } from './log-options.ts';
import { PartitionFolder } from './partition-folder.ts';
import { ProducerState } from './producer-state.ts';
import { replayProducers } from './producer-updates.ts';
import { drawJitter, Segment, type SegmentContext } from './segment.ts';
import { Segments } from './segments.ts';
import { parsePartitionMetadata, readSmallFile } from './small-files.ts';
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
  /** All below was synced; above it batches are checked after an unclean stop. */
  readonly recoveryPoint: number;
  readonly logStartOffset?: number | undefined;
}

/**
 * Opens a partition's folder, begins a new one, or recovers one after a crash: leftovers are finished or removed, torn tails
 * cut, missing indexes rebuilt, epochs and producers brought in line. Throws ProtocolError: INCONSISTENT_TOPIC_ID, or
 * KAFKA_STORAGE_ERROR.
 */
export function openLog(input: OpenLogInput): PartitionLog {
  return guarded(() => new PartitionLog(load(input)));
}

function load(input: OpenLogInput): LoadedLog {
  const { dir, ports, config, shared } = input;
  const { storage } = ports;
  if (!storage.isDirectory(dir)) return begin(input);
  const { topicId, written } = settleTopicId(input);
  const folder = new PartitionFolder(storage, dir);
  const context: SegmentContext = { storage, files: shared.files, folder, settings: config };
  const epochs = new LeaderEpochCache(storage, folder);
  const segments = new Segments();
  const checkpointStart = input.logStartOffset ?? 0;
  finishLeftovers(input);
  epochs.load(ports.logger);
  loadSegments(input, context, segments);
  if (!input.cleanShutdown) recover(input, segments, epochs);
  let logEndOffset = segments.count === 0 ? -1 : segments.active.readNextOffset();
  if (logEndOffset < checkpointStart) {
    if (segments.count > 0) {
      ports.logger.warn(
        `${dir} ends at ${logEndOffset}, before its log start ${checkpointStart}: all of it goes`,
      );
      for (const segment of segments.removeAll()) removeNow(input, segment.markDeleted());
      epochs.clear();
    }
    const first = newSegment(input, context, checkpointStart, undefined);
    first.create();
    segments.add(first);
    logEndOffset = checkpointStart;
  }
  const logStartOffset = Math.max(checkpointStart, segments.first.baseOffset);
  epochs.truncateFromEnd(logEndOffset);
  if (checkpointStart > 0) epochs.truncateFromStart(checkpointStart);
  const producers = new ProducerState();
  replayProducers(producers, segments, logStartOffset);
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
    producers: new ProducerState(),
    epochs,
    logStartOffset: start,
    logEndOffset: start,
    recoveryPoint: start,
    isNew: true,
  };
}

function settleTopicId(input: OpenLogInput): { topicId: Uuid; written: boolean } {
  const { storage, logger } = input.ports;
  const path = `${input.dir}/${names.PARTITION_METADATA}`;
  const text = readSmallFile(storage, path)?.toString('utf8');
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

/** What a crash or the cleaner of another broker left: `.deleted`, `.cleaned`, `.tmp` go, a `.swap` is carried out. */
function finishLeftovers(input: OpenLogInput): void {
  const { storage } = input.ports;
  const files = storage.list(input.dir).filter((entry) => !entry.isDirectory);
  const withSuffix = (suffix: string) =>
    files.map((file) => file.name).filter((name) => name.endsWith(suffix));
  // Snapshots of the metadata log carry the same suffix when they are about to go; raft looks after them.
  const deleted = withSuffix(names.DELETED_SUFFIX).filter((name) => !name.endsWith('.checkpoint.deleted'));
  const cleaned = withSuffix(names.CLEANED_SUFFIX);
  const cleanedFrom = Math.min(...cleaned.map((name) => names.offsetOf(name) ?? Number.POSITIVE_INFINITY));
  const swaps = withSuffix(names.SWAP_SUFFIX);
  const unfinished = swaps.filter((name) => (names.offsetOf(name) ?? 0) >= cleanedFrom);
  const temporary = files
    .map((file) => file.name)
    .filter((name) => /\.(index|timeindex|txnindex|snapshot|metadata)\.tmp$/.test(name));
  for (const name of [
    ...deleted,
    ...cleaned,
    ...unfinished,
    ...temporary,
    `${names.LEADER_EPOCH_CHECKPOINT}.tmp`,
  ]) {
    storage.removeNow(`${input.dir}/${name}`);
  }
  finishSwaps(
    input,
    swaps.filter((name) => !unfinished.includes(name)),
  );
}

function finishSwaps(input: OpenLogInput, swaps: readonly string[]): void {
  const { storage, logger } = input.ports;
  let from = Number.POSITIVE_INFINITY;
  let to = -1;
  for (const name of swaps) {
    if (!name.endsWith(names.LOG_SUFFIX + names.SWAP_SUFFIX)) continue;
    const file = storage.open(`${input.dir}/${name}`, 'read');
    from = Math.min(from, names.offsetOf(name) ?? from);
    to = Math.max(to, names.offsetOf(name) ?? 0);
    const scanner = new BatchScanner(file, 0, file.size());
    while (scanner.next()) to = Math.max(to, header.lastOffset(scanner.bytes, scanner.at) + 1);
    file.close();
  }
  for (const { name } of storage.list(input.dir)) {
    const offset = names.offsetOf(name);
    if (offset === undefined || name.endsWith(names.SWAP_SUFFIX) || offset < from || offset >= to) continue;
    storage.removeNow(`${input.dir}/${name}`);
  }
  for (const name of swaps) {
    logger.info(`finishing the swap of ${input.dir}/${name}`);
    storage.rename(`${input.dir}/${name}`, `${input.dir}/${name.slice(0, -names.SWAP_SUFFIX.length)}`);
  }
}

function loadSegments(input: OpenLogInput, context: SegmentContext, segments: Segments): void {
  const { storage, logger } = input.ports;
  const entries = storage.list(input.dir);
  const present = new Set(entries.map((entry) => entry.name));
  for (const { name } of entries) {
    const baseOffset = names.offsetOf(name);
    if (baseOffset === undefined) continue;
    const isIndex = [names.INDEX_SUFFIX, names.TIME_INDEX_SUFFIX, names.TXN_INDEX_SUFFIX].some((suffix) =>
      name.endsWith(suffix),
    );
    if (isIndex && !present.has(names.offsetName(baseOffset) + names.LOG_SUFFIX)) {
      logger.warn(`${input.dir}/${name} belongs to no segment and is removed`);
      storage.removeNow(`${input.dir}/${name}`);
    }
    if (!name.endsWith(names.LOG_SUFFIX)) continue;
    segments.add(newSegment(input, context, baseOffset, storage.sizeOf(`${input.dir}/${name}`) ?? 0));
  }
}

/**
 * Whether batches are missing between two segments: a power loss took the unsynced end of the first, just behind a batch,
 * and left the second. Compaction makes such gaps by design.
 */
function hasGapBehind(segment: Segment, next: Segment | undefined, config: LogConfig): boolean {
  if (next === undefined || config.cleanupPolicy.includes('compact')) return false;
  return segment.readNextOffset() < next.baseOffset;
}

/** Reads what lies above the recovery point; the first damage or gap ends the log. */
function recover(input: OpenLogInput, segments: Segments, epochs: LeaderEpochCache): void {
  const { logger, clock } = input.ports;
  const startedMs = clock.monotonicMs();
  let bytes = 0;
  for (let at = Math.max(0, segments.floor(input.recoveryPoint)); at < segments.count; at += 1) {
    const segment = segments.at(at)!;
    const { cutBytes, ended } = segment.recover((scanner) => {
      const epoch = header.partitionLeaderEpoch(scanner.bytes, scanner.at);
      if (epoch > (epochs.latest?.epoch ?? -1))
        epochs.assignUnwritten(epoch, header.baseOffset(scanner.bytes, scanner.at));
      return true;
    });
    bytes += segment.sizeInBytes;
    segment.nameUnsynced = true;
    if (cutBytes > 0) {
      logger.warn(`cut ${cutBytes} bytes (${ended}) off ${segment.log.path}`, {
        keptBytes: segment.sizeInBytes,
      });
    } else if (!hasGapBehind(segment, segments.at(at + 1), input.config)) {
      continue;
    }
    for (const lost of segments.removeAbove(segment.baseOffset)) {
      logger.warn(`${lost.log.path} follows the damage and is removed`);
      removeNow(input, lost.markDeleted());
    }
  }
  if (bytes === 0) return;
  logger.info(`recovered ${input.topic}-${input.partition}`, {
    bytes,
    tookMs: Math.round(clock.monotonicMs() - startedMs),
  });
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
