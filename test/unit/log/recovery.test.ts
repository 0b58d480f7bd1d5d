import { expect, test } from 'vitest';
import { recoverFolder } from '../../../src/log/folder-recovery.ts';
import { folderToRecover } from '../../../src/log/loader.ts';
import { runToEnd } from '../../../src/log/steps.ts';
import { Errors } from '../../../src/protocol/errors.ts';
import { append, batch, config, settle, topicId, valuesFrom, World } from './fakes.ts';

const LOG = '00000000000000000000.log';
const INDEXES = ['00000000000000000000.index', '00000000000000000000.timeindex'];

function write(world: World, count: number, changes = {}) {
  const log = world.open(changes);
  for (let at = 0; at < count; at += 1) {
    append(log, batch([`v${at}`]));
    world.time.tick();
  }
  return log;
}

test('a torn tail is cut and the log goes on behind it', async () => {
  const world = new World();
  write(world, 5);
  const file = world.storage.files.get(`/data/t-0/${LOG}`)!;
  file.bytes = file.bytes.subarray(0, file.bytes.length - 7);
  const log = world.open();
  expect([log.logEndOffset, log.assignedEndOffset]).toEqual([4, 4]);
  expect(append(log, batch(['next'])).firstOffset).toBe(4);
  world.time.tick();
  expect(await valuesFrom(log, 0)).toEqual(['v0', 'v1', 'v2', 'v3', 'next']);
});

test.each([
  ['a flipped bit', (bytes: Buffer, at: number) => void bytes.writeUInt8(bytes[at + 70]! ^ 1, at + 70)],
  ['zeroes', (bytes: Buffer, at: number) => void bytes.fill(0, at)],
  ['a length beyond the file', (bytes: Buffer, at: number) => void bytes.writeInt32BE(0x7fffffff, at + 8)],
  ['a negative length', (bytes: Buffer, at: number) => void bytes.writeInt32BE(-1, at + 8)],
  ['an offset that goes back', (bytes: Buffer, at: number) => void bytes.writeBigInt64BE(0n, at)],
  ['a wrong magic', (bytes: Buffer, at: number) => void bytes.writeInt8(9, at + 16)],
])('%s ends the log before the batch that has it', (_, damage) => {
  const world = new World();
  write(world, 5);
  const bytes = world.file(LOG);
  damage(bytes, (bytes.length / 5) * 3);
  expect(world.open().logEndOffset).toBe(3);
  expect(world.file(LOG).length).toBe((bytes.length / 5) * 3);
});

test('segments behind the damage go', async () => {
  const world = new World();
  const log = write(world, 6, { segmentBytes: 100 });
  expect(log.segmentCount).toBe(6);
  const third = world.names().filter((name) => name.endsWith('.log'))[2]!;
  world.file(third)[40]! ^= 1;
  const again = world.open({ segmentBytes: 100 });
  expect([again.logEndOffset, await valuesFrom(again, 0)]).toEqual([2, ['v0', 'v1']]);
  expect(world.names().filter((name) => name.endsWith('.log'))).toHaveLength(3);
  expect(append(again, batch(['w'])).firstOffset).toBe(2);
});

test('segments behind a segment that lost its end just behind a batch go', async () => {
  const world = new World();
  write(world, 6, { segmentBytes: 200 });
  const second = world.names().filter((name) => name.endsWith('.log'))[1]!;
  const file = world.storage.files.get(`/data/t-0/${second}`)!;
  const base = Number.parseInt(second, 10);
  const batchBytes = 12 + file.bytes.readInt32BE(8);
  file.bytes = file.bytes.subarray(0, batchBytes);
  const again = world.open({ segmentBytes: 200 });
  expect(again.logEndOffset).toBe(base + 1);
  expect(await valuesFrom(again, 0)).toEqual(Array.from({ length: base + 1 }, (_, at) => `v${at}`));
});

test('segments behind the damage are gone for good before the damage is cut', () => {
  const world = new World();
  write(world, 6, { segmentBytes: 100 });
  const logs = world.names().filter((name) => name.endsWith('.log'));
  world.file(logs[2]!)[40]! ^= 1;
  world.storage.syncedNow = [];
  world.storage.failing = { operation: 'truncate', match: logs[2]! };
  expect(() => world.open({ cleanupPolicy: ['compact'] })).toThrow(/truncate/);
  expect(world.names().filter((name) => name.endsWith('.log'))).toEqual(logs.slice(0, 3));
  expect(world.storage.syncedNow).toEqual(['/data/t-0']);
});

test('gaps between the segments of a compacted topic stay', async () => {
  const world = new World();
  const changes = { segmentBytes: 200, cleanupPolicy: ['compact'] as const };
  write(world, 6, { segmentBytes: 200 });
  const second = world.names().filter((name) => name.endsWith('.log'))[1]!;
  const file = world.storage.files.get(`/data/t-0/${second}`)!;
  file.bytes = file.bytes.subarray(0, 12 + file.bytes.readInt32BE(8));
  expect(world.open(changes).logEndOffset).toBe(6);
});

test('below the recovery point nothing is read again, after a clean stop nothing at all', async () => {
  const world = new World();
  const log = write(world, 6, { segmentBytes: 100 });
  await log.close();
  const first = world.file(LOG);
  first[70]! ^= 1;
  expect(world.open({}, { recoveryPoint: 6 }).logEndOffset).toBe(6);
  expect(world.open({}, { cleanShutdown: true }).logEndOffset).toBe(6);
  expect(world.open({}, { cleanShutdown: true }).recoveryPoint).toBe(6);
  expect(world.open({}, { recoveryPoint: 0 }).logEndOffset).toBe(0);
});

test('a log that was closed in order holds no file open until somebody uses it', async () => {
  const world = new World();
  await write(world, 40, { indexIntervalBytes: 200 }).close();
  expect(world.storage.openCount).toBe(0);
  const log = world.open({ indexIntervalBytes: 200 }, { cleanShutdown: true });
  expect([log.logEndOffset, world.storage.openCount]).toEqual([40, 0]);
  expect(append(log, batch(['next'])).firstOffset).toBe(40);
  world.time.tick();
  expect(await valuesFrom(log, 38)).toEqual(['v38', 'v39', 'next']);
  expect(world.storage.openCount).toBe(1);
});

test.each(['removed', 'torn', 'garbled'])('%s indexes are rebuilt to the same bytes', async (how) => {
  const world = new World();
  const log = write(world, 40, { indexIntervalBytes: 200 });
  await log.close();
  const before = INDEXES.map((name) => world.file(name));
  expect(before.every((bytes) => bytes.length > 0)).toBe(true);
  for (const name of INDEXES) {
    const file = world.storage.files.get(`/data/t-0/${name}`)!;
    if (how === 'removed') world.storage.removeNow(`/data/t-0/${name}`);
    else
      file.bytes =
        how === 'torn'
          ? file.bytes.subarray(0, file.bytes.length - 3)
          : Buffer.alloc(file.bytes.length, 0xff);
  }
  const again = world.open({ indexIntervalBytes: 200 }, { cleanShutdown: true });
  expect((await valuesFrom(again, 33)).length).toBe(7);
  expect(again.offsetForTimestamp(1n)?.offset).toBe(0);
  await again.close();
  expect(INDEXES.map((name) => world.file(name))).toEqual(before);
});

test('index files of before a crash do not outlive what was cut', async () => {
  const changes = { indexIntervalBytes: 200 };
  const untouched = new World();
  await write(untouched, 30, changes).close();
  const world = new World();
  await write(world, 40, changes).close();
  const file = world.storage.files.get(`/data/t-0/${LOG}`)!;
  file.bytes = file.bytes.subarray(0, untouched.file(LOG).length + 7);
  const log = world.open(changes);
  expect(log.logEndOffset).toBe(30);
  expect(await valuesFrom(log, 27)).toEqual(['v27', 'v28', 'v29']);
  await log.close();
  expect(INDEXES.map((name) => world.file(name))).toEqual(INDEXES.map((name) => untouched.file(name)));
});

test('what a recovery has read is not read again to open the log', async () => {
  const changes = { indexIntervalBytes: 200, segmentBytes: 1000 };
  const world = new World();
  write(world, 40, changes);
  const recovered = runToEnd(
    recoverFolder(
      folderToRecover({ dir: '/data/t-0', config: config(changes), cleanShutdown: false, recoveryPoint: 0 }),
      world.ports,
    ),
  );
  let mayRead = (_path: string) => false;
  const storage = new Proxy(world.storage, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (!['open', 'sizeOf', 'list', 'isDirectory'].includes(String(name))) return value;
      return (path: string, ...rest: unknown[]) => {
        if (mayRead(path)) return (value as (...all: unknown[]) => unknown).call(target, path, ...rest);
        throw new Error(`${String(name)} of ${path}`);
      };
    },
  });
  const log = world.open(changes, { recovered, ports: { ...world.ports, storage } });
  const logs = world.names().filter((name) => name.endsWith('.log'));
  expect([log.logEndOffset, log.topicId, log.latestEpoch, log.segmentCount]).toEqual([
    40,
    topicId,
    0,
    logs.length,
  ]);
  // The last segment has no index files; what was handed over is written when the log is closed.
  mayRead = () => true;
  await log.close();
  const bytesOf = (name: string) => world.file(logs.at(-1)!.replace('.log', name)).length;
  expect([bytesOf('.index'), bytesOf('.timeindex')]).toEqual([0, 12]);
});

test.each([0, 1, 100])(
  'a batch larger than the buffer is checked to its end (with %s small ones before)',
  (small) => {
    const world = new World();
    const log = write(world, small);
    append(log, batch(['x'.repeat(400_000)]));
    append(log, batch(['behind']));
    world.time.tick();
    expect(world.open().logEndOffset).toBe(small + 2);
    const bytes = world.file(LOG);
    bytes[bytes.lastIndexOf('xxxx')]! ^= 1;
    expect(world.open().logEndOffset).toBe(small);
  },
);

test('the leader epochs of before a crash are synced before batches below them are believed', async () => {
  const world = new World();
  const log = world.open();
  world.storage.holdSyncs = true;
  append(log, batch(['a']), 3);
  world.time.tick();
  log.roll();
  append(log, batch(['b']), 3);
  world.time.tick();
  // Killed before anything was synced.
  world.storage.holdSyncs = false;
  const recovered = world.open({ flushMessages: 1 });
  await recovered.syncRecovered();
  world.storage.crash();
  const again = world.open({}, { recoveryPoint: recovered.safeRecoveryPoint });
  expect(again.logEndOffset).toBe(2);
  expect(again.leaderEpochCache.entries).toEqual([{ epoch: 3, startOffset: 0 }]);
});

test('what was acknowledged under flush.messages=1 survives a power loss', async () => {
  const world = new World();
  const log = world.open({ flushMessages: 1 });
  const outcomes = [];
  for (let at = 0; at < 20; at += 1) {
    outcomes.push(append(log, batch([`v${at}`])));
    world.time.tick();
    if (at % 4 === 3) await settle();
    if (at === 18) world.storage.holdSyncs = true;
  }
  const acknowledged = outcomes.filter((one) => one.state === 'done').length;
  world.storage.crash(33);
  world.storage.holdSyncs = false;
  const again = world.open({ flushMessages: 1 });
  expect(acknowledged).toBeGreaterThanOrEqual(16);
  expect((await valuesFrom(again, 0)).slice(0, acknowledged)).toEqual(
    Array.from({ length: acknowledged }, (_, at) => `v${at}`),
  );
  expect(again.topicId).toBe(topicId);
});

test('leader epochs that the checkpoint lost come back from the batches', async () => {
  const world = new World();
  const log = world.open();
  append(log, batch(['a']), 3);
  append(log, batch(['b']), 5);
  world.time.tick();
  world.storage.files.get('/data/t-0/leader-epoch-checkpoint')!.bytes = Buffer.from('0\n1\ngarb');
  const again = world.open();
  expect(again.leaderEpochCache.entries).toEqual([
    { epoch: 3, startOffset: 0 },
    { epoch: 5, startOffset: 1 },
  ]);
  await again.close();
  expect(world.file('leader-epoch-checkpoint').toString()).toBe('0\n2\n3 0\n5 1\n');
});

test('epochs beyond the end of the log are cut', () => {
  const world = new World();
  write(world, 3);
  world.storage.files.get('/data/t-0/leader-epoch-checkpoint')!.bytes = Buffer.from('0\n2\n0 0\n9 50\n');
  expect(world.open().latestEpoch).toBe(0);
});

test('a folder of another topic id is refused', () => {
  const world = new World();
  write(world, 1);
  expect(world.file('partition.metadata').toString()).toBe(`version: 0\ntopic_id: ${topicId}`);
  const other = { topicId: 'AnotherTopicIdAnotherA' as typeof topicId };
  expect(() => world.open({}, other)).toThrow(
    expect.objectContaining({ code: Errors.INCONSISTENT_TOPIC_ID }),
  );
  world.storage.files.get('/data/t-0/partition.metadata')!.bytes = Buffer.alloc(0);
  expect(world.open().topicId).toBe(topicId);
});

test('leftovers of a crash are finished or removed', async () => {
  const world = new World();
  const log = write(world, 4, { segmentBytes: 100 });
  await log.close();
  const logs = world.names().filter((name) => name.endsWith('.log'));
  const { storage } = world;
  const put = (name: string, bytes: Buffer) => {
    storage.open(`/data/t-0/${name}`, 'create').write([bytes], 0);
  };
  put('00000000000000000009.log.deleted', Buffer.alloc(3));
  put('00000000000000000050.index', Buffer.alloc(8));
  put('00000000000000000000.index.tmp', Buffer.alloc(8));
  const merged = Buffer.concat([world.file(logs[1]!), world.file(logs[2]!)]);
  put('00000000000000000001.log.swap', merged);
  const again = world.open({ segmentBytes: 100 });
  expect(world.names().filter((name) => /deleted|swap|tmp|0050/.test(name))).toEqual([]);
  expect(again.segmentCount).toBe(3);
  expect(await valuesFrom(again, 0)).toEqual(['v0', 'v1', 'v2', 'v3']);
});

test('a log start beyond the end begins the log anew there', () => {
  const world = new World();
  write(world, 3);
  const log = world.open({}, { logStartOffset: 10 });
  expect([log.logStartOffset, log.logEndOffset]).toEqual([10, 10]);
  expect(append(log, batch(['x'])).firstOffset).toBe(10);
});

test('message formats before 2 are refused, not cut away', () => {
  const world = new World();
  write(world, 1);
  // A message of format 1 with key "k" and value "v", as clients before Kafka 0.11 send it.
  const old = Buffer.from('00000000000000000000001839268c3301000000018bcfe56800000000016b0000000176', 'hex');
  world.storage.files.get(`/data/t-0/${LOG}`)!.bytes = old;
  expect(() => world.open()).toThrow(/message format/);
  expect(world.file(LOG).length).toBe(old.length);
});

test('random appends, crashes with torn tails and restarts lose nothing that was synced', async () => {
  const world = new World();
  let seed = 42;
  const below = (bound: number) => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    return seed % bound;
  };
  const settings = { flushMessages: 1, segmentBytes: 700, indexIntervalBytes: 100 };
  const model: string[] = [];
  for (let life = 0; life < 30; life += 1) {
    const log = world.open(settings);
    expect(log.logEndOffset).toBeGreaterThanOrEqual(model.length);
    const found = await valuesFrom(log, 0);
    expect(found.slice(0, model.length)).toEqual(model);
    model.length = 0;
    model.push(...found);
    const appended = [];
    for (let at = below(12); at > 0; at -= 1) {
      const value = `${life}-${at}-${'x'.repeat(below(80))}`;
      const outcome = append(log, batch([value]));
      appended.push({ value, outcome });
      if (below(3) === 0) world.time.tick();
      if (below(4) === 0) await settle();
    }
    world.time.tick();
    for (const { value, outcome } of appended) {
      if (outcome.state !== 'done') break;
      expect(outcome.firstOffset).toBe(model.length);
      model.push(value);
    }
    world.storage.crash(below(150));
  }
  expect(model.length).toBeGreaterThan(50);
});

test.each([
  ['at once', false],
  ['at once', true],
  ['later', false],
  ['later', true],
])(
  'indexes that recovery wrote are synced before they are believed (lost %s, appended: %s)',
  async (when, appends) => {
    const changes = { flushMessages: 1, indexIntervalBytes: 1, retentionMs: 1000 };
    const world = new World();
    const appendTo = async (log: ReturnType<World['open']>) => {
      append(log, batch(['v'], { timestamp: world.time.nowMs }));
      world.time.tick();
      await settle();
    };
    await appendTo(world.open(changes));
    const recovered = world.open(changes);
    await recovered.syncRecovered();
    if (appends) await appendTo(recovered);
    recovered.roll();
    if (when === 'later') {
      await settle();
      await appendTo(recovered);
    }
    // What was not synced comes back as zeroes of the same length.
    for (const file of world.storage.files.values()) {
      file.bytes = Buffer.concat([
        file.synced,
        Buffer.alloc(Math.max(0, file.bytes.length - file.synced.length)),
      ]);
    }
    const log = world.open(changes, { recoveryPoint: recovered.safeRecoveryPoint });
    log.updateHighWatermark(log.logEndOffset);
    expect(log.deleteOldSegments()).toBe(0);
    expect(log.offsetForTimestamp(BigInt(world.time.nowMs))?.offset).toBe(0);
  },
);
