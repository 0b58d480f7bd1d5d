import { type ErrorCode, Errors, ProtocolError } from '../../protocol/errors.ts';
import {
  AlterReplicaLogDirsRequest,
  AlterReplicaLogDirsResponse,
} from '../../protocol/messages/alter-replica-log-dirs.ts';
import { type ApiRow, serial } from '../api-row.ts';
import { cordonedDirsOf } from '../cordoned-dirs.ts';
import type { HandlerServices } from '../services.ts';

type TopicAnswer = AlterReplicaLogDirsResponse['results'][number];

/** Longest name of a folder; a replica on its move has one of its own: topic, partition, 32 digits and a suffix. */
const FOLDER_NAME_LENGTH_MAX = 255;
const FUTURE_SUFFIX_LENGTH = '.'.length + 32 + '-future'.length;

/**
 * AlterReplicaLogDirs v0-2 (KIP-113). Replicas stay in the directory that they were made in: asking for that one is
 * answered as done, asking for another of `log.dirs` with UNSUPPORTED_VERSION.
 */
export function alterReplicaLogDirsRow(services: HandlerServices): ApiRow {
  return serial({
    request: AlterReplicaLogDirsRequest,
    response: AlterReplicaLogDirsResponse,
    handle: (_call, request) => answerEach(request, (topic, index, dir) => move(services, topic, index, dir)),
    failure: (request, code) => answerEach(request, () => code),
  });
}

/** One answer for each partition; of one that is named twice the last directory counts, as in Apache Kafka. */
function answerEach(
  request: AlterReplicaLogDirsRequest,
  move: (topic: string, partition: number, dir: string) => ErrorCode,
): AlterReplicaLogDirsResponse {
  const wanted = new Map<string, Map<number, string>>();
  for (const { path, topics } of request.dirs) {
    for (const { name, partitions } of topics) {
      const dirs = wanted.get(name) ?? new Map<number, string>();
      wanted.set(name, dirs);
      for (const index of partitions) dirs.set(index, path);
    }
  }
  const results = Array.from(
    wanted,
    ([topicName, dirs]): TopicAnswer => ({
      topicName,
      partitions: Array.from(dirs, ([partitionIndex, dir]) => ({
        partitionIndex,
        errorCode: move(topicName, partitionIndex, dir),
      })),
    }),
  );
  return { throttleTimeMs: 0, results };
}

function move(services: HandlerServices, topic: string, partition: number, dir: string): ErrorCode {
  const { config, logs, ports, replicas } = services;
  if (`${topic}-${partition}`.length + FUTURE_SUFFIX_LENGTH > FOLDER_NAME_LENGTH_MAX) {
    return Errors.INVALID_TOPIC_EXCEPTION;
  }
  if (!logs.dirs.includes(dir)) {
    return logs.offlineDirs.includes(dir) ? Errors.KAFKA_STORAGE_ERROR : Errors.LOG_DIR_NOT_FOUND;
  }
  if (cordonedDirsOf(config).includes(dir)) return Errors.INVALID_REPLICA_ASSIGNMENT;
  try {
    const { log } = replicas.find(topic, partition);
    const current = logs.dirOf(log);
    if (current === dir) return Errors.NONE;
    ports.logger.warn(
      `${topic}-${partition} stays in ${current}: replicas can't be moved between log dirs yet. To move all of a dir, stop the broker and move the folders`,
      { wanted: dir },
    );
    return Errors.UNSUPPORTED_VERSION;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return error.code === Errors.NOT_LEADER_OR_FOLLOWER ? Errors.REPLICA_NOT_AVAILABLE : error.code;
  }
}
