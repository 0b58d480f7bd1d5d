import { type Consumer, Kafka, logLevel } from 'kafkajs';
import { expect } from 'vitest';
import { caughtUp } from './support/caught-up.ts';
import { compareBrokers, type Observations } from './support/compare.ts';
import { until } from './support/run.ts';
import type { Target } from './support/target.ts';

const PARTITIONS = 6;
const RECORDS = 600;

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `v${from + i}`);

/** A consumer with what it has got, and a way to wait for it. */
class Reader {
  readonly consumer: Consumer;
  readonly got: string[] = [];
  partitions = new Set<number>();

  constructor(kafka: Kafka, groupId: string) {
    this.consumer = kafka.consumer({
      groupId,
      heartbeatInterval: 200,
      sessionTimeout: 60_000,
      maxWaitTimeInMs: 100,
    });
    this.consumer.on('consumer.group_join', ({ payload }) => {
      this.partitions = new Set(Object.values(payload.memberAssignment).flat());
    });
  }

  async start(topic: string, options: { autoCommit?: boolean } = {}): Promise<void> {
    await this.consumer.connect();
    await this.consumer.subscribe({ topics: [topic], fromBeginning: true });
    await this.consumer.run({
      ...options,
      autoCommitThreshold: 10,
      eachMessage: async ({ message }) => {
        this.got.push(String(message.value));
      },
    });
  }
}

const allGot = (readers: readonly Reader[]) => new Set(readers.flatMap(({ got }) => got));

async function observe(target: Target): Promise<Observations> {
  const seen: Observations = {};
  const kafka = new Kafka({ clientId: 'interop', brokers: [target.bootstrap], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  const producer = kafka.producer();
  await admin.connect();
  await producer.connect();
  const topics = ['shared', 'manual', 'sought'].map((topic) => ({ topic, numPartitions: PARTITIONS }));
  await admin.createTopics({ topics, waitForLeaders: false });
  await caughtUp(target.port);
  const write = (topic: string, from: number, to: number) =>
    producer.send({ topic, messages: range(from, to).map((value) => ({ key: value, value })) });
  try {
    await severalMembers(kafka, write, seen);
    await manualCommits(kafka, admin, write, seen);
    await seekAndPause(kafka, write, seen);
    seen['groups at the end'] = (await admin.listGroups()).groups.map(({ groupId }) => groupId).sort();
    seen['deletion'] = (await admin.deleteGroups(['several', 'manual', 'sought'])).map(
      ({ errorCode }) => errorCode,
    );
    seen['groups after that'] = (await admin.listGroups()).groups;
  } finally {
    await producer.disconnect();
    await admin.disconnect();
  }
  return seen;
}

type Write = (topic: string, from: number, to: number) => Promise<unknown>;

/** Three members share the partitions; one leaves and one comes while records keep coming. */
async function severalMembers(kafka: Kafka, write: Write, seen: Observations): Promise<void> {
  const readers = [0, 1, 2].map(() => new Reader(kafka, 'several'));
  await write('shared', 0, RECORDS / 3);
  for (const reader of readers) await reader.start('shared');
  const shared = () => readers.every(({ partitions }) => partitions.size === 2);
  await until('three members with two partitions each', () => (shared() ? true : undefined));
  await until('the first third', () => (allGot(readers).size === RECORDS / 3 ? true : undefined));
  const admin = kafka.admin();
  await admin.connect();
  const { groups } = await admin.describeGroups(['several']);
  seen['three members'] = groups.map(({ state, protocol, protocolType, members }) => ({
    state,
    protocol,
    protocolType,
    hosts: members.map(({ clientHost, clientId }) => [clientHost, clientId]),
  }));
  await write('shared', RECORDS / 3, (2 * RECORDS) / 3);
  await readers[0]!.consumer.disconnect();
  await until('the second third', () => (allGot(readers).size === (2 * RECORDS) / 3 ? true : undefined));
  const fourth = new Reader(kafka, 'several');
  readers.push(fourth);
  await fourth.start('shared');
  await until('the newcomer to have its part', () => (fourth.partitions.size === 2 ? true : undefined));
  await write('shared', (2 * RECORDS) / 3, RECORDS);
  await until('all', () => (allGot(readers).size === RECORDS ? true : undefined));
  for (const reader of readers.slice(1)) await reader.consumer.disconnect();
  const offsets = await admin.fetchOffsets({ groupId: 'several', topics: ['shared'] });
  seen['committed at the end'] = offsets[0]!.partitions.reduce((sum, { offset }) => sum + Number(offset), 0);
  seen['nothing is missing'] = allGot(readers).size;
  await admin.disconnect();
}

async function manualCommits(
  kafka: Kafka,
  admin: ReturnType<Kafka['admin']>,
  write: Write,
  seen: Observations,
): Promise<void> {
  await write('manual', 0, 60);
  const first = new Reader(kafka, 'manual');
  await first.start('manual', { autoCommit: false });
  await until('all read', () => (first.got.length === 60 ? true : undefined));
  seen['nothing is committed by itself'] = await committed(admin);
  await first.consumer.commitOffsets([
    { topic: 'manual', partition: 0, offset: '1', metadata: 'by hand' },
    { topic: 'manual', partition: 1, offset: '2' },
  ]);
  seen['committed by hand'] = await committed(admin);
  await first.consumer.disconnect();
  const second = new Reader(kafka, 'manual');
  await second.start('manual', { autoCommit: false });
  await until('the rest', () => (second.got.length === 57 ? true : undefined));
  seen['read again after two commits'] = second.got.length;
  await second.consumer.disconnect();
  await admin.resetOffsets({ groupId: 'manual', topic: 'manual', earliest: true });
  seen['after a reset to the earliest'] = await committed(admin);
  await admin.setOffsets({ groupId: 'manual', topic: 'manual', partitions: [{ partition: 3, offset: '4' }] });
  seen['after an offset was set'] = await committed(admin);
}

async function committed(admin: ReturnType<Kafka['admin']>): Promise<unknown> {
  const [topic] = await admin.fetchOffsets({ groupId: 'manual', topics: ['manual'] });
  return topic!.partitions.map(({ partition, offset, metadata }) => [partition, offset, metadata]).sort();
}

async function seekAndPause(kafka: Kafka, write: Write, seen: Observations): Promise<void> {
  await write('sought', 0, 120);
  const reader = new Reader(kafka, 'sought');
  await reader.start('sought');
  await until('all', () => (reader.got.length === 120 ? true : undefined));
  reader.consumer.pause([{ topic: 'sought' }]);
  await write('sought', 120, 180);
  reader.consumer.resume([{ topic: 'sought' }]);
  await until('what was written meanwhile', () => (reader.got.length === 180 ? true : undefined));
  for (let partition = 0; partition < PARTITIONS; partition++) {
    reader.consumer.seek({ topic: 'sought', partition, offset: '0' });
  }
  await until('all again', () => (reader.got.length === 360 ? true : undefined));
  seen['read twice'] = [reader.got.length, new Set(reader.got).size];
  await reader.consumer.disconnect();
}

await compareBrokers({
  title: 'kafkajs groups',
  missing: undefined,
  properties: { 'group.initial.rebalance.delay.ms': '0', 'offsets.topic.num.partitions': '5' },
  observe,
  expectations(seen) {
    expect(seen['nothing is missing']).toBe(RECORDS);
    expect(seen['committed at the end']).toBe(RECORDS);
    expect(seen['read again after two commits']).toBe(57);
    expect(seen['read twice']).toEqual([360, 180]);
    expect(seen['groups after that']).toEqual([]);
  },
});
