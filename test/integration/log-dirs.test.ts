import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Broker, startBroker } from '../../src/index.ts';
import { defaults } from '../../src/protocol/codec.ts';
import { type ErrorCode, Errors } from '../../src/protocol/errors.ts';
import {
  AlterReplicaLogDirsRequest,
  AlterReplicaLogDirsResponse,
} from '../../src/protocol/messages/alter-replica-log-dirs.ts';
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/create-topics.ts';
import {
  DescribeLogDirsRequest,
  DescribeLogDirsResponse,
} from '../../src/protocol/messages/describe-log-dirs.ts';
import { FetchRequest, FetchResponse } from '../../src/protocol/messages/fetch.ts';
import {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../../src/protocol/messages/incremental-alter-configs.ts';
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/produce.ts';
import { BatchBuilder, batchPositions } from '../../src/protocol/record-batch/index.ts';
import { WireClient } from './wire-client.ts';

/** What comes by itself is waited for until it is there; by default that would be a second. */
const PATIENCE = { timeout: 120_000 };

const BROKER = 4;

let root = '';
let broker: Broker;
let client: WireClient;
const path = (name: string) => join(root, name);

async function start(): Promise<void> {
  broker = await startBroker({
    memory: false,
    properties: { 'log.dirs': `${path('a')},${path('b')}`, 'metadata.log.dir': path('a') },
  });
  client = await WireClient.open(broker.bootstrapServers);
}

async function stop(): Promise<void> {
  client.close();
  await broker.stop();
}

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'odradek-dirs-'));
  await start();
});

afterEach(async () => {
  await stop();
  rmSync(root, { recursive: true, force: true });
});

async function createTopic(name: string, numPartitions: number, byHand = false): Promise<ErrorCode> {
  const assignments = Array.from({ length: numPartitions }, (_, partitionIndex) => ({
    partitionIndex,
    brokerIds: [1],
  }));
  const topic = byHand
    ? { name, numPartitions: -1, replicationFactor: -1, assignments, configs: [] }
    : { name, numPartitions, replicationFactor: 1, assignments: [], configs: [] };
  const body = defaults(CreateTopicsRequest, { topics: [topic], timeoutMs: 1000 });
  const answer = await client.request(CreateTopicsRequest, CreateTopicsResponse, 5, body);
  return answer.topics[0]?.errorCode as ErrorCode;
}

async function cordon(dirs: string): Promise<void> {
  const configs = [{ name: 'cordoned.log.dirs', value: dirs, configOperation: 0 }];
  const answer = await client.request(IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, 1, {
    resources: [{ resourceType: BROKER, resourceName: '1', configs }],
    validateOnly: false,
  });
  expect(answer.responses[0]).toMatchObject({ errorCode: 0, errorMessage: null });
}

/** Partitions in each dir, and whether it is cordoned. */
async function dirs(): Promise<unknown[]> {
  const body = defaults(DescribeLogDirsRequest, { topics: null });
  const answer = await client.request(DescribeLogDirsRequest, DescribeLogDirsResponse, 5, body);
  return answer.results.map(({ logDir, topics, isCordoned, errorCode }) => [
    logDir.slice(root.length + 1),
    topics.reduce((sum, topic) => sum + topic.partitions.length, 0),
    isCordoned,
    errorCode,
  ]);
}

it('gives new partitions to the dir with the fewest that is not cordoned', async () => {
  expect(await createTopic('first', 4)).toBe(Errors.NONE);
  expect(await dirs()).toEqual([
    ['a', 2, false, 0],
    ['b', 2, false, 0],
  ]);
  await cordon(path('a'));
  expect(await createTopic('second', 3)).toBe(Errors.NONE);
  expect(await dirs()).toEqual([
    ['a', 2, true, 0],
    ['b', 5, false, 0],
  ]);
  await cordon('');
  expect(await createTopic('third', 3)).toBe(Errors.NONE);
  expect(await dirs()).toEqual([
    ['a', 5, false, 0],
    ['b', 5, false, 0],
  ]);
});

it('refuses new partitions while all dirs are cordoned, also after a restart', async () => {
  await cordon('*');
  const refusals = async () => [await createTopic('placed', 1), await createTopic('by-hand', 1, true)];
  const wanted = [Errors.INVALID_REPLICATION_FACTOR, Errors.INVALID_REPLICA_ASSIGNMENT];
  // The controller hears of it with a heartbeat.
  await vi.waitUntil(async () => (await createTopic('until', 1)) !== Errors.NONE, PATIENCE);
  expect(await refusals()).toEqual(wanted);
  await stop();
  await start();
  expect(await refusals()).toEqual(wanted);
  expect((await dirs()).map((dir) => (dir as unknown[])[2])).toEqual([true, true]);
});

it('tells the controller where replicas lie, and begins them there again after a restart', async () => {
  expect(await createTopic('spread', 3)).toBe(Errors.NONE);
  const before = await dirs();
  const idOf = (name: string) =>
    /directory\.id=(.*)/.exec(readFileSync(join(path(name), 'meta.properties'), 'utf8'))?.[1];
  const wanted = [idOf('a'), idOf('b')].sort();
  const told = () => {
    const found = new Set<string>();
    const text = readdirSync(join(path('a'), '__cluster_metadata-0'))
      .filter((name) => name.endsWith('.log'))
      .map((name) => readFileSync(join(path('a'), '__cluster_metadata-0', name), 'hex'))
      .join('');
    // A PartitionChangeRecord (frame version 1, type 5) with one directory.
    for (const id of wanted) {
      const hex = Buffer.from(id ?? '', 'base64url').toString('hex');
      if (new RegExp(`0105.{40,120}${hex}`).test(text)) found.add(id ?? '');
    }
    return [...found].sort();
  };
  await vi.waitUntil(() => told().length === 2, PATIENCE);
  expect(told()).toEqual(wanted);
  // Nothing was written, so no folder tells where they were.
  await stop();
  await start();
  expect(await dirs()).toEqual(before);
});

it('moves a replica while it is written: every record that was acknowledged is there, before and after a restart', async () => {
  expect(await createTopic('moving', 1)).toBe(Errors.NONE);
  const acknowledged: number[] = [];
  const produce = async () => {
    const records = new BatchBuilder()
      .append({ timestamp: 1, key: null, value: Buffer.alloc(2000, 'x') })
      .build();
    const topicData = [{ name: 'moving', partitionData: [{ index: 0, records }] }];
    const body = defaults(ProduceRequest, { acks: -1, timeoutMs: 10_000, topicData } as never);
    const answer = await client.request(ProduceRequest, ProduceResponse, 9, body);
    const { errorCode, baseOffset } = answer.responses[0]!.partitionResponses[0]!;
    expect(errorCode).toBe(Errors.NONE);
    acknowledged.push(baseOffset);
  };
  const where = async () => {
    const body = defaults(DescribeLogDirsRequest, { topics: [{ topic: 'moving', partitions: [0] }] });
    const answer = await client.request(DescribeLogDirsRequest, DescribeLogDirsResponse, 5, body);
    return answer.results.flatMap(({ logDir, topics }) =>
      topics.flatMap(({ partitions }) => partitions.map(({ isFutureKey }) => [logDir, isFutureKey])),
    );
  };
  for (let count = 0; count < 100; count += 1) await produce();
  const [[home] = []] = await where();
  const target = [path('a'), path('b')].find((dir) => dir !== home)!;
  const dirsWanted = [{ path: target, topics: [{ name: 'moving', partitions: [0] }] }];
  const answer = await client.request(AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, 2, {
    dirs: dirsWanted,
  });
  expect(answer.results[0]?.partitions[0]?.errorCode).toBe(Errors.NONE);
  while (String(await where()) !== String([[target, false]])) await produce();
  await produce();
  expect(acknowledged).toEqual(acknowledged.map((_, at) => at));
  const read = async () => {
    const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 10_000_000 }];
    const body = defaults(FetchRequest, {
      maxWaitMs: 0,
      maxBytes: 10_000_000,
      topics: [{ topic: 'moving', partitions }],
    } as never);
    const fetched = (await client.request(FetchRequest, FetchResponse, 11, body)).responses[0]!
      .partitions[0]!;
    return [...batchPositions(fetched.records as Buffer)].length;
  };
  expect(await read()).toBe(acknowledged.length);
  await stop();
  await start();
  expect(await where()).toEqual([[target, false]]);
  expect(await read()).toBe(acknowledged.length);
});
