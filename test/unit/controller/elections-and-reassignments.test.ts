import { beforeEach, expect, test } from 'vitest';
import type { Uuid } from '../../../src/base/uuid.ts';
import { Errors } from '../../../src/protocol/errors.ts';
import { Cluster } from './support.ts';

const DIRECTORY_2 = Buffer.alloc(16, 77).toString('base64url') as Uuid;

let cluster: Cluster;
let epochOf2: number;

/** Two brokers; topic `a` on 1, `b` on 1 and 2 (2 preferred), `c` on 2. */
beforeEach(async () => {
  cluster = await Cluster.start();
  const c = cluster.controller;
  const registered = await cluster.ok(c.brokerRegistration, cluster.registration(50, 2, DIRECTORY_2));
  epochOf2 = registered.brokerEpoch;
  await beat();
  const placed = (name: string, brokerIds: readonly number[]) =>
    cluster.topic(name, -1, { replicationFactor: -1, assignments: [{ partitionIndex: 0, brokerIds }] });
  await cluster.create([placed('a', [1]), placed('b', [2, 1]), placed('c', [2])]);
});

const beat = (more: { wantFence?: boolean; wantShutDown?: boolean } = {}) =>
  cluster.ok(cluster.controller.brokerHeartbeat, cluster.heartbeat(more, 2, epochOf2));
const partition = (topic: string) => cluster.publisher.image.topicsByName.get(topic)?.partitions[0];

const elect = (electionType: number, ...topics: readonly string[]) =>
  cluster.ok(cluster.controller.electLeaders, {
    electionType,
    topicPartitions: topics.length === 0 ? null : topics.map((topic) => ({ topic, partitions: [0] })),
    timeoutMs: 1000,
  });
const PREFERRED = 0;
const UNCLEAN = 1;

const codesOf = (answer: Awaited<ReturnType<typeof elect>>) =>
  answer.replicaElectionResults.flatMap(({ topic, partitionResult }) =>
    partitionResult.map(({ errorCode }) => [topic, errorCode]),
  );

test('an election is not needed where the preferred replica leads, or where anybody does', async () => {
  expect(codesOf(await elect(PREFERRED, 'a', 'b'))).toEqual([
    ['a', Errors.ELECTION_NOT_NEEDED],
    ['b', Errors.ELECTION_NOT_NEEDED],
  ]);
  expect(codesOf(await elect(UNCLEAN, 'a'))).toEqual([['a', Errors.ELECTION_NOT_NEEDED]]);
});

test('of all partitions only those that were elected, or could not be, are told', async () => {
  await beat({ wantFence: true });
  expect(partition('c')?.leader).toBe(-1);
  const answer = await elect(PREFERRED);
  expect(codesOf(answer)).toEqual([
    ['b', Errors.PREFERRED_LEADER_NOT_AVAILABLE],
    ['c', Errors.PREFERRED_LEADER_NOT_AVAILABLE],
  ]);
  expect(answer.replicaElectionResults.map(({ topic }) => topic)).toEqual(['a', 'b', 'c']);
});

test('a partition whose replicas are all gone has nobody to elect', async () => {
  await beat({ wantFence: true });
  expect(codesOf(await elect(UNCLEAN, 'c'))).toEqual([['c', Errors.ELIGIBLE_LEADERS_NOT_AVAILABLE]]);
});

test('an unclean election takes a replica that was not in sync', async () => {
  await beat({ wantFence: true });
  expect(partition('b')).toMatchObject({ leader: 1, isr: [1] });
  const broker = cluster.heartbeat({ wantFence: true });
  await cluster.ok(cluster.controller.brokerHeartbeat, broker);
  await beat();
  expect(partition('b')).toMatchObject({ leader: -1, isr: [1] });
  expect(codesOf(await elect(UNCLEAN, 'b'))).toEqual([['b', 0]]);
  expect(partition('b')).toMatchObject({ leader: 2, isr: [2], leaderRecoveryState: 1 });
});

test('unknown topics, partitions and kinds of election are refused', async () => {
  expect(codesOf(await elect(PREFERRED, 'nope'))).toEqual([['nope', Errors.UNKNOWN_TOPIC_OR_PARTITION]]);
  const one = { electionType: PREFERRED, timeoutMs: 1 };
  const asked = { ...one, topicPartitions: [{ topic: 'a', partitions: [5, -1] }] };
  expect(codesOf(await cluster.ok(cluster.controller.electLeaders, asked))).toEqual([
    ['a', Errors.UNKNOWN_TOPIC_OR_PARTITION],
    ['a', Errors.UNKNOWN_TOPIC_OR_PARTITION],
  ]);
  await expect(elect(2, 'a')).rejects.toMatchObject({ code: Errors.INVALID_REQUEST });
});

const reassign = async (
  name: string,
  replicas: readonly number[] | null,
  allowReplicationFactorChange = true,
  partitionIndex = 0,
) => {
  const topics = [{ name, partitions: [{ partitionIndex, replicas }] }];
  const request = { timeoutMs: 1000, allowReplicationFactorChange, topics };
  const answer = await cluster.ok(cluster.controller.alterPartitionReassignments, request);
  return answer.responses[0]?.partitions[0];
};
const listed = async () => {
  const request = { timeoutMs: 1000, topics: null };
  return (await cluster.ok(cluster.controller.listPartitionReassignments, request)).topics;
};

test('the replicas that a partition has are no reassignment', async () => {
  const before = cluster.raft.nextOffset;
  expect(await reassign('a', [1])).toMatchObject({ errorCode: 0 });
  expect(cluster.raft.nextOffset).toBe(before);
});

test('another order of the replicas holds at once', async () => {
  expect(await reassign('b', [1, 2])).toMatchObject({ errorCode: 0 });
  expect(partition('b')).toMatchObject({ replicas: [1, 2], leader: 2, addingReplicas: [] });
  expect(codesOf(await elect(PREFERRED, 'b'))).toEqual([['b', 0]]);
  expect(partition('b')).toMatchObject({ leader: 1, isr: [2, 1] });
});

test('taking a replica away ends at once, moves the leader and begins an epoch', async () => {
  const before = partition('b');
  expect(await reassign('b', [1])).toMatchObject({ errorCode: 0 });
  expect(partition('b')).toMatchObject({
    replicas: [1],
    isr: [1],
    leader: 1,
    leaderEpoch: (before?.leaderEpoch ?? 0) + 1,
    removingReplicas: [],
    directories: [before?.directories[1]],
  });
  expect(await listed()).toEqual([]);
});

test('a new replica waits until it is in sync, is listed, and can be taken back', async () => {
  expect(await reassign('a', [2])).toMatchObject({ errorCode: 0 });
  expect(partition('a')).toMatchObject({
    replicas: [2, 1],
    isr: [1],
    leader: 1,
    addingReplicas: [2],
    removingReplicas: [1],
    directories: [DIRECTORY_2, partition('b')?.directories[1]],
  });
  expect(await listed()).toEqual([
    {
      name: 'a',
      partitions: [{ partitionIndex: 0, replicas: [2, 1], addingReplicas: [2], removingReplicas: [1] }],
    },
  ]);
  expect(await reassign('a', null)).toMatchObject({ errorCode: 0 });
  expect(partition('a')).toMatchObject({ replicas: [1], isr: [1], addingReplicas: [], removingReplicas: [] });
  expect(await listed()).toEqual([]);
});

test.each([
  ['nope', [1], true, 0, Errors.UNKNOWN_TOPIC_OR_PARTITION],
  ['a', [1], true, 3, Errors.UNKNOWN_TOPIC_OR_PARTITION],
  ['a', null, true, 0, Errors.NO_REASSIGNMENT_IN_PROGRESS],
  ['a', [], true, 0, Errors.INVALID_REPLICA_ASSIGNMENT],
  ['a', [1, 1], true, 0, Errors.INVALID_REPLICA_ASSIGNMENT],
  ['a', [7], true, 0, Errors.INVALID_REPLICA_ASSIGNMENT],
  ['a', [1, 2], false, 0, Errors.INVALID_REPLICATION_FACTOR],
] as const)(
  'reassigning %s to %j (factor may change: %s, partition %i) is refused with %i',
  async (name, replicas, mayChange, index, errorCode) => {
    const before = cluster.raft.nextOffset;
    expect(await reassign(name, replicas, mayChange, index)).toMatchObject({ errorCode });
    expect(cluster.raft.nextOffset).toBe(before);
  },
);

test('an unregistered broker leads nothing any more', async () => {
  await cluster.ok(cluster.controller.unregisterBroker, { brokerId: 2 });
  expect(partition('b')).toMatchObject({ leader: 1, isr: [1] });
  expect(partition('c')).toMatchObject({ leader: -1 });
  expect(cluster.publisher.image.brokers.has(2)).toBe(false);
});
