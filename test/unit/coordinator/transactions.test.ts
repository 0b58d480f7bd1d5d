import { describe, expect, it } from 'vitest';
import { Errors } from '../../../src/protocol/errors.ts';
import { turnOver } from './support.ts';
import { NOBODY, TransactionWorld } from './transaction-world.ts';

describe('InitProducerId', () => {
  it('gives an id of its own to each transactional id, and a new epoch each time', async () => {
    const world = new TransactionWorld();
    expect(await world.init('x')).toEqual({ errorCode: 0, producerId: 1000n, producerEpoch: 0 });
    expect(await world.init('y')).toEqual({ errorCode: 0, producerId: 1001n, producerEpoch: 0 });
    expect(await world.init('x')).toEqual({ errorCode: 0, producerId: 1000n, producerEpoch: 1 });
    await world.failOver();
    expect(await world.init('x')).toEqual({ errorCode: 0, producerId: 1000n, producerEpoch: 2 });
  });

  it('refuses what can not be asked for', async () => {
    const world = new TransactionWorld();
    const code = async (id: string, given: Parameters<typeof world.init>[1]) =>
      (await world.init(id, given)).errorCode;
    expect(await code('', {})).toBe(Errors.INVALID_REQUEST);
    expect(await code('x', { timeoutMs: 0 })).toBe(Errors.INVALID_TRANSACTION_TIMEOUT);
    expect(await code('x', { timeoutMs: 900_001 })).toBe(Errors.INVALID_TRANSACTION_TIMEOUT);
    expect(await code('x', { timeoutMs: 900_000 })).toBe(Errors.NONE);
    expect(await code('x', { isTwoPhaseCommit: true })).toBe(Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    expect(await code('x', { keepsPrepared: true })).toBe(Errors.UNSUPPORTED_VERSION);
    world.producerIdsFail = true;
    expect(await code('y', {})).toBe(Errors.COORDINATOR_LOAD_IN_PROGRESS);
    world.coordinator.onResignation(0);
    expect(await code('x', {})).toBe(Errors.NOT_COORDINATOR);
  });

  it('gives a transaction in a two-phase commit no timeout where that is allowed', async () => {
    const world = new TransactionWorld({ twoPhaseCommitEnable: true });
    const producer = await world.init('x', { isTwoPhaseCommit: true, timeoutMs: 0 });
    expect(producer.errorCode).toBe(Errors.NONE);
    world.add('x', producer, ['t-0']);
    world.time.advance(1_000_000_000);
    expect(await world.stateOf('x')).toBe('Ongoing 1000/0');
  });

  it('lets a producer go on from its id and epoch, and fences the one that was overtaken (KIP-360)', async () => {
    const world = new TransactionWorld();
    const first = await world.init('x');
    const second = await world.init('x', first);
    expect(second).toEqual({ errorCode: 0, producerId: 1000n, producerEpoch: 1 });
    // The answer was lost: the same question again gets the same answer.
    expect(await world.init('x', first)).toEqual(second);
    const other = await world.init('x');
    expect(other.producerEpoch).toBe(2);
    expect((await world.init('x', first)).errorCode).toBe(Errors.PRODUCER_FENCED);
    expect((await world.init('x', second)).errorCode).toBe(Errors.PRODUCER_FENCED);
    expect((await world.init('x', { producerId: 77n, producerEpoch: 2 })).errorCode).toBe(
      Errors.PRODUCER_FENCED,
    );
    expect((await world.init('x', other)).producerEpoch).toBe(3);
    // Nobody is known by this transactional id any more: a new id is safe.
    expect(await world.init('new', { producerId: 5n, producerEpoch: 3 })).toEqual({
      errorCode: 0,
      producerId: 1001n,
      producerEpoch: 0,
    });
  });

  it('changes the producer id once its epochs are used up', async () => {
    const world = new TransactionWorld();
    let producer = await world.init('x');
    while (producer.producerEpoch < 32_766) producer = await world.init('x');
    // One that asks again with the epoch before still finds its answer.
    expect(await world.init('x')).toEqual({ errorCode: 0, producerId: 1001n, producerEpoch: 0 });
    expect((await world.init('x', producer)).errorCode).toBe(Errors.PRODUCER_FENCED);

    let other = await world.init('y');
    const { producerId } = other;
    while (other.producerEpoch < 32_766) other = await world.init('y', other);
    const again = { producerId, producerEpoch: 32_765 };
    expect(await world.init('y', again)).toEqual(other);
    const rotated = await world.init('y', other);
    expect(rotated.producerEpoch).toBe(0);
    expect(rotated.producerId).not.toBe(producerId);
    expect(await world.init('y', other)).toEqual(rotated);
  }, 20_000);

  it('aborts the transaction that the producer before left open, and lets the client ask again', async () => {
    const world = new TransactionWorld();
    world.transactionVersion = 0;
    const zombie = await world.init('x');
    world.add('x', zombie, ['t-0', 't-1']);
    world.partitions.holds = true;
    expect(await world.init('x')).toEqual({ errorCode: Errors.CONCURRENT_TRANSACTIONS, ...NOBODY });
    expect(await world.init('x')).toEqual({ errorCode: Errors.CONCURRENT_TRANSACTIONS, ...NOBODY });
    expect(await world.stateOf('x')).toBe('PrepareAbort 1000/1');
    world.partitions.answer();
    expect(await world.init('x')).toEqual({ errorCode: 0, producerId: 1000n, producerEpoch: 2 });
    expect(world.partitions.taken).toEqual(['abort 1000/1 t-0', 'abort 1000/1 t-1']);
    expect((await world.end('x', zombie, 'commit')).errorCode).toBe(Errors.PRODUCER_FENCED);
    expect(world.add('x', zombie, ['t-2'])).toBe(Errors.PRODUCER_FENCED);
  });

  it('fences with the last epoch, and goes on with a new producer id', async () => {
    const world = new TransactionWorld();
    world.transactionVersion = 1;
    let producer = await world.init('x');
    while (producer.producerEpoch < 32_766) producer = await world.init('x');
    world.add('x', producer, ['t-0']);
    expect((await world.init('x')).errorCode).toBe(Errors.CONCURRENT_TRANSACTIONS);
    expect(world.partitions.taken).toEqual(['abort 1000/32767 t-0']);
    expect(await world.init('x')).toEqual({ errorCode: 0, producerId: 1001n, producerEpoch: 0 });
  }, 20_000);
});

describe('a transaction', () => {
  it('is written down at each step as Apache Kafka does', async () => {
    const world = new TransactionWorld();
    const producer = await world.init('x');
    expect(world.add('x', producer, ['t-0'])).toBe(Errors.NONE);
    expect(world.add('x', producer, ['t-0', 'u-3'])).toBe(Errors.NONE);
    // Known already: nothing to write.
    expect(world.add('x', producer, ['u-3'])).toBe(Errors.NONE);
    expect(await world.end('x', producer, 'commit')).toEqual({ errorCode: 0, ...NOBODY });
    expect(world.add('x', producer, ['t-1'])).toBe(Errors.NONE);
    expect(await world.end('x', producer, 'abort')).toEqual({ errorCode: 0, ...NOBODY });
    expect(world.history()).toEqual([
      'x Empty 1000/0',
      'x Ongoing 1000/0 t-0',
      'x Ongoing 1000/0 t-0 u-3',
      'x PrepareCommit 1000/0 t-0 u-3',
      'x CompleteCommit 1000/0',
      'x Ongoing 1000/0 t-1',
      'x PrepareAbort 1000/0 t-1',
      'x CompleteAbort 1000/0',
    ]);
    expect(world.partitions.taken).toEqual(['commit 1000/0 t-0', 'commit 1000/0 u-3', 'abort 1000/0 t-1']);
    expect(world.partitions.asked.map(({ coordinatorEpoch }) => coordinatorEpoch)).toEqual([7, 7]);
  });

  it('answers an end that was asked for again by what became of it', async () => {
    const world = new TransactionWorld();
    const producer = await world.init('x');
    const code = async (what: 'commit' | 'abort') => (await world.end('x', producer, what)).errorCode;
    expect(await code('commit')).toBe(Errors.INVALID_TXN_STATE);
    world.add('x', producer, ['t-0']);
    world.partitions.holds = true;
    expect(await code('commit')).toBe(Errors.NONE);
    expect(await code('commit')).toBe(Errors.CONCURRENT_TRANSACTIONS);
    expect(await code('abort')).toBe(Errors.CONCURRENT_TRANSACTIONS);
    expect(world.add('x', producer, ['t-1'])).toBe(Errors.CONCURRENT_TRANSACTIONS);
    world.partitions.answer();
    expect(await code('commit')).toBe(Errors.NONE);
    expect(await code('abort')).toBe(Errors.INVALID_TXN_STATE);
    world.add('x', producer, ['t-0']);
    expect(await code('abort')).toBe(Errors.NONE);
    world.partitions.answer();
    expect(await code('abort')).toBe(Errors.NONE);
    expect(await code('commit')).toBe(Errors.INVALID_TXN_STATE);
    expect(world.partitions.taken).toEqual(['commit 1000/0 t-0', 'abort 1000/0 t-0']);
  });

  it('belongs to its producer id and epoch', async () => {
    const world = new TransactionWorld();
    const producer = await world.init('x');
    const stranger = { producerId: 5n, producerEpoch: 0 };
    const future = { producerId: 1000n, producerEpoch: 1 };
    expect(world.add('y', producer, ['t-0'])).toBe(Errors.INVALID_PRODUCER_ID_MAPPING);
    expect(world.add('', producer, ['t-0'])).toBe(Errors.INVALID_REQUEST);
    expect(world.add('x', stranger, ['t-0'])).toBe(Errors.INVALID_PRODUCER_ID_MAPPING);
    expect(world.add('x', future, ['t-0'])).toBe(Errors.PRODUCER_FENCED);
    expect((await world.end('y', producer, 'commit')).errorCode).toBe(Errors.INVALID_PRODUCER_ID_MAPPING);
    expect((await world.end('', producer, 'commit')).errorCode).toBe(Errors.INVALID_REQUEST);
    expect((await world.end('x', stranger, 'commit')).errorCode).toBe(Errors.INVALID_PRODUCER_ID_MAPPING);
    expect((await world.end('x', future, 'commit')).errorCode).toBe(Errors.PRODUCER_FENCED);
    world.coordinator.onResignation(0);
    expect(world.add('x', producer, ['t-0'])).toBe(Errors.NOT_COORDINATOR);
    expect((await world.end('x', producer, 'commit')).errorCode).toBe(Errors.NOT_COORDINATOR);
    expect(world.verify('x', producer, ['t-0'])).toEqual({ 't-0': Errors.NOT_COORDINATOR });
  });

  it('verifies which partitions it includes', async () => {
    const world = new TransactionWorld();
    const producer = await world.init('x');
    expect(world.verify('x', producer, ['t-0'])).toEqual({ 't-0': Errors.TRANSACTION_ABORTABLE });
    world.add('x', producer, ['t-0', 'u-1']);
    expect(world.verify('x', producer, ['t-0', 't-1', 'u-1'])).toEqual({
      't-0': Errors.NONE,
      't-1': Errors.TRANSACTION_ABORTABLE,
      'u-1': Errors.NONE,
    });
    const all = (code: number) => ({ 't-0': code });
    expect(world.verify('y', producer, ['t-0'])).toEqual(all(Errors.INVALID_PRODUCER_ID_MAPPING));
    expect(world.verify('x', { ...producer, producerEpoch: 1 }, ['t-0'])).toEqual(
      all(Errors.PRODUCER_FENCED),
    );
    expect(world.verify('', producer, ['t-0'])).toEqual(all(Errors.INVALID_REQUEST));
    world.partitions.holds = true;
    await world.end('x', producer, 'commit');
    expect(world.verify('x', producer, ['t-0'])).toEqual(all(Errors.CONCURRENT_TRANSACTIONS));
    world.partitions.answer();
    expect(world.verify('x', producer, ['t-0'])).toEqual(all(Errors.TRANSACTION_ABORTABLE));
  });

  it('is verified without a wait where all that is known is committed', async () => {
    const world = new TransactionWorld();
    const producer = await world.init('x');
    expect(world.verifyNow('x', producer, 't', 0)).toBe(Errors.TRANSACTION_ABORTABLE);
    expect(world.verifyNow('', producer, 't', 0)).toBe(Errors.INVALID_REQUEST);
    world.addLater('x', producer, ['t-0']);
    expect(world.verifyNow('x', producer, 't', 0)).toBeUndefined();
    world.time.settle();
    expect(world.verifyNow('x', producer, 't', 0)).toBe(Errors.NONE);
    expect(world.verifyNow('x', { ...producer, producerEpoch: 1 }, 't', 0)).toBe(Errors.PRODUCER_FENCED);
    world.coordinator.onResignation(0);
    expect(world.verifyNow('x', producer, 't', 0)).toBeUndefined();
  });

  it('is told of only when its record is committed', async () => {
    const world = new TransactionWorld();
    const producer = await world.init('x');
    world.log.commitsAtOnce = false;
    const added = world.addLater('x', producer, ['t-0']);
    const ended = world.endLater('x', producer, 'commit');
    world.time.settle();
    expect([added.isAnswered, ended.isAnswered]).toEqual([false, false]);
    expect(world.partitions.taken).toEqual([]);
    world.log.commit();
    expect([added.value, ended.value.errorCode]).toEqual([Errors.NONE, Errors.NONE]);
    expect(world.partitions.taken).toEqual(['commit 1000/0 t-0']);
  });

  it('is answered its end before the rest of the tick', async () => {
    const world = new TransactionWorld();
    const producer = await world.init('x');
    world.add('x', producer, ['t-0']);
    let answered: boolean | undefined;
    world.time.later(() => {
      answered = ended.isAnswered;
    });
    const ended = world.endLater('x', producer, 'commit');
    expect(ended.isAnswered).toBe(false);
    world.time.settle();
    expect(answered).toBe(true);
  });

  it('gets no markers where its end was lost with its record', async () => {
    const world = new TransactionWorld();
    const producer = await world.init('x');
    world.add('x', producer, ['t-0']);
    world.log.commitsAtOnce = false;
    const ended = world.endLater('x', producer, 'commit');
    world.time.settle();
    world.log.fail(new Error('the disk is gone'));
    world.log.commitsAtOnce = true;
    await turnOver(world.time);
    expect(ended.value.errorCode).toBe(Errors.NOT_COORDINATOR);
    expect(await world.stateOf('x')).toBe('Ongoing 1000/0');
    expect(world.partitions.taken).toEqual([]);
    expect((await world.end('x', producer, 'abort')).errorCode).toBe(Errors.NONE);
    expect(world.partitions.taken).toEqual(['abort 1000/0 t-0']);
  });

  it('names a transaction that fits into no record', async () => {
    const world = new TransactionWorld();
    const producer = await world.init('x');
    world.log.batchBytesMax = 1000;
    const many = Array.from({ length: 500 }, (_, n) => `t-${n}`);
    expect(world.add('x', producer, many)).toBe(Errors.RECORD_LIST_TOO_LARGE);
    expect(await world.stateOf('x')).toBe('Empty 1000/0');
  });
});

describe('a transaction of version 2', () => {
  async function begun() {
    const world = new TransactionWorld();
    const producer = await world.init('x');
    world.add('x', producer, ['t-0'], 2);
    return { world, producer };
  }

  it('ends with a new epoch, under which its markers are', async () => {
    const { world, producer } = await begun();
    const second = await world.end('x', producer, 'commit', 2);
    expect(second).toEqual({ errorCode: 0, producerId: 1000n, producerEpoch: 1 });
    world.add('x', second, ['t-1'], 2);
    const third = await world.end('x', second, 'abort', 2);
    expect(third).toEqual({ errorCode: 0, producerId: 1000n, producerEpoch: 2 });
    expect(world.partitions.taken).toEqual(['commit 1000/1 t-0', 'abort 1000/2 t-1']);
    expect(world.partitions.asked.map(({ transactionVersion }) => transactionVersion)).toEqual([2, 2]);
    expect(world.add('x', producer, ['t-0'], 2)).toBe(Errors.PRODUCER_FENCED);
  });

  it('answers a retry by the epoch before, and only that', async () => {
    const { world, producer } = await begun();
    world.partitions.holds = true;
    const second = await world.end('x', producer, 'commit', 2);
    const code = async (from: typeof producer, what: 'commit' | 'abort') =>
      (await world.end('x', from, what, 2)).errorCode;
    // Also to the next transaction, which may be aborted before it has begun.
    for (const from of [producer, second]) {
      expect(await code(from, 'commit')).toBe(Errors.CONCURRENT_TRANSACTIONS);
      expect(await code(from, 'abort')).toBe(Errors.CONCURRENT_TRANSACTIONS);
    }
    expect(world.add('x', { producerId: 5n, producerEpoch: 0 }, ['t-0'], 2)).toBe(
      Errors.CONCURRENT_TRANSACTIONS,
    );
    world.partitions.answer();
    expect(await world.end('x', producer, 'commit', 2)).toEqual(second);
    expect(await code(producer, 'abort')).toBe(Errors.INVALID_TXN_STATE);
    expect(await code(second, 'commit')).toBe(Errors.INVALID_TXN_STATE);
    // The producer may not know whether the coordinator has heard of its next transaction: it may abort it anyway.
    const third = await world.end('x', second, 'abort', 2);
    expect(third.producerEpoch).toBe(2);
    expect(await world.end('x', second, 'abort', 2)).toEqual(third);
    expect(await code(second, 'commit')).toBe(Errors.INVALID_TXN_STATE);
    expect(await code(producer, 'abort')).toBe(Errors.PRODUCER_FENCED);
    expect(await code(third, 'commit')).toBe(Errors.INVALID_TXN_STATE);
    expect((await world.end('x', third, 'abort', 2)).producerEpoch).toBe(3);
    expect(world.history().slice(-4)).toEqual([
      'x PrepareAbort 1000/2',
      'x CompleteAbort 1000/2',
      'x PrepareAbort 1000/3',
      'x CompleteAbort 1000/3',
    ]);
  });

  it('may be aborted before it has begun, not committed', async () => {
    const world = new TransactionWorld();
    const producer = await world.init('x');
    expect((await world.end('x', producer, 'commit', 2)).errorCode).toBe(Errors.INVALID_TXN_STATE);
    const second = await world.end('x', producer, 'abort', 2);
    expect(second.producerEpoch).toBe(1);
    expect((await world.describe('x')).transactionStartTimeMs).toBe(BigInt(world.time.wallMs()));
  });

  it('goes on with a new producer id when the epochs are used up', async () => {
    const world = new TransactionWorld();
    let producer = await world.init('x');
    while (producer.producerEpoch < 32_766) producer = await world.init('x');
    world.add('x', producer, ['t-0'], 2);
    const next = await world.end('x', producer, 'commit', 2);
    expect(next).toEqual({ errorCode: 0, producerId: 1001n, producerEpoch: 0 });
    expect(world.partitions.taken).toEqual(['commit 1000/32767 t-0']);
    expect(world.history().slice(-2)).toEqual(['x PrepareCommit 1000/32767 t-0', 'x CompleteCommit 1001/0']);
    expect(await world.end('x', producer, 'commit', 2)).toEqual(next);
    expect(world.add('x', next, ['t-0'], 2)).toBe(Errors.NONE);
    await world.failOver();
    expect((await world.end('x', next, 'commit', 2)).producerEpoch).toBe(1);
  }, 20_000);

  it('is aborted under two new epochs when its producer is fenced', async () => {
    const { world, producer } = await begun();
    expect((await world.init('x')).errorCode).toBe(Errors.CONCURRENT_TRANSACTIONS);
    expect(world.partitions.taken).toEqual(['abort 1000/1 t-0']);
    expect((await world.end('x', producer, 'commit', 2)).errorCode).toBe(Errors.INVALID_TXN_STATE);
    expect((await world.init('x')).producerEpoch).toBe(2);
    expect((await world.end('x', producer, 'commit', 2)).errorCode).toBe(Errors.PRODUCER_FENCED);
  });
});
