import { expect, test } from 'vitest';
import type { Logger } from '../../../src/base/ports.ts';
import type { LogConfig } from '../../../src/config/log-config.ts';
import { LogManager } from '../../../src/log/log-manager.ts';
import { Errors, ProtocolError } from '../../../src/protocol/errors.ts';
import { append, batch, config, settle, silent, topicId, valuesFrom, World } from './fakes.ts';

const LEAST = 1_000_000;

class FullDisk extends World {
  readonly lines: string[] = [];
  readonly logger: Logger = {
    ...silent,
    info: (line) => void this.lines.push(line),
    warn: (line) => void this.lines.push(line),
    error: (line) => void this.lines.push(line),
    child: () => this.logger,
  };

  async manager(changes: Partial<LogConfig> = {}, dirs = ['/data']): Promise<LogManager> {
    const logs = await LogManager.open({
      dirs,
      configFor: () => config(changes),
      ports: { ...this.ports, logger: this.logger },
      minFreeBytes: () => LEAST,
    });
    logs.startBackground();
    return logs;
  }
}

const codeOf = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return Errors.NONE;
};

test('below the least free space produces are refused, all else goes on, and space brings them back', async () => {
  const world = new FullDisk();
  const logs = await world.manager({ retentionBytes: 0, segmentBytes: 200 });
  const log = logs.getOrCreate('t', 0, topicId);
  const done = () => {};
  append(log, batch(['a']));
  world.time.tick();
  world.storage.freeBytes = LEAST - 1;
  append(log, batch(['b']));
  world.time.tick();
  await world.time.pass(1000);
  for (let n = 0; n < 3; n += 1) {
    expect(codeOf(() => append(log, batch(['refused'])))).toBe(Errors.KAFKA_STORAGE_ERROR);
    await world.time.pass(1000);
  }
  log.appendAsLeader(batch(['commit']), 0, { origin: 'coordinator', done });
  world.time.tick();
  expect(await valuesFrom(log, 0)).toEqual(['a', 'b', 'commit']);
  log.updateHighWatermark(log.logEndOffset);
  expect(log.deleteRecordsBefore(1)).toBe(1);
  expect(log.deleteOldSegments()).toBeGreaterThan(0);
  logs.getOrCreate('new', 0, topicId);
  expect(world.lines.filter((line) => line.includes('/data are refused'))).toHaveLength(1);
  world.storage.freeBytes = LEAST;
  await world.time.pass(1000);
  expect(codeOf(() => append(log, batch(['brink'])))).toBe(Errors.KAFKA_STORAGE_ERROR);
  world.storage.freeBytes = LEAST * 2;
  await world.time.pass(1000);
  expect(codeOf(() => append(log, batch(['again'])))).toBe(Errors.NONE);
  expect(world.lines.filter((line) => line.includes('has space again'))).toHaveLength(1);
  await logs.close();
});

test('a write that finds no space is undone, and producers are refused until the disk says otherwise', async () => {
  const world = new FullDisk();
  const logs = await world.manager();
  const log = logs.getOrCreate('t', 0, topicId);
  append(log, batch(['kept']));
  world.time.tick();
  const size = world.file('00000000000000000000.log').length;
  world.storage.room = { match: '.log', bytes: 30 };
  const lost = [append(log, batch(['lost'])), append(log, batch(['too']))];
  world.time.tick();
  expect(lost.map(({ state }) => state)).toEqual(['failed', 'failed']);
  expect(world.file('00000000000000000000.log').length).toBe(size);
  expect(codeOf(() => append(log, batch(['refused'])))).toBe(Errors.KAFKA_STORAGE_ERROR);
  expect([log.isOffline, logs.offlineDirs]).toEqual([false, []]);
  world.storage.room = undefined;
  await world.time.pass(1000);
  const again = append(log, batch(['again']));
  world.time.tick();
  expect([again.state, again.firstOffset]).toEqual(['done', 1]);
  expect(await valuesFrom(log, 0)).toEqual(['kept', 'again']);
  expect(world.lines.filter((line) => !line.startsWith('recovered'))).toHaveLength(2);
  await logs.close();
});

test('one dir without space leaves the others in service', async () => {
  const world = new FullDisk();
  world.storage.makeDir('/other');
  const logs = await world.manager({}, ['/data', '/other']);
  const [here, there] = [0, 1].map((partition) => logs.getOrCreate('t', partition, topicId));
  append(here!, batch(['a']));
  append(there!, batch(['a']));
  world.time.tick();
  world.storage.room = { match: here!.dir, bytes: 0 };
  const lost = append(here!, batch(['lost']));
  world.time.tick();
  expect(lost.state).toBe('failed');
  expect(codeOf(() => append(here!, batch(['refused'])))).toBe(Errors.KAFKA_STORAGE_ERROR);
  expect(codeOf(() => append(there!, batch(['b'])))).toBe(Errors.NONE);
  await logs.close();
});

test('a roll on a full disk goes without the index files, which the next start makes anew', async () => {
  const world = new FullDisk();
  const logs = await world.manager({ indexIntervalBytes: 0 });
  const log = logs.getOrCreate('t', 0, topicId);
  for (const value of ['a', 'b', 'c']) {
    append(log, batch([value]));
    world.time.tick();
  }
  world.storage.room = { match: 'index', bytes: 0 };
  log.roll();
  await settle();
  expect([logs.offlineDirs, world.names().filter((name) => /index|tmp/.test(name))]).toEqual([[], []]);
  append(log, batch(['d']));
  world.time.tick();
  await log.flush();
  expect(log.recoveryPoint).toBe(4);
  // A stop that can't write what it wants to leaves the dir to be recovered.
  world.storage.room = { match: '/', bytes: 0 };
  await logs.close();
  const again = (await world.manager({ indexIntervalBytes: 0 })).get('t', 0)!;
  expect(await valuesFrom(again, 0)).toEqual(['a', 'b', 'c', 'd']);
});

test('checkpoints that find no space are said once, and written when there is some', async () => {
  const world = new FullDisk();
  const logs = await world.manager();
  append(logs.getOrCreate('t', 0, topicId), batch(['a']));
  world.time.tick();
  world.storage.room = { match: 'checkpoint', bytes: 0 };
  world.storage.freeBytes = 0;
  for (let n = 0; n < 20; n += 1) await world.time.pass(10_000);
  expect(world.lines.filter((line) => /refused|checkpoint/.test(line))).toHaveLength(1);
  world.storage.room = undefined;
  world.storage.freeBytes = LEAST * 2;
  for (let n = 0; n < 10; n += 1) await world.time.pass(10_000);
  expect(world.storage.sizeOf('/data/replication-offset-checkpoint')).toBeGreaterThan(0);
  await logs.close();
});

test('a leader epoch that could not be written is written before its first batch', async () => {
  const world = new FullDisk();
  const log = (await world.manager()).getOrCreate('t', 0, topicId);
  append(log, batch(['a']), 3);
  world.time.tick();
  world.storage.room = { match: 'leader-epoch', bytes: 0 };
  log.announceEpoch(4);
  expect(codeOf(() => append(log, batch(['b']), 4))).toBe(Errors.KAFKA_STORAGE_ERROR);
  expect(await valuesFrom(log, 0)).toEqual(['a']);
  world.storage.room = undefined;
  append(log, batch(['b']), 4);
  expect(world.file('leader-epoch-checkpoint').toString()).toBe('0\n2\n3 0\n4 1\n');
});

test('retention keeps the batches that alone tell of producers, until there is space for a snapshot', async () => {
  const world = new FullDisk();
  const logs = await world.manager({ retentionBytes: 0 });
  const log = logs.getOrCreate('t', 0, topicId);
  append(log, batch(['a'], { producerId: 1n, producerEpoch: 0, baseSequence: 0 }));
  world.time.tick();
  log.updateHighWatermark(1);
  world.storage.room = { match: 'snapshot', bytes: 0 };
  expect([log.deleteOldSegments(), log.deleteOldSegments(), log.logStartOffset]).toEqual([0, 0, 0]);
  await settle();
  const crashed = await world.manager({ retentionBytes: 0 });
  const again = crashed.get('t', 0)!;
  expect(again.activeProducers()).toMatchObject([{ producerId: 1n, lastSequence: 0 }]);
  again.updateHighWatermark(1);
  expect(again.deleteOldSegments()).toBe(0);
  world.storage.room = undefined;
  expect([again.deleteOldSegments(), again.logStartOffset]).toEqual([1, 1]);
  await settle();
  expect((await world.manager()).get('t', 0)!.activeProducers()).toMatchObject([{ lastSequence: 0 }]);
});

test('a stop that finds no space for a checkpoint waits for those that are being synced', async () => {
  const world = new FullDisk();
  const logs = await world.manager();
  append(logs.getOrCreate('t', 0, topicId), batch(['a']));
  world.time.tick();
  const { storage } = world;
  const sync = storage.waitForSync.bind(storage);
  let release = () => {};
  storage.waitForSync = async (path) => {
    if (path.includes('recovery-point')) await new Promise<void>((resolve) => (release = resolve));
    await sync(path);
  };
  storage.room = { match: 'replication-offset', bytes: 0 };
  let isClosed = false;
  const closing = logs.close().then(() => {
    isClosed = true;
  });
  await settle();
  await settle();
  expect([isClosed, storage.syncs.some((path) => path.includes('recovery-point'))]).toEqual([false, false]);
  release();
  await closing;
  expect(storage.syncs.some((path) => path.includes('recovery-point'))).toBe(true);
});

test('under flush.messages=1 a roll whose next write finds no space answers nothing before its sync', async () => {
  const world = new FullDisk();
  const logs = await world.manager({ flushMessages: 1, segmentBytes: 100 });
  const log = logs.getOrCreate('t', 0, topicId);
  world.storage.holdSyncs = true;
  world.storage.room = { match: '/00000000000000000001.log', bytes: 0 };
  const outcomes = [append(log, batch(['kept'])), append(log, batch(['lost']))];
  world.time.tick();
  await settle();
  expect([log.segmentCount, log.logEndOffset, ...outcomes.map(({ state }) => state)]).toEqual([
    2,
    0,
    'waits',
    'failed',
  ]);
  world.storage.holdSyncs = false;
  world.storage.releaseSyncs();
  await settle();
  expect([log.logEndOffset, outcomes[0]!.state]).toEqual([1, 'done']);
});

test('a stop in order syncs what was cut off after a write that found no space', async () => {
  const world = new FullDisk();
  const logs = await world.manager();
  const log = logs.getOrCreate('t', 0, topicId);
  append(log, batch(['kept']));
  world.time.tick();
  await log.flush();
  world.storage.room = { match: '.log', bytes: 30 };
  append(log, batch(['lost']));
  world.time.tick();
  world.storage.room = undefined;
  const before = world.storage.syncs.length;
  await logs.close();
  expect(world.storage.syncs.slice(before)).toContain('/data/t-0/00000000000000000000.log');
});

test('a flush that fails in one file is over when the others are', async () => {
  const world = new FullDisk();
  const logs = await world.manager();
  const log = logs.getOrCreate('t', 0, topicId);
  append(log, batch(['a']));
  world.time.tick();
  const { storage } = world;
  let release = () => {};
  storage.waitForSync = async (path) => {
    if (path.endsWith('partition.metadata')) storage.fail('sync', path);
    else if (path.endsWith('.log')) await new Promise<void>((resolve) => (release = resolve));
  };
  storage.failing = { operation: 'sync', match: 'partition.metadata' };
  let failure: unknown;
  const flushing = log.flush().catch((error: unknown) => {
    failure = error;
  });
  await settle();
  expect(failure).toBeUndefined();
  release();
  await flushing;
  expect(failure).toBeInstanceOf(ProtocolError);
});
