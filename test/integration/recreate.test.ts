import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Broker, startBroker } from '../../src/index.ts';
import { defaults } from '../../src/protocol/codec.ts';
import { Errors } from '../../src/protocol/errors.ts';
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/create-topics.ts';
import { DeleteTopicsRequest, DeleteTopicsResponse } from '../../src/protocol/messages/delete-topics.ts';
import {
  DescribeConfigsRequest,
  DescribeConfigsResponse,
} from '../../src/protocol/messages/describe-configs.ts';
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/metadata.ts';
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/produce.ts';
import { BatchBuilder } from '../../src/protocol/record-batch/index.ts';
import { WireClient } from './wire-client.ts';

/** What comes by itself is waited for until it is there; by default that would be a second. */
const PATIENCE = { timeout: 120_000 };

const PARTITIONS = 4;

function batch(): Buffer {
  const builder = new BatchBuilder({ baseOffset: 0 });
  builder.append({ timestamp: 1_700_000_000_000n, key: null, value: Buffer.from('value') });
  return builder.build();
}

const create = (client: WireClient, configs: readonly { name: string; value: string }[] = []) =>
  client.request(
    CreateTopicsRequest,
    CreateTopicsResponse,
    7,
    defaults(CreateTopicsRequest, {
      topics: [{ name: 't', numPartitions: PARTITIONS, replicationFactor: 1, assignments: [], configs }],
      timeoutMs: 5000,
    }),
  );

const SETTINGS = ['retention.ms', 'cleanup.policy'];

const settings = async (client: WireClient) => {
  const { results } = await client.request(
    DescribeConfigsRequest,
    DescribeConfigsResponse,
    4,
    defaults(DescribeConfigsRequest, {
      resources: [{ resourceType: 2, resourceName: 't', configurationKeys: SETTINGS }],
    }),
  );
  return Object.fromEntries(results[0]!.configs.map(({ name, value }) => [name, value]));
};

const remove = (client: WireClient) =>
  client.request(
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    6,
    defaults(DeleteTopicsRequest, { topics: [{ name: 't' }], timeoutMs: 5000 }),
  );

const produce = async (client: WireClient) => {
  const { responses } = await client.request(
    ProduceRequest,
    ProduceResponse,
    9,
    defaults(ProduceRequest, {
      acks: -1,
      timeoutMs: 5000,
      topicData: [
        {
          name: 't',
          partitionData: Array.from({ length: PARTITIONS }, (_, index) => ({ index, records: batch() })),
        },
      ],
    }),
  );
  return responses[0]!.partitionResponses;
};

const describeTopic = async (client: WireClient, allowAutoTopicCreation = false) => {
  const { topics } = await client.request(
    MetadataRequest,
    MetadataResponse,
    12,
    defaults(MetadataRequest, { topics: [{ name: 't' }], allowAutoTopicCreation }),
  );
  return topics![0]!;
};

/** Without the one that a new folder begins with. */
const snapshotsIn = (dir: string) =>
  readdirSync(join(dir, '__cluster_metadata-0')).filter((name) => /^0+[1-9]\d*-\d+\.checkpoint$/.test(name))
    .length;

let dataDir: string;
let broker: Broker;

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'odradek-recreate-'));
  broker = await startBroker({ dataDir });
});
afterEach(async () => {
  await broker.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

it('a topic created on its first use has leaders in the same Metadata answer, and takes records at once', async () => {
  const client = await WireClient.open(broker.bootstrapServers);
  const topic = await describeTopic(client, true);
  expect(topic.errorCode).toBe(Errors.NONE);
  expect(topic.partitions.map(({ errorCode, leaderId }) => ({ errorCode, leaderId }))).toEqual([
    { errorCode: Errors.NONE, leaderId: 1 },
  ]);
  expect((await produce(client))[0]?.errorCode).toBe(Errors.NONE);
  client.close();
});

it('a deleted topic is created again at once under load, each time empty and with an id of its own', async () => {
  const admin = await WireClient.open(broker.bootstrapServers);
  expect((await create(admin)).topics[0]?.errorCode).toBe(Errors.NONE);
  let goesOn = true;
  const strange = new Set<number>();
  const writers = [1, 2].map(async () => {
    const client = await WireClient.open(broker.bootstrapServers);
    while (goesOn) {
      for (const { errorCode } of await produce(client)) {
        if (errorCode !== Errors.NONE && errorCode !== Errors.UNKNOWN_TOPIC_OR_PARTITION)
          strange.add(errorCode);
      }
    }
    client.close();
  });
  const ids: string[] = [];
  for (let round = 0; round < 20; round++) {
    expect((await remove(admin)).responses[0]?.errorCode).toBe(Errors.NONE);
    const created = (await create(admin)).topics[0]!;
    expect(created.errorCode).toBe(Errors.NONE);
    ids.push(created.topicId);
    const topic = await describeTopic(admin);
    expect([topic.topicId, topic.partitions.map(({ leaderId }) => leaderId)]).toEqual([
      created.topicId,
      [1, 1, 1, 1],
    ]);
    expect((await produce(admin)).map(({ errorCode }) => errorCode)).toEqual([0, 0, 0, 0]);
  }
  goesOn = false;
  await Promise.all(writers);
  expect([...strange]).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
  // The last one of them, and nothing of those before it, is there after a restart.
  expect((await remove(admin)).responses[0]?.errorCode).toBe(Errors.NONE);
  const { topicId } = (await create(admin)).topics[0]!;
  await produce(admin);
  admin.close();
  await broker.stop();
  broker = await startBroker({ dataDir });
  const again = await WireClient.open(broker.bootstrapServers);
  expect((await describeTopic(again)).topicId).toBe(topicId);
  expect((await produce(again)).map(({ baseOffset }) => baseOffset)).toEqual([1, 1, 1, 1]);
  expect((await remove(again)).responses[0]?.errorCode).toBe(Errors.NONE);
  expect((await create(again)).topics[0]).toMatchObject({ errorCode: Errors.NONE });
  expect((await describeTopic(again)).topicId).not.toBe(topicId);
  expect((await produce(again)).map(({ baseOffset }) => baseOffset)).toEqual([0, 0, 0, 0]);
  again.close();
});

it("a topic created again has none of its namesake's settings, also after a restart from the log and from a snapshot", async () => {
  const changed = [
    { name: 'retention.ms', value: '5000' },
    { name: 'cleanup.policy', value: 'compact' },
  ];
  const theirs = { 'retention.ms': '5000', 'cleanup.policy': 'compact' };
  const plain = { 'retention.ms': '604800000', 'cleanup.policy': 'delete' };
  let client = await WireClient.open(broker.bootstrapServers);
  expect((await create(client, changed)).topics[0]?.errorCode).toBe(Errors.NONE);
  expect(await settings(client)).toEqual(theirs);
  expect((await remove(client)).responses[0]?.errorCode).toBe(Errors.NONE);
  expect((await create(client)).topics[0]?.errorCode).toBe(Errors.NONE);
  expect(await settings(client)).toEqual(plain);
  // The second start replays the log and takes a snapshot with its first records, the third one loads that.
  for (let restart = 0; restart < 2; restart++) {
    client.close();
    await broker.stop();
    const properties = { 'metadata.log.max.record.bytes.between.snapshots': 1 };
    broker = await startBroker({ dataDir, properties });
    client = await WireClient.open(broker.bootstrapServers);
    expect(await settings(client)).toEqual(plain);
    await vi.waitFor(() => expect(snapshotsIn(dataDir)).toBeGreaterThan(restart), PATIENCE);
  }
  client.close();
});
