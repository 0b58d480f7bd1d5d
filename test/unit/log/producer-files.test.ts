import { expect, test } from 'vitest';
import type { PartitionLog } from '../../../src/log/log.ts';
import {
  decodeProducerSnapshot,
  encodeProducerSnapshot,
  type ProducerSnapshotEntry,
} from '../../../src/log/producer-snapshot.ts';
import { decodeTxnIndex, encodeTxnIndex } from '../../../src/log/txn-index.ts';
import { endTxnMarkerBatch } from '../../../src/protocol/record-batch/control.ts';
import { append, batch, settle, World } from './fakes.ts';

const small = { segmentBytes: 300, retentionMs: -1 };
const idempotent = (producerId: bigint, sequence: number, epoch = 0) =>
  batch([`p${producerId}-${sequence}`], { producerId, producerEpoch: epoch, baseSequence: sequence });
const transactional = (producerId: bigint, sequence: number) =>
  batch([`t${producerId}-${sequence}`], {
    producerId,
    producerEpoch: 0,
    baseSequence: sequence,
    isTransactional: true,
  });

function end(log: PartitionLog, producerId: bigint, isAbort: boolean): void {
  const marker = endTxnMarkerBatch({
    producerId,
    producerEpoch: 0,
    coordinatorEpoch: 3,
    committed: !isAbort,
    timestamp: 5n,
  });
  log.appendAsLeader(marker, 0, { origin: 'coordinator', done: () => {} });
}

const snapshots = (world: World) => world.names().filter((name) => name.endsWith('.snapshot'));
const offsets = (world: World) => snapshots(world).map((name) => Number.parseInt(name, 10));
const bases = (world: World) =>
  world
    .names()
    .filter((name) => name.endsWith('.log'))
    .map((name) => Number.parseInt(name, 10));
const producersOf = (log: PartitionLog) =>
  log
    .activeProducers()
    .map(({ producerId, producerEpoch, lastSequence }) => ({ producerId, producerEpoch, lastSequence }));

test('the bytes of a snapshot are those of Apache', () => {
  const entry: ProducerSnapshotEntry = {
    producerId: 4000n,
    epoch: 2,
    lastSequence: 9,
    lastOffset: 41,
    offsetDelta: 4,
    timestamp: 1_700_000_000_123n,
    coordinatorEpoch: -1,
    currentTxnFirstOffset: -1,
  };
  const bytes = encodeProducerSnapshot([entry]);
  const entryHex = [
    '0000000000000fa0',
    '0002',
    '00000009',
    '0000000000000029',
    '00000004',
    '0000018bcfe5687b',
    'ffffffff',
    'ffffffffffffffff',
  ];
  expect(bytes.toString('hex')).toBe(['0001', bytes.toString('hex', 2, 6), '00000001', ...entryHex].join(''));
  expect(decodeProducerSnapshot(bytes)).toEqual([entry]);
  expect(decodeProducerSnapshot(encodeProducerSnapshot([]))).toEqual([]);
  for (let at = 0; at < bytes.length; at += 1) {
    const damaged = Buffer.from(bytes);
    damaged[at]! ^= 4;
    expect(decodeProducerSnapshot(damaged)).toBeUndefined();
    expect(decodeProducerSnapshot(bytes.subarray(0, at))).toBeUndefined();
  }
});

test('the bytes of a transaction index are those of Apache', () => {
  const txn = { producerId: 7n, firstOffset: 10, lastOffset: 14, lastStableOffset: 12 };
  const bytes = encodeTxnIndex([txn]);
  expect(bytes.toString('hex')).toBe(
    ['0000', '0000000000000007', '000000000000000a', '000000000000000e', '000000000000000c'].join(''),
  );
  expect(decodeTxnIndex(bytes, 0)).toEqual([txn]);
  expect(decodeTxnIndex(bytes, 15)).toBeUndefined();
  expect(decodeTxnIndex(bytes.subarray(1), 0)).toBeUndefined();
});

test('a snapshot is taken at each roll and at a clean stop, and goes with its segment', async () => {
  const world = new World();
  const log = world.open(small);
  for (let at = 0; at < 12; at += 1) append(log, idempotent(1n, at));
  world.time.tick();
  await settle();
  expect(offsets(world)).toEqual(bases(world).slice(1));
  await log.close();
  expect(offsets(world)).toEqual([...bases(world).slice(1), 12]);
  const again = world.open(small, { cleanShutdown: true });
  again.updateHighWatermark(12);
  const third = bases(world)[2]!;
  again.deleteRecordsBefore(third);
  again.deleteOldSegments();
  expect(offsets(world)).toEqual([...bases(world), 12]);
});

test('producers outlive the segments that held their batches, restart or crash', async () => {
  const world = new World();
  const log = world.open(small);
  append(log, idempotent(1n, 0));
  append(log, idempotent(1n, 1));
  for (let at = 0; at < 10; at += 1) append(log, batch([`filler ${at}`]));
  world.time.tick();
  await log.flush();
  log.updateHighWatermark(log.logEndOffset);
  log.deleteRecordsBefore(bases(world).at(-1)!);
  log.deleteOldSegments();
  await log.flush();
  const wanted = producersOf(log);
  expect(wanted).toHaveLength(1);
  const { logEndOffset, logStartOffset } = log;
  const crashed = world.open(small, { recoveryPoint: logEndOffset, logStartOffset });
  expect(producersOf(crashed)).toEqual(wanted);
  await crashed.close();
  expect(producersOf(world.open(small, { cleanShutdown: true, logStartOffset }))).toEqual(wanted);
  const duplicate = append(world.open(small, { cleanShutdown: true, logStartOffset }), idempotent(1n, 1));
  expect([duplicate.duplicate, duplicate.firstOffset]).toEqual([true, 1]);
});

test.each(['removed', 'torn', 'garbled', 'empty'])(
  'with a newest snapshot that is %s the one before is taken',
  async (how) => {
    const world = new World();
    const log = world.open(small);
    for (let at = 0; at < 12; at += 1) append(log, idempotent(BigInt(at % 3), Math.floor(at / 3)));
    world.time.tick();
    await log.close();
    const path = `/data/t-0/${snapshots(world).at(-1)}`;
    const file = world.storage.files.get(path)!;
    if (how === 'removed') world.storage.files.delete(path);
    if (how === 'torn') file.bytes = file.bytes.subarray(0, 30);
    if (how === 'garbled') file.bytes[20]! ^= 1;
    if (how === 'empty') file.bytes = Buffer.alloc(0);
    const again = world.open(small, { cleanShutdown: true });
    expect(producersOf(again)).toEqual(producersOf(log));
    await again.close();
    expect(offsets(world).at(-1)).toBe(12);
  },
);

test('a recovery keeps the snapshots that say what it has read, and no others', async () => {
  const world = new World();
  const log = world.open(small);
  for (let at = 0; at < 12; at += 1) append(log, idempotent(1n, at));
  world.time.tick();
  await log.close();
  const files = () => snapshots(world).map((name) => world.storage.files.get(`/data/t-0/${name}`)!);
  const before = files();
  expect(world.open(small, { recoveryPoint: 0 }).logEndOffset).toBe(12);
  expect(files()).toEqual(before);
  expect(files().every((file, at) => file === before[at])).toBe(true);
  // One of a batch that is gone, one that says something else at a segment's base, one behind the end.
  const [base] = bases(world).slice(1);
  const other = encodeProducerSnapshot([]);
  for (const offset of [1, base!, 12, 99]) {
    world.storage.files.set(`/data/t-0/${`${offset}`.padStart(20, '0')}.snapshot`, {
      bytes: Buffer.from(other),
      synced: Buffer.from(other),
      modifiedMs: 0,
    });
  }
  expect(producersOf(world.open(small, { recoveryPoint: 0 }))).toEqual(producersOf(log));
  expect(offsets(world)).toEqual(bases(world).slice(1));
  expect(decodeProducerSnapshot(world.file(snapshots(world)[0]!))?.[0]?.lastOffset).toBe(base! - 1);
});

test('of the snapshots at no base only the newest stays', async () => {
  const world = new World();
  const log = world.open();
  for (let life = 0; life < 3; life += 1) {
    const again = life === 0 ? log : world.open({}, { cleanShutdown: true });
    append(again, idempotent(1n, life));
    world.time.tick();
    await again.close();
  }
  expect(offsets(world)).toEqual([2, 3]);
  world.open({}, { cleanShutdown: true });
  expect(offsets(world)).toEqual([3]);
});

test.each(['there', 'damaged', 'empty'])(
  'aborted transactions come back after a clean stop, their index %s',
  async (how) => {
    const world = new World();
    const log = world.open(small);
    for (let round = 0; round < 4; round += 1) {
      append(log, transactional(8n, round));
      append(log, transactional(9n, round));
      end(log, 8n, round % 2 === 0);
      end(log, 9n, true);
    }
    append(log, transactional(8n, 4));
    world.time.tick();
    const wanted = log.abortedTransactions(0, 100);
    expect(wanted).toHaveLength(6);
    await log.close();
    const indexes = world.names().filter((name) => name.endsWith('.txnindex'));
    expect(indexes.length).toBeGreaterThan(1);
    if (how !== 'there') {
      const bytes = Buffer.alloc(how === 'empty' ? 0 : 5, 1);
      for (const name of indexes) world.storage.files.get(`/data/t-0/${name}`)!.bytes = bytes;
    }
    const again = world.open(small, { cleanShutdown: true });
    expect(again.abortedTransactions(0, 100)).toEqual(wanted);
    again.updateHighWatermark(again.logEndOffset);
    expect(again.lastStableOffset).toBe(16);
    const crashed = world.open(small);
    expect(crashed.abortedTransactions(0, 100)).toEqual(wanted);
  },
);

test('what recovery writes about producers and transactions is synced with the log', async () => {
  const world = new World();
  const log = world.open();
  append(log, transactional(8n, 0));
  end(log, 8n, true);
  append(log, idempotent(1n, 0));
  world.time.tick();
  log.roll();
  await log.flush();
  // The process is killed here.
  const again = world.open();
  append(again, idempotent(1n, 1));
  world.time.tick();
  await again.flush();
  const aborted = again.abortedTransactions(0, 100);
  expect(aborted).toHaveLength(1);
  world.storage.crash();
  const { recoveryPoint } = again;
  const third = world.open({}, { recoveryPoint });
  expect([third.abortedTransactions(0, 100), producersOf(third)]).toEqual([aborted, producersOf(again)]);
});

test('a cut takes producers and aborted transactions back', async () => {
  const world = new World();
  const log = world.open(small);
  for (let at = 0; at < 6; at += 1) append(log, idempotent(1n, at));
  append(log, transactional(8n, 0));
  end(log, 8n, true);
  append(log, idempotent(2n, 0));
  world.time.tick();
  log.truncateTo(4);
  expect(producersOf(log)).toEqual([{ producerId: 1n, producerEpoch: 0, lastSequence: 3 }]);
  expect(log.abortedTransactions(0, 100)).toEqual([]);
  expect(offsets(world).every((offset) => offset <= 4)).toBe(true);
  expect(append(log, idempotent(1n, 4)).firstOffset).toBe(4);
  world.time.tick();
  await log.close();
  const again = world.open(small, { cleanShutdown: true });
  expect(producersOf(again)).toEqual([{ producerId: 1n, producerEpoch: 0, lastSequence: 4 }]);
  expect(again.abortedTransactions(0, 100)).toEqual([]);
});

test('a snapshot without any segment tells a log that begins anew nothing, now or after a cut', async () => {
  const world = new World();
  const log = world.open();
  append(log, transactional(8n, 0));
  end(log, 8n, false);
  world.time.tick();
  log.roll();
  await log.flush();
  // A power loss brings the snapshot of before a reset back, and takes the name of the segment that was begun.
  for (const name of world.names())
    if (!name.endsWith('.snapshot')) world.storage.files.delete(`/data/t-0/${name}`);
  expect(offsets(world)).toEqual([2]);
  const again = world.open();
  expect(again.logEndOffset).toBe(0);
  append(again, transactional(8n, 0));
  for (let at = 1; at < 5; at += 1) append(again, batch([`filler ${at}`]));
  world.time.tick();
  again.truncateTo(4);
  end(again, 8n, true);
  world.time.tick();
  expect(again.abortedTransactions(0, 10)).toMatchObject([{ producerId: 8n, firstOffset: 0, lastOffset: 4 }]);
});

test('snapshot plus replay equals the state, whatever happened', async () => {
  let seed = 7;
  const below = (bound: number) => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    return (seed >> 8) % bound;
  };
  const world = new World();
  const settings = { segmentBytes: 600, retentionMs: -1 };
  let log = world.open(settings);
  for (let step = 0; step < 400; step += 1) {
    const what = below(20);
    const producerId = BigInt(below(5));
    const last = log.activeProducers().find((one) => one.producerId === producerId);
    const hasTxn = (last?.currentTxnStartOffset ?? -1) >= 0;
    if (what < 14) {
      const make = hasTxn || below(3) === 0 ? transactional : idempotent;
      append(log, make(producerId, (last?.lastSequence ?? -1) + 1));
    } else if (what < 16 && hasTxn) end(log, producerId, below(2) === 0);
    else if (what === 16) log.roll();
    else if (what === 17) {
      world.time.tick();
      log.updateHighWatermark(log.logEndOffset);
      log.deleteRecordsBefore(log.logStartOffset + below(Math.max(1, log.logEndOffset - log.logStartOffset)));
      log.deleteOldSegments();
    } else if (what === 18 && log.logEndOffset - log.logStartOffset > 4)
      log.truncateTo(log.logEndOffset - below(3));
    world.time.tick();
    if (below(10) > 0) continue;
    await log.flush();
    const wanted = [producersOf(log), log.abortedTransactions(log.logStartOffset, 1e9)];
    const isClean = below(2) === 0;
    if (isClean) await log.close();
    const { logStartOffset } = log;
    log = world.open(settings, { cleanShutdown: isClean, recoveryPoint: log.recoveryPoint, logStartOffset });
    expect([producersOf(log), log.abortedTransactions(logStartOffset, 1e9)]).toEqual(wanted);
  }
  expect(log.activeProducers().length).toBe(5);
});

test('an abort whose write fails is taken back, also where earlier ones left with their segments meanwhile', async () => {
  const world = new World();
  const log = world.open({ retentionMs: -1 });
  append(log, transactional(7n, 0));
  end(log, 7n, true);
  log.roll();
  append(log, transactional(7n, 1));
  world.time.tick();
  await settle();
  end(log, 7n, true);
  log.updateHighWatermark(2);
  log.deleteRecordsBefore(2);
  world.storage.failing = { operation: 'write', match: '.log', code: 'ENOSPC' };
  world.time.tick();
  world.storage.failing = undefined;
  expect(log.abortedTransactions(0, 10)).toEqual([]);
  end(log, 7n, true);
  world.time.tick();
  expect(log.abortedTransactions(0, 10)).toMatchObject([{ firstOffset: 2, lastOffset: 3 }]);
});

test('what was aborted below the log start is known again where a crash brings back an earlier one', async () => {
  const world = new World();
  const log = world.open({ retentionMs: -1 });
  append(log, transactional(7n, 0));
  world.time.tick();
  end(log, 7n, true);
  append(log, batch(['kept']));
  world.time.tick();
  log.updateHighWatermark(log.logEndOffset);
  log.deleteRecordsBefore(2);
  log.roll();
  world.time.tick();
  await settle();
  const { recoveryPoint, logEndOffset } = log;
  await log.close();
  const again = world.open({ retentionMs: -1 }, { cleanShutdown: false, recoveryPoint, logStartOffset: 0 });
  expect([recoveryPoint, again.logStartOffset, again.logEndOffset]).toEqual([3, 0, logEndOffset]);
  expect(again.abortedTransactions(0, 10)).toMatchObject([{ firstOffset: 0, lastOffset: 1 }]);
});
