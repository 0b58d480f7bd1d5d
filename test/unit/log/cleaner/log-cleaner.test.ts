import { beforeAll, describe, expect, test } from 'vitest';
import type { Logger } from '../../../../src/base/ports.ts';
import type { Uuid } from '../../../../src/base/uuid.ts';
import type { LogConfig } from '../../../../src/config/log-config.ts';
import { compactionText } from '../../../../src/log/cleaner/cleanable.ts';
import type { CleanerSettings } from '../../../../src/log/cleaner/log-cleaner.ts';
import { LoadInterruptedError } from '../../../../src/log/dir-loading.ts';
import type { PartitionLog } from '../../../../src/log/log.ts';
import { LogManager } from '../../../../src/log/log-manager.ts';
import { decodeTxnIndex } from '../../../../src/log/txn-index.ts';
import { prepareCodec } from '../../../../src/protocol/compression/index.ts';
import { BatchBuilder, type BatchOptions } from '../../../../src/protocol/record-batch/builder.ts';
import { endTxnMarkerBatch } from '../../../../src/protocol/record-batch/control.ts';
import { records } from '../../../../src/protocol/record-batch/records.ts';
import { append, config, fetch, settle, topicId, World } from '../fakes.ts';

const COMPACT: Partial<LogConfig> = {
  cleanupPolicy: ['compact'],
  segmentBytes: 400,
  minCleanableDirtyRatio: 0.01,
};

const settings: CleanerSettings = {
  enabled: true,
  threads: 1,
  backoffMs: 1000,
  dedupeBufferBytes: 1 << 20,
  ioBufferBytes: 16384,
  bytesPerSecondMax: Number.MAX_VALUE,
  loadFactor: 0.9,
};

beforeAll(() => prepareCodec('zstd'));

interface Opened {
  readonly manager: LogManager;
  readonly log: PartitionLog;
  settings: CleanerSettings;
  /** What was logged at info and above. */
  readonly lines: string[];
}

async function open(
  world: World,
  changes: Partial<LogConfig> = {},
  given: Partial<CleanerSettings> = {},
): Promise<Opened> {
  const lines: string[] = [];
  const note = (message: string, fields?: object) => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const logger: Logger = { debug() {}, info: note, warn: note, error: note, child: () => logger };
  const opened = { settings: { ...settings, ...given }, lines };
  const configOf = () => config({ ...COMPACT, ...changes });
  const manager = await LogManager.open({
    dirs: ['/data'],
    configFor: configOf,
    ports: { ...world.ports, logger },
    cleanerSettings: () => opened.settings,
  });
  const log = manager.getOrCreate('t', 0, topicId);
  log.onAppended = () => log.updateHighWatermark(log.logEndOffset);
  log.updateHighWatermark(log.logEndOffset);
  return Object.assign(opened, { manager, log });
}

type Pair = readonly [key: string, value: string | null];

function batchOf(pairs: readonly Pair[], options: BatchOptions = {}, timestamp = 1_700_000_000_000): Buffer {
  const builder = new BatchBuilder(options);
  for (const [key, value] of pairs) {
    builder.append({
      timestamp,
      key: Buffer.from(key),
      value: value === null ? null : Buffer.from(value.padEnd(100, '.')),
    });
  }
  return builder.build();
}

function put(world: World, log: PartitionLog, ...pairs: readonly Pair[]): void {
  append(log, batchOf(pairs));
  world.time.tick();
}

/** Lets everything that is due run: jobs, syncs, swaps. */
async function run(world: World, turns = 40): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) {
    world.time.tick();
    await settle();
  }
}

async function contents(log: PartitionLog): Promise<string[]> {
  const found: string[] = [];
  for (let next = log.logStartOffset; next < log.logEndOffset; ) {
    const bytes = await fetch(log, next);
    if (bytes.length === 0) break;
    for (let at = 0; at < bytes.length; at += bytes.readInt32BE(at + 8) + 12) {
      next = Number(bytes.readBigInt64BE(at)) + bytes.readInt32BE(at + 23) + 1;
      for (const { offset, key, value } of records(bytes, { at })) {
        const text = value === null ? 'null' : Buffer.from(value).toString().replaceAll('.', '');
        found.push(`${offset}:${Buffer.from(key ?? []).toString()}=${text}`);
      }
    }
  }
  return found;
}

/** Three keys over and over, a segment for each round, and one record in the active segment. */
function fill(world: World, log: PartitionLog, rounds = 3): void {
  for (let round = 0; round < rounds; round += 1) {
    put(world, log, ['a', `a${round}`], ['b', `b${round}`], ['c', `c${round}`]);
  }
  put(world, log, ['x', 'x']);
}

test('of each key in closed segments the last record stays, at its offset', async () => {
  const world = new World();
  const { manager, log } = await open(world);
  fill(world, log);
  manager.startBackground();
  await run(world);
  expect(await contents(log)).toEqual(['6:a=a2', '7:b=b2', '8:c=c2', '9:x=x']);
  expect(log.logEndOffset).toBe(10);
  expect(log.cleanedEnd).toBe(9);
  await manager.close();
});

test('readers find their way over the holes, also after a restart', async () => {
  const world = new World();
  const first = await open(world);
  for (let round = 0; round < 6; round += 1) {
    append(
      first.log,
      batchOf(
        [
          [`k${round % 2}`, `v${round}`],
          ['once', `once${round}`],
        ],
        {},
        1000 + round,
      ),
    );
    append(
      first.log,
      batchOf(
        [
          ['twice', `twice${round}`],
          ['x', 'x'],
        ],
        {},
        2000 + round,
      ),
    );
    world.time.tick();
  }
  put(world, first.log, ['end', 'end']);
  first.manager.startBackground();
  await run(world);
  const left = ['16:k0=v4', '20:k1=v5', '21:once=once5', '22:twice=twice5', '23:x=x', '24:end=end'];
  expect(await contents(first.log)).toEqual(left);
  await first.manager.close();
  for (const restart of ['clean', 'unclean']) {
    if (restart === 'unclean') world.storage.removeNow('/data/.kafka_cleanshutdown');
    const { manager, log } = await open(world);
    expect(await contents(log)).toEqual(left);
    expect(log.cleanedEnd).toBe(24);
    for (let offset = 0; offset <= 24; offset += 1) {
      const bytes = await fetch(log, offset);
      const base = Number(bytes.readBigInt64BE(0));
      expect(base + bytes.readInt32BE(23)).toBeGreaterThanOrEqual(offset);
    }
    expect(log.offsetForTimestamp(1004n)).toEqual({ offset: 16, timestamp: 1004n, leaderEpoch: 0 });
    expect(log.offsetForTimestamp(1006n)?.offset).toBe(22);
    await manager.close();
  }
});

test('a tombstone stays for delete.retention.ms after the cleaner first met it, and hides what it deleted', async () => {
  const world = new World();
  const { manager, log } = await open(world, { deleteRetentionMs: 60_000, segmentBytes: 600 });
  put(world, log, ['a', 'a0'], ['b', 'b0'], ['c', 'c0']);
  put(world, log, ['a', null], ['b', 'b1'], ['d', 'd1'], ['e', 'e1']);
  log.roll();
  manager.startBackground();
  await run(world);
  expect(await contents(log)).toEqual(['2:c=c0', '3:a=null', '4:b=b1', '5:d=d1', '6:e=e1']);
  const batches = await fetch(log, 3);
  expect(batches.readInt16BE(21) & 0x40).toBe(0x40);
  expect(Number(batches.readBigInt64BE(27))).toBe(world.time.nowMs + 60_000);
  expect([...records(batches)].map(({ timestamp }) => timestamp)).toEqual(Array(4).fill(1_700_000_000_000n));

  world.time.nowMs += 59_000;
  put(world, log, ['b', 'b2'], ['f', 'f2'], ['g', 'g2'], ['h', 'h2']);
  log.roll();
  await run(world);
  expect(await contents(log)).toContain('3:a=null');

  world.time.nowMs += 1_000;
  put(world, log, ['b', 'b3'], ['i', 'i3'], ['j', 'j3'], ['k', 'k3']);
  log.roll();
  await world.time.pass(1_000);
  await run(world);
  const last = await contents(log);
  expect(last.filter((one) => one.includes(':a='))).toEqual([]);
  expect(last).toContain('11:b=b3');
  await manager.close();
});

test('the last batch of a producer stays, be it empty, so that its sequence goes on after a restart', async () => {
  const world = new World();
  const first = await open(world);
  const producer = (baseSequence: number) => ({ producerId: 7n, producerEpoch: 0, baseSequence });
  append(
    first.log,
    batchOf(
      [
        ['a', 'a0'],
        ['b', 'b0'],
        ['c', 'c0'],
      ],
      producer(0),
    ),
  );
  append(
    first.log,
    batchOf(
      [
        ['a', 'a1'],
        ['b', 'b1'],
        ['c', 'c1'],
      ],
      producer(3),
    ),
  );
  world.time.tick();
  for (let round = 2; round < 5; round += 1) {
    put(world, first.log, ['a', `a${round}`], ['b', `b${round}`], ['c', `c${round}`]);
  }
  put(world, first.log, ['x', 'x']);
  first.manager.startBackground();
  await run(world);
  expect(await contents(first.log)).toEqual(['12:a=a4', '13:b=b4', '14:c=c4', '15:x=x']);
  const empty = await fetch(first.log, 0);
  expect([empty.readBigInt64BE(0), empty.readInt32BE(23), empty.readInt32BE(57)]).toEqual([3n, 2, 0]);
  await first.manager.close();

  const { manager, log } = await open(world);
  expect(() => append(log, batchOf([['a', 'z']], producer(9)))).toThrow('sequence');
  expect(
    append(
      log,
      batchOf(
        [
          ['a', 'a1'],
          ['b', 'b1'],
          ['c', 'c1'],
        ],
        producer(3),
      ),
    ).duplicate,
  ).toBe(true);
  expect(append(log, batchOf([['a', 'a5']], producer(6))).firstOffset).toBe(16);
  await manager.close();
});

test('what a producer commits after an aborted transaction that was cleaned before takes the place of what was there', async () => {
  const world = new World();
  const { manager, log } = await open(world);
  const txn = (baseSequence: number) => ({
    ...{ producerId: 1n, producerEpoch: 0, baseSequence },
    isTransactional: true,
  });
  const end = (committed: boolean) => {
    const marker = { committed, producerId: 1n, producerEpoch: 0, coordinatorEpoch: 0, timestamp: 1n };
    log.appendAsLeader(endTxnMarkerBatch(marker), 0, { origin: 'coordinator', done() {} });
    world.time.tick();
  };
  put(world, log, ['a', 'old'], ['b', 'b']);
  append(log, batchOf([['b', 'aborted']], txn(0)));
  end(false);
  put(world, log, ['x', 'x']);
  log.roll();
  manager.startBackground();
  await run(world);
  expect(log.cleanedEnd).toBe(5);
  append(log, batchOf([['a', 'new']], txn(1)));
  end(true);
  log.roll();
  put(world, log, ['y', 'y']);
  await world.time.pass(2000);
  await run(world);
  expect(log.cleanedEnd).toBe(7);
  const found = await contents(log);
  expect(found.filter((one) => one.includes('a='))).toEqual(['5:a=new']);
  await manager.close();
});

test('holes that compaction has left are no damage when the policy is another by then', async () => {
  const world = new World();
  const { manager, log } = await open(world);
  put(world, log, ['a', 'old'], ['b', 'old']);
  log.roll();
  put(world, log, ['a', 'new'], ['b', 'new']);
  log.roll();
  put(world, log, ['x', 'x']);
  manager.startBackground();
  await run(world);
  expect(await contents(log)).toEqual(['2:a=new', '3:b=new', '4:x=x']);
  await log.flush();
  // As where the checkpoint was lost: all is read again after the crash.
  world.storage.removeNow('/data/recovery-point-offset-checkpoint');
  const again = await open(world, { cleanupPolicy: ['delete'] });
  expect(await contents(again.log)).toEqual(['2:a=new', '3:b=new', '4:x=x']);
  await again.manager.close();
});

/** Two compacted logs with holes after a crash, and nothing left that tells of either. */
async function forgottenHoles() {
  const world = new World();
  const { manager, log } = await open(world);
  const other = manager.getOrCreate('t', 1, topicId);
  other.onAppended = () => other.updateHighWatermark(other.logEndOffset);
  for (const one of [log, other]) {
    for (const key of ['b', 'a', 'c', 'd', 'a']) put(world, one, [key, key]);
    one.roll();
  }
  manager.startBackground();
  await run(world);
  const kept = ['0:b=b', '2:c=c', '3:d=d', '4:a=a'];
  for (const one of [log, other]) {
    expect(await contents(one)).toEqual(kept);
    expect(one.closedSegments.map(({ baseOffset }) => baseOffset)).toEqual([0, 2, 4]);
    await one.flush();
  }
  const loseRecoveryPoint = () => world.storage.removeNow('/data/recovery-point-offset-checkpoint');
  loseRecoveryPoint();
  world.storage.removeNow('/data/cleaner-offset-checkpoint');
  world.storage.syncedNow.length = 0;
  return { world, kept, loseRecoveryPoint };
}

test('holes that no checkpoint tells of any more are kept in mind by the first recovery that meets them', async () => {
  const { world, kept, loseRecoveryPoint } = await forgottenHoles();
  await open(world);
  // On the loop, which a sync stops: once for all logs.
  expect(world.storage.syncedNow).toEqual(['/data/cleaner-offset-checkpoint', '/data']);
  loseRecoveryPoint();
  const again = await open(world, { cleanupPolicy: ['delete'] });
  expect(await contents(again.log)).toEqual(kept);
  expect(await contents(again.manager.get('t', 1)!)).toEqual(kept);
  await again.manager.close();
});

test('the same where a stop cuts that recovery short, wherever it does', async () => {
  const openedMost = new Set<number>();
  let wasCutShort = true;
  for (let looks = 1; wasCutShort; looks += 1) {
    const { world, kept, loseRecoveryPoint } = await forgottenHoles();
    let left = Number.POSITIVE_INFINITY;
    const monotonicMs = () => {
      left -= 1;
      if (left === 0) cut.interrupt();
      return world.time.nowMs;
    };
    const cut = LogManager.create({
      dirs: ['/data'],
      configFor: () => config(COMPACT),
      ports: { ...world.ports, clock: { ...world.time.clock, monotonicMs } },
      cleanerSettings: () => settings,
    });
    left = looks;
    await cut.load().catch((error: unknown) => expect(error).toBeInstanceOf(LoadInterruptedError));
    wasCutShort = left <= 0;
    const opened = [...cut.all()].map(({ partition }) => partition);
    openedMost.add(opened.length);
    await cut.close();
    loseRecoveryPoint();
    const again = await open(world, { cleanupPolicy: ['delete'] });
    for (const partition of opened) expect(await contents(again.manager.get('t', partition)!)).toEqual(kept);
    await again.manager.close();
  }
  expect([...openedMost]).toEqual([0, 1, 2]);
});

test('markers lost to compaction: nothing of an aborted transaction stays, and its marker as long as it is needed', async () => {
  const world = new World();
  const { manager, log } = await open(world, { deleteRetentionMs: 1000 });
  const txn = (producerId: bigint, baseSequence = 0) => ({
    ...{ producerId, producerEpoch: 0, baseSequence },
    isTransactional: true,
  });
  const end = (producerId: bigint, committed: boolean) => {
    const marker = { committed, producerId, producerEpoch: 0, coordinatorEpoch: 0, timestamp: 1n };
    log.appendAsLeader(endTxnMarkerBatch(marker), 0, { origin: 'coordinator', done() {} });
    world.time.tick();
  };
  put(world, log, ['a', 'a0'], ['b', 'b0']);
  append(log, batchOf([['a', 'aborted']], txn(1n)));
  append(log, batchOf([['b', 'committed']], txn(2n)));
  end(1n, false);
  end(2n, true);
  put(world, log, ['c', 'c'], ['d', 'd'], ['e', 'e']);
  put(world, log, ['x', 'x']);
  manager.startBackground();
  await run(world);
  const data = ['0:a=a0', '3:b=committed', '6:c=c', '7:d=d', '8:e=e', '9:x=x'];
  const withoutMarkers = (found: string[]) => found.filter((one) => !one.includes('\0'));
  expect(withoutMarkers(await contents(log))).toEqual(data);
  expect((await contents(log)).length).toBe(data.length + 2);
  expect(log.lastStableOffset).toBe(log.highWatermark);
  const aborted = [{ producerId: 1n, firstOffset: 2, lastOffset: 4, lastStableOffset: 3 }];
  expect(log.abortedTransactions(0, 100)).toEqual(aborted);
  expect(decodeTxnIndex(world.file('00000000000000000004.txnindex'), 4)).toEqual(aborted);

  // Producer 1's batch must stay, empty, for its sequence; so its marker must stay too. Its epoch ends that.
  append(log, batchOf([['f', 'f']], { producerId: 1n, producerEpoch: 1, baseSequence: 0 }));
  put(world, log, ['g', 'g'], ['h', 'h'], ['i', 'i']);
  put(world, log, ['y', 'y']);
  // A run that still meets the batch, one that sets the marker's horizon, one behind it.
  for (let round = 0; round < 3; round += 1) {
    await world.time.pass(2000);
    await run(world);
    put(world, log, ['j', `j${round}`], ['k', 'k'], ['l', 'l']);
    put(world, log, ['z', `z${round}`]);
  }
  await world.time.pass(2000);
  await run(world);
  const found = await contents(log);
  expect(withoutMarkers(found).slice(0, 10)).toEqual([
    ...data.slice(0, 5),
    '9:x=x',
    '10:f=f',
    '11:g=g',
    '12:h=h',
    '13:i=i',
  ]);
  expect(found.filter((one) => one.startsWith('4:'))).toEqual([]);
  // A reader who knew of the transaction and met no marker would skip all that the producer wrote since.
  expect(log.abortedTransactions(0, 100)).toEqual([]);
  expect(world.names().filter((name) => name.endsWith('.txnindex'))).toEqual([]);
  // The committed one's data is there, and with it its marker.
  expect(found.filter((one) => one.startsWith('5:')).length).toBe(1);
  await manager.close();
});

test.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)(
  'batches keep their codec (%s) unless the topic names one',
  async (codec) => {
    const world = new World();
    const { manager, log } = await open(world);
    const put = (pairs: readonly Pair[]) => append(log, batchOf(pairs, { compression: codec }));
    for (let round = 0; round < 4; round += 1) {
      put([
        ['a', `a${round}`],
        ['b', `b${round}`],
        [`only${round}`, 'o'],
      ]);
      world.time.tick();
      log.roll();
    }
    manager.startBackground();
    await run(world);
    expect(await contents(log)).toEqual([
      '2:only0=o',
      '5:only1=o',
      '8:only2=o',
      '9:a=a3',
      '10:b=b3',
      '11:only3=o',
    ]);
    const codecOf = async (offset: number) => (await fetch(log, offset)).readInt16BE(21) & 7;
    const id = { gzip: 1, snappy: 2, lz4: 3, zstd: 4 }[codec];
    expect(await codecOf(0)).toBe(id);
    log.updateConfig({ ...log.config, compressionType: 'uncompressed' });
    append(
      log,
      batchOf([
        ['only0', 'p'],
        ['a', 'a4'],
      ]),
    );
    world.time.tick();
    log.roll();
    manager.cleaner.settingsChanged();
    await run(world);
    expect(await codecOf(9)).toBe(0);
    expect(await codecOf(5)).toBe(id);
    await manager.close();
  },
);

test('a table that is full ends the run there, and the next one goes on', async () => {
  const world = new World();
  const { manager, log, lines } = await open(world, {}, { dedupeBufferBytes: 24 * 12 });
  const keys = Array.from({ length: 30 }, (_, at) => `k${at}`);
  for (const version of ['old', 'new']) {
    for (const key of keys) put(world, log, [key, version]);
  }
  put(world, log, ['x', 'x']);
  manager.startBackground();
  for (let at = 0; at < 10; at += 1) {
    await run(world);
    await world.time.pass(1000);
  }
  expect(lines.filter((line) => line.startsWith('cleaned')).length).toBeGreaterThan(3);
  expect(log.cleanedEnd).toBeGreaterThan(50);
  expect((await contents(log)).filter((one) => one.includes('old'))).toEqual([]);
  await manager.close();
});

/** What must be there whatever happened: of each key that was last written below the log end the last value. */
function lastValues(found: readonly string[]): Map<string, string> {
  return new Map(found.map((one) => [one.slice(one.indexOf(':') + 1, one.indexOf('=')), one] as const));
}

/** What a process finds that starts after the other was killed, or the machine lost its power. */
function restarted(world: World, power: boolean): World {
  const after = new World();
  for (const dir of world.storage.dirs) after.storage.dirs.add(dir);
  for (const [path, { bytes, synced, modifiedMs }] of world.storage.files) {
    after.storage.files.set(path, {
      bytes: Buffer.from(bytes),
      synced: Buffer.from(synced),
      modifiedMs,
    });
  }
  if (power) after.storage.crash();
  return after;
}

const leftovers = (world: World) =>
  world.names().filter((name) => name.endsWith('.cleaned') || name.endsWith('.swap'));

describe('a job that runs while its log', () => {
  /** Runs `act` after so many turns of a job, in a world of its own, until the job is over before that. */
  async function atEachTurn(
    act: (opened: Opened, world: World) => void,
    check: (opened: Opened, world: World, before: readonly string[]) => Promise<void>,
  ): Promise<void> {
    let wasCut = 0;
    for (let turns = 1; turns < 60; turns += 1) {
      const world = new World();
      const opened = await open(world, { fileDeleteDelayMs: 0 });
      fill(world, opened.log, 12);
      await run(world);
      opened.manager.startBackground();
      await run(world, turns);
      const isRunning = opened.manager.cleaner.isCleaning(opened.log);
      const before = await contents(opened.log);
      act(opened, world);
      await run(world);
      await check(opened, world, before);
      await opened.manager.close();
      if (isRunning) wasCut += 1;
      else if (wasCut > 0) break;
    }
    expect(wasCut).toBeGreaterThan(8);
  }

  test('is cut loses nothing below the cut, and cleans no further than that', async () => {
    await atEachTurn(
      ({ log }) => void log.truncateTo(21),
      async ({ log, manager }, world, before) => {
        const below = before.filter((one) => Number.parseInt(one, 10) < 21);
        expect(log.logEndOffset).toBe(21);
        expect(lastValues(await contents(log))).toEqual(lastValues(below));
        expect(log.cleanedEnd ?? 0).toBeLessThanOrEqual(21);
        expect(leftovers(world)).toEqual([]);
        put(world, log, ['a', 'new']);
        expect((await contents(log)).at(-1)).toBe('21:a=new');
        expect(manager.cleaner.uncleanableCount).toBe(0);
      },
    );
  });

  test('is deleted leaves the name free for another', async () => {
    await atEachTurn(
      ({ manager }) => {
        manager.delete('t', 0);
      },
      async ({ manager }, world) => {
        const log = manager.getOrCreate('t', 0, 'AnotherTopicIdAnotherA' as Uuid);
        put(world, log, ['a', 'other']);
        log.updateHighWatermark(log.logEndOffset);
        expect(await contents(log)).toEqual(['0:a=other']);
        expect(leftovers(world)).toEqual([]);
        expect(log.cleanedEnd).toBe(undefined);
      },
    );
  });

  test('is closed leaves a folder as it was or will be', async () => {
    let stopped: Promise<void> | undefined;
    await atEachTurn(
      ({ manager }) => {
        stopped = manager.close();
      },
      async (_, world, before) => {
        await stopped;
        expect(leftovers(world)).toEqual([]);
        const { log, manager } = await open(world);
        expect(lastValues(await contents(log))).toEqual(lastValues(before));
        await manager.close();
      },
    );
  });

  test('is not to be compacted any more, or loses its first segments, swaps nothing wrong', async () => {
    await atEachTurn(
      ({ log }) => log.updateConfig({ ...log.config, cleanupPolicy: ['delete'] }),
      async ({ log }, world, before) => {
        expect(lastValues(await contents(log))).toEqual(lastValues(before));
        expect(leftovers(world)).toEqual([]);
      },
    );
    await atEachTurn(
      ({ log }) => {
        log.deleteRecordsBefore(8);
        log.deleteOldSegments();
      },
      async ({ log, manager }, world, before) => {
        const above = before.filter((one) => Number.parseInt(one, 10) >= 8);
        const found = (await contents(log)).filter((one) => Number.parseInt(one, 10) >= 8);
        expect(lastValues(found)).toEqual(lastValues(above));
        expect(leftovers(world)).toEqual([]);
        expect(manager.cleaner.uncleanableCount).toBe(0);
      },
    );
  });

  test('is killed, or its machine loses power, finds the last value of every key again', async () => {
    for (const power of [false, true]) {
      for (let turns = 1; turns < 40; turns += 1) {
        const world = new World();
        const { log, manager } = await open(world, { fileDeleteDelayMs: 0 });
        fill(world, log, 12);
        await log.flush();
        const before = lastValues(await contents(log));
        manager.startBackground();
        await run(world, turns);
        const after = restarted(world, power);
        const again = await open(after);
        expect(lastValues(await contents(again.log))).toEqual(before);
        expect(leftovers(after)).toEqual([]);
        again.manager.startBackground();
        await run(after, 60);
        expect((await contents(again.log)).length).toBe(4);
        await again.manager.close();
      }
    }
  });
});

test('it can be said how far a log is compacted, and what keeps the rest', async () => {
  const world = new World();
  const { log, manager } = await open(world);
  fill(world, log, 6);
  const said = () => compactionText(log, world.time.nowMs);
  expect(said()).toMatch(
    /^compacted up to 0 of 19: (\d+) of \1 bytes are dirty, more than min.cleanable.dirty.ratio/,
  );
  manager.startBackground();
  await run(world);
  expect(said()).toMatch(/^compacted up to \d+ of 19: the rest is in the active segment$/);
  await manager.close();
});

describe('a disk that fails', () => {
  const filled = async (changes: Partial<LogConfig> = {}) => {
    const world = new World();
    const opened = await open(world, changes);
    fill(world, opened.log, 6);
    return { world, ...opened };
  };

  test.each(['open', 'write', 'sync'] as const)(
    'in %s of the new files costs the log nothing; it is said and tried again',
    async (operation) => {
      const { world, log, manager, lines } = await filled();
      const before = lastValues(await contents(log));
      world.storage.failing = { operation, match: '.cleaned' };
      manager.startBackground();
      await run(world);
      expect(lastValues(await contents(log))).toEqual(before);
      expect(manager.cleaner.uncleanableCount).toBe(1);
      expect(lines.some((line) => line.startsWith("t-0 can't be cleaned"))).toBe(true);
      expect(leftovers(world)).toEqual([]);
      expect(log.isOffline).toBe(false);
      world.storage.failing = undefined;
      await world.time.pass(30_000);
      await run(world);
      expect(manager.cleaner.uncleanableCount).toBe(1);
      await world.time.pass(30_000);
      await run(world);
      expect((await contents(log)).length).toBe(4);
      expect(manager.cleaner.uncleanableCount).toBe(0);
      expect(lines.some((line) => line.startsWith('t-0 can be cleaned again'))).toBe(true);
      await manager.close();
    },
  );

  test('without room for the new files costs nothing but the run', async () => {
    const { world, log, manager } = await filled();
    world.storage.room = { match: '.log.cleaned', bytes: 200 };
    manager.startBackground();
    await run(world);
    expect(manager.cleaner.uncleanableCount).toBe(1);
    expect(log.isOffline).toBe(false);
    expect(leftovers(world)).toEqual([]);
    put(world, log, ['still', 'here']);
    expect((await contents(log)).at(-1)).toBe('19:still=here');
    await manager.close();
  });

  test('in the first half of a swap undoes it, in the second takes the log offline until a start finishes it', async () => {
    const matches = [/timeindex.cleaned$/, /\d\.log$/, /06\.index$/, /\.log\.swap$/, /15\.timeindex\.swap$/];
    for (const match of matches) {
      const { world, log, manager } = await filled();
      await log.flush();
      const before = lastValues(await contents(log));
      manager.startBackground();
      world.storage.failing = { operation: 'rename', match };
      await run(world);
      world.storage.failing = undefined;
      if (match.source.includes('cleaned')) {
        expect(log.isOffline).toBe(false);
        expect(leftovers(world)).toEqual([]);
      } else {
        expect(log.isOffline).toBe(true);
      }
      await manager.close();
      const again = await open(world);
      expect(lastValues(await contents(again.log))).toEqual(before);
      expect(leftovers(world)).toEqual([]);
      await again.manager.close();
    }
  });

  test('that gave back other bytes than it got has them neither hidden nor lost', async () => {
    const { world, log, manager, lines } = await filled();
    await log.flush();
    const name = world.names().find((one) => one.endsWith('.log'))!;
    const bytes = world.file(name);
    bytes[80] = bytes[80]! ^ 1;
    manager.startBackground();
    await run(world);
    expect(manager.cleaner.uncleanableCount).toBe(1);
    expect(lines.some((line) => line.includes(name) && line.includes('CRC'))).toBe(true);
    expect(world.file(name)).toEqual(bytes);
    await manager.close();
  });
});

describe('a log is cleaned', () => {
  const cleanedAfter = async (
    changes: Partial<LogConfig>,
    given: Partial<CleanerSettings> = {},
    ageMs = 0,
  ): Promise<number | undefined> => {
    const world = new World();
    const { log, manager } = await open(world, changes, given);
    for (let round = 0; round < 4; round += 1) {
      world.time.nowMs += 1000;
      const at = world.time.nowMs;
      append(
        log,
        batchOf(
          [
            ['a', `a${round}`],
            ['b', `b${round}`],
            ['c', `c${round}`],
          ],
          {},
          at,
        ),
      );
      world.time.tick();
    }
    world.time.nowMs += ageMs;
    manager.startBackground();
    await run(world);
    await manager.close();
    return log.cleanedEnd;
  };

  test('only with the policy, only where log.cleaner.enable says so', async () => {
    expect(await cleanedAfter({})).toBe(9);
    expect(await cleanedAfter({ cleanupPolicy: ['compact', 'delete'] })).toBe(9);
    expect(await cleanedAfter({ cleanupPolicy: ['delete'] })).toBe(undefined);
    expect(await cleanedAfter({}, { enabled: false })).toBe(undefined);
  });

  test('up to what is older than min.compaction.lag.ms', async () => {
    expect(await cleanedAfter({ minCompactionLagMs: 1500 })).toBe(6);
    expect(await cleanedAfter({ minCompactionLagMs: 1500 }, {}, 600)).toBe(9);
    expect(await cleanedAfter({ minCompactionLagMs: 3100 })).toBe(undefined);
  });

  test('below the dirty ratio where something is older than max.compaction.lag.ms', async () => {
    expect(await cleanedAfter({ minCleanableDirtyRatio: 1 })).toBe(undefined);
    expect(await cleanedAfter({ minCleanableDirtyRatio: 1, maxCompactionLagMs: 3001 })).toBe(undefined);
    expect(await cleanedAfter({ minCleanableDirtyRatio: 1, maxCompactionLagMs: 2999 })).toBe(9);
  });

  test('once its dirty part is more than min.cleanable.dirty.ratio of it', async () => {
    const world = new World();
    const { log, manager } = await open(world, { minCleanableDirtyRatio: 0.4 });
    manager.startBackground();
    // Nothing is superseded, so that the clean part keeps its size.
    const ends: (number | undefined)[] = [];
    for (let round = 0; round < 8; round += 1) {
      put(world, log, [`a${round}`, 'a'], [`b${round}`, 'b'], [`c${round}`, 'c']);
      log.roll();
      await world.time.pass(1000);
      await run(world);
      ends.push(log.cleanedEnd);
    }
    // The share of the newest of 1, 2, 3 segments, of the newest two of 4, ...
    expect(ends).toEqual([3, 6, 6, 12, 12, 12, 21, 21]);
    await manager.close();
  });

  test('no faster than log.cleaner.io.max.bytes.per.second allows, which acts at once', async () => {
    const world = new World();
    const opened = await open(
      world,
      { segmentBytes: 100_000 },
      { bytesPerSecondMax: 10_000, ioBufferBytes: 0 },
    );
    const { log, manager } = opened;
    for (let at = 0; at < 400; at += 1) put(world, log, [`k${at % 20}`, `v${at}`]);
    log.roll();
    const bytes = log.closedSegments.reduce((sum, { sizeInBytes }) => sum + sizeInBytes, 0);
    manager.startBackground();
    await run(world);
    // Everything is read twice.
    const seconds = Math.floor((2 * bytes) / 10_000);
    for (let second = 1; second < seconds - 1; second += 1) {
      await world.time.pass(1000);
      await run(world);
    }
    expect(log.cleanedEnd).toBe(undefined);
    opened.settings = { ...opened.settings, bytesPerSecondMax: 1e12 };
    manager.cleaner.settingsChanged();
    await world.time.pass(1000);
    await run(world, 100);
    expect(log.cleanedEnd).toBe(400);
    await manager.close();
  });

  test('one at a time, the dirtiest first', async () => {
    const world = new World();
    const { manager, lines } = await open(world);
    for (const [partition, rounds] of [
      [1, 2],
      [2, 6],
      [3, 4],
    ] as const) {
      const log = manager.getOrCreate('t', partition, topicId);
      log.onAppended = () => log.updateHighWatermark(log.logEndOffset);
      fill(world, log, 4);
      await log.flush();
      log.cleanedEnd = 12 - rounds * 1.5;
    }
    manager.startBackground();
    await run(world, 200);
    const order = lines.filter((line) => line.startsWith('cleaned')).map((line) => line.split(' ')[1]);
    expect(order).toEqual(['t-2', 't-3', 't-1']);
    await manager.close();
  });
});

test('the checkpoint is in the file of Apache, and a cut or a deletion takes it back there', async () => {
  const world = new World();
  const { log, manager } = await open(world);
  const checkpoint = () => world.storage.files.get('/data/cleaner-offset-checkpoint')?.bytes.toString();
  fill(world, log);
  manager.startBackground();
  await run(world);
  expect(checkpoint()).toBe('0\n1\nt 0 9\n');
  log.truncateTo(7);
  await run(world);
  expect(checkpoint()).toBe('0\n1\nt 0 7\n');
  manager.delete('t', 0);
  expect(checkpoint()).toBe('0\n0\n');
  await manager.close();
});
