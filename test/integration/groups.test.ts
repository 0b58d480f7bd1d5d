import { afterEach, describe, expect, it } from 'vitest';
import { type Broker, startBroker } from '../../src/index.ts';
import { defaults, type Sparse } from '../../src/protocol/codec.ts';
import { Errors } from '../../src/protocol/errors.ts';
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/create-topics.ts';
import { DeleteTopicsRequest, DeleteTopicsResponse } from '../../src/protocol/messages/delete-topics.ts';
import {
  FindCoordinatorRequest,
  FindCoordinatorResponse,
} from '../../src/protocol/messages/find-coordinator.ts';
import { HeartbeatRequest, HeartbeatResponse } from '../../src/protocol/messages/heartbeat.ts';
import { JoinGroupRequest, JoinGroupResponse } from '../../src/protocol/messages/join-group.ts';
import { LeaveGroupRequest, LeaveGroupResponse } from '../../src/protocol/messages/leave-group.ts';
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/metadata.ts';
import { OffsetCommitRequest, OffsetCommitResponse } from '../../src/protocol/messages/offset-commit.ts';
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/offset-fetch.ts';
import { SyncGroupRequest, SyncGroupResponse } from '../../src/protocol/messages/sync-group.ts';
import type { MessageSchema } from '../../src/protocol/schema.ts';
import { WireClient } from './wire-client.ts';

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A client that gives only the fields that matter. */
class GroupClient {
  readonly wire: WireClient;

  constructor(wire: WireClient) {
    this.wire = wire;
  }

  static async open(broker: Broker): Promise<GroupClient> {
    const wire = await WireClient.open(broker.bootstrapServers);
    closers.push(() => wire.close());
    return new GroupClient(wire);
  }

  ask<Request, Response>(
    request: MessageSchema<Request>,
    response: MessageSchema<Response>,
    version: number,
    given: Sparse<Request>,
  ): Promise<Response> {
    return this.wire.request(request, response, version, defaults(request, given));
  }

  join(version: number, given: Sparse<JoinGroupRequest>): Promise<JoinGroupResponse> {
    const usual = {
      groupId: 'g',
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: version === 0 ? -1 : 20_000,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: Buffer.from('subscription') }],
    };
    return this.ask(JoinGroupRequest, JoinGroupResponse, version, { ...usual, ...given });
  }
}

async function started(
  topics: readonly string[] = ['t'],
  properties: Readonly<Record<string, number>> = {},
): Promise<{ broker: Broker; client: GroupClient }> {
  const broker = await startBroker({ memory: true, properties });
  closers.push(() => broker.stop());
  const client = await GroupClient.open(broker);
  await client.ask(CreateTopicsRequest, CreateTopicsResponse, 7, {
    topics: topics.map((name) => ({ name, numPartitions: 2, replicationFactor: 1 })),
    timeoutMs: 5000,
  });
  await client.ask(FindCoordinatorRequest, FindCoordinatorResponse, 3, { key: 'g' });
  return { broker, client };
}

const commitOf = (name: string, committedOffset: number, given: Sparse<OffsetCommitRequest> = {}) => ({
  groupId: 'g',
  topics: [{ name, partitions: [{ partitionIndex: 0, committedOffset, committedMetadata: 'm' }] }],
  ...given,
});

describe('a group over the wire', () => {
  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])(
    'JoinGroup v%d with the SyncGroup, Heartbeat and LeaveGroup of its time',
    async (version) => {
      const { client } = await started();
      let joined = await client.join(version, {});
      if (version >= 4) {
        expect(joined.errorCode).toBe(Errors.MEMBER_ID_REQUIRED);
        joined = await client.join(version, { memberId: joined.memberId });
      }
      const { memberId, generationId, leader, members, protocolName } = joined;
      expect(joined).toMatchObject({ errorCode: 0, generationId: 1, protocolName: 'range' });
      expect(leader).toBe(memberId);
      expect(members.map((member) => Buffer.from(member.metadata).toString())).toEqual(['subscription']);
      const syncVersion = Math.min(5, version);
      const named = syncVersion === 5 ? { protocolType: 'consumer', protocolName } : {};
      const synced = await client.ask(SyncGroupRequest, SyncGroupResponse, syncVersion, {
        groupId: 'g',
        generationId,
        memberId,
        ...named,
        assignments: [{ memberId, assignment: Buffer.from('all of it') }],
      });
      expect([synced.errorCode, Buffer.from(synced.assignment).toString()]).toEqual([0, 'all of it']);
      const beat = { groupId: 'g', generationId, memberId };
      const heartbeat = () => client.ask(HeartbeatRequest, HeartbeatResponse, Math.min(4, version), beat);
      expect((await heartbeat()).errorCode).toBe(0);
      const leaveVersion = Math.min(5, version);
      const leaving = leaveVersion < 3 ? { memberId } : { members: [{ memberId }] };
      const left = await client.ask(LeaveGroupRequest, LeaveGroupResponse, leaveVersion, {
        groupId: 'g',
        ...leaving,
      });
      expect([left.errorCode, left.members.map(({ errorCode }) => errorCode)]).toEqual([
        0,
        leaveVersion < 3 ? [] : [0],
      ]);
      expect((await heartbeat()).errorCode).toBe(Errors.UNKNOWN_MEMBER_ID);
    },
  );

  it('of SyncGroup v5 the protocol must be named', async () => {
    const { client } = await started();
    const answer = await client.ask(SyncGroupRequest, SyncGroupResponse, 5, { groupId: 'g', memberId: 'm' });
    expect(answer.errorCode).toBe(Errors.INCONSISTENT_GROUP_PROTOCOL);
  });

  it('before v7 a failed join names an empty protocol', async () => {
    const { client } = await started();
    const answer = await client.join(6, { memberId: 'nobody' });
    expect(answer).toMatchObject({
      errorCode: Errors.UNKNOWN_MEMBER_ID,
      protocolName: '',
      memberId: 'nobody',
    });
  });

  it('of a member whose connection ended goes on without it after group.disconnect.grace.ms', async () => {
    const { broker, client } = await started(['t'], { 'group.disconnect.grace.ms': 20 });
    const first = await client.join(3, {});
    const named = { groupId: 'g', memberId: first.memberId };
    await client.ask(SyncGroupRequest, SyncGroupResponse, 3, { ...named, generationId: 1 });
    const other = await GroupClient.open(broker);
    const joining = other.join(3, {});
    const beat = async (generationId: number) =>
      (await client.ask(HeartbeatRequest, HeartbeatResponse, 3, { ...named, generationId })).errorCode;
    const until = async (code: number, generationId: number) => {
      while ((await beat(generationId)) !== code) await new Promise((resolve) => setImmediate(resolve));
    };
    await until(Errors.REBALANCE_IN_PROGRESS, 1);
    expect((await client.join(3, named)).members).toHaveLength(2);
    const second = await joining;
    await client.ask(SyncGroupRequest, SyncGroupResponse, 3, { ...named, generationId: 2 });
    const mine = { groupId: 'g', memberId: second.memberId, generationId: 2 };
    await other.ask(SyncGroupRequest, SyncGroupResponse, 3, mine);
    expect(await beat(2)).toBe(0);
    other.wire.close();
    await until(Errors.REBALANCE_IN_PROGRESS, 2);
    expect(await client.join(3, named)).toMatchObject({ generationId: 3, errorCode: 0 });
  });

  it('tells members that wait for a join when the broker stops', async () => {
    const { broker, client } = await started();
    const other = await GroupClient.open(broker);
    const first = await client.join(3, {});
    expect(first.errorCode).toBe(0);
    const waiting = other.join(3, {});
    while (
      (
        await client.ask(HeartbeatRequest, HeartbeatResponse, 0, {
          groupId: 'g',
          generationId: 1,
          memberId: first.memberId,
        })
      ).errorCode === 0
    );
    const stopped = broker.stop();
    expect((await waiting).errorCode).toBe(Errors.NOT_COORDINATOR);
    await stopped;
  });
});

describe('offsets over the wire', () => {
  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])(
    'OffsetCommit v%d is read by every version of OffsetFetch',
    async (version) => {
      const { client } = await started();
      const { topics } = await client.ask(MetadataRequest, MetadataResponse, 12, { topics: [{ name: 't' }] });
      const topicId = topics[0]!.topicId;
      const epoch = version >= 6 ? { committedLeaderEpoch: 3 } : {};
      const partition = { partitionIndex: 1, committedOffset: 7, committedMetadata: 'm', ...epoch };
      const named = version >= 10 ? { topicId } : { name: 't' };
      const committed = await client.ask(OffsetCommitRequest, OffsetCommitResponse, version, {
        groupId: 'g',
        topics: [{ ...named, partitions: [partition, { ...partition, partitionIndex: 2 }] }],
      });
      const codes = committed.topics[0]!.partitions.map(({ partitionIndex, errorCode }) => [
        partitionIndex,
        errorCode,
      ]);
      expect(codes).toEqual([
        [1, 0],
        [2, Errors.UNKNOWN_TOPIC_OR_PARTITION],
      ]);
      for (let fetch = 0; fetch <= 10; fetch++) {
        const asked = { ...(fetch >= 10 ? { topicId } : { name: 't' }), partitionIndexes: [0, 1] };
        const body =
          fetch >= 8 ? { groups: [{ groupId: 'g', topics: [asked] }] } : { groupId: 'g', topics: [asked] };
        const answer = await client.ask(
          OffsetFetchRequest,
          OffsetFetchResponse,
          fetch,
          body as Sparse<OffsetFetchRequest>,
        );
        const found = (fetch >= 8 ? answer.groups[0]! : answer).topics[0]!.partitions;
        expect(found.map(({ committedOffset, metadata }) => [committedOffset, metadata])).toEqual([
          [-1, ''],
          [7, 'm'],
        ]);
        if (fetch >= 5) expect(found[1]!.committedLeaderEpoch).toBe(version >= 6 ? 3 : -1);
      }
    },
  );

  it('of several groups come in one answer, of all topics where none is named', async () => {
    const { client } = await started(['t', 'u']);
    for (const groupId of ['g', 'h']) {
      await client.ask(OffsetCommitRequest, OffsetCommitResponse, 9, commitOf('t', 1, { groupId }));
      await client.ask(OffsetCommitRequest, OffsetCommitResponse, 9, commitOf('u', 2, { groupId }));
    }
    const groups = ['g', 'no', 'h'].map((groupId) => ({ groupId, topics: null }));
    const answer = await client.ask(OffsetFetchRequest, OffsetFetchResponse, 8, { groups });
    expect(
      answer.groups.map(({ groupId, topics }) => [groupId, topics.map(({ name }) => name).sort()]),
    ).toEqual([
      ['g', ['t', 'u']],
      ['no', []],
      ['h', ['t', 'u']],
    ]);
  });

  it('of an unknown topic id are refused, with what is known answered', async () => {
    const { client } = await started();
    const topicId = 'AAAAAAAAAAAAAAAAAAAABA' as never;
    const partition = { partitionIndex: 0, committedOffset: 7, committedMetadata: '' };
    const committed = await client.ask(OffsetCommitRequest, OffsetCommitResponse, 10, {
      groupId: 'g',
      topics: [{ topicId, partitions: [partition] }],
    });
    expect(committed.topics[0]!.partitions[0]!.errorCode).toBe(Errors.UNKNOWN_TOPIC_ID);
    const answer = await client.ask(OffsetFetchRequest, OffsetFetchResponse, 10, {
      groups: [{ groupId: 'g', topics: [{ topicId, partitionIndexes: [0] }] }],
    });
    expect(answer.groups[0]!.topics[0]!.partitions[0]).toMatchObject({
      errorCode: Errors.UNKNOWN_TOPIC_ID,
      committedOffset: -1,
    });
  });

  it('go with their topic', async () => {
    const { client } = await started(['t', 'u']);
    await client.ask(OffsetCommitRequest, OffsetCommitResponse, 9, commitOf('t', 1));
    await client.ask(OffsetCommitRequest, OffsetCommitResponse, 9, commitOf('u', 2));
    await client.ask(DeleteTopicsRequest, DeleteTopicsResponse, 5, { topicNames: ['t'], timeoutMs: 5000 });
    const answer = await client.ask(OffsetFetchRequest, OffsetFetchResponse, 8, {
      groups: [{ groupId: 'g', topics: null }],
    });
    expect(answer.groups[0]!.topics.map(({ name }) => name)).toEqual(['u']);
  });

  it('are kept by a broker that stops and starts on its folder, with the group', async () => {
    const { mkdtempSync, rmSync } = await import('node:fs');
    const { tmpdir } = await import('node:os');
    const dataDir = mkdtempSync(`${tmpdir()}/odradek-groups-`);
    closers.push(() => rmSync(dataDir, { recursive: true, force: true }));
    const first = await startBroker({ dataDir });
    closers.push(() => first.stop());
    const client = await GroupClient.open(first);
    await client.ask(CreateTopicsRequest, CreateTopicsResponse, 7, {
      topics: [{ name: 't', numPartitions: 1, replicationFactor: 1 }],
      timeoutMs: 5000,
    });
    await client.ask(FindCoordinatorRequest, FindCoordinatorResponse, 3, { key: 'g' });
    const { memberId, generationId } = await client.join(3, {});
    const assignments = [{ memberId, assignment: Buffer.from('mine') }];
    await client.ask(SyncGroupRequest, SyncGroupResponse, 3, {
      groupId: 'g',
      generationId,
      memberId,
      assignments,
    });
    const asMember = { memberId, generationIdOrMemberEpoch: generationId };
    await client.ask(OffsetCommitRequest, OffsetCommitResponse, 9, commitOf('t', 12, asMember));
    await first.stop();

    const second = await startBroker({ dataDir });
    closers.push(() => second.stop());
    const again = await GroupClient.open(second);
    const sync = () =>
      again.ask(SyncGroupRequest, SyncGroupResponse, 3, { groupId: 'g', generationId, memberId });
    let synced = await sync();
    while (synced.errorCode === Errors.COORDINATOR_LOAD_IN_PROGRESS) synced = await sync();
    expect([synced.errorCode, Buffer.from(synced.assignment).toString()]).toEqual([0, 'mine']);
    const groups = [{ groupId: 'g', topics: null }];
    const offsets = await again.ask(OffsetFetchRequest, OffsetFetchResponse, 8, { groups });
    expect(offsets.groups[0]!.topics[0]!.partitions[0]).toMatchObject({ committedOffset: 12, metadata: 'm' });
  });

  it('are committed in a row on one connection, and read behind that', async () => {
    const { client } = await started();
    const commits = Array.from({ length: 50 }, (_, i) =>
      client.ask(OffsetCommitRequest, OffsetCommitResponse, 9, commitOf('t', i)),
    );
    const read = client.ask(OffsetFetchRequest, OffsetFetchResponse, 8, {
      groups: [{ groupId: 'g', topics: null }],
    });
    const answers = await Promise.all([...commits, read]);
    expect((answers.at(-1) as OffsetFetchResponse).groups[0]!.topics[0]!.partitions[0]!.committedOffset).toBe(
      49,
    );
  });
});
