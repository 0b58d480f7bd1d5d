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
      results: [
        ...services.logs.dirs.map((dir) => resultOf(dir, request.topics, services)),
        ...services.logs.offlineDirs.map(offline),
      ],
    }),
    failure: (_request, errorCode) => ({ throttleTimeMs: 0, errorCode, results: [] }),
  });
}

function resultOf(dir: string, asked: DescribeLogDirsRequest['topics'], services: HandlerServices): Result {
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
  for (const log of services.logs.all()) {
    if (services.logs.dirOf(log) !== dir) continue;
    if (wanted !== null && wanted.get(log.topic)?.has(log.partition) !== true) continue;
    const partitions = partitionsOf.get(log.topic);
    if (partitions === undefined) partitionsOf.set(log.topic, [partitionOf(log)]);
    else partitions.push(partitionOf(log));
  }
  return [...partitionsOf].map(([name, partitions]) => ({ name, partitions }));
}

const partitionOf = (log: PartitionLog): Topic['partitions'][number] => ({
  partitionIndex: log.partition,
  partitionSize: log.sizeInBytes,
  // A leader's replica lags behind nothing; what lies above the high watermark is its own.
  offsetLag: Math.max(0, log.highWatermark - log.logEndOffset),
  isFutureKey: false,
});
