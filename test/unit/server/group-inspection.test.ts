import { expect, test, vi } from 'vitest';
import { GroupInspection, type StableGroup } from '../../../src/server/group-inspection.ts';
import { ConsumerWorld } from '../coordinator/consumer-world.ts';
import type { GroupWorld } from '../coordinator/group-world.ts';
import { turnOver } from '../coordinator/support.ts';

/** Groups that are waited for, on virtual time: what `stable()` does between what the coordinator does. */

const TIMEOUT_MS = 30_000;

interface Wait {
  /** When it resolved or rejected. */
  endMs: number | undefined;
  outcome: unknown;
}

function waiting() {
  const world = new ConsumerWorld({ initialRebalanceDelayMs: 0 });
  world.topics.set('t', 3);
  const inspection = new GroupInspection({
    coordinator: world.coordinator,
    timers: world.time,
    endOffset: () => undefined,
  });
  const looks = vi.spyOn(world.coordinator, 'describeConsumerGroups');
  const wait = async (wanted: StableGroup, groupId = 'g'): Promise<Wait> => {
    const one: Wait = { endMs: undefined, outcome: undefined };
    const end = (outcome: unknown): void => {
      one.endMs = world.time.monotonicMs();
      one.outcome = outcome;
    };
    inspection.group(groupId).stable(wanted).then(end, end);
    await turnOver(world.time);
    return one;
  };
  const pass = async (ms: number): Promise<void> => {
    world.time.advance(ms);
    await turnOver(world.time);
  };
  return { world, inspection, looks, wait, pass };
}

/** A member that has joined and leads, one call before it is stable. */
function joined(world: GroupWorld) {
  const { memberId, joined } = world.joinWithId();
  const { generationId } = joined.value;
  return { memberId, generationId, assignments: [{ memberId, assignment: Buffer.alloc(0) }] };
}

test('who waits for a group is told in the moment in which its assignment is committed', async () => {
  const { world, wait, pass, looks } = waiting();
  const stable = await wait({ members: 1 });
  await pass(700);
  const syncing = joined(world);
  world.log.commitsAtOnce = false;
  world.sync(syncing);
  await pass(40);
  expect(stable.endMs).toBeUndefined();
  world.log.commit();
  await turnOver(world.time);
  expect(stable).toMatchObject({ endMs: 740, outcome: { state: 'Stable', assignor: 'range' } });
  // Once before anything, once for the empty group that a first member makes, once for the assignment.
  expect(looks.mock.calls.length).toBeLessThanOrEqual(3);
  world.coordinator.close();
  expect(world.time.timersWaiting).toBe(0);
});

test('nothing is looked at while nothing changes, nor for offsets and other groups', async () => {
  const { world, wait, pass, looks } = waiting();
  const syncing = joined(world);
  world.sync(syncing);
  const stable = await wait({ members: 2 });
  const { length } = looks.mock.calls;
  const { memberId, generationId } = syncing;
  for (let i = 0; i < 50; i++) {
    const committed = world.commit({ 't/0': i }, { memberId, generationIdOrMemberEpoch: generationId });
    expect(world.codesOf(committed)).toEqual([0]);
    world.heartbeat(memberId, generationId);
    await pass(100);
  }
  world.member('other', ['t']).send({ groupId: 'elsewhere', memberEpoch: 0 });
  await pass(100);
  expect(looks.mock.calls.length).toBe(length);
  expect(stable.endMs).toBeUndefined();
});

test('a group of the consumer protocol is told of once its members have what they shall have', async () => {
  const { world, wait, pass } = waiting();
  const two = await wait({ members: 2, partitions: 3 });
  const one = await wait({ members: 1, partitions: 3 });
  const first = world.member('a');
  first.join();
  world.converge([first]);
  await turnOver(world.time);
  expect(one).toMatchObject({ endMs: 0, outcome: { protocol: 'consumer', state: 'Stable' } });
  await pass(1000);
  const second = world.member('b');
  second.join();
  await turnOver(world.time);
  expect(two.endMs).toBeUndefined();
  world.converge([first, second]);
  await turnOver(world.time);
  expect(two).toMatchObject({ endMs: 1000, outcome: { members: [{}, {}] } });
});

test('a member that is gone by its session timeout is a change like any other', async () => {
  const { world, wait, pass } = waiting();
  const [first, second] = [world.member('a'), world.member('b')];
  for (const member of [first, second]) member.join();
  world.converge([first, second]);
  const alone = await wait({ members: 1, partitions: 3, timeoutMs: 120_000 });
  await pass(20_000);
  first.beat();
  await pass(24_999);
  expect(alone.endMs).toBeUndefined();
  await pass(1);
  world.converge([first]);
  await turnOver(world.time);
  expect(alone).toMatchObject({ endMs: 45_000, outcome: { members: [{ memberId: 'a' }] } });
});

test('the wait ends with the timeout, and leaves nothing behind', async () => {
  const { world, wait, pass } = waiting();
  const { timersWaiting } = world.time;
  const never = await wait({ members: 2 });
  const soon = await wait({ timeoutMs: 0 });
  await pass(0);
  expect(soon).toMatchObject({ endMs: 0, outcome: { message: expect.stringContaining('after 0 ms') } });
  await pass(TIMEOUT_MS - 1);
  expect(never.endMs).toBeUndefined();
  await pass(1);
  expect(never.endMs).toBe(TIMEOUT_MS);
  expect(String(never.outcome)).toMatch(/g is not stable with 2 members after 30000 ms: it is Dead with 0/);
  expect(world.time.timersWaiting).toBe(timersWaiting);
});

test('a group that is stable once its part of the groups is loaded is found', async () => {
  const { world, wait } = waiting();
  world.sync(joined(world));
  world.coordinator.onResignation(0);
  const stable = await wait({ members: 1 });
  expect(stable.endMs).toBeUndefined();
  world.coordinator.onElection(0, world.log);
  await turnOver(world.time);
  expect(stable).toMatchObject({ outcome: { state: 'Stable' } });
});

test('a change that is committed late is found then', async () => {
  const { world, wait, pass } = waiting();
  const first = world.member('a');
  world.log.commitsAtOnce = false;
  const { memberId } = first;
  const answered = vi.fn();
  const request = {
    groupId: 'g',
    memberId,
    memberEpoch: 0,
    instanceId: null,
    rackId: null,
    rebalanceTimeoutMs: 60_000,
    subscribedTopicNames: ['t'],
    subscribedTopicRegex: null,
    serverAssignor: null,
    topicPartitions: [],
  };
  world.coordinator.consumerHeartbeat(world.context(1), request, answered);
  world.time.settle();
  const stable = await wait({ members: 1, partitions: 3 });
  // Some times longer than a commit may take: the member was told that it failed, and so was every look.
  for (let i = 0; i < 22; i++) await pass(1000);
  expect(answered.mock.calls).toMatchObject([[{ errorCode: 15 }]]);
  expect(stable.endMs).toBeUndefined();
  world.log.commit();
  await turnOver(world.time);
  expect(stable).toMatchObject({ endMs: 22_000, outcome: { state: 'Stable' } });
});

test('who waits when the node stops is told so', async () => {
  const { world, inspection, wait } = waiting();
  const stable = await wait({ members: 1 });
  inspection.close();
  world.coordinator.close();
  await turnOver(world.time);
  expect(stable.outcome).toEqual(new Error('the broker stopped before group g was stable'));
});
