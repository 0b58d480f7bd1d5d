import { decode, defaults, encodeToBytes } from '../../src/protocol/codec.ts';
import { Errors, errorName } from '../../src/protocol/errors.ts';
import { ConsumerProtocolAssignment } from '../../src/protocol/messages/consumer-protocol.ts';
import { HeartbeatRequest, HeartbeatResponse } from '../../src/protocol/messages/heartbeat.ts';
import { JoinGroupRequest, JoinGroupResponse } from '../../src/protocol/messages/join-group.ts';
import { LeaveGroupRequest, LeaveGroupResponse } from '../../src/protocol/messages/leave-group.ts';
import { SyncGroupRequest, SyncGroupResponse } from '../../src/protocol/messages/sync-group.ts';
import { subscription } from '../unit/coordinator/subscription.ts';
import { type Api, type KafkaClient, OutcomeUnknown } from './kafka-client.ts';
import { promised } from './model.ts';
import {
  Heartbeats,
  type Membership,
  type MembershipOptions,
  type Place,
  REBALANCE_TIMEOUT_MS,
  RETRY_MS,
  SESSION_TIMEOUT_MS,
} from './txn-membership.ts';
import { Fenced, RETRIABLE } from './txn-requests.ts';

const JOIN = { request: JoinGroupRequest, response: JoinGroupResponse };
const JOIN_VERSION = 9;
const SYNC = { request: SyncGroupRequest, response: SyncGroupResponse };
const SYNC_VERSION = 5;
const HEARTBEAT = { request: HeartbeatRequest, response: HeartbeatResponse };
const HEARTBEAT_VERSION = 4;
const LEAVE = { request: LeaveGroupRequest, response: LeaveGroupResponse };
const LEAVE_VERSION = 5;
const MUST_JOIN: ReadonlySet<number> = new Set([
  Errors.UNKNOWN_MEMBER_ID,
  Errors.ILLEGAL_GENERATION,
  Errors.REBALANCE_IN_PROGRESS,
]);

/** A member of the classic protocol, which gives everything back before it joins again. */
export class ClassicMembership implements Membership {
  readonly asksAsMember = false;
  readonly #options: MembershipOptions;
  readonly #heartbeats: Heartbeats;
  #memberId = '';
  #generationId = -1;
  #place: Place | undefined;
  #mustJoin = true;
  /** Nobody knows its member id any more. */
  #isUnknown = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#heartbeats = new Heartbeats(options, () => this.#heartbeat());
  }

  get committer() {
    const { groupInstanceId } = this.#options;
    return { memberId: this.#memberId, generationIdOrMemberEpoch: this.#generationId, groupInstanceId };
  }

  async poll(): Promise<Place | undefined> {
    await this.#heartbeats.rest();
    if (this.#mustJoin) {
      this.#place = undefined;
      if (this.#isUnknown) this.#memberId = '';
      this.#isUnknown = false;
      const joined = await this.#join();
      if (joined !== undefined) await this.#sync(joined);
      if (this.#mustJoin) await this.#options.world.sleep(this.#options.random.between(1, RETRY_MS));
    }
    return this.#place;
  }

  freeze(ms: number): void {
    this.#heartbeats.freeze(ms);
  }

  async stop(leaves: boolean): Promise<void> {
    this.#heartbeats.stop();
    const { client, groupId, groupInstanceId, heartbeats } = this.#options;
    if (leaves && this.#memberId !== '') {
      const members = [{ memberId: this.#memberId, groupInstanceId }];
      await this.#ask(client, LEAVE, LEAVE_VERSION, defaults(LeaveGroupRequest, { groupId, members }));
    }
    client.close();
    heartbeats.close();
  }

  async #join(): Promise<JoinGroupResponse | undefined> {
    const { client, groupId, groupInstanceId, topic } = this.#options;
    const request = defaults<JoinGroupRequest>(JoinGroupRequest, {
      groupId,
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
      rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
      memberId: this.#memberId,
      groupInstanceId,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: subscription(topic.name) }],
    });
    const joined = await this.#ask(client, JOIN, JOIN_VERSION, request);
    if (joined === undefined) return undefined;
    const { errorCode, memberId, generationId } = joined;
    if (errorCode === Errors.MEMBER_ID_REQUIRED) {
      this.#memberId = memberId;
      return this.#join();
    }
    if (!this.#accepts(errorCode, 'join')) return undefined;
    this.#memberId = memberId;
    this.#generationId = generationId;
    return joined;
  }

  async #sync(joined: JoinGroupResponse): Promise<void> {
    const { client, groupId, groupInstanceId } = this.#options;
    const leads = joined.leader === this.#memberId && !joined.skipAssignment;
    const request = defaults<SyncGroupRequest>(SyncGroupRequest, {
      groupId,
      memberId: this.#memberId,
      groupInstanceId,
      generationId: this.#generationId,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: leads ? this.#assign(joined) : [],
    });
    const synced = await this.#ask(client, SYNC, SYNC_VERSION, request);
    if (synced === undefined || !this.#accepts(synced.errorCode, 'ask for its assignment')) return;
    this.#mustJoin = false;
    this.#place = { partitions: partitionsIn(synced.assignment), committer: this.committer };
    this.#options.model.count('joins as a classic member');
  }

  #assign({ members }: JoinGroupResponse) {
    const { name, partitionCount } = this.#options.topic;
    return members.map(({ memberId }, at) => {
      const all = Array.from({ length: partitionCount }, (_, partition) => partition);
      const partitions = all.filter((partition) => partition % members.length === at);
      const value = { assignedPartitions: [{ topic: name, partitions }], userData: null };
      const bytes = encodeToBytes(ConsumerProtocolAssignment, 0, value);
      return { memberId, assignment: Buffer.concat([Buffer.from([0, 0]), bytes]) };
    });
  }

  async #heartbeat(): Promise<void> {
    if (this.#mustJoin) return;
    const { heartbeats, groupId, groupInstanceId } = this.#options;
    const { memberId, generationIdOrMemberEpoch: generationId } = this.committer;
    const request = defaults(HeartbeatRequest, { groupId, memberId, groupInstanceId, generationId });
    const answer = await this.#ask(heartbeats, HEARTBEAT, HEARTBEAT_VERSION, request);
    if (answer === undefined || RETRIABLE.has(answer.errorCode)) return;
    if (generationId === this.#generationId) this.#accepts(answer.errorCode, 'send a heartbeat');
  }

  /** Whether all is well; else it must join again. Throws Fenced, and where that should not be. */
  #accepts(errorCode: number, what: string): boolean {
    if (errorCode === Errors.NONE) return true;
    this.#mustJoin = true;
    if (errorCode === Errors.FENCED_INSTANCE_ID) throw new Fenced(errorName(errorCode));
    // Only with the next poll: until then it is whom it was.
    if (errorCode === Errors.UNKNOWN_MEMBER_ID) this.#isUnknown = true;
    const { name } = this.#options;
    const may = MUST_JOIN.has(errorCode) || RETRIABLE.has(errorCode);
    promised(may, () => `${name} could not ${what}: ${errorName(errorCode)}`);
    return false;
  }

  async #ask<Request, Response>(
    client: KafkaClient,
    api: Api<Request, Response>,
    version: number,
    request: Request,
  ): Promise<Response | undefined> {
    if (!(await client.connect())) return undefined;
    try {
      return await client.ask(api, version, request);
    } catch (error) {
      if (error instanceof OutcomeUnknown) return undefined;
      throw error;
    }
  }
}

function partitionsIn(assignment: Uint8Array): readonly number[] {
  if (assignment.length === 0) return [];
  const { assignedPartitions } = decode(ConsumerProtocolAssignment, 0, assignment, 2);
  return assignedPartitions.flatMap(({ partitions }) => [...partitions]);
}
