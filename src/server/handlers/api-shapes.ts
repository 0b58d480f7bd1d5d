import { ZERO_UUID } from '../../base/uuid.ts';
import { type ErrorCode, Errors } from '../../protocol/errors.ts';
import {
  AllocateProducerIdsRequest,
  AllocateProducerIdsResponse,
} from '../../protocol/messages/allocate-producer-ids.ts';
import {
  AlterClientQuotasRequest,
  AlterClientQuotasResponse,
} from '../../protocol/messages/alter-client-quotas.ts';
import {
  AlterPartitionReassignmentsRequest,
  AlterPartitionReassignmentsResponse,
} from '../../protocol/messages/alter-partition-reassignments.ts';
import {
  AlterUserScramCredentialsRequest,
  AlterUserScramCredentialsResponse,
} from '../../protocol/messages/alter-user-scram-credentials.ts';
import {
  AssignReplicasToDirsRequest,
  AssignReplicasToDirsResponse,
} from '../../protocol/messages/assign-replicas-to-dirs.ts';
import { BrokerHeartbeatRequest, BrokerHeartbeatResponse } from '../../protocol/messages/broker-heartbeat.ts';
import {
  BrokerRegistrationRequest,
  BrokerRegistrationResponse,
} from '../../protocol/messages/broker-registration.ts';
import {
  CreatePartitionsRequest,
  CreatePartitionsResponse,
} from '../../protocol/messages/create-partitions.ts';
import { CreateTopicsRequest, CreateTopicsResponse } from '../../protocol/messages/create-topics.ts';
import { DeleteTopicsRequest, DeleteTopicsResponse } from '../../protocol/messages/delete-topics.ts';
import { DescribeQuorumRequest, DescribeQuorumResponse } from '../../protocol/messages/describe-quorum.ts';
import { ElectLeadersRequest, ElectLeadersResponse } from '../../protocol/messages/elect-leaders.ts';
import {
  ListPartitionReassignmentsRequest,
  ListPartitionReassignmentsResponse,
} from '../../protocol/messages/list-partition-reassignments.ts';
import {
  UnregisterBrokerRequest,
  UnregisterBrokerResponse,
} from '../../protocol/messages/unregister-broker.ts';
import { UpdateFeaturesRequest, UpdateFeaturesResponse } from '../../protocol/messages/update-features.ts';
import type { ApiShape } from '../api-row.ts';

/**
 * The APIs that both the broker (which forwards them) and the controller serve, and how each of them says that it
 * failed as a whole.
 */

export const createTopicsApi: ApiShape<CreateTopicsRequest, CreateTopicsResponse> = {
  request: CreateTopicsRequest,
  response: CreateTopicsResponse,
  failure: (request, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    topics: request.topics.map(({ name }) => ({
      name,
      topicId: ZERO_UUID,
      errorCode,
      errorMessage,
      topicConfigErrorCode: 0,
      numPartitions: -1,
      replicationFactor: -1,
      configs: [],
    })),
  }),
};

export const deleteTopicsApi: ApiShape<DeleteTopicsRequest, DeleteTopicsResponse> = {
  request: DeleteTopicsRequest,
  response: DeleteTopicsResponse,
  failure: (request, errorCode, errorMessage, version) => ({
    throttleTimeMs: 0,
    responses: (version >= 6
      ? request.topics
      : request.topicNames.map((name) => ({ name, topicId: ZERO_UUID }))
    ).map(({ name, topicId }) => ({ name, topicId, errorCode, errorMessage })),
  }),
};

export const createPartitionsApi: ApiShape<CreatePartitionsRequest, CreatePartitionsResponse> = {
  request: CreatePartitionsRequest,
  response: CreatePartitionsResponse,
  failure: (request, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    results: request.topics.map(({ name }) => ({ name, errorCode, errorMessage })),
  }),
};

export const updateFeaturesApi: ApiShape<UpdateFeaturesRequest, UpdateFeaturesResponse> = {
  request: UpdateFeaturesRequest,
  response: UpdateFeaturesResponse,
  failure: (request, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    errorCode,
    errorMessage,
    results: request.featureUpdates.map(({ feature }) => ({ feature, errorCode, errorMessage })),
  }),
};

export const listPartitionReassignmentsApi: ApiShape<
  ListPartitionReassignmentsRequest,
  ListPartitionReassignmentsResponse
> = {
  request: ListPartitionReassignmentsRequest,
  response: ListPartitionReassignmentsResponse,
  failure: (_request, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    errorCode,
    errorMessage,
    topics: [],
  }),
};

export const alterPartitionReassignmentsApi: ApiShape<
  AlterPartitionReassignmentsRequest,
  AlterPartitionReassignmentsResponse
> = {
  request: AlterPartitionReassignmentsRequest,
  response: AlterPartitionReassignmentsResponse,
  failure: (request, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    allowReplicationFactorChange: true,
    errorCode,
    errorMessage,
    responses: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode, errorMessage })),
    })),
  }),
};

export const electLeadersApi: ApiShape<ElectLeadersRequest, ElectLeadersResponse> = {
  request: ElectLeadersRequest,
  response: ElectLeadersResponse,
  failure: (request, errorCode, errorMessage, version) => ({
    throttleTimeMs: 0,
    errorCode: version >= 1 ? errorCode : Errors.NONE,
    replicaElectionResults: (request.topicPartitions ?? []).map(({ topic, partitions }) => ({
      topic,
      partitionResult: partitions.map((partitionId) => ({ partitionId, errorCode, errorMessage })),
    })),
  }),
};

export const alterClientQuotasApi: ApiShape<AlterClientQuotasRequest, AlterClientQuotasResponse> = {
  request: AlterClientQuotasRequest,
  response: AlterClientQuotasResponse,
  failure: (request, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    entries: request.entries.map(({ entity }) => ({ errorCode, errorMessage, entity })),
  }),
};

export const alterUserScramCredentialsApi: ApiShape<
  AlterUserScramCredentialsRequest,
  AlterUserScramCredentialsResponse
> = {
  request: AlterUserScramCredentialsRequest,
  response: AlterUserScramCredentialsResponse,
  failure: ({ deletions, upsertions }, errorCode, errorMessage) => ({
    throttleTimeMs: 0,
    results: [...new Set([...deletions, ...upsertions].map(({ name }) => name))].map((user) => ({
      user,
      errorCode,
      errorMessage,
    })),
  }),
};

export const unregisterBrokerApi: ApiShape<UnregisterBrokerRequest, UnregisterBrokerResponse> = {
  request: UnregisterBrokerRequest,
  response: UnregisterBrokerResponse,
  failure: (_request, errorCode, errorMessage) => ({ throttleTimeMs: 0, errorCode, errorMessage }),
};

export const describeQuorumApi: ApiShape<DescribeQuorumRequest, DescribeQuorumResponse> = {
  request: DescribeQuorumRequest,
  response: DescribeQuorumResponse,
  failure: (_request, errorCode, errorMessage) => ({ errorCode, errorMessage, topics: [], nodes: [] }),
};

export const brokerRegistrationApi: ApiShape<BrokerRegistrationRequest, BrokerRegistrationResponse> = {
  request: BrokerRegistrationRequest,
  response: BrokerRegistrationResponse,
  failure: (_request, errorCode) => ({ throttleTimeMs: 0, errorCode, brokerEpoch: -1 }),
};

export const brokerHeartbeatApi: ApiShape<BrokerHeartbeatRequest, BrokerHeartbeatResponse> = {
  request: BrokerHeartbeatRequest,
  response: BrokerHeartbeatResponse,
  failure: (_request, errorCode) => ({
    throttleTimeMs: 0,
    errorCode,
    isCaughtUp: false,
    isFenced: true,
    shouldShutDown: false,
  }),
};

export const assignReplicasToDirsApi: ApiShape<AssignReplicasToDirsRequest, AssignReplicasToDirsResponse> = {
  request: AssignReplicasToDirsRequest,
  response: AssignReplicasToDirsResponse,
  failure: (_request, errorCode) => ({ throttleTimeMs: 0, errorCode, directories: [] }),
};

export const allocateProducerIdsApi: ApiShape<AllocateProducerIdsRequest, AllocateProducerIdsResponse> = {
  request: AllocateProducerIdsRequest,
  response: AllocateProducerIdsResponse,
  failure: (_request, errorCode: ErrorCode) => ({
    throttleTimeMs: 0,
    errorCode,
    producerIdStart: 0n,
    producerIdLen: 0,
  }),
};
