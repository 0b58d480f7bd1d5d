import type { Uuid } from '../../src/base/uuid.ts';
import type { Sparse } from '../../src/protocol/codec.ts';
import * as describeConsumer from '../../src/protocol/messages/consumer-group-describe.ts';
import * as beat from '../../src/protocol/messages/consumer-group-heartbeat.ts';
import * as createTopics from '../../src/protocol/messages/create-topics.ts';
import * as deleteGroups from '../../src/protocol/messages/delete-groups.ts';
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
import { Conversation } from './conversation.ts';

/**
 * What a broker answers to members of consumer groups (KIP-848) that do everything right, and to those that do not. The
 * answers of Apache Kafka are in test/fixtures/golden/consumer-group-answers.json; test/interop/group-consumer-answers
 * writes them there.
 */

/** Both brokers run with these. */
export const CONVERSATION_SETTINGS = {
  'group.initial.rebalance.delay.ms': '0',
  'offsets.topic.num.partitions': '1',
  'group.consumer.max.size': '3',
  'group.consumer.assignment.interval.ms': '0',
  'group.consumer.min.assignment.interval.ms': '0',
  // Nobody sends heartbeats that the script does not have, however long it takes.
  'group.consumer.max.session.timeout.ms': '600000',
  'group.consumer.session.timeout.ms': '600000',
};

type Beat = Sparse<beat.ConsumerGroupHeartbeatRequest>;
type Answer = beat.ConsumerGroupHeartbeatResponse;

const { ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse } = beat;

const JOIN = { memberEpoch: 0, rebalanceTimeoutMs: 600_000, topicPartitions: [] };
const LEAVE = { memberEpoch: -1 };
const LEAVE_STATIC = { memberEpoch: -2 };
const PATIENCE_MS = 180_000;
const PAUSE_MS = 20;

class Talk {
  readonly talk: Conversation;
  readonly topics = new Map<string, Uuid>();

  constructor(talk: Conversation) {
    this.talk = talk;
  }

  beat(step: string, given: Beat, version = 1): Promise<Answer> {
    return this.talk.ask(step, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, version, given);
  }

  /** What a member owns, as it tells the broker. */
  owned(name: string, ...partitions: number[]) {
    return { topicPartitions: [{ topicId: this.topics.get(name)!, partitions }] };
  }

  async describe(step: string, ...groupIds: string[]): Promise<void> {
    const { ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse } = describeConsumer;
    for (const version of [0, 1]) {
      const asked = { groupIds, includeAuthorizedOperations: version === 1 };
      await this.talk.ask(
        `${step}: described`,
        ConsumerGroupDescribeRequest,
        ConsumerGroupDescribeResponse,
        version,
        asked,
      );
    }
  }

  commit(step: string, version: number, given: Sparse<offsetCommit.OffsetCommitRequest>) {
    const { OffsetCommitRequest, OffsetCommitResponse } = offsetCommit;
    const topic = version >= 10 ? { topicId: this.topics.get('two')! } : { name: 'two' };
    const topics = [
      { ...topic, partitions: [{ partitionIndex: 0, committedOffset: 5, committedMetadata: '' }] },
    ];
    return this.talk.ask(step, OffsetCommitRequest, OffsetCommitResponse, version, { topics, ...given });
  }
}

/** One that remembers its epoch, also when it is gone. */
class Member {
  epoch = 0;
  readonly #talk: Talk;
  readonly #self: { readonly groupId: string; readonly memberId: string; readonly instanceId: string | null };

  constructor(talk: Talk, groupId: string, memberId: string, instanceId: string | null = null) {
    this.#talk = talk;
    this.#self = { groupId, memberId, instanceId };
  }

  async beat(what: string, given: Beat = {}, version = 1): Promise<void> {
    const { groupId, memberId } = this.#self;
    this.#learn(await this.#talk.beat(`${groupId}: ${memberId} ${what}`, this.#asked(given), version));
  }

  async quietly(given: Beat): Promise<Answer> {
    const { talk } = this.#talk;
    const asked = this.#asked(given);
    return this.#learn(
      await talk.quietly(ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, 1, asked),
    );
  }

  #asked(given: Beat): Beat {
    return { ...this.#self, memberEpoch: this.epoch, ...given };
  }

  #learn(answer: Answer): Answer {
    if (answer.errorCode === 0 && answer.memberEpoch > 0) this.epoch = answer.memberEpoch;
    return answer;
  }
}

/** Goes through all of it with one broker, once `ready` says that it knows of its new topics. */
export async function converse(
  bootstrapServers: string,
  ready: () => Promise<void> = async () => {},
): Promise<Readonly<Record<string, unknown>>> {
  const talk = await Conversation.open(bootstrapServers);
  try {
    const all = new Talk(talk);
    await prepare(all);
    await ready();
    await wrongRequests(all);
    await twoMembers(all);
    await staticMembers(all);
    await subscriptions(all);
    await offsets(all);
    await manyMembers(all);
    await classicRequests(all);
    await otherGroups(all);
  } finally {
    talk.close();
  }
  return talk.seen;
}

async function prepare({ talk, topics }: Talk): Promise<void> {
  const { CreateTopicsRequest, CreateTopicsResponse } = createTopics;
  const made = await talk.quietly(CreateTopicsRequest, CreateTopicsResponse, 7, {
    timeoutMs: 10_000,
    topics: ['two', 'other-two'].map((name) => ({ name, numPartitions: 2, replicationFactor: 1 })),
  });
  for (const { name, topicId } of made.topics) {
    topics.set(name, topicId);
    talk.name(topicId, `topic ${name}`);
  }
  const { MetadataRequest, MetadataResponse } = metadata;
  await until('the leaders', async () => {
    const asked = { topics: [...topics.keys()].map((name) => ({ name })) };
    const answer = await talk.quietly(MetadataRequest, MetadataResponse, 12, asked);
    return answer.topics.every(
      ({ partitions }) => partitions.length === 2 && partitions.every((p) => p.leaderId >= 0),
    );
  });
  const { FindCoordinatorRequest, FindCoordinatorResponse } = findCoordinator;
  await until('the coordinator', async () => {
    const answer = await talk.quietly(FindCoordinatorRequest, FindCoordinatorResponse, 3, { key: 'g' });
    return answer.errorCode === 0;
  });
  await until('the groups', async () => {
    const asked = { groupId: 'probe', memberId: 'm', memberEpoch: 1 };
    const { errorCode } = await talk.quietly(
      ConsumerGroupHeartbeatRequest,
      ConsumerGroupHeartbeatResponse,
      1,
      asked,
    );
    return ![14, 15, 16].includes(errorCode);
  });
}

async function wrongRequests(talk: Talk): Promise<void> {
  const good = { groupId: 'wrong', memberId: 'm', ...JOIN, subscribedTopicNames: ['two'] };
  const wrong: Readonly<Record<string, Beat>> = {
    'no group id': { ...good, groupId: '' },
    'a blank group id': { ...good, groupId: ' ' },
    'a blank member id': { ...good, memberId: ' ' },
    'an empty instance id': { ...good, instanceId: '' },
    'an empty rack': { ...good, rackId: '' },
    'no rebalance timeout': { ...good, rebalanceTimeoutMs: -1 },
    'no partitions': { ...good, topicPartitions: null },
    'partitions already': { ...good, ...talk.owned('two', 0) },
    'no subscription': { ...good, subscribedTopicNames: null },
    'an unknown assignor': { ...good, serverAssignor: 'nonsense' },
    'an empty assignor': { ...good, serverAssignor: '' },
    'an epoch below all': { ...good, memberEpoch: -3 },
    'leaving for a moment without an instance id': { groupId: 'wrong', memberId: 'm', ...LEAVE_STATIC },
    'an epoch in a group that is not there': { groupId: 'wrong', memberId: 'm', memberEpoch: 1 },
    'leaving a group that is not there': { groupId: 'wrong', memberId: 'm', ...LEAVE },
    'leaving for a moment a group that is not there': {
      groupId: 'wrong',
      memberId: 'm',
      instanceId: 'i',
      ...LEAVE_STATIC,
    },
    'leaving without a member id': { groupId: 'wrong', ...LEAVE },
    'an epoch without a member id': { groupId: 'wrong', memberEpoch: 1 },
  };
  for (const [what, given] of Object.entries(wrong)) {
    for (const version of [0, 1]) await talk.beat(`wrong: ${what}`, given, version);
  }
  await talk.beat('wrong: no member id', { ...good, memberId: '' });
  for (const [i, subscribedTopicRegex] of ['[', '(?=a)', '*', 'a{2,1}'].entries()) {
    await talk.beat(`wrong: no regular expression ${i}`, {
      ...good,
      subscribedTopicNames: null,
      subscribedTopicRegex,
    });
  }
  await talk.describe('wrong', 'wrong', '', 'never-was');
}

/** One after the other comes; partitions go from hand to hand. */
async function twoMembers(talk: Talk): Promise<void> {
  const a = new Member(talk, 'pair', 'member-a');
  const b = new Member(talk, 'pair', 'member-b');
  const both = talk.owned('two', 0, 1);
  const joining = { ...JOIN, subscribedTopicNames: ['two'], serverAssignor: 'uniform' };
  await a.beat('joins', joining);
  await talk.describe('pair: a joined', 'pair');
  await a.beat('is there');
  await a.beat('has it all', both);
  await a.beat('joins again', joining);
  await b.beat('joins', { ...JOIN, subscribedTopicNames: ['two'] }, 0);
  await talk.describe('pair: b joined', 'pair');
  await b.beat('is there', { topicPartitions: [] });
  await a.beat('learns that it must share', both);
  await talk.describe('pair: a knows', 'pair');
  await b.beat('still waits', { topicPartitions: [] });
  await a.beat('did not let go yet', both);
  const memberEpoch = a.epoch;
  await a.beat('let go', talk.owned('two', 0));
  await a.beat('let go, and did not get the answer', { memberEpoch, ...talk.owned('two', 0) });
  await a.beat('has more than it was given, in an old epoch', { memberEpoch, ...both });
  await b.beat('gets its part', { topicPartitions: [] });
  await b.beat('has its part', talk.owned('two', 1));
  await talk.describe('pair: both have their parts', 'pair');
  await a.beat('sends all it may', {
    rackId: 'r',
    rebalanceTimeoutMs: 1000,
    subscribedTopicNames: ['two'],
    serverAssignor: 'range',
    ...talk.owned('two', 0),
  });
  await talk.describe('pair: the assignor of one is another', 'pair');
  await b.beat('leaves', LEAVE);
  await b.beat('leaves again', LEAVE);
  await a.beat('gets it all back', talk.owned('two', 0));
  await a.beat('has it all again', both);
  await talk.describe('pair: b left', 'pair');

  const nobody = new Member(talk, 'pair', 'nobody');
  await nobody.beat('asks', { memberEpoch: 3 });
  await nobody.beat('leaves', LEAVE);
  await a.beat('has an epoch from the future', { memberEpoch: a.epoch + 10 });
  await a.beat('has an epoch of long ago', { memberEpoch: 1 });
  await a.beat('has the epoch before, and what it did not have', {
    memberEpoch: a.epoch - 1,
    ...talk.owned('other-two', 0),
  });
  await a.beat('has an unknown instance', { instanceId: 'i' });
  await a.beat('has partitions that it was never given', talk.owned('other-two', 1));
  const topicId = 'AAAAAAAAAAAAAAAAAAAABA' as Uuid;
  await a.beat('has partitions of no topic', { topicPartitions: [{ topicId, partitions: [0] }] });
}

async function staticMembers(talk: Talk): Promise<void> {
  const one = new Member(talk, 'static', 'one', 'i');
  const two = new Member(talk, 'static', 'two', 'i');
  const join = { ...JOIN, subscribedTopicNames: ['two'] };
  await one.beat('joins', join);
  await two.beat('joins while one is there', join);
  await two.beat('asks with the epoch of one', { memberEpoch: one.epoch });
  await one.beat('asks without its instance', { instanceId: null });
  await two.beat('leaves for one', LEAVE);
  await one.beat('is away for a moment', LEAVE_STATIC);
  await talk.describe('static: away', 'static');
  await one.beat('is away, and asks');
  await two.beat('comes back in its place', join);
  await talk.describe('static: back', 'static');
  await one.beat('asks, as who it was');
  await one.beat('leaves, as who it was', LEAVE);
  await two.beat('has its part', talk.owned('two', 0, 1));
  await two.beat('is away too', LEAVE_STATIC);
  await one.beat('comes back with another subscription', { ...join, subscribedTopicNames: ['other-two'] });
  await talk.describe('static: subscribes to another', 'static');
  await one.beat('leaves for good', LEAVE);
  await one.beat('leaves for a moment as an instance that never was', {
    instanceId: 'never',
    ...LEAVE_STATIC,
  });
  await talk.describe('static: gone', 'static');
}

async function subscriptions(talk: Talk): Promise<void> {
  const member = new Member(talk, 'subscriptions', 'm');
  const subscribe = (what: string, ...subscribedTopicNames: string[]) =>
    member.beat(`subscribes to ${what}`, { subscribedTopicNames, topicPartitions: [] });
  await member.beat('subscribes to nothing', { ...JOIN, subscribedTopicNames: [] });
  await subscribe('a topic that is not there', 'never-was');
  await subscribe('one that is there too', 'never-was', 'two');
  await subscribe('the same in another order', 'two', 'never-was', 'two');
  await talk.describe('subscriptions: names', 'subscriptions');
  await member.beat('subscribes by a bad expression', { subscribedTopicRegex: '(' });
  await subscribe('two topics', 'two', 'other-two');
  await subscribe('none any more');
  await talk.describe('subscriptions: none', 'subscriptions');
  await member.beat('leaves', LEAVE);

  const regex = new Member(talk, 'regex', 'm');
  await regex.beat('subscribes by an expression', { ...JOIN, subscribedTopicRegex: 'other-.*' });
  await until('the expression to be resolved', async () => {
    const answer = await regex.quietly({ topicPartitions: [] });
    return (answer.assignment?.topicPartitions.length ?? 0) > 0;
  });
  await regex.beat('has what matches', talk.owned('other-two', 0, 1));
  await talk.describe('regex: resolved', 'regex');
  await regex.beat('subscribes by an empty expression', { subscribedTopicRegex: '' });
  await talk.describe('regex: empty', 'regex');
}

async function offsets(talk: Talk): Promise<void> {
  const groupId = 'offsets';
  const member = { groupId, memberId: 'm' };
  const m = new Member(talk, groupId, 'm');
  await m.beat('joins', { ...JOIN, subscribedTopicNames: ['two'] });
  const { epoch } = m;
  for (const version of [8, 9, 10]) {
    const commit = (what: string, given: Sparse<offsetCommit.OffsetCommitRequest>) =>
      talk.commit(`offsets: commit ${what}`, version, given);
    await commit('as a member', { ...member, generationIdOrMemberEpoch: epoch });
    await commit('with an old epoch', { ...member, generationIdOrMemberEpoch: epoch - 1 });
    await commit('with an epoch to come', { ...member, generationIdOrMemberEpoch: epoch + 1 });
    await commit('as nobody', { groupId, memberId: 'nobody', generationIdOrMemberEpoch: epoch });
    await commit('by hand while there are members', { groupId });
    await commit('in a group that is not there', {
      groupId: 'no',
      memberId: 'm',
      generationIdOrMemberEpoch: 1,
    });
  }
  const { OffsetFetchRequest, OffsetFetchResponse } = offsetFetch;
  for (const version of [8, 9, 10]) {
    const topic = version >= 10 ? { topicId: talk.topics.get('two')! } : { name: 'two' };
    const topics = [{ ...topic, partitionIndexes: [0, 1] }];
    const asked: Readonly<Record<string, Sparse<offsetFetch.OffsetFetchRequest['groups'][number]>>> = {
      'without a member': { groupId, topics },
      'as a member': { groupId, topics, memberId: 'm', memberEpoch: epoch },
      'with an old epoch': { groupId, topics, memberId: 'm', memberEpoch: epoch - 1 },
      'with an epoch to come': { groupId, topics, memberId: 'm', memberEpoch: epoch + 1 },
      'as nobody': { groupId, topics, memberId: 'nobody', memberEpoch: epoch },
      'in a group that is not there': { groupId: 'no', topics, memberId: 'm', memberEpoch: epoch },
    };
    for (const [what, one] of Object.entries(asked)) {
      const { memberId, memberEpoch, ...old } = one;
      const group = version >= 9 ? one : old;
      await talk.talk.ask(`offsets: fetch ${what}`, OffsetFetchRequest, OffsetFetchResponse, version, {
        groups: [group],
      });
    }
  }
  const { OffsetDeleteRequest, OffsetDeleteResponse } = offsetDelete;
  for (const name of ['two', 'other-two']) {
    await talk.talk.ask(`offsets: forget ${name}`, OffsetDeleteRequest, OffsetDeleteResponse, 0, {
      groupId,
      topics: [{ name, partitions: [{ partitionIndex: 0 }] }],
    });
  }
  await m.beat('leaves', LEAVE);
  await talk.commit('offsets: commit by hand once empty', 9, { groupId });
  await talk.commit('offsets: commit with an epoch once empty', 9, {
    ...member,
    generationIdOrMemberEpoch: 1,
  });
}

async function manyMembers(talk: Talk): Promise<void> {
  const join = (memberId: string) =>
    talk.beat(`many: ${memberId} joins`, { groupId: 'many', memberId, ...JOIN, subscribedTopicNames: [] });
  for (const memberId of ['a', 'b', 'c', 'd']) await join(memberId);
  await talk.beat('many: a leaves', { groupId: 'many', memberId: 'a', ...LEAVE });
  await join('e');
  const asked = { groupId: 'generated', ...JOIN, subscribedTopicNames: ['two'] };
  const { memberId, memberEpoch } = await talk.talk.quietly(
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    0,
    asked,
  );
  talk.talk.name(memberId!, 'generated');
  talk.talk.keep('many: the length of an id that the broker makes', memberId!.length);
  await talk.beat(
    'many: the one with that id is there',
    { groupId: 'generated', memberId: memberId!, memberEpoch },
    0,
  );
}

/** Members of the old protocol that ask a group of the new one, and the APIs for both. */
async function classicRequests({ talk }: Talk): Promise<void> {
  const { JoinGroupRequest, JoinGroupResponse } = joinGroup;
  await talk.ask('classic: joins with another type', JoinGroupRequest, JoinGroupResponse, 9, {
    groupId: 'pair',
    memberId: '',
    sessionTimeoutMs: 600_000,
    rebalanceTimeoutMs: 600_000,
    protocolType: 'connect',
    protocols: [{ name: 'range', metadata: Buffer.from('x') }],
  });
  const member = { groupId: 'pair', memberId: 'member-a', generationId: 3 };
  const { SyncGroupRequest, SyncGroupResponse } = syncGroup;
  await talk.ask('classic: sync of a member', SyncGroupRequest, SyncGroupResponse, 5, {
    ...member,
    protocolType: 'consumer',
    protocolName: 'range',
  });
  await talk.ask('classic: sync of nobody', SyncGroupRequest, SyncGroupResponse, 4, {
    ...member,
    memberId: 'nobody',
  });
  const { HeartbeatRequest, HeartbeatResponse } = heartbeat;
  await talk.ask('classic: heartbeat of a member', HeartbeatRequest, HeartbeatResponse, 4, member);
  await talk.ask('classic: heartbeat of nobody', HeartbeatRequest, HeartbeatResponse, 4, {
    ...member,
    memberId: 'nobody',
  });
  const { LeaveGroupRequest, LeaveGroupResponse } = leaveGroup;
  await talk.ask('classic: nobody leaves', LeaveGroupRequest, LeaveGroupResponse, 5, {
    groupId: 'pair',
    members: [{ memberId: 'nobody' }, { memberId: '', groupInstanceId: 'nobody' }],
  });
  const { DescribeGroupsRequest, DescribeGroupsResponse } = describeGroups;
  for (const version of [5, 6]) {
    await talk.ask('classic: describe', DescribeGroupsRequest, DescribeGroupsResponse, version, {
      groups: ['pair'],
    });
  }
}

async function otherGroups(talk: Talk): Promise<void> {
  const { ListGroupsRequest, ListGroupsResponse } = listGroups;
  const list = (what: string, version: number, asked: Sparse<listGroups.ListGroupsRequest>) =>
    talk.talk.ask(`list ${what}`, ListGroupsRequest, ListGroupsResponse, version, asked);
  for (let version = 0; version <= 5; version++) await list('all', version, {});
  await list('by state', 5, { statesFilter: ['Stable', 'reconciling'] });
  await list('by state of empty ones', 5, { statesFilter: ['EMPTY'] });
  await list('by state of those that assign', 5, { statesFilter: ['Assigning'] });
  await list('by type', 5, { typesFilter: ['Consumer'] });
  await list('by another type', 5, { typesFilter: ['classic'] });
  await list('by state and type', 5, { statesFilter: ['Stable'], typesFilter: ['consumer'] });
  const { DeleteGroupsRequest, DeleteGroupsResponse } = deleteGroups;
  await talk.talk.ask('delete', DeleteGroupsRequest, DeleteGroupsResponse, 2, {
    groupsNames: ['pair', 'static', 'never-was'],
  });
  await talk.describe('delete', 'static');

  // A group of the old protocol that nobody is in becomes one of the new.
  await talk.commit('old: a commit by hand makes a group', 9, { groupId: 'old' });
  await talk.describe('old: by hand', 'old');
  await talk.beat('old: a member of the new protocol', {
    groupId: 'old',
    memberId: 'm',
    ...JOIN,
    subscribedTopicNames: ['two'],
  });
  await talk.describe('old: taken over', 'old');
  const { JoinGroupRequest, JoinGroupResponse } = joinGroup;
  const { memberId } = await talk.talk.quietly(JoinGroupRequest, JoinGroupResponse, 2, {
    groupId: 'connectors',
    sessionTimeoutMs: 600_000,
    rebalanceTimeoutMs: 600_000,
    protocolType: 'connect',
    protocols: [{ name: 'p', metadata: Buffer.from('x') }],
  });
  await talk.beat('old: among members of another type', {
    groupId: 'connectors',
    memberId: 'm',
    ...JOIN,
    subscribedTopicNames: ['two'],
  });
  await talk.describe('old: another type', 'connectors');
  await talk.beat('old: an epoch among members of another type', {
    groupId: 'connectors',
    memberId,
    memberEpoch: 1,
  });
}

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
