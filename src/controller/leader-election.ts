import type { MetadataRecord } from '../metadata/records.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import type { ElectLeadersRequest, ElectLeadersResponse } from '../protocol/messages/elect-leaders.ts';
import type { PartitionLeaders } from './partition-leaders.ts';
import { apiErrorOf, type ControllerResult, checkRecordCount } from './result.ts';
import type { ControllerState } from './state.ts';

/** Kinds of election of KIP-460, as ElectLeaders names them. */
const PREFERRED = 0;
const UNCLEAN = 1;

type PartitionResult = ElectLeadersResponse['replicaElectionResults'][number]['partitionResult'][number];

/**
 * Elects the preferred replica as leader, or any live one where there is no leader (`UNCLEAN`). Null partitions mean all of
 * them; those that need no election are then left out of the answer.
 */
export function electLeaders(
  state: ControllerState,
  leaders: PartitionLeaders,
  request: ElectLeadersRequest,
): ControllerResult<ElectLeadersResponse> {
  const { electionType } = request;
  if (electionType !== PREFERRED && electionType !== UNCLEAN) {
    throw new ProtocolError(Errors.INVALID_REQUEST, `Unknown election type ${electionType}`);
  }
  const all = request.topicPartitions === null;
  const asked =
    request.topicPartitions ??
    Array.from(state.image.topicsById.values(), ({ name, partitions }) => ({
      topic: name,
      partitions: [...partitions.keys()],
    }));
  const records: MetadataRecord[] = [];
  const replicaElectionResults = asked.map(({ topic, partitions }) => {
    const partitionResult: PartitionResult[] = [];
    for (const partitionId of partitions) {
      const error = apiErrorOf(() => records.push(elect(state, leaders, topic, partitionId, electionType)));
      if (all && error.code === Errors.ELECTION_NOT_NEEDED) continue;
      partitionResult.push({ partitionId, errorCode: error.code, errorMessage: error.message });
    }
    return { topic, partitionResult };
  });
  checkRecordCount(records.length);
  return { records, response: { throttleTimeMs: 0, errorCode: Errors.NONE, replicaElectionResults } };
}

function elect(
  state: ControllerState,
  leaders: PartitionLeaders,
  name: string,
  partitionId: number,
  electionType: typeof PREFERRED | typeof UNCLEAN,
): MetadataRecord {
  const topic = state.image.topicsByName.get(name);
  if (topic === undefined) {
    throw new ProtocolError(Errors.UNKNOWN_TOPIC_OR_PARTITION, `No such topic as ${name}`);
  }
  const partition = topic.partitions[partitionId];
  if (partition === undefined) {
    throw new ProtocolError(Errors.UNKNOWN_TOPIC_OR_PARTITION, `No such partition as ${name}-${partitionId}`);
  }
  const isThere =
    electionType === PREFERRED ? partition.leader === partition.replicas[0] : partition.leader >= 0;
  if (isThere) throw new ProtocolError(Errors.ELECTION_NOT_NEEDED);
  const election = electionType === PREFERRED ? 'preferred' : 'unclean';
  const change = leaders.change(topic, partitionId, partition, { election });
  if (change !== undefined) return change;
  throw new ProtocolError(
    electionType === PREFERRED
      ? Errors.PREFERRED_LEADER_NOT_AVAILABLE
      : Errors.ELIGIBLE_LEADERS_NOT_AVAILABLE,
  );
}
