import { expect, test } from 'vitest';
import type { PartitionLog } from '../../../src/log/log.ts';
import { LogManager } from '../../../src/log/log-manager.ts';
import { WarmParts } from '../../../src/log/warm-parts.ts';
import { append, batch, config, fetch, resolved, settle, topicId, valuesIn, World } from './fakes.ts';

const FETCH_BYTES = 100_000;

/** A log of 40 batches of about 30 kB, opened anew: nothing of it is known to be in memory. */
async function coldLog(world: World): Promise<PartitionLog> {
  const before = world.open();
  for (let n = 0; n < 40; n += 1) append(before, batch([`${n}`.padEnd(30_000, '.')], { keys: false }));
  world.time.tick();
  await before.close();
  return world.open({}, { cleanShutdown: true });
}

const numbersIn = (bytes: Buffer) => valuesIn(bytes).map(({ value }) => Number.parseInt(value, 10));

test('a reader that comes along gets what follows from memory, which was read while it was at work', async () => {
  const world = new World();
  const log = await coldLog(world);
  const seen: number[] = [];
  let cold = 0;
  for (let next = 0; next < log.logEndOffset; ) {
    const found = log.read(next, FETCH_BYTES, { minOneMessage: true, upTo: log.logEndOffset });
    if ('pending' in found) cold += 1;
    const read = await resolved(found);
    seen.push(...numbersIn(Buffer.concat(read.bytes)));
    next = read.nextOffset;
    read.release();
    await settle();
  }
  expect(seen).toEqual(Array.from({ length: 40 }, (_, n) => n));
  expect(cold).toBe(1);
  expect(world.shared.pool.takenBytes()).toBe(world.shared.tails.bytes);
});

test('what was read ahead is answered without another read, whatever sizes are asked for', async () => {
  const world = new World();
  const log = await coldLog(world);
  const options = { minOneMessage: true, upTo: log.logEndOffset };
  const first = await resolved(log.read(0, 100_000, options));
  first.release();
  await settle();
  world.storage.failing = { operation: 'read', match: '.log' };
  const seen: number[] = [];
  const held: (() => void)[] = [];
  let next = first.nextOffset;
  for (const bytes of [31_000, 62_000, 31_000, 70_000]) {
    const read = await resolved(log.read(next, bytes, options));
    seen.push(...numbersIn(Buffer.concat(read.bytes)));
    held.push(read.release);
    next = read.nextOffset;
  }
  expect(seen).toEqual([3, 4, 5, 6, 7, 8]);
  world.storage.failing = undefined;
  // What is read ahead goes with the file that it is a part of; what is being answered stays until it is.
  const bytes = (await resolved(log.read(0, 31_000, options))).bytes;
  log.abandon(new Error('gone'));
  for (const release of held) release();
  expect(numbersIn(Buffer.concat(bytes))).toEqual([0]);
});

test('a cut takes what was read ahead behind it', async () => {
  const world = new World();
  const log = await coldLog(world);
  const read = await resolved(log.read(0, FETCH_BYTES, { minOneMessage: true, upTo: log.logEndOffset }));
  read.release();
  await settle();
  log.truncateTo(read.nextOffset);
  // So large that it is written at once and the cached tail knows nothing of it.
  append(log, batch(['100'.padEnd(70_000, '.')], { keys: false }));
  expect(numbersIn(await fetch(log, read.nextOffset, FETCH_BYTES))).toEqual([100]);
});

test('one read at a time is under way for a log; who asks for the same meanwhile gets it from memory', async () => {
  const world = new World();
  const log = await coldLog(world);
  world.storage.holdReads = true;
  const reads = [10, 10, 10].map((offset) => fetch(log, offset, FETCH_BYTES));
  expect(world.storage.waitingReads).toBe(1);
  world.storage.holdReads = false;
  world.storage.releaseRead();
  for (const read of reads) expect(numbersIn(await read)[0]).toBe(10);
  expect(world.storage.readsLater).toHaveLength(1);
});

test('two logs at once read off the loop, and a read that waits holds neither file nor memory', async () => {
  const world = new World();
  const manager = await LogManager.open({ dirs: ['/data'], configFor: () => config(), ports: world.ports });
  const logs = Array.from({ length: 5 }, (_, at) => manager.getOrCreate('t', at, topicId));
  for (const log of logs) append(log, batch(['a']));
  world.time.tick();
  await manager.close();
  const again = await LogManager.open({ dirs: ['/data'], configFor: () => config(), ports: world.ports });
  const before = again.shared.pool.takenBytes();
  world.storage.holdReads = true;
  const reads = [...again.all()].map((log) => fetch(log, 0, 1000));
  await settle();
  expect(world.storage.waitingReads).toBe(2);
  const held = again.shared.pool.takenBytes() - before;
  for (let round = 0; round < 5; round += 1) {
    world.storage.releaseRead();
    await settle();
    expect(world.storage.waitingReads).toBeLessThanOrEqual(2);
    expect(again.shared.pool.takenBytes() - before).toBeLessThanOrEqual(held);
  }
  for (const read of reads) expect(valuesIn(await read)).toHaveLength(1);
});

test('a read that waits behind another fails or goes on by itself', async () => {
  const world = new World();
  const log = await coldLog(world);
  world.storage.holdReads = true;
  const first = fetch(log, 0, FETCH_BYTES);
  const second = fetch(log, 20, FETCH_BYTES);
  world.storage.holdReads = false;
  world.storage.failing = { operation: 'read', match: '.log' };
  world.storage.releaseRead();
  await expect(first).rejects.toThrow();
  world.storage.failing = undefined;
  await second.then(
    (bytes) => expect(numbersIn(bytes)[0]).toBe(20),
    () => undefined,
  );
  log.abandon(new Error('gone'));
  expect(world.storage.openCount).toBe(0);
});

test('a fetch of everything is answered with a part of it rather than hold a thread for long', async () => {
  const world = new World();
  const before = world.open();
  for (let n = 0; n < 12; n += 1) append(before, batch([`${n}`.padEnd(900_000, '.')], { keys: false }));
  await before.close();
  const log = world.open({}, { cleanShutdown: true });
  const sizes: number[] = [];
  for (let next = 0; next < 12; ) {
    const read = await resolved(log.read(next, 50_000_000, { minOneMessage: true, upTo: 12 }));
    sizes.push(Math.round(read.sizeInBytes / 900_000));
    next = read.nextOffset;
    read.release();
    await settle();
  }
  expect([sizes[0], sizes.reduce((sum, size) => sum + size)]).toEqual([4, 12]);
  expect(Math.max(...sizes)).toBeLessThan(6);
});

test('what is in memory is told by parts, each as old as its first byte', () => {
  const warm = new WarmParts();
  const MIB = 1024 * 1024;
  const reach = (from: number, to: number, oldest = 0) =>
    warm.reach(from * MIB, to * MIB, oldest * MIB) / MIB;
  const touched = (from: number, to: number, traffic: number) =>
    warm.touched(from * MIB, to * MIB, traffic * MIB, 0);
  for (let at = 0; at < 60; at += 1) touched(at, at + 1, at);
  touched(200, 201, 60);
  expect([reach(0, 60), reach(0, 80), reach(10, 20), reach(100, 110), reach(200, 300)]).toEqual([
    60, 60, 20, 100, 201,
  ]);
  warm.cutAt(50 * MIB);
  expect([reach(0, 60), reach(200, 201)]).toEqual([50, 200]);
  // The first 32 MiB have gone, the rest is younger.
  expect([reach(0, 60, 20), reach(32, 60, 20), reach(40, 60, 40)]).toEqual([0, 50, 40]);
});
