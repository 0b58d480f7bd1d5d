import type { Uuid } from '../../src/base/uuid.ts';
import { defaults, encodeToBytes, type Sparse } from '../../src/protocol/codec.ts';
import { Errors } from '../../src/protocol/errors.ts';
import * as addOffsets from '../../src/protocol/messages/add-offsets-to-txn.ts';
import * as beat from '../../src/protocol/messages/consumer-group-heartbeat.ts';
import {
  ConsumerProtocolAssignment,
  ConsumerProtocolSubscription,
} from '../../src/protocol/messages/consumer-protocol.ts';
import * as describeGroups from '../../src/protocol/messages/describe-groups.ts';
import * as joinGroup from '../../src/protocol/messages/join-group.ts';
import { MetadataRequest, MetadataResponse } from '../../src/protocol/messages/metadata.ts';
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/offset-fetch.ts';
import { SyncGroupRequest, SyncGroupResponse } from '../../src/protocol/messages/sync-group.ts';
import * as txnCommit from '../../src/protocol/messages/txn-offset-commit.ts';
import { until } from '../interop/support/run.ts';
import { makeTopics } from '../interop/support/wire.ts';
import { SCRIPTED_GROUPS } from './mixed-group-conversation.ts';
import {
  begin,
  coordinators,
  end,
  fenced,
  future,
  groups,
  type Producer,
  settle,
  stranger,
  TransactionConversation,
} from './transaction-conversation.ts';
import { WireClient } from './wire-client.ts';

/**
 * What a broker answers to offsets that are committed within transactions: by producers that do everything right and by
 * others, for groups without members, and by members of both protocols. The answers of Apache Kafka are in
 * test/fixtures/golden/txn-offset-answers.json; test/interop/txn-offset-answers.test.ts writes them there.
 */

/** What the node must be set to. */
export const TXN_OFFSET_SETTINGS = { ...SCRIPTED_GROUPS, 'transaction.state.log.num.partitions': '4' };

const TOPIC = 't';
const PARTITIONS = 3;
const TIMEOUT_MS = 600_000;
/** Members are named from this version on, topics by id from the other one. */
const MEMBERS_VERSION_MIN = 3;
const TOPIC_ID_VERSION_MIN = 6;
/** From this version on the commit makes the group a part of the transaction by itself. */
const ADDING_VERSION_MIN = 5;

const { JoinGroupRequest, JoinGroupResponse } = joinGroup;
const { ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse } = beat;

type Commit = Sparse<txnCommit.TxnOffsetCommitRequest>;
/** How a member of a group says who it is. */
type Self = Required<Pick<Commit, 'memberId' | 'generationIdOrMemberEpoch' | 'groupInstanceId'>>;

/** Asks in one version for one group, in transactions of one producer. */
class Committing {
  readonly #talk: TransactionConversation;
  readonly #version: number;
  readonly #topicId: Uuid;
  readonly #groupId: string;
  #producer: Producer = { producerId: -1n, producerEpoch: -1 };

  constructor(talk: TransactionConversation, version: number, topicId: Uuid, groupId: string) {
    this.#talk = talk;
    this.#version = version;
    this.#topicId = topicId;
    this.#groupId = `${groupId} ${version}`;
  }

  get groupId(): string {
    return this.#groupId;
  }

  get producer(): Producer {
    return this.#producer;
  }

  get #transactionalId(): string {
    return `committer of ${this.#groupId}`;
  }

  /** A new transaction, of which the group is a part where clients of this version see to that. */
  async begin(isPart = this.#version < ADDING_VERSION_MIN): Promise<void> {
    const { AddOffsetsToTxnRequest, AddOffsetsToTxnResponse } = addOffsets;
    this.#producer = await begin(this.#talk, this.#transactionalId);
    if (!isPart) return;
    const asked = { transactionalId: this.#transactionalId, ...this.#producer, groupId: this.#groupId };
    const { errorCode } = await this.#talk.client.request(
      AddOffsetsToTxnRequest,
      AddOffsetsToTxnResponse,
      3,
      asked,
    );
    if (errorCode !== Errors.NONE) throw new Error(`${this.#groupId} was not added: ${errorCode}`);
  }

  async end(step: string, committed: boolean): Promise<void> {
    const what = `${this.#groupId}: ${step}`;
    await end(this.#talk, what, 3, this.#transactionalId, this.#producer, committed);
    await settle(this.#talk, what, this.#transactionalId);
  }

  async commit(step: string, given: Commit = {}, partitions: readonly number[] = [0]): Promise<void> {
    const isById = this.#version >= TOPIC_ID_VERSION_MIN;
    const topic = {
      ...(isById ? { topicId: this.#topicId } : { name: TOPIC }),
      partitions: partitions.map((partitionIndex) => ({
        partitionIndex,
        committedOffset: 7,
        committedMetadata: 'm',
      })),
    };
    const { TxnOffsetCommitRequest, TxnOffsetCommitResponse } = txnCommit;
    const asked = defaults<txnCommit.TxnOffsetCommitRequest>(TxnOffsetCommitRequest, {
      transactionalId: this.#transactionalId,
      ...this.#producer,
      groupId: this.#groupId,
      topics: [topic],
      ...given,
    });
    const { topics, throttleTimeMs } = await this.#talk.client.request(
      TxnOffsetCommitRequest,
      TxnOffsetCommitResponse,
      this.#version,
      asked,
    );
    const told = topics.map((one) => one.partitions);
    this.#talk.keep(`${this.#groupId}: ${step}`, { topics: told, throttleTimeMs });
  }

  /** What a consumer that waits for open transactions is told. */
  async fetch(step: string): Promise<void> {
    const partitionIndexes = Array.from({ length: PARTITIONS }, (_, index) => index);
    const asked = defaults<OffsetFetchRequest>(OffsetFetchRequest, {
      groups: [{ groupId: this.#groupId, topics: [{ name: TOPIC, partitionIndexes }] }],
      requireStable: true,
    });
    const answer = await this.#talk.client.request(OffsetFetchRequest, OffsetFetchResponse, 8, asked);
    this.#talk.keep(`${this.#groupId}: ${step} (offsets)`, answer);
  }
}

/** Goes through all of it with one broker, in these versions, once `ready` says that it knows of its topics. */
export async function converseAboutTxnOffsets(
  port: number,
  versions: readonly number[],
  ready: () => Promise<void> = async () => undefined,
): Promise<Record<string, unknown>> {
  await makeTopics(port, [{ name: TOPIC, partitions: PARTITIONS }]);
  const client = await WireClient.open(`127.0.0.1:${port}`);
  const talk = new TransactionConversation(client);
  try {
    await coordinators(talk);
    await groups(talk);
    await ready();
    const named = { topics: [{ name: TOPIC }] };
    const { topics } = await client.request(
      MetadataRequest,
      MetadataResponse,
      12,
      defaults(MetadataRequest, named),
    );
    const { topicId } = topics[0]!;
    for (const version of versions) {
      await withoutMembers(new Committing(talk, version, topicId, 'nobody'), version);
      if (version < MEMBERS_VERSION_MIN) continue;
      await classicMembers(talk, port, new Committing(talk, version, topicId, 'classic'));
      await staticMember(talk, new Committing(talk, version, topicId, 'static'));
      await consumers(talk, topicId, new Committing(talk, version, topicId, 'consumers'));
      await mixed(talk, topicId, new Committing(talk, version, topicId, 'mixed'));
    }
  } finally {
    client.close();
  }
  return talk.seen;
}

async function withoutMembers(one: Committing, version: number): Promise<void> {
  await one.begin(false);
  if (version < ADDING_VERSION_MIN) await one.commit('in a transaction without the group');
  await one.begin();
  const { producer } = one;
  await one.commit('without a group', { groupId: '' });
  await one.commit('without a transactional id', { transactionalId: '' });
  await one.commit('with the transactional id of nobody', { transactionalId: `nobody at all ${version}` });
  await one.commit('with the id of somebody else', stranger(producer));
  await one.commit('with an epoch to come', future(producer));
  await one.commit('with an epoch before', fenced(producer));
  await one.begin();
  if (version >= MEMBERS_VERSION_MIN) {
    await one.commit('as a member, before there is a group', { memberId: 'm', generationIdOrMemberEpoch: 3 });
  }
  await one.commit('no topics', { topics: [] });
  await one.commit('partitions that are not there', {}, [0, 9]);
  const partition = { partitionIndex: 1, committedOffset: 8 };
  if (version < TOPIC_ID_VERSION_MIN) {
    await one.commit('a topic that is not there', {
      topics: [{ name: 'never-was', partitions: [{ ...partition, committedMetadata: '' }] }],
    });
    await one.commit('without metadata', {
      topics: [{ name: TOPIC, partitions: [{ ...partition, committedMetadata: null }] }],
    });
    await one.commit('metadata that is too large', {
      topics: [{ name: TOPIC, partitions: [{ ...partition, committedMetadata: 'x'.repeat(4097) }] }],
    });
  }
  await one.fetch('while it is open');
  await one.end('abort', false);
  await one.fetch('once it is aborted');
  await one.begin();
  await one.commit('again', {}, [0, 2]);
  if (version >= MEMBERS_VERSION_MIN) {
    const member = { memberId: 'm', groupInstanceId: null };
    await one.commit('as a member of a group without any', { ...member, generationIdOrMemberEpoch: 3 });
    await one.commit('with a member id alone', { ...member, generationIdOrMemberEpoch: -1 });
    await one.commit('with a generation alone', { generationIdOrMemberEpoch: 0 });
    await one.commit('with an instance id alone', { groupInstanceId: 'i' });
  }
  await one.end('commit', true);
  await one.fetch('once it is committed');
}

/** What they may be: each of these commits stands for itself. */
async function asMember(one: Committing, when: string, self: Self): Promise<void> {
  const epoch = self.generationIdOrMemberEpoch;
  const other = (given: Partial<Self>): Commit => ({ ...self, ...given });
  await one.commit(`${when}: as who it is`, self);
  await one.commit(`${when}: all partitions`, self, [0, 1, 2]);
  await one.commit(`${when}: in the generation before`, other({ generationIdOrMemberEpoch: epoch - 1 }));
  await one.commit(`${when}: in one to come`, other({ generationIdOrMemberEpoch: epoch + 1 }));
  await one.commit(`${when}: in none`, other({ generationIdOrMemberEpoch: -1 }));
  await one.commit(`${when}: as one that left for a while`, other({ generationIdOrMemberEpoch: -2 }));
  await one.commit(`${when}: as a stranger`, other({ memberId: 'stranger' }));
  await one.commit(`${when}: without a member id`, other({ memberId: '' }));
  await one.commit(`${when}: with an instance id of nobody`, other({ groupInstanceId: 'nobody' }));
  await one.commit(`${when}: as nobody`);
}

async function classicMembers(talk: TransactionConversation, port: number, one: Committing): Promise<void> {
  const second = await WireClient.open(`127.0.0.1:${port}`);
  try {
    const a = new Classic(talk.client, one.groupId);
    const b = new Classic(second, one.groupId);
    await a.join();
    await one.begin();
    await one.commit('joined: as who it is', a.self);
    await a.sync();
    await asMember(one, 'stable', a.self);
    // Asks for an id, and waits for the other one.
    const joining = b.join();
    await stateIs(talk, one.groupId, 'PreparingRebalance');
    await asMember(one, 'while another one joins', a.self);
    await a.join();
    await joining;
    await asMember(one, 'before assignments are there', a.self);
    await Promise.all([a.sync(), b.sync()]);
    await one.commit('in the new generation', b.self);
    await one.end('commit', true);
    await one.fetch('once it is committed');
  } finally {
    second.close();
  }
}

async function staticMember(talk: TransactionConversation, one: Committing): Promise<void> {
  const before = new Classic(talk.client, one.groupId, 'i');
  const after = new Classic(talk.client, one.groupId, 'i');
  await before.join();
  await before.sync();
  await one.begin();
  await asMember(one, 'alone', before.self);
  await after.join();
  await after.sync();
  await asMember(one, 'replaced', before.self);
  await asMember(one, 'in its place', after.self);
  await one.end('commit', true);
  await one.fetch('once it is committed');
}

async function consumers(talk: TransactionConversation, topicId: Uuid, one: Committing): Promise<void> {
  const a = new Consumer(talk.client, one.groupId, 'a', topicId);
  const b = new Consumer(talk.client, one.groupId, 'b', topicId, 'i');
  await a.beat();
  await a.beat();
  await one.begin();
  await asMember(one, 'alone', a.self);
  const before = a.self;
  await b.beat();
  await asMember(one, 'before it gives something back', a.self);
  a.keep(1);
  await a.beat();
  await a.beat();
  await asMember(one, 'with what it has kept', a.self);
  await one.commit('with what it has kept: as who it was', before);
  await one.commit('with what it has kept: as who it was, all partitions', before, [0, 1, 2]);
  await b.beat();
  await asMember(one, 'the other one', b.self);
  const instead = new Consumer(talk.client, one.groupId, 'c', topicId, 'i');
  await b.leaveForAWhile();
  await asMember(one, 'away for a while', b.self);
  await instead.beat();
  await asMember(one, 'replaced', b.self);
  await asMember(one, 'in its place', instead.self);
  await one.end('commit', true);
  await one.fetch('once it is committed');
}

/** A member of the classic protocol in a consumer group. */
async function mixed(talk: TransactionConversation, topicId: Uuid, one: Committing): Promise<void> {
  const old = new Classic(talk.client, one.groupId);
  const fresh = new Consumer(talk.client, one.groupId, 'fresh', topicId);
  await old.join();
  await old.sync();
  await one.begin();
  const before = old.self;
  await fresh.beat();
  await asMember(one, 'once another one came', old.self);
  await asMember(one, 'the other one', fresh.self);
  await old.join();
  await old.sync();
  await asMember(one, 'in the new epoch', old.self);
  await one.commit('in the new epoch: as who it was', before);
  await one.end('commit', true);
  await one.fetch('once it is committed');
}

async function stateIs(talk: TransactionConversation, groupId: string, state: string): Promise<void> {
  const { DescribeGroupsRequest, DescribeGroupsResponse } = describeGroups;
  const asked = defaults<describeGroups.DescribeGroupsRequest>(DescribeGroupsRequest, { groups: [groupId] });
  await until(`${groupId} to be ${state}`, async () => {
    const got = await talk.client.request(DescribeGroupsRequest, DescribeGroupsResponse, 5, asked);
    return got.groups[0]!.groupState === state ? true : undefined;
  });
}

class Classic {
  readonly #client: WireClient;
  readonly #groupId: string;
  readonly #instanceId: string | null;
  #memberId = '';
  #generationId = -1;
  #members: readonly string[] = [];

  constructor(client: WireClient, groupId: string, instanceId: string | null = null) {
    this.#client = client;
    this.#groupId = groupId;
    this.#instanceId = instanceId;
  }

  get self(): Self {
    return {
      memberId: this.#memberId,
      generationIdOrMemberEpoch: this.#generationId,
      groupInstanceId: this.#instanceId,
    };
  }

  async join(): Promise<void> {
    const subscription = defaults(ConsumerProtocolSubscription, { topics: [TOPIC] });
    const bytes = encodeToBytes(ConsumerProtocolSubscription, 1, subscription);
    const asked = defaults<joinGroup.JoinGroupRequest>(JoinGroupRequest, {
      groupId: this.#groupId,
      memberId: this.#memberId,
      groupInstanceId: this.#instanceId,
      sessionTimeoutMs: TIMEOUT_MS,
      rebalanceTimeoutMs: TIMEOUT_MS,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: Buffer.concat([Buffer.from([0, 1]), bytes]) }],
    });
    const answer = await this.#client.request(JoinGroupRequest, JoinGroupResponse, 9, asked);
    const { errorCode, memberId, generationId, leader, members } = answer;
    this.#memberId = memberId;
    if (errorCode === Errors.MEMBER_ID_REQUIRED) return this.join();
    if (errorCode !== Errors.NONE) throw new Error(`${this.#groupId} can't be joined: ${errorCode}`);
    this.#generationId = generationId;
    this.#members = leader === memberId ? members.map((member) => member.memberId) : [];
  }

  /** Where it leads, the first member gets all. */
  async sync(): Promise<void> {
    const all = Array.from({ length: PARTITIONS }, (_, partition) => partition);
    const assignments = this.#members.map((memberId, at) => {
      const assignedPartitions = [{ topic: TOPIC, partitions: at === 0 ? all : [] }];
      const bytes = encodeToBytes(ConsumerProtocolAssignment, 1, { assignedPartitions, userData: null });
      return { memberId, assignment: Buffer.concat([Buffer.from([0, 1]), bytes]) };
    });
    const asked = defaults<SyncGroupRequest>(SyncGroupRequest, {
      groupId: this.#groupId,
      memberId: this.#memberId,
      groupInstanceId: this.#instanceId,
      generationId: this.#generationId,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments,
    });
    const { errorCode } = await this.#client.request(SyncGroupRequest, SyncGroupResponse, 5, asked);
    if (errorCode !== Errors.NONE) throw new Error(`${this.#groupId} gives no assignment: ${errorCode}`);
  }
}

class Consumer {
  readonly #client: WireClient;
  readonly #self: { readonly groupId: string; readonly memberId: string; readonly instanceId: string | null };
  readonly #topicId: Uuid;
  #epoch = 0;
  #partitions: readonly number[] = [];

  constructor(
    client: WireClient,
    groupId: string,
    memberId: string,
    topicId: Uuid,
    instanceId: string | null = null,
  ) {
    this.#client = client;
    this.#self = { groupId, memberId, instanceId };
    this.#topicId = topicId;
  }

  get self(): Self {
    const { memberId, instanceId } = this.#self;
    return { memberId, generationIdOrMemberEpoch: this.#epoch, groupInstanceId: instanceId };
  }

  /** Lets go of all but the first so many partitions. */
  keep(count: number): void {
    this.#partitions = this.#partitions.slice(0, count);
  }

  /** Joins where it has not, says what it has, and takes what it is given. */
  async beat(): Promise<void> {
    const isNew = this.#epoch === 0;
    const owned = { topicId: this.#topicId, partitions: [...this.#partitions] };
    const topicPartitions = this.#partitions.length === 0 ? [] : [owned];
    const joining = { rebalanceTimeoutMs: TIMEOUT_MS, subscribedTopicNames: [TOPIC] };
    const answer = await this.#ask({
      memberEpoch: this.#epoch,
      topicPartitions,
      ...(isNew ? joining : {}),
    });
    this.#epoch = answer.memberEpoch;
    const given = answer.assignment?.topicPartitions.flatMap(({ partitions }) => [...partitions]);
    if (given !== undefined && given.length >= this.#partitions.length) this.#partitions = given;
  }

  async leaveForAWhile(): Promise<void> {
    await this.#ask({ memberEpoch: -2 });
  }

  async #ask(
    given: Sparse<beat.ConsumerGroupHeartbeatRequest>,
  ): Promise<beat.ConsumerGroupHeartbeatResponse> {
    const asked = defaults<beat.ConsumerGroupHeartbeatRequest>(ConsumerGroupHeartbeatRequest, {
      ...this.#self,
      ...given,
    });
    const answer = await this.#client.request(
      ConsumerGroupHeartbeatRequest,
      ConsumerGroupHeartbeatResponse,
      1,
      asked,
    );
    const { errorCode } = answer;
    if (errorCode !== Errors.NONE) throw new Error(`${this.#self.memberId} is refused: ${errorCode}`);
    return answer;
  }
}
