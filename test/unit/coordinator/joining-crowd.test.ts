import { describe, expect, test } from 'vitest';
import { JoiningCrowd } from '../../../src/coordinator/group/joining-crowd.ts';
import { defaults } from '../../../src/protocol/codec.ts';
import { Errors } from '../../../src/protocol/errors.ts';
import {
  ConsumerGroupHeartbeatRequest,
  type ConsumerGroupHeartbeatResponse,
} from '../../../src/protocol/messages/consumer-group-heartbeat.ts';
import { ConsumerWorld } from './consumer-world.ts';

const PARTITIONS = 12;

function worldWith(config = {}): ConsumerWorld {
  const world = new ConsumerWorld(config);
  world.topics.set('t', PARTITIONS);
  return world;
}

const joinOf = (memberId: string, more = {}) => ({
  memberId,
  memberEpoch: 0,
  topicPartitions: [],
  subscribedTopicNames: ['t'],
  rebalanceTimeoutMs: 60_000,
  ...more,
});

const partitionsOf = ({ assignment }: ConsumerGroupHeartbeatResponse): readonly number[] =>
  (assignment?.topicPartitions ?? []).flatMap(({ partitions }) => partitions);

const sorted = (answers: readonly ConsumerGroupHeartbeatResponse[]): number[] =>
  answers.flatMap(partitionsOf).sort((a, b) => a - b);

const ALL = Array.from({ length: PARTITIONS }, (_, partition) => partition);

describe('members that join together', () => {
  test('have their parts with the first answer, and nobody has to give anything back', async () => {
    const world = worldWith();
    const ids = ['a', 'b', 'c', 'd'];
    const answers = world.consumerHeartbeats(ids.map((id) => joinOf(id)));
    expect(answers.map(({ errorCode }) => errorCode)).toEqual([0, 0, 0, 0]);
    expect(answers.map((answer) => partitionsOf(answer).length)).toEqual([3, 3, 3, 3]);
    expect(sorted(answers)).toEqual(ALL);
    expect(new Set(answers.map(({ memberEpoch }) => memberEpoch)).size).toBe(1);
    expect((await world.describeConsumer()).groupState).toBe('Stable');
  });

  test('are there, with what they have, for whoever loads the group', async () => {
    const world = worldWith();
    const answers = world.consumerHeartbeats(['a', 'b', 'c'].map((id) => joinOf(id)));
    const before = await world.describeConsumer();
    await world.failOver();
    expect(await world.describeConsumer()).toEqual(before);
    expect(sorted(answers)).toEqual(ALL);
  });

  test('of several groups keep to their own', () => {
    const world = worldWith();
    const answers = world.consumerHeartbeats([
      joinOf('a', { groupId: 'one' }),
      joinOf('b', { groupId: 'two' }),
      joinOf('c', { groupId: 'one' }),
    ]);
    expect(sorted([answers[0]!, answers[2]!])).toEqual(ALL);
    expect(sorted([answers[1]!])).toEqual(ALL);
  });

  test('may be static ones and such without an id among others', () => {
    const world = worldWith();
    const joins = [joinOf('a'), joinOf('b', { instanceId: 'i' }), joinOf(''), joinOf('d')];
    const answers = world.consumerHeartbeats(joins, 0);
    expect(answers.map(({ errorCode }) => errorCode)).toEqual([0, 0, 0, 0]);
    expect(new Set(sorted(answers)).size).toBe(sorted(answers).length);
    expect(new Set(answers.map(({ memberId }) => memberId)).size).toBe(4);
  });

  test('are as many as there is room for', async () => {
    const world = worldWith({ consumerMaxSize: 2 });
    const answers = world.consumerHeartbeats(['a', 'b', 'c'].map((id) => joinOf(id)));
    const { NONE, GROUP_MAX_SIZE_REACHED } = Errors;
    expect(answers.map(({ errorCode }) => errorCode)).toEqual([NONE, NONE, GROUP_MAX_SIZE_REACHED]);
    expect(sorted(answers)).toEqual(ALL);
    expect((await world.describeConsumer()).members).toHaveLength(2);
  });

  test('bring one epoch, and another where they want other topics', () => {
    const world = worldWith();
    world.topics.set('u', 2);
    const [alone] = world.consumerHeartbeats([joinOf('a')]);
    const some = world.consumerHeartbeats(['b', 'c'].map((id) => joinOf(id)));
    const others = ['d', 'e'].map((id) => joinOf(id, { subscribedTopicNames: ['u'] }));
    const more = world.consumerHeartbeats([joinOf('f'), ...others]);
    const first = alone!.memberEpoch;
    expect(some.map(({ memberEpoch }) => memberEpoch)).toEqual([first + 1, first + 1]);
    expect(more.map(({ memberEpoch }) => memberEpoch)).toEqual([first + 3, first + 3, first + 3]);
    expect(more.slice(1).map((answer) => partitionsOf(answer).length)).toEqual([1, 1]);
  });

  test('have it noticed when their topics change afterwards', () => {
    const world = worldWith();
    const ids = ['a', 'b'];
    const joined = world.consumerHeartbeats(ids.map((id) => joinOf(id)));
    const { memberEpoch } = joined[0]!;
    world.topics.set('t', PARTITIONS + 2);
    world.coordinator.onTopicsChanged(new Set(['t']));
    const [a] = world.consumerHeartbeats([{ memberId: 'a', memberEpoch, topicPartitions: [] }]);
    expect(a!.memberEpoch).toBe(memberEpoch + 1);
    expect(partitionsOf(a!)).toHaveLength((PARTITIONS + 2) / 2);
  });

  test('wait for the assignment interval as others do', () => {
    const world = worldWith();
    world.settings = { ...world.settings, assignmentIntervalMs: 1000 };
    world.consumerHeartbeats([joinOf('a')]);
    const late = world.consumerHeartbeats(['b', 'c'].map((id) => joinOf(id)));
    expect(late.map((answer) => partitionsOf(answer))).toEqual([[], []]);
  });

  test('and one that leaves before its join was heard of is gone', async () => {
    const world = worldWith();
    const leave = { memberId: 'b', memberEpoch: -1 };
    const [a, , left] = world.consumerHeartbeats([joinOf('a'), joinOf('b'), leave]);
    expect(left).toMatchObject({ errorCode: Errors.NONE, memberEpoch: -1 });
    expect(a!.errorCode).toBe(Errors.NONE);
    expect((await world.describeConsumer()).members.map(({ memberId }) => memberId)).toEqual(['a']);
  });
});

describe('a crowd whose members come in ticks of 2 ms', () => {
  /** How many had joined after each tick that brought another one. */
  function joinedAfter(ticks: number): readonly number[] {
    let nowMs = 0;
    let joined = 0;
    const due: (() => void)[] = [];
    const crowd = new JoiningCrowd({
      clock: { monotonicMs: () => nowMs, wallMs: () => nowMs },
      turn: {
        later: (run) => due.push(run),
        first: (run) => due.unshift(run),
        atEnd: (run) => due.push(run),
      },
      announce: () => {},
      join: () => {
        joined += 1;
      },
    });
    const context = { clientId: 'c', clientHost: 'h', apiVersion: 1 };
    const counts: number[] = [];
    for (let tick = 0; tick < ticks; tick++) {
      const request = defaults(ConsumerGroupHeartbeatRequest, { memberId: `${tick}` });
      crowd.add({ context, request, answer: () => {} });
      nowMs += 2;
      for (const run of due.splice(0)) run();
      counts.push(joined);
    }
    return counts;
  }

  test('joins as one, also where it takes long to be read', () => {
    expect(joinedAfter(9)).toEqual(Array.from({ length: 9 }, () => 0));
  });

  test('is not waited for without end', () => {
    expect(joinedAfter(11).slice(-3)).toEqual([0, 10, 10]);
  });
});
