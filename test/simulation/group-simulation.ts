import { GroupCoordinator, type GroupCoordinatorConfig } from '../../src/coordinator/index.ts';
import { Errors } from '../../src/protocol/errors.ts';
import { FakeTopics } from '../unit/coordinator/fake-topics.ts';
import { MemoryLog, silent, turnOver, VirtualTime } from '../unit/coordinator/support.ts';
import { SimulatedConsumer } from './consumer-member.ts';
import {
  REBALANCE_TIMEOUT_MS,
  SESSION_TIMEOUT_MS,
  type SimulatedClient,
  SimulatedMember,
  TOPIC,
} from './group-member.ts';
import { GroupModel } from './group-model.ts';
import { SeededRandom } from './random.ts';

const GROUP = 'g';
const FAULTY_MS = 120_000;
const STEP_MS = 250;
/** Faults are over: all joins, sessions and rebalances that are under way end within this. */
const CALM_MS = 4 * (SESSION_TIMEOUT_MS + REBALANCE_TIMEOUT_MS);

export interface GroupSimulationOptions {
  readonly seed: number;
  /** A fault that the invariants must notice. */
  readonly logForgets?: boolean;
  /** Members of both protocols, so that the group turns from one to the other. */
  readonly isMixed?: boolean;
}

const HEARTBEAT_INTERVAL_MS = 3000;
const ASSIGNMENT_INTERVAL_MS = 1000;

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
  offsetsRetentionMs: 7 * 24 * 3_600_000,
  offsetsRetentionCheckIntervalMs: 60_000,
  offsetsCommitTimeoutMs: 5000,
  offsetsLoadBufferBytes: 20_000,
  offsetsTopicCompressionId: 0,
};

/**
 * Members that join, leave, crash, stall and come back, and a coordinator whose broker crashes, whose writes fail and
 * whose commits are late, all from one seed. Throws, with the seed, where something does not hold.
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
  readonly #topics = new FakeTopics();
  readonly #isMixed: boolean;
  readonly #assignmentIntervalMs: number;
  readonly #logForgets: boolean;
  readonly #partitions: number;
  #coordinator: GroupCoordinator;
  #commitDueMs = 0;

  constructor({ seed, logForgets, isMixed }: GroupSimulationOptions) {
    this.#seed = seed;
    this.#random = new SeededRandom(seed);
    this.#logForgets = logForgets ?? false;
    this.#partitions = this.#random.between(1, 24);
    this.#isMixed = isMixed ?? false;
    this.#assignmentIntervalMs = this.#isMixed && this.#random.chance(0.5) ? ASSIGNMENT_INTERVAL_MS : 0;
    this.#topics.set(TOPIC, this.#partitions);
    this.#model = new GroupModel(this.#partitions);
    this.#log.commitsAtOnce = false;
    this.#coordinator = this.#newCoordinator();
    this.#coordinator.onElection(0, this.#log);
  }

  async run(): Promise<{ hash: string }> {
    const count = this.#random.between(2, 30);
    for (let i = 0; i < count; i++) this.#addMember(i);
    while (this.#time.monotonicMs() < FAULTY_MS) {
      this.#somethingHappens();
      await this.#step();
    }
    this.#log.forgetsAppends = false;
    this.#log.refusal = undefined;
    const calmAtMs = this.#time.monotonicMs() + CALM_MS;
    while (this.#time.monotonicMs() < calmAtMs) await this.#step();
    this.#log.commitsAtOnce = true;
    this.#log.commit();
    this.#checkStable();
    for (let partition = 0; partition < this.#partitions; partition++)
      this.#model.read(this.#world(), partition);
    await this.#step();
    if (this.#model.reads === 0 || this.#model.commits === 0)
      this.#model.wrong('nothing was committed or read');
    await this.#checkReplay();
    this.#check();
    const { reads, commits } = this.#model;
    return {
      hash: [this.#log.endOffset, this.#log.batches.length, reads, commits, this.#random.word()].join('/'),
    };
  }

  async #step(): Promise<void> {
    this.#time.advance(STEP_MS);
    await turnOver(this.#time);
    // Commits take their time, and all of them come at once.
    if (this.#time.monotonicMs() >= this.#commitDueMs) {
      this.#log.commit();
      const late = this.#random.chance(0.05) ? 7000 : 0;
      this.#commitDueMs = this.#time.monotonicMs() + this.#random.between(0, 600) + late;
    }
    await turnOver(this.#time);
    // The answer waits for what is on its way to the log, which this must not.
    if (this.#isMixed) this.#lookWhetherEmpty().catch((error: unknown) => this.#model.wrong(String(error)));
    this.#check();
  }

  /** A group that was empty may begin anew, with the other protocol. */
  async #lookWhetherEmpty(): Promise<void> {
    const [consumers] = await this.#coordinator.describeConsumerGroups([GROUP]);
    const request = { groups: [GROUP], includeAuthorizedOperations: false };
    const [classic] = await this.#coordinator.describeGroups(request, 6);
    const isEmpty = ['Empty', 'Dead'].some((state) =>
      [consumers, classic].some((one) => one?.groupState === state),
    );
    const isThere = [consumers, classic].some((one) => one!.members.length > 0);
    if (isEmpty && !isThere) this.#model.becameEmpty();
  }

  #somethingHappens(): void {
    const random = this.#random;
    const member = random.pick(this.#members);
    const happens = random.weighted<() => void>([
      [300, () => undefined],
      [8, () => (member.isGone ? member.start() : member.crash())],
      [8, () => (member.isGone ? member.start() : member.leave())],
      [8, () => member.stall(random.between(1000, 2 * SESSION_TIMEOUT_MS))],
      [4, () => this.#failOver()],
      [3, () => this.#log.fail(new Error('the write failed'))],
      [2, () => this.#refuseOnce()],
      [2, () => (this.#log.forgetsAppends = this.#logForgets)],
    ]);
    happens();
  }

  #refuseOnce(): void {
    this.#log.refusal = Errors.NOT_ENOUGH_REPLICAS;
  }

  /** The broker is gone: what was not committed may be in the log of the next one, or not. */
  #failOver(): void {
    this.#coordinator.close();
    if (this.#random.chance(0.5)) this.#log.fail(new Error('the broker is gone'));
    else this.#log.commit();
    this.#coordinator = this.#newCoordinator();
    this.#coordinator.onElection(0, this.#log);
  }

  #addMember(number: number): void {
    const groupInstanceId = this.#random.chance(0.3) ? `i${number}` : null;
    const isConsumer = this.#isMixed && this.#random.chance(0.6);
    const Client = isConsumer ? SimulatedConsumer : SimulatedMember;
    const member = new Client(this.#world(), `m${number}`, groupInstanceId);
    this.#members.push(member);
    this.#time.after(this.#random.between(0, 20_000), () => member.start());
  }

  #world() {
    return {
      groupId: GROUP,
      partitions: this.#partitions,
      time: this.#time,
      random: this.#random,
      model: this.#model,
      coordinator: () => this.#coordinator,
      topicId: this.#topics.idOf(TOPIC)!,
      clients: () => this.#members,
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
      config: CONFIG,
      topic: '__consumer_offsets',
      partitionCount: () => 1,
      topics: this.#topics,
      settingsOf: () => ({
        sessionTimeoutMs: SESSION_TIMEOUT_MS,
        heartbeatIntervalMs: HEARTBEAT_INTERVAL_MS,
        assignmentIntervalMs: this.#assignmentIntervalMs,
      }),
    });
  }

  /** Everybody who is there has what it shall have, and all partitions have an owner. */
  #checkStable(): void {
    const here = this.#members.filter(({ isGone }) => !isGone);
    for (const { name } of here.filter(({ isStable }) => !isStable)) {
      this.#model.wrong(`${name} has no assignment long after the last fault`);
    }
    const owned = here.flatMap((one) => one.owned).sort((a, b) => a - b);
    if (here.length > 0 && owned.join() !== Array.from({ length: this.#partitions }, (_, i) => i).join()) {
      this.#model.wrong(`the partitions ${owned.join()} have owners, of ${this.#partitions}`);
    }
  }

  /** The state is what the log says, and nothing else. */
  async #checkReplay(): Promise<void> {
    const before = await this.#state(this.#coordinator);
    const replica = this.#newCoordinator();
    replica.onElection(0, this.#log);
    let after = '';
    while (after === '') {
      await turnOver(this.#time);
      after = await this.#state(replica);
    }
    if (before !== after) this.#model.wrong(`the state is not what its log says:\n${before}\n\n${after}`);
    replica.close();
  }

  /** Empty while it is loaded. */
  async #state(coordinator: GroupCoordinator): Promise<string> {
    const [group] = await coordinator.describeGroups(
      { groups: [GROUP], includeAuthorizedOperations: false },
      6,
    );
    if (group!.errorCode === Errors.COORDINATOR_LOAD_IN_PROGRESS) return '';
    const members = group!.members.map(({ memberMetadata, memberAssignment, ...member }) => {
      const bytes = [memberMetadata, memberAssignment].map((one) => Buffer.from(one).toString('hex'));
      return JSON.stringify([member, bytes]);
    });
    const offsets: string[] = [];
    const request = { groupId: GROUP, memberId: null, memberEpoch: -1, topics: null };
    coordinator.fetchOffsets(request, true, ({ topics }) => {
      for (const { partitions } of topics) offsets.push(...partitions.map((one) => JSON.stringify(one)));
    });
    const [consumers] = await coordinator.describeConsumerGroups([GROUP]);
    const described = consumers!.members.map((member) => JSON.stringify(member)).sort();
    const { groupState, groupEpoch, assignmentEpoch } = consumers!;
    described.push(JSON.stringify([groupState, groupEpoch, assignmentEpoch]));
    // Both come in the order in which they were made, or in that of the log.
    return [group!.groupState, group!.protocolData, ...members.sort(), ...described, ...offsets.sort()].join(
      '\n',
    );
  }

  #check(): void {
    if (this.#model.fault === undefined) return;
    throw new Error(`seed ${this.#seed} at ${this.#time.monotonicMs()} ms: ${this.#model.fault}`);
  }
}
