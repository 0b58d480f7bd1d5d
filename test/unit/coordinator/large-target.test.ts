import { describe, expect, test } from 'vitest';
import { Errors } from '../../../src/protocol/errors.ts';
import { type ConsumerClient, ConsumerWorld } from './consumer-world.ts';

const BATCH_BYTES_MAX = 700;
const MEMBERS = 20;
const PARTITIONS = 400;

/** Members that have all partitions between them, in a group whose next target does not fit into one batch. */
function settled(serverAssignor: string) {
  const world = new ConsumerWorld();
  world.topics.set('t', PARTITIONS);
  const members = Array.from({ length: MEMBERS }, (_, i) =>
    world.member(`m${String(i).padStart(2, '0')}`, ['t'], { serverAssignor }),
  );
  for (const member of members) member.join();
  world.converge(members);
  world.log.batchBytesMax = BATCH_BYTES_MAX;
  return { world, members };
}

const partitionsOf = (members: readonly ConsumerClient[]) =>
  members.flatMap(({ partitions }) => partitions).sort((a, b) => a - b);
const all = (count: number) => Array.from({ length: count }, (_, partition) => partition);

describe.each(['uniform', 'range'])('a target of the %s assignor that is larger than a batch', (assignor) => {
  test('is written in several', async () => {
    const { world, members } = settled(assignor);
    const before = world.log.batches.length;
    world.topics.set('t', 2 * PARTITIONS);
    world.coordinator.onTopicsChanged(new Set(['t']));
    expect(members[0]!.beat()).toBe(true);
    expect(world.log.batches.length).toBeGreaterThan(before + 1);
    for (const batch of world.log.batches.slice(before)) expect(batch.length).toBeLessThan(BATCH_BYTES_MAX);
    world.converge(members);
    expect(partitionsOf(members)).toEqual(all(2 * PARTITIONS));
    const told = await world.describeConsumer();
    await world.failOver();
    expect(await world.describeConsumer()).toEqual(told);
  });

  test('and of which a crash has left a part is made anew', async () => {
    let written = 2;
    for (let kept = 1; kept < written; kept++) {
      const { world, members } = settled(assignor);
      const before = world.log.batches.length;
      const late = world.member('late', ['t'], { serverAssignor: assignor });
      late.join();
      written = world.log.batches.length - before;
      expect(written).toBeGreaterThan(3);
      world.log.batches.length = before + kept;
      await world.failOver();
      // Nobody was told of anything.
      late.join();
      world.converge([...members, late]);
      expect(partitionsOf([...members, late])).toEqual(all(PARTITIONS));
      expect((await world.describeConsumer()).groupState).toBe('Stable');
    }
  });
});

test('one member of which does not fit into a batch is refused, and the group stays what it was', async () => {
  const { world, members } = settled('uniform');
  const told = await world.describeConsumer();
  world.log.batchBytesMax = 300;
  world.topics.set('t', 100 * PARTITIONS);
  world.coordinator.onTopicsChanged(new Set(['t']));
  expect(members[0]!.send().errorCode).toBe(Errors.UNKNOWN_SERVER_ERROR);
  expect(await world.describeConsumer()).toEqual(told);
});
