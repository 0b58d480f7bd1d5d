import type { Uuid } from '../../src/base/uuid.ts';
import { defaults } from '../../src/protocol/codec.ts';
import { Errors } from '../../src/protocol/errors.ts';
import {
  ConsumerGroupHeartbeatRequest,
  type ConsumerGroupHeartbeatResponse,
} from '../../src/protocol/messages/consumer-group-heartbeat.ts';
import {
  COMMIT_MS,
  commitOf,
  isReplaced,
  keepsPlace,
  type MemberWorld,
  type MigrationPolicy,
  type Part,
  partKey,
  REBALANCE_TIMEOUT_MS,
  REFUSED_MS,
  RETRIABLE,
  RETRY_MS,
  type SimulatedClient,
  type Subscription,
  takesPlace,
} from './group-member.ts';
import { partsOf } from './group-model.ts';

const HEARTBEAT_VERSION = 1;
const LEAVES = -1;
const LEAVES_FOR_A_WHILE = -2;
/** Until the group says how often it wants to hear of its members. */
const FIRST_HEARTBEAT_MS = 1000;
/** Of a topic that is not there any more. */
const GONE = 'a topic that is gone';

/**
 * One consumer of the new protocol, as clients behave: it says what it has, lets go of what it is told to with the next
 * heartbeat, and begins anew when it is fenced.
 */
export class SimulatedConsumer implements SimulatedClient {
  readonly name: string;
  readonly groupInstanceId: string | null;
  readonly #world: MemberWorld;
  readonly #assignor: string | null;
  #subscription: Subscription;
  #memberId = '';
  #epoch = 0;
  #heartbeatMs = FIRST_HEARTBEAT_MS;
  #isGone = true;
  #isBusy = false;
  /** An answer may have been lost: with all of its fields the next request asks for it again. */
  #sendsAll = false;
  /** What it was given last. */
  #assigned: readonly Part[] = [];
  /** With what it has not let go of yet. */
  #holding: ReadonlyMap<string, Part> = new Map();
  #life = 0;
  #membership = {};
  #isRefused = false;
  #stalledUntilMs = 0;
  #heardAtMs = Number.NEGATIVE_INFINITY;
  /** It was told to let go of something, and the earliest that it may be taken out for not doing so. */
  #letGoUntilMs = Number.POSITIVE_INFINITY;

  constructor(world: MemberWorld, name: string, groupInstanceId: string | null, subscription: Subscription) {
    this.#world = world;
    this.name = name;
    this.groupInstanceId = groupInstanceId;
    this.#subscription = subscription;
    this.#assignor = world.random.pick([null, 'uniform', 'range']);
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  get isStable(): boolean {
    return !this.#isGone && this.#epoch > 0;
  }

  get isRefused(): boolean {
    return this.#isRefused;
  }

  get membership(): object {
    return this.#membership;
  }

  get isAlive(): boolean {
    const aliveUntilMs = Math.min(this.#heardAtMs + this.#world.shortestSessionMs, this.#letGoUntilMs);
    if (!this.isStable || isReplaced(this, this.#world)) return false;
    return this.#world.time.monotonicMs() < aliveUntilMs;
  }

  get subscription(): Subscription {
    return this.#subscription;
  }

  get owned(): readonly string[] {
    const { topics } = this.#world;
    return this.#assigned.map(({ topicId, partition }) => `${topics.nameOf(topicId) ?? GONE}/${partition}`);
  }

  get owner(): string {
    return this.groupInstanceId ?? this.#memberId;
  }

  holds(key: string): boolean {
    return this.isAlive && this.#holding.has(key);
  }

  start(): void {
    this.#life += 1;
    this.#memberId = `${this.name}-${this.#life}`;
    this.#isGone = false;
    this.#isBusy = false;
    this.#beginAnew();
    this.#beat();
    this.#every(
      () => this.#heartbeatMs,
      () => this.#beat(),
    );
    this.#every(
      () => COMMIT_MS,
      () => this.#commit(),
    );
  }

  crash(): void {
    this.#life += 1;
    this.#isGone = true;
    this.#assigned = [];
    this.#holding = new Map();
  }

  leave(): void {
    const { groupId, random } = this.#world;
    const isStatic = this.groupInstanceId !== null;
    const memberEpoch = isStatic && random.chance(0.7) ? LEAVES_FOR_A_WHILE : LEAVES;
    const request = { groupId, memberId: this.#memberId, memberEpoch, instanceId: this.groupInstanceId };
    this.crash();
    this.#send(request, () => undefined);
  }

  stall(ms: number): void {
    this.#stalledUntilMs = this.#world.time.monotonicMs() + ms;
  }

  resubscribe(subscription: Subscription): void {
    this.#subscription = subscription;
    this.#sendsAll = true;
  }

  get #isStalled(): boolean {
    return this.#world.time.monotonicMs() < this.#stalledUntilMs;
  }

  #beginAnew(): void {
    this.#membership = {};
    this.#epoch = 0;
    this.#heardAtMs = Number.NEGATIVE_INFINITY;
    this.#letGoUntilMs = Number.POSITIVE_INFINITY;
    this.#assigned = [];
    this.#holding = new Map();
  }

  #beat(): void {
    if (this.#isGone || this.#isBusy || this.#isStalled) return;
    this.#isBusy = true;
    if (this.#epoch === 0) takesPlace(this, this.#world);
    this.#holding = byKey(this.#assigned);
    const { groupId, time } = this.#world;
    const sentAtMs = time.monotonicMs();
    const byTopic = new Map<Uuid, number[]>();
    for (const { topicId, partition } of this.#assigned) {
      byTopic.set(topicId, [...(byTopic.get(topicId) ?? []), partition]);
    }
    const topicPartitions = Array.from(byTopic, ([topicId, partitions]) => ({ topicId, partitions }));
    const member = {
      groupId,
      memberId: this.#memberId,
      memberEpoch: this.#epoch,
      instanceId: this.groupInstanceId,
      topicPartitions,
    };
    const { names, pattern } = this.#subscription;
    const all = {
      rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
      subscribedTopicNames: [...names],
      subscribedTopicRegex: pattern ?? '',
      serverAssignor: this.#assignor,
    };
    const isJoining = this.#epoch === 0;
    const policy = this.#world.policy();
    const request = isJoining || this.#sendsAll ? { ...member, ...all } : member;
    this.#sendsAll = false;
    this.#send(
      request,
      this.#alive((response) => {
        if (isJoining) this.#noteWhetherRefused(response, policy);
        this.#answered(response, sentAtMs);
      }),
    );
  }

  #noteWhetherRefused({ errorCode }: ConsumerGroupHeartbeatResponse, policy: MigrationPolicy): void {
    this.#isRefused = errorCode === Errors.GROUP_ID_NOT_FOUND;
    const mayBe = policy === 'disabled' || policy === 'downgrade';
    if (this.#isRefused && !mayBe)
      this.#world.model.wrong(`${this.name} was refused, and the policy is ${policy}`);
  }

  #answered(response: ConsumerGroupHeartbeatResponse, sentAtMs: number): void {
    this.#isBusy = false;
    const { errorCode } = response;
    if (errorCode !== Errors.NONE) this.#sendsAll = true;
    switch (errorCode) {
      case Errors.NONE:
        this.#letGoUntilMs = Number.POSITIVE_INFINITY;
        keepsPlace(this, this.#world, sentAtMs);
        this.#epoch = response.memberEpoch;
        this.#heartbeatMs = response.heartbeatIntervalMs;
        if (response.assignment !== null) this.#take(response.assignment.topicPartitions);
        this.#heardAtMs = sentAtMs;
        return;
      case Errors.FENCED_INSTANCE_ID:
        this.crash();
        return;
      case Errors.FENCED_MEMBER_EPOCH:
      case Errors.UNKNOWN_MEMBER_ID:
      case Errors.GROUP_ID_NOT_FOUND:
        this.#beginAnew();
        this.#heartbeatMs = FIRST_HEARTBEAT_MS;
        this.#later(this.#world.random.between(1, this.#isRefused ? REFUSED_MS : RETRY_MS), () =>
          this.#beat(),
        );
        return;
      default:
        if (RETRIABLE.has(errorCode) || errorCode === Errors.UNRELEASED_INSTANCE_ID) return;
        this.#world.model.wrong(`${this.name} could not send a heartbeat: ${errorCode}`);
    }
  }

  #take(topics: readonly { readonly topicId: Uuid; readonly partitions: readonly number[] }[]): void {
    const { model, groupId, topics: known } = this.#world;
    this.#assigned = partsOf(
      topics.map(({ topicId, partitions }) => ({
        topic: known.nameOf(topicId) ?? GONE,
        topicId,
        partitions,
      })),
    );
    const assigned = byKey(this.#assigned);
    const mustLetGo = [...this.#holding.keys()].some((key) => !assigned.has(key));
    // An answer that was lost may have told it first.
    if (mustLetGo) this.#letGoUntilMs = this.#heardAtMs + REBALANCE_TIMEOUT_MS;
    this.#holding = new Map([...this.#holding, ...assigned]);
    model.owns(this.#epoch, this.owner, this.#assigned, this.#world.clients());
    for (const { topic, partition } of this.#assigned) {
      if (topic !== GONE) model.read(this.#world, groupId, topic, partition);
    }
  }

  /** Of what it believes to have, whether that is still so or not. */
  #commit(): void {
    if (this.#isStalled || this.#holding.size === 0 || this.#epoch <= 0) return;
    const part = this.#world.random.pick([...this.#holding.values()]);
    commitOf(this.#world, this, { memberId: this.#memberId, epoch: this.#epoch, part });
  }

  #send(
    given: Parameters<typeof defaults<ConsumerGroupHeartbeatRequest>>[1],
    answer: (response: ConsumerGroupHeartbeatResponse) => void,
  ): void {
    const request = defaults<ConsumerGroupHeartbeatRequest>(ConsumerGroupHeartbeatRequest, given);
    const context = { apiVersion: HEARTBEAT_VERSION, clientId: this.name, clientHost: '/simulated' };
    this.#world.coordinator().consumerHeartbeat(context, request, answer);
  }

  #alive<T>(then: (value: T) => void): (value: T) => void {
    const life = this.#life;
    return (value) => {
      if (this.#life === life) then(value);
    };
  }

  #later(ms: number, run: () => void): void {
    this.#world.time.after(ms, this.#alive<void>(run));
  }

  #every(ms: () => number, run: () => void): void {
    const most = ms();
    this.#later(this.#world.random.between(Math.floor(most / 2), most), () => {
      run();
      this.#every(ms, run);
    });
  }
}

function byKey(parts: readonly Part[]): ReadonlyMap<string, Part> {
  return new Map(parts.map((part) => [partKey(part), part]));
}
