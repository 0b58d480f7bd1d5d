import { metadataVersionAllows } from '../metadata/features.ts';
import type { TopicImage } from '../metadata/image.ts';
import type { MetadataRecord } from '../metadata/records.ts';
import { type ErrorCode, Errors, ProtocolError } from '../protocol/errors.ts';
import type {
  AssignReplicasToDirsRequest,
  AssignReplicasToDirsResponse,
} from '../protocol/messages/assign-replicas-to-dirs.ts';
import type { PartitionLeaders } from './partition-leaders.ts';
import { type ControllerResult, checkRecordCount } from './result.ts';
import type { ControllerState } from './state.ts';

/**
 * Notes in which of its directories a broker keeps replicas (KIP-858); one that is in a directory that is offline leads
 * no longer. Throws UNSUPPORTED_VERSION and STALE_BROKER_EPOCH; what is wrong with a partition stands in the response.
 */
export function assignReplicasToDirs(
  state: ControllerState,
  leaders: PartitionLeaders,
  request: AssignReplicasToDirsRequest,
): ControllerResult<AssignReplicasToDirsResponse> {
  const { brokerId, brokerEpoch } = request;
  const { metadataVersion, topicsById } = state.image;
  if (!metadataVersionAllows.directoryAssignment(metadataVersion)) {
    const text = `metadata.version ${metadataVersion} has no directories; 17 (3.7-IV2) does`;
    throw new ProtocolError(Errors.UNSUPPORTED_VERSION, text);
  }
  const online = state.brokerAt(brokerId, brokerEpoch).directories;
  const records: MetadataRecord[] = [];
  const assign = (topic: TopicImage | undefined, index: number, directory: string): ErrorCode => {
    if (topic === undefined) return Errors.UNKNOWN_TOPIC_ID;
    const partition = topic.partitions[index];
    if (partition === undefined) return Errors.UNKNOWN_TOPIC_OR_PARTITION;
    if (!partition.replicas.includes(brokerId)) return Errors.NOT_LEADER_OR_FOLLOWER;
    const directories = partition.directories.map((id, at) =>
      partition.replicas[at] === brokerId ? (directory as typeof id) : id,
    );
    const lost = online.includes(directory as (typeof online)[number])
      ? {}
      : {
          targetIsr: partition.isr.filter((id) => id !== brokerId),
          isAcceptableLeader: (id: number) => id !== brokerId && state.isActive(id),
        };
    const change = leaders.change(topic, index, partition, { directories, ...lost });
    if (change !== undefined) records.push(change);
    return Errors.NONE;
  };
  const directories = request.directories.map(({ id, topics }) => ({
    id,
    topics: topics.map(({ topicId, partitions }) => ({
      topicId,
      partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode: assign(topicsById.get(topicId), partitionIndex, id),
      })),
    })),
  }));
  checkRecordCount(records.length);
  return { records, response: { throttleTimeMs: 0, errorCode: Errors.NONE, directories } };
}
