import { ZERO_UUID } from '../base/uuid.ts';
import { Errors } from '../protocol/errors.ts';
import type { DescribeQuorumRequest, DescribeQuorumResponse } from '../protocol/messages/describe-quorum.ts';
import type { Voter } from './control-records.ts';

const METADATA_TOPIC = '__cluster_metadata';

/** What DescribeQuorum tells of a quorum. */
export interface QuorumView {
  readonly nodeId: number;
  readonly isLeader: boolean;
  readonly leaderEpoch: number;
  readonly highWatermark: number;
  readonly kraftVersion: number;
  readonly voters: readonly Voter[];
}

/** Answers DescribeQuorum (KIP-595, KIP-836, KIP-853): only the one partition of the metadata log exists. */
export function describeQuorum(
  view: QuorumView,
  request: DescribeQuorumRequest,
  nowMs: number,
): DescribeQuorumResponse {
  const asksForIt =
    request.topics.length === 1 &&
    request.topics[0]?.topicName === METADATA_TOPIC &&
    request.topics[0].partitions.length === 1 &&
    request.topics[0].partitions[0]?.partitionIndex === 0;
  if (!asksForIt) return refusal(request);
  const now = BigInt(nowMs);
  const partition = {
    partitionIndex: 0,
    errorCode: view.isLeader ? Errors.NONE : Errors.NOT_LEADER_OR_FOLLOWER,
    errorMessage: null,
    leaderId: view.isLeader ? view.nodeId : -1,
    leaderEpoch: view.leaderEpoch,
    highWatermark: view.highWatermark,
    currentVoters: view.voters.map((voter) => ({
      replicaId: voter.id,
      replicaDirectoryId: view.kraftVersion > 0 ? voter.directoryId : ZERO_UUID,
      logEndOffset: view.highWatermark,
      lastFetchTimestamp: now,
      lastCaughtUpTimestamp: now,
    })),
    observers: [],
  };
  return {
    errorCode: Errors.NONE,
    errorMessage: null,
    topics: [{ topicName: METADATA_TOPIC, partitions: [partition] }],
    nodes: view.voters.map((voter) => ({
      nodeId: voter.id,
      listeners: voter.endpoints.map(({ name, host, port }) => ({ name, host, port })),
    })),
  };
}

function refusal(request: DescribeQuorumRequest): DescribeQuorumResponse {
  return {
    errorCode: Errors.NONE,
    errorMessage: null,
    topics: request.topics.map((topic) => ({
      topicName: topic.topicName,
      partitions: topic.partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode: Errors.UNKNOWN_TOPIC_OR_PARTITION,
        errorMessage: null,
        leaderId: 0,
        leaderEpoch: 0,
        highWatermark: 0,
        currentVoters: [],
        observers: [],
      })),
    })),
    nodes: [],
  };
}
