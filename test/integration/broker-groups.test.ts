import { afterEach, expect, test } from 'vitest';
import { type Broker, startBroker } from '../../src/index.ts';
import { defaults, encodeToBytes, type Sparse } from '../../src/protocol/codec.ts';
import {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../src/protocol/messages/consumer-group-heartbeat.ts';
import { ConsumerProtocolAssignment } from '../../src/protocol/messages/consumer-protocol.ts';
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/create-topics.ts';
import {
  FindCoordinatorRequest,
  FindCoordinatorResponse,
} from '../../src/protocol/messages/find-coordinator.ts';
import { JoinGroupRequest, JoinGroupResponse } from '../../src/protocol/messages/join-group.ts';
import { LeaveGroupRequest, LeaveGroupResponse } from '../../src/protocol/messages/leave-group.ts';
import { OffsetCommitRequest, OffsetCommitResponse } from '../../src/protocol/messages/offset-commit.ts';
import { ProduceRequest, ProduceResponse } from '../../src/protocol/messages/produce.ts';
import { SyncGroupRequest, SyncGroupResponse } from '../../src/protocol/messages/sync-group.ts';
import { BatchBuilder } from '../../src/protocol/record-batch/builder.ts';
import type { MessageSchema } from '../../src/protocol/schema.ts';
import { WireClient } from './wire-client.ts';

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function started(): Promise<{ broker: Broker; ask: Ask }> {
  const broker = await startBroker({ memory: true });
  closers.push(() => broker.stop());
  const ask = await asking(broker);
  const topics = [{ name: 't', numPartitions: 3, replicationFactor: 1 }];
  await ask(CreateTopicsRequest, CreateTopicsResponse, 7, { topics, timeoutMs: 5000 });
  return { broker, ask };
}

type Ask = <Request, Response>(
  request: MessageSchema<Request>,
  response: MessageSchema<Response>,
  version: number,
  given: Sparse<Request>,
) => Promise<Response>;

async function asking(broker: Broker): Promise<Ask> {
  const wire = await WireClient.open(broker.bootstrapServers);
  closers.push(() => wire.close());
  return (request, response, version, given) =>
    wire.request(request, response, version, defaults(request, given));
}

const join = (ask: Ask, memberId = '') =>
  ask(JoinGroupRequest, JoinGroupResponse, 3, {
    groupId: 'g',
    memberId,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 20_000,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.from('wants t') }],
  });

const sync = (ask: Ask, joined: JoinGroupResponse, partitions: Readonly<Record<string, readonly number[]>>) =>
  ask(SyncGroupRequest, SyncGroupResponse, 3, {
    groupId: 'g',
    memberId: joined.memberId,
    generationId: joined.generationId,
    assignments: Object.entries(partitions).map(([memberId, mine]) => ({
      memberId,
      assignment: assignment(mine),
    })),
  });

function assignment(partitions: readonly number[]): Buffer {
  const message = { assignedPartitions: [{ topic: 't', partitions }], userData: null };
  const given = defaults<ConsumerProtocolAssignment>(ConsumerProtocolAssignment, message);
  return Buffer.concat([Buffer.from([0, 3]), encodeToBytes(ConsumerProtocolAssignment, 3, given)]);
}

test('a group is waited for until it has its members and partitions', async () => {
  const { broker, ask } = await started();
  const group = broker.group('g');
  const stable = group.stable({ members: 2, partitions: 3 });
  const alone = group.stable();
  await ask(FindCoordinatorRequest, FindCoordinatorResponse, 3, { key: 'g' });
  expect(await group.describe()).toEqual({
    groupId: 'g',
    protocol: 'classic',
    state: 'Dead',
    assignor: '',
    members: [],
  });
  const first = await join(ask);
  await sync(ask, first, { [first.memberId]: [0, 1] });
  expect((await alone).members.map(({ partitions }) => partitions.length)).toEqual([2]);
  const other = await asking(broker);
  const joining = join(other);
  // The first member joins again once it is told to; until then the second waits.
  let again = await join(ask, first.memberId);
  while (again.members.length < 2) {
    await sync(ask, again, { [first.memberId]: [0, 1] });
    again = await join(ask, first.memberId);
  }
  const second = await joining;
  const assigned = { [first.memberId]: [0, 2], [second.memberId]: [1] };
  await Promise.all([sync(ask, again, assigned), sync(other, second, {})]);
  const { state, assignor, members } = await stable;
  expect([state, assignor]).toEqual(['Stable', 'range']);
  const had = Object.fromEntries(members.map(({ memberId, partitions }) => [memberId, partitions]));
  expect(had).toEqual({
    [first.memberId]: [
      { topic: 't', partition: 0 },
      { topic: 't', partition: 2 },
    ],
    [second.memberId]: [{ topic: 't', partition: 1 }],
  });
  expect(members[0]).toMatchObject({ groupInstanceId: null, clientId: 'wire-client' });
  const leaving = { groupId: 'g', members: [{ memberId: first.memberId }, { memberId: second.memberId }] };
  await ask(LeaveGroupRequest, LeaveGroupResponse, 3, leaving);
  expect(await group.describe()).toMatchObject({ state: 'Empty', members: [] });
});

test('who waits too long is told how the group is', async () => {
  const { broker, ask } = await started();
  const never = broker.group('nobody').stable({ members: 2, timeoutMs: 0 });
  await expect(never).rejects.toThrow(/nobody is not stable with 2 members after 0 ms: .*not there/);
  await ask(FindCoordinatorRequest, FindCoordinatorResponse, 3, { key: 'g' });
  const first = await join(ask);
  await sync(ask, first, { [first.memberId]: [0, 1] });
  await broker.group('g').stable({ members: 1, partitions: 2 });
  const more = broker.group('g').stable({ partitions: 3, timeoutMs: 20 });
  await expect(more).rejects.toThrow(
    'group g is not stable with 3 partitions after 20 ms: it is Stable with 1 members, who have 2 partitions',
  );
  const waiting = broker.group('g').stable({ members: 5 });
  await Promise.all([broker.stop(), expect(waiting).rejects.toThrow('the broker stopped')]);
});

test('offsets come with the end of their partition and the lag', async () => {
  const { broker, ask } = await started();
  await ask(FindCoordinatorRequest, FindCoordinatorResponse, 3, { key: 'g' });
  const records = new BatchBuilder();
  for (let i = 0; i < 5; i++) records.append({ value: Buffer.from(`${i}`) });
  const partitionData = [{ index: 1, records: records.build() }];
  await ask(ProduceRequest, ProduceResponse, 7, {
    acks: -1,
    timeoutMs: 5000,
    topicData: [{ name: 't', partitionData }],
  });
  expect(await broker.group('g').offsets()).toEqual([]);
  await ask(OffsetCommitRequest, OffsetCommitResponse, 9, {
    groupId: 'g',
    topics: [
      {
        name: 't',
        partitions: [
          { partitionIndex: 1, committedOffset: 2, committedLeaderEpoch: 0, committedMetadata: 'here' },
          { partitionIndex: 2, committedOffset: 7 },
        ],
      },
    ],
  });
  expect(await broker.group('g').offsets()).toEqual([
    { topic: 't', partition: 1, offset: 2, leaderEpoch: 0, metadata: 'here', endOffset: 5, lag: 3 },
    { topic: 't', partition: 2, offset: 7, leaderEpoch: undefined, metadata: '', endOffset: 0, lag: 0 },
  ]);
});

test('a group of the consumer protocol is waited for likewise', async () => {
  const { broker, ask } = await started();
  await ask(FindCoordinatorRequest, FindCoordinatorResponse, 3, { key: 'g' });
  const beat = (given: Sparse<ConsumerGroupHeartbeatRequest>) =>
    ask(ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, 1, {
      groupId: 'g',
      memberId: 'm',
      ...given,
    });
  const stable = broker.group('g').stable({ members: 1, partitions: 3 });
  const joining = { subscribedTopicNames: ['t'], rebalanceTimeoutMs: 5000, topicPartitions: [] };
  let answer = await beat({ memberEpoch: 0, ...joining });
  for (let beats = 0; answer.assignment?.topicPartitions.length !== 1; beats++) {
    expect([answer.errorCode, beats < 100]).toEqual([0, true]);
    answer = await beat({ memberEpoch: answer.memberEpoch });
  }
  await beat({ memberEpoch: answer.memberEpoch, topicPartitions: answer.assignment.topicPartitions });
  const group = await stable;
  expect(group).toMatchObject({ protocol: 'consumer', state: 'Stable', assignor: 'uniform' });
  expect(group.members[0]).toMatchObject({ memberId: 'm', groupInstanceId: null });
  expect(group.members[0]!.partitions.map(({ partition }) => partition).sort()).toEqual([0, 1, 2]);
});
