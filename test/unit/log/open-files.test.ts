import { expect, test } from 'vitest';
import type { PartitionLog } from '../../../src/log/log.ts';
import { LogManager } from '../../../src/log/log-manager.ts';
import { OpenFiles } from '../../../src/log/open-files.ts';
import { append, batch, config, type Outcome, settle, topicId, valuesFrom, World } from './fakes.ts';

const OPEN_MAX = 10;
/** What is open for a moment only: a file of a folder that is being made or synced. */
const MOMENTARY = 4;

function manager(world: World, changes = {}): Promise<LogManager> {
  return LogManager.open({
    dirs: ['/data'],
    configFor: () => config(changes),
    ports: world.ports,
    options: { openFilesMax: OPEN_MAX },
  });
}

function logsOf(logs: LogManager, count: number): PartitionLog[] {
  return Array.from({ length: count }, (_, at) => logs.getOrCreate('t', at, topicId));
}

/** One record to each in the same tick. */
function appendToAll(world: World, logs: readonly PartitionLog[], value: string): Outcome[] {
  const outcomes = logs.map((log) => append(log, batch([value])));
  world.time.tick();
  return outcomes;
}

test('many more partitions than open files are written and read, and the limit holds', async () => {
  const world = new World();
  const logs = logsOf(await manager(world), 50);
  for (const round of ['r0', 'r1', 'r2']) {
    const outcomes = appendToAll(world, logs, round);
    await settle();
    await settle();
    expect(new Set(outcomes.map(({ state }) => state))).toEqual(new Set(['done']));
  }
  for (const log of logs) expect(await valuesFrom(log, 0)).toEqual(['r0', 'r1', 'r2']);
  expect(world.storage.openMost).toBeLessThanOrEqual(OPEN_MAX + MOMENTARY);
});

test('a file is closed only after what was written to it is synced', async () => {
  const world = new World();
  world.storage.holdSyncs = true;
  const logs = logsOf(await manager(world), 25);
  const outcomes = appendToAll(world, logs, 'a');
  const large = append(logs[20]!, batch(['x'.repeat(100_000)]));
  // The others wait for room rather than fail, and none of those that were written lost its descriptor.
  expect(outcomes.filter(({ state }) => state === 'done')).toHaveLength(OPEN_MAX);
  expect([outcomes[20]!.state, large.state, world.storage.openCount]).toEqual(['waits', 'waits', OPEN_MAX]);
  expect(world.storage.syncs).toHaveLength(4);
  for (let round = 0; round < 20; round += 1) {
    world.storage.releaseSyncs();
    await settle();
  }
  expect(new Set([...outcomes, large].map(({ state }) => state))).toEqual(new Set(['done']));
  for (const [at, log] of logs.entries()) {
    const expected = at === 20 ? ['a', 'x'.repeat(100_000)] : ['a'];
    expect(await valuesFrom(log, 0)).toEqual(expected);
  }
  expect(world.storage.openMost).toBeLessThanOrEqual(OPEN_MAX + MOMENTARY);
});

test('a sync that makes room does not stand for the one that an append waits for', async () => {
  const world = new World();
  world.storage.holdSyncs = true;
  const logs = await manager(world);
  const flushed = logs.getOrCreate('flushed', 0, topicId, config({ flushMessages: 1 }));
  const before = append(flushed, batch(['a']));
  world.time.tick();
  world.storage.releaseSyncs();
  await settle();
  expect(before.state).toBe('done');
  // Unsynced for a while, and the oldest of those.
  flushed.updateConfig(config());
  append(flushed, batch(['b']));
  appendToAll(world, logsOf(logs, 8), 'a');
  expect(world.storage.syncs).toContain('/data/flushed-0/00000000000000000000.log');
  let isSynced = false;
  flushed.flush().then(() => {
    isSynced = true;
  });
  await settle();
  expect([isSynced, flushed.recoveryPoint]).toEqual([false, 1]);
  for (let round = 0; round < 10; round += 1) {
    world.storage.releaseSyncs();
    await settle();
  }
  expect([isSynced, flushed.recoveryPoint]).toEqual([true, 2]);
});

test('where syncing for room fails, the dir goes offline and nobody waits for ever', async () => {
  const world = new World();
  const logs = await manager(world);
  const failed: string[] = [];
  logs.onDirFailure = (dir) => void failed.push(dir);
  world.storage.failing = { operation: 'sync', match: '.log' };
  const outcomes = appendToAll(world, logsOf(logs, 25), 'a');
  await settle();
  expect(failed).toEqual(['/data']);
  expect(new Set(outcomes.map(({ state }) => state))).toEqual(new Set(['done', 'failed']));
  expect(world.storage.openCount).toBe(0);
});

test('folders are synced a few at a time, however many ask', async () => {
  const world = new World();
  world.storage.holdSyncs = true;
  const outcomes = appendToAll(world, logsOf(await manager(world, { flushMessages: 1 }), 60), 'a');
  for (let round = 0; round < 80; round += 1) {
    world.storage.releaseSyncs();
    await settle();
  }
  expect(new Set(outcomes.map(({ state }) => state))).toEqual(new Set(['done']));
  expect(world.storage.openMost).toBeLessThanOrEqual(OPEN_MAX + 16 * MOMENTARY);
});

test('after a crash, files to be synced anew do not stay open', async () => {
  const world = new World();
  appendToAll(world, logsOf(await manager(world), 25), 'a');
  await settle();
  await settle();
  const again = await manager(world);
  expect(world.storage.openCount - OPEN_MAX).toBeLessThanOrEqual(OPEN_MAX);
  for (const log of again.all()) expect(await valuesFrom(log, 0)).toEqual(['a']);
});

test('a writer that must wait again is asked the next time', async () => {
  const { storage } = new World();
  storage.holdSyncs = true;
  storage.makeDir('/data');
  const files = new OpenFiles(storage, 1);
  const [first, second, third] = ['a', 'b', 'c'].map((name) => files.file(`/data/${name}`, 'create'));
  first!.use();
  first!.isUnsynced = true;
  let asked = 0;
  const write = () => {
    second!.use();
    second!.isUnsynced = true;
  };
  const writeWhenRoom = () => {
    asked += 1;
    if (asked > 5 || files.waitsForRoom(third!, writeWhenRoom)) return;
    third!.use();
  };
  expect([files.waitsForRoom(second!, write), files.waitsForRoom(third!, writeWhenRoom)]).toEqual([
    true,
    true,
  ]);
  // Written and in use while it is synced: it makes no room, and nothing else can be synced.
  first!.isUnsynced = true;
  first!.pin();
  storage.releaseSyncs();
  await settle();
  expect(asked).toBe(1);
  storage.releaseSyncs();
  await settle();
  expect([asked, files.openCount]).toEqual([2, 2]);
});

test('who waits for the end of all syncs is told after the last', async () => {
  const { storage } = new World();
  storage.holdSyncs = true;
  storage.makeDir('/data');
  const files = new OpenFiles(storage, 1);
  await files.settled();
  const file = files.file('/data/a', 'create');
  file.use();
  file.isUnsynced = true;
  let isSettled = false;
  const settled = files.settled().then(() => {
    isSettled = true;
  });
  await settle();
  expect(isSettled).toBe(false);
  storage.releaseSyncs();
  await settled;
});
