import { expect, test } from 'vitest';
import { Errors } from '../../../src/protocol/errors.ts';
import { bytesHeld } from './bytes-held.ts';
import { ConsumerWorld } from './consumer-world.ts';

/** A hundred thousand that want into one group. */
const CROWD = 100_000;
/** As many tell what one of them takes: measured it is the same with all of the above. */
const SOME = 20_000;
/** What one member may take. Measured: 2.2 kB. */
const BYTES_EACH_MAX = 3000;
/** The encoder of a coordinator keeps the room that its largest record took: measured 2.9 MB. */
const ENCODER_BYTES_MAX = 10_000_000;
/** The default. */
const ASSIGNMENT_INTERVAL_MS = 1000;

function crowded(maxSize?: number) {
  const world = new ConsumerWorld(maxSize === undefined ? {} : { consumerMaxSize: maxSize });
  world.settings = { ...world.settings, assignmentIntervalMs: ASSIGNMENT_INTERVAL_MS };
  world.topics.set('t', 10);
  const other = world.member('other', ['t'], { groupId: 'other' });
  expect(other.join().errorCode).toBe(0);
  /** Whether the member of a group beside the crowd's still gets what it asks for. */
  const beat = () => other.send({ groupId: 'other' }).errorCode;
  const join = (i: number) =>
    world.member(`${String(i).padStart(8, '0')}-0000-4000-8000-000000000000`).join();
  /** What the log took is not the members'. */
  const held = () => {
    world.log.batches.splice(0, world.log.batches.length - 1);
    return bytesHeld();
  };
  return { world, beat, join, held };
}

test('of a hundred thousand as many join as group.consumer.max.size says, and the others are refused', () => {
  const { beat, join, held } = crowded(500);
  const before = held();
  const codes = new Map<number, number>();
  for (let i = 0; i < CROWD; i++) {
    const { errorCode } = join(i);
    codes.set(errorCode, (codes.get(errorCode) ?? 0) + 1);
  }
  expect([...codes]).toEqual([
    [0, 500],
    [Errors.GROUP_MAX_SIZE_REACHED, CROWD - 500],
  ]);
  expect(held() - before).toBeLessThan(500 * 10_000);
  expect(beat()).toBe(0);
});

test('thousands that join take little memory each, also when they are assigned', async () => {
  const { world, beat, join, held } = crowded();
  const before = held();
  for (let i = 0; i < SOME; i++) join(i);
  world.time.advance(ASSIGNMENT_INTERVAL_MS);
  expect(join(SOME).errorCode).toBe(0);
  expect((held() - before) / SOME).toBeLessThan(BYTES_EACH_MAX);
  expect(beat()).toBe(0);
  const { members, assignmentEpoch } = await world.describeConsumer();
  expect([members.length, assignmentEpoch]).toEqual([SOME + 1, SOME + 2]);
});

/** Names of topics that take so many bytes in a request. */
const namesOf = (bytes: number) => Array.from({ length: bytes / 40 }, (_, i) => String(i).padStart(38, 'x'));

test('a subscription of a megabyte is refused where no batch holds it, and leaves nothing behind', async () => {
  const { world, beat, held } = crowded();
  const before = held();
  for (let i = 0; i < 20; i++) {
    const answer = world.member(`large-${i}`, namesOf(1_200_000)).join();
    expect(answer).toMatchObject({ errorCode: Errors.UNKNOWN_SERVER_ERROR, assignment: null });
  }
  expect(held() - before).toBeLessThan(ENCODER_BYTES_MAX);
  expect(await world.describeConsumer()).toMatchObject({ errorCode: Errors.GROUP_ID_NOT_FOUND });
  expect(beat()).toBe(0);
});

test('one that a batch holds is taken, and is gone with its member', () => {
  const { world, beat, held } = crowded();
  const before = held();
  const large = world.member('large', [...namesOf(900_000), 't']);
  expect(large.join().errorCode).toBe(0);
  expect(large.partitions).toHaveLength(10);
  expect(held() - before).toBeLessThan(20_000_000);
  expect(large.leave().errorCode).toBe(0);
  expect(held() - before).toBeLessThan(ENCODER_BYTES_MAX);
  expect(beat()).toBe(0);
});

test('a regular expression of a megabyte is refused before it is compiled', () => {
  const { world, beat } = crowded();
  const wants = { subscribedTopicNames: null, subscribedTopicRegex: 'x'.repeat(1_000_000) };
  const answer = world.member('large', [], wants).join();
  expect(answer.errorCode).toBe(Errors.INVALID_REGULAR_EXPRESSION);
  expect(answer.errorMessage).toMatch(/1000000 characters of at most 4096/);
  expect(beat()).toBe(0);
});
