import { describe, expect, test } from 'vitest';
import { defaults } from '../../../src/protocol/codec.ts';
import { Errors } from '../../../src/protocol/errors.ts';
import {
  TxnOffsetCommitRequest,
  type TxnOffsetCommitResponse,
} from '../../../src/protocol/messages/txn-offset-commit.ts';
import { type ConsumerClient, ConsumerWorld } from './consumer-world.ts';
import { Pending } from './group-world.ts';

const FIRST_EPOCH = 2;

function worldWith(partitions: number, config = {}): ConsumerWorld {
  const world = new ConsumerWorld(config);
  world.topics.set('t', partitions);
  return world;
}

function ownersOf(members: readonly ConsumerClient[]): number[] {
  return members.flatMap(({ partitions }) => partitions).sort((a, b) => a - b);
}

describe('members', () => {
  test('the first one gets all partitions at once', () => {
    const world = worldWith(3);
    const a = world.member('a');
    const response = a.join();
    expect(response).toMatchObject({ errorCode: 0, memberId: 'a', memberEpoch: FIRST_EPOCH });
    expect(response.heartbeatIntervalMs).toBe(5000);
    expect(a.partitions).toEqual([0, 1, 2]);
  });

  test('a second one gets partitions only when the first has given them back', async () => {
    const world = worldWith(4);
    const [a, b] = [world.member('a'), world.member('b')];
    a.join();
    expect(b.join()).toMatchObject({ memberEpoch: FIRST_EPOCH + 1 });
    expect(b.partitions).toEqual([]);
    expect(a.beat()).toBe(true);
    expect(a.epoch).toBe(FIRST_EPOCH);
    expect(a.partitions).toHaveLength(2);
    b.beat();
    expect(b.partitions).toEqual([]);
    expect((await world.describeConsumer()).groupState).toBe('Reconciling');
    a.beat();
    expect(a.epoch).toBe(FIRST_EPOCH + 1);
    b.beat();
    expect(ownersOf([a, b])).toEqual([0, 1, 2, 3]);
    expect((await world.describeConsumer()).groupState).toBe('Stable');
  });

  test('the partitions of one that leaves go to the others', async () => {
    const world = worldWith(4);
    const members = ['a', 'b', 'c'].map((id) => world.member(id));
    for (const member of members) member.join();
    world.converge(members);
    expect(ownersOf(members)).toEqual([0, 1, 2, 3]);
    const [a, ...rest] = members;
    expect(a!.leave()).toMatchObject({ errorCode: 0, memberId: 'a', memberEpoch: -1 });
    world.converge(rest);
    expect(ownersOf(rest)).toEqual([0, 1, 2, 3]);
    expect(a!.send().errorCode).toBe(Errors.UNKNOWN_MEMBER_ID);
    for (const member of rest) member.leave();
    expect(await world.describeConsumer()).toMatchObject({ groupState: 'Empty', members: [] });
  });

  test('who is not heard of within the session is taken out', () => {
    const world = worldWith(2);
    const [a, b] = [world.member('a'), world.member('b')];
    a.join();
    b.join();
    world.converge([a, b]);
    for (let beats = 0; beats < 5; beats++) {
      world.time.advance(10_000);
      a.beat();
    }
    world.converge([a]);
    expect(a.partitions).toEqual([0, 1]);
    expect(b.send().errorCode).toBe(Errors.UNKNOWN_MEMBER_ID);
  });

  test('who does not give back within the rebalance timeout is taken out', () => {
    const world = worldWith(2);
    const a = world.member('a', ['t'], { rebalanceTimeoutMs: 7000 });
    const b = world.member('b');
    a.join();
    const owned = new Set(a.owned);
    b.join();
    const keeps = (): void => {
      a.owned = new Set(owned);
      a.send();
    };
    keeps();
    world.time.advance(6000);
    keeps();
    expect(a.errorCode).toBe(0);
    b.beat();
    expect(b.partitions).toEqual([]);
    world.time.advance(1000);
    b.beat();
    expect(b.partitions).toEqual([0, 1]);
    expect(a.send().errorCode).toBe(Errors.UNKNOWN_MEMBER_ID);
  });

  test('a wrong epoch is fenced, and joining again begins anew', () => {
    const world = worldWith(1);
    const a = world.member('a');
    a.join();
    a.epoch += 1;
    expect(a.send().errorCode).toBe(Errors.FENCED_MEMBER_EPOCH);
    a.join();
    expect(a.partitions).toEqual([0]);
  });

  test('an answer that was lost is given again to who has the epoch before', () => {
    const world = worldWith(2);
    const [a, b] = [world.member('a'), world.member('b')];
    a.join();
    b.join();
    a.beat();
    const { epoch, owned } = a;
    a.beat();
    expect(a.epoch).toBe(epoch + 1);
    a.epoch = epoch;
    a.owned = owned;
    expect(a.send()).toMatchObject({ errorCode: 0, memberEpoch: epoch + 1 });
    a.epoch = epoch - 1;
    expect(a.send().errorCode).toBe(Errors.FENCED_MEMBER_EPOCH);
  });

  test('a full group refuses more', () => {
    const world = worldWith(1, { consumerMaxSize: 1 });
    world.member('a').join();
    expect(world.member('b').join().errorCode).toBe(Errors.GROUP_MAX_SIZE_REACHED);
    expect(world.member('a').join().errorCode).toBe(0);
  });

  test('requests that no group could take are refused', () => {
    const world = worldWith(1);
    const join = {
      memberId: 'a',
      rebalanceTimeoutMs: 1000,
      topicPartitions: [],
      subscribedTopicNames: ['t'],
    };
    const codeOf = (given: Parameters<typeof world.consumerHeartbeat>[0], version = 1) =>
      world.consumerHeartbeat(given, version).errorCode;
    expect(codeOf({ ...join, memberId: '' })).toBe(Errors.INVALID_REQUEST);
    expect(codeOf({ ...join, memberId: '' }, 0)).toBe(Errors.NONE);
    expect(codeOf({ ...join, rebalanceTimeoutMs: -1 })).toBe(Errors.INVALID_REQUEST);
    expect(codeOf({ ...join, topicPartitions: null })).toBe(Errors.INVALID_REQUEST);
    expect(codeOf({ ...join, subscribedTopicNames: null })).toBe(Errors.INVALID_REQUEST);
    expect(codeOf({ ...join, serverAssignor: 'mine' })).toBe(Errors.UNSUPPORTED_ASSIGNOR);
    expect(codeOf({ memberId: 'a', memberEpoch: -2 })).toBe(Errors.INVALID_REQUEST);
    expect(codeOf({ memberId: 'a', memberEpoch: -3 })).toBe(Errors.INVALID_REQUEST);
    expect(codeOf({ memberId: 'x', memberEpoch: 5 })).toBe(Errors.UNKNOWN_MEMBER_ID);
    expect(codeOf({ groupId: 'other', memberId: 'x', memberEpoch: 5 })).toBe(Errors.GROUP_ID_NOT_FOUND);
  });
});

describe('static members', () => {
  test('one that leaves for a while keeps its partitions for its next life', () => {
    const world = worldWith(2);
    const a1 = world.member('a1', ['t'], { instanceId: 'i' });
    const b = world.member('b');
    a1.join();
    b.join();
    world.converge([a1, b]);
    const [mine] = a1.partitions;
    expect(a1.leave(-2)).toMatchObject({ errorCode: 0, memberEpoch: -2 });
    const a2 = world.member('a2', ['t'], { instanceId: 'i' });
    const { epoch } = b;
    a2.join();
    expect(a2.partitions).toEqual([mine]);
    expect(a2.epoch).toBe(epoch);
    expect(a1.send().errorCode).toBe(Errors.FENCED_INSTANCE_ID);
  });

  test('nobody takes the place of one that has not left', () => {
    const world = worldWith(2);
    world.member('a1', ['t'], { instanceId: 'i' }).join();
    const a2 = world.member('a2', ['t'], { instanceId: 'i' });
    expect(a2.join().errorCode).toBe(Errors.UNRELEASED_INSTANCE_ID);
  });

  test('one that does not come back within its session is gone', async () => {
    const world = worldWith(2);
    const a = world.member('a', ['t'], { instanceId: 'i' });
    a.join();
    a.leave(-2);
    world.time.advance(45_000);
    expect((await world.describeConsumer()).members).toEqual([]);
  });
});

describe('topics', () => {
  test('more partitions are assigned with the next heartbeat', () => {
    const world = worldWith(1);
    const a = world.member('a');
    a.join();
    world.topics.set('t', 3);
    world.coordinator.onTopicsChanged(new Set(['t']));
    world.converge([a]);
    expect(a.partitions).toEqual([0, 1, 2]);
  });

  test('a topic that was deleted is taken away, and one that is made later is given', () => {
    const world = new ConsumerWorld();
    const a = world.member('a');
    a.join();
    expect(a.partitions).toEqual([]);
    world.topics.set('t', 2);
    world.coordinator.onTopicsChanged(new Set(['t']));
    world.converge([a]);
    expect(a.partitions).toEqual([0, 1]);
    world.topics.delete('t');
    world.coordinator.onTopicsChanged(new Set(['t']));
    world.converge([a]);
    expect(a.partitions).toEqual([]);
  });

  test('regular expressions follow the topics', () => {
    const world = new ConsumerWorld();
    world.topics.set('logs-1', 1);
    world.topics.set('other', 1);
    const a = world.member('a', [], { subscribedTopicRegex: 'logs-.*' });
    a.join();
    world.time.advance(1);
    world.converge([a]);
    expect(a.owned.size).toBe(1);
    world.topics.set('logs-2', 2);
    world.coordinator.onTopicsChanged(new Set(['logs-2']));
    world.time.advance(11_000);
    a.beat();
    world.time.advance(1);
    world.converge([a]);
    expect(a.owned.size).toBe(3);
    const b = world.member('b', [], { subscribedTopicRegex: '(' });
    expect(b.join().errorCode).toBe(Errors.INVALID_REGULAR_EXPRESSION);
  });

  test('assignments keep their interval', () => {
    const world = worldWith(2);
    world.settings = { ...world.settings, assignmentIntervalMs: 1000 };
    const [a, b] = [world.member('a'), world.member('b')];
    a.join();
    b.join();
    a.beat();
    expect(a.partitions).toEqual([0, 1]);
    world.time.advance(1000);
    world.converge([a, b]);
    expect(a.partitions).toHaveLength(1);
  });
});

describe('offsets', () => {
  test('members commit with their epochs, and those that are behind for what they have had since', () => {
    const world = worldWith(2);
    const topicId = world.topics.idOf('t')!;
    const [a, b] = [world.member('a'), world.member('b')];
    a.join();
    const since = a.epoch;
    const commit = (memberId: string, epoch: number, partition: number, version = 9) =>
      world.codesOf(
        world.commit(
          {},
          {
            memberId,
            generationIdOrMemberEpoch: epoch,
            topics: [{ name: 't', topicId, partitions: [{ partitionIndex: partition, committedOffset: 5 }] }],
          },
          version,
        ),
      )[0];
    expect(commit('a', since, 0)).toBe(Errors.NONE);
    expect(commit('a', since + 1, 0)).toBe(Errors.STALE_MEMBER_EPOCH);
    expect(commit('a', since, 0, 8)).toBe(Errors.UNSUPPORTED_VERSION);
    expect(commit('x', since, 0)).toBe(Errors.UNKNOWN_MEMBER_ID);
    b.join();
    world.converge([a, b]);
    const [kept] = a.partitions;
    const [moved] = b.partitions;
    expect(commit('a', since, kept!)).toBe(Errors.NONE);
    expect(commit('a', since, moved!)).toBe(Errors.STALE_MEMBER_EPOCH);
    expect(commit('b', since, moved!)).toBe(Errors.STALE_MEMBER_EPOCH);
    expect(commit('b', b.epoch, moved!)).toBe(Errors.NONE);
    expect(world.offsets()).toEqual({ 't/0': 5, 't/1': 5 });
  });

  test('within a transaction too, where versions before 6 know no stale epoch', () => {
    const world = worldWith(2);
    const topicId = world.topics.idOf('t')!;
    const [a, b] = [world.member('a'), world.member('b')];
    a.join();
    const since = a.epoch;
    const commit = (memberId: string, epoch: number, partition: number, version: number) => {
      const pending = new Pending<TxnOffsetCommitResponse>();
      const request = defaults<TxnOffsetCommitRequest>(TxnOffsetCommitRequest, {
        groupId: 'g',
        transactionalId: 'x',
        producerId: 7n,
        memberId,
        generationIdOrMemberEpoch: epoch,
        topics: [{ name: 't', topicId, partitions: [{ partitionIndex: partition, committedOffset: 5 }] }],
      });
      const write = { producerId: 7n, producerEpoch: 0, transaction: undefined };
      const { coordinator } = world;
      coordinator.commitTransactionalOffsets(version, request, write, pending.answer);
      world.time.settle();
      return pending.value.topics[0]!.partitions[0]!.errorCode;
    };
    expect(commit('a', since, 0, 3)).toBe(Errors.NONE);
    expect(commit('', -1, 0, 3)).toBe(Errors.NONE);
    expect(commit('x', since, 0, 5)).toBe(Errors.UNKNOWN_MEMBER_ID);
    expect(commit('a', since + 1, 0, 5)).toBe(Errors.ILLEGAL_GENERATION);
    expect(commit('a', since + 1, 0, 6)).toBe(Errors.STALE_MEMBER_EPOCH);
    b.join();
    world.converge([a, b]);
    const [kept] = a.partitions;
    const [moved] = b.partitions;
    expect(commit('a', since, kept!, 5)).toBe(Errors.NONE);
    expect(commit('a', since, moved!, 5)).toBe(Errors.ILLEGAL_GENERATION);
    expect(commit('a', since, moved!, 6)).toBe(Errors.STALE_MEMBER_EPOCH);
  });
});

describe('what the log keeps', () => {
  test('another broker goes on where the first one ended', async () => {
    const world = worldWith(4);
    const members = ['a', 'b'].map((id) => world.member(id));
    for (const member of members) member.join();
    members[0]!.beat();
    const before = await world.describeConsumer();
    await world.failOver();
    expect(await world.describeConsumer()).toEqual(before);
    world.converge(members);
    expect(ownersOf(members)).toEqual([0, 1, 2, 3]);
    world.time.advance(45_000);
    expect((await world.describeConsumer()).members).toEqual([]);
    await world.failOver();
    expect(await world.describeConsumer()).toMatchObject({ groupState: 'Empty', members: [] });
  });

  test('an empty group of either protocol gives way to the other', async () => {
    const world = worldWith(1);
    const a = world.member('a');
    a.join();
    a.leave();
    const { joined } = world.joinWithId();
    world.time.advance(3000);
    expect(joined.value.errorCode).toBe(0);
    world.stabilize([joined]);
    expect(world.member('b').join().errorCode).toBe(Errors.GROUP_ID_NOT_FOUND);
    world.leave({ memberId: joined.value.memberId });
    expect(world.member('b').join().errorCode).toBe(0);
    const listed = await world.coordinator.listGroups({ statesFilter: [], typesFilter: ['consumer'] });
    expect(listed).toMatchObject([{ groupId: 'g', groupState: 'Stable', groupType: 'consumer' }]);
    await world.failOver();
    expect((await world.describeConsumer()).groupState).toBe('Stable');
    expect(await world.describe()).toMatchObject({ errorCode: Errors.GROUP_ID_NOT_FOUND });
  });

  test('a group is deleted only when it is empty, and nothing of it stays', async () => {
    const world = worldWith(1);
    const a = world.member('a');
    a.join();
    const remove = async () => (await world.coordinator.deleteGroups({ groupsNames: ['g'] }))[0]!.errorCode;
    expect(await settled(world, remove())).toBe(Errors.NON_EMPTY_GROUP);
    a.leave();
    expect(await settled(world, remove())).toBe(Errors.NONE);
    await world.failOver();
    expect((await world.describeConsumer()).errorCode).toBe(Errors.GROUP_ID_NOT_FOUND);
  });
});

async function settled<T>(world: ConsumerWorld, what: Promise<T>): Promise<T> {
  await world.loaded();
  return what;
}
