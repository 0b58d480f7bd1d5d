import { type ErrorCode, Errors, ProtocolError } from '../../protocol/errors.ts';
import {
  AlterReplicaLogDirsRequest,
  AlterReplicaLogDirsResponse,
} from '../../protocol/messages/alter-replica-log-dirs.ts';
import type { ReplicaManager } from '../../replication/replica-manager.ts';
import { type ApiRow, serial } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';

type TopicAnswer = AlterReplicaLogDirsResponse['results'][number];

/** AlterReplicaLogDirs v0-2 (KIP-113): answered once the moves have begun; DescribeLogDirs tells how far they are. */
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

function move({ logs, replicas }: HandlerServices, topic: string, partition: number, dir: string): ErrorCode {
  try {
    logs.move(topic, partition, dir);
    return Errors.NONE;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return error.code === Errors.REPLICA_NOT_AVAILABLE ? whyAbsent(replicas, topic, partition) : error.code;
  }
}

/** The metadata may not know the partition at all, or its disk has failed. */
function whyAbsent(replicas: ReplicaManager, topic: string, partition: number): ErrorCode {
  try {
    replicas.find(topic, partition);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    if (error.code !== Errors.NOT_LEADER_OR_FOLLOWER) return error.code;
  }
  return Errors.REPLICA_NOT_AVAILABLE;
}
