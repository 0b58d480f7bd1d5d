import { describe, expect, it } from 'vitest';
import { Errors } from '../../../src/protocol/errors.ts';
import { GroupWorld, protocols } from './group-world.ts';

/** A stable group of so many members. */
function stableGroup(count: number, world = new GroupWorld()) {
  const members = Array.from({ length: count }, () => world.joinWithId());
  world.time.advance(3000 * (count + 1));
  const joined = members.map((one) => one.joined);
  world.stabilize(joined);
  return { world, ids: members.map(({ memberId }) => memberId), generationId: joined[0]!.value.generationId };
}

describe('joining a classic group', () => {
  it('asks a new member to join again with the id it is given (KIP-394), and old clients not', () => {
    const world = new GroupWorld();
    const first = world.join({}).value;
    expect(first.errorCode).toBe(Errors.MEMBER_ID_REQUIRED);
    expect(first.memberId).toMatch(
      /^client-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    const again = world.join({ memberId: first.memberId });
    const old = world.join({ groupId: 'old' }, 3);
    world.time.advance(3000);
    expect(again.value).toMatchObject({ errorCode: 0, generationId: 1, memberId: first.memberId });
    expect(old.value).toMatchObject({ errorCode: 0, generationId: 1 });
  });

  it('waits for more members as long as some come, at most for the rebalance timeout', () => {
    const world = new GroupWorld();
    const one = world.joinWithId({ rebalanceTimeoutMs: 8000 });
    world.time.advance(2000);
    const two = world.joinWithId({ rebalanceTimeoutMs: 8000 });
    world.time.advance(1500);
    expect(one.joined.isAnswered).toBe(false);
    const three = world.joinWithId({ rebalanceTimeoutMs: 8000 });
    world.time.advance(2500);
    expect(one.joined.isAnswered).toBe(false);
    const four = world.joinWithId({ rebalanceTimeoutMs: 8000 });
    world.time.advance(2000);
    expect([one, two, three, four].map(({ joined }) => joined.value.generationId)).toEqual([1, 1, 1, 1]);
  });

  it('begins at once without an initial delay where nobody else has asked for an id', () => {
    const world = new GroupWorld({ initialRebalanceDelayMs: 0 });
    const alone = world.joinWithId({ groupId: 'alone' });
    expect(alone.joined.value).toMatchObject({ errorCode: 0, generationId: 1 });
    const [one, two] = [world.join({}).value, world.join({}).value];
    const first = world.join({ memberId: one.memberId });
    expect(first.isAnswered).toBe(false);
    const second = world.join({ memberId: two.memberId });
    expect([first, second].map(({ value }) => value.generationId)).toEqual([1, 1]);
    world.stabilize([first, second]);
  });

  it('does not wait without an initial delay for one who asked for an id and went away', () => {
    const world = new GroupWorld({ initialRebalanceDelayMs: 0 });
    world.join({});
    const { joined } = world.joinWithId({});
    expect(joined.isAnswered).toBe(false);
    world.time.advance(10);
    expect(joined.value).toMatchObject({ errorCode: 0, generationId: 1 });
  });

  it('tells the leader of all members and the others of the leader', () => {
    const { joined } = threeJoined();
    const [first, ...others] = joined.map((one) => one.value);
    expect(first!.leader).toBe(first!.memberId);
    expect(first!.members.map(({ memberId }) => memberId)).toEqual(joined.map((one) => one.value.memberId));
    for (const other of others) expect(other).toMatchObject({ leader: first!.memberId, members: [] });
  });

  it('takes the protocol that all know and most prefer', () => {
    const world = new GroupWorld();
    const one = world.joinWithId({ protocols: protocols(['sticky', 'range', 'other']) });
    const two = world.joinWithId({ protocols: protocols(['range', 'sticky']) });
    const three = world.joinWithId({ protocols: protocols(['range', 'sticky']) });
    world.time.advance(9000);
    for (const { joined } of [one, two, three]) expect(joined.value.protocolName).toBe('range');
  });

  it('refuses members that share no protocol with the others, or have none at all', () => {
    const { world } = stableGroup(1);
    const other = world.join({ protocols: protocols(['other']) }).value;
    expect(other).toMatchObject({ errorCode: Errors.INCONSISTENT_GROUP_PROTOCOL, memberId: '' });
    expect(world.join({ protocolType: 'connect' }).value.errorCode).toBe(Errors.INCONSISTENT_GROUP_PROTOCOL);
    const fresh = { groupId: 'fresh', protocols: [] };
    expect(world.join(fresh).value.errorCode).toBe(Errors.INCONSISTENT_GROUP_PROTOCOL);
  });

  it('counts a protocol that is named twice once', () => {
    const world = new GroupWorld();
    const { joined } = world.joinWithId({ protocols: protocols(['range', 'range']) });
    world.time.advance(3000);
    expect(joined.value).toMatchObject({ errorCode: 0, protocolName: 'range' });
  });

  it('refuses session timeouts outside the bounds, and groups without a name', () => {
    const world = new GroupWorld();
    expect(world.join({ sessionTimeoutMs: 5999 }).value.errorCode).toBe(Errors.INVALID_SESSION_TIMEOUT);
    expect(world.join({ sessionTimeoutMs: 1_800_001 }).value.errorCode).toBe(Errors.INVALID_SESSION_TIMEOUT);
    expect(world.join({ groupId: '' }).value.errorCode).toBe(Errors.INVALID_GROUP_ID);
    expect(world.heartbeat('m', 1, { groupId: '' })).toBe(Errors.INVALID_GROUP_ID);
  });

  it('does not know members that it never named', () => {
    const world = new GroupWorld();
    expect(world.join({ memberId: 'somebody' }).value.errorCode).toBe(Errors.UNKNOWN_MEMBER_ID);
    const { world: other } = stableGroup(1);
    expect(other.join({ memberId: 'somebody' }).value.errorCode).toBe(Errors.UNKNOWN_MEMBER_ID);
  });

  it('takes no more than group.max.size members', () => {
    const world = new GroupWorld({ maxSize: 2 });
    const { ids } = stableGroup(2, world);
    const third = world.join({}).value;
    expect(third).toMatchObject({ errorCode: Errors.GROUP_MAX_SIZE_REACHED, memberId: '' });
    expect(world.heartbeat(ids[0]!, 1)).toBe(0);
  });

  it('lets the first that come back stay where the group is too large', () => {
    const world = new GroupWorld();
    const { ids } = stableGroup(3, world);
    Object.assign(world.config, { maxSize: 2 });
    const rejoined = [ids[0]!, ids[1]!, ids[2]!].map((memberId) => world.join({ memberId }));
    expect(rejoined[2]!.value.errorCode).toBe(Errors.GROUP_MAX_SIZE_REACHED);
    expect(rejoined.slice(0, 2).map((one) => one.value.errorCode)).toEqual([0, 0]);
  });

  it('forgets who never comes back with the id it was given', () => {
    const { world, ids } = stableGroup(1);
    const { memberId } = world.join({}).value;
    const rejoined = world.join({ memberId: ids[0]! });
    expect(rejoined.isAnswered).toBe(false);
    world.time.advance(10_000);
    expect(rejoined.value).toMatchObject({ errorCode: 0, generationId: 2 });
    expect(world.join({ memberId }).value.errorCode).toBe(Errors.UNKNOWN_MEMBER_ID);
  });

  it('asks a new member that waits for five minutes to try again', () => {
    const { world, ids } = stableGroup(1);
    const beat = () => world.heartbeat(ids[0]!, 1);
    const { joined } = world.joinWithId({ rebalanceTimeoutMs: 1_000_000 });
    for (let i = 0; i < 59; i++) {
      world.time.advance(5000);
      expect(beat()).toBe(Errors.REBALANCE_IN_PROGRESS);
    }
    expect(joined.isAnswered).toBe(false);
    world.time.advance(5000);
    expect(joined.value.errorCode).toBe(Errors.UNKNOWN_MEMBER_ID);
  });
});

describe('a rebalance', () => {
  it('is told with heartbeats, and goes on without those that do not join again in time', () => {
    const { world, ids } = stableGroup(2);
    const third = world.joinWithId({});
    expect(ids.map((id) => world.heartbeat(id, 1))).toEqual([27, 27]);
    const back = world.join({ memberId: ids[0]! });
    for (let ms = 0; ms < 60_000; ms += 5000) {
      expect(back.isAnswered).toBe(false);
      world.heartbeat(ids[1]!, 1);
      world.time.advance(5000);
    }
    expect(back.value).toMatchObject({ errorCode: 0, generationId: 2, leader: ids[0]! });
    expect(third.joined.value.generationId).toBe(2);
    expect(world.heartbeat(ids[1]!, 1)).toBe(Errors.UNKNOWN_MEMBER_ID);
  });

  it('makes somebody else lead where the leader does not join again', () => {
    const { world, ids } = stableGroup(2);
    const back = world.join({ memberId: ids[1]!, protocols: protocols(['range'], Buffer.from('new')) });
    world.time.advance(60_000);
    expect(back.value).toMatchObject({ generationId: 2, leader: ids[1]! });
    expect(back.value.members).toHaveLength(1);
  });

  it('begins when the leader asks, and not when a follower says what is known', () => {
    const { world, ids } = stableGroup(2);
    const follower = world.join({ memberId: ids[1]! });
    expect(follower.value).toMatchObject({ errorCode: 0, generationId: 1, members: [] });
    const leader = world.join({ memberId: ids[0]! });
    expect(leader.isAnswered).toBe(false);
    expect(world.heartbeat(ids[1]!, 1)).toBe(Errors.REBALANCE_IN_PROGRESS);
  });

  it('begins when a member leaves, or is not heard of for its session', () => {
    const { world, ids } = stableGroup(3);
    expect(world.leave({ memberId: ids[2]! }).members).toMatchObject([{ errorCode: 0 }]);
    expect(world.heartbeat(ids[0]!, 1)).toBe(Errors.REBALANCE_IN_PROGRESS);
    const joined = [world.join({ memberId: ids[0]! }), world.join({ memberId: ids[1]! })];
    world.stabilize(joined);
    world.time.advance(9000);
    expect(world.heartbeat(ids[0]!, 2)).toBe(0);
    world.time.advance(2000);
    expect(world.heartbeat(ids[0]!, 2)).toBe(Errors.REBALANCE_IN_PROGRESS);
    expect(world.heartbeat(ids[1]!, 2)).toBe(Errors.UNKNOWN_MEMBER_ID);
  });

  it('cancels the sync of those who wait for the leader', () => {
    const { world, joined, ids } = threeJoined();
    const waiting = world.sync({ memberId: ids[1]!, generationId: 1 });
    expect(waiting.isAnswered).toBe(false);
    expect(joined[0]!.value.leader).toBe(ids[0]!);
    world.leave({ memberId: ids[0]! });
    expect(waiting.value.errorCode).toBe(Errors.REBALANCE_IN_PROGRESS);
  });

  it('drops members that join and then do not ask for their assignment', () => {
    const { world, ids } = threeJoined();
    const synced = [0, 1].map((at) => world.sync({ memberId: ids[at]!, generationId: 1 }));
    expect(synced[0]!.value.errorCode).toBe(0);
    for (let ms = 0; ms < 60_000; ms += 5000) {
      for (const id of ids) world.heartbeat(id, 1);
      world.time.advance(5000);
    }
    expect(world.heartbeat(ids[0]!, 1)).toBe(Errors.REBALANCE_IN_PROGRESS);
    expect(world.heartbeat(ids[2]!, 1)).toBe(Errors.UNKNOWN_MEMBER_ID);
  });

  it('lets a member that changed its mind change it while the others sync', () => {
    const { world, ids } = threeJoined();
    const same = world.join({ memberId: ids[1]! });
    expect(same.value).toMatchObject({ errorCode: 0, generationId: 1, members: [] });
    const other = world.join({ memberId: ids[1]!, protocols: protocols(['range'], Buffer.from('other')) });
    expect(other.isAnswered).toBe(false);
    expect(world.sync({ memberId: ids[0]!, generationId: 1 }).value.errorCode).toBe(
      Errors.REBALANCE_IN_PROGRESS,
    );
  });

  it('answers the earlier of two joins of one member', () => {
    const { world, ids } = stableGroup(2);
    const first = world.join({ memberId: ids[0]! });
    const second = world.join({ memberId: ids[0]! });
    expect(first.value.errorCode).toBe(Errors.REBALANCE_IN_PROGRESS);
    world.join({ memberId: ids[1]! });
    expect(second.value).toMatchObject({ errorCode: 0, generationId: 2 });
  });
});

describe('the assignment', () => {
  it('goes to everybody once it is committed, and to whoever asks again', () => {
    const { world, ids } = threeJoined();
    world.log.commitsAtOnce = false;
    const others = [
      world.sync({ memberId: ids[1]!, generationId: 1 }),
      world.sync({ memberId: ids[2]!, generationId: 1 }),
    ];
    const assignments = [
      { memberId: ids[0]!, assignment: Buffer.from('a') },
      { memberId: ids[1]!, assignment: Buffer.from('b') },
    ];
    const leader = world.sync({ memberId: ids[0]!, generationId: 1, assignments });
    expect(leader.isAnswered).toBe(false);
    world.log.commit();
    expect([leader, ...others].map((one) => Buffer.from(one.value.assignment).toString())).toEqual([
      'a',
      'b',
      '',
    ]);
    const again = world.sync({ memberId: ids[1]!, generationId: 1 }).value;
    expect(again).toMatchObject({ errorCode: 0, protocolType: 'consumer', protocolName: 'range' });
    expect(Buffer.from(again.assignment).toString()).toBe('b');
  });

  it('is refused where generation, member or protocol are not those of the group', () => {
    const { world, ids } = stableGroup(1);
    const memberId = ids[0]!;
    const code = (given: Parameters<typeof world.sync>[0]) => world.sync(given).value.errorCode;
    expect(code({ memberId, generationId: 2 })).toBe(Errors.ILLEGAL_GENERATION);
    expect(code({ memberId: 'x', generationId: 1 })).toBe(Errors.UNKNOWN_MEMBER_ID);
    expect(code({ groupId: 'no', memberId, generationId: 1 })).toBe(Errors.UNKNOWN_MEMBER_ID);
    expect(code({ memberId, generationId: 1, protocolName: 'x' })).toBe(Errors.INCONSISTENT_GROUP_PROTOCOL);
    expect(code({ memberId, generationId: 1, protocolType: 'x' })).toBe(Errors.INCONSISTENT_GROUP_PROTOCOL);
    expect(world.heartbeat(memberId, 2)).toBe(Errors.ILLEGAL_GENERATION);
  });

  it('that does not fit into the log is an error of the sync, and begins another rebalance', () => {
    const { world, ids } = threeJoined();
    world.log.batchBytesMax = 2000;
    const waiting = world.sync({ memberId: ids[1]!, generationId: 1 });
    const assignments = [{ memberId: ids[1]!, assignment: Buffer.alloc(3000) }];
    const leader = world.sync({ memberId: ids[0]!, generationId: 1, assignments });
    expect([leader, waiting].map((one) => one.value.errorCode)).toEqual([-1, -1]);
    expect(world.heartbeat(ids[0]!, 1)).toBe(Errors.REBALANCE_IN_PROGRESS);
  });

  it('keeps nothing of the bytes of a request', () => {
    const world = new GroupWorld();
    const metadata = Buffer.from('mine');
    const { memberId, joined } = world.joinWithId({ protocols: protocols(['range'], metadata) });
    metadata.fill(0);
    world.time.advance(3000);
    expect(Buffer.from(joined.value.members[0]!.metadata).toString()).toBe('mine');
    const assignment = Buffer.from('yours');
    const synced = world.sync({ memberId, generationId: 1, assignments: [{ memberId, assignment }] });
    assignment.fill(0);
    expect(Buffer.from(synced.value.assignment).toString()).toBe('yours');
  });
});

describe('leaving', () => {
  it('answers for each member, and empties the group with the last', async () => {
    const { world, ids } = stableGroup(2);
    const { members } = world.leave({ memberId: ids[0]! }, { memberId: 'x' }, { memberId: ids[1]! });
    expect(members.map(({ errorCode }) => errorCode)).toEqual([0, Errors.UNKNOWN_MEMBER_ID, 0]);
    expect(await world.describe()).toMatchObject({
      groupState: 'Empty',
      members: [],
      protocolType: 'consumer',
    });
    expect(world.leave({ memberId: ids[0]! }).members).toMatchObject([
      { errorCode: Errors.UNKNOWN_MEMBER_ID },
    ]);
  });

  it('takes back an id that nobody has joined with yet', () => {
    const { world, ids } = stableGroup(1);
    const { memberId } = world.join({}).value;
    const back = world.join({ memberId: ids[0]! });
    expect(back.isAnswered).toBe(false);
    expect(world.leave({ memberId }).members).toMatchObject([{ errorCode: 0 }]);
    expect(back.value.generationId).toBe(2);
  });
});

describe('static members (KIP-345)', () => {
  const asStatic = (world: GroupWorld, groupInstanceId: string, apiVersion = 9) =>
    world.join({ groupInstanceId }, apiVersion);

  function stableStatic(world = new GroupWorld()) {
    const joined = [asStatic(world, 'i1'), asStatic(world, 'i2')];
    world.time.advance(6000);
    world.stabilize(joined);
    return { world, ids: joined.map((one) => one.value.memberId) };
  }

  it('join at once, under ids of their own', () => {
    const { ids } = stableStatic();
    expect(ids[0]).toMatch(/^i1-/);
    expect(ids[1]).toMatch(/^i2-/);
  });

  it('that come back keep their assignment without a rebalance, and fence who they were', () => {
    const { world, ids } = stableStatic();
    const back = asStatic(world, 'i2').value;
    expect(back).toMatchObject({ errorCode: 0, generationId: 1, leader: ids[0]!, skipAssignment: false });
    expect(back.memberId).not.toBe(ids[1]);
    expect(world.heartbeat(ids[0]!, 1)).toBe(0);
    expect(world.heartbeat(ids[1]!, 1, { groupInstanceId: 'i2' })).toBe(Errors.FENCED_INSTANCE_ID);
    expect(world.heartbeat(ids[1]!, 1)).toBe(Errors.UNKNOWN_MEMBER_ID);
    const synced = world.sync({ memberId: back.memberId, groupInstanceId: 'i2', generationId: 1 }).value;
    expect(Buffer.from(synced.assignment).toString()).toBe(ids[1]);
  });

  it('that lead and come back are told to keep the assignment (KIP-814); old ones are told that another leads', () => {
    const { world, ids } = stableStatic();
    const back = asStatic(world, 'i1').value;
    expect(back).toMatchObject({ leader: back.memberId, skipAssignment: true, generationId: 1 });
    expect(back.members).toHaveLength(2);
    const old = asStatic(world, 'i1', 8).value;
    expect(old).toMatchObject({ leader: back.memberId, skipAssignment: false, members: [] });
    expect(old.memberId).not.toBe(back.memberId);
    expect(ids[0]).not.toBe(back.memberId);
  });

  it('that come back with other protocols rebalance where that changes the choice', () => {
    const { world, ids } = stableStatic();
    const code = world.join({ groupInstanceId: 'i2', protocols: protocols(['other', 'range']) });
    expect(code.value.errorCode).toBe(0);
    expect(world.heartbeat(ids[0]!, 1)).toBe(0);
    const world2 = new GroupWorld();
    const both = { protocols: protocols(['range', 'other']) };
    const one = world2.join({ groupInstanceId: 'i1', ...both });
    world2.time.advance(3000);
    world2.stabilize([one]);
    const back = world2.join({ groupInstanceId: 'i1', protocols: protocols(['other', 'range']) });
    expect(back.value).toMatchObject({ generationId: 2, protocolName: 'other' });
  });

  it('of which a second one joins fence the first that still waits', () => {
    const world = new GroupWorld();
    const first = asStatic(world, 'i1');
    const second = asStatic(world, 'i1');
    expect(first.value.errorCode).toBe(Errors.FENCED_INSTANCE_ID);
    world.time.advance(6000);
    expect(second.value).toMatchObject({ errorCode: 0, generationId: 1 });
  });

  it('are waited for until their session ends when they do not join again', () => {
    const { world, ids } = stableStatic();
    world.join({ memberId: ids[0]!, groupInstanceId: 'i1' });
    world.time.advance(9000);
    world.heartbeat(ids[1]!, 1, { groupInstanceId: 'i2' });
    world.time.advance(52_000);
    expect(world.heartbeat(ids[1]!, 1, { groupInstanceId: 'i2' })).toBe(Errors.UNKNOWN_MEMBER_ID);
  });

  it('are removed by their names', () => {
    const { world, ids } = stableStatic();
    const { members } = world.leave(
      { groupInstanceId: 'i2' },
      { groupInstanceId: 'no' },
      { memberId: 'x', groupInstanceId: 'i1' },
    );
    expect(members.map(({ errorCode }) => errorCode)).toEqual([
      0,
      Errors.UNKNOWN_MEMBER_ID,
      Errors.FENCED_INSTANCE_ID,
    ]);
    expect(world.heartbeat(ids[0]!, 1)).toBe(Errors.REBALANCE_IN_PROGRESS);
  });
});

describe('another broker that takes over', () => {
  it('knows generation, members and assignments, and watches their sessions', async () => {
    const { world, ids } = stableGroup(2);
    await world.failOver();
    expect(ids.map((id) => world.heartbeat(id, 1))).toEqual([0, 0]);
    expect(Buffer.from(world.sync({ memberId: ids[1]!, generationId: 1 }).value.assignment).toString()).toBe(
      ids[1],
    );
    world.time.advance(9000);
    world.heartbeat(ids[0]!, 1);
    world.time.advance(2000);
    expect(world.heartbeat(ids[1]!, 1)).toBe(Errors.UNKNOWN_MEMBER_ID);
  });

  it('is told to whoever waits', () => {
    const { world, ids } = threeJoined();
    const waiting = world.sync({ memberId: ids[1]!, generationId: 1 });
    const { world: other } = stableGroup(2);
    const { joined } = other.joinWithId({});
    world.coordinator.onResignation(0);
    other.coordinator.onResignation(0);
    expect(waiting.value.errorCode).toBe(Errors.NOT_COORDINATOR);
    expect(joined.value.errorCode).toBe(Errors.NOT_COORDINATOR);
    expect(world.heartbeat(ids[0]!, 1)).toBe(Errors.NOT_COORDINATOR);
    expect(world.time.timersWaiting).toBe(0);
  });

  it('goes on from the last generation where a rebalance was under way', async () => {
    const { world, ids } = stableGroup(2);
    world.join({ memberId: ids[0]! });
    await world.failOver();
    expect(world.heartbeat(ids[1]!, 1)).toBe(0);
    const joined = ids.map((memberId) => world.join({ memberId }));
    expect(joined.map((one) => one.value.generationId)).toEqual([2, 2]);
  });

  it('rebalances a group that is larger than it allows', async () => {
    const world = new GroupWorld();
    const { ids } = stableGroup(2, world);
    Object.assign(world.config, { maxSize: 1 });
    await world.failOver();
    expect(world.heartbeat(ids[0]!, 1)).toBe(Errors.REBALANCE_IN_PROGRESS);
  });

  it('answers heartbeats in peace while it loads', async () => {
    const { world, ids } = stableGroup(1);
    const done = world.failOver();
    expect(world.heartbeat(ids[0]!, 1)).toBe(0);
    expect(world.sync({ memberId: ids[0]!, generationId: 1 }).value.errorCode).toBe(
      Errors.COORDINATOR_LOAD_IN_PROGRESS,
    );
    await done;
  });
});

describe('members that mean no good', () => {
  it('whose subscriptions are garbage are a group all the same', async () => {
    const world = new GroupWorld();
    const { joined } = world.joinWithId({
      protocols: protocols(['range'], Buffer.from('ff00ff7fffffff', 'hex')),
    });
    world.time.advance(3000);
    world.stabilize([joined]);
    expect(await world.describe()).toMatchObject({ groupState: 'Stable' });
    await world.failOver();
    expect(world.heartbeat(joined.value.memberId, 1)).toBe(0);
  });

  it('whose subscriptions fill the log are told so, and nobody else notices', () => {
    const { world, ids } = stableGroup(1);
    const other = { groupId: 'large', protocols: protocols(['range'], Buffer.alloc(1_048_576)) };
    const { memberId, joined } = world.joinWithId(other);
    world.time.advance(3000);
    expect(joined.value.errorCode).toBe(0);
    const synced = world.sync({ groupId: 'large', memberId, generationId: 1 });
    expect(synced.value.errorCode).toBe(Errors.UNKNOWN_SERVER_ERROR);
    expect(world.heartbeat(ids[0]!, 1)).toBe(0);
    expect(
      world.codesOf(world.commit({ 't/0': 1 }, { memberId: ids[0]!, generationIdOrMemberEpoch: 1 })),
    ).toEqual([0]);
  });

  it('that are thousands find room for as many as group.max.size says', () => {
    const world = new GroupWorld({ maxSize: 500 });
    const asked = Array.from({ length: 2000 }, () => world.joinWithId());
    const refused = asked.filter(
      ({ joined }) => joined.response?.errorCode === Errors.GROUP_MAX_SIZE_REACHED,
    );
    expect(refused).toHaveLength(1500);
    world.time.advance(6000);
    const accepted = asked.filter(({ joined }) => joined.value.errorCode === 0);
    expect(accepted).toHaveLength(500);
    world.stabilize(accepted.map(({ joined }) => joined));
    expect(world.time.timersWaiting).toBeLessThan(600);
  });
});

describe('listing and describing', () => {
  it('shows members and what their clients wrote, once the group is stable', async () => {
    const { world, ids } = stableGroup(1);
    expect(await world.describe()).toMatchObject({
      errorCode: 0,
      groupState: 'Stable',
      protocolType: 'consumer',
      protocolData: 'range',
      members: [{ memberId: ids[0], clientId: 'client', clientHost: '/127.0.0.1', groupInstanceId: null }],
    });
    world.join({});
    world.join({ memberId: ids[0]! });
    expect(await world.describe()).toMatchObject({ groupState: 'PreparingRebalance', protocolData: '' });
  });

  it('tells of groups that are not there with an error since v6, and as dead before', async () => {
    const world = new GroupWorld();
    expect(await world.describe('no', 5)).toMatchObject({ errorCode: 0, groupState: 'Dead' });
    const told = await world.describe('no', 6);
    expect(told).toMatchObject({ errorCode: Errors.GROUP_ID_NOT_FOUND, groupState: 'Dead' });
  });

  it('filters by state and type, whatever their case', async () => {
    const { world } = stableGroup(1);
    world.commit({ 't/0': 1 }, { groupId: 'simple' });
    const list = async (statesFilter: string[], typesFilter: string[] = []) =>
      (await world.coordinator.listGroups({ statesFilter, typesFilter })).map(({ groupId }) => groupId);
    expect(await list([])).toEqual(['g', 'simple']);
    expect(await list(['stable'])).toEqual(['g']);
    expect(await list(['Empty', 'Dead'])).toEqual(['simple']);
    expect(await list([], ['Classic'])).toEqual(['g', 'simple']);
    expect(await list([], ['consumer'])).toEqual([]);
  });
});

function threeJoined() {
  const world = new GroupWorld();
  const members = [world.joinWithId(), world.joinWithId(), world.joinWithId()];
  world.time.advance(9000);
  return { world, joined: members.map((one) => one.joined), ids: members.map(({ memberId }) => memberId) };
}

describe('a member that lost its connection', () => {
  it('leaves a stable group, whose others are asked to join again', async () => {
    const world = new GroupWorld({ initialRebalanceDelayMs: 0 });
    const first = world.joinWithId();
    world.time.advance(0);
    world.stabilize([first.joined]);
    const second = world.joinWithId();
    const again = world.join({ memberId: first.memberId });
    world.stabilize([again, second.joined]);
    world.coordinator.onMemberDisconnected('g', second.memberId);
    world.time.settle();
    expect(world.heartbeat(second.memberId, 2)).toBe(Errors.UNKNOWN_MEMBER_ID);
    expect(world.heartbeat(first.memberId, 2)).toBe(Errors.REBALANCE_IN_PROGRESS);
    const alone = world.join({ memberId: first.memberId });
    expect(alone.value).toMatchObject({ errorCode: 0, generationId: 3 });
    expect(alone.value.members).toHaveLength(1);
  });

  it('holds nobody up whom it was waited for', () => {
    const world = new GroupWorld({ initialRebalanceDelayMs: 0 });
    const first = world.joinWithId();
    world.time.advance(0);
    world.stabilize([first.joined]);
    const second = world.joinWithId();
    expect(second.joined.isAnswered).toBe(false);
    world.coordinator.onMemberDisconnected('g', first.memberId);
    world.time.settle();
    expect(second.joined.value).toMatchObject({ errorCode: 0, generationId: 2, leader: second.memberId });
  });

  it('keeps its session where it is static, and is nobody where it never joined', async () => {
    const world = new GroupWorld({ initialRebalanceDelayMs: 0 });
    const member = world.join({ groupInstanceId: 'instance' });
    world.time.advance(0);
    world.stabilize([member]);
    const { memberId, generationId } = member.value;
    const pending = world.join({}).value.memberId;
    for (const id of [memberId, pending, pending, 'nobody']) world.coordinator.onMemberDisconnected('g', id);
    world.coordinator.onMemberDisconnected('unheard of', 'nobody');
    world.time.settle();
    expect(world.heartbeat(memberId, generationId, { groupInstanceId: 'instance' })).toBe(0);
    expect(world.join({ memberId: pending }).value.errorCode).toBe(Errors.UNKNOWN_MEMBER_ID);
    expect((await world.describe()).groupState).toBe('Stable');
  });
});
