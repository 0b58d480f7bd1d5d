import type { Uuid } from '../../../src/base/uuid.ts';
import { BrokerConfig } from '../../../src/config/broker-config.ts';
import { brokerConfigSchema } from '../../../src/controller/broker-config-schema.ts';
import { QuorumController, type QuorumControllerOptions } from '../../../src/controller/quorum-controller.ts';
import type { Outcome, RequestContext } from '../../../src/controller/result.ts';
import { SnapshotGenerator } from '../../../src/controller/snapshot-generator.ts';
import { bootstrapRecords } from '../../../src/metadata/bootstrap.ts';
import { NEW_CLUSTER_METADATA_VERSION, supportedFeatures } from '../../../src/metadata/features.ts';
import { MetadataPublisher } from '../../../src/metadata/publisher.ts';
import { encodeRecord, type MetadataRecord, recordSerde } from '../../../src/metadata/records.ts';
import { formatStandalone } from '../../../src/raft/bootstrap.ts';
import { RaftNode } from '../../../src/raft/raft-node.ts';
import { DIRECTORY_ID, MemoryLog, quiet, raftOptions, World } from '../raft/support.ts';

export const CLUSTER_ID = 'voUl4iK9KydOS1PmL8zrbg';
export const incarnation = (n: number) => Buffer.alloc(16, 200 + n).toString('base64url') as Uuid;

/** mulberry32 as a port. */
export function seeded(seed: number) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
  return {
    below: (bound: number) => next() % bound,
    fill: (into: Uint8Array) => {
      for (let i = 0; i < into.length; i++) into[i] = next() & 0xff;
    },
  };
}

type Method<Q, R> = (request: Q, context: RequestContext, done: (outcome: Outcome<R>) => void) => void;

/** A controller over a quorum of one, with the disk and the time in the test's hands. */
export class Cluster {
  readonly world: World;
  readonly log: MemoryLog;
  publisher = new MetadataPublisher();
  raft!: RaftNode<MetadataRecord>;
  controller!: QuorumController;
  brokerEpoch = -1;
  /** Bytes of records between snapshots, and what snapshots and log may take; none without it. */
  snapshots: { readonly maxBytesBetween: number; readonly maxBytes: number } | undefined;
  readonly #more: Partial<QuorumControllerOptions>;
  readonly #random = seeded(7);
  #restarts = 0;

  constructor(more: Partial<QuorumControllerOptions> = {}, world = new World(), log = new MemoryLog()) {
    this.#more = more;
    this.world = world;
    this.log = log;
  }

  static async start(
    more: Partial<QuorumControllerOptions> = {},
    format: { metadataVersion?: number; features?: ReadonlyMap<string, number> } = {},
  ): Promise<Cluster> {
    const cluster = new Cluster(more);
    const records = bootstrapRecords(
      format.metadataVersion ?? NEW_CLUSTER_METADATA_VERSION,
      format.features ?? new Map(),
    );
    await formatStandalone(cluster.world.storage, {
      logDir: '/data',
      nodeId: 1,
      directoryId: DIRECTORY_ID,
      endpoints: [{ name: 'CONTROLLER', host: '127.0.0.1', port: 19693 }],
      bootstrapValues: records.map(encodeRecord),
      nowMs: cluster.world.nowMs,
    });
    await cluster.restart();
    await cluster.registerAndUnfence();
    return cluster;
  }

  /** A new process over what the log holds. */
  async restart(): Promise<void> {
    const config = BrokerConfig.parse({});
    this.publisher = new MetadataPublisher();
    const { snapshots } = this;
    this.raft = new RaftNode<MetadataRecord>({
      ...raftOptions(this.world, this.log, recordSerde),
      retention: { maxBytes: snapshots?.maxBytes ?? -1, maxMs: -1 },
    });
    this.controller = new QuorumController({
      log: this.raft,
      clusterId: CLUSTER_ID,
      configs: brokerConfigSchema(() => config),
      random: this.#random,
      logger: quiet,
      supportedFeatures: supportedFeatures(
        new Map([
          ['group.version', 1],
          ['transaction.version', 2],
          ['eligible.leader.replicas.version', 1],
        ]),
      ),
      defaultNumPartitions: () => 1,
      defaultReplicationFactor: () => 1,
      deleteTopicEnable: () => true,
      ...this.#more,
    });
    this.raft.register(this.publisher);
    this.raft.register(this.controller);
    if (snapshots !== undefined) {
      this.raft.register(
        new SnapshotGenerator({
          sink: this.raft,
          image: () => this.publisher.image,
          logger: quiet,
          nowMs: () => this.world.nowMs,
          maxBytesBetween: snapshots.maxBytesBetween,
          maxIntervalMs: 0,
        }),
      );
    }
    await this.world.until(this.raft.start());
    await this.world.settle();
  }

  registration(n = this.#restarts, brokerId = 1, directory: Uuid = DIRECTORY_ID) {
    return {
      brokerId,
      clusterId: CLUSTER_ID,
      incarnationId: incarnation(n),
      listeners: [{ name: 'PLAINTEXT', host: '127.0.0.1', port: 19592, securityProtocol: 0 }],
      features: [
        { name: 'metadata.version', minSupportedVersion: 7, maxSupportedVersion: 33 },
        { name: 'group.version', minSupportedVersion: 0, maxSupportedVersion: 1 },
        { name: 'eligible.leader.replicas.version', minSupportedVersion: 0, maxSupportedVersion: 1 },
      ],
      rack: null,
      isMigratingZkBroker: false,
      logDirs: [directory],
      previousBrokerEpoch: -1,
    };
  }

  heartbeat(
    more: { wantShutDown?: boolean; wantFence?: boolean } = {},
    brokerId = 1,
    brokerEpoch = this.brokerEpoch,
  ) {
    return {
      brokerId,
      brokerEpoch,
      currentMetadataOffset: this.publisher.image.offset,
      wantFence: false,
      wantShutDown: false,
      offlineLogDirs: [],
      cordonedLogDirs: [],
      ...more,
    };
  }

  async registerAndUnfence(): Promise<void> {
    const c = this.controller;
    const registered = await this.ok(c.brokerRegistration, this.registration(this.#restarts++));
    this.brokerEpoch = registered.brokerEpoch;
    await this.ok(c.brokerHeartbeat, this.heartbeat());
  }

  /** Sends a request; the answer stands in the returned object once it came. */
  send<Q, R>(
    method: Method<Q, R>,
    request: Q,
    context: Partial<RequestContext> = {},
  ): { outcome?: Outcome<R> } {
    const sent: { outcome?: Outcome<R> } = {};
    method.call(
      this.controller,
      request,
      { apiVersion: 7, nowMs: this.world.nowMs, ...context },
      (outcome) => {
        if (sent.outcome !== undefined) throw new Error('answered twice');
        sent.outcome = outcome;
      },
    );
    return sent;
  }

  async ok<Q, R>(method: Method<Q, R>, request: Q, context: Partial<RequestContext> = {}): Promise<R> {
    const sent = this.send(method, request, context);
    await this.world.settle();
    if (sent.outcome === undefined) throw new Error('no answer');
    if (!sent.outcome.ok) throw sent.outcome.error;
    return sent.outcome.response;
  }

  topic(name: string, numPartitions = 1, more: Record<string, unknown> = {}) {
    return { name, numPartitions, replicationFactor: 1, assignments: [], configs: [], ...more };
  }

  create(topics: readonly ReturnType<Cluster['topic']>[], more: { validateOnly?: boolean } = {}) {
    return this.ok(this.controller.createTopics, { topics, timeoutMs: 1000, validateOnly: false, ...more });
  }

  remove(...names: string[]) {
    const topics = names.map((name) => ({ name, topicId: 'AAAAAAAAAAAAAAAAAAAAAA' as Uuid }));
    return this.ok(this.controller.deleteTopics, { topics, topicNames: [], timeoutMs: 1000 });
  }

  alter(
    resourceType: number,
    resourceName: string,
    configs: readonly { name: string; configOperation: number; value: string | null }[],
    validateOnly = false,
  ) {
    const resources = [{ resourceType, resourceName, configs }];
    return this.ok(this.controller.incrementalAlterConfigs, { resources, validateOnly });
  }
}
