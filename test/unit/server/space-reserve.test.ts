import { expect, test } from 'vitest';
import { SpaceReserve } from '../../../src/server/space-reserve.ts';
import { silent, World } from '../log/fakes.ts';

const MIB = 1024 * 1024;
const LEAST = 64 * MIB;
const RESERVE = '/data/space-reserve';

function reserved(least = LEAST) {
  const world = new World();
  const { storage, time } = world;
  const { timers, random } = world.ports;
  const reserve = new SpaceReserve({
    ...{ storage, timers, random, logger: silent },
    dir: '/data',
    minFreeBytes: () => least,
  });
  reserve.start();
  const at = async (freeBytes: number) => {
    storage.freeBytes = freeBytes;
    await time.pass(1000);
    return storage.sizeOf(RESERVE);
  };
  return { reserve, storage, time, at };
}

test('space is put aside while there is little, given up when there is none, and not kept when there is plenty', async () => {
  const { at } = reserved();
  expect(await at(3 * LEAST)).toBeUndefined();
  expect(await at(2 * LEAST - 1)).toBe(8 * MIB);
  expect(await at(10 * MIB)).toBe(8 * MIB);
  expect(await at(MIB)).toBeUndefined();
  expect(await at(9 * MIB)).toBeUndefined();
  expect(await at(LEAST)).toBe(8 * MIB);
  expect(await at(3 * LEAST)).toBeUndefined();
});

test('a start gives up at once what the last run put aside', async () => {
  const { storage, at, reserve } = reserved();
  await at(LEAST);
  reserve.stop();
  storage.freeBytes = 0;
  reserve.start();
  expect(storage.sizeOf(RESERVE)).toBeUndefined();
});

test('a disk that takes no more is no failure, and who wants nothing kept free has no reserve', async () => {
  const failing = reserved();
  failing.storage.room = { match: 'reserve', bytes: 3 * MIB };
  await failing.at(LEAST);
  await failing.at(MIB);
  const { at } = reserved(0);
  for (const freeBytes of [3 * LEAST, 20 * MIB, 0]) expect(await at(freeBytes)).toBeUndefined();
});
