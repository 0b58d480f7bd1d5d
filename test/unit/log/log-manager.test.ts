import { expect, test } from 'vitest';
import type { Uuid } from '../../../src/base/uuid.ts';
import type { LogConfig } from '../../../src/config/log-config.ts';
import { parseFolder } from '../../../src/log/file-names.ts';
import { LogManager } from '../../../src/log/log-manager.ts';
import { Errors } from '../../../src/protocol/errors.ts';
import { append, batch, config, settle, topicId, valuesFrom, World } from './fakes.ts';

const open = (world: World, changes: Partial<LogConfig> = {}, dirs = ['/data']) =>
  LogManager.open({ dirs, configFor: () => config(changes), ports: world.ports });

const text = (world: World, path: string) => world.storage.files.get(path)?.bytes.toString();

test('partitions come back after a clean stop, with their high watermark and without recovery', async () => {
  const world = new World();
  const manager = await open(world);
  const log = manager.getOrCreate('with-dashes', 2, topicId);
  expect(manager.getOrCreate('with-dashes', 2, topicId)).toBe(log);
  append(log, batch(['a', 'b']));
  world.time.tick();
  log.updateHighWatermark(2);
  log.deleteRecordsBefore(1);
  await manager.close(42);
  expect(text(world, '/data/.kafka_cleanshutdown')).toBe('{"version":0,"brokerEpoch":42}');
  expect(text(world, '/data/recovery-point-offset-checkpoint')).toBe('0\n1\nwith-dashes 2 2\n');
  expect(text(world, '/data/replication-offset-checkpoint')).toBe('0\n1\nwith-dashes 2 2\n');
  expect(text(world, '/data/log-start-offset-checkpoint')).toBe('0\n1\nwith-dashes 2 1\n');
  world.storage.crash();
  const again = await open(world);
  expect(world.storage.files.has('/data/.kafka_cleanshutdown')).toBe(false);
  const reopened = again.get('with-dashes', 2)!;
  expect([reopened.logStartOffset, reopened.logEndOffset, reopened.highWatermark, reopened.topicId]).toEqual([
    1,
    2,
    2,
    topicId,
  ]);
  expect([again.hadCleanShutdown('/data'), (await open(world)).hadCleanShutdown('/data')]).toEqual([
    true,
    false,
  ]);
});

test('without the marker the logs are recovered from their checkpointed recovery point', async () => {
  const world = new World();
  const manager = await open(world);
  manager.startBackground();
  const log = manager.getOrCreate('t', 0, topicId);
  append(log, batch(['a']));
  world.time.tick();
  await log.flush();
  await world.time.pass(60_000);
  // One less than what is synced: a segment may begin there before the indexes of this one are.
  expect(text(world, '/data/recovery-point-offset-checkpoint')).toBe('0\n1\nt 0 0\n');
  append(log, batch(['b']));
  world.time.tick();
  world.storage.crash(20);
  const again = (await open(world)).get('t', 0)!;
  expect(await valuesFrom(again, 0)).toEqual(['a']);
});

test('what a killed process left unsynced is synced before it is shown under flush.messages=1', async () => {
  const world = new World();
  const log = (await open(world, { flushMessages: 1 })).getOrCreate('t', 0, topicId);
  world.storage.holdSyncs = true;
  const waits = append(log, batch(['a']));
  world.time.tick();
  expect([log.logEndOffset, waits.state]).toEqual([0, 'waits']);
  // The process is killed here: what it wrote stays in the page cache.
  world.storage.holdSyncs = false;
  const again = await open(world, { flushMessages: 1 });
  await again.syncRecovered();
  expect(again.get('t', 0)!.recoveryPoint).toBe(1);
  world.storage.crash();
  expect(await valuesFrom((await open(world)).get('t', 0)!, 0)).toEqual(['a']);
});

test('a failed sync of what a killed process left takes the dir offline', async () => {
  const world = new World();
  append((await open(world)).getOrCreate('t', 0, topicId), batch(['a']));
  world.time.tick();
  const again = await open(world, { flushMessages: 1 });
  const failed: string[] = [];
  again.onDirFailure = (dir) => failed.push(dir);
  world.storage.failing = { operation: 'sync', match: '.log' };
  await again.syncRecovered();
  expect([failed, again.get('t', 0)!.isOffline]).toEqual([['/data'], true]);
});

test('a deleted partition frees its name at once and its files later', async () => {
  const world = new World();
  const manager = await open(world, { fileDeleteDelayMs: 1000 });
  const old = manager.getOrCreate('t', 0, topicId);
  world.make(old);
  const waits = append(old, batch(['a']));
  expect(manager.delete('t', 0)).toBe(true);
  expect([waits.state, manager.get('t', 0), manager.delete('t', 0)]).toEqual(['failed', undefined, false]);
  const folder = world.storage
    .list('/data')
    .map((entry) => entry.name)
    .filter((name) => name.startsWith('t-0'));
  expect(folder).toEqual([expect.stringMatching(/^t-0\.[0-9a-f]{32}-delete$/)]);
  const fresh = manager.getOrCreate('t', 0, 'AnotherTopicIdAnotherA' as Uuid);
  world.make(fresh);
  expect([fresh.logEndOffset, fresh.topicId]).toEqual([0, 'AnotherTopicIdAnotherA']);
  await world.time.pass(1000);
  expect(world.storage.list('/data').some((entry) => entry.name.endsWith('-delete'))).toBe(false);
  expect(world.storage.list('/data').some((entry) => entry.name === 't-0')).toBe(true);
});

test('folders are removed two at a time, and what is left when the manager closes goes after the next start', async () => {
  const world = new World();
  const manager = await open(world, { fileDeleteDelayMs: 1000 });
  for (let partition = 0; partition < 5; partition++) {
    world.make(manager.getOrCreate('t', partition, topicId));
    manager.delete('t', partition);
  }
  const removing: (() => void)[] = [];
  const { remove } = world.storage;
  world.storage.remove = async (path) => {
    await new Promise<void>((resolve) => removing.push(resolve));
    await remove.call(world.storage, path);
  };
  await world.time.pass(1000);
  expect(removing).toHaveLength(2);
  removing[0]!();
  await settle();
  expect(removing).toHaveLength(3);
  const closed = manager.close();
  for (const resume of removing) resume();
  await closed;
  world.storage.remove = remove;
  const folders = () => world.storage.list('/data').filter((entry) => entry.isDirectory);
  expect(folders()).toHaveLength(2);
  await open(world, { fileDeleteDelayMs: 1000 });
  await world.time.pass(1000);
  expect(folders()).toEqual([]);
});

test('partitions that were never written take no room in the checkpoints, and none on the disk', async () => {
  const world = new World();
  const manager = await open(world);
  const log = manager.getOrCreate('written', 0, topicId);
  manager.getOrCreate('empty', 0, 'AnotherTopicIdAnotherA' as Uuid);
  append(log, batch(['a']));
  world.time.tick();
  await manager.close();
  expect(text(world, '/data/recovery-point-offset-checkpoint')).toBe('0\n1\nwritten 0 1\n');
  expect(world.storage.isDirectory('/data/empty-0')).toBe(false);
  expect([...(await open(world)).all()].map((one) => one.topic)).toEqual(['written']);
});

test('folders that were being deleted are removed after a restart', async () => {
  const world = new World();
  const manager = await open(world);
  world.make(manager.getOrCreate('t', 0, topicId));
  manager.delete('t', 0);
  await manager.close();
  const again = await open(world);
  expect(again.get('t', 0)).toBeUndefined();
  await world.time.pass(60_000);
  expect(world.storage.list('/data').filter((entry) => entry.isDirectory)).toEqual([]);
});

test('a lost partition.metadata is written anew with the id that the metadata knows', async () => {
  const world = new World();
  const manager = await open(world);
  world.make(manager.getOrCreate('t', 0, topicId));
  await manager.close();
  world.storage.files.get('/data/t-0/partition.metadata')!.bytes = Buffer.alloc(0);
  const again = await open(world);
  expect(again.getOrCreate('t', 0, topicId).topicId).toBe(topicId);
  expect(text(world, '/data/t-0/partition.metadata')).toContain(topicId);
});

test('another topic id in the folder is refused', async () => {
  const world = new World();
  const manager = await open(world);
  manager.getOrCreate('t', 0, topicId);
  expect(() => manager.getOrCreate('t', 0, 'AnotherTopicIdAnotherA' as Uuid)).toThrow(
    expect.objectContaining({ code: Errors.INCONSISTENT_TOPIC_ID }),
  );
});

test('a failing dir takes its partitions offline and only them; new ones go to the other dir', async () => {
  const world = new World();
  const manager = await open(world, { flushMessages: 1 }, ['/data', '/more']);
  const failed: string[] = [];
  manager.onDirFailure = (dir) => failed.push(dir);
  const logs = [0, 1, 2, 3].map((partition) => manager.getOrCreate('t', partition, topicId));
  expect(logs.map((log) => log.parentDir)).toEqual(['/data', '/more', '/data', '/more']);
  await settle();
  world.storage.failing = { operation: 'sync', match: '/data/t-0' };
  const lost = append(logs[0]!, batch(['a']));
  const fine = append(logs[1]!, batch(['b']));
  world.time.tick();
  await settle();
  expect([lost.state, fine.state, failed]).toEqual(['failed', 'done', ['/data']]);
  expect(logs.map((log) => log.isOffline)).toEqual([true, false, true, false]);
  expect([manager.dirs, manager.offlineDirs]).toEqual([['/more'], ['/data']]);
  expect(manager.getOrCreate('t', 9, topicId).parentDir).toBe('/more');
  await manager.close();
  expect(['/data', '/more'].map((dir) => world.storage.files.has(`${dir}/.kafka_cleanshutdown`))).toEqual([
    false,
    true,
  ]);
});

test('a stop that can not sync leaves no clean marker', async () => {
  const world = new World();
  const manager = await open(world);
  const log = manager.getOrCreate('t', 0, topicId);
  append(log, batch(['a']));
  world.time.tick();
  world.storage.failing = { operation: 'sync', match: '.log' };
  await manager.close();
  expect(world.storage.files.has('/data/.kafka_cleanshutdown')).toBe(false);
});

test('retention runs on its interval', async () => {
  const world = new World();
  const manager = await open(world, { segmentBytes: 100, retentionMs: 1000 });
  manager.startBackground();
  const log = manager.getOrCreate('t', 0, topicId);
  for (let at = 0; at < 4; at += 1) append(log, batch(['x'], { timestamp: world.time.nowMs }));
  world.time.tick();
  log.updateHighWatermark(4);
  await world.time.pass(5 * 60_000);
  expect([log.logStartOffset, log.segmentCount]).toEqual([4, 1]);
});

test('folders of others and of the metadata log are left alone', async () => {
  const world = new World();
  for (const name of [
    'lost+found',
    '__cluster_metadata-0',
    'nodash',
    't-x',
    'a-1.0123-stray',
    'a-1.0123-future',
  ]) {
    world.storage.makeDir(`/data/${name}`);
  }
  expect([...(await open(world)).all()]).toEqual([]);
  expect(world.storage.list('/data').length).toBe(6);
});

test.each([
  ['t-0', { kind: 'partition', topic: 't', partition: 0 }],
  ['a-b-12', { kind: 'partition', topic: 'a-b', partition: 12 }],
  ['a.b-3.0f-delete', { kind: 'delete', topic: 'a.b', partition: 3 }],
  ['t-delete', undefined],
  ['t-99999999999', undefined],
  ['-1', undefined],
])('folder %s', (name, expected) => {
  expect(parseFolder(name)).toEqual(expected);
});

test('a partition that may lie in a dir that is offline is not begun anew in another', async () => {
  const world = new World();
  const manager = await open(world, {}, ['/data', '/more']);
  const logs = [0, 1].map((partition) => manager.getOrCreate('t', partition, topicId));
  append(logs[1]!, batch(['kept']));
  world.time.tick();
  await manager.close();
  world.storage.failing = { operation: 'open', match: '/more/t-1' };
  const degraded = await open(world, {}, ['/data', '/more']);
  expect(degraded.offlineDirs).toEqual(['/more']);
  expect(() => degraded.getOrCreate('t', 1, topicId, undefined, false)).toThrow(
    expect.objectContaining({ code: Errors.KAFKA_STORAGE_ERROR }),
  );
  expect(degraded.getOrCreate('new', 0, topicId).parentDir).toBe('/data');
  await degraded.close();
  world.storage.failing = undefined;
  const healed = await open(world, {}, ['/data', '/more']);
  expect(await valuesFrom(healed.getOrCreate('t', 1, topicId, undefined, false), 0)).toEqual(['kept']);
});

test('a partition whose folder could not be made can be deleted', async () => {
  const world = new World();
  const manager = await open(world);
  const log = manager.getOrCreate('t', 0, topicId);
  world.storage.failing = { operation: 'makeDir', match: '/data/t-0', code: 'EMFILE' };
  const lost = append(log, batch(['lost']));
  world.time.tick();
  expect([lost.state, manager.dirs]).toEqual(['failed', ['/data']]);
  expect(manager.delete('t', 0)).toBe(true);
  world.storage.failing = undefined;
  append(manager.getOrCreate('t', 0, 'AnotherTopicIdAnotherA' as Uuid), batch(['a']));
  world.time.tick();
  expect(text(world, '/data/t-0/partition.metadata')).toContain('AnotherTopicIdAnotherA');
});

test('a manager that is closed keeps no file open, also of dirs that failed', async () => {
  const world = new World();
  const manager = await open(world, { flushMessages: 1 });
  const logs = [0, 1].map((partition) => manager.getOrCreate('t', partition, topicId));
  for (const log of logs) append(log, batch(['a']));
  world.time.tick();
  await settle();
  expect(world.storage.openCount).toBe(2);
  world.storage.failing = { operation: 'sync', match: '/data/t-0' };
  append(logs[0]!, batch(['b']));
  world.time.tick();
  await settle();
  expect(manager.offlineDirs).toEqual(['/data']);
  await manager.close();
  expect(world.storage.openCount).toBe(0);
});

test('a manager is closed once the syncs are over that nobody waits for any more', async () => {
  const world = new World();
  const manager = await open(world, { flushMessages: 1 });
  const logs = [0, 1].map((partition) => manager.getOrCreate('t', partition, topicId));
  world.storage.holdSyncs = true;
  append(logs[0]!, batch(['a']));
  world.time.tick();
  world.storage.failing = { operation: 'write', match: '/data/t-1' };
  append(logs[1]!, batch(['b']));
  world.time.tick();
  expect(manager.offlineDirs).toEqual(['/data']);
  let isClosed = false;
  const closing = manager.close().then(() => {
    isClosed = true;
  });
  await settle();
  expect(isClosed).toBe(false);
  world.storage.holdSyncs = false;
  world.storage.releaseSyncs();
  await closing;
});

test('a log that begins under the name of a deleted one is not judged by its checkpoints', async () => {
  const world = new World();
  const manager = await open(world);
  const old = manager.getOrCreate('t', 0, topicId);
  for (const value of ['a', 'b', 'c']) append(old, batch([value]));
  world.time.tick();
  old.updateHighWatermark(3);
  old.deleteRecordsBefore(2);
  await manager.close();
  const second = await open(world);
  expect(second.get('t', 0)!.logStartOffset).toBe(2);
  second.delete('t', 0);
  const fresh = second.getOrCreate('t', 0, 'AnotherTopicIdAnotherA' as Uuid);
  append(fresh, batch(['new']));
  world.time.tick();
  await fresh.flush();
  world.storage.crash();
  const reopened = (await open(world)).get('t', 0)!;
  expect([reopened.logStartOffset, await valuesFrom(reopened, 0)]).toEqual([0, ['new']]);
});

test('a stop in order syncs what was cut', async () => {
  const world = new World();
  const manager = await open(world);
  const log = manager.getOrCreate('t', 0, topicId);
  for (const value of ['a', 'b']) append(log, batch([value]));
  world.time.tick();
  await log.flush();
  log.truncateTo(1);
  world.storage.syncs = [];
  await manager.close();
  expect(world.storage.syncs).toContain('/data/t-0/00000000000000000000.log');
});

test('a cut lowers the recovery point on the disk before anything is cut', async () => {
  const world = new World();
  const manager = await open(world);
  manager.startBackground();
  const log = manager.getOrCreate('t', 0, topicId);
  for (const value of ['a', 'b', 'c']) append(log, batch([value]));
  world.time.tick();
  await log.flush();
  await world.time.pass(60_000);
  expect(text(world, '/data/recovery-point-offset-checkpoint')).toBe('0\n1\nt 0 2\n');
  log.truncateTo(1);
  expect(text(world, '/data/recovery-point-offset-checkpoint')).toBe('0\n1\nt 0 0\n');
  const files = ['recovery-point', 'cleaner'].map((name) => `/data/${name}-offset-checkpoint`);
  expect(world.storage.syncedNow).toEqual([...files, '/data']);
  append(log, batch(['d']));
  world.time.tick();
  log.truncateTo(1);
  expect(world.storage.syncedNow).toHaveLength(3);
});

test('before a log is cut, the checkpoint of the cleaner says no more than what is left', async () => {
  const world = new World();
  const manager = await open(world, { cleanupPolicy: ['compact'] });
  const log = manager.getOrCreate('t', 0, topicId);
  for (const value of ['a', 'b', 'c']) append(log, batch([value]));
  world.time.tick();
  log.cleanedEnd = 3;
  world.storage.failing = { operation: 'truncate', match: '.log' };
  expect(() => log.truncateTo(1)).toThrow();
  expect(text(world, '/data/cleaner-offset-checkpoint')).toBe('0\n1\nt 0 1\n');
});
