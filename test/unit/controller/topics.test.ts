import { beforeEach, describe, expect, test } from 'vitest';
import { Errors, errorText } from '../../../src/protocol/errors.ts';
import { DIRECTORY_ID } from '../raft/support.ts';
import { Cluster } from './support.ts';

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start();
});

const errorsOf = (response: { topics: readonly { errorCode: number; errorMessage: string | null }[] }) =>
  response.topics.map(({ errorCode, errorMessage }) => [errorCode, errorMessage]);

describe('CreateTopics', () => {
  test('makes partitions that are led when the answer comes', async () => {
    const [made] = (await cluster.create([cluster.topic('a', 3)])).topics;
    expect(made).toMatchObject({ name: 'a', errorCode: 0, numPartitions: 3, replicationFactor: 1 });
    const topic = cluster.publisher.image.topicsByName.get('a');
    expect(topic?.id).toBe(made?.topicId);
    expect(topic?.partitions).toHaveLength(3);
    expect(topic?.partitions[2]).toMatchObject({
      leader: 1,
      isr: [1],
      leaderEpoch: 0,
      partitionEpoch: 0,
      directories: [DIRECTORY_ID],
    });
    const configs = made?.configs ?? [];
    expect(configs.find((one) => one.name === 'cleanup.policy')?.value).toBe('delete');
    expect(configs.map((one) => one.name)).toEqual(configs.map((one) => one.name).sort());
  });

  test('-1 means the defaults (KIP-464)', async () => {
    cluster = await Cluster.start({ defaultNumPartitions: () => 4 });
    const response = await cluster.create([cluster.topic('a', -1, { replicationFactor: -1 })]);
    expect(response.topics[0]).toMatchObject({ errorCode: 0, numPartitions: 4, replicationFactor: 1 });
  });

  const invalid = Errors.INVALID_TOPIC_EXCEPTION;
  test.each([
    ['', 1, {}, invalid, 'A topic needs a name.'],
    ['.', 1, {}, invalid, "A topic can't be called '.'."],
    ['..', 1, {}, invalid, "A topic can't be called '..'."],
    ['a b', 1, {}, invalid, /'a b' may have only/],
    ['x'.repeat(250), 1, {}, invalid, /has 250 characters; it may have 249/],
    ['a.b', 1, {}, invalid, /a\.b would share .* with a_b/],
    ['there', 1, {}, Errors.TOPIC_ALREADY_EXISTS, 'There is a topic there already.'],
    ['n', 0, {}, Errors.INVALID_PARTITIONS, /^numPartitions=0: .* at least 1 .* num\.partitions\.$/],
    [
      'n',
      1,
      { replicationFactor: 0 },
      Errors.INVALID_REPLICATION_FACTOR,
      /^replicationFactor=0: .* at least 1 .* default\.replication\.factor\.$/,
    ],
    ['n', 1, { replicationFactor: 2 }, Errors.INVALID_REPLICATION_FACTOR, /^2 replicas .* 1 can take one/],
    ['n', 1, { configs: [{ name: 'nope', value: '1' }] }, Errors.INVALID_CONFIG, /no setting nope/],
    [
      'n',
      1,
      { configs: [{ name: 'retention.ms', value: null }] },
      Errors.INVALID_CONFIG,
      /No value .* retention\.ms/,
    ],
    [
      'n',
      1,
      { assignments: [{ partitionIndex: 0, brokerIds: [1] }] },
      Errors.INVALID_REQUEST,
      /replicationFactor must be -1/,
    ],
    ['__cluster_metadata', 1, {}, Errors.INVALID_REQUEST, /__cluster_metadata .* another name/],
  ])(
    '%j with %i partitions and %j is refused as Apache Kafka does',
    async (name, count, more, code, message) => {
      await cluster.create([cluster.topic('there'), cluster.topic('a_b')]);
      const before = cluster.raft.nextOffset;
      const text = expect.stringMatching(message);
      expect(errorsOf(await cluster.create([cluster.topic(name, count, more)]))).toEqual([[code, text]]);
      expect(cluster.raft.nextOffset).toBe(before);
    },
  );

  const manual = (...assignments: [number, number[]][]) => ({
    replicationFactor: -1,
    assignments: assignments.map(([partitionIndex, brokerIds]) => ({ partitionIndex, brokerIds })),
  });
  test.each([
    [manual([0, []]), /at least one/],
    [manual([0, [1, 1]]), /\[1, 1\].* broker 1 stands there twice/],
    [manual([0, [2]]), /\[2\].* no broker 2/],
    [manual([1, [1]]), /partition 0 are not given/],
    [manual([0, [1]], [0, [1]]), /partition 0 are given twice/],
  ])('a wrong assignment is named: %j', async (more, message) => {
    const response = await cluster.create([cluster.topic('m', -1, more)]);
    const text = expect.stringMatching(message);
    expect(errorsOf(response)).toEqual([[Errors.INVALID_REPLICA_ASSIGNMENT, text]]);
  });

  test('assignments by hand make as many partitions as there are', async () => {
    const response = await cluster.create([cluster.topic('m', -1, manual([1, [1]], [0, [1]]))]);
    expect(response.topics[0]).toMatchObject({ errorCode: 0, numPartitions: 2 });
  });

  test('one name twice in a request makes none of the two', async () => {
    const response = await cluster.create([cluster.topic('d'), cluster.topic('e'), cluster.topic('d')]);
    expect(response.topics.map((one) => [one.name, one.errorCode])).toEqual([
      ['e', Errors.NONE],
      ['d', Errors.INVALID_REQUEST],
    ]);
    expect([...cluster.publisher.image.topicsByName.keys()]).toEqual(['e']);
  });

  test('validateOnly answers and changes nothing', async () => {
    const before = cluster.raft.nextOffset;
    expect((await cluster.create([cluster.topic('a', 2)], { validateOnly: true })).topics[0]).toMatchObject({
      errorCode: 0,
      numPartitions: 2,
    });
    expect(cluster.raft.nextOffset).toBe(before);
  });

  test('more than 10,000 partitions in one request are refused', async () => {
    await expect(cluster.create([cluster.topic('big', 10_001)])).rejects.toThrow('at most 10000 partitions');
  });

  test('more than 10,000 records in one request are refused, validated only or not', async () => {
    const topics = Array.from({ length: 5001 }, (_, i) => cluster.topic(`t-${i}`));
    const text = /needs \d+ metadata records, more than 10000/;
    await expect(cluster.create(topics)).rejects.toThrow(text);
    await expect(cluster.create(topics, { validateOnly: true })).rejects.toThrow(text);
    expect(cluster.controller.image.topicsByName.size).toBe(0);
    const created = await cluster.create(topics.slice(1));
    expect(created.topics.filter(({ errorCode }) => errorCode === 0)).toHaveLength(5000);
    expect(cluster.publisher.image.topicsByName.size).toBe(5000);
  });

  test('internal topics may be capped at the brokers that are there', async () => {
    cluster = await Cluster.start({ capReplicationFactorOf: (name) => name === '__consumer_offsets' });
    const response = await cluster.create([
      cluster.topic('__consumer_offsets', 2, { replicationFactor: 3 }),
      cluster.topic('x', 1, { replicationFactor: 3 }),
    ]);
    expect(response.topics.map((one) => one.errorCode)).toEqual([0, Errors.INVALID_REPLICATION_FACTOR]);
  });

  test('50 pipelined creates of one name give exactly one success', async () => {
    const request = { topics: [cluster.topic('one')], timeoutMs: 1000, validateOnly: false };
    const sent = Array.from({ length: 50 }, () => cluster.send(cluster.controller.createTopics, request));
    expect(sent.some((one) => one.outcome !== undefined)).toBe(false);
    await cluster.world.settle();
    const codes = sent.map(({ outcome }) =>
      outcome?.ok === true ? outcome.response.topics[0]?.errorCode : -2,
    );
    expect(codes).toEqual([0, ...Array<number>(49).fill(Errors.TOPIC_ALREADY_EXISTS)]);
  });
});

describe('DeleteTopics', () => {
  test('frees the name: the next topic has another id and none of the settings', async () => {
    await cluster.create([cluster.topic('a', 2, { configs: [{ name: 'retention.ms', value: '1000' }] })]);
    const first = cluster.publisher.image.topicsByName.get('a')?.id;
    expect((await cluster.remove('a')).responses).toMatchObject([
      { name: 'a', topicId: first, errorCode: 0 },
    ]);
    await cluster.create([cluster.topic('a')]);
    await cluster.restart();
    for (const image of [cluster.publisher.image, cluster.controller.image]) {
      expect(image.topicsByName.get('a')?.id).not.toBe(first);
      expect(image.configOf(2, 'a').size).toBe(0);
    }
  });

  test('names and ids that are unknown, doubled or both are told apart', async () => {
    await cluster.create([cluster.topic('a')]);
    const id = cluster.publisher.image.topicsByName.get('a')?.id ?? DIRECTORY_ID;
    const zero = 'AAAAAAAAAAAAAAAAAAAAAA' as typeof id;
    const topics = [
      { name: 'nope', topicId: zero },
      { name: null, topicId: DIRECTORY_ID },
      { name: null, topicId: zero },
      { name: 'a', topicId: id },
      { name: 'twice', topicId: zero },
      { name: 'twice', topicId: zero },
      { name: null, topicId: id },
      { name: 'a', topicId: zero },
    ];
    const { responses } = await cluster.ok(cluster.controller.deleteTopics, {
      topics,
      topicNames: [],
      timeoutMs: 1,
    });
    expect(responses.map((one) => [one.name, one.errorCode, one.errorMessage])).toEqual([
      [null, Errors.INVALID_REQUEST, 'The topic has neither a name nor an id.'],
      ['a', Errors.INVALID_REQUEST, 'Name the topic or give its id, not both.'],
      ['twice', Errors.INVALID_REQUEST, 'The request names this topic twice.'],
      [null, Errors.UNKNOWN_TOPIC_ID, errorText(Errors.UNKNOWN_TOPIC_ID)],
      ['nope', Errors.UNKNOWN_TOPIC_OR_PARTITION, errorText(Errors.UNKNOWN_TOPIC_OR_PARTITION)],
      ['a', Errors.INVALID_REQUEST, 'The topic is there twice, by its name and by its id.'],
    ]);
    expect(cluster.publisher.image.topicsByName.has('a')).toBe(true);
  });

  test('is refused where delete.topic.enable is off', async () => {
    cluster = await Cluster.start({ deleteTopicEnable: () => false });
    await expect(cluster.remove('a')).rejects.toMatchObject({ code: Errors.TOPIC_DELETION_DISABLED });
  });
});

describe('CreatePartitions', () => {
  const grow = (count: number, more = {}, name = 'a') =>
    cluster.ok(cluster.controller.createPartitions, {
      topics: [{ name, count, assignments: null, ...more }],
      timeoutMs: 1000,
      validateOnly: false,
    });

  test('adds at the end', async () => {
    await cluster.create([cluster.topic('a', 2)]);
    expect((await grow(4)).results).toEqual([{ name: 'a', errorCode: 0, errorMessage: null }]);
    expect(cluster.publisher.image.topicsByName.get('a')?.partitions.map((one) => one.leader)).toEqual([
      1, 1, 1, 1,
    ]);
  });

  test.each([
    [2, {}, Errors.INVALID_PARTITIONS, 'The topic a has 2 partitions now; ask for more.'],
    [
      1,
      {},
      Errors.INVALID_PARTITIONS,
      "The topic a has 2 partitions, and can't have only 1: none is taken away.",
    ],
    [
      3,
      { assignments: [] },
      Errors.INVALID_REPLICA_ASSIGNMENT,
      'The topic gets 1 more partitions, but replicas are given for 0.',
    ],
    [3, { name: 'b' }, Errors.UNKNOWN_TOPIC_OR_PARTITION, errorText(Errors.UNKNOWN_TOPIC_OR_PARTITION)],
    [200_000, {}, Errors.POLICY_VIOLATION, expect.stringContaining('at most 10000 partitions')],
  ])('to %i with %j is refused', async (count, more, errorCode, errorMessage) => {
    await cluster.create([cluster.topic('a', 2)]);
    expect((await grow(count, more)).results).toMatchObject([{ errorCode, errorMessage }]);
  });
});
