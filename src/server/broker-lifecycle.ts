import type { Logger, Timer, Timers } from '../base/ports.ts';
import type { Uuid } from '../base/uuid.ts';
import type { FeatureSupport, MetadataEndpoint } from '../metadata/registrations.ts';
import { Errors, errorName } from '../protocol/errors.ts';
import type { ControllerChannel } from './controller-channel.ts';
import { brokerHeartbeatApi, brokerRegistrationApi } from './handlers/api-shapes.ts';

const REGISTRATION_VERSION = 4;
const HEARTBEAT_VERSION = 2;
/** Wait before a refused registration is tried again. */
const RETRY_MS = 50;
/** Between heartbeats of a broker that waits to be let go. */
const SHUTDOWN_BEAT_MS = 5;

export interface BrokerLifecycleOptions {
  readonly nodeId: number;
  readonly clusterId: string;
  readonly incarnationId: Uuid;
  readonly rack: string | null;
  readonly endPoints: readonly MetadataEndpoint[];
  readonly features: readonly FeatureSupport[];
  /** Of the log dirs that are online when the broker registers. */
  readonly directoryIds: readonly Uuid[];
  /** Those that have failed since. */
  readonly offlineDirectoryIds: () => readonly Uuid[];
  /** Those that take no new partitions (KIP-1066). */
  readonly cordonedDirectoryIds: () => readonly Uuid[];
  /** Broker epoch of the last clean shutdown; -1 where there was none (KIP-966). */
  readonly previousBrokerEpoch: number;
  readonly channel: ControllerChannel;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly heartbeatIntervalMs: number;
  /** `initial.broker.registration.timeout.ms`. */
  readonly registrationTimeoutMs: number;
  /** Offset up to which this broker has applied the metadata. */
  readonly metadataOffset: () => number;
}

/** Registers this broker with the controller and keeps it alive there by heartbeats, until it says that it stops. */
export class BrokerLifecycle {
  readonly #options: BrokerLifecycleOptions;
  #epoch = -1;
  #timer: Timer | undefined;
  #wantsShutdown = false;
  #mayShutDown: (() => void) | undefined;
  #stopped = false;

  constructor(options: BrokerLifecycleOptions) {
    this.#options = options;
  }

  /** -1 before the registration. */
  get brokerEpoch(): number {
    return this.#epoch;
  }

  /** Resolves when the registration is committed. Rejects when the controller refuses it for good. */
  async register(): Promise<void> {
    const { timers, registrationTimeoutMs } = this.#options;
    let expired = false;
    const deadline = timers.after(registrationTimeoutMs, () => {
      expired = true;
    });
    try {
      for (;;) {
        const code = await this.#registerOnce();
        if (code === Errors.NONE || this.#stopped) return;
        const name = errorName(code);
        const passing = code === Errors.DUPLICATE_BROKER_REGISTRATION || code === Errors.NOT_CONTROLLER;
        if (!passing || expired) throw new Error(`the controller refused to register this broker: ${name}`);
        this.#options.logger.info(`The controller did not register this broker yet: ${name}`);
        await new Promise<void>((resolve) => {
          timers.after(RETRY_MS, resolve);
        });
      }
    } finally {
      deadline.cancel();
    }
  }

  /** Beats once, which unfences a broker that has caught up, and from then on at the interval. */
  async start(): Promise<void> {
    await this.#beat();
    this.#plan();
  }

  /** The state of the log dirs has changed: the controller hears of it now. */
  dirsChanged(): void {
    if (this.#stopped || this.#timer === undefined || this.#wantsShutdown) return;
    this.#timer.cancel();
    this.#timer = this.#options.timers.after(0, () => this.#beatAndPlan());
  }

  /** Tells the controller, and resolves when it has moved what this broker led, or `timeoutMs` passed. */
  async shutDown(timeoutMs: number): Promise<void> {
    if (this.#epoch === -1 || this.#stopped) return;
    this.#wantsShutdown = true;
    this.#timer?.cancel();
    await new Promise<void>((resolve) => {
      const deadline = this.#options.timers.after(timeoutMs, resolve);
      this.#mayShutDown = () => {
        deadline.cancel();
        resolve();
      };
      this.#beatUntilReleased();
    });
    this.stop();
  }

  /** No more heartbeats. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #registerOnce(): Promise<number> {
    const options = this.#options;
    const response = await options.channel.send(brokerRegistrationApi, REGISTRATION_VERSION, {
      brokerId: options.nodeId,
      clusterId: options.clusterId,
      incarnationId: options.incarnationId,
      listeners: options.endPoints.map((endPoint) => ({ ...endPoint })),
      features: options.features.map((feature) => ({ ...feature })),
      rack: options.rack,
      isMigratingZkBroker: false,
      logDirs: options.directoryIds,
      previousBrokerEpoch: options.previousBrokerEpoch,
    });
    if (response.errorCode === Errors.NONE) this.#epoch = response.brokerEpoch;
    return response.errorCode;
  }

  #plan(): void {
    if (this.#stopped) return;
    this.#timer = this.#options.timers.after(this.#options.heartbeatIntervalMs, () => this.#beatAndPlan());
  }

  #beatAndPlan(): void {
    this.#beat().then(
      () => this.#plan(),
      (error: unknown) => {
        this.#options.logger.warn('A heartbeat to the controller failed', { error: String(error) });
        this.#plan();
      },
    );
  }

  #beatUntilReleased(): void {
    if (this.#stopped) return;
    this.#beat().then(
      () => {
        if (!this.#stopped && this.#mayShutDown !== undefined) {
          this.#timer = this.#options.timers.after(SHUTDOWN_BEAT_MS, () => this.#beatUntilReleased());
        }
      },
      () => this.#release(),
    );
  }

  async #beat(): Promise<void> {
    const { nodeId, channel, metadataOffset, offlineDirectoryIds, cordonedDirectoryIds } = this.#options;
    const response = await channel.send(brokerHeartbeatApi, HEARTBEAT_VERSION, {
      brokerId: nodeId,
      brokerEpoch: this.#epoch,
      currentMetadataOffset: metadataOffset(),
      wantFence: false,
      wantShutDown: this.#wantsShutdown,
      offlineLogDirs: [...offlineDirectoryIds()],
      cordonedLogDirs: [...cordonedDirectoryIds()],
    });
    if (response.errorCode !== Errors.NONE) {
      this.#options.logger.warn(`The controller refused a heartbeat: ${errorName(response.errorCode)}`);
      if (this.#wantsShutdown) this.#release();
    } else if (response.shouldShutDown) this.#release();
  }

  #release(): void {
    const release = this.#mayShutDown;
    this.#mayShutDown = undefined;
    release?.();
  }
}
