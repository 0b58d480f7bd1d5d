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
    ['', 1, {}, invalid, 'Topic name is invalid: the empty string is not allowed'],
    ['.', 1, {}, invalid, "Topic name is invalid: '.' is not allowed"],
    ['..', 1, {}, invalid, "Topic name is invalid: '..' is not allowed"],
    [
      'a b',
      1,
      {},
      invalid,
      "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
    ],
    [
      'x'.repeat(250),
      1,
      {},
      invalid,
      `Topic name is invalid: the length of '${'x'.repeat(250)}' is longer than the max allowed length 249`,
    ],
    ['a.b', 1, {}, invalid, "Topic 'a.b' collides with existing topic: a_b"],
    ['there', 1, {}, Errors.TOPIC_ALREADY_EXISTS, "Topic 'there' already exists."],
    ['n', 0, {}, Errors.INVALID_PARTITIONS, 'Number of partitions was set to an invalid non-positive value.'],
    [
      'n',
      1,
      { replicationFactor: 0 },
      Errors.INVALID_REPLICATION_FACTOR,
      'Replication factor must be larger than 0, or -1 to use the default value.',
    ],
    [
      'n',
      1,
      { replicationFactor: 2 },
      Errors.INVALID_REPLICATION_FACTOR,
      'Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be reached because only 1 broker(s) are registered or some brokers have all their log directories cordoned.',
    ],
    [
      'n',
      1,
      { configs: [{ name: 'nope', value: '1' }] },
      Errors.INVALID_CONFIG,
      'Unknown topic config name: nope',
    ],
    [
      'n',
      1,
      { configs: [{ name: 'retention.ms', value: null }] },
      Errors.INVALID_CONFIG,
      'Null value not supported for topic configs: retention.ms',
    ],
    [
      'n',
      1,
      { assignments: [{ partitionIndex: 0, brokerIds: [1] }] },
      Errors.INVALID_REQUEST,
      'A manual partition assignment was specified, but replication factor was not set to -1.',
    ],
    [
      '__cluster_metadata',
      1,
      {},
      Errors.INVALID_REQUEST,
      'Creation of internal topic __cluster_metadata is prohibited.',
    ],
  ])(
    '%j with %i partitions and %j is refused as Apache Kafka does',
    async (name, count, more, code, message) => {
      await cluster.create([cluster.topic('there'), cluster.topic('a_b')]);
      const before = cluster.raft.nextOffset;
      expect(errorsOf(await cluster.create([cluster.topic(name, count, more)]))).toEqual([[code, message]]);
      expect(cluster.raft.nextOffset).toBe(before);
    },
  );

  const manual = (...assignments: [number, number[]][]) => ({
    replicationFactor: -1,
    assignments: assignments.map(([partitionIndex, brokerIds]) => ({ partitionIndex, brokerIds })),
  });
  test.each([
    [manual([0, []]), 'The manual partition assignment includes an empty replica list.'],
    [manual([0, [1, 1]]), 'The manual partition assignment includes the broker 1 more than once.'],
    [
      manual([0, [2]]),
      'The manual partition assignment includes broker 2, but no such broker is registered.',
    ],
    [manual([1, [1]]), 'partitions should be a consecutive 0-based integer sequence'],
    [manual([0, [1]], [0, [1]]), 'Found multiple manual partition assignments for partition 0'],
  ])('a wrong assignment is named: %j', async (more, message) => {
    const response = await cluster.create([cluster.topic('m', -1, more)]);
    expect(errorsOf(response)).toEqual([[Errors.INVALID_REPLICA_ASSIGNMENT, message]]);
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
      [null, Errors.INVALID_REQUEST, 'Neither topic name nor id were specified.'],
      ['a', Errors.INVALID_REQUEST, 'You may not specify both topic name and topic id.'],
      ['twice', Errors.INVALID_REQUEST, 'Duplicate topic name.'],
      [null, Errors.UNKNOWN_TOPIC_ID, errorText(Errors.UNKNOWN_TOPIC_ID)],
      ['nope', Errors.UNKNOWN_TOPIC_OR_PARTITION, errorText(Errors.UNKNOWN_TOPIC_OR_PARTITION)],
      ['a', Errors.INVALID_REQUEST, 'The provided topic name maps to an ID that was already supplied.'],
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
    [2, {}, Errors.INVALID_PARTITIONS, 'Topic already has 2 partition(s).'],
    [
      1,
      {},
      Errors.INVALID_PARTITIONS,
      'The topic a currently has 2 partition(s); 1 would not be an increase.',
    ],
    [
      3,
      { assignments: [] },
      Errors.INVALID_REPLICA_ASSIGNMENT,
      'Attempted to add 1 additional partition(s), but only 0 assignment(s) were specified.',
    ],
    [3, { name: 'b' }, Errors.UNKNOWN_TOPIC_OR_PARTITION, errorText(Errors.UNKNOWN_TOPIC_OR_PARTITION)],
    [200_000, {}, Errors.POLICY_VIOLATION, expect.stringContaining('at most 10000 partitions')],
  ])('to %i with %j is refused', async (count, more, errorCode, errorMessage) => {
    await cluster.create([cluster.topic('a', 2)]);
    expect((await grow(count, more)).results).toMatchObject([{ errorCode, errorMessage }]);
  });
});
