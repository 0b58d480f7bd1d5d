import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Broker, type Logger, startBroker } from '../../src/index.ts';
import { defaults } from '../../src/protocol/codec.ts';
import { Errors } from '../../src/protocol/errors.ts';
import {
  AlterClientQuotasRequest,
  AlterClientQuotasResponse,
} from '../../src/protocol/messages/alter-client-quotas.ts';
import {
  AlterReplicaLogDirsRequest,
  AlterReplicaLogDirsResponse,
} from '../../src/protocol/messages/alter-replica-log-dirs.ts';
import {
  AlterUserScramCredentialsRequest,
  AlterUserScramCredentialsResponse,
} from '../../src/protocol/messages/alter-user-scram-credentials.ts';
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/create-topics.ts';
import { DeleteRecordsRequest, DeleteRecordsResponse } from '../../src/protocol/messages/delete-records.ts';
import {
  DescribeClientQuotasRequest,
  DescribeClientQuotasResponse,
} from '../../src/protocol/messages/describe-client-quotas.ts';
import {
  DescribeLogDirsRequest,
  DescribeLogDirsResponse,
} from '../../src/protocol/messages/describe-log-dirs.ts';
import {
  DescribeProducersRequest,
  DescribeProducersResponse,
} from '../../src/protocol/messages/describe-producers.ts';
import {
  DescribeUserScramCredentialsRequest,
  DescribeUserScramCredentialsResponse,
} from '../../src/protocol/messages/describe-user-scram-credentials.ts';
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/fetch.ts';
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/metadata.ts';
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/produce.ts';
import {
  UnregisterBrokerRequest,
  UnregisterBrokerResponse,
} from '../../src/protocol/messages/unregister-broker.ts';
import { BatchBuilder } from '../../src/protocol/record-batch/index.ts';
import { WireClient } from './wire-client.ts';

/** What comes by itself is waited for until it is there; by default that would be a second. */
const PATIENCE = { timeout: 120_000 };

const TOPIC = 't';
const RECORDS = 5;

let folder: string;
let broker: Broker;
let client: WireClient;
let warnings: string[];

const logger: Logger = {
  debug: () => {},
  info: () => {},
  warn: (message) => warnings.push(message),
  error: () => {},
  child: () => logger,
};

async function start(): Promise<void> {
  warnings = [];
  const properties = { 'log.dirs': [dir('a'), dir('b')].join(',') };
  broker = await startBroker({ memory: false, properties, logger });
  client = await WireClient.open(broker.bootstrapServers);
}

async function restart(): Promise<void> {
  client.close();
  await broker.stop();
  await start();
}

const dir = (name: string) => join(folder, name);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'odradek-admin-'));
  await start();
});
afterEach(async () => {
  client.close();
  await broker.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function writeRecords(producerId = -1n): Promise<void> {
  const topics = [{ name: TOPIC, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }];
  await client.request(
    CreateTopicsRequest,
    CreateTopicsResponse,
    7,
    defaults(CreateTopicsRequest, { topics, timeoutMs: 5000 }),
  );
  const builder = new BatchBuilder(producerId < 0n ? {} : { producerId, producerEpoch: 3, baseSequence: 0 });
  for (let i = 0; i < RECORDS; i++)
    builder.append({ timestamp: 1_700_000_000_000n, value: Buffer.from(`${i}`) });
  const topicData = [{ name: TOPIC, partitionData: [{ index: 0, records: builder.build() }] }];
  const answer = await client.request(
    ProduceRequest,
    ProduceResponse,
    9,
    defaults(ProduceRequest, { acks: -1, timeoutMs: 5000, topicData }),
  );
  expect(answer.responses[0]?.partitionResponses[0]?.errorCode).toBe(Errors.NONE);
}

async function deleteRecords(offset: number) {
  const topics = [{ name: TOPIC, partitions: [{ partitionIndex: 0, offset }] }];
  const answer = await client.request(DeleteRecordsRequest, DeleteRecordsResponse, 2, {
    topics,
    timeoutMs: 5000,
  });
  return answer.topics[0]!.partitions[0]!;
}

async function fetchError(fetchOffset: number): Promise<number> {
  const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: 1000 }];
  const answer = await client.request(
    FetchRequest,
    FetchResponse,
    11,
    defaults(FetchRequest, { maxWaitMs: 0, topics: [{ topic: TOPIC, partitions }] } as never),
  );
  return answer.responses[0]!.partitions[0]!.errorCode;
}

it('deleted records are out of range, also after a restart', async () => {
  await writeRecords();
  expect(await deleteRecords(3)).toMatchObject({ errorCode: 0, lowWatermark: 3 });
  expect(await deleteRecords(1)).toMatchObject({ errorCode: 0, lowWatermark: 3 });
  expect(await deleteRecords(RECORDS + 1)).toMatchObject({
    errorCode: Errors.OFFSET_OUT_OF_RANGE,
    lowWatermark: -1,
  });
  await restart();
  expect([await fetchError(2), await fetchError(3)]).toEqual([Errors.OFFSET_OUT_OF_RANGE, Errors.NONE]);
  expect(await deleteRecords(-1)).toMatchObject({ errorCode: 0, lowWatermark: RECORDS });
});

it('a replica goes to the log dir that is asked for, and who asks for none of them is refused', async () => {
  await writeRecords();
  const homeNow = async () => {
    const body = { topics: null };
    const described = await client.request(DescribeLogDirsRequest, DescribeLogDirsResponse, 4, body);
    const holds = ({ topics }: { topics: readonly unknown[] }) => topics.length > 0;
    return described.results.filter(holds).map(({ logDir }) => logDir);
  };
  const home = (await homeNow())[0]!;
  const other = [dir('a'), dir('b')].find((one) => one !== home)!;
  const move = async (path: string, name = TOPIC) => {
    const dirs = [{ path, topics: [{ name, partitions: [0] }] }];
    const answer = await client.request(AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, 2, { dirs });
    return answer.results[0]!.partitions[0]!.errorCode;
  };
  expect(await move(home)).toBe(Errors.NONE);
  expect(await move(other)).toBe(Errors.NONE);
  await vi.waitUntil(async () => (await homeNow()).join() === other, PATIENCE);
  expect(warnings).toEqual([]);
  expect(await move('/elsewhere')).toBe(Errors.LOG_DIR_NOT_FOUND);
  expect(await move(home, 'never-was')).toBe(Errors.UNKNOWN_TOPIC_OR_PARTITION);
});

it('quotas and credentials survive a restart, and it is said once that they have no effect yet', async () => {
  const entity = [{ entityType: 'user', entityName: 'ann' }];
  const setQuota = (value: number) =>
    client.request(AlterClientQuotasRequest, AlterClientQuotasResponse, 1, {
      entries: [{ entity, ops: [{ key: 'producer_byte_rate', value, remove: false }] }],
      validateOnly: false,
    });
  await setQuota(1);
  await setQuota(2);
  const credential = { name: 'bob', mechanism: 2, iterations: 5000 };
  await client.request(AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse, 0, {
    deletions: [],
    upsertions: [{ ...credential, salt: Buffer.from('salt'), saltedPassword: Buffer.alloc(64, 1) }],
  });
  const said = [expect.stringContaining('quotas'), expect.stringContaining('SCRAM')];
  expect(warnings).toEqual(said);
  await restart();
  expect(warnings).toEqual(said);
  const quotas = await client.request(DescribeClientQuotasRequest, DescribeClientQuotasResponse, 1, {
    components: [],
    strict: false,
  });
  expect(quotas.entries).toEqual([{ entity, values: [{ key: 'producer_byte_rate', value: 2 }] }]);
  const users = await client.request(
    DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
    0,
    { users: null },
  );
  expect(users.results).toMatchObject([
    { user: 'bob', errorCode: 0, credentialInfos: [{ mechanism: 2, iterations: 5000 }] },
  ]);
});

it('the producers of a partition are told with their last sequence', async () => {
  await writeRecords(7n);
  const answer = await client.request(DescribeProducersRequest, DescribeProducersResponse, 0, {
    topics: [{ name: TOPIC, partitionIndexes: [0] }],
  });
  expect(answer.topics[0]?.partitions[0]?.activeProducers).toEqual([
    {
      producerId: 7n,
      producerEpoch: 3,
      lastSequence: RECORDS - 1,
      lastTimestamp: 1_700_000_000_000n,
      coordinatorEpoch: -1,
      currentTxnStartOffset: -1,
    },
  ]);
});

it('a broker that was unregistered is back after its restart', async () => {
  await writeRecords();
  const answer = await client.request(UnregisterBrokerRequest, UnregisterBrokerResponse, 0, { brokerId: 1 });
  expect(answer.errorCode).toBe(Errors.NONE);
  const describe = () =>
    client.request(MetadataRequest, MetadataResponse, 12, defaults(MetadataRequest, { topics: null }));
  expect((await describe()).brokers).toEqual([]);
  await restart();
  const { brokers, topics } = await describe();
  expect(brokers.map(({ nodeId }) => nodeId)).toEqual([1]);
  expect(topics[0]?.partitions.map(({ leaderId }) => leaderId)).toEqual([1]);
  expect(await fetchError(RECORDS)).toBe(Errors.NONE);
});
