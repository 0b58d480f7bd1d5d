import type { Ports, Timer } from '../base/ports.ts';
import { randomUuid } from '../base/uuid.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import { brokerConfigSchema } from '../controller/broker-config-schema.ts';
import { QuorumController } from '../controller/quorum-controller.ts';
import { SnapshotGenerator } from '../controller/snapshot-generator.ts';
import type { PartitionLog } from '../log/index.ts';
import type { MetadataPublisher } from '../metadata/publisher.ts';
import { type MetadataRecord, recordSerde } from '../metadata/records.ts';
import { METADATA_LOG_DIR } from '../raft/bootstrap.ts';
import { RaftNode } from '../raft/raft-node.ts';
import type { ApiRow } from './api-row.ts';
import { controllerRows } from './handlers/controller-rows.ts';
import { openMetadataLog, PartitionMetadataLog } from './metadata-log.ts';
import { NODE_FEATURES } from './node-features.ts';
import type { NodeIdentity } from './node-format.ts';

/** How often the controller looks for brokers that were not heard of, and writes its no-op record, at least. */
const CONTROLLER_TICK_MS = 500;

export interface NodeControllerOptions {
  readonly ports: Ports;
  /** The settings as they are now. */
  readonly config: () => BrokerConfig;
  readonly identity: NodeIdentity;
  /** Of the controller's listeners, as they are configured. */
  readonly endpoints: readonly { readonly name: string; readonly host: string; readonly port: number }[];
  /** The dir of the metadata log was closed in order. */
  readonly wasClean: boolean;
  /** The broker's side: hears what is committed before the controller answers. */
  readonly publisher: MetadataPublisher;
  readonly onFatal: (error: Error) => void;
}

/** The controller's half of a node: the metadata log, the quorum that leads it, the controller, and its snapshots. */
export class NodeController {
  readonly rows: readonly ApiRow[];
  readonly #options: NodeControllerOptions;
  readonly #log: PartitionLog;
  readonly #raft: RaftNode<MetadataRecord>;
  readonly #controller: QuorumController;
  readonly #snapshots: SnapshotGenerator;
  #tick: Timer | undefined;

  /** Opens the metadata log. Throws ProtocolError(KAFKA_STORAGE_ERROR). */
  constructor(options: NodeControllerOptions) {
    const { ports, identity, endpoints, wasClean, publisher, onFatal } = options;
    this.#options = options;
    const config = options.config();
    const dir = `${config.metadataLogDir}/${METADATA_LOG_DIR}`;
    this.#log = openMetadataLog({ ports, dir, config, cleanShutdown: wasClean });
    this.#log.onOffline = (_, error) => onFatal(error);
    this.#raft = new RaftNode<MetadataRecord>({
      nodeId: config.nodeId,
      directoryId: identity.directoryIds.get(config.metadataLogDir)!,
      logDir: config.metadataLogDir,
      dir,
      log: new PartitionMetadataLog(this.#log),
      serde: recordSerde,
      endpoints,
      retention: {
        maxBytes: config.get('metadata.max.retention.bytes'),
        maxMs: config.get('metadata.max.retention.ms'),
      },
      ports: { ...ports, logger: ports.logger.child('RaftNode') },
      onFatal,
    });
    this.#controller = this.#makeController();
    this.#snapshots = new SnapshotGenerator({
      sink: this.#raft,
      image: () => publisher.image,
      logger: ports.logger.child('SnapshotGenerator'),
      nowMs: () => ports.clock.monotonicMs(),
      maxBytesBetween: config.get('metadata.log.max.record.bytes.between.snapshots'),
      maxIntervalMs: config.get('metadata.log.max.snapshot.interval.ms'),
    });
    this.rows = controllerRows(this.#controller, ports.clock);
    // What is committed reaches the broker before the controller answers.
    this.#raft.register(publisher);
    this.#raft.register(this.#controller);
    this.#raft.register(this.#snapshots);
  }

  get kraftVersion(): number {
    return this.#raft.kraftVersion;
  }

  /** Loads the metadata log and leads it. */
  async start(): Promise<void> {
    await this.#raft.start();
    this.#options.publisher.publish();
    this.#planTick();
  }

  /** Waits for what is under way and closes the log. False where something of it may be lost. Never rejects. */
  async stop(): Promise<boolean> {
    this.#tick?.cancel();
    this.#tick = undefined;
    await this.#quietly(this.#raft.stop());
    await this.#quietly(this.#snapshots.idle());
    const isSafe = !this.#log.isOffline;
    return (await this.#quietly(this.#log.close())) && isSafe;
  }

  async #quietly(work: Promise<void>): Promise<boolean> {
    try {
      await work;
      return true;
    } catch (error) {
      this.#options.ports.logger.error('A part of the node was not closed in order', {
        error: String(error),
      });
      return false;
    }
  }

  #planTick(): void {
    const { config, ports } = this.#options;
    const idleMs = config().get('metadata.max.idle.interval.ms');
    const tickMs = idleMs > 0 ? Math.min(idleMs, CONTROLLER_TICK_MS) : CONTROLLER_TICK_MS;
    this.#tick = ports.timers.after(tickMs, () => {
      this.#controller.tick(ports.clock.monotonicMs());
      this.#planTick();
    });
  }

  #makeController(): QuorumController {
    const { config, identity, endpoints, ports } = this.#options;
    const endPoints = endpoints.map((endpoint) => ({ ...endpoint, securityProtocol: 0 }));
    return new QuorumController({
      log: this.#raft,
      clusterId: identity.clusterId,
      configs: brokerConfigSchema(config),
      random: ports.random,
      logger: ports.logger.child('QuorumController'),
      supportedFeatures: NODE_FEATURES,
      registration: { incarnationId: randomUuid(ports.random), endPoints },
      sessionTimeoutMs: config().get('broker.session.timeout.ms'),
      maxIdleIntervalMs: config().get('metadata.max.idle.interval.ms'),
      defaultNumPartitions: () => config().get('num.partitions'),
      defaultReplicationFactor: () => config().get('default.replication.factor'),
      deleteTopicEnable: () => config().get('delete.topic.enable'),
    });
  }
}
