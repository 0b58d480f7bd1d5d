import { beforeAll, expect, test } from 'vitest';
import type { Logger } from '../../../src/base/ports.ts';
import type { LogConfig } from '../../../src/config/log-config.ts';
import type { PartitionLog } from '../../../src/log/log.ts';
import { LogManager } from '../../../src/log/log-manager.ts';
import { prepareCodec } from '../../../src/protocol/compression/index.ts';
import { append, batch, config, settle, topicId, valuesFrom, World } from './fakes.ts';

const HOUR_MS = 3_600_000;

beforeAll(() => prepareCodec('zstd'));

async function open(world: World, changes: Partial<LogConfig> = {}) {
  const lines: string[] = [];
  const note = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
  const logger: Logger = {
    ...{ debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') },
    child: () => logger,
  };
  const manager = await LogManager.open({
    dirs: ['/data'],
    configFor: () => config({ segmentBytes: 100, ...changes }),
    ports: { ...world.ports, logger },
  });
  const log = manager.getOrCreate('t', 0, topicId);
  log.onAppended = () => log.updateHighWatermark(log.logEndOffset);
  const put = (value: string, agoMs = 0) => {
    append(log, batch([value], { timestamp: world.time.nowMs - agoMs }));
    world.time.tick();
  };
  return { manager, log, lines, put };
}

async function pass(world: World, ms: number): Promise<void> {
  await world.time.pass(ms);
  for (let turn = 0; turn < 10; turn += 1) world.time.tick();
  await settle();
}

const bases = (log: PartitionLog) => [
  ...log.closedSegments.map((one) => one.baseOffset),
  log.activeBaseOffset,
];

test('the largest timestamp of a segment decides, whenever it was written', async () => {
  const world = new World();
  const { manager, log, put } = await open(world, { retentionMs: 10 * HOUR_MS });
  put('old', 20 * HOUR_MS);
  put('new', 5 * HOUR_MS);
  put('old again', 20 * HOUR_MS);
  put('now');
  manager.startBackground();
  await pass(world, 30_000);
  expect(bases(log)).toEqual([1, 2, 3]);
  await pass(world, 6 * HOUR_MS);
  expect(bases(log)).toEqual([3]);
  expect(await valuesFrom(log, log.logStartOffset)).toEqual(['now']);
  await manager.close();
});

test('it is said why a segment goes, and why the next one stays', async () => {
  const world = new World();
  const { manager, log, put, lines } = await open(world, { retentionMs: 10 * HOUR_MS, retentionBytes: 250 });
  put('a', 11 * HOUR_MS);
  for (const value of ['b', 'c', 'd', 'e']) put(value, HOUR_MS);
  const size = log.sizeInBytes;
  manager.startBackground();
  await pass(world, 30_000);
  expect(lines).toContain(
    `info deleting segment 0 of t-0: the log has ${size} bytes, retention.bytes is 250`,
  );
  log.updateConfig({ ...log.config, retentionBytes: -1, retentionMs: HOUR_MS });
  await pass(world, 0);
  expect(lines.findLast((line) => line.startsWith('info deleting'))).toBe(
    `info deleting segment 4 of t-0: its newest timestamp is ${HOUR_MS + 30_000} ms old, retention.ms is ${HOUR_MS}`,
  );
  for (const value of ['f', 'g']) put(value);
  expect(log.deleteRecordsBefore(6)).toBe(6);
  log.deleteOldSegments();
  expect(lines).toContain('info deleting segment 5 of t-0: it ends before the log start 6');
  const kept = () => {
    log.deleteOldSegments();
    return lines.at(-1);
  };
  expect(kept()).toBe(
    `debug keeping segment 6 of t-0: retention.bytes is no limit; retention.ms is ${HOUR_MS}, its newest timestamp is 0 ms old`,
  );
  log.updateConfig({ ...log.config, cleanupPolicy: ['compact'] });
  expect(kept()).toBe('debug keeping segment 6 of t-0: cleanup.policy has no delete');
  await manager.close();
});

test('timestamps ahead of the clock hold their segment, and that is said once', async () => {
  const world = new World();
  const { manager, log, put, lines } = await open(world, {
    retentionMs: HOUR_MS,
    messageTimestampAfterMaxMs: 9 * HOUR_MS,
  });
  put('early', -8 * HOUR_MS);
  put('then');
  put('now');
  manager.startBackground();
  await pass(world, 30_000);
  await pass(world, 5 * HOUR_MS);
  expect(bases(log)[0]).toBe(0);
  const warnings = lines.filter((line) => line.startsWith('warn'));
  expect(warnings.length).toBe(1);
  expect(warnings[0]).toContain('segment 0 of t-0 has a timestamp ahead of the clock');
  await pass(world, 5 * HOUR_MS);
  expect(log.logStartOffset).toBe(3);
  await manager.close();
});

test('changed settings of a topic act at once, not with the next check', async () => {
  const world = new World();
  const { manager, log, put } = await open(world);
  for (const value of ['a', 'b', 'c', 'd']) put(value);
  manager.startBackground();
  await pass(world, 30_000);
  log.updateConfig({ ...log.config, retentionBytes: 100 });
  await pass(world, 0);
  expect(bases(log)).toEqual([2, 3]);
  log.updateConfig({ ...log.config, segmentMs: 1000 });
  await pass(world, 0);
  expect(bases(log)).toEqual([2, 3, 4]);
  await manager.close();
});

test('a segment rolls when its time has come, without traffic, jitter included', async () => {
  const world = new World();
  world.random = { below: (bound) => bound / 2, fill: (into) => void into.fill(1) };
  const { manager, log, put } = await open(world, { segmentMs: HOUR_MS, segmentJitterMs: HOUR_MS / 3 });
  put('a');
  manager.startBackground();
  await pass(world, 30_000);
  for (let minutes = 5; minutes <= 45; minutes += 5) await pass(world, 300_000);
  expect(bases(log)).toEqual([0]);
  await pass(world, 300_000);
  expect(bases(log)).toEqual([0, 1]);
  for (let minutes = 5; minutes <= 200; minutes += 5) await pass(world, 300_000);
  expect(bases(log)).toEqual([0, 1]);
  await manager.close();
});

test('records of long ago do not make a new segment at each check', async () => {
  const world = new World();
  const { manager, log, put } = await open(world, {
    segmentMs: HOUR_MS,
    segmentBytes: 10_000,
    retentionMs: -1,
  });
  manager.startBackground();
  await pass(world, 30_000);
  for (let minutes = 0; minutes < 120; minutes += 5) {
    put('old', 1000 * HOUR_MS);
    await pass(world, 300_000);
  }
  expect(bases(log).length).toBe(2);
  await manager.close();
});

test('what is to be compacted in time is closed in time', async () => {
  const world = new World();
  const { manager, log, put } = await open(world, {
    cleanupPolicy: ['compact'],
    maxCompactionLagMs: 60_000,
    minCleanableDirtyRatio: 1,
    segmentBytes: 10_000,
  });
  put('a');
  put('a');
  manager.startBackground();
  await pass(world, 60_000);
  expect(bases(log)).toEqual([0]);
  for (let round = 0; round < 5; round += 1) await pass(world, 15_000);
  expect(bases(log)).toEqual([0, 2]);
  expect(log.cleanedEnd).toBe(2);
  await manager.close();
});

test('a record that was taken and is not written yet does not go with the old ones before it', async () => {
  const world = new World();
  const { log, put } = await open(world, { retentionMs: HOUR_MS, segmentBytes: 10_000 });
  put('old', 2 * HOUR_MS);
  const fresh = append(log, batch(['fresh'], { timestamp: world.time.nowMs }));
  expect(log.deleteOldSegments()).toBe(0);
  world.time.tick();
  expect([fresh.state, log.logStartOffset]).toEqual(['done', 0]);
  expect(await valuesFrom(log, 0)).toEqual(['old', 'fresh']);
  expect(log.deleteOldSegments()).toBe(0);
});

test('a record that was taken and is not written yet is written when old segments before it have gone', async () => {
  const world = new World();
  const { manager, log, put } = await open(world, { retentionMs: HOUR_MS });
  put('old', 2 * HOUR_MS);
  put('new');
  log.roll();
  put('active');
  const taken = append(log, batch(['taken'], { timestamp: world.time.nowMs }));
  expect(log.deleteOldSegments()).toBe(1);
  world.time.tick();
  expect(taken.state).toBe('done');
  expect(await valuesFrom(log, log.logStartOffset)).toEqual(['new', 'active', 'taken']);
  await manager.close();
});
