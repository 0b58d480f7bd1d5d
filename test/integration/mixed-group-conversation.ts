import type { Uuid } from '../../src/base/uuid.ts';
import { defaults, encodeToBytes, type Sparse } from '../../src/protocol/codec.ts';
import * as describeConsumer from '../../src/protocol/messages/consumer-group-describe.ts';
import * as beat from '../../src/protocol/messages/consumer-group-heartbeat.ts';
import {
  ConsumerProtocolAssignment,
  ConsumerProtocolSubscription,
} from '../../src/protocol/messages/consumer-protocol.ts';
import * as createTopics from '../../src/protocol/messages/create-topics.ts';
import * as describeGroups from '../../src/protocol/messages/describe-groups.ts';
import * as findCoordinator from '../../src/protocol/messages/find-coordinator.ts';
import * as heartbeat from '../../src/protocol/messages/heartbeat.ts';
import * as joinGroup from '../../src/protocol/messages/join-group.ts';
import * as leaveGroup from '../../src/protocol/messages/leave-group.ts';
import * as listGroups from '../../src/protocol/messages/list-groups.ts';
import * as metadata from '../../src/protocol/messages/metadata.ts';
import * as offsetCommit from '../../src/protocol/messages/offset-commit.ts';
import * as syncGroup from '../../src/protocol/messages/sync-group.ts';
import { Conversation } from './conversation.ts';

/**
 * What a broker answers to members of both protocols in one group (KIP-848), with each `group.consumer.migration.policy`.
 * The answers of Apache Kafka are in test/fixtures/golden/mixed-group-answers.json; test/interop/group-mixed-answers
 * writes them there.
 */

export const POLICIES = ['bidirectional', 'upgrade', 'downgrade', 'disabled'] as const;

/** Groups do what the script has them do, and nothing by themselves. */
export const SCRIPTED_GROUPS = {
  'group.initial.rebalance.delay.ms': '0',
  'offsets.topic.num.partitions': '1',
  'group.consumer.assignment.interval.ms': '0',
  'group.consumer.min.assignment.interval.ms': '0',
  // Nobody sends heartbeats that the script does not have, however long it takes.
  'group.consumer.max.session.timeout.ms': '600000',
  'group.consumer.session.timeout.ms': '600000',
};

/** Both brokers run with these. */
export const mixedSettings = (policy: (typeof POLICIES)[number]) => ({
  ...SCRIPTED_GROUPS,
  'group.consumer.migration.policy': policy,
});

const TOPIC = 'two';
const TIMEOUT_MS = 600_000;
const PATIENCE_MS = 180_000;
const PAUSE_MS = 20;
/** COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR. */
const LOADING: readonly number[] = [14, 15, 16];

const { ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse } = beat;
const { JoinGroupRequest, JoinGroupResponse } = joinGroup;
const { SyncGroupRequest, SyncGroupResponse } = syncGroup;
const { HeartbeatRequest, HeartbeatResponse } = heartbeat;

/** Goes through all of it with one broker. */
export async function converseMixed(
  bootstrapServers: string,
  settled: () => Promise<void> = async () => undefined,
): Promise<Readonly<Record<string, unknown>>> {
  const talk = await Conversation.open(bootstrapServers);
  try {
    const topicId = await prepare(talk);
    await settled();
    await oneOfEach(talk, topicId);
    await replaced(talk, topicId);
    await classicComesSecond(talk, topicId);
    const { ListGroupsRequest, ListGroupsResponse } = listGroups;
    await talk.ask('in the end: list', ListGroupsRequest, ListGroupsResponse, 5, {});
  } finally {
    talk.close();
  }
  return talk.seen;
}

async function prepare(talk: Conversation): Promise<Uuid> {
  const { CreateTopicsRequest, CreateTopicsResponse } = createTopics;
  const made = await talk.quietly(CreateTopicsRequest, CreateTopicsResponse, 7, {
    timeoutMs: 10_000,
    topics: [{ name: TOPIC, numPartitions: 2, replicationFactor: 1 }],
  });
  const { topicId } = made.topics[0]!;
  talk.name(topicId, `topic ${TOPIC}`);
  const { MetadataRequest, MetadataResponse } = metadata;
  await until('the leaders', async () => {
    const asked = { topics: [{ name: TOPIC }] };
    const { topics } = await talk.quietly(MetadataRequest, MetadataResponse, 12, asked);
    const partitions = topics[0]?.partitions ?? [];
    return partitions.length === 2 && partitions.every(({ leaderId }) => leaderId >= 0);
  });
  const { FindCoordinatorRequest, FindCoordinatorResponse } = findCoordinator;
  await until('the coordinator', async () => {
    const answer = await talk.quietly(FindCoordinatorRequest, FindCoordinatorResponse, 3, { key: 'g' });
    return answer.errorCode === 0;
  });
  await until('the groups', async () => {
    const asked = { groupId: 'probe', memberId: 'm', memberEpoch: 1 };
    const answer = await talk.quietly(
      ConsumerGroupHeartbeatRequest,
      ConsumerGroupHeartbeatResponse,
      1,
      asked,
    );
    return !LOADING.includes(answer.errorCode);
  });
  return topicId;
}

/** A classic group, one of the new protocol comes, and goes. */
async function oneOfEach(talk: Conversation, topicId: Uuid): Promise<void> {
  const groupId = 'one of each';
  const old = new ClassicMember(talk, groupId, 'old');
  const fresh = new ConsumerMember(talk, groupId, 'new', topicId);
  await old.join('joins');
  await old.sync('is assigned', [0, 1]);
  await old.commit('commits');
  await look(talk, groupId, 'classic');
  await fresh.beat('joins', JOIN);
  await look(talk, groupId, 'new came');
  await old.beat('hears of it');
  await fresh.beat('waits', { topicPartitions: [] });
  await old.commit('commits meanwhile');
  await old.sync('asks with its old generation');
  await old.join('joins again');
  await look(talk, groupId, 'old joined again');
  await old.sync('gets its part');
  await old.beat('is there');
  await fresh.beat('gets its part', { topicPartitions: [] });
  await fresh.beat('has its part', fresh.owned(1));
  await old.beat('is still there');
  await old.commit('commits in the new epoch');
  await fresh.commit('commits');
  await look(talk, groupId, 'both are there');
  await fresh.beat('leaves', { memberEpoch: -1 });
  await look(talk, groupId, 'new left');
  await old.beat('hears that it left');
  await old.join('joins once more');
  await old.sync('has it all again', [0, 1]);
  await old.beat('has it all');
  await old.commit('commits at last');
  await look(talk, groupId, 'only old is there');
  await old.leave('leaves');
  await look(talk, groupId, 'nobody is there');
}

/** A static member takes the place of one of the other kind, and back. */
async function replaced(talk: Conversation, topicId: Uuid): Promise<void> {
  const groupId = 'replaced';
  const old = new ClassicMember(talk, groupId, 'old', 'i');
  const fresh = new ConsumerMember(talk, groupId, 'new', topicId, 'i');
  const again = new ClassicMember(talk, groupId, 'again', 'i');
  await old.join('joins');
  await old.sync('is assigned', [0, 1]);
  await fresh.beat('joins in its place', JOIN);
  await look(talk, groupId, 'new took the place');
  await old.beat('hears of it');
  await old.commit('commits');
  await fresh.beat('has it all', fresh.owned(0, 1));
  await look(talk, groupId, 'new has it all');
  await again.join('joins in the place of new');
  await look(talk, groupId, 'again took the place');
  await again.sync('is assigned', [0, 1]);
  await fresh.beat('hears of it', fresh.owned(0, 1));
  await again.beat('is there');
  await again.commit('commits');
  await look(talk, groupId, 'again has it all');
}

/** A consumer group, and one of the old protocol comes. */
async function classicComesSecond(talk: Conversation, topicId: Uuid): Promise<void> {
  const groupId = 'classic second';
  const fresh = new ConsumerMember(talk, groupId, 'new', topicId);
  const old = new ClassicMember(talk, groupId, 'old');
  await fresh.beat('joins', JOIN);
  await fresh.beat('has it all', fresh.owned(0, 1));
  await old.join('joins');
  await old.sync('gets nothing yet');
  await look(talk, groupId, 'old came');
  await fresh.beat('is to give something back', fresh.owned(0, 1));
  await fresh.beat('gave it back', fresh.owned(0));
  await old.beat('hears that something is free');
  await old.join('joins again');
  await old.sync('gets its part');
  await look(talk, groupId, 'both have their parts');
  await old.leave('leaves');
  await fresh.beat('gets it back', fresh.owned(0));
  await look(talk, groupId, 'old left');
}

/** What all that describe groups say. */
async function look(talk: Conversation, groupId: string, when: string): Promise<void> {
  const { DescribeGroupsRequest, DescribeGroupsResponse } = describeGroups;
  const asked = { groups: [groupId] };
  await talk.ask(`${groupId}: ${when}`, DescribeGroupsRequest, DescribeGroupsResponse, 6, asked);
  const { ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse } = describeConsumer;
  await talk.ask(`${groupId}: ${when}`, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, 1, {
    groupIds: [groupId],
  });
}

type Beat = Sparse<beat.ConsumerGroupHeartbeatRequest>;

const JOIN: Beat = {
  memberEpoch: 0,
  rebalanceTimeoutMs: TIMEOUT_MS,
  topicPartitions: [],
  subscribedTopicNames: [TOPIC],
};

class ConsumerMember {
  #epoch = 0;
  readonly #talk: Conversation;
  readonly #groupId: string;
  readonly #memberId: string;
  readonly #topicId: Uuid;
  readonly #instanceId: string | null;

  constructor(
    talk: Conversation,
    groupId: string,
    memberId: string,
    topicId: Uuid,
    instanceId: string | null = null,
  ) {
    this.#talk = talk;
    this.#groupId = groupId;
    this.#memberId = memberId;
    this.#topicId = topicId;
    this.#instanceId = instanceId;
  }

  owned(...partitions: readonly number[]): Beat {
    return { topicPartitions: [{ topicId: this.#topicId, partitions }] };
  }

  async beat(what: string, given: Beat): Promise<void> {
    const request: Beat = {
      groupId: this.#groupId,
      memberId: this.#memberId,
      memberEpoch: this.#epoch,
      instanceId: this.#instanceId,
      ...given,
    };
    const answer = await this.#talk.ask(
      `${this.#groupId}: ${this.#memberId} ${what}`,
      ConsumerGroupHeartbeatRequest,
      ConsumerGroupHeartbeatResponse,
      1,
      request,
    );
    if (answer.errorCode === 0 && answer.memberEpoch > 0) this.#epoch = answer.memberEpoch;
  }

  commit(what: string): Promise<void> {
    return commit(this.#talk, `${this.#groupId}: ${this.#memberId} ${what}`, {
      groupId: this.#groupId,
      memberId: this.#memberId,
      generationIdOrMemberEpoch: this.#epoch,
      groupInstanceId: this.#instanceId,
    });
  }
}

/** One that is the only one of its kind: its joins are answered at once. */
export class ClassicMember {
  #memberId = '';
  #generationId = -1;
  #isLeader = false;
  readonly #talk: Conversation;
  readonly #groupId: string;
  readonly #name: string;
  readonly #instanceId: string | null;

  constructor(talk: Conversation, groupId: string, name: string, instanceId: string | null = null) {
    this.#talk = talk;
    this.#groupId = groupId;
    this.#name = name;
    this.#instanceId = instanceId;
  }

  #step(what: string): string {
    return `${this.#groupId}: ${this.#name} ${what}`;
  }

  /** With the id that it is told to have, where it has none. */
  async join(what: string): Promise<void> {
    const subscription = defaults(ConsumerProtocolSubscription, { topics: [TOPIC] });
    const bytes = encodeToBytes(ConsumerProtocolSubscription, 1, subscription);
    const metadata = Buffer.concat([Buffer.from([0, 1]), bytes]);
    const ask = async (step: string) => {
      const answer = await this.#talk.quietly(JoinGroupRequest, JoinGroupResponse, 9, {
        groupId: this.#groupId,
        memberId: this.#memberId,
        groupInstanceId: this.#instanceId,
        sessionTimeoutMs: TIMEOUT_MS,
        rebalanceTimeoutMs: TIMEOUT_MS,
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata }],
      });
      if (answer.memberId !== '') this.#talk.name(answer.memberId, `${this.#groupId} ${this.#name}`);
      this.#talk.keep(this.#step(step), answer);
      return answer;
    };
    let answer = await ask(what);
    if (answer.memberId !== '') this.#memberId = answer.memberId;
    // MEMBER_ID_REQUIRED
    if (answer.errorCode === 79) answer = await ask(`${what} with its id`);
    if (answer.errorCode !== 0) return;
    this.#generationId = answer.generationId;
    this.#isLeader = answer.leader === answer.memberId;
  }

  /** Takes these where it leads. */
  async sync(what: string, partitions: readonly number[] = []): Promise<void> {
    const assignedPartitions = [{ topic: TOPIC, partitions }];
    const bytes = encodeToBytes(ConsumerProtocolAssignment, 1, { assignedPartitions, userData: null });
    const assignment = Buffer.concat([Buffer.from([0, 1]), bytes]);
    await this.#talk.ask(this.#step(what), SyncGroupRequest, SyncGroupResponse, 5, {
      ...this.#self(),
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: this.#isLeader ? [{ memberId: this.#memberId, assignment }] : [],
    });
  }

  async beat(what: string): Promise<void> {
    await this.#talk.ask(this.#step(what), HeartbeatRequest, HeartbeatResponse, 4, this.#self());
  }

  async leave(what: string): Promise<void> {
    const { LeaveGroupRequest, LeaveGroupResponse } = leaveGroup;
    const members = [{ memberId: this.#memberId, groupInstanceId: this.#instanceId }];
    const asked = { groupId: this.#groupId, members };
    await this.#talk.ask(this.#step(what), LeaveGroupRequest, LeaveGroupResponse, 5, asked);
  }

  commit(what: string): Promise<void> {
    const { generationId, ...self } = this.#self();
    return commit(this.#talk, this.#step(what), { ...self, generationIdOrMemberEpoch: generationId });
  }

  #self() {
    return {
      groupId: this.#groupId,
      memberId: this.#memberId,
      generationId: this.#generationId,
      groupInstanceId: this.#instanceId,
    };
  }
}

async function commit(
  talk: Conversation,
  step: string,
  given: Sparse<offsetCommit.OffsetCommitRequest>,
): Promise<void> {
  const { OffsetCommitRequest, OffsetCommitResponse } = offsetCommit;
  const partitions = [{ partitionIndex: 0, committedOffset: 5, committedMetadata: '' }];
  const asked = { ...given, topics: [{ name: TOPIC, partitions }] };
  await talk.ask(step, OffsetCommitRequest, OffsetCommitResponse, 9, asked);
}

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
