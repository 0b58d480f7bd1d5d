import type { Ports } from '../../src/base/ports.ts';
import type { Uuid } from '../../src/base/uuid.ts';
import { BrokerConfig } from '../../src/config/broker-config.ts';
import { defaults } from '../../src/protocol/codec.ts';
import { prepareCodec } from '../../src/protocol/compression/index.ts';
import { Errors, errorName } from '../../src/protocol/errors.ts';
import { CreateTopicsRequest, CreateTopicsResponse } from '../../src/protocol/messages/create-topics.ts';
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/offset-fetch.ts';
import { BrokerNode } from '../../src/server/node.ts';
import { KafkaClient, OutcomeUnknown } from './kafka-client.ts';
import { promised, Violation } from './model.ts';
import { SimNode } from './sim-node.ts';
import { TxnAdmin } from './txn-admin.ts';
import { ClassicMembership } from './txn-classic-member.ts';
import { TxnClient } from './txn-client.ts';
import { ConsumerMembership } from './txn-consumer-member.ts';
import type { SeenRecord } from './txn-history.ts';
import { HEARTBEAT_MS, type Membership, SESSION_TIMEOUT_MS } from './txn-membership.ts';
import { TxnModel } from './txn-model.ts';
import {
  BRIEF_TOPIC,
  IN_TOPIC,
  OUT_PARTITIONS,
  OUT_TOPIC,
  WORK_PARTITIONS,
  WORK_TOPIC,
} from './txn-outputs.ts';
import { type Protocol, TRANSACTION_TIMEOUT_MS } from './txn-producer.ts';
import { CommittedReader } from './txn-reader.ts';
import { sourceOf, TxnWorker } from './txn-worker.ts';
import { type Machine, World } from './world.ts';

const HOST = 'n1';
const PORT = 9092;
const CONTROLLER_PORT = 9093;
/** Each is a group of its own, without members. */
const APPS = ['a', 'b', 'c'] as const;
/** Members of one group. */
const WORKERS = ['w0', 'w1', 'w2'] as const;
const WORKERS_GROUP = 'workers';
const FAULTY_MS = 20_000;
/** Faults are over: clients end what they have begun, and open transactions run into their timeouts. */
const CALM_MS = 4 * TRANSACTION_TIMEOUT_MS + 60_000;
const LIVES_MAX = 20;

/** Later than any transaction ends. */
const EXPIRING = {
  'producer.id.expiration.ms': '4000',
  'producer.id.expiration.check.interval.ms': '300',
  'transactional.id.expiration.ms': '5000',
  'transaction.remove.expired.transaction.cleanup.interval.ms': '400',
};
const BRISK_GROUPS = {
  'group.min.session.timeout.ms': '100',
  'group.consumer.min.session.timeout.ms': '100',
  'group.consumer.session.timeout.ms': String(SESSION_TIMEOUT_MS),
  'group.consumer.min.heartbeat.interval.ms': '100',
  'group.consumer.heartbeat.interval.ms': String(HEARTBEAT_MS),
};
const COMPACTED = [
  { name: 'cleanup.policy', value: 'compact' },
  { name: 'min.cleanable.dirty.ratio', value: '0' },
  { name: 'delete.retention.ms', value: '500' },
  { name: 'segment.bytes', value: '3000' },
  { name: 'file.delete.delay.ms', value: '500' },
];
const BRIEF = [
  { name: 'retention.ms', value: '1500' },
  { name: 'segment.bytes', value: '1000' },
  { name: 'file.delete.delay.ms', value: '500' },
];

type Clients = 'alone' | 'members';

export interface TxnSimulationOptions {
  readonly seed: number;
  /** One kind of clients only; both without it. */
  readonly protocol?: Protocol;
  /** Clients that are groups of their own, or members of one group, only; both without it. */
  readonly clients?: Clients;
  /** How long faults go on. */
  readonly faultyMs?: number;
  readonly print?: (line: string) => void;
}

export interface TxnSimulationResult {
  readonly hash: string;
  readonly virtualMs: number;
  readonly counts: Readonly<Record<string, number>>;
}

/**
 * Producers that read inputs, write outputs and commit both in transactions, with zombies among them, late copies of
 * requests and stalls, against one node that is killed, loses its power or is stopped. Rejects with a {@link Violation}
 * that names the seed.
 */
export async function simulateTransactions(options: TxnSimulationOptions): Promise<TxnSimulationResult> {
  const { seed, print } = options;
  // Wasm compiles in real time, and the cleaner may need it.
  await prepareCodec('zstd');
  const world = new World({ seed, ...(print === undefined ? {} : { print }) });
  try {
    return await new TxnSimulation(world, options).run();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const last = world.machine(HOST).logLines.slice(-5).join('\n  ');
    throw new Violation(`seed ${seed} at ${world.nowMs.toFixed(0)} ms: ${text}\n  ${last}`, { cause: error });
  }
}

class TxnSimulation {
  readonly #world: World;
  readonly #protocol: Protocol | undefined;
  readonly #faultyMs: number;
  readonly #machine: Machine;
  readonly #node: SimNode<BrokerNode>;
  readonly #model = new TxnModel();
  /** Everything that was acknowledged survives a power loss. */
  readonly #flushes: boolean;
  /** Leaderships move, and transaction.version changes. */
  readonly #isDisturbed: boolean;
  readonly #admin: TxnAdmin;
  /** Producers and transactional ids that are silent for seconds are forgotten. */
  readonly #expires: boolean;
  /** Outputs are compacted all the time, and the markers of aborted transactions go with them. */
  readonly #compacts: boolean;
  readonly #apps: readonly string[];
  /** They share the inputs of one topic. */
  readonly #workers: readonly string[];
  readonly #assignmentIntervalMs: number;
  readonly #topicIds = new Map<string, Uuid>();
  readonly #briefReader = new CommittedReader(BRIEF_TOPIC, 0);
  #lives = 0;
  #living = 0;
  #isOver = false;
  #failure: Error | undefined;

  constructor(world: World, { protocol, clients, faultyMs }: TxnSimulationOptions) {
    this.#world = world;
    this.#protocol = protocol;
    this.#faultyMs = faultyMs ?? FAULTY_MS;
    this.#machine = world.machine(HOST);
    this.#flushes = world.random.chance(0.5);
    this.#isDisturbed = world.random.chance(0.7);
    this.#expires = world.random.chance(0.3);
    this.#compacts = world.random.chance(0.4);
    const few = world.random.pick([0, 2, WORKERS.length]);
    this.#apps = clients === 'members' ? [] : APPS;
    this.#workers = clients === 'alone' ? [] : clients === 'members' ? WORKERS : WORKERS.slice(0, few);
    this.#assignmentIntervalMs = world.random.pick([0, 300]);
    this.#admin = new TxnAdmin({
      world,
      random: world.random.fork(),
      model: this.#model,
      broker: this.#newClient('admin'),
      controller: this.#newClient('controller-admin', CONTROLLER_PORT),
      image: () => this.#node.running?.image,
    });
    this.#node = new SimNode(world, this.#machine, (ports) => this.#start(ports));
  }

  async run(): Promise<TxnSimulationResult> {
    const world = this.#world;
    await this.#node.start();
    await world.settle(this.#makeTopics());
    this.#chooseFaults();
    for (const app of this.#apps) this.#planLife(() => this.#liveAlone(app));
    for (const worker of this.#workers) this.#planLife(() => this.#liveInGroup(worker));
    this.#planCrash();
    const disturbances = this.#guard(this.#disturb());
    const reader = this.#guard(this.#readOn());
    await world.until(() => world.nowMs >= this.#faultyMs || this.#failure !== undefined, this.#faultyMs * 2);
    this.#throwFailure();
    this.#isOver = true;
    this.#machine.disk.crashInstead(Number.POSITIVE_INFINITY, () => {});
    world.network.faults = { latencyUs: [30, 400], slowPacket: 0, lostConnection: 0, split: 0.3 };
    const healed = this.#guard(disturbances.then(() => this.#heal()));
    const isCalm = () => this.#living === 0 && this.#node.running !== undefined;
    await world.until(() => isCalm() || this.#failure !== undefined, CALM_MS);
    await world.settle(reader);
    await world.settle(healed);
    this.#throwFailure();
    await world.settle(this.#verify());
    this.#throwFailure();
    await this.#node.stop();
    return { hash: world.trace.hash(), virtualMs: world.nowMs, counts: this.#model.counts };
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #guard(script: Promise<void>): Promise<void> {
    return script.catch((error: unknown) => {
      this.#failure ??= error instanceof Error ? error : new Error(String(error));
    });
  }

  async #start(ports: Ports): Promise<BrokerNode> {
    const node = new BrokerNode({
      ports,
      config: BrokerConfig.parse({
        profile: 'dev',
        hostName: HOST,
        overrides: {
          listeners: `PLAINTEXT://${HOST}:${PORT},CONTROLLER://${HOST}:${CONTROLLER_PORT}`,
          'process.roles': 'broker,controller',
          'node.id': '1',
          'controller.listener.names': 'CONTROLLER',
          'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
          'controller.quorum.bootstrap.servers': `${HOST}:${CONTROLLER_PORT}`,
          'log.dirs': '/data',
          'offsets.topic.num.partitions': '2',
          'transaction.state.log.num.partitions': '2',
          'transaction.abort.timed.out.transaction.cleanup.interval.ms': '1000',
          // Small segments: producers are known from snapshots and indexes, not only from batches.
          'log.segment.bytes': '20000',
          'log.retention.check.interval.ms': '500',
          'log.initial.task.delay.ms': '300',
          'log.cleaner.backoff.ms': '200',
          ...BRISK_GROUPS,
          'group.consumer.assignment.interval.ms': String(this.#assignmentIntervalMs),
          ...(this.#expires ? EXPIRING : {}),
          ...(this.#flushes ? { 'log.flush.interval.messages': '1' } : {}),
        },
      }),
      onFatal: (error) => {
        // A process that has lost its machine sees its disk go, too.
        if (this.#machine.process?.ports.clock !== ports.clock) return;
        this.#failure ??= new Error(`the node gave up: ${String(error)}`);
      },
    });
    await node.start();
    return node;
  }

  #newClient(name: string, port = PORT): KafkaClient {
    const { network } = this.#world.machine(name).boot().ports;
    return new KafkaClient(network, { host: HOST, port }, name);
  }

  async #disturb(): Promise<void> {
    while (this.#isDisturbed && !this.#isOver && this.#failure === undefined) {
      await this.#world.sleep(this.#world.random.between(50, 900));
      await this.#admin.disturb();
    }
  }

  async #heal(): Promise<void> {
    const untilMs = this.#world.nowMs + CALM_MS;
    while (this.#failure === undefined && !(await this.#admin.heal())) {
      promised(this.#world.nowMs < untilMs, () => `without leaders: ${this.#admin.describe()}`);
      await this.#world.sleep(500);
    }
  }

  async #makeTopics(): Promise<void> {
    const client = this.#newClient('topic-admin');
    promised(await client.connect(), () => 'the node can not be reached');
    const api = { request: CreateTopicsRequest, response: CreateTopicsResponse };
    const request = defaults<CreateTopicsRequest>(CreateTopicsRequest, {
      topics: [
        { name: IN_TOPIC, numPartitions: 1, replicationFactor: 1 },
        {
          name: OUT_TOPIC,
          numPartitions: OUT_PARTITIONS,
          replicationFactor: 1,
          configs: this.#compacts ? COMPACTED : [],
        },
        { name: BRIEF_TOPIC, numPartitions: 1, replicationFactor: 1, configs: BRIEF },
        { name: WORK_TOPIC, numPartitions: WORK_PARTITIONS, replicationFactor: 1 },
      ],
      timeoutMs: 10_000,
    });
    const { topics } = await client.ask(api, 7, request);
    for (const { name, errorCode, topicId } of topics) {
      promised(errorCode === Errors.NONE, () => `${name} was not made: ${errorName(errorCode)}`);
      this.#topicIds.set(name, topicId);
    }
  }

  #chooseFaults(): void {
    const { random, network } = this.#world;
    network.faults = {
      latencyUs: [30, random.pick([200, 1000, 5000])],
      slowPacket: random.pick([0, 0.02]),
      lostConnection: random.pick([0, 0.005, 0.02]),
      split: random.pick([0.1, 0.5]),
    };
  }

  /** The next life begins whether the one before has ended or not: then that one is a zombie. */
  #planLife(live: () => Promise<void>): void {
    const { random } = this.#world;
    this.#world.after(random.between(0, 1000), () => {
      if (this.#isOver) return;
      const nextMs = random.between(500, 8000);
      const ended = this.#living < LIVES_MAX ? this.#guard(live()) : Promise.resolve();
      let planned = false;
      const plan = () => {
        if (planned) return;
        planned = true;
        this.#planLife(live);
      };
      ended.then(plan);
      this.#world.after(nextMs, plan);
    });
  }

  async #liveAlone(app: string): Promise<void> {
    const name = `${app}-${this.#lives++}`;
    const options = this.#lifeOf(name);
    const life = new TxnClient({ ...options, app });
    await this.#count(life.run());
  }

  async #liveInGroup(worker: string): Promise<void> {
    const { random } = this.#world;
    const name = `${worker}-${this.#lives++}`;
    const options = this.#lifeOf(name);
    const membership = this.#newMembership(name, random.chance(0.5) ? `i-${worker}` : null);
    const ids = { transactionalId: worker, groupId: WORKERS_GROUP };
    const life = new TxnWorker({ ...options, ...ids, membership });
    await this.#count(life.run());
  }

  #newMembership(name: string, groupInstanceId: string | null): Membership {
    const { random } = this.#world;
    const Kind = random.chance(0.5) ? ClassicMembership : ConsumerMembership;
    return new Kind({
      world: this.#world,
      random: random.fork(),
      model: this.#model,
      name,
      groupId: WORKERS_GROUP,
      groupInstanceId,
      topic: {
        name: WORK_TOPIC,
        topicId: this.#topicIds.get(WORK_TOPIC)!,
        partitionCount: WORK_PARTITIONS,
      },
      client: this.#newClient(`${name}-member`),
      heartbeats: this.#newClient(`${name}-heartbeats`),
    });
  }

  #lifeOf(name: string) {
    const { random } = this.#world;
    return {
      world: this.#world,
      random: random.fork(),
      model: this.#model,
      protocol: this.#protocol ?? random.pick(['v1', 'v2'] as const),
      client: this.#newClient(name),
      copies: this.#newClient(`${name}-late`),
      topicIds: this.#topicIds,
      isOver: () => this.#isOver,
      expires: this.#expires,
    };
  }

  async #count(life: Promise<void>): Promise<void> {
    this.#living += 1;
    await life.finally(() => {
      this.#living -= 1;
    });
  }

  #planCrash(): void {
    const { random } = this.#world;
    this.#world.after(random.between(300, 3000), () => {
      if (this.#isOver || this.#failure !== undefined) return;
      this.#goDown();
      this.#planCrash();
    });
  }

  #goDown(): void {
    const { random } = this.#world;
    const { running } = this.#node;
    if (running === undefined) return;
    const hard = this.#flushes ? 'power' : 'kill';
    const how = random.pick(['kill', 'stop', 'operation', 'operation', hard] as const);
    this.#model.count(how);
    if (how === 'stop') {
      this.#guard(
        running.stop().then(() => {
          this.#machine.exited();
          this.#startAgain();
        }),
      );
    } else if (how === 'operation') {
      // In the middle of something: between a decision and its markers, too.
      this.#machine.disk.crashInstead(random.below(40), () => this.#crash(hard));
    } else {
      this.#crash(how);
    }
  }

  #crash(how: 'kill' | 'power'): void {
    if (this.#machine.process === undefined) return;
    this.#node.crash(how, this.#world.random.chance(0.8) ? 'tear' : 'forget');
    this.#startAgain();
  }

  #startAgain(): void {
    this.#node.startLater(this.#world.random.between(10, 1500), (error) => {
      this.#failure ??= new Error(`the node does not start: ${String(error)}`);
    });
  }

  /** Reads what is committed all the time. */
  async #readOn(): Promise<void> {
    const client = this.#newClient('reader');
    const readers = Array.from(
      { length: OUT_PARTITIONS },
      (_, index) => new CommittedReader(OUT_TOPIC, index),
    );
    while (!this.#isOver && this.#failure === undefined) {
      await this.#world.sleep(this.#world.random.between(20, 300));
      if (!(await client.connect())) continue;
      const partition = this.#world.random.below(OUT_PARTITIONS);
      try {
        this.#model.read(partition, await readers[partition]!.read(client));
        this.#model.readBrief(await this.#briefReader.read(client));
      } catch (error) {
        if (!(error instanceof OutcomeUnknown)) throw error;
      }
    }
  }

  /** Every transaction ends, and all that is committed is whole. */
  async #verify(): Promise<void> {
    const client = this.#newClient('verifier');
    promised(await client.connect(), () => 'the node can not be reached');
    const partitions: SeenRecord[][] = [];
    for (let index = 0; index < OUT_PARTITIONS; index++) {
      partitions.push(await this.#readAll(client, new CommittedReader(OUT_TOPIC, index)));
    }
    this.#model.readBrief(await this.#readAll(client, this.#briefReader));
    const offsets = new Map<string, number>();
    for (const app of APPS) offsets.set(app, await this.#offsetOf(client, app, IN_TOPIC, 0));
    for (let index = 0; index < WORK_PARTITIONS; index++) {
      offsets.set(sourceOf(index), await this.#offsetOf(client, WORKERS_GROUP, WORK_TOPIC, index));
    }
    this.#model.check(partitions, offsets);
    for (const [source, offset] of offsets) this.#model.counts[`offset of ${source}`] = offset;
  }

  async #readAll(client: KafkaClient, reader: CommittedReader): Promise<SeenRecord[]> {
    const found: SeenRecord[] = [];
    const untilMs = this.#world.nowMs + CALM_MS;
    while (!reader.isAtEnd) {
      promised(
        this.#world.nowMs < untilMs,
        () => `${reader.name} is stable up to ${reader.lastStableOffset} of ${reader.highWatermark} only`,
      );
      const records = await reader.read(client);
      if (records.length === 0) await this.#world.sleep(500);
      found.push(...records);
    }
    return found;
  }

  async #offsetOf(client: KafkaClient, groupId: string, name: string, partition: number): Promise<number> {
    const api = { request: OffsetFetchRequest, response: OffsetFetchResponse };
    const request = defaults<OffsetFetchRequest>(OffsetFetchRequest, {
      groups: [{ groupId, topics: [{ name, partitionIndexes: [partition] }] }],
      requireStable: true,
    });
    const untilMs = this.#world.nowMs + CALM_MS;
    for (;;) {
      const { groups } = await client.ask(api, 8, request);
      const { errorCode, topics } = groups[0]!;
      const one = topics[0]?.partitions[0];
      if (errorCode === Errors.NONE && one?.errorCode === Errors.NONE)
        return Math.max(0, one.committedOffset);
      promised(
        this.#world.nowMs < untilMs,
        () => `the offset of ${groupId} can't be read: ${errorName(errorCode || (one?.errorCode ?? -1))}`,
      );
      await this.#world.sleep(500);
    }
  }
}
