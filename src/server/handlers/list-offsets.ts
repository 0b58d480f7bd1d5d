import { prepareCodec } from '../../protocol/compression/index.ts';
import { type ErrorCode, Errors, ProtocolError } from '../../protocol/errors.ts';
import { ListOffsetsRequest, ListOffsetsResponse } from '../../protocol/messages/list-offsets.ts';
import type { Partition } from '../../replication/partition.ts';
import { type ApiRow, serial } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';

type PartitionRequest = ListOffsetsRequest['topics'][number]['partitions'][number];
type PartitionAnswer = ListOffsetsResponse['topics'][number]['partitions'][number];

const LATEST = -1n;
const EARLIEST = -2n;
const MAX_TIMESTAMP = -3n;
const EARLIEST_LOCAL = -4n;
const LATEST_TIERED = -5n;
const EARLIEST_PENDING_UPLOAD = -6n;
const READ_COMMITTED = 1;
const CONSUMER = -1;
const DEBUGGING_CONSUMER = -2;
const LEADER_EPOCH_VERSION_MIN = 4;
const OFFSET_NOT_AVAILABLE_VERSION_MIN = 5;

/** From which version each special timestamp is understood; version 0 knows the first two as well. */
const TIMESTAMP_VERSION_MIN: ReadonlyMap<bigint, number> = new Map([
  [LATEST, 0],
  [EARLIEST, 0],
  [MAX_TIMESTAMP, 7],
  [EARLIEST_LOCAL, 8],
  [LATEST_TIERED, 9],
  [EARLIEST_PENDING_UPLOAD, 11],
]);

/**
 * ListOffsets v0-11: the offset of a time, of the ends of the log, of its largest timestamp. What consumers are told
 * ends at the high watermark, or at the last stable offset for read_committed. v0 asks for offsets where segments begin
 * that were written by then, as brokers before 0.10.1 could tell it.
 */
export function listOffsetsRow(services: HandlerServices): ApiRow {
  return serial<ListOffsetsRequest, ListOffsetsResponse>({
    request: ListOffsetsRequest,
    response: ListOffsetsResponse,
    handle: (call, request) => {
      const preparing = readsRecords(request) ? prepareCodec('zstd') : undefined;
      if (preparing === undefined) return respond(services, request, call.version);
      return preparing.then(() => respond(services, request, call.version));
    },
    failure: (request, code) => ({
      throttleTimeMs: 0,
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map((one) => unknown(one, code)),
      })),
    }),
  });
}

/** Whether batches may have to be opened: a codec that has to be loaded must be there then. */
function readsRecords(request: ListOffsetsRequest): boolean {
  return request.topics.some(({ partitions }) =>
    partitions.some(({ timestamp }) => timestamp >= 0n || timestamp === MAX_TIMESTAMP),
  );
}

function respond(
  services: HandlerServices,
  request: ListOffsetsRequest,
  version: number,
): ListOffsetsResponse {
  const duplicates = duplicatesOf(request);
  const topics = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map((one) => {
      if (duplicates.has(`${name} ${one.partitionIndex}`)) return unknown(one, Errors.INVALID_REQUEST);
      return answer(services, request, version, name, one);
    }),
  }));
  return { throttleTimeMs: 0, topics };
}

function duplicatesOf(request: ListOffsetsRequest): ReadonlySet<string> {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const { name, partitions } of request.topics) {
    for (const { partitionIndex } of partitions) {
      const key = `${name} ${partitionIndex}`;
      if (seen.has(key)) twice.add(key);
      seen.add(key);
    }
  }
  return twice;
}

function answer(
  services: HandlerServices,
  request: ListOffsetsRequest,
  version: number,
  topic: string,
  one: PartitionRequest,
): PartitionAnswer {
  if (
    one.timestamp < 0n &&
    version < (TIMESTAMP_VERSION_MIN.get(one.timestamp) ?? Number.POSITIVE_INFINITY)
  ) {
    return unknown(one, Errors.UNSUPPORTED_VERSION);
  }
  try {
    const partition = services.replicas.find(topic, one.partitionIndex);
    if (version === 0)
      return { ...unknown(one, Errors.NONE), oldStyleOffsets: oldStyle(partition, request, one) };
    const found = lookUp(partition, request, one);
    return {
      ...unknown(one, Errors.NONE),
      timestamp: found.timestamp,
      offset: found.offset,
      leaderEpoch: version >= LEADER_EPOCH_VERSION_MIN ? found.leaderEpoch : -1,
    };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const late = error.code === Errors.OFFSET_NOT_AVAILABLE && version < OFFSET_NOT_AVAILABLE_VERSION_MIN;
    return unknown(one, late ? Errors.LEADER_NOT_AVAILABLE : error.code);
  }
}

interface Found {
  readonly offset: number;
  readonly timestamp: bigint;
  readonly leaderEpoch: number;
}

const NOT_FOUND: Found = { offset: -1, timestamp: -1n, leaderEpoch: -1 };

function lookUp(partition: Partition, request: ListOffsetsRequest, one: PartitionRequest): Found {
  const isConsumer = request.replicaId === CONSUMER;
  const log = partition.readableLog(one.currentLeaderEpoch, request.replicaId !== DEBUGGING_CONSUMER);
  let end = log.logEndOffset;
  if (isConsumer) end = request.isolationLevel === READ_COMMITTED ? log.lastStableOffset : log.highWatermark;
  const behind = isConsumer && !partition.offsetsAreKnown;
  switch (one.timestamp) {
    case LATEST:
      if (behind) throw new ProtocolError(Errors.OFFSET_NOT_AVAILABLE);
      return { offset: end, timestamp: -1n, leaderEpoch: partition.leaderEpoch };
    case EARLIEST:
    case EARLIEST_LOCAL:
      return log.offsetForTimestamp(EARLIEST) ?? NOT_FOUND;
    // Nothing is tiered.
    case LATEST_TIERED:
    case EARLIEST_PENDING_UPLOAD:
      return NOT_FOUND;
    default: {
      const found = log.offsetForTimestamp(one.timestamp);
      if (found !== undefined && found.offset < end) return found;
      if (behind) throw new ProtocolError(Errors.OFFSET_NOT_AVAILABLE);
      return NOT_FOUND;
    }
  }
}

/** Version 0: where segments begin, newest first. For consumers the high watermark stands for all that lies above it. */
function oldStyle(partition: Partition, request: ListOffsetsRequest, one: PartitionRequest): number[] {
  const log = partition.readableLog(-1, request.replicaId !== DEBUGGING_CONSUMER);
  const offsets = log.offsetsBefore(one.timestamp, one.maxNumOffsets);
  const { highWatermark } = log;
  if (request.replicaId !== CONSUMER || !offsets.some((offset) => offset > highWatermark)) return offsets;
  return [highWatermark, ...offsets.filter((offset) => offset <= highWatermark)];
}

function unknown({ partitionIndex }: PartitionRequest, errorCode: ErrorCode): PartitionAnswer {
  return { partitionIndex, errorCode, oldStyleOffsets: [], timestamp: -1n, offset: -1, leaderEpoch: -1 };
}
