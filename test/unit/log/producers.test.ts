import { expect, test } from 'vitest';
import { ProducerState } from '../../../src/log/producer-state.ts';
import { applyBatch } from '../../../src/log/producer-updates.ts';
import { Errors, ProtocolError } from '../../../src/protocol/errors.ts';
import { endTxnMarkerBatch } from '../../../src/protocol/record-batch/control.ts';
import { setBaseOffset } from '../../../src/protocol/record-batch/header.ts';
import { append, batch, World } from './fakes.ts';

const id = 7n;
const from = (sequence: number, count = 1, epoch = 0) =>
  batch(
    Array.from({ length: count }, (_, at) => `v${sequence + at}`),
    { producerId: id, producerEpoch: epoch, baseSequence: sequence },
  );
const codeOf = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return Errors.NONE;
};

test('a repeat of one of the last five batches is answered with its first offset', () => {
  const world = new World();
  const log = world.open();
  for (let at = 0; at < 6; at += 1) append(log, from(at * 2, 2));
  world.time.tick();
  const repeat = append(log, from(4, 2));
  expect([repeat.duplicate, repeat.firstOffset, repeat.lastOffset, repeat.state]).toEqual([
    true,
    4,
    5,
    'done',
  ]);
  expect(log.assignedEndOffset).toBe(12);
  expect(codeOf(() => append(log, from(0, 2)))).toBe(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER);
  expect(codeOf(() => append(log, from(4, 1)))).toBe(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER);
});

test('a repeat of a batch that is still staged waits for it, and fails with it', () => {
  const world = new World();
  const log = world.open();
  const first = append(log, from(0));
  const repeat = append(log, from(0));
  expect([repeat.duplicate, repeat.firstOffset, repeat.state]).toEqual([true, 0, 'waits']);
  world.time.tick();
  expect([first.state, repeat.state]).toEqual(['done', 'done']);
  const lost = append(log, from(1));
  const again = append(log, from(1));
  world.storage.failing = { operation: 'write', match: '.log', code: 'ENOSPC' };
  world.time.tick();
  expect([lost.state, again.state]).toEqual(['failed', 'failed']);
  world.storage.failing = undefined;
  expect(append(log, from(1)).firstOffset).toBe(1);
});

test('gaps are refused, an unknown producer may begin anywhere', () => {
  const world = new World();
  const log = world.open();
  expect(append(log, from(42)).firstOffset).toBe(0);
  expect(codeOf(() => append(log, from(44)))).toBe(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER);
  expect(append(log, from(43)).firstOffset).toBe(1);
});

test('a new epoch begins with 0, an old one is refused', () => {
  const world = new World();
  const log = world.open();
  append(log, from(0, 1, 1));
  expect(codeOf(() => append(log, from(1, 1, 2)))).toBe(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER);
  expect(append(log, from(0, 1, 2)).firstOffset).toBe(1);
  expect(codeOf(() => append(log, from(1, 1, 1)))).toBe(Errors.INVALID_PRODUCER_EPOCH);
  expect(codeOf(() => append(log, from(0, 1, 1)))).toBe(Errors.INVALID_PRODUCER_EPOCH);
});

test('sequences go on with 0 after 2^31 - 1', () => {
  const world = new World();
  const log = world.open();
  append(log, from(0x7ffffffe, 2));
  expect(append(log, from(0)).firstOffset).toBe(2);
  const other = new World().open();
  append(other, from(0x7fffffff, 3));
  expect(append(other, from(2)).firstOffset).toBe(3);
});

test('refused batches leave no trace in offsets or state', () => {
  const world = new World();
  const log = world.open();
  append(log, from(0));
  codeOf(() => append(log, from(9)));
  expect([log.assignedEndOffset, append(log, from(1)).firstOffset]).toEqual([1, 1]);
});

test('a failed write takes back exactly the batches that it lost', () => {
  const world = new World();
  const log = world.open();
  for (let at = 0; at < 6; at += 1) append(log, from(at));
  world.time.tick();
  for (let at = 6; at < 9; at += 1) append(log, from(at));
  world.storage.failing = { operation: 'write', match: '.log', code: 'ENOSPC' };
  world.time.tick();
  world.storage.failing = undefined;
  expect(log.activeProducers().map((one) => one.lastSequence)).toEqual([5]);
  expect(append(log, from(1)).duplicate).toBe(true);
  expect(append(log, from(6)).firstOffset).toBe(6);
});

test('after a clean stop the last batch of each producer is known, as in Apache', async () => {
  const world = new World();
  const log = world.open();
  for (let at = 0; at < 7; at += 1) append(log, from(at));
  world.time.tick();
  await log.close();
  const again = world.open({}, { cleanShutdown: true });
  expect(append(again, from(6)).duplicate).toBe(true);
  expect(codeOf(() => append(again, from(5)))).toBe(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER);
  expect(append(again, from(7)).firstOffset).toBe(7);
});

test('after a crash the last five are, so that what was not acknowledged may be sent again', () => {
  const world = new World();
  const log = world.open();
  for (let at = 0; at < 7; at += 1) append(log, from(at));
  world.time.tick();
  const again = world.open();
  expect(append(again, from(2)).duplicate).toBe(true);
  expect(codeOf(() => append(again, from(1)))).toBe(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER);
  expect(append(again, from(7)).firstOffset).toBe(7);
});

test('producers expire, but not those with an open transaction', () => {
  const world = new World();
  const log = world.open();
  append(log, from(0));
  append(log, batch(['t'], { producerId: 8n, producerEpoch: 0, baseSequence: 0, isTransactional: true }));
  world.time.tick();
  world.time.nowMs += 24 * 3600_000;
  log.producers.expire(world.time.nowMs, 24 * 60 * 60 * 1000);
  expect(log.activeProducers().map((one) => one.producerId)).toEqual([8n]);
});

test('ids beyond 53 bits are told apart', () => {
  const world = new World();
  const log = world.open();
  const big = { producerEpoch: 0, baseSequence: 0 };
  append(log, batch(['a'], { ...big, producerId: 2n ** 62n }));
  const other = append(log, batch(['b'], { ...big, producerId: 2n ** 62n + 1n }));
  expect([other.duplicate, other.firstOffset]).toEqual([false, 1]);
});

test('an open transaction holds the last stable offset until its marker is replicated', () => {
  const world = new World();
  const log = world.open();
  append(log, batch(['plain']));
  const txn = { producerId: 9n, producerEpoch: 0, isTransactional: true };
  append(log, batch(['t0'], { ...txn, baseSequence: 0 }));
  append(log, batch(['t1'], { ...txn, baseSequence: 1 }));
  world.time.tick();
  log.updateHighWatermark(3);
  expect([log.highWatermark, log.lastStableOffset]).toEqual([3, 1]);
  expect(codeOf(() => append(log, batch(['x'], { ...txn, isTransactional: false, baseSequence: 2 })))).toBe(
    Errors.INVALID_TXN_STATE,
  );
  const marker = (committed: boolean, producerEpoch = 0, coordinatorEpoch = 5) =>
    endTxnMarkerBatch({ committed, producerId: 9n, producerEpoch, coordinatorEpoch, timestamp: 1n });
  const done = () => {};
  log.appendAsLeader(marker(false), 0, { origin: 'coordinator', done });
  expect(log.lastStableOffset).toBe(1);
  world.time.tick();
  expect(log.lastStableOffset).toBe(1);
  log.updateHighWatermark(4);
  expect(log.lastStableOffset).toBe(4);
  expect(log.abortedTransactions(0, 10)).toEqual([
    { producerId: 9n, firstOffset: 1, lastOffset: 3, lastStableOffset: 4 },
  ]);
  expect(log.abortedTransactions(4, 10)).toEqual([]);
  expect(codeOf(() => log.appendAsLeader(marker(true, 0, 4), 0, { origin: 'coordinator', done }))).toBe(
    Errors.TRANSACTION_COORDINATOR_FENCED,
  );
  expect(codeOf(() => log.appendAsLeader(marker(true), 0, { origin: 'client', done }))).toBe(
    Errors.INVALID_RECORD,
  );
});

test('a failed marker leaves the transaction open', () => {
  const world = new World();
  const log = world.open();
  const txn = { producerId: 9n, producerEpoch: 0, isTransactional: true, baseSequence: 0 };
  append(log, batch(['t0'], txn));
  world.time.tick();
  log.updateHighWatermark(1);
  const marker = endTxnMarkerBatch({
    committed: false,
    producerId: 9n,
    producerEpoch: 0,
    coordinatorEpoch: 1,
    timestamp: 1n,
  });
  log.appendAsLeader(marker, 0, { origin: 'coordinator', done: () => {} });
  world.storage.failing = { operation: 'write', match: '.log' };
  world.time.tick();
  expect([
    log.lastStableOffset,
    log.abortedTransactions(0, 9),
    log.activeProducers()[0]?.currentTxnStartOffset,
  ]).toEqual([0, [], 0]);
});

test('what several batches of one write did to a producer is taken back whole', () => {
  const producers = new ProducerState();
  let offset = 0;
  const next = (bytes: Buffer): void => {
    setBaseOffset(bytes, 0, offset);
    offset += 1;
    applyBatch(producers, bytes, 0, true);
  };
  const data = (producerId: bigint, baseSequence: number, isTransactional: boolean) =>
    next(batch(['v'], { producerId, producerEpoch: 0, baseSequence, isTransactional }));
  const marker = (producerId: bigint, committed: boolean) =>
    next(endTxnMarkerBatch({ committed, producerId, producerEpoch: 0, coordinatorEpoch: 0, timestamp: 1n }));
  const seen = () => {
    const { entries, unreplicated, aborted } = producers.dump();
    const plain = entries
      .map(({ copiedAt: _, ...rest }) => rest)
      .sort((a, b) => Number(a.key) - Number(b.key));
    return structuredClone({ plain, unreplicated, aborted, unstable: producers.firstUnstableOffset });
  };
  data(1n, 0, false);
  data(2n, 0, true);
  producers.settle();
  const steps: readonly (() => void)[] = [
    () => data(1n, 1, false),
    () => data(1n, 2, true),
    () => marker(1n, false),
    () => data(2n, 1, true),
    () => marker(2n, true),
    () => data(3n, 0, true),
  ];
  // Each row is one write, which fails: numbers of the steps that it takes.
  for (const write of [
    [0, 0],
    [1, 2, 1],
    [3, 3, 4, 3],
    [5, 1, 3],
    [1, 2, 1, 2, 0],
    [4, 3, 4, 3, 5, 1, 2],
  ]) {
    const before = seen();
    for (const at of write) steps[at]!();
    expect(seen()).not.toEqual(before);
    producers.rollBack();
    expect(seen()).toEqual(before);
  }
  data(2n, 1, true);
  producers.settle();
  const before = seen();
  data(2n, 2, true);
  data(2n, 3, true);
  producers.rollBack();
  expect(seen()).toEqual(before);
});
