import type { Uuid } from '../../src/base/uuid.ts';
import { defaults } from '../../src/protocol/codec.ts';
import { Errors } from '../../src/protocol/errors.ts';
import {
  ConsumerGroupHeartbeatRequest,
  type ConsumerGroupHeartbeatResponse,
} from '../../src/protocol/messages/consumer-group-heartbeat.ts';
import {
  commitOf,
  HEARTBEAT_MS,
  type MemberWorld,
  REBALANCE_TIMEOUT_MS,
  RETRIABLE,
  RETRY_MS,
  SESSION_TIMEOUT_MS,
  type SimulatedClient,
  TOPIC,
} from './group-member.ts';

const HEARTBEAT_VERSION = 1;
const LEAVES = -1;
const LEAVES_FOR_A_WHILE = -2;

/**
 * One consumer of the new protocol, as clients behave: it says what it has, lets go of what it is told to with the next
 * heartbeat, and begins anew when it is fenced.
 */
export class SimulatedConsumer implements SimulatedClient {
  readonly name: string;
  readonly groupInstanceId: string | null;
  readonly #world: MemberWorld;
  #memberId = '';
  #epoch = 0;
  #isGone = false;
  #isBusy = false;
  /** An answer may have been lost: with all of its fields the next request asks for it again. */
  #sendsAll = false;
  /** What it was given last. */
  #assigned: readonly number[] = [];
  /** With what it has not let go of yet. */
  #holding: ReadonlySet<number> = new Set();
  #life = 0;
  #stalledUntilMs = 0;
  #heardAtMs = Number.NEGATIVE_INFINITY;
  /** It was told to let go of something, and the earliest that it may be taken out for not doing so. */
  #letGoUntilMs = Number.POSITIVE_INFINITY;

  constructor(world: MemberWorld, name: string, groupInstanceId: string | null) {
    this.#world = world;
    this.name = name;
    this.groupInstanceId = groupInstanceId;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  get isStable(): boolean {
    return !this.#isGone && this.#epoch > 0;
  }

  get owned(): readonly number[] {
    return this.#assigned;
  }

  get owner(): string {
    return this.groupInstanceId ?? this.#memberId;
  }

  /** Whether it has the partition, and its session can't be over. */
  holds(partition: number): boolean {
    const aliveUntilMs = Math.min(this.#heardAtMs + SESSION_TIMEOUT_MS, this.#letGoUntilMs);
    const isAlive = this.#world.time.monotonicMs() < aliveUntilMs;
    return !this.#isGone && isAlive && this.#holding.has(partition);
  }

  start(): void {
    this.#life += 1;
    this.#memberId = `${this.name}-${this.#life}`;
    this.#isGone = false;
    this.#isBusy = false;
    this.#beginAnew();
    this.#beat();
    this.#every(HEARTBEAT_MS, () => this.#beat());
    this.#every(700, () => this.#commit());
  }

  crash(): void {
    this.#life += 1;
    this.#isGone = true;
    this.#assigned = [];
    this.#holding = new Set();
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

  get #isStalled(): boolean {
    return this.#world.time.monotonicMs() < this.#stalledUntilMs;
  }

  #beginAnew(): void {
    this.#epoch = 0;
    this.#assigned = [];
    this.#holding = new Set();
  }

  #beat(): void {
    if (this.#isGone || this.#isBusy || this.#isStalled) return;
    this.#isBusy = true;
    this.#holding = new Set(this.#assigned);
    const { groupId, topicId, time } = this.#world;
    const sentAtMs = time.monotonicMs();
    const partitions = [...this.#assigned];
    const topicPartitions = partitions.length === 0 ? [] : [{ topicId, partitions }];
    const member = {
      groupId,
      memberId: this.#memberId,
      memberEpoch: this.#epoch,
      instanceId: this.groupInstanceId,
      topicPartitions,
    };
    const all = { rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS, subscribedTopicNames: [TOPIC] };
    const request = this.#epoch === 0 || this.#sendsAll ? { ...member, ...all } : member;
    this.#send(
      request,
      this.#alive((response) => this.#answered(response, sentAtMs)),
    );
  }

  #answered(response: ConsumerGroupHeartbeatResponse, sentAtMs: number): void {
    this.#isBusy = false;
    const { errorCode } = response;
    this.#sendsAll = errorCode !== Errors.NONE;
    switch (errorCode) {
      case Errors.NONE:
        this.#letGoUntilMs = Number.POSITIVE_INFINITY;
        this.#epoch = response.memberEpoch;
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
        this.#later(this.#world.random.between(1, RETRY_MS), () => this.#beat());
        return;
      default:
        if (RETRIABLE.has(errorCode) || errorCode === Errors.UNRELEASED_INSTANCE_ID) return;
        this.#world.model.wrong(`${this.name} could not send a heartbeat: ${errorCode}`);
    }
  }

  #take(topics: readonly { readonly topicId: Uuid; readonly partitions: readonly number[] }[]): void {
    const { model } = this.#world;
    this.#assigned = topics.flatMap(({ partitions }) => [...partitions]);
    const mustLetGo = [...this.#holding].some((one) => !this.#assigned.includes(one));
    // An answer that was lost may have told it first.
    if (mustLetGo) this.#letGoUntilMs = this.#heardAtMs + REBALANCE_TIMEOUT_MS;
    this.#holding = new Set([...this.#holding, ...this.#assigned]);
    model.owns(this.#epoch, this.owner, this.#assigned, this.#world.clients());
    for (const partition of this.#assigned) model.read(this.#world, partition);
  }

  /** Of what it believes to have, whether that is still so or not. */
  #commit(): void {
    if (this.#isStalled || this.#holding.size === 0 || this.#epoch <= 0) return;
    const partition = this.#world.random.pick([...this.#holding]);
    commitOf(this.#world, this, { memberId: this.#memberId, epoch: this.#epoch, partition });
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

  #every(ms: number, run: () => void): void {
    this.#later(this.#world.random.between(Math.floor(ms / 2), ms), () => {
      run();
      this.#every(ms, run);
    });
  }
}
