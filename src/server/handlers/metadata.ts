import { ZERO_UUID } from '../../base/uuid.ts';
import { topicNameProblem } from '../../controller/topic-names.ts';
import type { TopicImage } from '../../metadata/image.ts';
import type { PartitionRegistration } from '../../metadata/registrations.ts';
import { type ErrorCode, Errors, ProtocolError } from '../../protocol/errors.ts';
import { MetadataRequest, MetadataResponse } from '../../protocol/messages/metadata.ts';
import { isInternalTopic } from '../../replication/replica-manager.ts';
import { type ApiRow, serial } from '../api-row.ts';
import { CLUSTER_OPERATIONS, OPERATIONS_NOT_ASKED, TOPIC_OPERATIONS } from '../authorized-operations.ts';
import type { Call } from '../call.ts';
import type { HandlerServices } from '../services.ts';

type MetadataTopic = MetadataResponse['topics'][number];
type MetadataPartition = MetadataTopic['partitions'][number];

/**
 * Metadata v0-13. No topics: all of them in v0, none from v1 on; null: all. A topic that is not there is created, if
 * client and settings allow it, before the answer leaves, which then names its leaders: the client need not ask again.
 * v12 and up may name topics by id; v13 adds an error for all.
 */
export function metadataRow(services: HandlerServices): ApiRow {
  return serial<MetadataRequest, MetadataResponse>({
    request: MetadataRequest,
    response: MetadataResponse,
    handle(call, request) {
      refuseWhatTheVersionLacks(call, request);
      const missing = missingTopics(services, call, request);
      if (missing.length === 0) return answer(services, call, request, new Map());
      return services.topicCreation.create(missing).then((errors) => answer(services, call, request, errors));
    },
    failure: (request, code) => failure(request, code),
  });
}

/** Versions 10 and 11 have room for topic ids and null names, but did not serve them. */
function refuseWhatTheVersionLacks(call: Call<MetadataResponse>, request: MetadataRequest): void {
  if (call.version >= 12) return;
  for (const topic of request.topics ?? []) {
    if (topic.name === null) {
      throw new ProtocolError(
        Errors.INVALID_REQUEST,
        `Metadata v${call.version}: a topic needs a name; v12 can ask by id`,
      );
    }
    if (topic.topicId !== ZERO_UUID) {
      throw new ProtocolError(
        Errors.INVALID_REQUEST,
        `Metadata v${call.version}: topics go by name; v12 can ask by id`,
      );
    }
  }
}

function wantsAll(call: Call<MetadataResponse>, request: MetadataRequest): boolean {
  return request.topics === null || (call.version === 0 && request.topics.length === 0);
}

/** Topics to create: named, not there, and nothing against it. */
function missingTopics(
  services: HandlerServices,
  call: Call<MetadataResponse>,
  request: MetadataRequest,
): readonly string[] {
  if (request.topics === null || !request.allowAutoTopicCreation) return [];
  if (!services.config.get('auto.create.topics.enable') || wantsAll(call, request)) return [];
  const missing = new Set<string>();
  for (const { name, topicId } of request.topics) {
    if (topicId !== ZERO_UUID) return [];
    if (name === null || services.metadata.topic(name) !== undefined) continue;
    if (topicNameProblem(name) === undefined) missing.add(name);
  }
  return [...missing];
}

function answer(
  services: HandlerServices,
  call: Call<MetadataResponse>,
  request: MetadataRequest,
  created: ReadonlyMap<string, ErrorCode>,
): MetadataResponse {
  const topics = [...topicsOf(services, call, request, created)];
  return {
    throttleTimeMs: 0,
    brokers: services.metadata
      .brokers(call.peer.listenerName)
      .map(({ id, host, port, rack }) => ({ nodeId: id, host, port, rack })),
    clusterId: services.clusterId,
    controllerId: services.metadata.aliveBrokerId(services.nodeId),
    topics,
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
      ? CLUSTER_OPERATIONS
      : OPERATIONS_NOT_ASKED,
    errorCode: Errors.NONE,
  };
}

function* topicsOf(
  services: HandlerServices,
  call: Call<MetadataResponse>,
  request: MetadataRequest,
  created: ReadonlyMap<string, ErrorCode>,
): IterableIterator<MetadataTopic> {
  const { metadata } = services;
  const describe = (topic: TopicImage) => describeTopic(services, call, request, topic);
  if (request.topics === null || wantsAll(call, request)) {
    for (const topic of metadata.image.topicsByName.values()) yield describe(topic);
    return;
  }
  const ids = new Set(request.topics.map(({ topicId }) => topicId).filter((id) => id !== ZERO_UUID));
  for (const id of ids) {
    const topic = metadata.topicById(id);
    yield topic === undefined ? topicError(Errors.UNKNOWN_TOPIC_ID, null, id) : describe(topic);
  }
  if (ids.size > 0) return;
  for (const name of new Set(request.topics.map((topic) => topic.name))) {
    if (name === null) continue;
    const topic = metadata.topic(name);
    if (topic !== undefined) yield describe(topic);
    else yield topicError(missingError(services, name, created.get(name)), name, ZERO_UUID);
  }
}

function missingError(services: HandlerServices, name: string, creation: ErrorCode | undefined): ErrorCode {
  // No error: created and deleted again meanwhile.
  if (creation !== undefined && creation !== Errors.NONE) return creation;
  return services.metadata.unknownTopicError(name);
}

function topicError(
  errorCode: ErrorCode,
  name: string | null,
  topicId: MetadataTopic['topicId'],
): MetadataTopic {
  return {
    errorCode,
    name,
    topicId,
    isInternal: name !== null && isInternalTopic(name),
    partitions: [],
    topicAuthorizedOperations: OPERATIONS_NOT_ASKED,
  };
}

function describeTopic(
  services: HandlerServices,
  call: Call<MetadataResponse>,
  request: MetadataRequest,
  topic: TopicImage,
): MetadataTopic {
  return {
    errorCode: Errors.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternalTopic(topic.name),
    partitions: topic.partitions.map((partition, index) =>
      describePartition(services, call, partition, index),
    ),
    topicAuthorizedOperations: request.includeTopicAuthorizedOperations
      ? TOPIC_OPERATIONS
      : OPERATIONS_NOT_ASKED,
  };
}

function describePartition(
  services: HandlerServices,
  call: Call<MetadataResponse>,
  partition: PartitionRegistration,
  partitionIndex: number,
): MetadataPartition {
  const { metadata } = services;
  const { listenerName } = call.peer;
  const reachable = (id: number) => metadata.aliveBroker(id, listenerName) !== undefined;
  // Version 0 says by an error that a replica can't be reached, later ones by listing it as offline.
  const old = call.version === 0;
  const replicaNodes = old ? partition.replicas.filter(reachable) : partition.replicas;
  const isrNodes = old ? partition.isr.filter(reachable) : partition.isr;
  const complete =
    replicaNodes.length === partition.replicas.length && isrNodes.length === partition.isr.length;
  let errorCode = metadata.partitionError(partition, listenerName);
  const leaderId = errorCode === Errors.NONE ? partition.leader : -1;
  // Before version 6 a listener that only the leader lacks, a mistake in the settings, was not told apart.
  if (errorCode === Errors.LISTENER_NOT_FOUND && call.version < 6) errorCode = Errors.LEADER_NOT_AVAILABLE;
  if (errorCode === Errors.NONE && !complete) errorCode = Errors.REPLICA_NOT_AVAILABLE;
  return {
    errorCode,
    partitionIndex,
    leaderId,
    leaderEpoch: partition.leaderEpoch,
    replicaNodes,
    isrNodes,
    offlineReplicas: metadata.offlineReplicas(partition, listenerName),
  };
}

function failure(request: MetadataRequest, errorCode: ErrorCode): MetadataResponse {
  return {
    throttleTimeMs: 0,
    brokers: [],
    clusterId: null,
    controllerId: -1,
    topics: (request.topics ?? []).map(({ name, topicId }) => topicError(errorCode, name ?? '', topicId)),
    clusterAuthorizedOperations: OPERATIONS_NOT_ASKED,
    errorCode,
  };
}
