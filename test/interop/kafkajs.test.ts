import { CompressionTypes, ConfigResourceTypes, Kafka, type KafkaJSError, logLevel } from 'kafkajs';
import { expect } from 'vitest';
import { caughtUp } from './support/caught-up.ts';
import { compareBrokers, type Observations } from './support/compare.ts';
import { readAll } from './support/idempotence.ts';
import { endsAt } from './support/settled.ts';
import type { Target } from './support/target.ts';

/*
 * Topics are made without `waitForLeaders`: kafkajs fails when it asks Apache Kafka for a new topic that its broker has not heard of.
 * That it works here is in test/integration/broker.test.ts.
 */

/** kafkajs reports a failed call by throwing; the error is part of what is compared. */
async function outcome<T>(call: () => Promise<T>): Promise<unknown> {
  try {
    return (await call()) ?? 'done';
  } catch (error) {
    const e = error as KafkaJSError & { type?: string; errors?: { type?: string; message: string }[] };
    return {
      error: e.name,
      type: e.type,
      message: e.message,
      inner: e.errors?.map((one) => one.type ?? one.message),
    };
  }
}

async function observe(target: Target): Promise<Observations> {
  const seen: Observations = {};
  const kafka = new Kafka({
    clientId: 'interop',
    brokers: [target.bootstrap],
    logLevel: logLevel.NOTHING,
    retry: { retries: 2, initialRetryTime: 50 },
  });
  const admin = kafka.admin();
  await admin.connect();
  const step = async (
    name: string,
    call: () => Promise<unknown>,
    reduce = (v: unknown): unknown => v,
  ): Promise<void> => {
    seen[name] = JSON.parse(JSON.stringify(reduce(await outcome(call)) ?? null));
    // The next one must not see a broker that did not hear yet of what this one changed.
    if (/^(create|alter|delete)/.test(name)) await caughtUp(target.port);
  };
  try {
    await adminSteps(admin, target.dataDir, step);
    await producerSteps(kafka, target, step);
    await step('offsets after writing', () => admin.fetchTopicOffsets('plain'), sortedBy('partition'));
    await step(
      'offset by a time before all',
      () => admin.fetchTopicOffsetsByTimestamp('plain', 1000),
      sortedBy('partition'),
    );
    await step(
      'offset by a time in the middle',
      () => admin.fetchTopicOffsetsByTimestamp('plain', 1_700_000_000_500),
      sortedBy('partition'),
    );
    await step(
      'offset by a time behind all',
      () => admin.fetchTopicOffsetsByTimestamp('plain', 4_000_000_000_000),
      sortedBy('partition'),
    );
    await step('deleteTopics', () => admin.deleteTopics({ topics: ['plain', 'configured'] }));
    await step('deleteTopics, unknown', () => admin.deleteTopics({ topics: ['never-was'] }));
    await step('createTopics again at once', () =>
      admin.createTopics({ topics: [{ topic: 'plain', numPartitions: 1 }], waitForLeaders: false }),
    );
    await step(
      'listTopics',
      () => admin.listTopics(),
      (v) => (v as string[]).sort(),
    );
  } finally {
    await admin.disconnect();
  }
  return seen;
}

type Step = (name: string, call: () => Promise<unknown>, reduce?: (v: unknown) => unknown) => Promise<void>;

const sortedBy =
  (field: string) =>
  (value: unknown): unknown =>
    Array.isArray(value)
      ? [...(value as Record<string, number>[])].sort((a, b) => (a[field] ?? 0) - (b[field] ?? 0))
      : value;

const metadataOf = (value: unknown): unknown => {
  const topics = (value as { topics?: { partitions: { partitionId: number }[] }[] }).topics;
  return topics === undefined
    ? value
    : topics.map((t) => ({
        ...t,
        partitions: [...t.partitions].sort((a, b) => a.partitionId - b.partitionId),
      }));
};

const configsOf = (value: unknown): unknown => {
  const { resources } = value as {
    resources?: { configEntries: { configName: string; configValue: string }[] }[];
  };
  return resources === undefined
    ? value
    : resources.map((r) => ({
        ...r,
        configEntries: [...r.configEntries].sort((a, b) => (a.configName < b.configName ? -1 : 1)),
      }));
};

async function adminSteps(admin: ReturnType<Kafka['admin']>, dataDir: string, step: Step): Promise<void> {
  const { TOPIC, BROKER } = ConfigResourceTypes;
  await step(
    'describeCluster',
    () => admin.describeCluster(),
    (v) => ({ ...(v as object), clusterId: '<id>' }),
  );
  await step('createTopics', () =>
    admin.createTopics({
      waitForLeaders: false,
      topics: [
        { topic: 'plain', numPartitions: 3 },
        { topic: 'configured', numPartitions: 1, configEntries: [{ name: 'retention.ms', value: '12345' }] },
      ],
    }),
  );
  await step('createTopics, only validated', () =>
    admin.createTopics({ validateOnly: true, waitForLeaders: false, topics: [{ topic: 'not-made' }] }),
  );
  await step('createTopics, already there', () => admin.createTopics({ topics: [{ topic: 'plain' }] }));
  await step('createTopics, name not allowed', () => admin.createTopics({ topics: [{ topic: 'a b' }] }));
  await step('createTopics, too many replicas', () =>
    admin.createTopics({ topics: [{ topic: 'replicated', replicationFactor: 3 }] }),
  );
  await step('createTopics, unknown setting', () =>
    admin.createTopics({
      topics: [{ topic: 'odd', configEntries: [{ name: 'no.such.setting', value: '1' }] }],
    }),
  );
  await step('createTopics, wrong value', () =>
    admin.createTopics({
      topics: [{ topic: 'odd', configEntries: [{ name: 'retention.ms', value: 'long' }] }],
    }),
  );
  await step('createTopics, no partitions', () =>
    admin.createTopics({ topics: [{ topic: 'odd', numPartitions: 0 }] }),
  );
  await step('createTopics with an assignment', () =>
    admin.createTopics({
      waitForLeaders: false,
      topics: [
        {
          topic: 'assigned',
          numPartitions: -1,
          replicationFactor: -1,
          replicaAssignment: [
            { partition: 0, replicas: [1] },
            { partition: 1, replicas: [1] },
          ],
        },
      ],
    }),
  );
  await step(
    'listTopics at first',
    () => admin.listTopics(),
    (v) => (v as string[]).sort(),
  );
  await step('fetchTopicMetadata', () => admin.fetchTopicMetadata({ topics: ['plain'] }), metadataOf);
  await step('createPartitions', () =>
    admin.createPartitions({ topicPartitions: [{ topic: 'plain', count: 5 }] }),
  );
  await step('createPartitions, fewer', () =>
    admin.createPartitions({ topicPartitions: [{ topic: 'plain', count: 2 }] }),
  );
  await step('createPartitions, as many', () =>
    admin.createPartitions({ topicPartitions: [{ topic: 'plain', count: 5 }] }),
  );
  await step('createPartitions, unknown topic', () =>
    admin.createPartitions({ topicPartitions: [{ topic: 'never-was', count: 5 }] }),
  );
  await step(
    'fetchTopicMetadata with more',
    () => admin.fetchTopicMetadata({ topics: ['plain'] }),
    metadataOf,
  );
  await step('fetchTopicOffsets', () => admin.fetchTopicOffsets('plain'), sortedBy('partition'));
  const describe = (name: string, type: number, configNames?: string[]) =>
    admin.describeConfigs({
      includeSynonyms: true,
      resources: [{ type, name, ...(configNames ? { configNames } : {}) }],
    });
  await step('describeConfigs of a topic', () => describe('configured', TOPIC), configsOf);
  await step(
    'describeConfigs of two settings',
    () => describe('configured', TOPIC, ['retention.ms', 'cleanup.policy']),
    configsOf,
  );
  await step('describeConfigs of an unknown topic', () => describe('never-was', TOPIC), configsOf);
  await step(
    'describeConfigs of some broker settings',
    () => describe('1', BROKER, ['log.retention.hours', 'num.partitions', 'message.max.bytes', 'node.id']),
    configsOf,
  );
  await step(
    'describeConfigs of the broker',
    () => describe('1', BROKER),
    (v) => configsOf(JSON.parse(JSON.stringify(v).replaceAll(dataDir, '<data>'))),
  );
  const alter = (configEntries: { name: string; value: string }[]) =>
    admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: TOPIC, name: 'configured', configEntries }],
    });
  await step('alterConfigs', () => alter([{ name: 'cleanup.policy', value: 'compact' }]));
  await step('alterConfigs, wrong value', () => alter([{ name: 'cleanup.policy', value: 'shred' }]));
  await step(
    'describeConfigs after alterConfigs',
    () => describe('configured', TOPIC, ['retention.ms', 'cleanup.policy']),
    configsOf,
  );
}

async function producerSteps(kafka: Kafka, target: Target, step: Step): Promise<void> {
  const message = (i: number) => ({
    key: `k${i}`,
    value: `v${i}`,
    timestamp: String(1_700_000_000_000 + i * 1000),
    headers: { one: 'x', many: ['a', 'b'] },
  });
  const messages = [0, 1, 2].map((i) => ({ ...message(i), partition: 0 }));
  let sent = 0;
  for (const [name, options] of Object.entries({
    'acks all': { acks: -1 },
    'acks 1': { acks: 1 },
    'acks 0': { acks: 0 },
    gzip: { acks: -1, compression: CompressionTypes.GZIP },
  })) {
    const producer = kafka.producer();
    await producer.connect();
    await step(`send, ${name}`, () => producer.send({ topic: 'plain', messages, ...options }));
    await producer.disconnect();
    sent += messages.length;
    await endsAt(target.port, 'plain', 0, sent);
  }
  const idempotent = kafka.producer({ idempotent: true });
  await idempotent.connect();
  for (const n of [1, 2, 3]) {
    await step(`send, idempotent ${n}`, () =>
      idempotent.send({ topic: 'plain', messages: [{ ...message(n), partition: 1 }] }),
    );
  }
  await step(
    'sendBatch',
    () =>
      idempotent.sendBatch({
        topicMessages: [
          { topic: 'plain', messages: [{ ...message(7), partition: 2 }] },
          { topic: 'assigned', messages: [{ ...message(8), partition: 1 }] },
        ],
      }),
    (v) => (Array.isArray(v) ? v.sort((a, b) => (a.topicName < b.topicName ? -1 : 1)) : v),
  );
  await step('send without a key to a compacted topic', () =>
    idempotent.send({ topic: 'configured', messages: [{ value: 'v' }] }),
  );
  await idempotent.disconnect();
  await step('what is stored', async () => (await readAll(target.port, 'assigned', 1)).toString('hex'));
}

await compareBrokers({
  title: 'kafkajs',
  missing: undefined,
  observe,
  expectations(seen) {
    expect(seen['createTopics']).toBe(true);
    expect(seen['send, idempotent 3']).toMatchObject([{ errorCode: 0, baseOffset: '2' }]);
    expect(seen['offset by a time in the middle']).toContainEqual({ partition: 0, offset: '1' });
    expect(seen['deleteTopics']).toBe('done');
    expect((seen['what is stored'] as string).length).toBeGreaterThan(140);
    expect(seen['createTopics again at once']).toBe(true);
  },
});
