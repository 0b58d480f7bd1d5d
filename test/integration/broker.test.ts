import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { afterEach, describe, expect, it } from 'vitest';
import { type Broker, startBroker } from '../../src/index.ts';
import { WireClient } from './wire-client.ts';

const brokers: Broker[] = [];
const dirs: string[] = [];

async function started(options: Parameters<typeof startBroker>[0] = {}): Promise<Broker> {
  const broker = await startBroker(options);
  brokers.push(broker);
  return broker;
}

function dataDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'odradek-'));
  dirs.push(dir);
  return dir;
}

const clientOf = (broker: Broker) =>
  new Kafka({ brokers: [broker.bootstrapServers], logLevel: logLevel.NOTHING });

async function write(broker: Broker, topic: string, count: number): Promise<string | undefined> {
  const producer = clientOf(broker).producer({ idempotent: true });
  await producer.connect();
  const messages = Array.from({ length: count }, (_, i) => ({
    key: `k${i}`,
    value: `v${i}`,
    headers: { h: 'x' },
  }));
  const [answer] = await producer.send({ topic, messages });
  await producer.disconnect();
  return answer!.baseOffset;
}

async function endOf(broker: Broker, topic: string): Promise<string> {
  const admin = clientOf(broker).admin();
  await admin.connect();
  const [offsets] = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  return offsets!.high;
}

afterEach(async () => {
  await Promise.all(brokers.splice(0).map((broker) => broker.stop()));
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
});

describe('a broker inside this process', () => {
  it('serves kafkajs: topics, settings, an idempotent producer', async () => {
    const broker = await started();
    const admin = clientOf(broker).admin();
    await admin.connect();
    expect(await admin.createTopics({ topics: [{ topic: 'orders', numPartitions: 3 }] })).toBe(true);
    expect(await admin.createTopics({ topics: [{ topic: 'orders' }] })).toBe(false);
    expect(await admin.listTopics()).toEqual(['orders']);
    await admin.createPartitions({ topicPartitions: [{ topic: 'orders', count: 5 }] });
    const { topics } = await admin.fetchTopicMetadata({ topics: ['orders'] });
    expect(topics[0]!.partitions.map(({ leader }) => leader)).toEqual([1, 1, 1, 1, 1]);
    const resource = { type: 2, name: 'orders' };
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: '1000' }] }],
    });
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ ...resource, configNames: ['retention.ms'] }],
    });
    expect(resources[0]!.configEntries[0]!.configValue).toBe('1000');
    expect((await admin.describeCluster()).brokers).toHaveLength(1);
    await admin.deleteTopics({ topics: ['orders'] });
    expect(await admin.createTopics({ topics: [{ topic: 'orders', numPartitions: 1 }] })).toBe(true);
    await admin.disconnect();
    expect(await write(broker, 'orders', 10)).toBe('0');
    expect(await write(broker, 'orders', 10)).toBe('10');
  });

  it('creates a topic that is written to, with its leader in the same answer', async () => {
    const broker = await started();
    expect(await write(broker, 'made-by-use', 1)).toBe('0');
  });

  it('starts in well under a second, several side by side', async () => {
    const side = await Promise.all([started(), started(), started()]);
    expect(new Set(side.map(({ bootstrapServers }) => bootstrapServers)).size).toBe(3);
    expect(new Set(side.map(({ clusterId }) => clusterId)).size).toBe(3);
    await write(side[0]!, 'only-here', 3);
    const admin = clientOf(side[1]!).admin();
    await admin.connect();
    expect(await admin.listTopics()).toEqual([]);
    await admin.disconnect();
  });

  it('finds its data again after a stop, and goes on where it was', async () => {
    const dir = dataDir();
    const first = await started({ dataDir: dir });
    await write(first, 'kept', 100);
    await first.stop();
    await first.stop();
    const second = await started({ dataDir: dir });
    expect(second.clusterId).toBe(first.clusterId);
    expect(await endOf(second, 'kept')).toBe('100');
    expect(await write(second, 'kept', 1)).toBe('100');
  });

  it('refuses a dir that another broker uses', async () => {
    const dir = dataDir();
    await started({ dataDir: dir });
    await expect(startBroker({ dataDir: dir })).rejects.toThrow(/in use/);
  });

  it('lets go of its port and closes its connections', async () => {
    const broker = await started();
    const client = await WireClient.open(broker.bootstrapServers);
    await broker.stop();
    expect(await client.receive()).toBeUndefined();
    await expect(WireClient.open(broker.bootstrapServers)).rejects.toThrow();
  });

  it('rejects with the address when its port is taken', async () => {
    const broker = await started();
    const port = Number(broker.bootstrapServers.split(':')[1]);
    await expect(startBroker({ port })).rejects.toThrow(String(port));
  });

  it('is disposed at the end of its block', async () => {
    let servers: string;
    {
      await using broker = await startBroker();
      servers = broker.bootstrapServers;
    }
    await expect(WireClient.open(servers)).rejects.toThrow();
  });
});
