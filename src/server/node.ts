import { BufferPool } from '../base/buffer-pool.ts';
import { memoryLinkPair } from '../base/memory-link.ts';
import { shareOpenFiles } from '../base/open-files-shares.ts';
import type { FramePool, Logger, Ports } from '../base/ports.ts';
import { randomUuid, type Uuid } from '../base/uuid.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import { DynamicConfig } from '../config/dynamic-config.ts';
import { logConfigOf } from '../config/log-config.ts';
import { topicSynonyms } from '../config/topic-settings.ts';
import { LogManager, type LogOptions } from '../log/index.ts';
import { metadataVersionAllows } from '../metadata/features.ts';
import { ConfigResourceType, type MetadataImage } from '../metadata/image.ts';
import { MetadataPublisher } from '../metadata/publisher.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import { FetchSessionCache } from '../replication/fetch-session.ts';
import { ReplicaManager } from '../replication/replica-manager.ts';
import { TransactionVerifier } from '../replication/transaction-verification.ts';
import { AnswerMemory } from './answer-memory.ts';
import { brokerRows } from './api-table.ts';
import { BrokerLifecycle } from './broker-lifecycle.ts';
import { BrokerMetadata } from './broker-metadata.ts';
import { readCleanShutdown } from './clean-shutdown.ts';
import { CLEANER_SETTINGS, cleanerSettingsOf } from './cleaner-settings.ts';
import { CONNECTION_LIMIT_SETTINGS, connectionLimitsOf } from './connection-quotas.ts';
import { ControllerChannel } from './controller-channel.ts';
import { cordonedDirsOf } from './cordoned-dirs.ts';
import { DirAssignments } from './dir-assignments.ts';
import { DirLocks } from './dir-locks.ts';
import { Dispatcher } from './dispatch.ts';
import { GroupCoordination } from './group-coordination.ts';
import type { BrokerGroup } from './group-inspection.ts';
import { allocateProducerIdsApi } from './handlers/api-shapes.ts';
import { apiVersionsRow } from './handlers/api-versions.ts';
import { InitialLogDirs } from './initial-log-dirs.ts';
import { dynamicConfigsOf, MetadataApplier } from './metadata-applier.ts';
import { NodeController } from './node-controller.ts';
import { NEW_CLUSTER_RECORDS, NODE_FEATURES } from './node-features.ts';
import { identifyNode, type NodeIdentity } from './node-format.ts';
import { bindListeners, type OpenListener, registeredEndPoints } from './node-listeners.ts';
import { type ProducerIdBlock, ProducerIds } from './producer-ids.ts';
import type { HandlerServices } from './services.ts';
import { SocketServer } from './socket-server.ts';
import { SpaceReserve } from './space-reserve.ts';
import { setStrayLogsAside } from './stray-logs.ts';
import { TopicCreation } from './topic-creation.ts';
import { TransactionCoordination } from './transaction-coordination.ts';
import { verificationSettings } from './transaction-verification.ts';
import { TxnMarkerWriter } from './txn-markers.ts';
import { UnenforcedMetadata } from './unenforced-metadata.ts';

/** How long a stopping node waits for the controller to let it go. */
const CONTROLLED_SHUTDOWN_MS = 2_000;
/** Evicts a fetch session after so long without use at the earliest (KIP-227). */
const FETCH_SESSION_EVICTION_MS = 120_000;

type State = 'new' | 'starting' | 'running' | 'stopping' | 'stopped';

/** `start` was cut short by `stop`. */
export class StartInterruptedError extends Error {
  constructor() {
    super('the node was stopped while it started');
    this.name = 'StartInterruptedError';
  }
}

export interface BrokerNodeOptions {
  readonly ports: Ports;
  readonly config: BrokerConfig;
  /** Where it comes from outside; a stored one must be the same. */
  readonly clusterId?: string | undefined;
  /** How the logs use memory, files and threads; for tests. */
  readonly logOptions?: Partial<LogOptions>;
  /** The running node can't go on: its metadata disk failed, or a bug. It stops by itself. */
  readonly onFatal?: (error: Error) => void;
}

/**
 * One node, broker and controller in one, put together over ports: formats its dirs, loads the metadata log and leads
 * it, loads the partitions, registers with its own controller over an in-memory link, and serves its listeners.
 * States: new → starting → running → stopping → stopped; `stop` may be called in any of them and more than once.
 */
export class BrokerNode {
  readonly #ports: Ports;
  readonly #pool: FramePool;
  readonly #logger: Logger;
  readonly #options: BrokerNodeOptions;
  readonly #dynamicConfig: DynamicConfig;
  #state: State = 'new';
  /** Why it can not go on. */
  #failure: Error | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #identity: NodeIdentity | undefined;
  readonly #locks: DirLocks;
  readonly #initialDirs: InitialLogDirs;
  readonly #publisher = new MetadataPublisher();
  #controller: NodeController | undefined;
  #logs: LogManager | undefined;
  #reserve: SpaceReserve | undefined;
  /** Of the pool that all share: what is neither a request nor a cached tail. */
  readonly #answers = new AnswerMemory(
    () => this.#pool.takenBytes() - (this.#server?.requestBytes ?? 0) - (this.#logs?.shared.tails.bytes ?? 0),
  );
  #replicas: ReplicaManager | undefined;
  #groups: GroupCoordination | undefined;
  #transactions: TransactionCoordination | undefined;
  #server: SocketServer | undefined;
  #channel: ControllerChannel | undefined;
  #lifecycle: BrokerLifecycle | undefined;
  #assignments: DirAssignments | undefined;
  #listeners: readonly OpenListener[] = [];

  constructor(options: BrokerNodeOptions) {
    this.#options = options;
    this.#ports = options.ports;
    this.#pool = options.ports.framePool ?? new BufferPool();
    this.#logger = options.ports.logger;
    this.#dynamicConfig = new DynamicConfig(options.config, this.#logger.child('DynamicConfig'));
    this.#locks = new DirLocks(options.ports.storage);
    const { metadataLogDir, logDirs } = options.config;
    this.#initialDirs = new InitialLogDirs(metadataLogDir, logDirs);
  }

  get nodeId(): number {
    return this.config.nodeId;
  }

  /** '' before the node is formatted. */
  get clusterId(): string {
    return this.#identity?.clusterId ?? '';
  }

  /** Empty before `start` has resolved. */
  get listeners(): readonly OpenListener[] {
    return this.#listeners;
  }

  /** The settings as they are now, dynamic ones included. */
  get config(): BrokerConfig {
    return this.#dynamicConfig.current;
  }

  /** What this node knows of the cluster. */
  get image(): MetadataImage {
    return this.#publisher.image;
  }

  /** A group as data; throws before the node has started. */
  group(groupId: string): BrokerGroup {
    if (this.#groups === undefined) throw new Error('groups are known once the node has started');
    return this.#groups.inspection.group(groupId);
  }

  /**
   * Resolves when requests are answered. Rejects with {@link StartInterruptedError} when `stop` came first, with what kept
   * the node from going on where that did.
   */
  start(): Promise<void> {
    if (this.#state !== 'new') return Promise.reject(new Error(`a node that is ${this.#state} can't start`));
    this.#state = 'starting';
    this.#starting = this.#start().then(
      () => {
        this.#state = 'running';
      },
      async (error: unknown) => {
        await this.#tearDown(false);
        if (this.#state === 'starting') this.#state = 'stopped';
        throw this.#failure ?? error;
      },
    );
    return this.#starting;
  }

  /** Answers what is under way, hands leaderships over, marks the dirs as clean. Safe in every state; never rejects. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const before = this.#state;
    this.#state = 'stopping';
    if (before === 'starting') {
      this.#logs?.interrupt();
      this.#lifecycle?.stop();
      await this.#starting?.catch(() => undefined);
    } else if (before === 'running') await this.#tearDown(true);
    this.#state = 'stopped';
  }

  async #start(): Promise<void> {
    const config = this.config;
    await this.#locks.take(this.#initialDirs);
    this.#reserve = new SpaceReserve({
      ...this.#ports,
      dir: config.metadataLogDir,
      minFreeBytes: () => this.config.get('storage.min.free.bytes'),
    });
    this.#reserve.start();
    const controllerListeners = config.listeners.filter(({ controller }) => controller);
    const endpoints = controllerListeners.map(({ name, host, port }) => ({
      name,
      host: host ?? 'localhost',
      port,
    }));
    this.#identity = await identifyNode({
      ports: this.#ports,
      nodeId: config.nodeId,
      clusterId: this.#options.clusterId,
      dirs: this.#initialDirs,
      endpoints,
      bootstrapRecords: NEW_CLUSTER_RECORDS,
    });
    this.#checkStarting();
    // The log manager removes the markers when it opens the dirs, before anything is written.
    const previousBrokerEpoch = this.#cleanShutdownEpoch();
    const metadataWasClean = readCleanShutdown(this.#ports.storage, config.metadataLogDir) !== undefined;
    this.#logs = this.#openLogDirs();
    this.#controller = new NodeController({
      ports: this.#ports,
      config: () => this.config,
      identity: this.#identity,
      endpoints,
      wasClean: metadataWasClean,
      publisher: this.#publisher,
      onFatal: (error) => this.#fatal(error),
    });
    await this.#controller.start();
    this.#checkStarting();
    const services = await this.#startBroker(this.#logs);
    await this.#logs.syncRecovered();
    this.#checkStarting();
    await this.#openServer(services, previousBrokerEpoch ?? -1);
  }

  #openLogDirs(): LogManager {
    const { config } = this;
    const ports = this.#ports;
    return LogManager.create({
      dirs: config.logDirs,
      failedDirs: this.#initialDirs.offline,
      configFor: (topic) => logConfigOf(this.config, this.image.configOf(ConfigResourceType.TOPIC, topic)),
      ports: { ...ports, framePool: this.#pool, logger: this.#logger.child('LogManager') },
      options: { openFilesMax: shareOpenFiles(ports.openFilesMax).logFiles, ...this.#options.logOptions },
      intervals: {
        retentionCheckMs: config.get('log.retention.check.interval.ms'),
        recoveryPointCheckpointMs: config.get('log.flush.offset.checkpoint.interval.ms'),
        logStartCheckpointMs: config.get('log.flush.start.offset.checkpoint.interval.ms'),
        highWatermarkCheckpointMs: config.get('replica.high.watermark.checkpoint.interval.ms'),
        producerExpiryCheckMs: config.get('producer.id.expiration.check.interval.ms'),
        initialDelayMs: config.get('log.initial.task.delay.ms'),
      },
      cordonedDirs: () => cordonedDirsOf(this.config),
      recoveryThreadsPerDir: () => this.config.get('num.recovery.threads.per.data.dir'),
      producerIdExpirationMs: () => this.config.get('producer.id.expiration.ms'),
      cleanerSettings: () => cleanerSettingsOf(this.config),
      minFreeBytes: () => this.config.get('storage.min.free.bytes'),
      moveThreads: () => this.config.get('num.replica.alter.log.dirs.threads'),
      moveBytesPerSecondMax: () => this.config.get('replica.alter.log.dirs.io.max.bytes.per.second'),
    });
  }

  /** Loads the partitions and makes what handlers work with. */
  async #startBroker(logs: LogManager): Promise<HandlerServices> {
    const ports = this.#ports;
    this.#dynamicConfig.update(dynamicConfigsOf(this.image, this.nodeId));
    const config = this.config;
    const metadata = new BrokerMetadata(this.#publisher);
    await logs.load().catch((error: unknown) => {
      this.#checkStarting();
      throw error;
    });
    this.#checkStarting();
    if (logs.offlineDirs.includes(config.metadataLogDir))
      throw new Error(`${config.metadataLogDir}, which has the metadata log, can't be used`);
    logs.onDirFailure = (dir, error) => {
      if (logs.dirs.length === 0 || dir === config.metadataLogDir) this.#fatal(error);
      else this.#lifecycle?.dirsChanged();
    };
    setStrayLogsAside(logs, this.image, config.nodeId, ports.storage, this.#logger.child('LogManager'));
    const replicas = new ReplicaManager({
      localId: config.nodeId,
      logs,
      directory: metadata,
      timers: ports.timers,
      turn: ports.turn,
      logger: this.#logger.child('ReplicaManager'),
      fetchRoom: () => this.#answers.fetchRoom(),
    });
    this.#replicas = replicas;
    const applier = new MetadataApplier({
      nodeId: config.nodeId,
      replicas,
      config: this.#dynamicConfig,
      assignments: this.#makeAssignments(),
    });
    this.#dynamicConfig.onChange(Object.values(topicSynonyms), () => applier.updateTopics(this.image));
    this.#dynamicConfig.onChange(CLEANER_SETTINGS, () => logs.cleaner.settingsChanged());
    this.#dynamicConfig.onChange(['cordoned.log.dirs'], () => this.#lifecycle?.dirsChanged());
    this.#dynamicConfig.onChange(CONNECTION_LIMIT_SETTINGS, () => this.#server?.limitsChanged());
    logs.onReplaced = (log) => applier.replaced(log, this.image);
    applier.applyAll(this.image);
    this.#publisher.onDelta((delta, image) => applier.apply(delta, image));
    const groups = new GroupCoordination({
      ports,
      config,
      currentConfig: () => this.config,
      metadata,
      replicas,
    });
    this.#groups = groups;
    this.#publisher.onDelta((delta, image) => groups.apply(delta, image));
    const unenforced = new UnenforcedMetadata(this.#logger.child('UnenforcedMetadata'));
    unenforced.look(this.image);
    this.#publisher.onDelta((_delta, image) => unenforced.look(image));
    logs.startBackground();
    const [near, far] = memoryLinkPair(ports.turn);
    const channel = new ControllerChannel(near, this.#pool);
    this.#channel = channel;
    const services = this.#makeServices(metadata, replicas, logs, channel);
    this.#makeServer(services).serveOwn(far, this.#controllerListenerName());
    return services;
  }

  #makeAssignments(): DirAssignments {
    this.#assignments = new DirAssignments({
      brokerId: this.nodeId,
      brokerEpoch: () => this.#lifecycle?.brokerEpoch ?? -1,
      directoryIds: this.#identity!.directoryIds,
      isSupported: () => metadataVersionAllows.directoryAssignment(this.image.metadataVersion),
      channel: () => this.#channel,
      timers: this.#ports.timers,
      logger: this.#logger.child('DirAssignments'),
    });
    return this.#assignments;
  }

  #makeServices(
    metadata: BrokerMetadata,
    replicas: ReplicaManager,
    logs: LogManager,
    controller: ControllerChannel,
  ): HandlerServices {
    const node = this;
    const producerIds = new ProducerIds(() => this.#allocateProducerIds(controller));
    const txnMarkers = new TxnMarkerWriter({
      clock: this.#ports.clock,
      turn: this.#ports.turn,
      replicas,
      groups: this.#groups!.coordinator,
      timeoutMs: () => this.config.get('request.timeout.ms'),
    });
    const transactions = new TransactionCoordination({
      ports: this.#ports,
      config: this.config,
      metadata,
      replicas,
      producerIds,
      markers: txnMarkers,
    });
    this.#transactions = transactions;
    this.#publisher.onDelta((delta, image) => transactions.apply(delta, image));
    return {
      nodeId: this.nodeId,
      clusterId: this.clusterId,
      ports: this.#ports,
      get config() {
        return node.config;
      },
      metadata,
      replicas,
      logs,
      groups: this.#groups!.coordinator,
      memberConnections: this.#groups!.memberConnections,
      transactions: transactions.coordinator,
      fetchSessions: new FetchSessionCache({
        slotsMax: this.config.get('max.incremental.fetch.session.cache.slots'),
        evictionMs: FETCH_SESSION_EVICTION_MS,
        random: this.#ports.random,
      }),
      controller,
      topicCreation: new TopicCreation({
        config: () => this.config,
        metadata,
        controller,
        logger: this.#logger.child('TopicCreation'),
      }),
      producerIds,
      txnMarkers,
      transactionVerifier: new TransactionVerifier({
        find: (topic, partition) => replicas.find(topic, partition),
        transactions: transactions.coordinator,
        clock: this.#ports.clock,
        timers: this.#ports.timers,
        settings: verificationSettings(() => this.config),
      }),
      supportedFeatures: NODE_FEATURES,
    };
  }

  #makeServer(services: HandlerServices): SocketServer {
    const rows = [...brokerRows(services), ...this.#controller!.rows];
    const dispatcher: Dispatcher = new Dispatcher({
      rows: [
        ...rows,
        apiVersionsRow({
          nodeId: services.nodeId,
          clusterId: services.clusterId,
          supportedFeatures: services.supportedFeatures,
          image: () => this.image,
          kraftVersion: () => this.#controller?.kraftVersion ?? 0,
          rowsOf: (kind) => dispatcher.rowsOf(kind),
        }),
      ],
      unstableVersions: this.config.get('unstable.api.versions.enable'),
      pool: this.#pool,
      logger: this.#logger.child('Dispatcher'),
    });
    this.#server = new SocketServer({
      ports: this.#ports,
      pool: this.#pool,
      dispatcher,
      logger: this.#logger.child('SocketServer'),
      frameBytesMax: this.config.get('socket.request.max.bytes'),
      idleMsMax: this.config.get('connections.max.idle.ms'),
      queuedBytesMax: () => this.config.get('queued.max.request.bytes'),
      areAnswersPressed: () => this.#answers.isPressed,
      limits: connectionLimitsOf(() => this.config),
      interBrokerListener: this.config.listeners.find(({ interBroker }) => interBroker)?.name,
    });
    return this.#server;
  }

  /** Binds the listeners, registers, and serves once this broker is unfenced. */
  async #openServer(services: HandlerServices, previousBrokerEpoch: number): Promise<void> {
    const server = this.#server!;
    const config = this.config;
    const open = await bindListeners(server, config.listeners);
    this.#checkStarting();
    const lifecycle = new BrokerLifecycle({
      nodeId: services.nodeId,
      clusterId: services.clusterId,
      incarnationId: randomUuid(this.#ports.random),
      rack: config.get('broker.rack'),
      endPoints: registeredEndPoints(open),
      features: [...NODE_FEATURES].map(([name, { min, max }]) => ({
        name,
        minSupportedVersion: min,
        maxSupportedVersion: max,
      })),
      directoryIds: this.#directoryIds(services.logs.dirs),
      offlineDirectoryIds: () => this.#directoryIds(services.logs.offlineDirs),
      cordonedDirectoryIds: () => this.#directoryIds(cordonedDirsOf(this.config)),
      previousBrokerEpoch,
      channel: services.controller,
      timers: this.#ports.timers,
      logger: this.#logger.child('BrokerLifecycle'),
      heartbeatIntervalMs: config.get('broker.heartbeat.interval.ms'),
      registrationTimeoutMs: config.get('initial.broker.registration.timeout.ms'),
      metadataOffset: () => this.image.offset,
    });
    this.#lifecycle = lifecycle;
    await lifecycle.register();
    this.#checkStarting();
    this.#groups?.start(this.image);
    this.#transactions?.start(this.image);
    await lifecycle.start();
    this.#checkStarting();
    if (!services.metadata.isAlive(services.nodeId))
      throw new Error('the controller did not unfence this broker');
    this.#listeners = open;
    server.open();
  }

  async #tearDown(controlled: boolean): Promise<void> {
    if (controlled && this.config.get('controlled.shutdown.enable')) {
      await this.#lifecycle?.shutDown(CONTROLLED_SHUTDOWN_MS).catch(() => undefined);
    }
    this.#lifecycle?.stop();
    this.#assignments?.stop();
    this.#groups?.close();
    this.#transactions?.close();
    this.#reserve?.stop();
    this.#replicas?.close();
    await this.#server?.close();
    this.#channel?.close();
    const isMetadataSafe = (await this.#controller?.stop()) ?? true;
    // What the metadata log lost would be believed at the next start, were the dir marked as clean.
    if (!isMetadataSafe) this.#logs?.markUnclean(this.config.metadataLogDir);
    await this.#logs?.close(this.#lifecycle?.brokerEpoch ?? -1);
    this.#ports.background.close?.();
    this.#locks.release();
  }

  async #allocateProducerIds(controller: ControllerChannel): Promise<ProducerIdBlock> {
    const response = await controller.send(allocateProducerIdsApi, 0, {
      brokerId: this.nodeId,
      brokerEpoch: this.#lifecycle?.brokerEpoch ?? -1,
    });
    if (response.errorCode !== Errors.NONE) throw new ProtocolError(Errors.COORDINATOR_LOAD_IN_PROGRESS);
    return { first: response.producerIdStart, count: response.producerIdLen };
  }

  #controllerListenerName(): string {
    return this.config.listeners.find(({ controller }) => controller)?.name ?? 'CONTROLLER';
  }

  #directoryIds(dirs: readonly string[]): readonly Uuid[] {
    return dirs.flatMap((dir) => this.#identity?.directoryIds.get(dir) ?? []);
  }

  /** The broker epoch of the last shutdown, if all dirs were closed in order; -1 where the marker names none. */
  #cleanShutdownEpoch(): number | undefined {
    if (this.#initialDirs.offline.size > 0) return undefined;
    const epochs = this.config.logDirs.map((dir) => readCleanShutdown(this.#ports.storage, dir));
    if (epochs.includes(undefined)) return undefined;
    return epochs.every((epoch) => epoch === epochs[0]) ? epochs[0] : -1;
  }

  #checkStarting(): void {
    if (this.#state !== 'starting') throw new StartInterruptedError();
  }

  #fatal(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#logger.error('This node can not go on and stops', { error: error.stack ?? error.message });
    if (this.#state !== 'starting') this.#options.onFatal?.(error);
    this.stop().catch(() => undefined);
  }
}
