import { describe, expect, it } from 'vitest';
import type { Uuid } from '../../../src/base/uuid.ts';
import { OffsetStore } from '../../../src/coordinator/group/offsets.ts';
import { defaults } from '../../../src/protocol/codec.ts';
import { prepareCodec } from '../../../src/protocol/compression/index.ts';
import { Errors } from '../../../src/protocol/errors.ts';
import {
  OffsetDeleteRequest,
  type OffsetDeleteResponse,
} from '../../../src/protocol/messages/offset-delete.ts';
import { OffsetFetchRequest } from '../../../src/protocol/messages/offset-fetch.ts';
import { compressionId } from '../../../src/protocol/record-batch/header.ts';
import { GroupWorld, Pending, protocols } from './group-world.ts';
import { subscription } from './subscription.ts';

const HOUR_MS = 3_600_000;
const RETENTION_MS = 7 * 24 * HOUR_MS;

function stable(topic = 't', world = new GroupWorld()) {
  const { memberId, joined } = world.joinWithId({
    protocols: protocols(['range'], subscription(topic)),
    sessionTimeoutMs: 1_800_000,
  });
  world.time.advance(3000);
  world.stabilize([joined]);
  return { world, memberId };
}

describe('committing offsets', () => {
  it('needs no membership while the group has no members', () => {
    const world = new GroupWorld();
    expect(world.codesOf(world.commit({ 't/0': 5, 't/1': 6, 'u/0': 7 }))).toEqual([0, 0, 0]);
    expect(world.offsets()).toEqual({ 't/0': 5, 't/1': 6, 'u/0': 7 });
    expect(world.codesOf(world.commit({ 't/0': 3 }))).toEqual([0]);
    expect(world.offsets()['t/0']).toBe(3);
  });

  it('is for members of the generation only where there are members', () => {
    const { world, memberId } = stable();
    const code = (given: Parameters<typeof world.commit>[1]) =>
      world.codesOf(world.commit({ 't/0': 1 }, given))[0];
    expect(code({ memberId, generationIdOrMemberEpoch: 1 })).toBe(0);
    expect(code({ memberId, generationIdOrMemberEpoch: 2 })).toBe(Errors.ILLEGAL_GENERATION);
    expect(code({ memberId: 'x', generationIdOrMemberEpoch: 1 })).toBe(Errors.UNKNOWN_MEMBER_ID);
    expect(code({})).toBe(Errors.UNKNOWN_MEMBER_ID);
    expect(code({ memberId, generationIdOrMemberEpoch: 1, groupInstanceId: 'i' })).toBe(
      Errors.UNKNOWN_MEMBER_ID,
    );
    expect(world.offsets()).toEqual({ 't/0': 1 });
  });

  it('of the old generation works until the new one has begun', () => {
    const { world, memberId } = stable();
    const commit = () =>
      world.codesOf(world.commit({ 't/0': 1 }, { memberId, generationIdOrMemberEpoch: 1 }))[0];
    const second = world.joinWithId({ sessionTimeoutMs: 1_800_000 });
    expect(commit()).toBe(0);
    const back = world.join({ memberId, sessionTimeoutMs: 1_800_000 });
    expect(back.value.generationId).toBe(2);
    expect(second.joined.value.generationId).toBe(2);
    expect(commit()).toBe(Errors.ILLEGAL_GENERATION);
    const now = world.commit({ 't/0': 1 }, { memberId, generationIdOrMemberEpoch: 2 });
    expect(world.codesOf(now)).toEqual([Errors.REBALANCE_IN_PROGRESS]);
  });

  it('keeps a session alive', () => {
    const { world, memberId } = stable();
    for (let i = 0; i < 4; i++) {
      world.time.advance(1_000_000);
      world.commit({ 't/0': i }, { memberId, generationIdOrMemberEpoch: 1 });
    }
    expect(world.heartbeat(memberId, 1)).toBe(0);
  });

  it('with a generation in a group that is not there is told so since v9', () => {
    const world = new GroupWorld();
    const given = { memberId: 'm', generationIdOrMemberEpoch: 1 };
    expect(world.codesOf(world.commit({ 't/0': 1 }, given, 9))).toEqual([Errors.GROUP_ID_NOT_FOUND]);
    expect(world.codesOf(world.commit({ 't/0': 1 }, given, 8))).toEqual([Errors.ILLEGAL_GENERATION]);
  });

  it('refuses texts that are too long, one by one', () => {
    const world = new GroupWorld({ offsetMetadataMaxSize: 3 });
    const topics = [
      {
        name: 't',
        partitions: [
          { partitionIndex: 0, committedOffset: 1, committedMetadata: 'abcd' },
          { partitionIndex: 1, committedOffset: 2, committedMetadata: 'abc' },
          { partitionIndex: 2, committedOffset: 3, committedMetadata: null },
        ],
      },
    ];
    expect(world.codesOf(world.commit({}, { topics }))).toEqual([Errors.OFFSET_METADATA_TOO_LARGE, 0, 0]);
    expect(world.offsets()).toEqual({ 't/1': 2, 't/2': 3 });
  });

  it('is read only once it is committed to the log', () => {
    const world = new GroupWorld();
    world.log.commitsAtOnce = false;
    const committed = world.commit({ 't/0': 5 });
    const read = new Pending<unknown>();
    world.coordinator.fetchOffsets(
      { groupId: 'g', memberId: null, memberEpoch: -1, topics: null },
      true,
      read.answer,
    );
    expect([committed.isAnswered, read.isAnswered]).toEqual([false, false]);
    world.log.commit();
    expect([committed.isAnswered, read.isAnswered]).toEqual([true, true]);
  });

  it('tells clients to look for the coordinator where it can not be written in time', () => {
    const world = new GroupWorld();
    world.log.commitsAtOnce = false;
    const committed = world.commit({ 't/0': 5 });
    const read = new Pending<{ errorCode: number }>();
    const group = { groupId: 'g', memberId: null, memberEpoch: -1, topics: null };
    world.coordinator.fetchOffsets(group, false, read.answer);
    world.time.advance(5000);
    expect(world.codesOf(committed)).toEqual([Errors.COORDINATOR_NOT_AVAILABLE]);
    expect(read.value.errorCode).toBe(Errors.NOT_COORDINATOR);
  });

  it('survives a change of brokers', async () => {
    const world = new GroupWorld();
    world.commit({ 't/0': 5, 'u/3': 6 });
    world.commit({ 't/0': 8 });
    world.commit({ 't/0': 1 }, { groupId: 'other' });
    await world.failOver();
    expect(world.offsets()).toEqual({ 't/0': 8, 'u/3': 6 });
    expect(world.offsets('other')).toEqual({ 't/0': 1 });
  });
});

describe('offsets.topic.compression.codec', () => {
  it.each([0, 1, 2, 3, 4])('%d is what batches are written with, and read again', async (codec) => {
    const world = new GroupWorld({ offsetsTopicCompressionId: codec });
    await prepareCodec('zstd');
    await world.loaded();
    world.commit({ 't/0': 5, 't/1': 6 });
    expect(compressionId(world.log.batches[0]!, 0)).toBe(codec);
    await world.failOver();
    expect(world.offsets()).toEqual({ 't/0': 5, 't/1': 6 });
  });
});

describe('fetching offsets', () => {
  it('gives nothing for what was not committed, and for another topic of the same name', () => {
    const world = new GroupWorld();
    const id = 'AAAAAAAAAAAAAAAAAAAABA' as Uuid;
    const other = 'AAAAAAAAAAAAAAAAAAAABQ' as Uuid;
    const topics = [{ name: 't', topicId: id, partitions: [{ partitionIndex: 0, committedOffset: 4 }] }];
    world.commit({}, { topics });
    const read = (topicId: Uuid | undefined) => {
      const pending = new Pending<{
        topics: readonly { partitions: readonly { committedOffset: number }[] }[];
      }>();
      const asked = [{ name: 't', ...(topicId && { topicId }), partitionIndexes: [0, 1] }];
      const request = defaults(OffsetFetchRequest, { groups: [{ groupId: 'g', topics: asked }] }).groups[0]!;
      world.coordinator.fetchOffsets(request, false, pending.answer);
      return pending.value.topics[0]!.partitions.map(({ committedOffset }) => committedOffset);
    };
    expect(read(undefined)).toEqual([4, -1]);
    expect(read(id)).toEqual([4, -1]);
    expect(read(other)).toEqual([-1, -1]);
    expect(world.offsets('nobody')).toEqual({});
  });
});

describe('deleting', () => {
  const deleteOffsets = (world: GroupWorld, topic: string, ...indexes: number[]) => {
    const pending = new Pending<OffsetDeleteResponse>();
    const partitions = indexes.map((partitionIndex) => ({ partitionIndex }));
    const request = defaults(OffsetDeleteRequest, { groupId: 'g', topics: [{ name: topic, partitions }] });
    world.coordinator.deleteOffsets(request, pending.answer);
    world.time.settle();
    const { errorCode, topics } = pending.value;
    return [errorCode, ...topics.flatMap((one) => one.partitions.map((part) => part.errorCode))];
  };

  it('offsets works in topics that no member consumes', () => {
    const { world, memberId } = stable('t');
    const given = { memberId, generationIdOrMemberEpoch: 1 };
    world.commit({ 't/0': 1, 'u/0': 2, 'u/1': 3 }, given);
    expect(deleteOffsets(world, 't', 0)).toEqual([0, Errors.GROUP_SUBSCRIBED_TO_TOPIC]);
    expect(deleteOffsets(world, 'u', 0, 7)).toEqual([0, 0, 0]);
    expect(world.offsets()).toEqual({ 't/0': 1, 'u/1': 3 });
  });

  it('offsets is refused for groups that are not there, or whose members are no consumers', () => {
    const world = new GroupWorld();
    expect(deleteOffsets(world, 't', 0)).toEqual([Errors.GROUP_ID_NOT_FOUND]);
    const { joined } = world.joinWithId({ protocolType: 'connect' });
    world.time.advance(3000);
    world.stabilize([joined]);
    expect(deleteOffsets(world, 't', 0)).toEqual([Errors.NON_EMPTY_GROUP]);
  });

  it('groups removes those without members, with their offsets, for good', async () => {
    const { world, memberId } = stable();
    world.commit({ 't/0': 1 }, { groupId: 'simple' });
    const deleted = async (...groupsNames: string[]) => {
      const results = world.coordinator.deleteGroups({ groupsNames });
      world.time.settle();
      return (await results).map(({ errorCode }) => errorCode);
    };
    expect(await deleted('simple', 'simple', 'g', 'no')).toEqual([
      0,
      Errors.NON_EMPTY_GROUP,
      Errors.GROUP_ID_NOT_FOUND,
    ]);
    world.leave({ memberId });
    expect(await deleted('g')).toEqual([0]);
    await world.failOver();
    expect(await world.coordinator.listGroups({ statesFilter: [], typesFilter: [] })).toEqual([]);
    expect(world.offsets('simple')).toEqual({});
  });

  it('topics removes the offsets in them, also of those before, and not those of a topic that came back', () => {
    const world = new GroupWorld();
    const id = 'AAAAAAAAAAAAAAAAAAAABA' as Uuid;
    const before = 'AAAAAAAAAAAAAAAAAAAABg' as Uuid;
    const other = world.topics.set('v', 1);
    const topic = (name: string, topicId?: Uuid) => ({
      name,
      ...(topicId && { topicId }),
      partitions: [{ partitionIndex: 0, committedOffset: 4 }],
    });
    const all = [topic('t', id), topic('u'), topic('v', other), topic('w', id), topic('x', before)];
    world.commit({}, { topics: all });
    world.coordinator.onTopicsDeleted(new Set(['t', 'u', 'v', 'x']));
    world.time.settle();
    expect(world.offsets()).toEqual({ 'v/0': 4, 'w/0': 4 });
  });
});

describe('expiry of offsets', () => {
  it('comes when a group without members has not committed for long, and takes the group along', async () => {
    const world = new GroupWorld();
    world.commit({ 't/0': 1 });
    world.time.advance(RETENTION_MS / 2);
    world.commit({ 't/1': 1 });
    world.time.advance(RETENTION_MS / 2 + HOUR_MS);
    expect(world.offsets()).toEqual({ 't/1': 1 });
    world.time.advance(RETENTION_MS / 2);
    expect(world.offsets()).toEqual({});
    expect(await world.describe()).toMatchObject({ groupState: 'Dead' });
    await world.failOver();
    expect(await world.coordinator.listGroups({ statesFilter: [], typesFilter: [] })).toEqual([]);
  });

  it('counts from the moment when the last member left', () => {
    const { world, memberId } = stable();
    world.commit({ 't/0': 1 }, { memberId, generationIdOrMemberEpoch: 1 });
    for (let ms = 0; ms < RETENTION_MS; ms += HOUR_MS / 4) {
      world.time.advance(HOUR_MS / 4);
      world.heartbeat(memberId, 1);
    }
    world.leave({ memberId });
    world.time.advance(RETENTION_MS - HOUR_MS);
    expect(world.offsets()).toEqual({ 't/0': 1 });
    world.time.advance(2 * HOUR_MS);
    expect(world.offsets()).toEqual({});
  });

  it('spares what a stable group consumes, and not what it left behind', () => {
    const { world, memberId } = stable('t');
    world.commit({ 't/0': 1, 'u/0': 2 }, { memberId, generationIdOrMemberEpoch: 1 });
    for (let ms = 0; ms < RETENTION_MS + HOUR_MS; ms += HOUR_MS / 4) {
      world.time.advance(HOUR_MS / 4);
      world.heartbeat(memberId, 1);
    }
    expect(world.offsets()).toEqual({ 't/0': 1 });
  });

  it('follows the retention that an old client asked for', () => {
    const world = new GroupWorld();
    world.commit({ 't/0': 1 }, { retentionTimeMs: BigInt(HOUR_MS) }, 3);
    world.commit({ 't/1': 1 });
    world.time.advance(2 * HOUR_MS);
    expect(world.offsets()).toEqual({ 't/1': 1 });
  });
});

describe('offsets of transactions', () => {
  const offset = (value: number, recordOffset: number) => ({
    offset: value,
    leaderEpoch: -1,
    metadata: '',
    commitTimestampMs: 0,
    expireTimestampMs: -1,
    topicId: 'AAAAAAAAAAAAAAAAAAAAAA' as Uuid,
    recordOffset,
  });

  it('count when the transaction is committed, and never when it is aborted', () => {
    const store = new OffsetStore();
    store.replay('g', 't', 0, offset(1, 0), undefined);
    store.replay('g', 't', 0, offset(2, 1), 7n);
    store.replay('g', 't', 1, offset(3, 2), 8n);
    expect(store.isUnstable('g', 't', 0)).toBe(true);
    expect(store.committed.get('g', 't', 0)?.offset).toBe(1);
    store.endTransaction(7n, true);
    store.endTransaction(8n, false);
    expect(store.committed.get('g', 't', 0)?.offset).toBe(2);
    expect(store.committed.get('g', 't', 1)).toBeUndefined();
    expect(store.hasOpenTransactions('g')).toBe(false);
  });

  it('do not undo a later commit outside of the transaction', () => {
    const store = new OffsetStore();
    store.replay('g', 't', 0, offset(2, 1), 7n);
    store.replay('g', 't', 0, offset(9, 2), undefined);
    store.endTransaction(7n, true);
    expect(store.committed.get('g', 't', 0)?.offset).toBe(9);
  });

  it('vanish with a tombstone', () => {
    const store = new OffsetStore();
    store.replay('g', 't', 0, offset(2, 1), 7n);
    expect([...store.partitionsOf('g')]).toEqual([['t', 0]]);
    store.replay('g', 't', 0, undefined, undefined);
    store.endTransaction(7n, true);
    expect(store.hasOpenTransactions('g')).toBe(false);
    expect(store.committed.topicsOf('g')).toBeUndefined();
  });
});
