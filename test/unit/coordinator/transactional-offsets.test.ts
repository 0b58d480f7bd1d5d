import { describe, expect, it } from 'vitest';
import type { OffsetFetchGroupResponse } from '../../../src/coordinator/index.ts';
import type { TransactionResult } from '../../../src/coordinator/runtime/shard.ts';
import { defaults, type Sparse } from '../../../src/protocol/codec.ts';
import { Errors } from '../../../src/protocol/errors.ts';
import {
  OffsetDeleteRequest,
  type OffsetDeleteResponse,
} from '../../../src/protocol/messages/offset-delete.ts';
import { OffsetFetchRequest } from '../../../src/protocol/messages/offset-fetch.ts';
import {
  TxnOffsetCommitRequest,
  type TxnOffsetCommitResponse,
} from '../../../src/protocol/messages/txn-offset-commit.ts';
import { controlTypeOf, coordinatorEpochOf } from '../../../src/protocol/record-batch/control.ts';
import * as header from '../../../src/protocol/record-batch/header.ts';
import { records } from '../../../src/protocol/record-batch/records.ts';
import { GroupWorld, Pending, protocols } from './group-world.ts';
import { subscription } from './subscription.ts';

const ID = 7n;
const DAY_MS = 24 * 3_600_000;

class TxnWorld extends GroupWorld {
  pend(
    offset: number,
    given: Sparse<TxnOffsetCommitRequest> = {},
    producerId = ID,
    apiVersion = 5,
  ): Pending<TxnOffsetCommitResponse> {
    const pending = new Pending<TxnOffsetCommitResponse>();
    const partitions = [{ partitionIndex: 0, committedOffset: offset, committedMetadata: 'm' }];
    const request = defaults<TxnOffsetCommitRequest>(TxnOffsetCommitRequest, {
      groupId: 'g',
      transactionalId: 'x',
      producerId,
      producerEpoch: 0,
      topics: [{ name: 't', partitions }],
      ...given,
    });
    const write = { producerId, producerEpoch: 0, transaction: undefined };
    this.coordinator.commitTransactionalOffsets(apiVersion, request, write, pending.answer);
    this.time.settle();
    return pending;
  }

  end(result: TransactionResult, producerId = ID): Pending<number> {
    const pending = new Pending<number>();
    const completion = { producerId, producerEpoch: 0, coordinatorEpoch: 3, result, transactionVersion: 0 };
    this.coordinator.completeTransaction(0, completion, pending.answer);
    this.time.settle();
    return pending;
  }

  code(pending: Pending<TxnOffsetCommitResponse>): number {
    return pending.value.topics[0]!.partitions[0]!.errorCode;
  }

  stableCode(): number {
    const pending = new Pending<OffsetFetchGroupResponse>();
    const groups = [{ groupId: 'g', topics: [{ name: 't', partitionIndexes: [0] }] }];
    const request = defaults<OffsetFetchRequest>(OffsetFetchRequest, { groups }).groups[0]!;
    this.coordinator.fetchOffsets(request, true, pending.answer);
    this.time.settle();
    return pending.value.topics[0]!.partitions[0]!.errorCode;
  }
}

describe('offsets of a transaction', () => {
  it('are pending until it commits, here and where another broker takes over', async () => {
    const world = new TxnWorld();
    world.commit({ 't/0': 1 });
    expect(world.code(world.pend(5))).toBe(0);
    expect([world.offsets(), world.stableCode()]).toEqual([{ 't/0': 1 }, Errors.UNSTABLE_OFFSET_COMMIT]);
    await world.failOver();
    expect([world.offsets(), world.stableCode()]).toEqual([{ 't/0': 1 }, Errors.UNSTABLE_OFFSET_COMMIT]);
    expect(world.end('commit').value).toBe(0);
    expect([world.offsets(), world.stableCode()]).toEqual([{ 't/0': 5 }, 0]);
    await world.failOver();
    expect([world.offsets(), world.stableCode()]).toEqual([{ 't/0': 5 }, 0]);
  });

  it('vanish when it aborts', async () => {
    const world = new TxnWorld();
    world.pend(5);
    world.end('abort');
    expect([world.offsets(), world.stableCode()]).toEqual([{}, 0]);
    await world.failOver();
    expect(world.offsets()).toEqual({});
  });

  it('stand in batches of the producer, behind what was gathered before them', () => {
    const world = new TxnWorld();
    world.commit({ 't/0': 1 });
    world.pend(2);
    world.end('commit');
    const seen = world.log.batches.map((bytes) => ({
      producerId: header.producerId(bytes, 0),
      sequence: header.baseSequence(bytes, 0),
      isTransactional: header.isTransactional(bytes, 0),
      isControl: header.isControl(bytes, 0),
    }));
    expect(seen.slice(-2)).toEqual([
      { producerId: ID, sequence: -1, isTransactional: true, isControl: false },
      { producerId: ID, sequence: -1, isTransactional: true, isControl: true },
    ]);
    const [marker] = [...records(world.log.batches.at(-1)!)];
    expect([controlTypeOf(marker!.key), coordinatorEpochOf(marker!.value)]).toEqual([1, 3]);
  });

  it('lose to a later plain commit when they end after it', () => {
    const world = new TxnWorld();
    world.pend(5);
    world.commit({ 't/0': 9 });
    world.end('commit');
    expect(world.offsets()).toEqual({ 't/0': 9 });
  });

  it('of two producers are told apart', () => {
    const world = new TxnWorld();
    world.pend(5);
    world.pend(6, {}, 8n);
    world.end('abort');
    expect([world.offsets(), world.stableCode()]).toEqual([{}, Errors.UNSTABLE_OFFSET_COMMIT]);
    world.end('commit', 8n);
    expect([world.offsets(), world.stableCode()]).toEqual([{ 't/0': 6 }, 0]);
  });

  it('are refused without a trace when the log refuses them', () => {
    const world = new TxnWorld();
    world.commit({ 't/0': 1 });
    world.log.refusal = Errors.INVALID_TXN_STATE;
    expect(world.code(world.pend(5))).toBe(Errors.INVALID_TXN_STATE);
    expect([world.offsets(), world.stableCode()]).toEqual([{ 't/0': 1 }, 0]);
    expect(world.code(world.pend(6))).toBe(0);
    world.log.refusal = Errors.TRANSACTION_COORDINATOR_FENCED;
    expect(world.end('commit').value).toBe(Errors.TRANSACTION_COORDINATOR_FENCED);
    expect(world.stableCode()).toBe(Errors.UNSTABLE_OFFSET_COMMIT);
    world.end('commit');
    expect(world.offsets()).toEqual({ 't/0': 6 });
  });

  it('and their markers are answered when they are committed', () => {
    const world = new TxnWorld();
    world.log.commitsAtOnce = false;
    const pending = world.pend(5);
    const ended = world.end('commit');
    expect([pending.isAnswered, ended.isAnswered]).toEqual([false, false]);
    world.log.commit();
    world.time.settle();
    expect([world.code(pending), ended.value]).toEqual([0, 0]);
  });
});

describe('who may commit offsets of a transaction', () => {
  function stable() {
    const world = new TxnWorld();
    const { memberId, joined } = world.joinWithId({ protocols: protocols(['range'], subscription('t')) });
    world.time.advance(3000);
    world.stabilize([joined]);
    return { world, memberId };
  }

  it('members of the generation, and clients that name none', () => {
    const { world, memberId } = stable();
    const code = (given: Sparse<TxnOffsetCommitRequest>) => world.code(world.pend(1, given));
    expect(code({ memberId, generationIdOrMemberEpoch: 1 })).toBe(0);
    expect(code({})).toBe(0);
    expect(code({ memberId, generationIdOrMemberEpoch: 2 })).toBe(Errors.ILLEGAL_GENERATION);
    expect(code({ memberId: 'x', generationIdOrMemberEpoch: 1 })).toBe(Errors.UNKNOWN_MEMBER_ID);
    expect(code({ memberId, groupInstanceId: 'i', generationIdOrMemberEpoch: 1 })).toBe(
      Errors.UNKNOWN_MEMBER_ID,
    );
  });

  it('whatever state the group is in', () => {
    const { world, memberId } = stable();
    world.joinWithId({});
    world.join({ memberId });
    expect(world.code(world.pend(1, { memberId, generationIdOrMemberEpoch: 2 }))).toBe(0);
  });

  it('in no group that is not there, if they name a generation', () => {
    const world = new TxnWorld();
    const given = { memberId: 'm', generationIdOrMemberEpoch: 1 };
    expect(world.code(world.pend(1, given, ID, 5))).toBe(Errors.ILLEGAL_GENERATION);
    expect(world.code(world.pend(1, given, ID, 6))).toBe(Errors.GROUP_ID_NOT_FOUND);
  });

  it('with metadata of a size that is allowed', () => {
    const world = new TxnWorld({ offsetMetadataMaxSize: 3 });
    const partitions = [{ partitionIndex: 0, committedOffset: 1, committedMetadata: 'long' }];
    const pending = world.pend(1, { topics: [{ name: 't', partitions }] });
    expect(world.code(pending)).toBe(Errors.OFFSET_METADATA_TOO_LARGE);
    expect(world.stableCode()).toBe(0);
  });
});

describe('a group with pending offsets', () => {
  it('keeps the offsets beneath them however old they are', () => {
    const world = new TxnWorld();
    world.commit({ 't/0': 1 });
    world.pend(5);
    world.time.advance(8 * DAY_MS);
    expect(world.offsets()).toEqual({ 't/0': 1 });
    world.end('abort');
    world.time.advance(DAY_MS);
    expect(world.offsets()).toEqual({});
  });

  it('loses them when it is deleted', async () => {
    const world = new TxnWorld();
    world.pend(5);
    const deletion = world.coordinator.deleteGroups({ groupsNames: ['g'] });
    world.time.settle();
    const [result] = await deletion;
    expect(result!.errorCode).toBe(0);
    world.end('commit');
    expect(world.offsets()).toEqual({});
  });

  it('loses those that are deleted', () => {
    const world = new TxnWorld();
    world.pend(5);
    const pending = new Pending<OffsetDeleteResponse>();
    const topics = [{ name: 't', partitions: [{ partitionIndex: 0 }] }];
    const request = defaults<OffsetDeleteRequest>(OffsetDeleteRequest, { groupId: 'g', topics });
    world.coordinator.deleteOffsets(request, pending.answer);
    world.time.settle();
    expect(pending.value.topics[0]!.partitions[0]!.errorCode).toBe(0);
    world.end('commit');
    expect([world.offsets(), world.stableCode()]).toEqual([{}, 0]);
  });
});
