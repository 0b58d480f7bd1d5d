import { GroupCoordinator, type GroupCoordinatorConfig } from '../../src/coordinator/index.ts';
import { defaults } from '../../src/protocol/codec.ts';
import { Errors } from '../../src/protocol/errors.ts';
import { OffsetDeleteRequest } from '../../src/protocol/messages/offset-delete.ts';
import { FakeTopics } from '../unit/coordinator/fake-topics.ts';
import { MemoryLog, silent, turnOver, VirtualTime } from '../unit/coordinator/support.ts';
import { SimulatedConsumer } from './consumer-member.ts';
import {
  commitOf,
  countOf,
  type MakeClient,
  type MemberWorld,
  type MigrationPolicy,
  outcomeOf,
  REBALANCE_TIMEOUT_MS,
  SESSION_TIMEOUT_MS,
  type SimulatedClient,
  SimulatedMember,
  type Subscription,
  wantedBy,
} from './group-member.ts';
import { GroupModel } from './group-model.ts';
import { offsetsIn, stateOf } from './group-state.ts';
import { GroupTypeWatch } from './group-type-watch.ts';
import { SeededRandom } from './random.ts';

const GROUP = 'g';
/** Somebody who only keeps offsets, and has no members. */
const KEEPER = 'keeper';
const GROUPS = [GROUP, KEEPER];
const FAULTY_MS = 120_000;
const STEP_MS = 250;
/** Faults are over: all joins, sessions and rebalances that are under way end within this. */
const CALM_MS = 4 * (SESSION_TIMEOUT_MS + REBALANCE_TIMEOUT_MS);
const TOPICS = ['orders-a', 'orders-b', 'orders-c', 'bills-a', 'bills-b', 'notes'] as const;
const PATTERNS = ['orders-.*', 'bills-.*|notes', '.*-a', 'never-.*'] as const;
/** A group may have so many in one seed of many. */
const CROWD = [100, 300] as const;
const WEEK_MS = 7 * 24 * 3_600_000;
const RETENTION_CHECK_INTERVAL_MS = 5000;
const SESSIONS_MS = [6000, SESSION_TIMEOUT_MS, 15_000] as const;
const HEARTBEATS_MS = [1000, 3000] as const;
const ASSIGNMENT_INTERVALS_MS = [0, 0, 1000, 4000] as const;
const POLICIES = ['bidirectional', 'bidirectional', 'upgrade', 'downgrade', 'disabled'] as const;

export interface GroupSimulationOptions {
  readonly seed: number;
  /** A fault that the invariants must notice. */
  readonly logForgets?: boolean;
  /** Members of both protocols, so that the group turns from one to the other. */
  readonly isMixed?: boolean;
}

const CONFIG: GroupCoordinatorConfig = {
  initialRebalanceDelayMs: 500,
  minSessionTimeoutMs: 1,
  maxSessionTimeoutMs: 1_800_000,
  maxSize: 1000,
  consumerMaxSize: 2_147_483_647,
  consumerAssignors: ['uniform', 'range'],
  consumerMigrationPolicy: 'bidirectional',
  consumerRegexRefreshIntervalMs: 600_000,
  offsetMetadataMaxSize: 4096,
  offsetsRetentionMs: WEEK_MS,
  offsetsRetentionCheckIntervalMs: RETENTION_CHECK_INTERVAL_MS,
  offsetsCommitTimeoutMs: 5000,
  offsetsLoadBufferBytes: 20_000,
  offsetsTopicCompressionId: 0,
};

/**
 * Members that join, leave, crash, stall and come back, that change what they want and what they speak; topics that are
 * made, deleted and changed below them; and a coordinator whose broker crashes, whose writes fail and whose commits are
 * late: all from one seed. Throws, with the seed, where something does not hold.
 */
export async function simulateGroup(options: GroupSimulationOptions): Promise<{ hash: string }> {
  const simulation = new GroupSimulation(options);
  return simulation.run();
}

class GroupSimulation {
  readonly #seed: number;
  readonly #random: SeededRandom;
  readonly #time = new VirtualTime();
  readonly #log = new MemoryLog();
  readonly #model: GroupModel;
  readonly #members: SimulatedClient[] = [];
  /** Who pretends to be a static member that is there, for a while. */
  #impostors: SimulatedClient[] = [];
  readonly #instances = new Map<string, { readonly name: string; readonly sinceMs: number }>();
  readonly #topics = new FakeTopics();
  readonly #isMixed: boolean;
  readonly #logForgets: boolean;
  readonly #retentionMs: number;
  readonly #world: MemberWorld;
  /** What the consumer group has set for itself. */
  #settings = {
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    heartbeatIntervalMs: HEARTBEATS_MS[1] as number,
    assignmentIntervalMs: 0,
  };
  /** Brokers may have been given different ones. */
  readonly #changesPolicy: boolean;
  #policy: MigrationPolicy;
  readonly #types = new GroupTypeWatch();
  #coordinator: GroupCoordinator;
  #commitDueMs = 0;
  #names = 0;
  /** No faults any more. */
  #isCalm = false;

  constructor({ seed, logForgets, isMixed }: GroupSimulationOptions) {
    this.#seed = seed;
    this.#random = new SeededRandom(seed);
    this.#logForgets = logForgets ?? false;
    this.#isMixed = isMixed ?? false;
    this.#retentionMs = this.#random.chance(0.3) ? this.#random.between(10_000, 30_000) : WEEK_MS;
    this.#model = new GroupModel({
      nowMs: () => this.#time.monotonicMs(),
      retentionMs: this.#retentionMs,
    });
    this.#world = this.#worldOf(GROUP);
    this.#changesPolicy = this.#random.chance(0.5);
    this.#policy = this.#random.pick(POLICIES);
    this.#types.policyIs(this.#policy);
    for (const topic of TOPICS.slice(0, 3)) this.#topics.set(topic, this.#random.between(1, 12));
    this.#log.commitsAtOnce = false;
    this.#coordinator = this.#newCoordinator();
    this.#coordinator.onElection(0, this.#log);
  }

  async run(): Promise<{ hash: string }> {
    const isCrowd = this.#random.chance(0.02);
    const count = isCrowd ? this.#random.between(...CROWD) : this.#random.between(2, 30);
    for (let i = 0; i < count; i++) this.#addMember();
    while (this.#time.monotonicMs() < FAULTY_MS) {
      this.#somethingHappens();
      await this.#step();
    }
    this.#isCalm = true;
    this.#log.forgetsAppends = false;
    this.#log.refusal = undefined;
    for (const impostor of this.#impostors) impostor.crash();
    await this.#pass(CALM_MS / 2);
    const deleted = this.#deleteInPeace();
    await this.#pass(CALM_MS / 2);
    this.#checkStable();
    this.#model.readAll(this.#world);
    await this.#step();
    const isOwned = this.#clients().some(({ isAlive, owned }) => isAlive && owned.length > 0);
    if (isOwned && (this.#model.reads === 0 || this.#model.commits === 0))
      this.#model.wrong('nothing was committed or read');
    if (deleted !== undefined) await this.#checkForgotten(deleted);
    await this.#checkReplay();
    if (this.#retentionMs < WEEK_MS) await this.#checkExpiry();
    this.#check();
    const { reads, commits, expired } = this.#model;
    const counts = [this.#log.endOffset, this.#log.batches.length, reads, commits, expired];
    return { hash: [...counts, this.#random.word()].join('/') };
  }

  async #pass(ms: number): Promise<void> {
    const untilMs = this.#time.monotonicMs() + ms;
    while (this.#time.monotonicMs() < untilMs) await this.#step();
  }

  async #step(): Promise<void> {
    this.#time.advance(STEP_MS);
    await turnOver(this.#time);
    // Commits take their time, and all of them come at once.
    if (this.#time.monotonicMs() >= this.#commitDueMs) {
      this.#log.commit();
      const late = !this.#isCalm && this.#random.chance(0.05) ? 7000 : 0;
      this.#commitDueMs = this.#time.monotonicMs() + this.#random.between(0, 600) + late;
    }
    await turnOver(this.#time);
    // The answer waits for what is on its way to the log, which this must not.
    this.#lookAtType().catch((error: unknown) => this.#model.wrong(String(error)));
    this.#noteUnwanted();
    this.#check();
  }

  /** A group that was empty may begin anew, with the other protocol. */
  async #lookAtType(): Promise<void> {
    const members = this.#clients().filter(({ isAlive }) => isAlive);
    const looked = this.#types.look(new Set(members.map(({ membership }) => membership)));
    const cleared = this.#model.suspicions();
    const listed = this.#coordinator.listGroups({ statesFilter: [], typesFilter: [] });
    // Not while it is loaded.
    const groups = await listed.catch(() => undefined);
    if (groups === undefined) return cleared(undefined);
    const found = groups.find(({ groupId }) => groupId === GROUP);
    const seen = found === undefined ? undefined : looked(found.groupType);
    const hasBegunAnew = seen === undefined || found?.groupState === 'Empty' || seen.hasBegunAnew;
    if (hasBegunAnew) this.#model.becameEmpty();
    cleared(hasBegunAnew);
    if (seen?.wrong !== undefined) this.#model.wrong(seen.wrong);
  }

  #noteUnwanted(): void {
    this.#model.unwanted(KEEPER, TOPICS);
    const wanted = new Set<string>();
    for (const client of this.#clients()) {
      if (!client.isAlive) continue;
      const { subscription, owned } = client;
      for (const topic of subscription.names) wanted.add(topic);
      if (subscription.pattern === undefined) continue;
      // Patterns are looked at every few seconds; the group does not want what one matches before somebody was given that.
      const matching = wantedBy(subscription, this.#topics);
      const isKnown = (topic: string) => owned.some((part) => part.startsWith(`${topic}/`));
      const known = client instanceof SimulatedMember ? matching : matching.filter(isKnown);
      for (const topic of known) wanted.add(topic);
    }
    this.#model.unwanted(
      GROUP,
      TOPICS.filter((topic) => !wanted.has(topic)),
    );
  }

  #somethingHappens(): void {
    const random = this.#random;
    const at = random.below(this.#members.length);
    const member = this.#members[at]!;
    const happens = random.weighted<() => void>([
      [300, () => undefined],
      [8, () => (member.isGone ? member.start() : member.crash())],
      [8, () => (member.isGone ? member.start() : member.leave())],
      [4, () => this.#changeKind(at)],
      [4, () => this.#resubscribe(member)],
      [2, () => this.#pretendToBe(member)],
      [8, () => member.stall(random.between(1000, 2 * SESSION_TIMEOUT_MS))],
      [8, () => this.#changeTopics(random.pick(TOPICS))],
      [3, () => this.#changeSettings()],
      [3, () => this.#administrate()],
      [6, () => this.#commitFromOutside()],
      [4, () => this.#failOver()],
      [3, () => this.#moveAway()],
      [3, () => this.#log.fail(new Error('the write failed'))],
      [2, () => (this.#log.refusal = Errors.NOT_ENOUGH_REPLICAS)],
      [2, () => (this.#log.forgetsAppends = this.#logForgets)],
    ]);
    happens();
  }

  // What happens to the coordinator.

  /** The broker is gone: what was not committed may be in the log of the next one, or not. */
  #failOver(): void {
    this.#coordinator.close();
    this.#commitOrLose();
    if (this.#changesPolicy) this.#changePolicy();
    this.#coordinator = this.#newCoordinator();
    this.#coordinator.onElection(0, this.#log);
  }

  /** It is a setting of brokers, which they read when they start. */
  #changePolicy(): void {
    this.#policy = this.#random.pick(POLICIES);
    this.#types.policyIs(this.#policy);
  }

  /** The partition is led by somebody else for a while. */
  #moveAway(): void {
    this.#coordinator.onResignation(0);
    this.#commitOrLose();
    const coordinator = this.#coordinator;
    this.#time.after(this.#random.between(0, 3000), () => {
      if (coordinator === this.#coordinator) coordinator.onElection(0, this.#log);
    });
  }

  #commitOrLose(): void {
    if (this.#random.chance(0.5)) this.#log.fail(new Error('the broker is gone'));
    else this.#log.commit();
  }

  // What happens to topics, and to what the group has set.

  #changeTopics(topic: string): void {
    const random = this.#random;
    const count = countOf(topic, this.#topics);
    if (count === 0) this.#makeTopic(topic);
    else if (random.chance(0.5)) this.#topics.set(topic, count + random.between(1, 4));
    else {
      this.#deleteTopic(topic, random.chance(0.5));
      return;
    }
    this.#coordinator.onTopicsChanged(new Set([topic]));
  }

  #makeTopic(topic: string): void {
    this.#topics.set(topic, this.#random.between(1, 12));
  }

  /** One that is made anew at once has another id. */
  #deleteTopic(topic: string, isMadeAnew: boolean): void {
    this.#topics.delete(topic);
    if (isMadeAnew) this.#makeTopic(topic);
    this.#coordinator.onTopicsChanged(new Set([topic]));
    for (const group of [GROUP, KEEPER]) this.#model.removal(group, topic)('unknown');
    this.#coordinator.onTopicsDeleted(new Set([topic]));
  }

  #deleteInPeace(): string | undefined {
    const there = TOPICS.filter((topic) => countOf(topic, this.#topics) > 0);
    if (there.length === 0) return undefined;
    const topic = this.#random.pick(there);
    this.#deleteTopic(topic, false);
    return topic;
  }

  #changeSettings(): void {
    this.#settings = {
      sessionTimeoutMs: this.#random.pick(SESSIONS_MS),
      heartbeatIntervalMs: this.#random.pick(HEARTBEATS_MS),
      assignmentIntervalMs: this.#random.pick(ASSIGNMENT_INTERVALS_MS),
    };
  }

  // What others do to the group.

  #commitFromOutside(): void {
    const part = this.#somePart();
    if (part === undefined) return;
    const outsider = { name: 'outsider', groupInstanceId: null, owner: undefined };
    const world = this.#random.chance(0.5) ? this.#world : this.#worldOf(KEEPER);
    // In a group with members it must not count.
    const isGuarded = world.groupId === GROUP && this.#clients().some(({ isAlive }) => isAlive);
    commitOf(world, outsider, { memberId: '', epoch: -1, part, isGuarded });
  }

  #somePart() {
    const topic = this.#random.pick(TOPICS);
    const topicId = this.#topics.idOf(topic);
    if (topicId === undefined) return undefined;
    return { topic, topicId, partition: this.#random.below(countOf(topic, this.#topics)) };
  }

  #administrate(): void {
    const group = this.#random.pick([GROUP, KEEPER]);
    if (this.#random.chance(0.5)) this.#deleteGroup(group);
    else this.#deleteOffsets(group, this.#random.pick(TOPICS));
  }

  #deleteGroup(group: string): void {
    const isThere = group === GROUP && this.#clients().some(({ isAlive }) => isAlive);
    const settled = this.#model.removal(group);
    const deleted = this.#coordinator.deleteGroups({ groupsNames: [group] });
    const told = ([result]: Awaited<typeof deleted>) => {
      const outcome = outcomeOf(result!.errorCode);
      if (outcome === 'committed' && isThere) this.#model.wrong('a group was deleted that has members');
      settled(outcome);
    };
    deleted.then(told, (error: unknown) => this.#model.wrong(String(error)));
  }

  #deleteOffsets(groupId: string, topic: string): void {
    const partitions = Array.from({ length: 40 }, (_, partitionIndex) => ({ partitionIndex }));
    const request = { groupId, topics: [{ name: topic, partitions }] };
    const settled = this.#model.removal(groupId, topic);
    this.#coordinator.deleteOffsets(defaults(OffsetDeleteRequest, request), ({ errorCode, topics }) => {
      const partition = topics[0]?.partitions[0];
      settled(outcomeOf(errorCode === Errors.NONE ? partition!.errorCode : errorCode));
    });
  }

  // Members.

  #clients(): readonly SimulatedClient[] {
    return this.#impostors.length === 0 ? this.#members : [...this.#members, ...this.#impostors];
  }

  #addMember(): void {
    const number = this.#names++;
    const groupInstanceId = this.#random.chance(0.3) ? `i${number}` : null;
    const member = this.#newClient(`m${number}`, groupInstanceId);
    this.#members.push(member);
    this.#time.after(this.#random.between(0, 20_000), () => {
      if (member.isGone && this.#members.includes(member)) member.start();
    });
  }

  #newClient(name: string, groupInstanceId: string | null): SimulatedClient {
    const isConsumer = this.#isMixed && this.#random.chance(0.6);
    const Client: MakeClient = isConsumer ? SimulatedConsumer : SimulatedMember;
    return new Client(this.#world, name, groupInstanceId, this.#subscriptionOf(groupInstanceId, isConsumer));
  }

  /**
   * A static member of the classic protocol that comes back gets what it had, and nobody looks whether it still wants
   * that; here as in Apache Kafka.
   */
  #subscriptionOf(groupInstanceId: string | null, isConsumer: boolean): Subscription {
    if (groupInstanceId === null || (isConsumer && this.#random.chance(0.5))) return this.#someSubscription();
    const number = Number(groupInstanceId.slice(1));
    return { names: TOPICS.filter((_, i) => (number + i) % 3 === 0), pattern: undefined };
  }

  #resubscribe(member: SimulatedClient): void {
    if (member instanceof SimulatedMember && member.groupInstanceId !== null) return;
    member.resubscribe(this.#someSubscription());
  }

  #someSubscription(): Subscription {
    const random = this.#random;
    if (random.chance(0.3)) return { names: [], pattern: random.pick(PATTERNS) };
    const names = TOPICS.filter((_, i) => random.chance(i === 0 ? 0.9 : 0.3));
    return { names, pattern: undefined };
  }

  /** An application is started anew, with a new version of its client or with the old one. */
  #changeKind(at: number): void {
    const { name, groupInstanceId, isGone } = this.#members[at]!;
    if (!isGone) {
      if (this.#random.chance(0.5)) this.#members[at]!.leave();
      else this.#members[at]!.crash();
    }
    const client = this.#newClient(name, groupInstanceId);
    this.#members[at] = client;
    client.start();
  }

  /** Two applications with one instance id. */
  #pretendToBe({ name, groupInstanceId }: SimulatedClient): void {
    if (groupInstanceId === null) return;
    const impostor = this.#newClient(`${name}-too-${this.#names++}`, groupInstanceId);
    this.#impostors.push(impostor);
    impostor.start();
    this.#time.after(this.#random.between(1000, 20_000), () => {
      if (!impostor.isGone) impostor.leave();
      this.#impostors = this.#impostors.filter((one) => one !== impostor);
    });
  }

  #worldOf(groupId: string): MemberWorld {
    return {
      groupId,
      topics: this.#topics,
      time: this.#time,
      random: this.#random,
      model: this.#model,
      coordinator: () => this.#coordinator,
      policy: () => this.#policy,
      clients: () => this.#clients(),
      instances: this.#instances,
      shortestSessionMs: Math.min(...SESSIONS_MS),
    };
  }

  #newCoordinator(): GroupCoordinator {
    const time = this.#time;
    return new GroupCoordinator({
      clock: time,
      timers: time,
      turn: time,
      random: this.#random,
      logger: silent,
      config: { ...CONFIG, offsetsRetentionMs: this.#retentionMs, consumerMigrationPolicy: this.#policy },
      topic: '__consumer_offsets',
      partitionCount: () => 1,
      topics: this.#topics,
      settingsOf: () => this.#settings,
    });
  }

  // What must hold in the end.

  /** Everybody who is there has what it shall have, and all partitions that somebody wants have an owner. */
  #checkStable(): void {
    const trying = this.#members.filter(({ isGone }) => !isGone);
    const here = trying.filter(({ isRefused }) => !isRefused);
    if (here.length === 0 && trying.length > 0) this.#model.wrong('everybody is refused');
    for (const { name } of here.filter(({ isStable }) => !isStable)) {
      this.#model.wrong(`${name} has no assignment long after the last fault`);
    }
    const wanted = new Set<string>();
    for (const { name, owned, subscription } of here) {
      const topics = wantedBy(subscription, this.#topics);
      for (const topic of topics) {
        for (let i = 0; i < countOf(topic, this.#topics); i++) wanted.add(`${topic}/${i}`);
      }
      const strange = owned.find((one) => !topics.includes(one.slice(0, one.lastIndexOf('/'))));
      if (strange !== undefined) this.#model.wrong(`${name} has ${strange}, which it does not want`);
    }
    const owned = here.flatMap((one) => one.owned);
    for (const part of wanted) if (!owned.includes(part)) this.#model.wrong(`nobody has ${part}`);
    const twice = owned.find((part, i) => owned.indexOf(part) !== i);
    if (twice !== undefined) this.#model.wrong(`two have ${twice}`);
  }

  /** A topic was deleted while nothing went wrong. */
  async #checkForgotten(topic: string): Promise<void> {
    for (const [group, partitions] of await offsetsIn(this.#coordinator, this.#time, GROUPS, topic)) {
      if (partitions > 0) this.#model.wrong(`${group} has offsets of ${topic}, which was deleted`);
    }
  }

  /** Once everybody has left, nothing remains. */
  async #checkExpiry(): Promise<void> {
    for (const member of this.#members) if (!member.isGone) member.leave();
    await this.#pass(2 * SESSION_TIMEOUT_MS + this.#retentionMs + 2 * RETENTION_CHECK_INTERVAL_MS);
    this.#log.commitsAtOnce = true;
    this.#log.commit();
    const listed = this.#coordinator.listGroups({ statesFilter: [], typesFilter: [] });
    await turnOver(this.#time);
    for (const { groupId, groupState } of await listed) {
      this.#model.wrong(`${groupId} is ${groupState} long after the retention of its offsets`);
    }
    this.#model.readAll(this.#world);
    await this.#step();
  }

  /** The state is what the log says, and nothing else. */
  async #checkReplay(): Promise<void> {
    this.#log.commitsAtOnce = true;
    this.#log.commit();
    await turnOver(this.#time);
    const before = await stateOf(this.#coordinator, GROUPS);
    this.#log.commitsAtOnce = false;
    const replica = this.#newCoordinator();
    replica.onElection(0, this.#log);
    let after = '';
    while (after === '') {
      await turnOver(this.#time);
      after = await stateOf(replica, GROUPS);
    }
    if (before !== after) this.#model.wrong(`the state is not what its log says:\n${before}\n\n${after}`);
    replica.close();
  }

  #check(): void {
    if (this.#model.fault === undefined) return;
    throw new Error(`seed ${this.#seed} at ${this.#time.monotonicMs()} ms: ${this.#model.fault}`);
  }
}
