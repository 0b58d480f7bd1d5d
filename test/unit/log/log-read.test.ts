import { expect, test } from 'vitest';
import { Errors, ProtocolError } from '../../../src/protocol/errors.ts';
import { append, batch, fetch, resolved, settle, valuesFrom, valuesIn, World } from './fakes.ts';

function filled(world: World, batches: number, changes = {}) {
  const log = world.open(changes);
  for (let at = 0; at < batches; at += 1) {
    append(log, batch([`a${at}`, `b${at}`]));
    world.time.tick();
  }
  return log;
}

test('a read from the middle of a batch gives the whole batch', async () => {
  const log = filled(new World(), 3);
  expect(valuesIn(await fetch(log, 3)).map((one) => one.value)).toEqual(['a1', 'b1', 'a2', 'b2']);
});

test('the first batch comes even above the limit, further ones only whole', async () => {
  const log = filled(new World(), 3);
  const size = batch(['a0', 'b0']).length;
  expect(valuesIn(await fetch(log, 0, 1)).length).toBe(2);
  expect(valuesIn(await fetch(log, 0, 2 * size - 1)).length).toBe(2);
  expect(valuesIn(await fetch(log, 0, 2 * size)).length).toBe(4);
  const none = await resolved(log.read(0, 1, { minOneMessage: false, upTo: 6 }));
  expect([none.sizeInBytes, none.firstBatchTooLarge, none.nextOffset]).toEqual([0, true, 0]);
});

test('no batch that reaches the bound is given', async () => {
  const log = filled(new World(), 3);
  expect(valuesIn(await fetch(log, 0, 1 << 20, 4)).length).toBe(4);
  expect(valuesIn(await fetch(log, 0, 1 << 20, 3)).length).toBe(2);
  expect(valuesIn(await fetch(log, 4, 1 << 20, 4)).length).toBe(0);
  expect(valuesIn(await fetch(log, 5, 1 << 20, 4)).length).toBe(0);
});

test('offsets outside of the log are out of range, the end itself is empty', async () => {
  const log = filled(new World(), 2);
  for (const offset of [-1, 5]) {
    expect(() => log.read(offset, 1, { minOneMessage: true, upTo: 4 })).toThrow(
      expect.objectContaining({ code: Errors.OFFSET_OUT_OF_RANGE }),
    );
  }
  expect((await fetch(log, 4)).length).toBe(0);
});

test('the tail is read from memory without touching the file, and what is read stays whole while the tail moves on', async () => {
  const world = new World();
  world.options = { tailCacheBytes: 4096 };
  const log = filled(world, 2);
  const log0 = world.storage.files.get('/data/t-0/00000000000000000000.log')!;
  const kept = await resolved(log.read(0, 1000, { minOneMessage: true, upTo: 4 }));
  const real = log0.bytes;
  log0.bytes = Buffer.alloc(real.length);
  expect(valuesIn(await fetch(log, 0)).length).toBe(4);
  log0.bytes = real;
  for (let at = 0; at < 200; at += 1) {
    append(log, batch([`more-${at}`]));
    world.time.tick();
  }
  expect(valuesIn(Buffer.concat(kept.bytes)).map((one) => one.value)).toEqual(['a0', 'b0', 'a1', 'b1']);
  kept.release();
  expect(world.shared.tails.bytes).toBeLessThanOrEqual(4096 * 5);
  expect((await valuesFrom(log, 0)).length).toBe(204);
});

test('after a restart reads are cold, then warm', async () => {
  const world = new World();
  const before = filled(world, 200);
  await before.close();
  const log = world.open({}, { cleanShutdown: true });
  const options = { minOneMessage: true, upTo: log.logEndOffset };
  const first = log.read(100, 500, options);
  expect('pending' in first).toBe(true);
  const read = await resolved(first);
  expect(valuesIn(Buffer.concat(read.bytes))[0]).toEqual({ offset: 100, value: 'a50' });
  const next = read.nextOffset;
  read.release();
  expect(valuesIn(await fetch(log, next, 500))[0]?.offset).toBe(next);
  expect('pending' in log.read(100, 200, options)).toBe(false);
  expect((await valuesFrom(log, 0)).length).toBe(400);
});

test('a cold read of a batch larger than the limit reads again until it is whole', async () => {
  const world = new World();
  const before = world.open();
  append(before, batch(['first']));
  append(before, batch(['x'.repeat(300_000)]));
  append(before, batch(['last']));
  world.time.tick();
  await before.close();
  const log = world.open({}, { cleanShutdown: true });
  expect(valuesIn(await fetch(log, 1, 1))[0]?.value.length).toBe(300_000);
  expect(valuesIn(await fetch(log, 2, 1))).toEqual([{ offset: 2, value: 'last' }]);
});

test('a cold read that the log was cut under starts anew', async () => {
  const world = new World();
  const before = filled(world, 10);
  await before.close();
  const log = world.open({}, { cleanShutdown: true });
  const first = log.read(4, 10_000, { minOneMessage: true, upTo: 20 });
  log.truncateTo(6);
  const read = await resolved(first);
  expect(read.nextOffset).toBe(6);
  read.release();
  const second = log.read(5, 10_000, { minOneMessage: true, upTo: 6 });
  log.truncateTo(2);
  if ('pending' in second) await expect(second.pending).rejects.toThrow(ProtocolError);
  else second.release();
});

test('reads go on across segments and over gaps in offsets', async () => {
  const world = new World();
  const log = world.open({ segmentBytes: 200 });
  log.appendAsFollower(batch(['a'], { baseOffset: 0 }));
  log.appendAsFollower(batch(['b'], { baseOffset: 10 }));
  log.appendAsFollower(batch(['c'.repeat(60)], { baseOffset: 20 }));
  log.appendAsFollower(batch(['d'.repeat(60)], { baseOffset: 30 }));
  expect(log.segmentCount).toBeGreaterThan(1);
  expect(valuesIn(await fetch(log, 1))[0]?.offset).toBe(10);
  expect(valuesIn(await fetch(log, 15))[0]?.offset).toBe(20);
  expect(valuesIn(await fetch(log, 25))[0]?.offset).toBe(30);
});

test('finds offsets by time: first record at or after it, also inside a compressed batch', () => {
  const world = new World();
  const log = world.open({
    indexIntervalBytes: 0,
    messageTimestampAfterMaxMs: Number.MAX_SAFE_INTEGER,
    segmentBytes: 400,
  });
  for (let at = 0; at < 12; at += 1) {
    append(
      log,
      batch([`a${at}`], { timestamp: 1000 + at * 10, compression: at % 2 === 0 ? 'gzip' : 'none' }),
      2,
    );
  }
  world.time.tick();
  expect(log.offsetForTimestamp(0n)).toEqual({ offset: 0, timestamp: 1000n, leaderEpoch: 2 });
  expect(log.offsetForTimestamp(1041n)).toEqual({ offset: 5, timestamp: 1050n, leaderEpoch: 2 });
  expect(log.offsetForTimestamp(1050n)?.offset).toBe(5);
  expect(log.offsetForTimestamp(1111n)).toBeUndefined();
  expect(log.offsetForTimestamp(-1n)).toEqual({ offset: 12, timestamp: -1n, leaderEpoch: 2 });
  expect(log.offsetForTimestamp(-2n)).toEqual({ offset: 0, timestamp: -1n, leaderEpoch: 2 });
  expect(log.offsetForTimestamp(-3n)).toEqual({ offset: 11, timestamp: 1110n, leaderEpoch: 2 });
  log.updateHighWatermark(12);
  expect(log.deleteRecordsBefore(4)).toBe(4);
  expect(log.offsetForTimestamp(0n)?.offset).toBe(4);
  expect(log.offsetForTimestamp(-2n)?.offset).toBe(4);
});

test('max timestamp is that of the first record which has it, an empty log has none', () => {
  const world = new World();
  const log = world.open({ messageTimestampAfterMaxMs: Number.MAX_SAFE_INTEGER });
  expect(log.offsetForTimestamp(-3n)).toBeUndefined();
  append(log, batch(['a', 'b'], { timestamp: 50 }));
  append(log, batch(['c'], { timestamp: 90 }));
  append(log, batch(['d'], { timestamp: 90 }));
  append(log, batch(['e'], { timestamp: 20 }));
  world.time.tick();
  expect(log.offsetForTimestamp(-3n)).toEqual({ offset: 2, timestamp: 90n, leaderEpoch: 0 });
});

test('truncation drops batches, indexes, epochs and what waits for the offsets', async () => {
  const world = new World();
  const log = world.open({ segmentBytes: 400, indexIntervalBytes: 0, flushMessages: 1 });
  for (let at = 0; at < 10; at += 1) append(log, batch([`a${at}`]), at < 5 ? 1 : 2);
  world.time.tick();
  await settle();
  world.storage.holdSyncs = true;
  const waits = append(log, batch(['lost']), 2);
  world.time.tick();
  expect(log.truncateTo(6)).toBe(true);
  expect([waits.state, log.logEndOffset, log.latestEpoch]).toEqual(['failed', 6, 2]);
  world.storage.holdSyncs = false;
  world.storage.releaseSyncs();
  await settle();
  append(log, batch(['b6']), 3);
  world.time.tick();
  await settle();
  expect(await valuesFrom(log, 0)).toEqual(['a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'b6']);
  expect(log.truncateTo(3)).toBe(true);
  expect([log.logEndOffset, log.latestEpoch]).toEqual([3, 1]);
  expect(log.truncateTo(3)).toBe(false);
  log.truncateFully(100);
  expect([log.logStartOffset, log.logEndOffset, log.latestEpoch]).toEqual([100, 100, undefined]);
  append(log, batch(['z']), 4);
  world.time.tick();
  await settle();
  expect(await valuesFrom(log, 100)).toEqual(['z']);
});

test('retention deletes by size, by time and below the log start, but never at the high watermark', async () => {
  const world = new World();
  const log = world.open({ segmentBytes: 100, retentionBytes: 250 });
  for (let at = 0; at < 6; at += 1) append(log, batch([`a${at}`], { timestamp: world.time.nowMs - 10 }));
  world.time.tick();
  expect(log.segmentCount).toBe(6);
  expect(log.deleteOldSegments()).toBe(0);
  log.updateHighWatermark(6);
  expect(log.deleteOldSegments()).toBeGreaterThan(0);
  expect(log.sizeInBytes).toBeGreaterThan(250 - 100);
  const start = log.logStartOffset;
  expect(start).toBeGreaterThan(0);
  expect(await valuesFrom(log, start)).toEqual([0, 1, 2, 3, 4, 5].slice(start).map((at) => `a${at}`));
  expect(world.names().some((name) => name.endsWith('.log.deleted'))).toBe(true);
  await world.time.pass(60_000);
  expect(world.names().some((name) => name.endsWith('.deleted'))).toBe(false);
  log.deleteRecordsBefore(start + 1);
  expect(log.deleteOldSegments()).toBe(1);
  await world.time.pass(8 * 24 * 3600_000);
  log.deleteOldSegments();
  expect([log.logStartOffset, log.logEndOffset, log.segmentCount, log.sizeInBytes]).toEqual([6, 6, 1, 0]);
  append(log, batch(['new'], { timestamp: world.time.nowMs }));
  world.time.tick();
  expect(await valuesFrom(log, 6)).toEqual(['new']);
});

test('a read that fails gives its memory back, cold or warm', async () => {
  const world = new World();
  await filled(world, 3).close();
  const log = world.open();
  const { pool } = world.shared;
  const failed = async () => {
    world.storage.failing = { operation: 'read', match: '.log' };
    await expect(fetch(log, 0)).rejects.toThrow(ProtocolError);
    world.storage.failing = undefined;
  };
  const before = pool.takenBytes();
  await failed();
  expect(pool.takenBytes()).toBe(before);
  expect(valuesIn(await fetch(log, 0))).toHaveLength(6);
  await failed();
  expect(pool.takenBytes()).toBe(before);
});

test('segments without timestamps have the time of their file', async () => {
  const world = new World();
  const log = world.open({ segmentBytes: 100 });
  for (const timestamp of [-1, 2000, -1, 4000]) {
    append(log, batch(['v'], { timestamp }));
    await world.time.pass(10);
  }
  expect(log.segmentCount).toBe(4);
  // The first segment was written long after, and nothing in it has a time.
  expect(log.offsetForTimestamp(2000n)).toBeUndefined();
  expect(log.offsetForTimestamp(-3n)?.offset).toBe(3);
});

test('old clients are given where segments begin that were written by then', async () => {
  const world = new World();
  const log = world.open({ segmentBytes: 100 });
  const start = BigInt(world.time.nowMs);
  expect(log.offsetsBefore(-1n, 9)).toEqual([0]);
  for (let i = 0; i < 4; i++) {
    append(log, batch(['v']));
    world.time.tick();
    await world.time.pass(10);
  }
  log.updateHighWatermark(4);
  const at = (ms: number, count = 9) => log.offsetsBefore(start + BigInt(ms), count);
  expect([-1, 0, 9, 10, 29, 30, 39, 40].map((ms) => at(ms))).toEqual([
    [],
    [0],
    [0],
    [1, 0],
    [2, 1, 0],
    [3, 2, 1, 0],
    [3, 2, 1, 0],
    [4, 3, 2, 1, 0],
  ]);
  expect([0, 1, 3, -1].map((count) => at(40, count))).toEqual([[], [4], [4, 3, 2], []]);
  expect([log.offsetsBefore(-1n, 2), log.offsetsBefore(-2n, 2)]).toEqual([[4, 3], [0]]);
  log.deleteRecordsBefore(2);
  expect([log.offsetsBefore(-1n, 9), log.offsetsBefore(-2n, 9)]).toEqual([[4, 3, 2, 2, 2], [2]]);
});

test.each([0, 4])(
  'a cut at %i that the disk leaves half done takes the log offline until the next start',
  async (offset) => {
    const world = new World();
    const log = world.open({ segmentBytes: 100 });
    for (let at = 0; at < 6; at += 1) append(log, batch([`a${at}`]));
    world.time.tick();
    append(log, batch(['staged']));
    world.storage.failing = { operation: 'rename', match: '00000000000000000005.log' };
    expect(() => (offset === 0 ? log.truncateFully(20) : log.truncateTo(offset))).toThrow('rename');
    world.storage.failing = undefined;
    world.time.tick();
    expect(log.isOffline).toBe(true);
    expect(() => append(log, batch(['more']))).toThrow('offline');
    log.abandon(new Error('over'));
    const again = world.open({ segmentBytes: 100 });
    const left = await valuesFrom(again, again.logStartOffset);
    expect(['a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'staged'].join()).toContain(left.join());
  },
);
