import { expect, test } from 'vitest';
import type { LogConfig } from '../../../src/config/log-config.ts';
import { parseFolder } from '../../../src/log/file-names.ts';
import type { PartitionLog } from '../../../src/log/log.ts';
import { LogManager } from '../../../src/log/log-manager.ts';
import type { LogManagerInput } from '../../../src/log/log-manager-input.ts';
import type { VerificationGuard } from '../../../src/log/verification.ts';
import { Errors } from '../../../src/protocol/errors.ts';
import { append, batch, config, settle, topicId, valuesFrom, World } from './fakes.ts';

const [A, B, C] = ['/data', '/more', '/last'];

/** Folders get different names. */
function newWorld(): World {
  const world = new World();
  let next = 0;
  world.random = {
    below: () => 0,
    fill: (into) => {
      next += 1;
      into.fill(next);
    },
  };
  return world;
}

const open = (world: World, changes: Partial<LogConfig> = {}, input: Partial<LogManagerInput> = {}) =>
  LogManager.open({ dirs: [A, B, C], configFor: () => config(changes), ports: world.ports, ...input });

/** A partition in the first dir with some batches, and a manager that moves things. */
async function begin(world: World, changes: Partial<LogConfig> = {}, input: Partial<LogManagerInput> = {}) {
  const manager = await open(world, changes, input);
  manager.startBackground();
  const log = manager.getOrCreate('t', 0, topicId, config(changes), true, A);
  const values = ['a', 'b', 'c'].map((value) =>
    input.moveBytesPerSecondMax === undefined ? value : large(value),
  );
  for (const value of values) append(log, batch([value]));
  world.time.tick();
  log.updateHighWatermark(3);
  return { manager, log };
}

async function turns(world: World, count = 30): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) {
    world.time.tick();
    await settle();
  }
}

const folders = (world: World, dir: string) =>
  world.storage.list(dir).flatMap(({ name, isDirectory }) => (isDirectory ? [parseFolder(name)?.kind] : []));

/** More than is copied between two looks at the throttle. */
const large = (value: string) => value.padEnd(500_000, '.');
const short = (values: readonly string[]) => values.map((value) => value.replace(/\.+$/, ''));

const current = (manager: LogManager): PartitionLog => manager.get('t', 0)!;

test('a replica moves while it serves: records, producers, epochs, log start and high watermark come along', async () => {
  const world = newWorld();
  const { manager, log } = await begin(world, { segmentBytes: 100, fileDeleteDelayMs: 1000 });
  append(log, batch(['d'], { producerId: 7n, producerEpoch: 0, baseSequence: 0 }), 3);
  world.time.tick();
  log.updateHighWatermark(4);
  log.deleteRecordsBefore(1);
  const seen: string[] = [];
  manager.onReplaced = (next) => seen.push(next.dir);
  manager.move('t', 0, B);
  expect([folders(world, A), [...manager.futures()].length]).toEqual([['partition'], 1]);
  append(log, batch(['e']), 3);
  world.storage.syncedNow = [];
  await turns(world);
  const moved = current(manager);
  // A power loss does not bring the old folder back.
  expect(world.storage.syncedNow).toContain(A);
  expect([moved.dir, seen, log.isClosed]).toEqual(['/more/t-0', ['/more/t-0'], true]);
  expect([moved.logStartOffset, moved.logEndOffset, moved.highWatermark]).toEqual([1, 5, 4]);
  expect(await valuesFrom(moved, 1)).toEqual(['b', 'c', 'd', 'e']);
  expect(moved.leaderEpochCache.entries).toEqual(log.leaderEpochCache.entries);
  const again = append(moved, batch(['d'], { producerId: 7n, producerEpoch: 0, baseSequence: 0 }), 3);
  expect([again.duplicate, again.firstOffset]).toEqual([true, 3]);
  expect([folders(world, A), folders(world, B), [...manager.futures()]]).toEqual([
    ['delete'],
    ['partition'],
    [],
  ]);
  await world.time.pass(1000);
  expect(folders(world, A)).toEqual([]);
  await manager.close();
  expect(await valuesFrom(current(await open(world)), 1)).toEqual(['b', 'c', 'd', 'e']);
});

test('appends that come in the last moment are answered by the log in the new dir, and none is lost', async () => {
  const world = newWorld();
  const { manager, log } = await begin(world, { flushMessages: 1 });
  await turns(world);
  manager.move('t', 0, B);
  const answers: { state: string }[] = [];
  manager.onReplaced = (next) => {
    next.onAppended = () => next.updateHighWatermark(next.logEndOffset);
  };
  for (let round = 0; round < 40; round += 1) {
    answers.push(append(current(manager), batch([`x${round}`])));
    world.time.tick();
    for (let some = 0; some < 3; some += 1) await Promise.resolve();
  }
  await turns(world);
  expect(log.isClosed).toBe(true);
  expect(answers.map(({ state }) => state)).toEqual(answers.map(() => 'done'));
  const wanted = ['a', 'b', 'c', ...answers.map((_, round) => `x${round}`)];
  expect(await valuesFrom(current(manager), 0)).toEqual(wanted);
  world.storage.crash();
  expect(await valuesFrom(current(await open(world)), 0)).toEqual(wanted);
});

test('a transaction that is open, and one that is being verified, go on in the new dir', async () => {
  const world = newWorld();
  const { manager, log } = await begin(world);
  const inTransaction = (producerId: bigint, baseSequence: number, value: string) =>
    batch([value], { producerId, producerEpoch: 0, baseSequence, isTransactional: true });
  const write = (to: PartitionLog, bytes: Buffer, guard?: VerificationGuard) =>
    to.appendAsLeader(bytes, 0, { origin: 'client', done: () => {}, transaction: { guard } });
  const verify = (producerId: bigint) =>
    log.producers.startVerification({ producerId, epoch: 0, sequence: 0, supportsEpochBump: false }, 0);
  write(log, inTransaction(1n, 0, 'd'), verify(1n));
  const pending = verify(2n);
  world.time.tick();
  manager.move('t', 0, B);
  await turns(world);
  const moved = current(manager);
  expect([moved.parentDir, moved.lastStableOffset]).toEqual([B, 3]);
  write(moved, inTransaction(1n, 1, 'e'));
  write(moved, inTransaction(2n, 0, 'f'), pending);
  world.time.tick();
  expect([moved.logEndOffset, moved.activeProducers().map((one) => one.currentTxnStartOffset)]).toEqual([
    6,
    [3, 5],
  ]);
});

test('a log that is being moved is not compacted until it is there', async () => {
  const world = newWorld();
  let limit = 1;
  const settings = {
    cleanupPolicy: ['compact'] as const,
    segmentBytes: 1_200_000,
    minCleanableDirtyRatio: 0.01,
  };
  const { manager } = await begin(world, settings, { moveBytesPerSecondMax: () => limit });
  const values = ['a', 'b', 'a', 'a'].map(large);
  for (const value of values) append(current(manager), batch([value]));
  world.time.tick();
  current(manager).updateHighWatermark(7);
  await current(manager).flush();
  manager.move('t', 0, B);
  await turns(world);
  await world.time.pass(16_000);
  await turns(world);
  const state = () => [current(manager).parentDir, manager.cleaner.isCleaning(current(manager))];
  expect(state()).toEqual([A, false]);
  limit = Number.MAX_VALUE;
  await world.time.pass(1000);
  await turns(world);
  expect(state()).toEqual([B, false]);
  await world.time.pass(16_000);
  expect(state()).toEqual([B, true]);
});

test('a read that waits for the disk is answered by the log that has taken over', async () => {
  const world = newWorld();
  const { manager, log } = await begin(world);
  const early = await open(world);
  const cold = current(early).read(0, 1000, { minOneMessage: true, upTo: 3 });
  expect('pending' in cold).toBe(true);
  manager.move('t', 0, B);
  await turns(world);
  const late = log.read(0, 1000, { minOneMessage: true, upTo: 3 });
  const read = 'pending' in late ? await late.pending : late;
  expect(read.nextOffset).toBe(3);
  read.release();
});

test('asked for the dir where it is, a replica stays; asked for a third one, it goes there', async () => {
  const world = newWorld();
  const { manager, log } = await begin(world);
  manager.move('t', 0, B);
  manager.move('t', 0, B);
  expect([...manager.futures()].map(({ parentDir }) => parentDir)).toEqual([B]);
  manager.move('t', 0, A);
  await turns(world);
  expect([[...manager.futures()], current(manager), folders(world, B)]).toEqual([[], log, []]);
  manager.move('t', 0, B);
  await turns(world, 1);
  expect(folders(world, B)).toEqual(['future']);
  manager.move('t', 0, C);
  // No power loss brings the copy back, for the move to go on.
  expect(world.storage.syncedNow).toEqual([B]);
  await turns(world);
  await world.time.pass(1);
  expect([current(manager).parentDir, folders(world, B)]).toEqual([C, []]);
  expect(await valuesFrom(current(manager), 0)).toEqual(['a', 'b', 'c']);
});

test('what is refused is named as Apache Kafka names it', async () => {
  const world = newWorld();
  const { manager } = await begin(world, {}, { cordonedDirs: () => [C] });
  const codeOf = (topic: string, dir: string) => {
    try {
      manager.move(topic, 0, dir);
      return Errors.NONE;
    } catch (error) {
      return (error as { code: number }).code;
    }
  };
  expect(codeOf('t', '/elsewhere')).toBe(Errors.LOG_DIR_NOT_FOUND);
  expect(codeOf('t', C)).toBe(Errors.INVALID_REPLICA_ASSIGNMENT);
  expect(codeOf('x'.repeat(240), B)).toBe(Errors.INVALID_TOPIC_EXCEPTION);
  expect(codeOf('new', B)).toBe(Errors.REPLICA_NOT_AVAILABLE);
  // It is noted where that one is to begin.
  expect(manager.getOrCreate('new', 0, topicId).parentDir).toBe(B);
  world.storage.failing = { operation: 'sync', match: '/last/' };
  const broken = manager.getOrCreate('broken', 0, topicId, config({ flushMessages: 1 }), true, C);
  append(broken, batch(['a']));
  await turns(world);
  expect([manager.offlineDirs, codeOf('t', C), codeOf('t', B)]).toEqual([
    [C],
    Errors.KAFKA_STORAGE_ERROR,
    Errors.KAFKA_STORAGE_ERROR,
  ]);
});

test('a topic that is deleted takes its copy along', async () => {
  const world = newWorld();
  const { manager } = await begin(world, { fileDeleteDelayMs: 1000 });
  manager.move('t', 0, B);
  await turns(world, 1);
  expect(folders(world, B)).toEqual(['future']);
  manager.delete('t', 0);
  await turns(world);
  await world.time.pass(1000);
  expect([folders(world, A), folders(world, B), [...manager.futures()]]).toEqual([[], [], []]);
});

test('the throttle bounds all moves together', async () => {
  const world = newWorld();
  let limit = 1000;
  const { manager, log } = await begin(world, {}, { moveBytesPerSecondMax: () => limit });
  manager.move('t', 0, B);
  await turns(world);
  const copied = () => [...manager.futures()].map((copy) => copy.sizeInBytes);
  const [first = 0] = copied();
  expect(first).toBeLessThan(log.sizeInBytes);
  await world.time.pass(100_000);
  await turns(world);
  expect(copied()).toEqual([first]);
  limit = Number.MAX_VALUE;
  await world.time.pass(2000);
  await turns(world);
  expect([current(manager).parentDir, current(manager).logEndOffset]).toEqual([B, 3]);
});

test('a full disk below the copy is waited out, and the replica serves where it is', async () => {
  const world = newWorld();
  const { manager, log } = await begin(world);
  world.storage.room = { match: '/more/', bytes: 100 };
  manager.move('t', 0, B);
  await turns(world);
  expect([current(manager), log.isOffline, manager.dirs]).toEqual([log, false, [A, B, C]]);
  append(log, batch(['d']));
  world.time.tick();
  world.storage.room = undefined;
  await world.time.pass(20_000);
  await turns(world);
  expect(current(manager).parentDir).toBe(B);
  expect(await valuesFrom(current(manager), 0)).toEqual(['a', 'b', 'c', 'd']);
});

test.each([
  ['the new', B, A],
  ['the old', A, undefined],
] as const)(
  'when %s dir fails in the middle, what is in the other one is kept',
  async (_, failing, servesFrom) => {
    const world = newWorld();
    const { manager, log } = await begin(world, { flushMessages: 1 }, { moveBytesPerSecondMax: () => 1 });
    await turns(world);
    manager.move('t', 0, B);
    await turns(world, 2);
    world.storage.failing = { operation: 'sync', match: `${failing}/` };
    const other = manager.getOrCreate('other', 0, topicId, config({ flushMessages: 1 }), true, failing);
    append(other, batch(['a']));
    await turns(world);
    expect([manager.offlineDirs, [...manager.futures()], log.isOffline]).toEqual([
      [failing],
      [],
      servesFrom === undefined,
    ]);
    if (servesFrom !== undefined) {
      append(log, batch(['d']));
      await turns(world);
      expect(log.logEndOffset).toBe(4);
    }
    await manager.close();
    world.storage.failing = undefined;
    const again = await open(world);
    again.startBackground();
    await turns(world);
    expect(current(again).parentDir).toBe(B);
    expect(short(await valuesFrom(current(again), 0)).slice(0, 3)).toEqual(['a', 'b', 'c']);
  },
);

test('an unfinished copy goes on after a restart; what the log does not have is cut from it', async () => {
  const world = newWorld();
  const { manager, log } = await begin(world);
  world.storage.holdSyncs = true;
  manager.move('t', 0, B);
  await turns(world);
  const [copy] = [...manager.futures()];
  expect([copy?.logEndOffset, folders(world, B)]).toEqual([3, ['future']]);
  // The power fails: of the log the end is lost, of the copy nothing.
  world.storage.holdSyncs = false;
  const file = world.storage.files.get(`${log.dir}/00000000000000000000.log`)!;
  file.bytes = file.bytes.subarray(0, file.bytes.length - 10);
  const again = await open(world);
  expect([current(again).dir, current(again).logEndOffset]).toEqual([log.dir, 2]);
  append(current(again), batch(['other']), 1);
  again.startBackground();
  await turns(world);
  expect(current(again).parentDir).toBe(B);
  expect(short(await valuesFrom(current(again), 0))).toEqual(['a', 'b', 'other']);
});

test('a copy is all there is left where the dir of its replica was taken away', async () => {
  const world = newWorld();
  const { manager } = await begin(world, {}, { moveBytesPerSecondMax: () => 1 });
  manager.move('t', 0, B);
  await turns(world);
  await manager.close();
  const again = await open(world, {}, { dirs: [B, C] });
  expect(current(again).dir).toBe('/more/t-0');
  expect(short(await valuesFrom(current(again), 0))).toEqual(['a']);
});

test('of two folders of a partition the one that goes further is used, the other is put aside', async () => {
  const world = newWorld();
  const { manager } = await begin(world);
  await manager.close();
  const second = await open(world, {}, { dirs: [B] });
  const log = second.getOrCreate('t', 0, topicId);
  for (const value of ['a', 'b', 'c', 'd']) append(log, batch([value]));
  world.time.tick();
  await second.close();
  for (const dirs of [
    [A, B],
    [B, A],
  ]) {
    const both = await open(world, {}, { dirs });
    expect([current(both).parentDir, current(both).logEndOffset]).toEqual([B, 4]);
    expect([folders(world, A), folders(world, B)]).toEqual([['stray'], ['partition']]);
    expect(world.storage.syncedNow).toContain(A);
    await both.close();
  }
});

test.each([B, 'the log dir with id x'])(
  'what lies elsewhere is not served for a replica in %s while a dir is away',
  async (assigned) => {
    const world = newWorld();
    const { manager } = await begin(world);
    await manager.close();
    world.storage.failing = { operation: 'open', match: `${B}/` };
    const degraded = await open(world);
    expect([degraded.offlineDirs, folders(world, A)]).toEqual([[B], ['partition']]);
    const serve = (from: LogManager, dir: string | undefined) =>
      from.getOrCreate('t', 0, topicId, undefined, false, dir).parentDir;
    expect(() => serve(degraded, assigned)).toThrow(
      `t-0 belongs in ${assigned}, and what lies in ${A} may be older: bring the log dirs back that are offline (${B})`,
    );
    expect([C, A, undefined].map((dir) => serve(degraded, dir))).toEqual([A, A, A]);
    await degraded.close();
    world.storage.failing = undefined;
    expect(serve(await open(world), assigned)).toBe(A);
  },
);

test('an empty partition moves without a folder', async () => {
  const world = newWorld();
  const manager = await open(world);
  manager.startBackground();
  manager.getOrCreate('t', 0, topicId, undefined, true, A);
  manager.move('t', 0, B);
  await turns(world);
  expect([current(manager).parentDir, folders(world, A), folders(world, B)]).toEqual([B, [], []]);
  append(current(manager), batch(['a']));
  world.time.tick();
  expect(folders(world, B)).toEqual(['partition']);
});

test('a log of which nothing is left goes on at its end in the new dir', async () => {
  const world = newWorld();
  const { manager, log } = await begin(world, { segmentBytes: 100, fileDeleteDelayMs: 0 });
  log.deleteRecordsBefore(3);
  log.deleteOldSegments();
  manager.move('t', 0, B);
  await turns(world);
  expect([
    current(manager).parentDir,
    current(manager).logStartOffset,
    current(manager).logEndOffset,
  ]).toEqual([B, 3, 3]);
  await manager.close();
  const again = current(await open(world));
  expect([again.parentDir, again.logStartOffset, again.logEndOffset]).toEqual([B, 3, 3]);
});
