import { expect, test } from 'vitest';
import { Errors, ProtocolError } from '../../../src/protocol/errors.ts';
import { append, batch, fetch, settle, valuesFrom, valuesIn, World } from './fakes.ts';

const codeOf = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return Errors.NONE;
};

test('appends of one tick get offsets at once and are written with one write at its end', async () => {
  const world = new World();
  const log = world.make(world.open());
  const moved: number[] = [];
  log.onAppended = (one) => moved.push(one.logEndOffset);
  const first = append(log, batch(['a', 'b']));
  const second = append(log, batch(['c']));
  expect([first.firstOffset, first.lastOffset, second.firstOffset]).toEqual([0, 1, 2]);
  expect([log.assignedEndOffset, log.logEndOffset, first.state]).toEqual([3, 0, 'waits']);
  expect(valuesIn(await fetch(log, 0))).toEqual([]);
  world.storage.writes = [];
  world.time.tick();
  expect(world.storage.writes.map(({ path, chunks }) => ({ path, chunks }))).toEqual([
    { path: '/data/t-0/00000000000000000000.log', chunks: 1 },
  ]);
  expect([log.logEndOffset, first.state, second.state, moved]).toEqual([3, 'done', 'done', [3]]);
  expect(await valuesFrom(log, 0)).toEqual(['a', 'b', 'c']);
});

test('a large append is written at once, together with what was staged before it', async () => {
  const world = new World();
  const log = world.open();
  const small = append(log, batch(['small']));
  world.storage.writes = [];
  const large = append(log, batch(['x'.repeat(100_000)]));
  expect([small.state, large.state, log.logEndOffset]).toEqual(['done', 'done', 2]);
  expect(world.storage.writes.filter((write) => write.path.endsWith('.log'))).toHaveLength(1);
  append(log, batch(['after']));
  world.time.tick();
  expect((await valuesFrom(log, 0)).map((value) => value.slice(0, 5))).toEqual(['small', 'xxxxx', 'after']);
});

test('an append that says so is written with the call, behind what was staged before it', async () => {
  const world = new World();
  const log = world.open();
  const staged = append(log, batch(['staged']));
  world.storage.writes = [];
  const ends: number[] = [];
  const done = (error: Error | undefined) => ends.push(error === undefined ? log.logEndOffset : -1);
  log.appendAsLeader(batch(['now']), 0, { origin: 'coordinator', atOnce: true, done });
  expect([staged.state, ends, log.logEndOffset]).toEqual(['done', [2], 2]);
  expect(world.storage.writes.filter((write) => write.path.endsWith('.log'))).toHaveLength(1);
  world.storage.room = { match: '.log', bytes: 10 };
  const again = () => log.appendAsLeader(batch(['lost']), 0, { origin: 'coordinator', atOnce: true, done });
  expect(codeOf(again)).toBe(Errors.KAFKA_STORAGE_ERROR);
  expect([ends, log.assignedEndOffset]).toEqual([[2], 2]);
  expect(await valuesFrom(log, 0)).toEqual(['staged', 'now']);
});

test('a short write leaves the log as it was and fails everything staged behind it', async () => {
  const world = new World();
  const log = world.open();
  append(log, batch(['kept']));
  world.time.tick();
  const size = world.file('00000000000000000000.log').length;
  const producer = { producerId: 5n, producerEpoch: 0, baseSequence: 0 };
  const lost = [append(log, batch(['lost'], producer)), append(log, batch(['too']), 3)];
  world.storage.room = { match: '.log', bytes: 90 };
  world.time.tick();
  expect(lost.map((one) => one.state)).toEqual(['failed', 'failed']);
  expect(lost.map((one) => (one.error as ProtocolError).code)).toEqual([
    Errors.KAFKA_STORAGE_ERROR,
    Errors.KAFKA_STORAGE_ERROR,
  ]);
  expect(world.file('00000000000000000000.log').length).toBe(size);
  expect([log.logEndOffset, log.assignedEndOffset, log.isOffline, log.latestEpoch]).toEqual([1, 1, false, 0]);
  expect(log.activeProducers()).toEqual([]);
  world.storage.room = undefined;
  const again = append(log, batch(['again'], producer));
  world.time.tick();
  expect([again.firstOffset, again.state, again.duplicate]).toEqual([1, 'done', false]);
  expect(await valuesFrom(log, 0)).toEqual(['kept', 'again']);
});

test('a failed write at once throws and takes back what was staged before it', () => {
  const world = new World();
  const log = world.open();
  const staged = append(log, batch(['staged']));
  world.storage.failing = { operation: 'write', match: '.log' };
  expect(codeOf(() => append(log, batch(['x'.repeat(70_000)])))).toBe(Errors.KAFKA_STORAGE_ERROR);
  expect([staged.state, log.assignedEndOffset, log.logEndOffset]).toEqual(['failed', 0, 0]);
});

test.each([
  ['write', '.log', 1_000_000],
  ['open', '00000000000000000001.log', 200],
  ['open', 'leader-epoch-checkpoint', 1_000_000],
] as const)(
  'a disk that fails to %s %s takes the log offline, and what was acknowledged stays',
  async (operation, match, segmentBytes) => {
    const world = new World();
    const log = world.open({ segmentBytes });
    let offline = 0;
    log.onOffline = () => {
      offline += 1;
    };
    const kept = append(log, batch(['a'.repeat(50)]), 1);
    world.time.tick();
    world.storage.failing = { operation, match };
    const lost = codeOf(() => {
      const outcome = append(log, batch(['b'.repeat(50)]), 2);
      world.time.tick();
      if (outcome.error !== undefined) throw outcome.error;
    });
    expect([kept.state, lost, log.isOffline, offline]).toEqual(['done', Errors.KAFKA_STORAGE_ERROR, true, 1]);
    world.storage.failing = undefined;
    expect((await valuesFrom(world.open(), 0)).map((value) => value[0])).toEqual(['a']);
  },
);

test('when not even the cut after a failed write works, the log goes offline', () => {
  const world = new World();
  const log = world.open();
  let offline = 0;
  log.onOffline = () => {
    offline += 1;
  };
  append(log, batch(['x']));
  world.storage.room = { match: '.log', bytes: 10 };
  world.storage.failing = { operation: 'truncate', match: '.log' };
  world.time.tick();
  expect([log.isOffline, offline]).toEqual([true, 1]);
  expect(codeOf(() => append(log, batch(['y'])))).toBe(Errors.KAFKA_STORAGE_ERROR);
  expect(codeOf(() => log.read(0, 1, { minOneMessage: true, upTo: 1 }))).toBe(Errors.KAFKA_STORAGE_ERROR);
});

test('flush.messages=1: answers and log end wait for a sync that covers them; syncs are shared', async () => {
  const world = new World();
  const log = world.open({ flushMessages: 1 });
  world.storage.holdSyncs = true;
  const one = append(log, batch(['one']));
  world.time.tick();
  const two = append(log, batch(['two']));
  const three = append(log, batch(['three']));
  world.time.tick();
  await settle();
  expect([log.logEndOffset, one.state, log.recoveryPoint]).toEqual([0, 'waits', 0]);
  const began = world.storage.syncs.filter((path) => path.endsWith('.log')).length;
  world.storage.releaseSyncs();
  await settle();
  expect([log.logEndOffset, one.state, two.state]).toEqual([1, 'done', 'waits']);
  world.storage.releaseSyncs();
  await settle();
  expect([log.logEndOffset, two.state, three.state, log.recoveryPoint]).toEqual([3, 'done', 'done', 3]);
  expect(began).toBe(1);
  expect(world.storage.syncs.filter((path) => path.endsWith('.log')).length).toBe(2);
});

test('flush.messages=3 syncs with every third record', async () => {
  const world = new World();
  const log = world.open({ flushMessages: 3 });
  const two = append(log, batch(['a', 'b']));
  world.time.tick();
  expect([two.state, log.recoveryPoint]).toEqual(['done', 0]);
  const third = append(log, batch(['c']));
  world.time.tick();
  expect(third.state).toBe('waits');
  await settle();
  expect([third.state, log.recoveryPoint]).toEqual(['done', 3]);
});

test('flush.ms syncs in the background without holding answers back', async () => {
  const world = new World();
  const log = world.open({ flushMs: 1000 });
  const one = append(log, batch(['a']));
  world.time.tick();
  expect([one.state, log.recoveryPoint]).toEqual(['done', 0]);
  await world.time.pass(1000);
  expect(log.recoveryPoint).toBe(1);
});

test('other flush settings act on what was written before them', async () => {
  const world = new World();
  const log = world.open({ flushMs: 1_000_000 });
  append(log, batch(['a']));
  world.time.tick();
  log.updateConfig({ ...log.config, flushMs: 1000 });
  await world.time.pass(1000);
  expect(log.recoveryPoint).toBe(1);
  append(log, batch(['b', 'c']));
  world.time.tick();
  log.updateConfig({ ...log.config, flushMessages: 2 });
  await settle();
  expect(log.recoveryPoint).toBe(3);
});

test('a failed sync is never tried again: the log is offline and the answer an error', async () => {
  const world = new World();
  const log = world.open({ flushMessages: 1 });
  await settle();
  world.storage.failing = { operation: 'sync', match: '.log' };
  const one = append(log, batch(['one']));
  world.time.tick();
  await settle();
  expect([one.state, (one.error as ProtocolError).code]).toEqual(['failed', Errors.KAFKA_STORAGE_ERROR]);
  expect([log.isOffline, log.logEndOffset]).toEqual([true, 0]);
  world.storage.failing = undefined;
  expect(codeOf(() => append(log, batch(['two'])))).toBe(Errors.KAFKA_STORAGE_ERROR);
  await expect(log.flush()).rejects.toThrow(/offline/);
});

test('rolls by size, and offsets and bytes go on', async () => {
  const world = new World();
  const log = world.open({ segmentBytes: 300 });
  for (let at = 0; at < 10; at += 1) {
    append(log, batch([`value-${at}`]));
    if (at % 3 === 0) world.time.tick();
  }
  world.time.tick();
  expect(log.segmentCount).toBeGreaterThan(2);
  for (const name of world.names().filter((one) => one.endsWith('.log'))) {
    expect(world.file(name).length).toBeLessThanOrEqual(300);
    expect(world.file(name).readBigInt64BE(0)).toBe(BigInt(Number.parseInt(name, 10)));
  }
  expect(await valuesFrom(log, 0)).toEqual(Array.from({ length: 10 }, (_, at) => `value-${at}`));
  await settle();
  expect(log.recoveryPoint).toBe(log.logEndOffset);
});

test('what the answer to an append brings to the same log comes behind the append that rolls it', async () => {
  const world = new World();
  const log = world.open({ segmentBytes: 320 });
  const codes: number[] = [];
  const told = (error: Error | undefined) => void codes.push(error === undefined ? 0 : 1);
  const answer = (error: Error | undefined) => {
    told(error);
    log.appendAsLeader(batch(['from the answer']), 0, { origin: 'coordinator', done: told });
  };
  log.appendAsLeader(batch(['first']), 0, { origin: 'coordinator', done: answer });
  log.appendAsLeader(batch(['x'.repeat(100)]), 0, { origin: 'coordinator', done: told });
  world.time.tick();
  world.time.tick();
  expect(codes).toEqual([0, 0, 0]);
  expect((await valuesFrom(log, 0)).map((value) => value.slice(0, 5))).toEqual(['first', 'xxxxx', 'from ']);
});

test('what the answer to an append brings to a log that is rolled just then is in the old segment', async () => {
  const world = new World();
  const log = world.open();
  const codes: number[] = [];
  const told = (error: Error | undefined) => void codes.push(error === undefined ? 0 : 1);
  const answer = (error: Error | undefined) => {
    told(error);
    log.appendAsLeader(batch(['from the answer']), 0, { origin: 'coordinator', done: told });
  };
  log.appendAsLeader(batch(['first']), 0, { origin: 'coordinator', done: answer });
  log.roll();
  expect([codes, log.activeBaseOffset]).toEqual([[0, 0], 2]);
  expect(await valuesFrom(log, 0)).toEqual(['first', 'from the answer']);
});

test('rolls by the time between timestamps, and by the clock without them', () => {
  const world = new World();
  const log = world.open({ segmentMs: 1000 });
  const base = world.time.nowMs;
  append(log, batch(['a'], { timestamp: base - 5000 }));
  append(log, batch(['b'], { timestamp: base - 4000 }));
  world.time.tick();
  expect(log.segmentCount).toBe(1);
  append(log, batch(['c'], { timestamp: base - 3999 }));
  world.time.tick();
  expect(log.segmentCount).toBe(2);
  const bare = new World();
  const other = bare.open({ segmentMs: 1000 });
  append(other, batch(['a'], { timestamp: -1 }));
  bare.time.tick();
  bare.time.nowMs += 1001;
  append(other, batch(['b'], { timestamp: -1 }));
  expect(other.segmentCount).toBe(2);
});

test('rolls when the offset index is full', () => {
  const world = new World();
  const log = world.open({ segmentIndexBytes: 24, indexIntervalBytes: 0 });
  for (let at = 0; at < 9; at += 1) append(log, batch(['v']));
  world.time.tick();
  for (let at = 0; at < 9; at += 1) {
    append(log, batch(['v']));
    world.time.tick();
  }
  expect(log.segmentCount).toBeGreaterThan(3);
});

test('a roll for which there are no file handles refuses the append and keeps the log in order', async () => {
  const world = new World();
  const log = world.open({ segmentBytes: 200 });
  const first = append(log, batch(['a'.repeat(50)]));
  world.storage.failing = { operation: 'open', match: '00000000000000000001.log', code: 'EMFILE' };
  expect(codeOf(() => append(log, batch(['b'.repeat(50)])))).toBe(Errors.KAFKA_STORAGE_ERROR);
  world.time.tick();
  expect([first.state, log.logEndOffset]).toEqual(['done', 1]);
  world.storage.failing = undefined;
  append(log, batch(['c'.repeat(50)]));
  world.time.tick();
  expect((await valuesFrom(log, 0)).map((value) => value[0])).toEqual(['a', 'c']);
});

test('relative offsets that would not fit the index begin a new segment', () => {
  const world = new World();
  const log = world.open();
  log.appendAsFollower(batch(['a'], { baseOffset: 5 }));
  log.appendAsFollower(batch(['b'], { baseOffset: 5 + 2 ** 31 }));
  expect(world.names().filter((name) => name.endsWith('.log'))).toContain('00000000002147483653.log');
  expect(log.logEndOffset).toBe(6 + 2 ** 31);
});

test('a log has no folder before its first write, which makes all of it', async () => {
  const world = new World();
  const log = world.open();
  log.announceEpoch(3);
  expect(valuesIn(await fetch(log, 0))).toEqual([]);
  expect([log.offsetForTimestamp(-3n), log.offsetForTimestamp(0n)]).toEqual([undefined, undefined]);
  await log.flush();
  expect(world.storage.isDirectory('/data/t-0')).toBe(false);
  append(log, batch(['a']), 3);
  world.time.tick();
  expect(world.names()).toEqual([
    '00000000000000000000.log',
    'leader-epoch-checkpoint',
    'partition.metadata',
  ]);
  expect(world.file('leader-epoch-checkpoint').toString()).toBe('0\n1\n3 0\n');
  await log.flush();
  world.storage.crash();
  expect(await valuesFrom(world.open(), 0)).toEqual(['a']);
});

test('a log that was never written is closed without a folder', async () => {
  const world = new World();
  const log = world.open();
  log.announceEpoch(3);
  await log.close();
  expect(world.storage.isDirectory('/data/t-0')).toBe(false);
});

test('a new leader epoch is in the checkpoint before its batch', () => {
  const world = new World();
  const log = world.make(world.open());
  append(log, batch(['a', 'b']), 4);
  append(log, batch(['c']), 7);
  expect(world.file('leader-epoch-checkpoint').toString()).toBe('0\n2\n4 0\n7 2\n');
  world.time.tick();
  expect(log.endOffsetForEpoch(4)).toEqual({ leaderEpoch: 4, endOffset: 2 });
  expect(log.endOffsetForEpoch(5)).toEqual({ leaderEpoch: 4, endOffset: 2 });
  expect(log.endOffsetForEpoch(7)).toEqual({ leaderEpoch: 7, endOffset: 3 });
  expect(log.endOffsetForEpoch(8)).toBeUndefined();
});

test('a leader epoch without a batch costs no write, and a start that finds none in the file neither', async () => {
  const world = new World();
  const log = world.make(world.open());
  append(log, batch(['a', 'b']), 4);
  world.time.tick();
  const written = world.file('leader-epoch-checkpoint').toString();
  log.announceEpoch(7);
  expect([log.latestEpoch, log.endOffsetForEpoch(7)]).toEqual([7, { leaderEpoch: 7, endOffset: 2 }]);
  expect(world.file('leader-epoch-checkpoint').toString()).toBe(written);
  await log.close();
  expect(world.file('leader-epoch-checkpoint').toString()).toBe(written);
  const again = world.open({}, { cleanShutdown: true });
  expect(again.latestEpoch).toBe(4);
  again.announceEpoch(8);
  append(again, batch(['c']), 8);
  expect(world.file('leader-epoch-checkpoint').toString()).toBe('0\n2\n4 0\n8 2\n');
  expect(again.endOffsetForEpoch(7)).toEqual({ leaderEpoch: 4, endOffset: 2 });
});

test('raft appends keep the offsets they have and refuse those that do not fit', () => {
  const world = new World();
  const log = world.open();
  const done = () => {};
  const info = log.appendAsLeader(batch(['a', 'b'], { baseOffset: 0, leaderEpoch: 3 }), 3, {
    origin: 'raft',
    done,
  });
  expect([info.firstOffset, info.lastOffset, log.logEndOffset]).toEqual([0, 1, 2]);
  const overlap = batch(['c'], { baseOffset: 1, leaderEpoch: 3 });
  expect(codeOf(() => log.appendAsLeader(overlap, 3, { origin: 'raft', done }))).toBe(Errors.INVALID_RECORD);
  const wrongEpoch = batch(['c'], { baseOffset: 2, leaderEpoch: 2 });
  expect(codeOf(() => log.appendAsLeader(wrongEpoch, 3, { origin: 'raft', done }))).toBe(
    Errors.INVALID_RECORD,
  );
});

test('a first write that finds no space for its folder or file fails alone: the log stays online and takes the next one', async () => {
  const world = new World();
  const log = world.open();
  for (const match of ['/data/t-0/partition.metadata', '/data/t-0/00000000000000000000.log']) {
    world.storage.failing = { operation: 'open', match, code: 'ENOSPC' };
    const lost = append(log, batch(['lost']));
    world.time.tick();
    expect([lost.state, log.isOffline, log.assignedEndOffset]).toEqual(['failed', false, 0]);
  }
  world.storage.failing = undefined;
  const kept = append(log, batch(['kept']));
  world.time.tick();
  expect([kept.state, kept.firstOffset]).toEqual(['done', 0]);
  await log.close();
  expect(await valuesFrom(world.open(), 0)).toEqual(['kept']);
});

test("an append to a log that was just opened and can not be read is refused as the disk's failure", async () => {
  const world = new World();
  const before = world.open();
  append(before, batch(['a']));
  await before.close();
  const log = world.open({}, { cleanShutdown: true });
  world.storage.failing = { operation: 'read', match: '.log' };
  expect(codeOf(() => append(log, batch(['b'])))).toBe(Errors.KAFKA_STORAGE_ERROR);
  world.storage.failing = undefined;
  expect(append(log, batch(['b'])).firstOffset).toBe(1);
});

test('a flush whose records are cut meanwhile ends', async () => {
  const world = new World();
  const log = world.make(world.open());
  for (const value of ['a', 'b', 'c']) append(log, batch([value]));
  world.time.tick();
  world.storage.holdSyncs = true;
  const flushed = log.flush();
  log.truncateTo(1);
  world.storage.holdSyncs = false;
  world.storage.releaseSyncs();
  await flushed;
  expect([log.logEndOffset, log.recoveryPoint]).toEqual([1, 1]);
});

test('a segment that is cut off while its indexes are written leaves none to the next one of its name', async () => {
  const world = new World();
  const log = world.open({ segmentBytes: 100 });
  world.storage.holdSyncs = true;
  for (const value of ['a', 'b', 'c']) append(log, batch([value]));
  world.time.tick();
  await settle();
  expect(world.storage.syncs.some((path) => path.endsWith('.index.tmp'))).toBe(true);
  log.truncateFully(0);
  append(log, batch(['d']));
  world.time.tick();
  world.storage.holdSyncs = false;
  world.storage.releaseSyncs();
  await settle();
  expect(world.names().filter((name) => name.endsWith('timeindex'))).toEqual([]);
});
