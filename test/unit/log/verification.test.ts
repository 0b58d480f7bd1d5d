import { expect, test } from 'vitest';
import type { PartitionLog } from '../../../src/log/log.ts';
import type { VerificationGuard } from '../../../src/log/verification.ts';
import { Errors, ProtocolError } from '../../../src/protocol/errors.ts';
import { endTxnMarkerBatch } from '../../../src/protocol/record-batch/control.ts';
import { batch, World } from './fakes.ts';

const ID = 9n;
const done = () => {};

/** A producer whose transactions go to one partition. */
class Producer {
  readonly log: PartitionLog;
  epoch = 0;
  readonly isV2: boolean;

  constructor(log: PartitionLog, isV2 = false) {
    this.log = log;
    this.isV2 = isV2;
  }

  verify(sequence = 0, epoch = this.epoch): VerificationGuard | undefined {
    const producer = { producerId: ID, epoch, sequence, supportsEpochBump: this.isV2 };
    return this.log.producers.startVerification(producer, 0);
  }

  send(sequence: number, guard: VerificationGuard | undefined, epoch = this.epoch): number {
    const producer = { producerId: ID, producerEpoch: epoch, baseSequence: sequence };
    const bytes = batch(['v'], { ...producer, isTransactional: true });
    return codeOf(() =>
      this.log.appendAsLeader(bytes, 0, { origin: 'client', done, transaction: { guard } }),
    );
  }

  end(epoch = this.epoch, coordinatorEpoch = 0): number {
    const marker = { committed: true, producerId: ID, producerEpoch: epoch, coordinatorEpoch, timestamp: 1n };
    const transactionVersion = this.isV2 ? 2 : 0;
    return codeOf(() =>
      this.log.appendAsLeader(endTxnMarkerBatch(marker), 0, {
        origin: 'coordinator',
        done,
        transactionVersion,
      }),
    );
  }
}

function codeOf(run: () => unknown): number {
  try {
    run();
    return Errors.NONE;
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
}

test('the first batch of a transaction needs a verification, the ones behind it none', () => {
  const producer = new Producer(new World().open());
  expect(producer.send(0, undefined)).toBe(Errors.INVALID_TXN_STATE);
  const guard = producer.verify();
  expect(producer.send(0, guard)).toBe(Errors.NONE);
  expect(producer.verify(1)).toBeUndefined();
  expect(producer.send(1, undefined)).toBe(Errors.NONE);
  producer.end();
  expect(producer.send(2, undefined)).toBe(Errors.INVALID_TXN_STATE);
});

test('torn transaction by a delayed produce: what was verified before the marker opens nothing after it', () => {
  const producer = new Producer(new World().open());
  const before = producer.verify();
  expect(producer.end()).toBe(Errors.NONE);
  expect(producer.send(0, before)).toBe(Errors.INVALID_TXN_STATE);
  const after = producer.verify();
  expect(after).not.toBe(before);
  expect(producer.send(0, before)).toBe(Errors.INVALID_TXN_STATE);
  expect(producer.send(0, after)).toBe(Errors.NONE);
});

test('in version 2 a late marker of the transaction before leaves the verification of the next one be', () => {
  const producer = new Producer(new World().open(), true);
  producer.send(0, producer.verify());
  // The coordinator raised the epoch with the end; the marker that carries it is on its way.
  const guard = producer.verify(0, 1);
  expect(producer.end(1)).toBe(Errors.NONE);
  expect(producer.send(0, guard, 1)).toBe(Errors.NONE);
});

test('in version 2 a delayed batch of the transaction before is too old, whatever it was verified with', () => {
  const producer = new Producer(new World().open(), true);
  const guard = producer.verify();
  expect(producer.end(1)).toBe(Errors.NONE);
  expect(producer.send(0, guard)).toBe(Errors.INVALID_PRODUCER_EPOCH);
  expect(codeOf(() => producer.verify())).toBe(Errors.INVALID_PRODUCER_EPOCH);
});

test('in version 2 a marker comes once for each epoch; its repeat is fine while nothing is open', () => {
  const producer = new Producer(new World().open(), true);
  producer.send(0, producer.verify());
  expect(producer.end(0)).toBe(Errors.INVALID_PRODUCER_EPOCH);
  expect([producer.end(1), producer.end(1)]).toEqual([Errors.NONE, Errors.NONE]);
  producer.send(0, producer.verify(0, 1), 1);
  expect(producer.end(1)).toBe(Errors.INVALID_PRODUCER_EPOCH);
  expect(producer.end(2)).toBe(Errors.NONE);
});

test('a later batch does not overtake one that was refused for now', () => {
  const producer = new Producer(new World().open());
  producer.verify(0);
  const guard = producer.verify(5);
  expect(producer.send(5, guard)).toBe(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER);
  expect([producer.send(0, guard), producer.send(1, undefined)]).toEqual([Errors.NONE, Errors.NONE]);
  // A new epoch begins anew.
  producer.end();
  producer.verify(2);
  const next = producer.verify(0, 1);
  expect(producer.send(0, next, 1)).toBe(Errors.NONE);
});

test('a late repeat of a batch that is known keeps nobody from going on', () => {
  const producer = new Producer(new World().open());
  producer.send(0, producer.verify());
  producer.send(1, undefined);
  producer.end();
  producer.verify(0);
  expect(producer.send(2, producer.verify(2))).toBe(Errors.NONE);
});

test('without state a transaction of version 2 begins with sequence 0, one of version 1 anywhere', () => {
  const v2 = new Producer(new World().open(), true);
  expect(v2.send(3, v2.verify(3))).toBe(Errors.OUT_OF_ORDER_SEQUENCE_NUMBER);
  const v1 = new Producer(new World().open());
  expect(v1.send(3, v1.verify(3))).toBe(Errors.NONE);
});

test('a transaction that is open with an older epoch must be verified anew', () => {
  const producer = new Producer(new World().open());
  producer.send(0, producer.verify());
  expect(producer.send(0, undefined, 1)).toBe(Errors.INVALID_TXN_STATE);
  expect(producer.send(0, producer.verify(0, 1), 1)).toBe(Errors.NONE);
});

test('a verification that nothing followed is forgotten with the producers', () => {
  const { log } = new Producer(new World().open());
  const producer = new Producer(log);
  const guard = producer.verify();
  log.producers.expire(1000, 1000);
  expect(producer.send(0, guard)).toBe(Errors.INVALID_TXN_STATE);
});

test('producers that only ask take no more memory than ten thousand of them', () => {
  const { log } = new Producer(new World().open());
  const producer = new Producer(log);
  const first = producer.verify();
  for (let id = 100; id < 10_100; id++) {
    const asking = { producerId: BigInt(id), epoch: 0, sequence: 0, supportsEpochBump: false };
    log.producers.startVerification(asking, 0);
  }
  expect(producer.send(0, first)).toBe(Errors.INVALID_TXN_STATE);
  expect(producer.send(0, producer.verify())).toBe(Errors.NONE);
});

test('aborted transactions come by their first offsets, whatever order they ended in', () => {
  const log = new World().open();
  const data = (producerId: bigint) => {
    const bytes = batch(['v'], { producerId, producerEpoch: 0, baseSequence: 0, isTransactional: true });
    log.appendAsLeader(bytes, 0, { origin: 'client', done });
  };
  const abort = (producerId: bigint) => {
    const marker = { committed: false, producerId, producerEpoch: 0, coordinatorEpoch: 0, timestamp: 1n };
    log.appendAsLeader(endTxnMarkerBatch(marker), 0, { origin: 'coordinator', done });
  };
  for (const id of [1n, 2n, 3n]) data(id);
  for (const id of [3n, 1n, 2n]) abort(id);
  data(4n);
  abort(4n);
  const firsts = (from: number, to: number) =>
    log.abortedTransactions(from, to).map((one) => one.firstOffset);
  expect(firsts(0, 100)).toEqual([0, 1, 2, 6]);
  expect([firsts(0, 1), firsts(0, 6), firsts(4, 6), firsts(6, 7)]).toEqual([[0], [0, 1, 2], [0, 1], [6]]);
});
