import { expect, test } from 'vitest';
import type { PartitionLog } from '../../../src/log/log.ts';
import { Errors, ProtocolError } from '../../../src/protocol/errors.ts';
import { endTxnMarkerBatch } from '../../../src/protocol/record-batch/control.ts';
import { append, batch, valuesFrom, World } from './fakes.ts';

/** What was seen to go wrong elsewhere with producers and transactions. */

const small = { segmentBytes: 300, retentionMs: -1 };
const idempotent = (sequence: number, value = `v${sequence}`) =>
  batch([value], { producerId: 7n, producerEpoch: 0, baseSequence: sequence });
const transactional = (producerId: bigint, sequence: number, producerEpoch = 0) =>
  batch([`t${producerId}-${sequence}`], {
    producerId,
    producerEpoch,
    baseSequence: sequence,
    isTransactional: true,
  });

function end(log: PartitionLog, producerId: bigint, committed: boolean): void {
  const marker = endTxnMarkerBatch({
    producerId,
    producerEpoch: 0,
    coordinatorEpoch: 0,
    committed,
    timestamp: 1n,
  });
  log.appendAsLeader(marker, 0, { origin: 'coordinator', done: () => {} });
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

test('lost write behind a false duplicate answer: what was not written, or was cut, is no duplicate', async () => {
  const world = new World();
  const log = world.open();
  append(log, idempotent(0));
  world.time.tick();
  const lost = append(log, idempotent(1));
  world.storage.failing = { operation: 'write', match: '.log', code: 'ENOSPC' };
  world.time.tick();
  world.storage.failing = undefined;
  expect(lost.state).toBe('failed');
  const again = append(log, idempotent(1));
  world.time.tick();
  expect([again.duplicate, again.state]).toEqual([false, 'done']);
  append(log, idempotent(2));
  world.time.tick();
  log.truncateTo(1);
  const cut = append(log, idempotent(1));
  expect([cut.duplicate, cut.firstOffset]).toEqual([false, 1]);
  // What was behind it was cut, too: it does not follow yet.
  expect(codeOf(() => append(log, idempotent(3)))).toBe(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER);
  append(log, idempotent(2));
  world.time.tick();
  expect(await valuesFrom(log, 0)).toEqual(['v0', 'v1', 'v2']);
});

test('aborted records shown after a restart: each of several in a row knows what was aborted', async () => {
  const world = new World();
  let log = world.open(small);
  for (let round = 0; round < 3; round += 1) {
    append(log, transactional(8n, round));
    append(log, transactional(9n, round));
    end(log, 8n, false);
    end(log, 9n, true);
  }
  world.time.tick();
  const wanted = log.abortedTransactions(0, 100);
  expect(wanted).toHaveLength(3);
  // Killed; killed again after a sync; without power; stopped in order.
  log = world.open(small);
  expect(log.abortedTransactions(0, 100)).toEqual(wanted);
  await log.flush();
  const { recoveryPoint } = log;
  log = world.open(small, { recoveryPoint });
  expect(log.abortedTransactions(0, 100)).toEqual(wanted);
  await log.flush();
  world.storage.crash();
  log = world.open(small, { recoveryPoint });
  expect(log.abortedTransactions(0, 100)).toEqual(wanted);
  await log.close();
  expect(world.open(small, { cleanShutdown: true }).abortedTransactions(0, 100)).toEqual(wanted);
});

test('offsets wrong after truncation: a transaction whose marker was cut is open again', () => {
  const world = new World();
  const log = world.open();
  append(log, batch(['plain']));
  append(log, transactional(8n, 0));
  append(log, transactional(9n, 0));
  end(log, 9n, true);
  end(log, 8n, false);
  world.time.tick();
  log.updateHighWatermark(5);
  expect([log.lastStableOffset, log.abortedTransactions(0, 9).length]).toEqual([5, 1]);
  log.truncateTo(4);
  log.updateHighWatermark(4);
  expect([log.lastStableOffset, log.abortedTransactions(0, 9)]).toEqual([1, []]);
  log.truncateTo(2);
  log.updateHighWatermark(2);
  expect([log.lastStableOffset, log.highWatermark]).toEqual([1, 2]);
  end(log, 8n, false);
  world.time.tick();
  log.updateHighWatermark(3);
  expect([log.lastStableOffset, log.abortedTransactions(0, 9).map((one) => one.lastOffset)]).toEqual([
    3,
    [2],
  ]);
});

test('a transaction that hangs holds the last stable offset through restarts, until an operator ends it', async () => {
  const world = new World();
  const log = world.open(small);
  append(log, transactional(8n, 0));
  for (let at = 0; at < 4; at += 1) append(log, idempotent(at));
  world.time.tick();
  await log.close();
  const again = world.open(small, { cleanShutdown: true });
  again.updateHighWatermark(again.logEndOffset);
  expect(again.lastStableOffset).toBe(0);
  again.producers.expire(world.time.nowMs + 1e12, 1);
  const [hanging] = again.activeProducers().filter((one) => one.currentTxnStartOffset >= 0);
  expect(hanging).toMatchObject({
    producerId: 8n,
    producerEpoch: 0,
    currentTxnStartOffset: 0,
    coordinatorEpoch: -1,
  });
  end(again, hanging!.producerId, false);
  world.time.tick();
  again.updateHighWatermark(again.logEndOffset);
  expect(again.lastStableOffset).toBe(again.logEndOffset);
});
