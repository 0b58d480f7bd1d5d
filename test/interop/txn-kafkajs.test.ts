import { type Consumer, Kafka, logLevel, type Producer } from 'kafkajs';
import { expect } from 'vitest';
import { caughtUp } from './support/caught-up.ts';
import { compareBrokers, type Observations } from './support/compare.ts';
import { until } from './support/run.ts';
import { transactionsEnded } from './support/settled.ts';
import type { Target } from './support/target.ts';

const PARTITIONS = 3;
const ROUNDS = 12;
const GROUP = 'moved';

const messages = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, at) => ({
    key: `${prefix}${at}`,
    value: `${prefix}${at}`,
    partition: at % PARTITIONS,
  }));

/** Everything that a consumer gets from a topic, up to the last of `count` values. */
async function consume(
  kafka: Kafka,
  topic: string,
  count: number,
  readUncommitted: boolean,
): Promise<string[]> {
  const groupId = `${topic}-${readUncommitted}`;
  const consumer: Consumer = kafka.consumer({ groupId, readUncommitted, maxWaitTimeInMs: 100 });
  const got: string[] = [];
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => {
        got.push(String(message.value));
      },
    });
    await until(`${count} values of ${topic}`, async () => (got.length >= count ? true : undefined));
    // What is there too much comes behind.
    await new Promise((resolve) => setTimeout(resolve, 500));
  } finally {
    await consumer.disconnect();
  }
  return got.sort();
}

const errorOf = async (run: () => Promise<unknown>): Promise<string> => {
  try {
    await run();
    return 'none';
  } catch (error) {
    return (error as { type?: string }).type ?? String(error);
  }
};

async function observe(target: Target): Promise<Observations> {
  const seen: Observations = {};
  const kafka = new Kafka({ clientId: 'interop', brokers: [target.bootstrap], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const topics = ['ends', 'moved', 'fenced', 'over-time'];
  await admin.createTopics({
    topics: topics.map((topic) => ({ topic, numPartitions: PARTITIONS })),
    waitForLeaders: false,
  });
  await caughtUp(target.port);
  const newProducer = async (transactionalId: string, transactionTimeout = 30_000): Promise<Producer> => {
    const options = { transactionalId, transactionTimeout, idempotent: true, maxInFlightRequests: 1 };
    const producer = kafka.producer(options);
    await producer.connect();
    return producer;
  };
  try {
    await ends(kafka, await newProducer('ends'), seen);
    await moved(kafka, await newProducer('moved'), admin, seen);
    await fenced(kafka, newProducer, seen);
    for (const topic of topics) await transactionsEnded(target.port, topic, PARTITIONS);
    seen['end offsets'] = await Promise.all(
      topics.map(async (topic) => (await admin.fetchTopicOffsets(topic)).map(({ high }) => high).sort()),
    );
  } finally {
    await admin.disconnect();
  }
  return seen;
}

/** Commits and aborts in turns. */
async function ends(kafka: Kafka, producer: Producer, seen: Observations): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    const transaction = await producer.transaction();
    const isCommit = round % 3 !== 2;
    const prefix = `${isCommit ? 'kept' : 'dropped'}-${round}-`;
    await transaction.send({ topic: 'ends', messages: messages(prefix, 4) });
    await transaction.send({ topic: 'ends', messages: messages(`${prefix}more-`, 2) });
    if (isCommit) await transaction.commit();
    else await transaction.abort();
  }
  await producer.disconnect();
  seen['committed'] = await consume(kafka, 'ends', (ROUNDS * 6 * 2) / 3, false);
  seen['all'] = await consume(kafka, 'ends', ROUNDS * 6, true);
}

/** Offsets of a group in the transaction. */
async function moved(
  kafka: Kafka,
  producer: Producer,
  admin: ReturnType<Kafka['admin']>,
  seen: Observations,
): Promise<void> {
  const offsetsOf = async () => {
    const [found] = await admin.fetchOffsets({ groupId: GROUP, topics: ['ends'] });
    return found?.partitions.map(({ partition, offset }) => [partition, offset]).sort();
  };
  // The answer to EndTxn comes before the markers are written; with them comes the next transaction of the same producer.
  for (const [round, isCommit] of [true, false, true, false].entries()) {
    const transaction = await producer.transaction();
    await transaction.send({ topic: 'moved', messages: messages(`${round}-`, 3) });
    if (round > 0) seen[`offsets after ${round - 1}`] = await offsetsOf();
    const partitions = [0, 1].map((partition) => ({ partition, offset: String(10 * round + partition + 1) }));
    await transaction.sendOffsets({ consumerGroupId: GROUP, topics: [{ topic: 'ends', partitions }] });
    if (isCommit) await transaction.commit();
    else await transaction.abort();
  }
  await producer.disconnect();
  seen['moved'] = await consume(kafka, 'moved', 6, false);
}

/** Another producer takes the transactional id. */
async function fenced(
  kafka: Kafka,
  newProducer: (id: string) => Promise<Producer>,
  seen: Observations,
): Promise<void> {
  const zombie = await newProducer('fenced');
  const transaction = await zombie.transaction();
  await transaction.send({ topic: 'fenced', messages: messages('zombie-', 3) });
  const heir = await newProducer('fenced');
  const next = await heir.transaction();
  await next.send({ topic: 'fenced', messages: messages('heir-', 3) });
  seen['the zombie sends'] = await errorOf(() =>
    transaction.send({ topic: 'fenced', messages: messages('late-', 3) }),
  );
  seen['the zombie commits'] = await errorOf(() => transaction.commit());
  await next.commit();
  await zombie.disconnect();
  await heir.disconnect();
  seen['after the fencing'] = await consume(kafka, 'fenced', 3, false);
}

await compareBrokers({
  title: 'kafkajs transactions',
  missing: undefined,
  properties: { 'group.initial.rebalance.delay.ms': '0', 'offsets.topic.num.partitions': '5' },
  observe,
  expectations(seen) {
    const committed = seen['committed'] as string[];
    expect(committed).toHaveLength((ROUNDS * 6 * 2) / 3);
    expect(committed.some((value) => value.startsWith('dropped'))).toBe(false);
    expect(seen['all']).toHaveLength(ROUNDS * 6);
    expect(seen['after the fencing']).toEqual(['heir-0', 'heir-1', 'heir-2']);
  },
});
