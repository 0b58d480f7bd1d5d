import { expect } from 'vitest';
import { defaults, type Sparse } from '../../src/protocol/codec.ts';
import * as deleteGroups from '../../src/protocol/messages/delete-groups.ts';
import * as deleteTopics from '../../src/protocol/messages/delete-topics.ts';
import * as describeGroups from '../../src/protocol/messages/describe-groups.ts';
import * as findCoordinator from '../../src/protocol/messages/find-coordinator.ts';
import * as heartbeat from '../../src/protocol/messages/heartbeat.ts';
import * as joinGroup from '../../src/protocol/messages/join-group.ts';
import * as leaveGroup from '../../src/protocol/messages/leave-group.ts';
import * as listGroups from '../../src/protocol/messages/list-groups.ts';
import * as metadata from '../../src/protocol/messages/metadata.ts';
import * as offsetCommit from '../../src/protocol/messages/offset-commit.ts';
import * as offsetDelete from '../../src/protocol/messages/offset-delete.ts';
import * as offsetFetch from '../../src/protocol/messages/offset-fetch.ts';
import * as syncGroup from '../../src/protocol/messages/sync-group.ts';
import type { MessageSchema } from '../../src/protocol/schema.ts';
import { WireClient } from '../integration/wire-client.ts';
import { subscription } from '../unit/coordinator/subscription.ts';
import { compareBrokers, type Observations } from './support/compare.ts';
import { until } from './support/run.ts';
import type { Target } from './support/target.ts';
import { makeTopics } from './support/wire.ts';

/** The versions that Apache Kafka 4 still serves; ours go down to 0. */
const JOIN = { from: 2, to: 9 };
const COMMIT = { from: 2, to: 10 };
const FETCH = { from: 1, to: 10 };
const UNKNOWN_ID = 'AAAAAAAAAAAAAAAAAAAABA';

type Asked<Request> = Sparse<Request>;

const ORDER: Readonly<Record<string, string>> = {
  groups: 'groupId',
  members: 'memberId',
  partitions: 'partitionIndex',
};

/** Groups and members come in any order, and partitions: Apache Kafka names those first that it refuses by itself. */
function inOrder(answer: unknown): unknown {
  if (Array.isArray(answer)) return answer.map(inOrder);
  if (typeof answer !== 'object' || answer === null) return answer;
  const fields = Object.entries(answer).map(([name, value]) => {
    const key = ORDER[name];
    if (key === undefined || !Array.isArray(value)) return [name, inOrder(value)];
    const sorted = [...value].sort((a, b) => (a[key] < b[key] ? -1 : 1));
    return [name, sorted.map(inOrder)];
  });
  return Object.fromEntries(fields);
}

/** Asks one broker and keeps every answer, without what differs from run to run: ids of members and topics, texts. */
class Conversation {
  readonly seen: Observations = {};
  readonly target: Target;
  readonly #client: WireClient;
  readonly #names = new Map<string, string>();

  constructor(target: Target, client: WireClient) {
    this.target = target;
    this.#client = client;
  }

  async ask<Request, Response>(
    step: string,
    request: MessageSchema<Request>,
    response: MessageSchema<Response>,
    version: number,
    given: Asked<Request>,
    client = this.#client,
  ): Promise<Response> {
    const answer = await client.request(request, response, version, defaults(request, given));
    this.keep(`${step} (${request.name.replace(/Request$/, '')} v${version})`, answer);
    return answer;
  }

  keep(step: string, answer: unknown): void {
    if (step in this.seen) throw new Error(`two steps are called ${step}`);
    this.seen[step] = inOrder(this.#calm(answer));
  }

  /** A member or topic gets a name in the order in which they turn up. */
  #calm(value: unknown, field = ''): unknown {
    if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
    if (typeof value === 'bigint') return String(value);
    if (Array.isArray(value)) return value.map((one) => this.#calm(one, field));
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(
        Object.entries(value)
          .filter(([name]) => name !== 'errorMessage')
          .map(([name, inner]) => [name, this.#calm(inner, name)]),
      );
    }
    if (typeof value !== 'string' || value === '' || value === UNKNOWN_ID) return value;
    if (/^(memberId|leader)$/.test(field) && /-[0-9a-f]{8}-/.test(value)) return this.#nameOf(value);
    return field === 'topicId' && !/^A{22}$/.test(value) ? this.#nameOf(value) : value;
  }

  #nameOf(value: string): string {
    const known = this.#names.get(value);
    if (known !== undefined) return known;
    const kind = value.includes('-') && value.length > 22 ? value.replace(/-[0-9a-f-]{36}$/, '') : 'id';
    const name = `<${kind} ${this.#names.size}>`;
    this.#names.set(value, name);
    return name;
  }
}

const protocols = (...names: string[]) => names.map((name) => ({ name, metadata: subscription('consumed') }));
const joining = (groupId: string, given: Asked<joinGroup.JoinGroupRequest> = {}) => ({
  groupId,
  sessionTimeoutMs: 600_000,
  rebalanceTimeoutMs: 600_000,
  protocolType: 'consumer',
  protocols: protocols('range', 'sticky'),
  ...given,
});

async function observe(target: Target): Promise<Observations> {
  await makeTopics(target.port, [{ name: 'consumed', partitions: 2 }, { name: 'other' }, { name: 'doomed' }]);
  const client = await WireClient.open(target.bootstrap);
  const talk = new Conversation(target, client);
  try {
    await coordinators(target, talk);
    for (let version = JOIN.from; version <= JOIN.to; version++) await oneMember(talk, version);
    await wrongMembers(talk);
    await twoMembers(target, talk);
    await staticMembers(talk);
    await offsets(talk);
    await administration(talk);
  } finally {
    client.close();
  }
  return talk.seen;
}

async function coordinators(target: Target, talk: Conversation): Promise<void> {
  const { FindCoordinatorRequest, FindCoordinatorResponse } = findCoordinator;
  const probe = await WireClient.open(target.bootstrap);
  await until('the coordinator', async () => {
    const asked = defaults<findCoordinator.FindCoordinatorRequest>(FindCoordinatorRequest, { key: 'g' });
    const { errorCode } = await probe.request(FindCoordinatorRequest, FindCoordinatorResponse, 3, asked);
    return errorCode === 0 ? true : undefined;
  });
  // Apache Kafka loads its shards one after the other: enough groups to meet each of them.
  const { SyncGroupRequest, SyncGroupResponse } = syncGroup;
  for (let i = 0; i < 20; i++) {
    await until('the groups', async () => {
      const asked = defaults<syncGroup.SyncGroupRequest>(SyncGroupRequest, {
        groupId: `probe-${i}`,
        memberId: 'm',
      });
      const { errorCode } = await probe.request(SyncGroupRequest, SyncGroupResponse, 3, asked);
      return errorCode === 25 ? true : undefined;
    });
  }
  probe.close();
  for (let version = 0; version <= 6; version++) {
    const asked = version >= 4 ? { coordinatorKeys: ['g', ''] } : { key: 'g' };
    await talk.ask('who coordinates', FindCoordinatorRequest, FindCoordinatorResponse, version, asked);
  }
}

/** A whole life of one member in the versions of one time. */
async function oneMember(talk: Conversation, version: number): Promise<void> {
  const groupId = `alone-${version}`;
  const { JoinGroupRequest, JoinGroupResponse } = joinGroup;
  const { SyncGroupRequest, SyncGroupResponse } = syncGroup;
  const { HeartbeatRequest, HeartbeatResponse } = heartbeat;
  const { LeaveGroupRequest, LeaveGroupResponse } = leaveGroup;
  const step = (what: string) => `alone ${version}: ${what}`;
  let joined = await talk.ask(step('join'), JoinGroupRequest, JoinGroupResponse, version, joining(groupId));
  if (version >= 4) {
    const { memberId } = joined;
    const again = joining(groupId, { memberId });
    joined = await talk.ask(step('join with an id'), JoinGroupRequest, JoinGroupResponse, version, again);
  }
  const { memberId, generationId } = joined;
  const sync = Math.min(5, version);
  const named = sync === 5 ? { protocolType: 'consumer', protocolName: joined.protocolName } : {};
  const member = { groupId, memberId, generationId };
  await talk.ask(step('heartbeat before'), HeartbeatRequest, HeartbeatResponse, Math.min(4, version), member);
  await talk.ask(step('sync'), SyncGroupRequest, SyncGroupResponse, sync, {
    ...member,
    ...named,
    assignments: [{ memberId, assignment: Buffer.from('mine') }],
  });
  await talk.ask(step('heartbeat'), HeartbeatRequest, HeartbeatResponse, Math.min(4, version), member);
  for (let describe = 0; describe <= 6; describe++) {
    const asked = {
      groups: [groupId, `${groupId}-not`],
      ...(describe >= 3 ? { includeAuthorizedOperations: true } : {}),
    };
    await talk.ask(
      step('describe'),
      describeGroups.DescribeGroupsRequest,
      describeGroups.DescribeGroupsResponse,
      describe,
      asked,
    );
  }
  const leave = Math.min(5, version);
  const leaving = leave < 3 ? { memberId } : { members: [{ memberId }, { memberId: 'nobody' }] };
  await talk.ask(step('leave'), LeaveGroupRequest, LeaveGroupResponse, leave, { groupId, ...leaving });
  await talk.ask(step('leave again'), LeaveGroupRequest, LeaveGroupResponse, leave, { groupId, ...leaving });
  await talk.ask(step('heartbeat after'), HeartbeatRequest, HeartbeatResponse, Math.min(4, version), member);
  await talk.ask(step('sync after'), SyncGroupRequest, SyncGroupResponse, sync, { ...member, ...named });
  await talk.ask(
    step('join after'),
    JoinGroupRequest,
    JoinGroupResponse,
    version,
    joining(groupId, { memberId }),
  );
}

async function wrongMembers(talk: Conversation): Promise<void> {
  const { JoinGroupRequest, JoinGroupResponse } = joinGroup;
  const { SyncGroupRequest, SyncGroupResponse } = syncGroup;
  const wrong: Readonly<Record<string, Asked<joinGroup.JoinGroupRequest>>> = {
    'no group id': joining(''),
    'a session too short': joining('wrong', { sessionTimeoutMs: 1 }),
    'a session too long': joining('wrong', { sessionTimeoutMs: 1_800_001 }),
    'no protocols': joining('wrong', { protocols: [] }),
    'no protocol type': joining('wrong', { protocolType: '' }),
    'an unknown member': joining('wrong', { memberId: 'nobody' }),
    'an unknown group': joining('never-was', { memberId: 'nobody' }),
    'a static member that is not there': joining('wrong', { memberId: 'nobody', groupInstanceId: 'i' }),
  };
  for (const [what, asked] of Object.entries(wrong)) {
    for (const version of [6, 9])
      await talk.ask(`join with ${what}`, JoinGroupRequest, JoinGroupResponse, version, asked);
  }
  const sync = (what: string, version: number, asked: Asked<syncGroup.SyncGroupRequest>) =>
    talk.ask(`sync ${what}`, SyncGroupRequest, SyncGroupResponse, version, asked);
  await sync('without a group id', 5, { groupId: '', memberId: 'm', protocolType: 'c', protocolName: 'r' });
  await sync('without a protocol', 5, { groupId: 'wrong', memberId: 'm' });
  await sync('an unknown member', 4, { groupId: 'wrong', memberId: 'm' });
  const { HeartbeatRequest, HeartbeatResponse } = heartbeat;
  await talk.ask('heartbeat without a group id', HeartbeatRequest, HeartbeatResponse, 4, { groupId: '' });
  await talk.ask('heartbeat of nobody', HeartbeatRequest, HeartbeatResponse, 4, {
    groupId: 'wrong',
    memberId: 'm',
  });
  const { LeaveGroupRequest, LeaveGroupResponse } = leaveGroup;
  const members = [{ memberId: 'm', groupInstanceId: 'i' }];
  await talk.ask('leave without a group id', LeaveGroupRequest, LeaveGroupResponse, 5, {
    groupId: '',
    members,
  });
  await talk.ask('leave a group that is not there', LeaveGroupRequest, LeaveGroupResponse, 5, {
    groupId: 'no',
    members,
  });
  await talk.ask('leave as nobody', LeaveGroupRequest, LeaveGroupResponse, 5, {
    groupId: 'wrong',
    members: [],
  });
}

async function twoMembers(target: Target, talk: Conversation): Promise<void> {
  const { JoinGroupRequest, JoinGroupResponse } = joinGroup;
  const { SyncGroupRequest, SyncGroupResponse } = syncGroup;
  const { HeartbeatRequest, HeartbeatResponse } = heartbeat;
  const groupId = 'two';
  const second = await WireClient.open(target.bootstrap);
  const join = (what: string, given: Asked<joinGroup.JoinGroupRequest>, client?: WireClient) =>
    talk.ask(`two: ${what}`, JoinGroupRequest, JoinGroupResponse, 7, joining(groupId, given), client);
  const beat = (what: string, memberId: string, generationId: number) =>
    talk.ask(`two: ${what}`, HeartbeatRequest, HeartbeatResponse, 4, { groupId, memberId, generationId });
  const sync = (what: string, memberId: string, generationId: number, ...assigned: string[]) =>
    talk.ask(`two: ${what}`, SyncGroupRequest, SyncGroupResponse, 4, {
      groupId,
      memberId,
      generationId,
      assignments: assigned.map((id) => ({ memberId: id, assignment: Buffer.from('part') })),
    });
  const { memberId: one } = await join('first asks for an id', {});
  await join('first joins', { memberId: one });
  await sync('first assigns', one, 1, one);
  const { memberId: two } = await join('second asks for an id', {});
  const waiting = join('second joins', { memberId: two, protocols: protocols('sticky') }, second);
  await until('the rebalance', async () => {
    const asked = defaults<heartbeat.HeartbeatRequest>(HeartbeatRequest, {
      groupId,
      memberId: one,
      generationId: 1,
    });
    const probe = await WireClient.open(target.bootstrap);
    const { errorCode } = await probe.request(HeartbeatRequest, HeartbeatResponse, 4, asked);
    probe.close();
    return errorCode === 27 ? true : undefined;
  });
  await beat('heartbeat while others join', one, 1);
  await sync('sync while others join', one, 1);
  await talk.ask(
    'two: describe while others join',
    describeGroups.DescribeGroupsRequest,
    describeGroups.DescribeGroupsResponse,
    5,
    {
      groups: [groupId],
    },
  );
  await commit(talk, 'two: commit while others join', 9, {
    groupId,
    memberId: one,
    generationIdOrMemberEpoch: 1,
  });
  await join('first joins again', { memberId: one });
  await waiting;
  await beat('heartbeat of the old generation', one, 1);
  await beat('heartbeat before the assignment', one, 2);
  await talk.ask(
    'two: describe before the assignment',
    describeGroups.DescribeGroupsRequest,
    describeGroups.DescribeGroupsResponse,
    5,
    {
      groups: [groupId],
    },
  );
  await commit(talk, 'two: commit before the assignment', 9, {
    groupId,
    memberId: one,
    generationIdOrMemberEpoch: 2,
  });
  await sync('first assigns nothing to the second', one, 2, one);
  await sync('second asks', two, 2);
  await join('second joins again as it is', { memberId: two, protocols: protocols('sticky') });
  await join('somebody with other protocols', { protocols: protocols('none-of-these') });
  await commit(talk, 'two: commit of the old generation', 9, {
    groupId,
    memberId: one,
    generationIdOrMemberEpoch: 1,
  });
  await commit(talk, 'two: commit of nobody', 9, {
    groupId,
    memberId: 'nobody',
    generationIdOrMemberEpoch: 2,
  });
  await commit(talk, 'two: commit without a member', 9, { groupId });
  await commit(talk, 'two: commit', 9, { groupId, memberId: two, generationIdOrMemberEpoch: 2 });
  const { DeleteGroupsRequest, DeleteGroupsResponse } = deleteGroups;
  await talk.ask('two: delete with members', DeleteGroupsRequest, DeleteGroupsResponse, 2, {
    groupsNames: [groupId],
  });
  second.close();
}

async function staticMembers(talk: Conversation): Promise<void> {
  const { JoinGroupRequest, JoinGroupResponse } = joinGroup;
  const { SyncGroupRequest, SyncGroupResponse } = syncGroup;
  const { HeartbeatRequest, HeartbeatResponse } = heartbeat;
  const groupId = 'static';
  const join = (what: string, version: number, given: Asked<joinGroup.JoinGroupRequest> = {}) =>
    talk.ask(
      `static: ${what}`,
      JoinGroupRequest,
      JoinGroupResponse,
      version,
      joining(groupId, { groupInstanceId: 'i', ...given }),
    );
  const first = await join('joins', 9);
  const { memberId } = first;
  await talk.ask('static: assigns', SyncGroupRequest, SyncGroupResponse, 5, {
    groupId,
    memberId,
    groupInstanceId: 'i',
    generationId: 1,
    protocolType: 'consumer',
    protocolName: first.protocolName,
    assignments: [{ memberId, assignment: Buffer.from('all') }],
  });
  const back = await join('comes back', 9);
  await join('comes back as an old client', 8);
  const beat = (what: string, id: string, groupInstanceId: string | null) =>
    talk.ask(`static: ${what}`, HeartbeatRequest, HeartbeatResponse, 4, {
      groupId,
      memberId: id,
      generationId: 1,
      groupInstanceId,
    });
  await beat('heartbeat of who it was', back.memberId, 'i');
  await beat('heartbeat of who it was, by its id alone', back.memberId, null);
  await join('joins as who it was', 9, { memberId: back.memberId });
  const { LeaveGroupRequest, LeaveGroupResponse } = leaveGroup;
  const members = [
    { memberId: '', groupInstanceId: 'nobody' },
    { memberId: back.memberId, groupInstanceId: 'i' },
    { memberId: '', groupInstanceId: 'i' },
  ];
  await talk.ask('static: leaves', LeaveGroupRequest, LeaveGroupResponse, 4, { groupId, members });
}

const partition = (
  partitionIndex: number,
  committedOffset: number,
  committedMetadata: string | null = 'm',
) => ({
  partitionIndex,
  committedOffset,
  committedMetadata,
});

function commit(
  talk: Conversation,
  step: string,
  version: number,
  given: Asked<offsetCommit.OffsetCommitRequest>,
): Promise<offsetCommit.OffsetCommitResponse> {
  const { OffsetCommitRequest, OffsetCommitResponse } = offsetCommit;
  const topics = [{ name: 'consumed', partitions: [partition(0, 5)] }];
  return talk.ask(step, OffsetCommitRequest, OffsetCommitResponse, version, { topics, ...given });
}

async function offsets(talk: Conversation): Promise<void> {
  const { OffsetFetchRequest, OffsetFetchResponse } = offsetFetch;
  const client = await WireClient.open(talk.target.bootstrap);
  const named = defaults<metadata.MetadataRequest>(metadata.MetadataRequest, {
    topics: [{ name: 'consumed' }],
  });
  const { topics } = await client.request(metadata.MetadataRequest, metadata.MetadataResponse, 12, named);
  client.close();
  const { topicId } = topics[0]!;
  for (let version = COMMIT.from; version <= COMMIT.to; version++) {
    const epoch = version >= 6 ? { committedLeaderEpoch: 2 } : {};
    const partitions = [
      { ...partition(0, version), ...epoch },
      partition(7, 1),
      partition(1, 3, 'x'.repeat(4097)),
      partition(-1, 1),
    ];
    const asked =
      version >= 10
        ? [
            { topicId, partitions },
            { topicId: UNKNOWN_ID as never, partitions: [partition(0, 1)] },
          ]
        : [
            { name: 'consumed', partitions },
            { name: 'never-was', partitions: [partition(0, 1)] },
          ];
    await commit(talk, 'commit', version, { groupId: `offsets-${version}`, topics: asked });
    for (let fetch = FETCH.from; fetch <= FETCH.to; fetch++) {
      const known = { ...(fetch >= 10 ? { topicId } : { name: 'consumed' }), partitionIndexes: [0, 1, 9] };
      const other = {
        ...(fetch >= 10 ? { topicId: UNKNOWN_ID as never } : { name: 'never-was' }),
        partitionIndexes: [0],
      };
      const groupId = `offsets-${version}`;
      const body =
        fetch >= 8 ? { groups: [{ groupId, topics: [known, other] }] } : { groupId, topics: [known, other] };
      await talk.ask(
        `fetch what commit v${version} wrote`,
        OffsetFetchRequest,
        OffsetFetchResponse,
        fetch,
        body as never,
      );
      if (fetch < 2) continue;
      const all = fetch >= 8 ? { groups: [{ groupId, topics: null }] } : { groupId, topics: null };
      await talk.ask(
        `fetch all of commit v${version}`,
        OffsetFetchRequest,
        OffsetFetchResponse,
        fetch,
        all as never,
      );
    }
  }
  await commit(talk, 'commit null text', 9, {
    groupId: 'offsets-9',
    topics: [{ name: 'consumed', partitions: [partition(1, 77, null)] }],
  });
  await commit(talk, 'commit with a generation in no group', 8, {
    groupId: 'no',
    generationIdOrMemberEpoch: 1,
  });
  await commit(talk, 'commit with a generation in no group', 9, {
    groupId: 'no',
    generationIdOrMemberEpoch: 1,
  });
  await commit(talk, 'commit without a group id', 9, { groupId: '' });
  await commit(talk, 'commit nothing', 9, { groupId: 'nothing', topics: [] });
  const groups = ['offsets-9', 'no', 'offsets-8'].map((groupId) => ({ groupId, topics: null }));
  for (const requireStable of [false, true]) {
    const what = `fetch of three groups, ${requireStable ? 'stable' : 'as they are'}`;
    await talk.ask(what, OffsetFetchRequest, OffsetFetchResponse, 9, { groups, requireStable });
  }
  await talk.ask('fetch of no group', OffsetFetchRequest, OffsetFetchResponse, 9, { groups: [] });
}

async function administration(talk: Conversation): Promise<void> {
  const { ListGroupsRequest, ListGroupsResponse } = listGroups;
  const list = async (
    what: string,
    version: number,
    asked: Asked<listGroups.ListGroupsRequest>,
  ): Promise<void> => {
    const client = await WireClient.open(talk.target.bootstrap);
    const request = defaults<listGroups.ListGroupsRequest>(ListGroupsRequest, asked);
    const answer = await client.request(ListGroupsRequest, ListGroupsResponse, version, request);
    client.close();
    talk.keep(`list ${what} v${version}`, answer);
  };
  for (let version = 0; version <= 5; version++) await list('all', version, {});
  await list('by state', 5, { statesFilter: ['stable', ' Dead '] });
  await list('by an unknown state', 5, { statesFilter: ['nonsense'] });
  await list('by type', 5, { typesFilter: ['CLASSIC'] });
  await list('by another type', 5, { typesFilter: ['consumer'] });
  await list('by an unknown type', 5, { typesFilter: ['nonsense'] });

  const { OffsetDeleteRequest, OffsetDeleteResponse } = offsetDelete;
  const forget = (what: string, groupId: string, name: string, ...indexes: number[]) =>
    talk.ask(`forget ${what}`, OffsetDeleteRequest, OffsetDeleteResponse, 0, {
      groupId,
      topics: [{ name, partitions: indexes.map((partitionIndex) => ({ partitionIndex })) }],
    });
  await forget('an offset', 'offsets-9', 'consumed', 1, 0, 7);
  await forget('it again', 'offsets-9', 'consumed', 1);
  await forget('in an unknown topic', 'offsets-9', 'never-was', 0);
  await forget('in an unknown group', 'no', 'consumed', 0);
  await forget('without a group id', '', 'consumed', 0);
  await forget('what members consume', 'two', 'consumed', 0);
  await forget('what members do not consume', 'two', 'other', 0);

  const { DeleteGroupsRequest, DeleteGroupsResponse } = deleteGroups;
  for (let version = 0; version <= 2; version++) {
    const groupsNames = [`offsets-${version + 2}`];
    await talk.ask('delete', DeleteGroupsRequest, DeleteGroupsResponse, version, { groupsNames });
    await talk.ask('delete again', DeleteGroupsRequest, DeleteGroupsResponse, version, { groupsNames });
  }
  await talk.ask('delete the one without a name', DeleteGroupsRequest, DeleteGroupsResponse, 2, {
    groupsNames: [''],
  });

  await commit(talk, 'commit in a topic that goes', 9, {
    groupId: 'doomed',
    topics: [
      { name: 'doomed', partitions: [partition(0, 5)] },
      { name: 'consumed', partitions: [partition(0, 5)] },
    ],
  });
  const { DeleteTopicsRequest, DeleteTopicsResponse } = deleteTopics;
  await talk.ask('delete the topic', DeleteTopicsRequest, DeleteTopicsResponse, 5, {
    topicNames: ['doomed'],
    timeoutMs: 5000,
  });
  const { OffsetFetchRequest, OffsetFetchResponse } = offsetFetch;
  const asked = defaults<offsetFetch.OffsetFetchRequest>(OffsetFetchRequest, {
    groups: [{ groupId: 'doomed', topics: null }],
  });
  const client = await WireClient.open(talk.target.bootstrap);
  const left = await until('the offsets to go', async () => {
    const { groups } = await client.request(OffsetFetchRequest, OffsetFetchResponse, 9, asked);
    return groups[0]!.topics.length === 1 ? groups[0]!.topics[0]!.name : undefined;
  });
  client.close();
  talk.keep('left of a topic that went', left);
}

await compareBrokers({
  title: 'group answers',
  missing: undefined,
  properties: { 'group.initial.rebalance.delay.ms': '0', 'offsets.topic.num.partitions': '4' },
  observe,
  expectations(seen) {
    expect(Object.keys(seen).length).toBeGreaterThan(300);
    expect(seen['two: second asks (SyncGroup v4)']).toMatchObject({ errorCode: 0, assignment: '' });
    expect(seen['left of a topic that went']).toBe('consumed');
  },
});
