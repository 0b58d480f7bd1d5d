import { describe, expect, it } from 'vitest';
import { UNHURRIED_MS } from '../../../src/coordinator/runtime/result.ts';
import { Errors } from '../../../src/protocol/errors.ts';
import type { ListTransactionsRequest } from '../../../src/protocol/messages/list-transactions.ts';
import { turnOver } from './support.ts';
import { TransactionWorld } from './transaction-world.ts';

describe('markers', () => {
  it('are tried again until each partition has them', async () => {
    const world = new TransactionWorld();
    const producer = await world.init('x');
    world.add('x', producer, ['t-0', 't-1', 'u-0', 'u-1']);
    world.partitions.codes.set('t-1', Errors.NOT_LEADER_OR_FOLLOWER);
    world.partitions.codes.set('u-0', Errors.UNKNOWN_SERVER_ERROR);
    world.partitions.codes.set('u-1', Errors.COORDINATOR_LOAD_IN_PROGRESS);
    expect((await world.end('x', producer, 'commit')).errorCode).toBe(Errors.NONE);
    world.time.advance(10_000);
    expect(world.partitions.taken).toEqual(['commit 1000/0 t-0']);
    expect(await world.stateOf('x')).toBe('PrepareCommit 1000/0');
    world.partitions.codes.clear();
    world.time.advance(100);
    expect(world.partitions.taken.toSorted()).toEqual([
      'commit 1000/0 t-0',
      'commit 1000/0 t-1',
      'commit 1000/0 u-0',
      'commit 1000/0 u-1',
    ]);
    expect(await world.stateOf('x')).toBe('CompleteCommit 1000/0');
  });

  it('are not needed where the partition was deleted or is past the transaction', async () => {
    const world = new TransactionWorld();
    const producer = await world.init('x');
    world.add('x', producer, ['t-0', 't-1', 'u-0']);
    world.deleted.add('t-0');
    world.partitions.codes.set('t-1', Errors.UNKNOWN_TOPIC_OR_PARTITION);
    world.partitions.codes.set('u-0', Errors.INVALID_PRODUCER_EPOCH);
    await world.end('x', producer, 'abort');
    expect(await world.stateOf('x')).toBe('PrepareAbort 1000/0');
    world.deleted.add('t-1');
    world.time.advance(100);
    expect(await world.stateOf('x')).toBe('CompleteAbort 1000/0');
    expect(world.partitions.taken).toEqual([]);
  });

  it('are left to the coordinator that fenced this one', async () => {
    const world = new TransactionWorld();
    const producer = await world.init('x');
    world.add('x', producer, ['t-0']);
    world.partitions.codes.set('t-0', Errors.TRANSACTION_COORDINATOR_FENCED);
    await world.end('x', producer, 'commit');
    world.time.advance(1000);
    expect(world.partitions.asked.length).toBe(1);
    expect(await world.stateOf('x')).toBe('PrepareCommit 1000/0');
  });

  it.each(['commit', 'abort'] as const)('of an acknowledged %s come after a crash', async (what) => {
    for (const version of [0, 2]) {
      const world = new TransactionWorld();
      const producer = await world.init('x');
      world.add('x', producer, ['t-0', '__consumer_offsets-7'], version);
      world.partitions.holds = true;
      expect((await world.end('x', producer, what, version)).errorCode).toBe(Errors.NONE);
      expect(world.partitions.taken).toEqual([]);
      await world.failOver();
      const epoch = version === 2 ? 1 : 0;
      expect(world.partitions.taken).toEqual([
        `${what} 1000/${epoch} t-0`,
        `${what} 1000/${epoch} __consumer_offsets-7`,
      ]);
      const state = what === 'commit' ? 'CompleteCommit' : 'CompleteAbort';
      expect(await world.stateOf('x')).toBe(`${state} 1000/${epoch}`);
    }
  });

  it('go on when the record of completion was lost', async () => {
    const world = new TransactionWorld();
    const producer = await world.init('x');
    world.add('x', producer, ['t-0']);
    world.partitions.holds = true;
    await world.end('x', producer, 'commit');
    world.log.commitsAtOnce = false;
    world.partitions.answer();
    world.time.advance(UNHURRIED_MS);
    world.log.fail(new Error('the disk is gone'));
    world.log.commitsAtOnce = true;
    await turnOver(world.time);
    world.partitions.answer();
    expect(world.partitions.taken).toEqual(['commit 1000/0 t-0', 'commit 1000/0 t-0']);
    expect(await world.stateOf('x')).toBe('CompleteCommit 1000/0');
  });

  it('are known to be written after a stop in order, and after the next step of their producer', async () => {
    for (const how of ['stop', 'next'] as const) {
      const world = new TransactionWorld();
      const producer = await world.init('x');
      world.add('x', producer, ['t-0']);
      await world.end('x', producer, 'commit');
      if (how === 'next') world.add('x', producer, ['t-1']);
      await world.failOver();
      expect(world.partitions.taken).toEqual([]);
      expect(await world.stateOf('x')).toBe(how === 'stop' ? 'CompleteCommit 1000/0' : 'Ongoing 1000/0');
    }
  });

  it('come late where the decision was committed late', async () => {
    const world = new TransactionWorld({ abortTimedOutIntervalMs: 10_000_000 });
    const producer = await world.init('x');
    world.add('x', producer, ['t-0']);
    world.log.commitsAtOnce = false;
    const ended = world.endLater('x', producer, 'commit');
    world.time.advance(100_000);
    expect(ended.value.errorCode).toBe(Errors.COORDINATOR_NOT_AVAILABLE);
    expect(world.partitions.taken).toEqual([]);
    world.log.commitsAtOnce = true;
    world.log.commit();
    await turnOver(world.time);
    expect(world.partitions.taken).toEqual(['commit 1000/0 t-0']);
    expect((await world.end('x', producer, 'commit')).errorCode).toBe(Errors.NONE);
  });

  it('of a coordinator that has resigned stop', async () => {
    const world = new TransactionWorld();
    const producer = await world.init('x');
    world.add('x', producer, ['t-0']);
    world.partitions.codes.set('t-0', Errors.NOT_LEADER_OR_FOLLOWER);
    await world.end('x', producer, 'commit');
    world.coordinator.onResignation(0);
    world.partitions.codes.clear();
    world.time.advance(1_000_000);
    expect(world.partitions.taken).toEqual([]);
    expect(world.time.timersWaiting).toBe(0);
  });
});

describe('timeouts', () => {
  it.each([
    [0, 'abort 1000/1 t-0', 'CompleteAbort 1000/1'],
    [2, 'abort 1000/1 t-0', 'CompleteAbort 1000/1'],
  ])('abort an open transaction and fence its producer (level %d)', async (level, marker, state) => {
    const world = new TransactionWorld();
    world.transactionVersion = level;
    const producer = await world.init('x', { timeoutMs: 25_000 });
    const patient = await world.init('y', { timeoutMs: 100_000 });
    world.add('x', producer, ['t-0']);
    world.add('y', patient, ['t-0']);
    world.time.advance(25_000);
    expect(await world.stateOf('x')).toBe('Ongoing 1000/0');
    world.time.advance(10_000);
    expect(await world.stateOf('x')).toBe(state);
    expect(await world.stateOf('y')).toBe('Ongoing 1001/0');
    expect(world.partitions.taken).toEqual([marker]);
    expect((await world.end('x', producer, 'commit')).errorCode).toBe(Errors.PRODUCER_FENCED);
    expect(world.add('x', producer, ['t-0'])).toBe(Errors.PRODUCER_FENCED);
    // The producer comes back with what it has, and is told that it was overtaken.
    expect((await world.init('x')).producerEpoch).toBe(2);
  });

  it('count from the first partition of a transaction, across coordinators', async () => {
    const world = new TransactionWorld();
    const producer = await world.init('x', { timeoutMs: 25_000 });
    world.time.advance(20_000);
    world.add('x', producer, ['t-0']);
    world.time.advance(15_000);
    world.add('x', producer, ['t-1']);
    await world.failOver();
    world.time.advance(9_000);
    expect(await world.stateOf('x')).toBe('Ongoing 1000/0');
    world.time.advance(15_000);
    expect(await world.stateOf('x')).toBe('CompleteAbort 1000/1');
  });

  it('abort with a new producer id where the epochs are used up', async () => {
    const world = new TransactionWorld();
    let producer = await world.init('x');
    while (producer.producerEpoch < 32_766) producer = await world.init('x');
    world.add('x', producer, ['t-0'], 2);
    world.time.advance(70_001);
    await turnOver(world.time);
    expect(world.partitions.taken).toEqual(['abort 1000/32767 t-0']);
    expect(await world.stateOf('x')).toBe('CompleteAbort 1001/0');
  }, 20_000);
});

describe('transactional ids', () => {
  it('are forgotten when nobody uses them for long', async () => {
    const world = new TransactionWorld();
    const old = await world.init('old');
    const open = await world.init('open', { timeoutMs: 900_000 });
    world.time.advance(604_000_000);
    await world.init('young');
    world.add('open', open, ['t-0']);
    world.time.advance(4_000_000);
    expect(await world.stateOf('old')).toBe(`error ${Errors.TRANSACTIONAL_ID_NOT_FOUND}`);
    expect(await world.stateOf('young')).toBe('Empty 1002/0');
    expect(world.history()).toContain('old gone');
    expect(world.add('old', old, ['t-0'])).toBe(Errors.INVALID_PRODUCER_ID_MAPPING);
    await world.failOver();
    expect(await world.stateOf('old')).toBe(`error ${Errors.TRANSACTIONAL_ID_NOT_FOUND}`);
    expect(await world.init('old', old)).toEqual({ errorCode: 0, producerId: 1003n, producerEpoch: 0 });
  });

  it('stay known while the log is loaded, which clients are told to wait for', async () => {
    const world = new TransactionWorld();
    const producer = await world.init('x');
    world.coordinator.onResignation(0);
    world.coordinator.onElection(0, world.log);
    expect(world.add('x', producer, ['t-0'])).toBe(Errors.COORDINATOR_LOAD_IN_PROGRESS);
    await turnOver(world.time);
    expect(world.add('x', producer, ['t-0'])).toBe(Errors.NONE);
  });

  it('keep ids and versions in tagged fields from level 1 on', async () => {
    const versionOf = async (level: number) => {
      const world = new TransactionWorld();
      world.transactionVersion = level;
      const producer = await world.init('x');
      world.add('x', producer, ['t-0'], 2);
      world.partitions.holds = true;
      await world.end('x', producer, 'commit', 2);
      await world.failOver();
      return world.partitions.asked.map(({ transactionVersion }) => transactionVersion);
    };
    // Without them the client's version is lost with the coordinator.
    expect(await versionOf(0)).toEqual([0]);
    expect(await versionOf(1)).toEqual([2]);
  });
});

describe('a list of transactions', () => {
  it('is narrowed by state, producer, age and pattern', async () => {
    const world = new TransactionWorld();
    const open = await world.init('orders-1', { timeoutMs: 900_000 });
    world.add('orders-1', open, ['t-0']);
    world.time.advance(5000);
    const young = await world.init('orders-2');
    world.add('orders-2', young, ['t-0']);
    await world.init('bills');
    const list = async (given: Partial<ListTransactionsRequest>) => {
      const asked = {
        stateFilters: [],
        producerIdFilters: [],
        durationFilter: -1n,
        transactionalIdPattern: null,
      };
      const listed = world.coordinator.listTransactions({ ...asked, ...given });
      await turnOver(world.time);
      const { transactionStates, unknownStateFilters } = await listed;
      return [...transactionStates.map(({ transactionalId }) => transactionalId), ...unknownStateFilters];
    };
    expect(await list({})).toEqual(['orders-1', 'orders-2', 'bills']);
    expect(await list({ stateFilters: ['Ongoing'] })).toEqual(['orders-1', 'orders-2']);
    expect(await list({ stateFilters: ['Empty', 'nonsense'] })).toEqual(['bills', 'nonsense']);
    expect(await list({ producerIdFilters: [young.producerId] })).toEqual(['orders-2']);
    expect(await list({ durationFilter: 4000n, stateFilters: ['Ongoing'] })).toEqual(['orders-1']);
    expect(await list({ transactionalIdPattern: 'orders-[2-9]|b.*' })).toEqual(['orders-2', 'bills']);
    expect(await list({ transactionalIdPattern: 'orders' })).toEqual([]);
    expect(await list({ transactionalIdPattern: '' })).toHaveLength(3);
    await expect(list({ transactionalIdPattern: '(' })).rejects.toMatchObject({
      code: Errors.INVALID_REGULAR_EXPRESSION,
    });
  });
});
