import { assert } from '../base/assert.ts';
import type { Logger, Random } from '../base/ports.ts';
import type { Uuid } from '../base/uuid.ts';
import { type FeatureRange, finalizedUnserved, metadataVersionAllows } from '../metadata/features.ts';
import type { MetadataImage } from '../metadata/image.ts';
import { MetadataLoader } from '../metadata/loader.ts';
import { type MetadataRecord, type RecordData, record } from '../metadata/records.ts';
import type { MetadataEndpoint } from '../metadata/registrations.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import type {
  AllocateProducerIdsRequest,
  AllocateProducerIdsResponse,
} from '../protocol/messages/allocate-producer-ids.ts';
import type {
  AlterClientQuotasRequest,
  AlterClientQuotasResponse,
} from '../protocol/messages/alter-client-quotas.ts';
import type { AlterConfigsRequest, AlterConfigsResponse } from '../protocol/messages/alter-configs.ts';
import type {
  AlterPartitionReassignmentsRequest,
  AlterPartitionReassignmentsResponse,
} from '../protocol/messages/alter-partition-reassignments.ts';
import type {
  AlterUserScramCredentialsRequest,
  AlterUserScramCredentialsResponse,
} from '../protocol/messages/alter-user-scram-credentials.ts';
import type {
  AssignReplicasToDirsRequest,
  AssignReplicasToDirsResponse,
} from '../protocol/messages/assign-replicas-to-dirs.ts';
import type {
  BrokerHeartbeatRequest,
  BrokerHeartbeatResponse,
} from '../protocol/messages/broker-heartbeat.ts';
import type {
  BrokerRegistrationRequest,
  BrokerRegistrationResponse,
} from '../protocol/messages/broker-registration.ts';
import type {
  CreatePartitionsRequest,
  CreatePartitionsResponse,
} from '../protocol/messages/create-partitions.ts';
import type { CreateTopicsRequest, CreateTopicsResponse } from '../protocol/messages/create-topics.ts';
import type { DeleteTopicsRequest, DeleteTopicsResponse } from '../protocol/messages/delete-topics.ts';
import type { DescribeQuorumRequest, DescribeQuorumResponse } from '../protocol/messages/describe-quorum.ts';
import type { ElectLeadersRequest, ElectLeadersResponse } from '../protocol/messages/elect-leaders.ts';
import type {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../protocol/messages/incremental-alter-configs.ts';
import type {
  ListPartitionReassignmentsRequest,
  ListPartitionReassignmentsResponse,
} from '../protocol/messages/list-partition-reassignments.ts';
import type {
  UnregisterBrokerRequest,
  UnregisterBrokerResponse,
} from '../protocol/messages/unregister-broker.ts';
import type { UpdateFeaturesRequest, UpdateFeaturesResponse } from '../protocol/messages/update-features.ts';
import { activationRecords } from './activation.ts';
import { alterClientQuotas } from './client-quota-control.ts';
import { ClusterControl } from './cluster-control.ts';
import { ConfigurationControl } from './configuration-control.ts';
import { DeferredAnswers } from './deferred.ts';
import { assignReplicasToDirs } from './directory-control.ts';
import { FeatureControl } from './feature-control.ts';
import { electLeaders } from './leader-election.ts';
import { PartitionLeaders } from './partition-leaders.ts';
import type { CommittedMetadata, ConfigSchema, MetadataLogWriter } from './ports.ts';
import { allocateProducerIds } from './producer-id-control.ts';
import { ReassignmentControl } from './reassignment-control.ts';
import { ReplicationControl, type ReplicationOptions } from './replication-control.ts';
import type { ControllerResult, Outcome, RequestContext } from './result.ts';
import { alterUserScramCredentials } from './scram-control.ts';
import { ControllerState } from './state.ts';

export interface QuorumControllerOptions extends Omit<ReplicationOptions, 'random' | 'configs'> {
  readonly log: MetadataLogWriter;
  readonly clusterId: string;
  readonly configs: ConfigSchema;
  readonly random: Random;
  readonly logger: Logger;
  readonly supportedFeatures: ReadonlyMap<string, FeatureRange>;
  /** What the node's own controller registers as (KIP-919). */
  readonly registration?: { readonly incarnationId: Uuid; readonly endPoints: readonly MetadataEndpoint[] };
  /** `broker.session.timeout.ms`. Default 9000. */
  readonly sessionTimeoutMs?: number;
  /** `metadata.max.idle.interval.ms`: a NoOpRecord is written this often; 0 for never. Default 500. */
  readonly maxIdleIntervalMs?: number;
  /** Ms that an answer may wait for its commit where the request names no time. Default 30000. */
  readonly commitTimeoutMs?: number;
}

export type Done<R> = (outcome: Outcome<R>) => void;

type Handler<R> = () => ControllerResult<R>;

/** The managers over one state; made anew when the state is dropped. */
interface Managers {
  readonly state: ControllerState;
  readonly loader: MetadataLoader;
  readonly leaders: PartitionLeaders;
  readonly replication: ReplicationControl;
  readonly reassignment: ReassignmentControl;
  readonly configuration: ConfigurationControl;
  readonly features: FeatureControl;
  readonly cluster: ClusterControl;
}

const DEFAULT_SESSION_TIMEOUT_MS = 9000;
const DEFAULT_IDLE_MS = 500;
const DEFAULT_COMMIT_TIMEOUT_MS = 30_000;
const EMPTY: readonly MetadataRecord[] = [];

/**
 * Turns admin requests and heartbeats into metadata records. A handler reads the newest state and decides on records
 * and an answer; the records are replayed before the next handler runs, and the answer leaves once everything that it
 * may have seen is committed. When an append or a replay fails the state is dropped and read again from the log.
 *
 * It is a listener of the metadata log and is registered after those who must know of a change before its answer.
 */
export class QuorumController {
  readonly #options: QuorumControllerOptions;
  readonly #deferred = new DeferredAnswers();
  #managers: Managers;
  #active = false;
  /** The state was dropped: it is loaded again before this controller takes part. */
  #dropped = false;
  #reloading = false;
  #bootstrap: readonly MetadataRecord[] | undefined;
  #lastIdleRecordMs: number | undefined;

  constructor(options: QuorumControllerOptions) {
    this.#options = options;
    this.#managers = this.#newManagers();
  }

  /** Whether requests are taken. */
  get isActive(): boolean {
    return this.#active;
  }

  /** The newest state, committed or not. For tests and tools; brokers have their own. */
  get image(): MetadataImage {
    return this.#managers.state.image;
  }

  get pendingAnswers(): number {
    return this.#deferred.size;
  }

  // The metadata log's side.

  onBootstrap(entries: readonly MetadataRecord[]): void {
    this.#bootstrap = entries;
  }

  onSnapshot(entries: Iterable<MetadataRecord>, lastOffset: number, epoch: number): void {
    this.#managers = this.#newManagers();
    const { state } = this.#managers;
    for (const one of entries) {
      // The registration's own offset is not in a snapshot; the broker's epoch is one.
      state.replay(one, one.type === 'RegisterBrokerRecord' ? one.data.brokerEpoch : lastOffset);
    }
    state.advance(lastOffset, epoch);
  }

  onCommit(batch: CommittedMetadata, more: boolean): void {
    if (!this.#active && !this.#dropped) {
      this.#managers.loader.load(batch.entries, batch.baseOffset, batch.epoch);
      return;
    }
    if (more) return;
    this.#deferred.complete(this.#options.log.highWatermark);
    if (this.#dropped) this.#reloadWhenQuiet();
  }

  onLeader(): void {
    if (this.#dropped) this.#reloadWhenQuiet();
    else this.#activate();
  }

  onLeadershipLost(reason: Error): void {
    this.#active = false;
    this.#dropped = true;
    this.#deferred.failAll(new ProtocolError(Errors.NOT_CONTROLLER, reason.message));
  }

  /** To be called every few hundred ms: idle records, brokers that were not heard of, answers that came too late. */
  tick(nowMs: number): void {
    const late = 'The change was not committed in time; it may still happen.';
    this.#deferred.expire(nowMs, () => new ProtocolError(Errors.REQUEST_TIMED_OUT, late));
    if (!this.#active) return;
    const { cluster, state } = this.#managers;
    for (const broker of state.image.brokers.values()) {
      if (!broker.fenced) state.sessions.assume(broker.id, broker.epoch, nowMs);
    }
    const records = cluster.fenceOneStaleBroker(nowMs);
    if (records.length > 0) this.#writeQuietly(records);
    const interval = this.#options.maxIdleIntervalMs ?? DEFAULT_IDLE_MS;
    this.#lastIdleRecordMs ??= nowMs;
    if (interval > 0 && nowMs - this.#lastIdleRecordMs >= interval) {
      this.#lastIdleRecordMs = nowMs;
      this.#writeQuietly([record('NoOpRecord', 0, {})]);
    }
  }

  // Requests. All answers are given through `done`, exactly once.

  createTopics(
    request: CreateTopicsRequest,
    context: RequestContext,
    done: Done<CreateTopicsResponse>,
  ): void {
    const handler = () => this.#managers.replication.createTopics(request, context);
    this.#handle('CreateTopics', handler, context, done, request.timeoutMs);
  }

  deleteTopics(
    request: DeleteTopicsRequest,
    context: RequestContext,
    done: Done<DeleteTopicsResponse>,
  ): void {
    const handler = () => this.#managers.replication.deleteTopics(request, context);
    this.#handle('DeleteTopics', handler, context, done, request.timeoutMs);
  }

  createPartitions(
    request: CreatePartitionsRequest,
    context: RequestContext,
    done: Done<CreatePartitionsResponse>,
  ): void {
    const handler = () => this.#managers.replication.createPartitions(request);
    this.#handle('CreatePartitions', handler, context, done, request.timeoutMs);
  }

  incrementalAlterConfigs(
    request: IncrementalAlterConfigsRequest,
    context: RequestContext,
    done: Done<IncrementalAlterConfigsResponse>,
  ): void {
    const handler = () => this.#managers.configuration.incrementalAlterConfigs(request);
    this.#handle('IncrementalAlterConfigs', handler, context, done);
  }

  alterConfigs(
    request: AlterConfigsRequest,
    context: RequestContext,
    done: Done<AlterConfigsResponse>,
  ): void {
    this.#handle('AlterConfigs', () => this.#managers.configuration.alterConfigs(request), context, done);
  }

  updateFeatures(
    request: UpdateFeaturesRequest,
    context: RequestContext,
    done: Done<UpdateFeaturesResponse>,
  ): void {
    const handler = () => this.#managers.features.updateFeatures(request, context);
    this.#handle('UpdateFeatures', handler, context, done, request.timeoutMs);
  }

  /** Errors stand in the response. */
  brokerRegistration(
    request: BrokerRegistrationRequest,
    context: RequestContext,
    done: Done<BrokerRegistrationResponse>,
  ): void {
    const { log } = this.#options;
    const handler = () => this.#managers.cluster.registerBroker(request, log.nextOffset, context.nowMs);
    const failed = (errorCode: number) => ({ throttleTimeMs: 0, errorCode, brokerEpoch: -1 });
    this.#handle('BrokerRegistration', handler, context, inResponse(done, failed));
  }

  /** Errors stand in the response. */
  brokerHeartbeat(
    request: BrokerHeartbeatRequest,
    context: RequestContext,
    done: Done<BrokerHeartbeatResponse>,
  ): void {
    const { log } = this.#options;
    const handler = () => this.#managers.cluster.heartbeat(request, log.nextOffset, context.nowMs);
    const failed = (errorCode: number) => ({
      throttleTimeMs: 0,
      errorCode,
      isCaughtUp: false,
      isFenced: true,
      shouldShutDown: false,
    });
    this.#handle('BrokerHeartbeat', handler, context, inResponse(done, failed));
  }

  /** Errors stand in the response. */
  allocateProducerIds(
    request: AllocateProducerIdsRequest,
    context: RequestContext,
    done: Done<AllocateProducerIdsResponse>,
  ): void {
    const handler = () => allocateProducerIds(this.#managers.state, request);
    const failed = (errorCode: number) => ({
      throttleTimeMs: 0,
      errorCode,
      producerIdStart: -1n,
      producerIdLen: 0,
    });
    this.#handle('AllocateProducerIds', handler, context, inResponse(done, failed));
  }

  /** Errors of single partitions stand in the response. */
  assignReplicasToDirs(
    request: AssignReplicasToDirsRequest,
    context: RequestContext,
    done: Done<AssignReplicasToDirsResponse>,
  ): void {
    const { state, leaders } = this.#managers;
    const handler = () => assignReplicasToDirs(state, leaders, request);
    const failed = (errorCode: number): AssignReplicasToDirsResponse => ({
      throttleTimeMs: 0,
      errorCode,
      directories: [],
    });
    this.#handle('AssignReplicasToDirs', handler, context, inResponse(done, failed));
  }

  unregisterBroker(
    request: UnregisterBrokerRequest,
    context: RequestContext,
    done: Done<UnregisterBrokerResponse>,
  ): void {
    const handler = () => ({
      records: this.#managers.cluster.unregisterBroker(request.brokerId),
      response: { throttleTimeMs: 0, errorCode: Errors.NONE, errorMessage: null },
    });
    this.#handle('UnregisterBroker', handler, context, done);
  }

  electLeaders(
    request: ElectLeadersRequest,
    context: RequestContext,
    done: Done<ElectLeadersResponse>,
  ): void {
    const handler = () => electLeaders(this.#managers.state, this.#managers.leaders, request);
    this.#handle('ElectLeaders', handler, context, done, request.timeoutMs);
  }

  alterPartitionReassignments(
    request: AlterPartitionReassignmentsRequest,
    context: RequestContext,
    done: Done<AlterPartitionReassignmentsResponse>,
  ): void {
    const handler = () => this.#managers.reassignment.alterPartitionReassignments(request);
    this.#handle('AlterPartitionReassignments', handler, context, done, request.timeoutMs);
  }

  alterClientQuotas(
    request: AlterClientQuotasRequest,
    context: RequestContext,
    done: Done<AlterClientQuotasResponse>,
  ): void {
    this.#handle('AlterClientQuotas', () => alterClientQuotas(this.#managers.state, request), context, done);
  }

  alterUserScramCredentials(
    request: AlterUserScramCredentialsRequest,
    context: RequestContext,
    done: Done<AlterUserScramCredentialsResponse>,
  ): void {
    const handler = () => alterUserScramCredentials(this.#managers.state, request);
    this.#handle('AlterUserScramCredentials', handler, context, done);
  }

  listPartitionReassignments(
    request: ListPartitionReassignmentsRequest,
    context: RequestContext,
    done: Done<ListPartitionReassignmentsResponse>,
  ): void {
    const handler = () => ({
      records: EMPTY,
      response: this.#managers.reassignment.listPartitionReassignments(request),
    });
    this.#handle('ListPartitionReassignments', handler, context, done, request.timeoutMs);
  }

  describeQuorum(
    request: DescribeQuorumRequest,
    context: RequestContext,
    done: Done<DescribeQuorumResponse>,
  ): void {
    done({ ok: true, response: this.#options.log.describeQuorum(request, context.nowMs) });
  }

  #handle<R>(
    name: string,
    handler: Handler<R>,
    context: RequestContext,
    done: Done<R>,
    timeoutMs = this.#options.commitTimeoutMs ?? DEFAULT_COMMIT_TIMEOUT_MS,
  ): void {
    if (!this.#active) {
      done({ ok: false, error: new ProtocolError(Errors.NOT_CONTROLLER) });
      return;
    }
    let result: ControllerResult<R>;
    try {
      result = handler();
    } catch (error) {
      done({ ok: false, error: this.#asProtocolError(name, error) });
      return;
    }
    const { response } = result;
    if (result.records.length > 0) {
      const failure = this.#write(result.records);
      if (failure !== undefined) {
        done({ ok: false, error: failure });
        return;
      }
    }
    // Also an answer without records may tell of some that are not committed yet.
    this.#deferred.add({
      offset: this.#options.log.nextOffset - 1,
      deadlineMs: context.nowMs + Math.max(1, timeoutMs),
      answer: () => done({ ok: true, response }),
      fail: (error) => done({ ok: false, error }),
    });
    this.#deferred.complete(this.#options.log.highWatermark);
  }

  #asProtocolError(name: string, error: unknown): ProtocolError {
    if (error instanceof ProtocolError) return error;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#options.logger.error('a controller request failed unexpectedly', { request: name, error: text });
    return new ProtocolError(Errors.UNKNOWN_SERVER_ERROR);
  }

  /** Replays and appends; on failure drops the state and says why. */
  #write(records: readonly MetadataRecord[]): ProtocolError | undefined {
    const { log, logger } = this.#options;
    const base = log.nextOffset;
    try {
      this.#managers.loader.load(records, base, log.leaderEpoch);
      const last = log.append(records);
      assert(last === base + records.length - 1, 'offsets are given in order');
      return undefined;
    } catch (error) {
      logger.error('metadata records could not be replayed or written; the state is loaded again', {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
      this.#active = false;
      this.#dropped = true;
      this.#reloadWhenQuiet();
      return error instanceof ProtocolError ? error : new ProtocolError(Errors.UNKNOWN_SERVER_ERROR);
    }
  }

  #writeQuietly(records: readonly MetadataRecord[]): void {
    if (this.#active) this.#write(records);
  }

  #activate(): void {
    const { configs, log, logger } = this.#options;
    const { state, loader } = this.#managers;
    this.#active = true;
    const records = activationRecords({
      metadataVersion: state.image.metadataVersion,
      openTransactionOffset: loader.openTransactionOffset,
      bootstrap: this.#bootstrap,
      minInsyncReplicas: configs.minInsyncReplicas(new Map()),
    });
    if (records.length > 0) this.#writeQuietly(records);
    this.#registerSelf();
    const unserved = finalizedUnserved(this.#options.supportedFeatures, state.image.features.finalized);
    if (unserved.length > 0) {
      logger.warn(
        'the cluster has finalized features that this broker does not serve yet; clients are not told of them',
        {
          features: unserved,
        },
      );
    }
    logger.info('the controller is active', { epoch: log.leaderEpoch, topics: state.image.topicsById.size });
  }

  #registerSelf(): void {
    const { registration, supportedFeatures, log } = this.#options;
    const { image } = this.#managers.state;
    if (registration === undefined || !metadataVersionAllows.controllerRegistration(image.metadataVersion))
      return;
    if (image.controllers.get(log.nodeId)?.incarnationId === registration.incarnationId) return;
    const features = [...supportedFeatures].map(([name, { min, max }]) => ({
      name,
      minSupportedVersion: min,
      maxSupportedVersion: max,
    }));
    this.#writeQuietly([
      record('RegisterControllerRecord', 0, {
        controllerId: log.nodeId,
        incarnationId: registration.incarnationId,
        endPoints: registration.endPoints as RecordData<'RegisterControllerRecord'>['endPoints'],
        features,
      }),
    ]);
  }

  /** Loads the state again as soon as nothing is on its way to the log any more. */
  #reloadWhenQuiet(): void {
    const { log, logger } = this.#options;
    if (this.#reloading || !log.isLeader || log.highWatermark < log.nextOffset) return;
    this.#reloading = true;
    this.#managers = this.#newManagers();
    const listener = {
      onSnapshot: (entries: Iterable<MetadataRecord>, lastOffset: number, epoch: number) =>
        this.onSnapshot(entries, lastOffset, epoch),
      onCommit: (batch: CommittedMetadata) =>
        this.#managers.loader.load(batch.entries, batch.baseOffset, batch.epoch),
    };
    log.replay(listener).then(
      () => {
        this.#reloading = false;
        if (!log.isLeader) return;
        this.#dropped = false;
        this.#activate();
      },
      (error: Error) => {
        // Stays without a controller: requests are refused, what is committed is still served.
        this.#reloading = false;
        logger.error('the metadata log could not be loaded again', { error: error.message });
      },
    );
  }

  #newManagers(): Managers {
    const options = this.#options;
    const state = new ControllerState(options.sessionTimeoutMs ?? DEFAULT_SESSION_TIMEOUT_MS);
    const leaders = new PartitionLeaders(state, options.configs);
    return {
      state,
      loader: new MetadataLoader(state),
      leaders,
      replication: new ReplicationControl(state, options),
      reassignment: new ReassignmentControl(state, leaders),
      configuration: new ConfigurationControl(state, options.configs, options.log.nodeId),
      features: new FeatureControl(state, {
        supported: options.supportedFeatures,
        kraftVersion: () => options.log.kraftVersion,
        minInsyncReplicas: () => options.configs.minInsyncReplicas(new Map()),
      }),
      cluster: new ClusterControl(state, leaders, options.clusterId, options.supportedFeatures),
    };
  }
}

/** For responses with an error code of their own: the whole request's error goes there. */
function inResponse<R>(done: Done<R>, failed: (errorCode: number) => R): Done<R> {
  return (outcome) => done(outcome.ok ? outcome : { ok: true, response: failed(outcome.error.code) });
}
