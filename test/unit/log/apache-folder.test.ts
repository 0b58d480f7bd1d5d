import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { LogManager } from '../../../src/log/log-manager.ts';
import { prepareCodec } from '../../../src/protocol/compression/index.ts';
import { records } from '../../../src/protocol/record-batch/records.ts';
import { batch, config, fetch, topicId, World } from './fakes.ts';

const fixture = join(import.meta.dirname, '../../fixtures/log/apache-4.3');
const settings = { segmentIndexBytes: 64, indexIntervalBytes: 300 };
const indexFiles = (names: string[]) => names.filter((name) => /\.(index|timeindex)$/.test(name));

beforeAll(async () => {
  await prepareCodec('zstd');
});

function worldOfApache(): World {
  const world = new World();
  world.storage.makeDir('/data/fix-ture-0');
  for (const file of readdirSync(fixture, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue;
    const bytes = readFileSync(join(file.parentPath, file.name));
    const path = join('/data', file.parentPath.slice(fixture.length), file.name);
    world.storage.files.set(path, { bytes, synced: bytes, modifiedMs: 0 });
  }
  return world;
}

const openManager = (world: World) =>
  LogManager.open({ dirs: ['/data'], configFor: () => config(settings), ports: world.ports });

async function allValues(log: NonNullable<ReturnType<LogManager['get']>>): Promise<string[]> {
  const values: string[] = [];
  for (let offset = 0; offset < log.logEndOffset; ) {
    const bytes = await fetch(log, offset);
    for (let at = 0; at < bytes.length; at += bytes.readInt32BE(at + 8) + 12) {
      for (const record of records(bytes, { at })) {
        expect(record.offset).toBe(offset);
        offset += 1;
        values.push(Buffer.from(record.value ?? []).toString());
      }
    }
  }
  return values;
}

const expected = [
  ...['none', 'gzip', 'snappy', 'lz4', 'zstd'].flatMap((codec) =>
    [1, 2, 3].flatMap((round) => Array.from({ length: 20 }, (_, at) => `${codec}-${round}-${at + 1}`)),
  ),
  ...[1, 2, 3].flatMap((round) => Array.from({ length: 10 }, (_, at) => `idem-${round}-${at + 1}`)),
];

test('a folder of Apache Kafka opens, reads, and goes on', async () => {
  const world = worldOfApache();
  const manager = await openManager(world);
  expect(manager.hadCleanShutdown('/data')).toBe(true);
  const log = manager.get('fix-ture', 0)!;
  expect([
    log.logStartOffset,
    log.logEndOffset,
    log.highWatermark,
    log.segmentCount,
    log.latestEpoch,
  ]).toEqual([0, 330, 330, 3, 0]);
  expect(await allValues(log)).toEqual(expected);
  expect(log.activeProducers().map((one) => [one.producerEpoch, one.lastSequence])).toEqual([
    [0, 9],
    [0, 9],
    [0, 9],
  ]);
  expect(log.offsetForTimestamp(-3n)?.offset).toBe(320);
  expect(log.offsetForTimestamp(0n)?.offset).toBe(0);
  log.appendAsLeader(batch(['ours']), 1, { origin: 'client', done: () => {} });
  world.time.tick();
  expect((await allValues(log)).at(-1)).toBe('ours');
  await manager.close();
  expect(world.storage.files.has('/data/.kafka_cleanshutdown')).toBe(true);
});

test('recovering it after an unclean stop gives the same indexes, byte for byte', async () => {
  const world = worldOfApache();
  const paths = [...world.storage.files.keys()].filter((path) => indexFiles([path]).length > 0);
  const before = new Map(paths.map((path) => [path, world.storage.files.get(path)!.bytes]));
  for (const path of paths) world.storage.removeNow(path);
  world.storage.removeNow('/data/.kafka_cleanshutdown');
  world.storage.removeNow('/data/recovery-point-offset-checkpoint');
  const manager = await openManager(world);
  return manager.close().then(() => {
    for (const [path, bytes] of before)
      expect([path, world.storage.files.get(path)?.bytes]).toEqual([path, bytes]);
  });
});

test('the same batches make the same segments and index bytes here', async () => {
  const world = worldOfApache();
  const source = (await openManager(world)).get('fix-ture', 0)!;
  const log = world.open(settings, { topicId });
  for (let offset = 0; offset < source.logEndOffset; ) {
    const read = await fetch(source, offset, 1);
    const info = log.appendAsFollower(read);
    offset = info.lastOffset + 1;
  }
  await log.close();
  const ours = world.names();
  const theirs = readdirSync(join(fixture, 'fix-ture-0'));
  const same = (name: string) => /\.(log|index|timeindex)$/.test(name) || name === 'leader-epoch-checkpoint';
  expect(ours.filter(same)).toEqual(theirs.filter(same));
  for (const name of theirs.filter(same)) {
    expect([name, world.file(name)]).toEqual([name, readFileSync(join(fixture, 'fix-ture-0', name))]);
  }
});
