import { expect } from 'vitest';
import type { Ports } from '../../src/base/ports.ts';
import { BrokerConfig } from '../../src/config/broker-config.ts';
import { LOST_DIRECTORY, NO_LEADER } from '../../src/metadata/registrations.ts';
import { defaults, type Sparse } from '../../src/protocol/codec.ts';
import { prepareCodec } from '../../src/protocol/compression/index.ts';
import { Errors } from '../../src/protocol/errors.ts';
import * as assign from '../../src/protocol/messages/assign-replicas-to-dirs.ts';
import * as createTopics from '../../src/protocol/messages/create-topics.ts';
import * as elect from '../../src/protocol/messages/elect-leaders.ts';
import * as findCoordinator from '../../src/protocol/messages/find-coordinator.ts';
import type { MessageSchema } from '../../src/protocol/schema.ts';
import { BrokerNode } from '../../src/server/node.ts';
import { KafkaClient } from './kafka-client.ts';
import { SimNode } from './sim-node.ts';
import { CommittedReader } from './txn-reader.ts';
import { World } from './world.ts';

export const TOPIC = 't';
const TRANSACTION = 1;
/** Answers that only say that it is too soon. */
const WAITS: readonly number[] = [
  Errors.CONCURRENT_TRANSACTIONS,
  Errors.COORDINATOR_LOAD_IN_PROGRESS,
  Errors.COORDINATOR_NOT_AVAILABLE,
  Errors.NOT_COORDINATOR,
];

/** One node in virtual time and a client that asks it one thing after the other: what a script sees, without waiting. */
export class Scene {
  readonly world: World;
  readonly node: SimNode<BrokerNode>;
  readonly #settings: Readonly<Record<string, string>>;
  #clients = 0;
  readonly #client: KafkaClient;

  constructor(seed: number, settings: Readonly<Record<string, string>> = {}) {
    this.#settings = settings;
    this.world = new World({ seed });
    this.world.network.faults = { latencyUs: [30, 200], slowPacket: 0, lostConnection: 0, split: 0 };
    this.node = new SimNode(this.world, this.world.machine('n1'), (ports) => this.#start(ports));
    this.#client = this.#newClient();
  }

  async #start(ports: Ports): Promise<BrokerNode> {
    const overrides = {
      listeners: 'PLAINTEXT://n1:9092,CONTROLLER://n1:9093',
      'process.roles': 'broker,controller',
      'node.id': '1',
      'controller.listener.names': 'CONTROLLER',
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      'controller.quorum.bootstrap.servers': 'n1:9093',
      'log.dirs': '/data',
      'transaction.state.log.num.partitions': '1',
      ...this.#settings,
    };
    const config = BrokerConfig.parse({ profile: 'dev', hostName: 'n1', overrides });
    const node = new BrokerNode({ ports, config });
    await node.start();
    return node;
  }

  #newClient(port = 9092): KafkaClient {
    const name = `client-${this.#clients++}`;
    const { network } = this.world.machine(name).boot().ports;
    return new KafkaClient(network, { host: 'n1', port }, name);
  }

  /** Starts the node, and makes a topic with one partition. */
  async begin(configs: Readonly<Record<string, string>> = {}): Promise<void> {
    await prepareCodec('zstd');
    await this.node.start();
    const given = Object.entries(configs).map(([name, value]) => ({ name, value }));
    const { topics } = await this.ask(
      createTopics.CreateTopicsRequest,
      createTopics.CreateTopicsResponse,
      5,
      {
        topics: [{ name: TOPIC, numPartitions: 1, replicationFactor: 1, configs: given }],
        timeoutMs: 10_000,
      },
    );
    expect(topics[0]!.errorMessage).toBeNull();
  }

  /** Waits for the coordinator of a transactional id, or of a group with `keyType` 0. */
  async findCoordinator(key: string, keyType = TRANSACTION): Promise<void> {
    const { FindCoordinatorRequest, FindCoordinatorResponse } = findCoordinator;
    await this.until(async () => {
      const asked = { keyType, coordinatorKeys: [key] };
      const { coordinators } = await this.ask(FindCoordinatorRequest, FindCoordinatorResponse, 4, asked);
      return coordinators[0]!.errorCode;
    });
  }

  ask<Request, Response>(
    request: MessageSchema<Request>,
    response: MessageSchema<Response>,
    version: number,
    given: Sparse<Request>,
  ): Promise<Response> {
    const asked = this.#client
      .connect()
      .then(() => this.#client.ask({ request, response }, version, defaults(request, given)));
    return this.world.settle(asked);
  }

  /** Asks again while the answer is only that it is too soon. */
  async until(ask: () => Promise<number>): Promise<void> {
    let code = await ask();
    for (; WAITS.includes(code); code = await ask()) await this.world.run(20);
    expect(code).toBe(Errors.NONE);
  }

  /** The topic has no leader until {@link electLeader}: the controller hears that the log dir of its replica is lost. */
  async loseLeader(): Promise<void> {
    const { image } = this.node.running!;
    const { id, epoch } = image.brokers.get(1)!;
    const topicId = image.topicsByName.get(TOPIC)!.id;
    const topics = [{ topicId, partitions: [{ partitionIndex: 0 }] }];
    const controller = this.#newClient(9093);
    await this.world.settle(controller.connect());
    const { AssignReplicasToDirsRequest, AssignReplicasToDirsResponse } = assign;
    const api = { request: AssignReplicasToDirsRequest, response: AssignReplicasToDirsResponse };
    const directories = [{ id: LOST_DIRECTORY, topics }];
    const asked = controller.ask(api, 0, { brokerId: id, brokerEpoch: Number(epoch), directories });
    expect((await this.world.settle(asked)).errorCode).toBe(Errors.NONE);
    await this.world.until(() => this.#leader === NO_LEADER);
  }

  /** The broker tells by itself that the log dir is there, which comes first. */
  async electLeader(): Promise<void> {
    while (this.#leader === NO_LEADER) {
      await this.world.run(200);
      const { ElectLeadersRequest, ElectLeadersResponse } = elect;
      await this.ask(ElectLeadersRequest, ElectLeadersResponse, 2, {
        topicPartitions: null,
        timeoutMs: 1000,
      });
    }
  }

  get #leader(): number | undefined {
    return this.node.running!.image.topicsByName.get(TOPIC)?.partitions[0]?.leader;
  }

  /** All that a reader of committed records gets, and whether anything is still open. */
  async read(): Promise<{ values: string[]; isStable: boolean }> {
    const client = this.#newClient();
    const reader = new CommittedReader(TOPIC, 0);
    await this.world.settle(client.connect());
    const records = [];
    do {
      records.push(...(await this.world.settle(reader.read(client))));
    } while (reader.position < reader.lastStableOffset);
    const isStable = reader.lastStableOffset === reader.highWatermark;
    return { values: records.map(({ value }) => value), isStable };
  }
}
