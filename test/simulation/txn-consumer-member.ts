import { defaults } from '../../src/protocol/codec.ts';
import { Errors, errorName } from '../../src/protocol/errors.ts';
import {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../src/protocol/messages/consumer-group-heartbeat.ts';
import { OutcomeUnknown } from './kafka-client.ts';
import { promised } from './model.ts';
import {
  Heartbeats,
  type Membership,
  type MembershipOptions,
  type Place,
  REBALANCE_TIMEOUT_MS,
  RETRY_MS,
} from './txn-membership.ts';
import { Fenced, RETRIABLE } from './txn-requests.ts';

const API = { request: ConsumerGroupHeartbeatRequest, response: ConsumerGroupHeartbeatResponse };
const VERSION = 1;
const LEAVES = -1;
const LEAVES_FOR_A_WHILE = -2;
/** It is no member any more. */
const LOST: ReadonlySet<number> = new Set([
  Errors.FENCED_MEMBER_EPOCH,
  Errors.UNKNOWN_MEMBER_ID,
  Errors.GROUP_ID_NOT_FOUND,
]);

/** A member of the consumer protocol (KIP-848): between two polls it keeps what it had, whatever it is told. */
export class ConsumerMembership implements Membership {
  readonly asksAsMember = true;
  readonly #options: MembershipOptions;
  readonly #heartbeats: Heartbeats;
  #epoch = 0;
  #isLost = false;
  /** With all of its fields the next request asks for the assignment again. */
  #sendsAll = true;
  #has: readonly number[] = [];
  #shallHave: readonly number[] = [];
  #place: Place | undefined;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#heartbeats = new Heartbeats(options, () => this.#heartbeat());
  }

  get committer() {
    const { name, groupInstanceId } = this.#options;
    return { memberId: name, generationIdOrMemberEpoch: this.#epoch, groupInstanceId };
  }

  async poll(): Promise<Place | undefined> {
    // What it takes while a heartbeat is under way, that one does not tell of.
    await this.#heartbeats.rest();
    const { world, random, model } = this.#options;
    if (this.#isLost || this.#epoch === 0) {
      this.#isLost = false;
      this.#epoch = 0;
      this.#has = [];
      this.#shallHave = [];
      this.#place = undefined;
      this.#sendsAll = true;
      await this.#heartbeats.now();
      await this.#heartbeats.rest();
    }
    if (this.#epoch === 0 || this.#isLost) {
      await world.sleep(random.between(1, RETRY_MS));
      return undefined;
    }
    if (this.#place === undefined || this.#has !== this.#shallHave) {
      this.#has = this.#shallHave;
      this.#place = { partitions: this.#has, committer: this.committer };
      model.count('assignments to a consumer');
    }
    return this.#place;
  }

  freeze(ms: number): void {
    this.#heartbeats.freeze(ms);
  }

  async stop(leaves: boolean): Promise<void> {
    this.#heartbeats.stop();
    await this.#heartbeats.rest().catch(() => undefined);
    const { groupInstanceId, random, client, heartbeats } = this.#options;
    if (leaves && this.#epoch > 0) {
      const isBack = groupInstanceId !== null && random.chance(0.7);
      await this.#ask({ memberEpoch: isBack ? LEAVES_FOR_A_WHILE : LEAVES });
    }
    client.close();
    heartbeats.close();
  }

  async #heartbeat(): Promise<void> {
    if (this.#isLost) return;
    const { topic } = this.#options;
    const all = {
      rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
      subscribedTopicNames: [topic.name],
    };
    const owned = this.#has.length === 0 ? [] : [{ topicId: topic.topicId, partitions: [...this.#has] }];
    const answer = await this.#ask({
      memberEpoch: this.#epoch,
      topicPartitions: owned,
      ...(this.#sendsAll ? all : {}),
    });
    this.#sendsAll = answer?.errorCode !== Errors.NONE;
    if (answer !== undefined) this.#answered(answer);
  }

  #answered({ errorCode, memberEpoch, assignment }: ConsumerGroupHeartbeatResponse): void {
    const { name } = this.#options;
    if (errorCode === Errors.NONE) {
      this.#epoch = memberEpoch;
      if (assignment !== null) {
        this.#shallHave = assignment.topicPartitions.flatMap(({ partitions }) => [...partitions]);
      }
    } else if (LOST.has(errorCode)) {
      this.#isLost = true;
    } else if (errorCode === Errors.FENCED_INSTANCE_ID) {
      throw new Fenced(errorName(errorCode));
    } else {
      const may = RETRIABLE.has(errorCode) || errorCode === Errors.UNRELEASED_INSTANCE_ID;
      promised(may, () => `${name} could not send a heartbeat: ${errorName(errorCode)}`);
    }
  }

  async #ask(
    given: Parameters<typeof defaults<ConsumerGroupHeartbeatRequest>>[1],
  ): Promise<ConsumerGroupHeartbeatResponse | undefined> {
    const { heartbeats, groupId, groupInstanceId, name } = this.#options;
    if (!(await heartbeats.connect())) return undefined;
    const member = { groupId, memberId: name, instanceId: groupInstanceId };
    const request = defaults<ConsumerGroupHeartbeatRequest>(ConsumerGroupHeartbeatRequest, {
      ...member,
      ...given,
    });
    try {
      return await heartbeats.ask(API, VERSION, request);
    } catch (error) {
      if (error instanceof OutcomeUnknown) return undefined;
      throw error;
    }
  }
}
