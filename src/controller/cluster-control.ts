import {
  type FeatureRange,
  finalizedUnserved,
  METADATA_VERSION,
  metadataVersionAllows,
} from '../metadata/features.ts';
import { type MetadataRecord, record } from '../metadata/records.ts';
import {
  type BrokerRegistration,
  isReservedDirectory,
  registerBrokerRecord,
} from '../metadata/registrations.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import type {
  BrokerHeartbeatRequest,
  BrokerHeartbeatResponse,
} from '../protocol/messages/broker-heartbeat.ts';
import type {
  BrokerRegistrationRequest,
  BrokerRegistrationResponse,
} from '../protocol/messages/broker-registration.ts';
import type { PartitionLeaders } from './partition-leaders.ts';
import type { ControllerResult } from './result.ts';
import type { ControllerState } from './state.ts';

type BrokerStatus = 'fenced' | 'unfenced' | 'shutting-down' | 'shut-down';

/** Brokers: registration, heartbeats, fencing and controlled shutdown (KIP-631, KIP-841). */
export class ClusterControl {
  readonly #state: ControllerState;
  readonly #leaders: PartitionLeaders;
  readonly #clusterId: string;
  readonly #supported: ReadonlyMap<string, FeatureRange>;

  constructor(
    state: ControllerState,
    leaders: PartitionLeaders,
    clusterId: string,
    supported: ReadonlyMap<string, FeatureRange>,
  ) {
    this.#state = state;
    this.#leaders = leaders;
    this.#clusterId = clusterId;
    this.#supported = supported;
  }

  /** `newEpoch`: the offset that the first record gets; it becomes the broker's epoch. */
  registerBroker(
    request: BrokerRegistrationRequest,
    newEpoch: number,
    nowMs: number,
  ): ControllerResult<BrokerRegistrationResponse> {
    this.#checkRegistration(request, nowMs);
    const { image, sessions } = this.#state;
    const existing = image.brokers.get(request.brokerId);
    const amended = existing?.incarnationId === request.incarnationId ? existing : undefined;
    const records: MetadataRecord[] = [];
    if (amended === undefined) {
      const wasClean = existing !== undefined && existing.epoch === request.previousBrokerEpoch;
      for (const one of this.#leaders.brokerRestarted(request.brokerId, wasClean)) records.push(one);
      sessions.remove(request.brokerId);
    }
    const epoch = amended?.epoch ?? newEpoch;
    const registration: BrokerRegistration = {
      id: request.brokerId,
      epoch,
      incarnationId: request.incarnationId,
      endPoints: request.listeners,
      features: request.features,
      rack: request.rack,
      fenced: amended?.fenced ?? true,
      inControlledShutdown: amended?.inControlledShutdown ?? false,
      isMigratingZkBroker: false,
      directories: request.logDirs,
      cordonedDirectories: null,
    };
    records.push(registerBrokerRecord(registration, image.metadataVersion));
    sessions.touch(request.brokerId, epoch, nowMs, -1, false);
    return { records, response: { throttleTimeMs: 0, errorCode: Errors.NONE, brokerEpoch: epoch } };
  }

  #checkRegistration(request: BrokerRegistrationRequest, nowMs: number): void {
    const { image, sessions } = this.#state;
    const invalid = (message: string): never => {
      throw new ProtocolError(Errors.INVALID_REGISTRATION, message);
    };
    if (request.clusterId !== this.#clusterId) {
      throw new ProtocolError(
        Errors.INCONSISTENT_CLUSTER_ID,
        `This is the cluster ${this.#clusterId}; the broker belongs to ${request.clusterId}`,
      );
    }
    const existing = image.brokers.get(request.brokerId);
    if (
      existing !== undefined &&
      existing.incarnationId !== request.incarnationId &&
      sessions.isValid(existing.id, existing.epoch, nowMs)
    ) {
      throw new ProtocolError(
        Errors.DUPLICATE_BROKER_REGISTRATION,
        `Broker ${existing.id} is there and alive. If this is the same one after a restart, its old session ends soon: try again.`,
      );
    }
    if (request.isMigratingZkBroker) {
      throw new ProtocolError(
        Errors.BROKER_ID_NOT_REGISTERED,
        'Brokers that migrate from ZooKeeper are not taken.',
      );
    }
    if (metadataVersionAllows.directoryAssignment(image.metadataVersion)) {
      if (request.logDirs.length === 0) invalid('logDirs is empty; each log directory needs its id');
      if (request.logDirs.some(isReservedDirectory))
        invalid('logDirs names an id that stands for no directory; give each one a random id');
      if (new Set(request.logDirs).size < request.logDirs.length)
        invalid('logDirs names an id twice; each log directory needs its own');
      for (const other of image.brokers.values()) {
        const shared = other.directories.find((id) => request.logDirs.includes(id));
        if (other.id !== request.brokerId && shared !== undefined) {
          invalid(`The directory ${shared} belongs to broker ${other.id}`);
        }
      }
    }
    this.#checkFeatures(request);
  }

  #checkFeatures(request: BrokerRegistrationRequest): void {
    const { metadataVersion, features } = this.#state.image;
    const finalized = new Map([...features.finalized, [METADATA_VERSION, metadataVersion]]);
    if (!request.features.some((feature) => feature.name === METADATA_VERSION)) {
      throw new ProtocolError(
        Errors.INVALID_REGISTRATION,
        `The range of ${METADATA_VERSION} is missing among the features`,
      );
    }
    const ranges = new Map(
      request.features.map((one) => [one.name, [one.minSupportedVersion, one.maxSupportedVersion]]),
    );
    const unserved = finalizedUnserved(this.#supported, finalized);
    for (const name of new Set([...ranges.keys(), ...finalized.keys()])) {
      if (unserved.includes(name) && !ranges.has(name)) continue;
      const level = finalized.get(name) ?? 0;
      const [min, max] = ranges.get(name) ?? [0, 0];
      if (level === 0 || (level >= (min ?? 0) && level <= (max ?? 0))) continue;
      throw new ProtocolError(
        Errors.UNSUPPORTED_VERSION,
        `The cluster is at ${name} ${level}, which the broker can't: it knows ${min} to ${max}.`,
      );
    }
  }

  heartbeat(
    request: BrokerHeartbeatRequest,
    nextOffset: number,
    nowMs: number,
  ): ControllerResult<BrokerHeartbeatResponse> {
    const { brokerId, brokerEpoch, currentMetadataOffset } = request;
    const broker = this.#state.brokerAt(brokerId, brokerEpoch);
    const registeredAt = this.#state.registrationOffsets.get(brokerId) ?? brokerEpoch;
    const current: BrokerStatus = broker.fenced
      ? 'fenced'
      : broker.inControlledShutdown
        ? 'shutting-down'
        : 'unfenced';
    const next = this.#nextStatus(current, request, registeredAt);
    const records = this.#transition(broker, current, next);
    this.#state.sessions.touch(brokerId, brokerEpoch, nowMs, currentMetadataOffset, next === 'unfenced');
    if (next === 'shutting-down') this.#state.sessions.startShutdown(brokerId, nextOffset);
    for (const one of this.#directoryChanges(broker, request)) records.push(one);
    return {
      records,
      response: {
        throttleTimeMs: 0,
        errorCode: Errors.NONE,
        isCaughtUp: currentMetadataOffset >= registeredAt,
        isFenced: next === 'fenced' || next === 'shut-down',
        shouldShutDown: next === 'shut-down',
      },
    };
  }

  #nextStatus(current: BrokerStatus, request: BrokerHeartbeatRequest, registeredAt: number): BrokerStatus {
    if (current === 'fenced') {
      if (request.wantShutDown) return 'shut-down';
      return !request.wantFence && request.currentMetadataOffset >= registeredAt ? 'unfenced' : 'fenced';
    }
    if (current === 'unfenced') {
      if (request.wantFence) return request.wantShutDown ? 'shut-down' : 'fenced';
      if (!request.wantShutDown) return 'unfenced';
      return this.#leaders.hasLeaderships(request.brokerId) ? 'shutting-down' : 'shut-down';
    }
    if (this.#leaders.hasLeaderships(request.brokerId)) return 'shutting-down';
    const { sessions } = this.#state;
    // The others must have seen the new leaders before this broker may go.
    const mayGo = sessions.shutdownOffset(request.brokerId) <= sessions.lowestActiveOffset();
    return mayGo ? 'shut-down' : 'shutting-down';
  }

  #transition(broker: BrokerRegistration, current: BrokerStatus, next: BrokerStatus): MetadataRecord[] {
    if (current === next) return [];
    if (next === 'unfenced') return this.#leaders.brokerUnfenced(broker.id, broker.epoch);
    if (next === 'shutting-down') {
      return this.#leaders.brokerShuttingDown(broker.id, broker.epoch, broker.inControlledShutdown);
    }
    return broker.fenced ? [] : this.#leaders.brokerFenced(broker.id, broker.epoch);
  }

  #directoryChanges(broker: BrokerRegistration, request: BrokerHeartbeatRequest): MetadataRecord[] {
    const { metadataVersion } = this.#state.image;
    const records: MetadataRecord[] = [];
    const change = { brokerId: broker.id, brokerEpoch: broker.epoch };
    if (metadataVersionAllows.directoryAssignment(metadataVersion)) {
      const online = broker.directories.filter((id) => !request.offlineLogDirs.includes(id));
      if (online.length < broker.directories.length && online.length > 0) {
        records.push(record('BrokerRegistrationChangeRecord', 2, { ...change, logDirs: online }));
      }
    }
    const cordoned = request.cordonedLogDirs;
    if (metadataVersionAllows.cordonedLogDirs(metadataVersion) && cordoned !== null) {
      const known = broker.cordonedDirectories;
      if (known === null || known.length !== cordoned.length || cordoned.some((id) => !known.includes(id))) {
        records.push(record('BrokerRegistrationChangeRecord', 3, { ...change, cordonedLogDirs: cordoned }));
      }
    }
    return records;
  }

  unregisterBroker(brokerId: number): readonly MetadataRecord[] {
    const broker = this.#state.image.brokers.get(brokerId);
    if (broker === undefined) {
      throw new ProtocolError(
        Errors.BROKER_ID_NOT_REGISTERED,
        `There is no broker ${brokerId} to unregister`,
      );
    }
    return this.#leaders.brokerUnregistered(brokerId, broker.epoch);
  }

  /** Fences one broker whose session has run out; nothing where all are well. */
  fenceOneStaleBroker(nowMs: number): readonly MetadataRecord[] {
    for (const broker of this.#state.image.brokers.values()) {
      if (broker.fenced || !this.#state.sessions.isExpired(broker.id, nowMs)) continue;
      return this.#leaders.brokerFenced(broker.id, broker.epoch);
    }
    return [];
  }
}
