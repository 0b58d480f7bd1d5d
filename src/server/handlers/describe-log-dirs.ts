import { StorageError } from '../../base/ports.ts';
import type { PartitionLog } from '../../log/index.ts';
import { Errors } from '../../protocol/errors.ts';
import {
  DescribeLogDirsRequest,
  DescribeLogDirsResponse,
} from '../../protocol/messages/describe-log-dirs.ts';
import { type ApiRow, serial } from '../api-row.ts';
import { cordonedDirsOf } from '../cordoned-dirs.ts';
import type { HandlerServices } from '../services.ts';

type Result = DescribeLogDirsResponse['results'][number];
type Topic = Result['topics'][number];

/** Answered for volumes beyond 2^53 bytes, which Apache Kafka answers with Long.MAX_VALUE beyond 2^63. */
const bytesOf = (bytes: number) => Math.min(bytes, Number.MAX_SAFE_INTEGER);

/** Sizes of the partitions in each log dir (KIP-113), with what the volume holds from v4 on (KIP-827). */
export function describeLogDirsRow(services: HandlerServices): ApiRow {
  return serial({
    request: DescribeLogDirsRequest,
    response: DescribeLogDirsResponse,
    handle: (_call, request): DescribeLogDirsResponse => ({
      throttleTimeMs: 0,
      errorCode: Errors.NONE,
      results: services.config.logDirs.map((dir) => resultOf(dir, request.topics, services)),
    }),
    failure: (_request, errorCode) => ({ throttleTimeMs: 0, errorCode, results: [] }),
  });
}

function resultOf(dir: string, asked: DescribeLogDirsRequest['topics'], services: HandlerServices): Result {
  if (!services.logs.dirs.includes(dir)) return offline(dir);
  try {
    const { totalBytes, usableBytes } = services.ports.storage.volume(dir);
    return {
      errorCode: Errors.NONE,
      logDir: dir,
      topics: topicsOf(dir, asked, services),
      totalBytes: bytesOf(totalBytes),
      usableBytes: bytesOf(usableBytes),
      isCordoned: cordonedDirsOf(services.config).includes(dir),
    };
  } catch (error) {
    if (error instanceof StorageError) return offline(dir);
    throw error;
  }
}

const offline = (logDir: string): Result => ({
  errorCode: Errors.KAFKA_STORAGE_ERROR,
  logDir,
  topics: [],
  totalBytes: -1,
  usableBytes: -1,
  isCordoned: false,
});

function topicsOf(
  dir: string,
  asked: DescribeLogDirsRequest['topics'],
  services: HandlerServices,
): readonly Topic[] {
  const wanted =
    asked === null ? null : new Map(asked.map(({ topic, partitions }) => [topic, new Set(partitions)]));
  const partitionsOf = new Map<string, Topic['partitions'][number][]>();
  const add = (log: PartitionLog, offsetLag: number, isFutureKey: boolean) => {
    const { topic, partition, sizeInBytes } = log;
    if (log.parentDir !== dir) return;
    if (wanted !== null && wanted.get(topic)?.has(partition) !== true) return;
    const described = { partitionIndex: partition, partitionSize: sizeInBytes, offsetLag, isFutureKey };
    const partitions = partitionsOf.get(topic);
    if (partitions === undefined) partitionsOf.set(topic, [described]);
    else partitions.push(described);
  };
  const { logs } = services;
  // A leader's replica lags behind nothing; what lies above the high watermark is its own.
  for (const log of logs.all()) add(log, Math.max(0, log.highWatermark - log.logEndOffset), false);
  for (const copy of logs.futures()) {
    const current = logs.get(copy.topic, copy.partition);
    add(copy, current === undefined ? -1 : current.logEndOffset - copy.logEndOffset, true);
  }
  return [...partitionsOf].map(([name, partitions]) => ({ name, partitions }));
}
