import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Broker, startBroker } from '../../src/index.ts';
import { defaults } from '../../src/protocol/codec.ts';
import { Errors } from '../../src/protocol/errors.ts';
import * as addOffsetsToTxn from '../../src/protocol/messages/add-offsets-to-txn.ts';
import * as addPartitionsToTxn from '../../src/protocol/messages/add-partitions-to-txn.ts';
import * as alterClientQuotas from '../../src/protocol/messages/alter-client-quotas.ts';
import * as alterConfigs from '../../src/protocol/messages/alter-configs.ts';
import * as alterPartitionReassignments from '../../src/protocol/messages/alter-partition-reassignments.ts';
import * as alterReplicaLogDirs from '../../src/protocol/messages/alter-replica-log-dirs.ts';
import * as alterUserScramCredentials from '../../src/protocol/messages/alter-user-scram-credentials.ts';
import { ApiVersionsRequest, ApiVersionsResponse } from '../../src/protocol/messages/api-versions.ts';
import * as consumerGroupDescribe from '../../src/protocol/messages/consumer-group-describe.ts';
import * as consumerGroupHeartbeat from '../../src/protocol/messages/consumer-group-heartbeat.ts';
import * as createAcls from '../../src/protocol/messages/create-acls.ts';
import * as createPartitions from '../../src/protocol/messages/create-partitions.ts';
import * as createTopics from '../../src/protocol/messages/create-topics.ts';
import * as deleteAcls from '../../src/protocol/messages/delete-acls.ts';
import * as deleteGroups from '../../src/protocol/messages/delete-groups.ts';
import * as deleteRecords from '../../src/protocol/messages/delete-records.ts';
import * as deleteTopics from '../../src/protocol/messages/delete-topics.ts';
import * as describeAcls from '../../src/protocol/messages/describe-acls.ts';
import * as describeClientQuotas from '../../src/protocol/messages/describe-client-quotas.ts';
import * as describeCluster from '../../src/protocol/messages/describe-cluster.ts';
import * as describeConfigs from '../../src/protocol/messages/describe-configs.ts';
import * as describeGroups from '../../src/protocol/messages/describe-groups.ts';
import * as describeLogDirs from '../../src/protocol/messages/describe-log-dirs.ts';
import * as describeProducers from '../../src/protocol/messages/describe-producers.ts';
import * as describeQuorum from '../../src/protocol/messages/describe-quorum.ts';
import * as describeTopicPartitions from '../../src/protocol/messages/describe-topic-partitions.ts';
import * as describeTransactions from '../../src/protocol/messages/describe-transactions.ts';
import * as describeUserScramCredentials from '../../src/protocol/messages/describe-user-scram-credentials.ts';
import * as electLeaders from '../../src/protocol/messages/elect-leaders.ts';
import * as endTxn from '../../src/protocol/messages/end-txn.ts';
import * as fetch from '../../src/protocol/messages/fetch.ts';
import * as findCoordinator from '../../src/protocol/messages/find-coordinator.ts';
import * as heartbeat from '../../src/protocol/messages/heartbeat.ts';
import * as incrementalAlterConfigs from '../../src/protocol/messages/incremental-alter-configs.ts';
import * as initProducerId from '../../src/protocol/messages/init-producer-id.ts';
import * as joinGroup from '../../src/protocol/messages/join-group.ts';
import * as leaveGroup from '../../src/protocol/messages/leave-group.ts';
import * as listConfigResources from '../../src/protocol/messages/list-config-resources.ts';
import * as listGroups from '../../src/protocol/messages/list-groups.ts';
import * as listOffsets from '../../src/protocol/messages/list-offsets.ts';
import * as listPartitionReassignments from '../../src/protocol/messages/list-partition-reassignments.ts';
import * as listTransactions from '../../src/protocol/messages/list-transactions.ts';
import * as metadata from '../../src/protocol/messages/metadata.ts';
import * as offsetCommit from '../../src/protocol/messages/offset-commit.ts';
import * as offsetDelete from '../../src/protocol/messages/offset-delete.ts';
import * as offsetFetch from '../../src/protocol/messages/offset-fetch.ts';
import * as offsetForLeaderEpoch from '../../src/protocol/messages/offset-for-leader-epoch.ts';
import * as produce from '../../src/protocol/messages/produce.ts';
import * as syncGroup from '../../src/protocol/messages/sync-group.ts';
import * as txnOffsetCommit from '../../src/protocol/messages/txn-offset-commit.ts';
import * as unregisterBroker from '../../src/protocol/messages/unregister-broker.ts';
import * as updateFeatures from '../../src/protocol/messages/update-features.ts';
import * as writeTxnMarkers from '../../src/protocol/messages/write-txn-markers.ts';
import type { MessageSchema } from '../../src/protocol/schema.ts';
import { frameOf, WireClient } from './wire-client.ts';

interface Probe {
  readonly request: MessageSchema<unknown>;
  readonly response: MessageSchema<unknown>;
  /** What to ask in a version; error codes in the answer must be 0, or `refusedWith`. */
  body(version: number): object;
  readonly refusedWith: number;
}

function probe<Request, Response>(
  request: MessageSchema<Request>,
  response: MessageSchema<Response>,
  body: (version: number) => object = () => ({}),
  refusedWith: number = Errors.NONE,
): Probe {
  return {
    request: request as MessageSchema<unknown>,
    response: response as MessageSchema<unknown>,
    body,
    refusedWith,
  };
}

const topic = (version: number) => `made-by-v${version}`;
const partition = { partitionIndex: 0, index: 0, partition: 0 };

/** A sensible request for each API; every version that the broker advertises is asked. */
const probes: readonly Probe[] = [
  probe(ApiVersionsRequest, ApiVersionsResponse, () => ({
    clientSoftwareName: 'probe',
    clientSoftwareVersion: '1.0',
  })),
  probe(createTopics.CreateTopicsRequest, createTopics.CreateTopicsResponse, (version) => ({
    topics: [{ name: topic(version), numPartitions: 2, replicationFactor: 1 }],
    timeoutMs: 5000,
  })),
  probe(metadata.MetadataRequest, metadata.MetadataResponse, (version) => ({
    topics: version === 0 ? [] : [{ name: 'probed' }],
    allowAutoTopicCreation: true,
  })),
  probe(produce.ProduceRequest, produce.ProduceResponse, () => ({ acks: 1, timeoutMs: 1000, topicData: [] })),
  probe(fetch.FetchRequest, fetch.FetchResponse, (version) => ({
    maxWaitMs: 0,
    minBytes: 0,
    topics:
      version >= 13
        ? []
        : [{ topic: 'probed', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }] }],
  })),
  probe(listOffsets.ListOffsetsRequest, listOffsets.ListOffsetsResponse, () => ({
    replicaId: -1,
    topics: [{ name: 'probed', partitions: [{ ...partition, timestamp: -1n }] }],
  })),
  probe(
    offsetForLeaderEpoch.OffsetForLeaderEpochRequest,
    offsetForLeaderEpoch.OffsetForLeaderEpochResponse,
    () => ({
      topics: [{ topic: 'probed', partitions: [{ partition: 0, leaderEpoch: 0 }] }],
    }),
  ),
  probe(findCoordinator.FindCoordinatorRequest, findCoordinator.FindCoordinatorResponse, (version) =>
    version >= 4 ? { coordinatorKeys: ['group'] } : { key: 'group' },
  ),
  probe(
    joinGroup.JoinGroupRequest,
    joinGroup.JoinGroupResponse,
    () => ({ groupId: 'group', sessionTimeoutMs: 6000, memberId: 'nobody', protocolType: 'consumer' }),
    Errors.UNKNOWN_MEMBER_ID,
  ),
  probe(
    syncGroup.SyncGroupRequest,
    syncGroup.SyncGroupResponse,
    () => ({ groupId: 'group', memberId: 'nobody', protocolType: 'consumer', protocolName: 'range' }),
    Errors.UNKNOWN_MEMBER_ID,
  ),
  probe(
    heartbeat.HeartbeatRequest,
    heartbeat.HeartbeatResponse,
    () => ({ groupId: 'group', memberId: 'nobody' }),
    Errors.UNKNOWN_MEMBER_ID,
  ),
  probe(
    consumerGroupHeartbeat.ConsumerGroupHeartbeatRequest,
    consumerGroupHeartbeat.ConsumerGroupHeartbeatResponse,
    () => ({ groupId: 'group', memberId: 'nobody', memberEpoch: 1 }),
    Errors.GROUP_ID_NOT_FOUND,
  ),
  probe(
    consumerGroupDescribe.ConsumerGroupDescribeRequest,
    consumerGroupDescribe.ConsumerGroupDescribeResponse,
    () => ({ groupIds: ['group'] }),
    Errors.GROUP_ID_NOT_FOUND,
  ),
  probe(
    leaveGroup.LeaveGroupRequest,
    leaveGroup.LeaveGroupResponse,
    (version) => ({ groupId: 'group', ...(version < 3 ? {} : { members: [{ memberId: 'nobody' }] }) }),
    Errors.UNKNOWN_MEMBER_ID,
  ),
  probe(offsetCommit.OffsetCommitRequest, offsetCommit.OffsetCommitResponse, (version) => ({
    groupId: 'group',
    topics:
      version >= 10
        ? []
        : [
            {
              name: 'probed',
              partitions: [{ partitionIndex: 0, committedOffset: 0, committedMetadata: '' }],
            },
          ],
  })),
  probe(offsetFetch.OffsetFetchRequest, offsetFetch.OffsetFetchResponse, (version) =>
    version >= 8
      ? { groups: [{ groupId: 'group', topics: null }] }
      : { groupId: 'group', topics: [{ name: 'probed', partitionIndexes: [0] }] },
  ),
  probe(offsetDelete.OffsetDeleteRequest, offsetDelete.OffsetDeleteResponse, () => ({
    groupId: 'group',
    topics: [{ name: 'probed', partitions: [{ partitionIndex: 0 }] }],
  })),
  probe(listGroups.ListGroupsRequest, listGroups.ListGroupsResponse),
  probe(describeGroups.DescribeGroupsRequest, describeGroups.DescribeGroupsResponse, () => ({
    groups: ['group'],
  })),
  probe(
    deleteGroups.DeleteGroupsRequest,
    deleteGroups.DeleteGroupsResponse,
    () => ({ groupsNames: ['no-group'] }),
    Errors.GROUP_ID_NOT_FOUND,
  ),
  probe(initProducerId.InitProducerIdRequest, initProducerId.InitProducerIdResponse, () => ({
    transactionalId: null,
    transactionTimeoutMs: 1000,
  })),
  probe(writeTxnMarkers.WriteTxnMarkersRequest, writeTxnMarkers.WriteTxnMarkersResponse, () => ({
    markers: [
      {
        producerId: 1_000_000n,
        producerEpoch: 0,
        transactionResult: false,
        coordinatorEpoch: 0,
        topics: [{ name: 'probed', partitionIndexes: [0] }],
      },
    ],
  })),
  probe(txnOffsetCommit.TxnOffsetCommitRequest, txnOffsetCommit.TxnOffsetCommitResponse, () => ({
    transactionalId: 'nobody',
    groupId: 'group',
    producerId: 1_000_000n,
    producerEpoch: 0,
    topics: [],
  })),
  probe(describeConfigs.DescribeConfigsRequest, describeConfigs.DescribeConfigsResponse, () => ({
    resources: [
      { resourceType: 2, resourceName: 'probed', configurationKeys: null },
      { resourceType: 4, resourceName: '1', configurationKeys: null },
    ],
  })),
  probe(alterConfigs.AlterConfigsRequest, alterConfigs.AlterConfigsResponse, () => ({
    resources: [{ resourceType: 2, resourceName: 'probed', configs: [{ name: 'retention.ms', value: '1' }] }],
  })),
  probe(
    incrementalAlterConfigs.IncrementalAlterConfigsRequest,
    incrementalAlterConfigs.IncrementalAlterConfigsResponse,
    () => ({
      resources: [
        {
          resourceType: 2,
          resourceName: 'probed',
          configs: [{ name: 'retention.ms', configOperation: 0, value: '2' }],
        },
      ],
    }),
  ),
  probe(createPartitions.CreatePartitionsRequest, createPartitions.CreatePartitionsResponse, (version) => ({
    topics: [{ name: 'probed', count: 2 + version, assignments: null }],
    timeoutMs: 5000,
  })),
  probe(describeCluster.DescribeClusterRequest, describeCluster.DescribeClusterResponse),
  probe(describeLogDirs.DescribeLogDirsRequest, describeLogDirs.DescribeLogDirsResponse, () => ({
    topics: null,
  })),
  probe(
    describeTopicPartitions.DescribeTopicPartitionsRequest,
    describeTopicPartitions.DescribeTopicPartitionsResponse,
    () => ({
      topics: [{ name: 'probed' }],
    }),
  ),
  probe(
    listPartitionReassignments.ListPartitionReassignmentsRequest,
    listPartitionReassignments.ListPartitionReassignmentsResponse,
  ),
  probe(describeQuorum.DescribeQuorumRequest, describeQuorum.DescribeQuorumResponse, () => ({
    topics: [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }],
  })),
  probe(updateFeatures.UpdateFeaturesRequest, updateFeatures.UpdateFeaturesResponse, () => ({
    timeoutMs: 1000,
  })),
  probe(deleteRecords.DeleteRecordsRequest, deleteRecords.DeleteRecordsResponse, () => ({
    topics: [{ name: 'probed', partitions: [{ partitionIndex: 0, offset: -1 }] }],
    timeoutMs: 5000,
  })),
  probe(
    describeAcls.DescribeAclsRequest,
    describeAcls.DescribeAclsResponse,
    () => ({ resourceTypeFilter: 1, operation: 1, permissionType: 1 }),
    Errors.SECURITY_DISABLED,
  ),
  probe(
    createAcls.CreateAclsRequest,
    createAcls.CreateAclsResponse,
    () => ({
      creations: [
        {
          resourceType: 2,
          resourceName: 'probed',
          principal: 'User:a',
          host: '*',
          operation: 3,
          permissionType: 3,
        },
      ],
    }),
    Errors.SECURITY_DISABLED,
  ),
  probe(
    deleteAcls.DeleteAclsRequest,
    deleteAcls.DeleteAclsResponse,
    () => ({ filters: [{ resourceTypeFilter: 1, operation: 1, permissionType: 1 }] }),
    Errors.SECURITY_DISABLED,
  ),
  probe(
    alterReplicaLogDirs.AlterReplicaLogDirsRequest,
    alterReplicaLogDirs.AlterReplicaLogDirsResponse,
    () => ({ dirs: [{ path: '/elsewhere', topics: [{ name: 'probed', partitions: [0] }] }] }),
    Errors.LOG_DIR_NOT_FOUND,
  ),
  probe(
    electLeaders.ElectLeadersRequest,
    electLeaders.ElectLeadersResponse,
    () => ({ topicPartitions: [{ topic: 'probed', partitions: [0] }], timeoutMs: 5000 }),
    Errors.ELECTION_NOT_NEEDED,
  ),
  probe(
    alterPartitionReassignments.AlterPartitionReassignmentsRequest,
    alterPartitionReassignments.AlterPartitionReassignmentsResponse,
    () => ({ topics: [{ name: 'probed', partitions: [{ partitionIndex: 0, replicas: [1] }] }] }),
  ),
  probe(
    describeClientQuotas.DescribeClientQuotasRequest,
    describeClientQuotas.DescribeClientQuotasResponse,
    () => ({ components: [{ entityType: 'user', matchType: 2, match: null }] }),
  ),
  probe(alterClientQuotas.AlterClientQuotasRequest, alterClientQuotas.AlterClientQuotasResponse, () => ({
    entries: [
      {
        entity: [{ entityType: 'user', entityName: 'probe' }],
        ops: [{ key: 'producer_byte_rate', value: 1e6, remove: false }],
      },
    ],
  })),
  probe(
    alterUserScramCredentials.AlterUserScramCredentialsRequest,
    alterUserScramCredentials.AlterUserScramCredentialsResponse,
    () => ({
      upsertions: [
        {
          name: 'probe',
          mechanism: 1,
          iterations: 4096,
          salt: Buffer.from('salt'),
          saltedPassword: Buffer.alloc(32, 1),
        },
      ],
    }),
  ),
  probe(
    describeUserScramCredentials.DescribeUserScramCredentialsRequest,
    describeUserScramCredentials.DescribeUserScramCredentialsResponse,
  ),
  probe(describeProducers.DescribeProducersRequest, describeProducers.DescribeProducersResponse, () => ({
    topics: [{ name: 'probed', partitionIndexes: [0] }],
  })),
  probe(
    addPartitionsToTxn.AddPartitionsToTxnRequest,
    addPartitionsToTxn.AddPartitionsToTxnResponse,
    (version) => {
      const topics = [{ name: 'probed', partitions: [0] }];
      return version >= 4
        ? { transactions: [{ transactionalId: 'probe', topics }] }
        : { v3AndBelowTransactionalId: 'probe', v3AndBelowTopics: topics };
    },
  ),
  // Nobody has asked for the coordinator yet, which makes its topic.
  probe(
    addOffsetsToTxn.AddOffsetsToTxnRequest,
    addOffsetsToTxn.AddOffsetsToTxnResponse,
    () => ({ transactionalId: 'probe', groupId: 'g' }),
    Errors.NOT_COORDINATOR,
  ),
  probe(
    endTxn.EndTxnRequest,
    endTxn.EndTxnResponse,
    () => ({ transactionalId: 'probe', committed: true }),
    Errors.NOT_COORDINATOR,
  ),
  probe(listTransactions.ListTransactionsRequest, listTransactions.ListTransactionsResponse),
  probe(
    describeTransactions.DescribeTransactionsRequest,
    describeTransactions.DescribeTransactionsResponse,
    () => ({ transactionalIds: ['probe'] }),
    Errors.NOT_COORDINATOR,
  ),
  probe(
    unregisterBroker.UnregisterBrokerRequest,
    unregisterBroker.UnregisterBrokerResponse,
    () => ({ brokerId: 77 }),
    Errors.BROKER_ID_NOT_REGISTERED,
  ),
  probe(listConfigResources.ListConfigResourcesRequest, listConfigResources.ListConfigResourcesResponse),
  probe(deleteTopics.DeleteTopicsRequest, deleteTopics.DeleteTopicsResponse, (version) =>
    version >= 6 ? { topics: [{ name: topic(6) }] } : { topicNames: [topic(version)], timeoutMs: 5000 },
  ),
];

/** All error codes anywhere in an answer. */
function errorCodesIn(value: unknown): number[] {
  if (Array.isArray(value)) return value.flatMap(errorCodesIn);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    name === 'errorCode' && typeof inner === 'number' ? [inner] : errorCodesIn(inner),
  );
}

describe('every advertised version of every API', () => {
  let broker: Broker;
  let client: WireClient;
  let advertised: readonly { apiKey: number; minVersion: number; maxVersion: number }[];

  beforeAll(async () => {
    broker = await startBroker();
    client = await WireClient.open(broker.bootstrapServers);
    const answer = await client.request(
      ApiVersionsRequest,
      ApiVersionsResponse,
      4,
      defaults(ApiVersionsRequest, { clientSoftwareName: 'probe', clientSoftwareVersion: '1' }),
    );
    advertised = answer.apiKeys;
    await client.request(
      createTopics.CreateTopicsRequest,
      createTopics.CreateTopicsResponse,
      5,
      defaults(createTopics.CreateTopicsRequest, {
        topics: [{ name: 'probed', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
      }),
    );
  });
  afterAll(async () => {
    client?.close();
    await broker?.stop();
  });

  it('has a probe here for each', () => {
    const known = probes.map(({ request }) => request.apiKey).sort((a, b) => a - b);
    expect(advertised.map(({ apiKey }) => apiKey).sort((a, b) => a - b)).toEqual(known);
  });

  it('starts at 0 wherever an old client may', () => {
    expect(advertised.filter(({ minVersion }) => minVersion !== 0)).toEqual([]);
  });

  it.each(probes.map((one) => [one.request.name, one] as const))(
    '%s is answered as it should be',
    async (_name, one) => {
      const { minVersion, maxVersion } = advertised.find(({ apiKey }) => apiKey === one.request.apiKey)!;
      for (let version = minVersion; version <= maxVersion; version++) {
        const body = defaults(one.request, one.body(version) as never);
        const answer = await client.request(one.request, one.response, version, body);
        const wrong = errorCodesIn(answer).filter((code) => code !== Errors.NONE && code !== one.refusedWith);
        expect([version, wrong]).toEqual([version, []]);
        if (one.refusedWith !== Errors.NONE) expect(errorCodesIn(answer)).toContain(one.refusedWith);
      }
    },
  );

  it.each([
    [
      'Metadata of all topics',
      13,
      probe(metadata.MetadataRequest, metadata.MetadataResponse, () => ({ topics: null })),
    ],
    [
      'CreateTopics, which goes to the controller',
      7,
      probe(createTopics.CreateTopicsRequest, createTopics.CreateTopicsResponse, () => ({
        topics: [{ name: 'longer', numPartitions: 1, replicationFactor: 1 }],
        timeoutMs: 5000,
      })),
    ],
  ])('does not look at bytes behind a request: %s', async (_name, version, { request, response, body }) => {
    const plain = frameOf(request, version, 7, defaults(request, body(version) as never));
    const longer = Buffer.concat([plain, Buffer.from([0, 0, 0])]);
    longer.writeInt32BE(longer.length - 4);
    client.write(longer);
    const answer = await client.answer(response, version, 7);
    expect(errorCodesIn(answer).filter((code) => code !== Errors.NONE)).toEqual([]);
  });

  it('answers an unknown ApiVersions version with error 35 in the shape of version 0', async () => {
    const frame = Buffer.from('0000000b0012270f0000002a000000', 'hex');
    client.write(frame);
    const answer = await client.answer(ApiVersionsResponse, 0, 42);
    expect(answer.errorCode).toBe(Errors.UNSUPPORTED_VERSION);
    expect(answer.apiKeys.map(({ apiKey }) => apiKey)).toEqual(advertised.map(({ apiKey }) => apiKey));
  });
});
