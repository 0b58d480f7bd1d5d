import { describe, expect, test } from 'vitest';
import { decodeFrom, encode } from '../../../src/protocol/codec.ts';
import { Errors } from '../../../src/protocol/errors.ts';
import {
  ConsumerProtocolAssignment,
  ConsumerProtocolSubscription,
} from '../../../src/protocol/messages/consumer-protocol.ts';
import { Reader } from '../../../src/protocol/reader.ts';
import { Writer } from '../../../src/protocol/writer.ts';
import { ConsumerWorld } from './consumer-world.ts';

const VERSION = 3;

function subscriptionOwning(partitions: readonly number[]): Uint8Array {
  const writer = new Writer();
  writer.int16(VERSION);
  const ownedPartitions = partitions.length === 0 ? [] : [{ topic: 't', partitions }];
  const value = { topics: ['t'], userData: null, ownedPartitions, generationId: -1, rackId: null };
  encode(ConsumerProtocolSubscription, VERSION, value, writer);
  return Buffer.from(writer.bytes());
}

function assignmentOf(partitions: readonly number[]): Uint8Array {
  const writer = new Writer();
  writer.int16(VERSION);
  const assignedPartitions = partitions.length === 0 ? [] : [{ topic: 't', partitions }];
  encode(ConsumerProtocolAssignment, VERSION, { assignedPartitions, userData: null }, writer);
  return Buffer.from(writer.bytes());
}

function partitionsIn(assignment: Uint8Array): readonly number[] {
  const { assignedPartitions } = decodeFrom(ConsumerProtocolAssignment, VERSION, new Reader(assignment, 2));
  return assignedPartitions.flatMap(({ partitions }) => partitions);
}

/** A consumer of the classic protocol, cooperative as the newest clients are. */
class ClassicClient {
  readonly world: ConsumerWorld;
  readonly instanceId: string | null;
  memberId = '';
  generationId = -1;
  partitions: readonly number[] = [];

  constructor(world: ConsumerWorld, instanceId: string | null = null) {
    this.world = world;
    this.instanceId = instanceId;
  }

  join() {
    const joined = this.sendJoin();
    if (joined.response?.errorCode !== Errors.MEMBER_ID_REQUIRED) return joined;
    this.memberId = joined.value.memberId;
    return this.sendJoin();
  }

  sendJoin() {
    return this.world.join({
      memberId: this.memberId,
      groupInstanceId: this.instanceId,
      protocols: [{ name: 'cooperative-sticky', metadata: subscriptionOwning(this.partitions) }],
    });
  }

  sync(assignments: { memberId: string; assignment: Uint8Array }[] = []) {
    const { memberId, generationId, instanceId } = this;
    return this.world.sync({ memberId, generationId, groupInstanceId: instanceId, assignments });
  }

  beat(): number {
    return this.world.heartbeat(this.memberId, this.generationId, { groupInstanceId: this.instanceId });
  }

  /** Joins and syncs with a coordinator that assigns. */
  rejoin(): void {
    const { memberId, generationId, errorCode } = this.join().value;
    expect(errorCode).toBe(0);
    this.memberId = memberId;
    this.generationId = generationId;
    const { response } = this.sync();
    expect(response?.errorCode).toBe(0);
    this.partitions = partitionsIn(response!.assignment);
  }

  /** Heartbeats, and does what they ask for. True where they asked. */
  follow(): boolean {
    if (this.beat() !== Errors.REBALANCE_IN_PROGRESS) return false;
    this.rejoin();
    return true;
  }
}

/** Two members of a stable classic group with two partitions each. */
function classicPair(config = {}, instanceIds: readonly (string | null)[] = [null, null]) {
  const world = new ConsumerWorld({ initialRebalanceDelayMs: 0, ...config });
  world.topics.set('t', 4);
  const pair = instanceIds.map((instanceId) => new ClassicClient(world, instanceId));
  const [a, b] = pair as [ClassicClient, ClassicClient];
  const first = a.join();
  world.time.advance(1);
  a.memberId = first.value.memberId;
  a.generationId = first.value.generationId;
  a.sync([{ memberId: a.memberId, assignment: assignmentOf([0, 1, 2, 3]) }]);
  const second = b.join();
  const again = a.sendJoin();
  world.time.advance(1);
  for (const [client, joined] of [
    [a, again],
    [b, second],
  ] as const) {
    client.memberId = joined.value.memberId;
    client.generationId = joined.value.generationId;
  }
  b.sync();
  a.sync([
    { memberId: a.memberId, assignment: assignmentOf([0, 1]) },
    { memberId: b.memberId, assignment: assignmentOf([2, 3]) },
  ]);
  a.partitions = [0, 1];
  b.partitions = [2, 3];
  return { world, a, b };
}

function converge(classics: readonly ClassicClient[], consumers: readonly { beat(): boolean }[]): void {
  for (let round = 0; round < 30; round++) {
    let hasChanged = false;
    for (const one of classics) hasChanged = one.follow() || hasChanged;
    for (const one of consumers) hasChanged = one.beat() || hasChanged;
    if (!hasChanged) return;
  }
  throw new Error('the group does not become stable');
}

const all = (...members: readonly { readonly partitions: readonly number[] }[]) =>
  members.flatMap(({ partitions }) => [...partitions]).sort((x, y) => x - y);

describe('classic to consumer', () => {
  test('members of both protocols share the partitions while they roll', async () => {
    const { world, a, b } = classicPair();
    const c = world.member('c');
    expect(c.join().errorCode).toBe(0);
    expect(c.partitions).toEqual([]);
    expect(await world.describeConsumer()).toMatchObject({ groupState: 'Reconciling' });
    converge([a, b], [c]);
    expect(all(a, b, c)).toEqual([0, 1, 2, 3]);
    expect(c.partitions.length).toBeGreaterThan(0);
    const described = await world.describeConsumer();
    expect(described.groupState).toBe('Stable');
    expect(described.members.map(({ memberType }) => memberType).sort()).toEqual([0, 0, 1]);
    world.leave({ memberId: a.memberId });
    const d = world.member('d');
    d.join();
    converge([b], [c, d]);
    expect(all(b, c, d)).toEqual([0, 1, 2, 3]);
    world.leave({ memberId: b.memberId });
    world.converge([c, d]);
    expect(all(c, d)).toEqual([0, 1, 2, 3]);
  });

  test('what the log keeps is the same group', async () => {
    const { world, a, b } = classicPair();
    const c = world.member('c');
    c.join();
    a.follow();
    const before = await world.describeConsumer();
    await world.failOver();
    expect(await world.describeConsumer()).toEqual(before);
    converge([a, b], [c]);
    expect(all(a, b, c)).toEqual([0, 1, 2, 3]);
  });

  test('a member that does not join again is taken out', () => {
    const { world, a, b } = classicPair();
    const c = world.member('c', ['t'], { rebalanceTimeoutMs: 300_000 });
    c.join();
    expect(b.beat()).toBe(Errors.REBALANCE_IN_PROGRESS);
    for (let beats = 0; beats < 8; beats++) {
      world.time.advance(8000);
      a.follow();
      b.beat();
      c.beat();
    }
    expect(b.beat()).toBe(Errors.UNKNOWN_MEMBER_ID);
    converge([a], [c]);
    expect(all(a, c)).toEqual([0, 1, 2, 3]);
  });

  test.each(['disabled', 'downgrade'] as const)(
    'is refused where the policy is %s',
    (consumerMigrationPolicy) => {
      const { world, a } = classicPair({ consumerMigrationPolicy });
      expect(world.member('c').join().errorCode).toBe(Errors.GROUP_ID_NOT_FOUND);
      expect(a.beat()).toBe(0);
    },
  );

  test('who speaks the consumer protocol can not use the classic one', () => {
    const { world, a } = classicPair();
    const c = world.member('c');
    c.join();
    expect(world.heartbeat('c', c.epoch)).toBe(Errors.UNKNOWN_MEMBER_ID);
    expect(world.sync({ memberId: 'c', generationId: c.epoch }).value.errorCode).toBe(
      Errors.UNKNOWN_MEMBER_ID,
    );
    const stranger = world.join({ protocols: [{ name: 'mine', metadata: subscriptionOwning([]) }] });
    expect(stranger.value.errorCode).toBe(Errors.INCONSISTENT_GROUP_PROTOCOL);
    expect(a.beat()).toBe(Errors.REBALANCE_IN_PROGRESS);
  });
});

describe('consumer to classic', () => {
  test('the group is classic again when the last member of the consumer protocol leaves', async () => {
    const { world, a, b } = classicPair();
    const c = world.member('c');
    c.join();
    converge([a, b], [c]);
    c.leave();
    expect(await world.describe()).toMatchObject({ errorCode: 0, groupState: 'PreparingRebalance' });
    expect(a.beat()).toBe(Errors.REBALANCE_IN_PROGRESS);
    const joins = [a, b].map((one) => one.sendJoin());
    for (const [at, one] of [a, b].entries()) one.generationId = joins[at]!.value.generationId;
    expect(a.generationId).toBe(b.generationId);
    const { leader } = joins[0]!.value;
    const [leading, following] = leader === a.memberId ? [a, b] : [b, a];
    const synced = following.sync();
    leading.sync([
      { memberId: a.memberId, assignment: assignmentOf([0, 1]) },
      { memberId: b.memberId, assignment: assignmentOf([2, 3]) },
    ]);
    expect(synced.value.errorCode).toBe(0);
    await world.failOver();
    expect(await world.describe()).toMatchObject({ groupState: 'Stable' });
    expect(a.beat()).toBe(0);
  });

  test('who takes over in between begins the rebalance anew, and everybody has what it had', async () => {
    const { world, a, b } = classicPair();
    const c = world.member('c');
    c.join();
    converge([a, b], [c]);
    c.leave();
    await world.failOver();
    const { groupState, members } = await world.describe();
    expect(groupState).toBe('PreparingRebalance');
    const had = members.flatMap(({ memberAssignment }) => partitionsIn(memberAssignment));
    expect(had.sort()).toEqual(all(a, b));
  });

  test('stays a consumer group where the policy does not let it', async () => {
    const { world, a, b } = classicPair({ consumerMigrationPolicy: 'upgrade' });
    const c = world.member('c');
    c.join();
    converge([a, b], [c]);
    c.leave();
    converge([a, b], []);
    expect(all(a, b)).toEqual([0, 1, 2, 3]);
    expect((await world.describeConsumer()).members).toHaveLength(2);
  });

  test('a static member that comes back with the classic protocol keeps what it had', async () => {
    const { world, a, b } = classicPair({}, ['i-a', 'i-b']);
    const c = world.member('c', ['t'], { instanceId: 'i-b' });
    c.join();
    converge([a], [c]);
    expect(all(a, c)).toEqual([0, 1, 2, 3]);
    c.leave(-2);
    const back = new ClassicClient(world, 'i-b');
    const { generationId, memberId, errorCode } = back.join().value;
    expect(errorCode).toBe(0);
    expect(await world.describe()).toMatchObject({ groupState: 'Stable' });
    Object.assign(back, { generationId, memberId });
    expect(partitionsIn(back.sync().value.assignment)).toEqual(c.partitions);
    expect(b.beat()).toBe(Errors.FENCED_INSTANCE_ID);
    expect(a.beat()).toBe(0);
    await world.failOver();
    expect(await world.describe()).toMatchObject({ groupState: 'Stable' });
  });
});

test('a classic member whose join is committed late, and that is gone by then, does not stay', async () => {
  const world = new ConsumerWorld();
  world.topics.set('t', 4);
  const c = world.member('c');
  c.join();
  const gone = new ClassicClient(world);
  gone.memberId = gone.sendJoin().value.memberId;
  world.log.commitsAtOnce = false;
  const joined = gone.sendJoin();
  world.time.advance(world.config.offsetsCommitTimeoutMs + 1);
  expect(joined.value.errorCode).not.toBe(0);
  world.log.commitsAtOnce = true;
  world.log.commit();
  world.time.settle();
  expect((await world.describeConsumer()).members).toHaveLength(2);
  world.time.advance(10_000);
  world.converge([c]);
  expect(c.partitions).toEqual([0, 1, 2, 3]);
  expect((await world.describeConsumer()).members).toHaveLength(1);
});
