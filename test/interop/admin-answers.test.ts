import { expect } from 'vitest';
import { defaults } from '../../src/protocol/codec.ts';
import * as alterClientQuotas from '../../src/protocol/messages/alter-client-quotas.ts';
import * as alterPartitionReassignments from '../../src/protocol/messages/alter-partition-reassignments.ts';
import * as alterReplicaLogDirs from '../../src/protocol/messages/alter-replica-log-dirs.ts';
import * as alterUserScramCredentials from '../../src/protocol/messages/alter-user-scram-credentials.ts';
import * as apiVersions from '../../src/protocol/messages/api-versions.ts';
import * as createAcls from '../../src/protocol/messages/create-acls.ts';
import * as deleteAcls from '../../src/protocol/messages/delete-acls.ts';
import * as deleteRecords from '../../src/protocol/messages/delete-records.ts';
import * as describeAcls from '../../src/protocol/messages/describe-acls.ts';
import * as describeClientQuotas from '../../src/protocol/messages/describe-client-quotas.ts';
import * as describeCluster from '../../src/protocol/messages/describe-cluster.ts';
import * as describeConfigs from '../../src/protocol/messages/describe-configs.ts';
import * as describeLogDirs from '../../src/protocol/messages/describe-log-dirs.ts';
import * as describeProducers from '../../src/protocol/messages/describe-producers.ts';
import * as describeUserScramCredentials from '../../src/protocol/messages/describe-user-scram-credentials.ts';
import * as electLeaders from '../../src/protocol/messages/elect-leaders.ts';
import * as listConfigResources from '../../src/protocol/messages/list-config-resources.ts';
import * as listOffsets from '../../src/protocol/messages/list-offsets.ts';
import * as listPartitionReassignments from '../../src/protocol/messages/list-partition-reassignments.ts';
import * as unregisterBroker from '../../src/protocol/messages/unregister-broker.ts';
import type { MessageSchema } from '../../src/protocol/schema.ts';
import { WireClient } from '../integration/wire-client.ts';
import { apacheMissing } from './support/apache.ts';
import { batch } from './support/batch.ts';
import { caughtUp } from './support/caught-up.ts';
import { compareBrokers, type Observations } from './support/compare.ts';
import type { Target } from './support/target.ts';
import { makeTopics, produce, RawConnection } from './support/wire.ts';

/** One request and the versions of it that are asked: all that both brokers serve. */
interface Question {
  readonly name: string;
  readonly request: MessageSchema<unknown>;
  readonly response: MessageSchema<unknown>;
  readonly body: object;
  readonly from: number;
  readonly to: number;
  readonly controller: boolean;
}

interface Asked {
  /** The first version that has room for the body; default 0. */
  readonly from?: number;
  readonly to?: number;
  /** Ask the controller's listener. */
  readonly controller?: boolean;
}

function question<Request, Response>(
  request: MessageSchema<Request>,
  response: MessageSchema<Response>,
  name: string,
  body: object,
  { from = 0, to = request.lastVersion, controller = false }: Asked = {},
): Question {
  return {
    name: `${request.name.replace(/Request$/, '')}: ${name}`,
    request: request as MessageSchema<unknown>,
    response: response as MessageSchema<unknown>,
    body,
    from,
    to,
    controller,
  };
}

const TOPIC = 'asked';
const EMPTY = 'empty';
const UNKNOWN = 'never-was';
const INTERNAL = '__consumer_offsets';
const PREFERRED = 0;
const UNCLEAN = 1;

const deletion = (name: string, topic: string, partitionIndex: number, offset: number) =>
  question(deleteRecords.DeleteRecordsRequest, deleteRecords.DeleteRecordsResponse, name, {
    topics: [{ name: topic, partitions: [{ partitionIndex, offset }] }],
    timeoutMs: 5000,
  });

const deletions = [
  deletion('nothing', TOPIC, 0, 0),
  deletion('two records', TOPIC, 0, 2),
  deletion('backwards', TOPIC, 0, 1),
  deletion('beyond the end', TOPIC, 0, 99),
  deletion('a negative offset', TOPIC, 0, -2),
  deletion('an unknown topic', UNKNOWN, 0, 0),
  deletion('an unknown partition', TOPIC, 7, 0),
  deletion('a negative partition', TOPIC, -1, 0),
  deletion('an internal topic', INTERNAL, 0, 0),
  deletion('a compacted topic', 'compacted', 0, 0),
  deletion('a topic both compacted and deleted', 'both', 0, 0),
];

const times = [-1, -2, -3, -4, -5, -6, -7, 0].flatMap((timestamp) =>
  [TOPIC, EMPTY].map((name) =>
    question(
      listOffsets.ListOffsetsRequest,
      listOffsets.ListOffsetsResponse,
      `time ${timestamp} of ${name}`,
      {
        replicaId: -1,
        topics: [{ name, partitions: [{ partitionIndex: 0, timestamp: BigInt(timestamp) }] }],
      },
      { from: 1 },
    ),
  ),
);

const resources = [
  question(
    listConfigResources.ListConfigResourcesRequest,
    listConfigResources.ListConfigResourcesResponse,
    'all',
    {},
  ),
  ...[2, 4, 8, 16, 32, 1, 0, 99].map((type) =>
    question(
      listConfigResources.ListConfigResourcesRequest,
      listConfigResources.ListConfigResourcesResponse,
      `type ${type}`,
      { resourceTypes: [type] },
      { from: 1 },
    ),
  ),
];

const election = (name: string, body: object, from = 0) =>
  question(electLeaders.ElectLeadersRequest, electLeaders.ElectLeadersResponse, name, body, { from });
const elections = [
  election('preferred', { topicPartitions: [{ topic: TOPIC, partitions: [0] }] }),
  election('unclean', { electionType: UNCLEAN, topicPartitions: [{ topic: TOPIC, partitions: [0] }] }, 1),
  election('all', { electionType: PREFERRED, topicPartitions: null }),
  election('unknown topic', { topicPartitions: [{ topic: UNKNOWN, partitions: [0, 1] }] }),
  election('unknown partition', { topicPartitions: [{ topic: TOPIC, partitions: [9] }] }),
  election('unknown kind', { electionType: 7, topicPartitions: [{ topic: TOPIC, partitions: [0] }] }, 1),
];

const reassignment = (
  name: string,
  topic: string,
  partitionIndex: number,
  replicas: number[] | null,
  more = {},
) =>
  question(
    alterPartitionReassignments.AlterPartitionReassignmentsRequest,
    alterPartitionReassignments.AlterPartitionReassignmentsResponse,
    name,
    { topics: [{ name: topic, partitions: [{ partitionIndex, replicas }] }], ...more },
    'allowReplicationFactorChange' in more ? { from: 1 } : {},
  );
const reassignments = [
  reassignment('the same', TOPIC, 0, [1]),
  reassignment('cancelled', TOPIC, 0, null),
  reassignment('an unknown broker', TOPIC, 0, [5]),
  reassignment('no replicas', TOPIC, 0, []),
  reassignment('one broker twice', TOPIC, 0, [1, 1]),
  reassignment('unknown topic', UNKNOWN, 0, [1]),
  reassignment('unknown partition', TOPIC, 9, [1]),
  reassignment('the same factor', TOPIC, 0, [1], { allowReplicationFactorChange: false }),
  question(
    listPartitionReassignments.ListPartitionReassignmentsRequest,
    listPartitionReassignments.ListPartitionReassignmentsResponse,
    'all',
    { topics: null },
  ),
];

const move = (name: string, path: string, topic: string, partition: number) =>
  question(
    alterReplicaLogDirs.AlterReplicaLogDirsRequest,
    alterReplicaLogDirs.AlterReplicaLogDirsResponse,
    name,
    { dirs: [{ path, topics: [{ name: topic, partitions: [partition] }] }] },
    { from: 1 },
  );
const moves = (dataDir: string) => [
  move('the same dir', dataDir, TOPIC, 0),
  move('an unknown dir', '/no/such/dir', TOPIC, 0),
  move('an unknown topic', dataDir, UNKNOWN, 0),
  move('an unknown partition', dataDir, TOPIC, 9),
  move('a name that is too long', dataDir, 'x'.repeat(240), 0),
];

type Part = readonly [entityType: string, entityName: string | null];
const entityOf = (parts: readonly Part[]) =>
  parts.map(([entityType, entityName]) => ({ entityType, entityName }));
const quota = (name: string, parts: readonly Part[], key: string, value: number | null) =>
  question(alterClientQuotas.AlterClientQuotasRequest, alterClientQuotas.AlterClientQuotasResponse, name, {
    entries: [{ entity: entityOf(parts), ops: [{ key, value: value ?? 0, remove: value === null }] }],
    validateOnly: false,
  });
const filter = (
  name: string,
  components: readonly (readonly [string, number, string | null])[],
  strict = false,
) =>
  question(
    describeClientQuotas.DescribeClientQuotasRequest,
    describeClientQuotas.DescribeClientQuotasResponse,
    name,
    {
      components: components.map(([entityType, matchType, match]) => ({ entityType, matchType, match })),
      strict,
    },
  );
const quotas = [
  quota('a user', [['user', 'ann']], 'producer_byte_rate', 1000),
  quota('a default', [['user', null]], 'consumer_byte_rate', 5),
  quota(
    'a pair',
    [
      ['user', 'ann'],
      ['client-id', 'c'],
    ],
    'request_percentage',
    1.5,
  ),
  quota('an address', [['ip', '10.1.1.1']], 'connection_creation_rate', 3),
  quota('zero', [['user', 'ann']], 'producer_byte_rate', 0),
  quota('negative', [['user', 'ann']], 'producer_byte_rate', -1),
  quota('a fraction', [['user', 'ann']], 'producer_byte_rate', 0.5),
  quota('a fraction of an integer', [['ip', '10.1.1.1']], 'connection_creation_rate', 0.5),
  quota('too large', [['ip', '10.1.1.1']], 'connection_creation_rate', 2 ** 31),
  quota('too large for a long', [['user', 'ann']], 'producer_byte_rate', 2 ** 63 * 1.1),
  quota('an unknown key', [['user', 'ann']], 'no_such', 1),
  quota("another entity's key", [['user', 'ann']], 'connection_creation_rate', 1),
  quota('an unknown type', [['group', 'g']], 'producer_byte_rate', 1),
  quota('no entity', [], 'producer_byte_rate', 1),
  quota('an empty name', [['user', '']], 'producer_byte_rate', 1),
  quota(
    'an address and a user',
    [
      ['ip', '10.1.1.1'],
      ['user', 'ann'],
    ],
    'connection_creation_rate',
    1,
  ),
  quota('no address', [['ip', '1.2.3.456']], 'connection_creation_rate', 1),
  quota('what is not there', [['user', 'nobody']], 'producer_byte_rate', null),
  filter('all', []),
  filter('all strictly', [], true),
  filter('a user', [['user', 0, 'ann']]),
  filter('a user strictly', [['user', 0, 'ann']], true),
  filter('the default', [['user', 1, null]]),
  filter('any user', [['user', 2, null]]),
  filter('an address', [['ip', 2, null]]),
  filter('a user and an address', [
    ['user', 2, null],
    ['ip', 2, null],
  ]),
  filter('a type twice', [
    ['user', 2, null],
    ['user', 1, null],
  ]),
  filter('an unknown type', [['group', 2, null]]),
  filter('an empty type', [['', 2, null]]),
  filter('an unknown match', [['user', 5, null]]),
  filter('an exact match of nothing', [['user', 0, null]]),
  filter('a default with a name', [['user', 1, 'ann']]),
];

const credentials = (deletions: object[], upsertions: object[]) => ({ deletions, upsertions });
const upsertion = (name: string, mechanism: number, iterations: number) => ({
  name,
  mechanism,
  iterations,
  salt: Buffer.from('salt'),
  saltedPassword: Buffer.alloc(32, 1),
});
const alter = (name: string, deletions: object[], upsertions: object[]) =>
  question(
    alterUserScramCredentials.AlterUserScramCredentialsRequest,
    alterUserScramCredentials.AlterUserScramCredentialsResponse,
    name,
    credentials(deletions, upsertions),
  );
const describeUsers = (name: string, users: readonly string[] | null) =>
  question(
    describeUserScramCredentials.DescribeUserScramCredentialsRequest,
    describeUserScramCredentials.DescribeUserScramCredentialsResponse,
    name,
    { users: users?.map((user) => ({ name: user })) ?? null },
  );
const scram = [
  alter('set', [], [upsertion('bob', 1, 4096), upsertion('carol', 2, 16_384)]),
  alter('too few', [], [upsertion('bob', 1, 4095)]),
  alter('too many', [], [upsertion('bob', 2, 16_385)]),
  alter('an empty name', [], [upsertion('', 1, 4096)]),
  alter('an unknown mechanism', [], [upsertion('bob', 3, 4096)]),
  alter('deleting nothing', [{ name: 'dan', mechanism: 1 }], []),
  alter('the same user twice', [{ name: 'bob', mechanism: 1 }], [upsertion('bob', 1, 4096)]),
  describeUsers('all', null),
  describeUsers('none named', []),
  describeUsers('one', ['carol']),
  describeUsers('unknown', ['nobody']),
  describeUsers('twice', ['bob', 'bob']),
  alter('deleting', [{ name: 'bob', mechanism: 1 }], []),
  describeUsers('what is left', null),
];

const anyAcl = { resourceTypeFilter: 1, operation: 1, permissionType: 1 };
const acls = [
  question(describeAcls.DescribeAclsRequest, describeAcls.DescribeAclsResponse, 'all', anyAcl, { from: 1 }),
  question(
    createAcls.CreateAclsRequest,
    createAcls.CreateAclsResponse,
    'two',
    {
      creations: ['a', 'b'].map((resourceName) => ({
        resourceType: 2,
        resourceName,
        principal: 'User:a',
        host: '*',
        operation: 3,
        permissionType: 3,
      })),
    },
    { from: 1 },
  ),
  question(
    deleteAcls.DeleteAclsRequest,
    deleteAcls.DeleteAclsResponse,
    'two',
    { filters: [anyAcl, anyAcl] },
    { from: 1 },
  ),
];

const producersOf = (name: string, topic: string, partition: number) =>
  question(describeProducers.DescribeProducersRequest, describeProducers.DescribeProducersResponse, name, {
    topics: [{ name: topic, partitionIndexes: [partition] }],
  });
const producers = [
  producersOf('some', TOPIC, 0),
  producersOf('nobody', EMPTY, 0),
  producersOf('unknown topic', UNKNOWN, 0),
  producersOf('unknown partition', TOPIC, 9),
  producersOf('a wrong name', 'a/b', 0),
];

const clusterOf = (name: string, body: object, asked: Asked = {}) =>
  question(
    describeCluster.DescribeClusterRequest,
    describeCluster.DescribeClusterResponse,
    name,
    body,
    asked,
  );
/** What consoles and tools ask first. */
const openings = [
  clusterOf('brokers', {}),
  clusterOf('operations', { includeClusterAuthorizedOperations: true }),
  clusterOf('fenced too', { includeFencedBrokers: true }, { from: 2 }),
  clusterOf('controllers of a broker', { endpointType: 2 }, { from: 1 }),
  clusterOf('an unknown endpoint type', { endpointType: 3 }, { from: 1 }),
  clusterOf(
    'controllers',
    { endpointType: 2, includeClusterAuthorizedOperations: true },
    { from: 1, controller: true },
  ),
  clusterOf('brokers of a controller', {}, { controller: true }),
  question(
    describeConfigs.DescribeConfigsRequest,
    describeConfigs.DescribeConfigsResponse,
    'a topic',
    { resources: [{ resourceType: 2, resourceName: TOPIC, configurationKeys: null }], includeSynonyms: true },
    { from: 1 },
  ),
  question(
    describeConfigs.DescribeConfigsRequest,
    describeConfigs.DescribeConfigsResponse,
    'some of a broker',
    {
      resources: [
        { resourceType: 4, resourceName: '1', configurationKeys: ['log.dirs', 'num.partitions', 'no.such'] },
      ],
    },
    { from: 1 },
  ),
  question(
    describeLogDirs.DescribeLogDirsRequest,
    describeLogDirs.DescribeLogDirsResponse,
    'a topic',
    {
      topics: [
        { topic: TOPIC, partitions: [0, 5] },
        { topic: UNKNOWN, partitions: [0] },
      ],
    },
    { from: 1 },
  ),
  question(unregisterBroker.UnregisterBrokerRequest, unregisterBroker.UnregisterBrokerResponse, 'unknown', {
    brokerId: 7,
  }),
];

async function observe(target: Target): Promise<Observations> {
  const configs = (policy: string) => ({ 'cleanup.policy': policy });
  await makeTopics(target.port, [
    { name: TOPIC, partitions: 2 },
    { name: EMPTY },
    { name: 'compacted', configs: configs('compact') },
    { name: 'both', configs: configs('compact,delete') },
  ]);
  const writer = await RawConnection.open(target.port);
  const records = Array.from({ length: 5 }, (_, i) => ({ value: `v${i}` }));
  await writer.ask(produce(7, [{ topic: TOPIC, partition: 0, records: batch({ records }) }], { acks: -1 }));
  writer.close();
  const clients = {
    broker: await WireClient.open(target.bootstrap),
    controller: await WireClient.open(`127.0.0.1:${target.port + 1}`),
  };
  const served = { broker: await rangesOf(clients.broker), controller: await rangesOf(clients.controller) };
  const seen: Observations = {};
  const questions = [
    ...deletions,
    ...times,
    ...resources,
    ...elections,
    ...reassignments,
    ...moves(target.dataDir),
    ...quotas,
    ...scram,
    ...acls,
    ...producers,
    ...openings,
  ];
  for (const one of questions) {
    const kind = one.controller ? 'controller' : 'broker';
    const range = served[kind].get(one.request.apiKey);
    for (let version = one.from; version <= one.to; version++) {
      const step = `${one.name}, v${version}`;
      if (range === undefined || version < range.min || version > range.max) continue;
      const body = defaults(one.request, one.body as never);
      const answer = await clients[kind].request(one.request, one.response, version, body);
      seen[step] = plain(answer, target);
      if (isChange(one)) await caughtUp(target.port);
    }
  }
  clients.broker.close();
  clients.controller.close();
  return seen;
}

/** Apache Kafka's broker hears of it after its answer. */
const isChange = ({ request }: Question): boolean => /^(Alter|Elect|Unregister)/.test(request.name);

async function rangesOf(client: WireClient): Promise<ReadonlyMap<number, { min: number; max: number }>> {
  const { ApiVersionsRequest, ApiVersionsResponse } = apiVersions;
  const who = { clientSoftwareName: 'interop', clientSoftwareVersion: '1' };
  const answer = await client.request(
    ApiVersionsRequest,
    ApiVersionsResponse,
    4,
    defaults(ApiVersionsRequest, who),
  );
  return new Map(
    answer.apiKeys.map(({ apiKey, minVersion, maxVersion }) => [
      apiKey,
      { min: minVersion, max: maxVersion },
    ]),
  );
}

/** As JSON, without ids, sizes and the data folder's name, and with lists in one order. */
function plain(value: unknown, target: Target, key = ''): unknown {
  if (typeof value === 'bigint') return String(value);
  if (key === 'clusterId') return value === '' ? '' : '<id>';
  if (key === 'totalBytes' || key === 'usableBytes') return Number(value) > 0 ? '<bytes>' : value;
  if (typeof value === 'string') return value.replaceAll(target.dataDir, '<data>');
  if (Array.isArray(value)) {
    const text = (one: unknown): string => JSON.stringify(one);
    return value.map((one) => plain(one, target)).sort((a, b) => (text(a) < text(b) ? -1 : 1));
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner, target, name)]));
}

await compareBrokers({
  title: 'answers to admin requests',
  missing: await apacheMissing(),
  observe,
  expectations(seen) {
    expect(seen['DeleteRecords: two records, v2']).toMatchObject({
      topics: [{ partitions: [{ lowWatermark: 2, errorCode: 0 }] }],
    });
    expect(seen['DescribeClientQuotas: all, v1']).toMatchObject({ entries: { length: 4 } });
  },
});
