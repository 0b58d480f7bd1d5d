import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Broker, startBroker } from '../../src/index.ts';
import { defaults } from '../../src/protocol/codec.ts';
import { Errors } from '../../src/protocol/errors.ts';
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/create-topics.ts';
import {
  DescribeConfigsRequest,
  DescribeConfigsResponse,
} from '../../src/protocol/messages/describe-configs.ts';
import {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../../src/protocol/messages/incremental-alter-configs.ts';
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/produce.ts';
import { BatchBuilder } from '../../src/protocol/record-batch/index.ts';
import { WireClient } from './wire-client.ts';

const TOPIC = 2;
const BROKER = 4;
const SET = 0;
const DELETE = 1;

let dir = '';
let broker: Broker;
let client: WireClient;

async function start(): Promise<void> {
  broker = await startBroker({ dataDir: dir, properties: { 'message.max.bytes': 2000 } });
  client = await WireClient.open(broker.bootstrapServers);
}

async function restart(): Promise<void> {
  client.close();
  await broker.stop();
  await start();
}

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'odradek-'));
  await start();
  for (const name of ['plain', 'tuned']) {
    const configs = name === 'tuned' ? [{ name: 'max.message.bytes', value: '500' }] : [];
    const topic = { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs };
    const body = defaults(CreateTopicsRequest, { topics: [topic], timeoutMs: 1000 });
    const answer = await client.request(CreateTopicsRequest, CreateTopicsResponse, 5, body);
    expect(answer.topics[0]?.errorCode).toBe(Errors.NONE);
  }
});

afterEach(async () => {
  client.close();
  await broker.stop();
  rmSync(dir, { recursive: true, force: true });
});

async function alter(resourceType: number, resourceName: string, changes: Record<string, string | null>) {
  const configs = Object.entries(changes).map(([name, value]) => ({
    name,
    value,
    configOperation: value === null ? DELETE : SET,
  }));
  const answer = await client.request(IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, 1, {
    resources: [{ resourceType, resourceName, configs }],
    validateOnly: false,
  });
  expect(answer.responses.map(({ errorCode, errorMessage }) => [errorCode, errorMessage])).toEqual([
    [0, null],
  ]);
}

/** What becomes of one record with a value of this size. */
async function produce(topic: string, valueBytes: number, timestamp = BigInt(Date.now())) {
  const builder = new BatchBuilder({});
  builder.append({ timestamp, key: null, value: Buffer.alloc(valueBytes), headers: [] });
  const body = defaults(ProduceRequest, {
    acks: -1,
    timeoutMs: 1000,
    topicData: [{ name: topic, partitionData: [{ index: 0, records: builder.build() }] }],
  });
  const answer = await client.request(ProduceRequest, ProduceResponse, 7, body);
  const { errorCode, logAppendTimeMs } = answer.responses[0]!.partitionResponses[0]!;
  return { errorCode, isStamped: logAppendTimeMs >= 0n };
}

async function described(resourceType: number, resourceName: string, name: string) {
  const answer = await client.request(DescribeConfigsRequest, DescribeConfigsResponse, 4, {
    resources: [{ resourceType, resourceName, configurationKeys: [name] }],
    includeSynonyms: false,
    includeDocumentation: false,
  });
  const entry = answer.results[0]?.configs[0];
  return [entry?.value, entry?.configSource];
}

it('acts at once, the nearest first, and again after a restart', async () => {
  const code = async (valueBytes: number) => (await produce('plain', valueBytes)).errorCode;
  expect([await code(1500), await code(2500)]).toEqual([Errors.NONE, Errors.MESSAGE_TOO_LARGE]);
  await alter(BROKER, '', { 'message.max.bytes': '3000' });
  expect([await code(2500), await code(3500)]).toEqual([Errors.NONE, Errors.MESSAGE_TOO_LARGE]);
  await alter(BROKER, '1', { 'message.max.bytes': '4000' });
  expect([await code(3500), await code(4500)]).toEqual([Errors.NONE, Errors.MESSAGE_TOO_LARGE]);
  expect(await described(TOPIC, 'plain', 'max.message.bytes')).toEqual(['4000', 2]);
  // What a topic sets itself beats them all.
  expect((await produce('tuned', 1000)).errorCode).toBe(Errors.MESSAGE_TOO_LARGE);
  await restart();
  expect([await code(3500), await code(4500)]).toEqual([Errors.NONE, Errors.MESSAGE_TOO_LARGE]);
  expect(await described(BROKER, '1', 'message.max.bytes')).toEqual(['4000', 2]);
  await alter(BROKER, '1', { 'message.max.bytes': null });
  expect([await code(2500), await code(3500)]).toEqual([Errors.NONE, Errors.MESSAGE_TOO_LARGE]);
  expect(await described(BROKER, '1', 'message.max.bytes')).toEqual(['3000', 3]);
  await alter(BROKER, '', { 'message.max.bytes': null });
  expect([await code(1500), await code(2500)]).toEqual([Errors.NONE, Errors.MESSAGE_TOO_LARGE]);
  expect(await described(BROKER, '1', 'message.max.bytes')).toEqual(['2000', 4]);
});

it('takes times from the broker, and refuses old records, as soon as it is told', async () => {
  expect(await produce('plain', 10, 1n)).toEqual({ errorCode: Errors.NONE, isStamped: false });
  await alter(BROKER, '', { 'log.message.timestamp.before.max.ms': '1000' });
  expect((await produce('plain', 10, 1n)).errorCode).toBe(Errors.INVALID_TIMESTAMP);
  await alter(BROKER, '', { 'log.message.timestamp.type': 'LogAppendTime' });
  expect(await produce('plain', 10, 1n)).toEqual({ errorCode: Errors.NONE, isStamped: true });
  await alter(TOPIC, 'plain', { 'message.timestamp.type': 'CreateTime' });
  expect((await produce('plain', 10, 1n)).errorCode).toBe(Errors.INVALID_TIMESTAMP);
  await alter(TOPIC, 'plain', { 'message.timestamp.before.max.ms': '9223372036854775807' });
  expect(await produce('plain', 10, 1n)).toEqual({ errorCode: Errors.NONE, isStamped: false });
});
