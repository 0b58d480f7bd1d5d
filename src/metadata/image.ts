import type { Uuid } from '../base/uuid.ts';
import { MetadataDelta } from './delta.ts';
import { METADATA_VERSION } from './features.ts';
import { FrozenImage } from './frozen-image.ts';
import type { MetadataRecord, RecordData } from './records.ts';
import {
  type BrokerChange,
  type BrokerRegistration,
  brokerOf,
  type ControllerRegistration,
  controllerOf,
  mergePartition,
  type PartitionRegistration,
  partitionOf,
} from './registrations.ts';

export type { BrokerRegistration, PartitionRegistration } from './registrations.ts';

/** Ids of config resources, as ConfigRecord and the config APIs have them. */
export const ConfigResourceType = {
  TOPIC: 2,
  BROKER: 4,
  BROKER_LOGGER: 8,
  CLIENT_METRICS: 16,
  GROUP: 32,
} as const;

/** A record does not fit the state before it: the log is damaged, or a bug wrote it. */
export class MetadataReplayError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MetadataReplayError';
  }
}

export interface TopicImage {
  readonly name: string;
  readonly id: Uuid;
  /** By partition index. */
  readonly partitions: readonly PartitionRegistration[];
}

class MutableTopic implements TopicImage {
  readonly name: string;
  readonly id: Uuid;
  partitions: PartitionRegistration[] = [];
  /** The freeze after which `partitions` was last made or copied. */
  freeze: number;

  constructor(name: string, id: Uuid, freeze: number) {
    this.name = name;
    this.id = id;
    this.freeze = freeze;
  }
}

export interface ClientQuotaEntity {
  readonly entity: readonly { readonly entityType: string; readonly entityName: string | null }[];
  readonly values: ReadonlyMap<string, number>;
}

export type ScramCredential = RecordData<'UserScramCredentialRecord'>;

const NO_CONFIGS: ReadonlyMap<string, string> = new Map();
const configKey = (type: number, name: string) => `${type}:${name}`;

/** One key for a quota entity, whatever the order of its parts. */
export function quotaEntityKey(entity: ClientQuotaEntity['entity']): string {
  const parts = entity.map((part) => JSON.stringify([part.entityType, part.entityName]));
  return parts.sort().join();
}

/**
 * All that the metadata log says, as plain maps that are changed in place record by record. `version` counts the
 * batches; `takeDelta` gives what changed since it was last asked. Readers see only whole batches, for replay and
 * reading never interleave.
 */
export class MetadataImage {
  #topicsByName = new Map<string, MutableTopic>();
  #topicsById = new Map<Uuid, MutableTopic>();
  #brokers = new Map<number, BrokerRegistration>();
  #controllers = new Map<number, ControllerRegistration>();
  #configs = new Map<string, { type: number; name: string; values: Map<string, string>; freeze: number }>();
  #finalized = new Map<string, number>();
  #metadataVersion = 0;
  #featuresEpoch = -1;
  #clientQuotas = new Map<string, ClientQuotaEntity>();
  #scram = new Map<string, ScramCredential>();
  #acls = new Map<Uuid, RecordData<'AccessControlEntryRecord'>>();
  #delegationTokens = new Map<string, RecordData<'DelegationTokenRecord'>>();
  #nextProducerId: bigint | undefined;
  #delta = new MetadataDelta();
  #freezes = 0;
  #version = 0;
  #offset = -1;
  #epoch = -1;

  get topicsByName(): ReadonlyMap<string, TopicImage> {
    return this.#topicsByName;
  }
  get topicsById(): ReadonlyMap<Uuid, TopicImage> {
    return this.#topicsById;
  }
  get brokers(): ReadonlyMap<number, BrokerRegistration> {
    return this.#brokers;
  }
  get controllers(): ReadonlyMap<number, ControllerRegistration> {
    return this.#controllers;
  }
  /** `metadataVersion` is 0 before the first record that sets it; `finalized` holds the other features. */
  get features(): {
    readonly metadataVersion: number;
    readonly finalized: ReadonlyMap<string, number>;
    readonly epoch: number;
  } {
    return { metadataVersion: this.#metadataVersion, finalized: this.#finalized, epoch: this.#featuresEpoch };
  }
  get metadataVersion(): number {
    return this.#metadataVersion;
  }
  /** By {@link quotaEntityKey}. */
  get clientQuotas(): ReadonlyMap<string, ClientQuotaEntity> {
    return this.#clientQuotas;
  }
  /** By `mechanism:user`, the mechanism as its number: 1 SCRAM-SHA-256, 2 SCRAM-SHA-512. */
  get scramCredentials(): ReadonlyMap<string, ScramCredential> {
    return this.#scram;
  }
  get acls(): ReadonlyMap<Uuid, RecordData<'AccessControlEntryRecord'>> {
    return this.#acls;
  }
  get delegationTokens(): ReadonlyMap<string, RecordData<'DelegationTokenRecord'>> {
    return this.#delegationTokens;
  }
  /** The first producer id that no block was given; undefined while none was. */
  get nextProducerId(): bigint | undefined {
    return this.#nextProducerId;
  }
  /** Grows with every batch that was replayed. */
  get version(): number {
    return this.#version;
  }
  /** Offset of the last record that is in the image; -1 for none. */
  get offset(): number {
    return this.#offset;
  }
  /** Epoch of that record's batch. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The settings of a resource that were set in metadata; empty where none were. */
  configOf(type: number, name: string): ReadonlyMap<string, string> {
    return this.#configs.get(configKey(type, name))?.values ?? NO_CONFIGS;
  }

  /** All resources with settings. */
  *configResources(): Generator<{ type: number; name: string; values: ReadonlyMap<string, string> }> {
    for (const { type, name, values } of this.#configs.values()) yield { type, name, values };
  }

  topicName(id: Uuid): string | undefined {
    return this.#topicsById.get(id)?.name;
  }

  partition(topicId: Uuid, partitionId: number): PartitionRegistration | undefined {
    return this.#topicsById.get(topicId)?.partitions[partitionId];
  }

  /** Marks the end of a batch: all up to `offset` has been replayed. */
  advance(offset: number, epoch: number): void {
    this.#offset = offset;
    this.#epoch = epoch;
    this.#version++;
  }

  /** What changed since the last call. */
  takeDelta(): MetadataDelta {
    const delta = this.#delta;
    this.#delta = new MetadataDelta();
    return delta;
  }

  /** The state as it is now, for a snapshot that is written while the image goes on. Costs one step per topic. */
  freeze(): FrozenImage {
    this.#freezes++;
    return new FrozenImage({
      features: { metadataVersion: this.#metadataVersion, finalized: [...this.#finalized] },
      brokers: [...this.#brokers.values()],
      controllers: [...this.#controllers.values()],
      topics: Array.from(this.#topicsById.values(), ({ name, id, partitions }) => ({ name, id, partitions })),
      configs: Array.from(this.#configs.values(), ({ type, name, values }) => ({ type, name, values })),
      clientQuotas: [...this.#clientQuotas.values()],
      nextProducerId: this.#nextProducerId,
      acls: [...this.#acls.values()],
      scramCredentials: [...this.#scram.values()],
      delegationTokens: [...this.#delegationTokens.values()],
    });
  }

  /** Applies one record. Throws {@link MetadataReplayError} where it does not fit; the image is then of no more use. */
  replay(one: MetadataRecord, offset: number): void {
    switch (one.type) {
      case 'TopicRecord':
        this.#topic(one.data);
        return;
      case 'PartitionRecord':
        this.#partition(one.data);
        return;
      case 'PartitionChangeRecord':
        this.#partitionChange(one.data);
        return;
      case 'RemoveTopicRecord':
        this.#removeTopic(one.data.topicId);
        return;
      case 'ClearElrRecord':
        this.#clearElr(one.data.topicName);
        return;
      case 'ConfigRecord':
        this.#config(one.data);
        return;
      case 'FeatureLevelRecord':
        this.#feature(one.data, offset);
        return;
      case 'ProducerIdsRecord':
        this.#nextProducerId = one.data.nextProducerId;
        this.#delta.producerIdsChanged = true;
        return;
      case 'RegisterBrokerRecord':
        this.#brokers.set(one.data.brokerId, brokerOf(one.data));
        this.#delta.brokers.add(one.data.brokerId);
        return;
      case 'UnregisterBrokerRecord':
        this.#brokerAt(one.data.brokerId, one.data.brokerEpoch, one.type);
        this.#brokers.delete(one.data.brokerId);
        this.#delta.brokers.add(one.data.brokerId);
        return;
      case 'FenceBrokerRecord':
        this.#changeBroker(one.data.id, one.data.epoch, one.type, { fenced: true });
        return;
      case 'UnfenceBrokerRecord':
        this.#changeBroker(one.data.id, one.data.epoch, one.type, { fenced: false });
        return;
      case 'BrokerRegistrationChangeRecord':
        this.#registrationChange(one.data);
        return;
      case 'RegisterControllerRecord':
        this.#controllers.set(one.data.controllerId, controllerOf(one.data));
        this.#delta.controllersChanged = true;
        return;
      case 'UnregisterControllerRecord':
        this.#controllers.delete(one.data.controllerId);
        this.#delta.controllersChanged = true;
        return;
      case 'ClientQuotaRecord':
        this.#clientQuota(one.data);
        return;
      case 'UserScramCredentialRecord':
        this.#scram.set(`${one.data.mechanism}:${one.data.name}`, one.data);
        this.#delta.scramChanged = true;
        return;
      case 'RemoveUserScramCredentialRecord':
        this.#scram.delete(`${one.data.mechanism}:${one.data.name}`);
        this.#delta.scramChanged = true;
        return;
      case 'AccessControlEntryRecord':
        this.#acls.set(one.data.id, one.data);
        this.#delta.aclsChanged = true;
        return;
      case 'RemoveAccessControlEntryRecord':
        this.#acls.delete(one.data.id);
        this.#delta.aclsChanged = true;
        return;
      case 'DelegationTokenRecord':
        this.#delegationTokens.set(one.data.tokenId, one.data);
        this.#delta.delegationTokensChanged = true;
        return;
      case 'RemoveDelegationTokenRecord':
        this.#delegationTokens.delete(one.data.tokenId);
        this.#delta.delegationTokensChanged = true;
        return;
      case 'BeginTransactionRecord':
      case 'EndTransactionRecord':
      case 'AbortTransactionRecord':
        throw new MetadataReplayError(`${one.type} at offset ${offset} reached the image`);
      case 'NoOpRecord':
      case 'ZkMigrationStateRecord':
        return;
    }
  }

  #topic({ name, topicId }: RecordData<'TopicRecord'>): void {
    if (this.#topicsById.has(topicId)) throw new MetadataReplayError(`topic id ${topicId} appears twice`);
    if (this.#topicsByName.has(name)) throw new MetadataReplayError(`topic ${name} appears twice`);
    const topic = new MutableTopic(name, topicId, this.#freezes);
    this.#topicsByName.set(name, topic);
    this.#topicsById.set(topicId, topic);
    this.#delta.topicCreated(topic);
  }

  #topicAt(topicId: Uuid, type: string): MutableTopic {
    const topic = this.#topicsById.get(topicId);
    if (topic === undefined) throw new MetadataReplayError(`${type} for the unknown topic id ${topicId}`);
    return topic;
  }

  #setPartition(topic: MutableTopic, partitionId: number, now: PartitionRegistration): void {
    // A frozen image holds the array as it was.
    if (topic.freeze !== this.#freezes) {
      topic.partitions = topic.partitions.slice();
      topic.freeze = this.#freezes;
    }
    const before = topic.partitions[partitionId];
    topic.partitions[partitionId] = now;
    this.#delta.partitionChanged(topic, partitionId, before, now);
  }

  #partition(data: RecordData<'PartitionRecord'>): void {
    const topic = this.#topicAt(data.topicId, 'PartitionRecord');
    if (data.partitionId < 0 || data.partitionId > topic.partitions.length + MAX_PARTITION_GAP) {
      throw new MetadataReplayError(`PartitionRecord for ${topic.name}-${data.partitionId} leaves a gap`);
    }
    this.#setPartition(topic, data.partitionId, partitionOf(data));
  }

  #partitionChange(data: RecordData<'PartitionChangeRecord'>): void {
    const topic = this.#topicAt(data.topicId, 'PartitionChangeRecord');
    const old = topic.partitions[data.partitionId];
    if (old === undefined) {
      throw new MetadataReplayError(
        `PartitionChangeRecord for the unknown ${topic.name}-${data.partitionId}`,
      );
    }
    this.#setPartition(topic, data.partitionId, mergePartition(old, data));
  }

  #removeTopic(topicId: Uuid): void {
    const topic = this.#topicAt(topicId, 'RemoveTopicRecord');
    this.#topicsById.delete(topicId);
    this.#topicsByName.delete(topic.name);
    // The next topic of this name starts without settings.
    const key = configKey(ConfigResourceType.TOPIC, topic.name);
    if (this.#configs.delete(key)) this.#delta.configChanged(ConfigResourceType.TOPIC, topic.name);
    this.#delta.topicDeleted(topic);
  }

  #clearElr(topicName: string): void {
    const topics = topicName === '' ? this.#topicsByName.values() : [this.#topicsByName.get(topicName)];
    for (const topic of topics) {
      if (topic === undefined)
        throw new MetadataReplayError(`ClearElrRecord for the unknown topic ${topicName}`);
      topic.partitions.forEach((old, id) => {
        if (old.elr.length === 0 && old.lastKnownElr.length === 0) return;
        this.#setPartition(topic, id, {
          ...old,
          elr: [],
          lastKnownElr: [],
          partitionEpoch: old.partitionEpoch + 1,
        });
      });
    }
  }

  #config({ resourceType, resourceName, name, value }: RecordData<'ConfigRecord'>): void {
    const key = configKey(resourceType, resourceName);
    let resource = this.#configs.get(key);
    if (resource === undefined) {
      if (value === null) return;
      resource = { type: resourceType, name: resourceName, values: new Map(), freeze: this.#freezes };
      this.#configs.set(key, resource);
    } else if (resource.freeze !== this.#freezes) {
      resource.values = new Map(resource.values);
      resource.freeze = this.#freezes;
    }
    if (value === null) resource.values.delete(name);
    else resource.values.set(name, value);
    if (resource.values.size === 0) this.#configs.delete(key);
    this.#delta.configChanged(resourceType, resourceName);
  }

  #feature({ name, featureLevel }: RecordData<'FeatureLevelRecord'>, offset: number): void {
    if (name === METADATA_VERSION) this.#metadataVersion = featureLevel;
    else if (featureLevel === 0) this.#finalized.delete(name);
    else this.#finalized.set(name, featureLevel);
    this.#featuresEpoch = offset;
    this.#delta.featuresChanged = true;
  }

  #brokerAt(id: number, epoch: number, type: string): BrokerRegistration {
    const broker = this.#brokers.get(id);
    if (broker === undefined) throw new MetadataReplayError(`${type} for the unknown broker ${id}`);
    if (broker.epoch !== epoch) {
      throw new MetadataReplayError(
        `${type} for broker ${id} at epoch ${epoch}, but its epoch is ${broker.epoch}`,
      );
    }
    return broker;
  }

  #changeBroker(id: number, epoch: number, type: string, change: BrokerChange): void {
    this.#brokers.set(id, { ...this.#brokerAt(id, epoch, type), ...change });
    this.#delta.brokers.add(id);
  }

  #registrationChange(data: RecordData<'BrokerRegistrationChangeRecord'>): void {
    if (Math.abs(data.fenced) > 1)
      throw new MetadataReplayError(`broker ${data.brokerId}: fenced is ${data.fenced}`);
    if (data.inControlledShutdown !== 0 && data.inControlledShutdown !== 1) {
      throw new MetadataReplayError(
        `broker ${data.brokerId}: inControlledShutdown is ${data.inControlledShutdown}`,
      );
    }
    this.#changeBroker(data.brokerId, data.brokerEpoch, 'BrokerRegistrationChangeRecord', {
      ...(data.fenced === 0 ? {} : { fenced: data.fenced === 1 }),
      ...(data.inControlledShutdown === 1 ? { inControlledShutdown: true } : {}),
      ...(data.logDirs.length === 0 ? {} : { directories: data.logDirs }),
      ...(data.cordonedLogDirs === null ? {} : { cordonedDirectories: data.cordonedLogDirs }),
    });
  }

  #clientQuota(data: RecordData<'ClientQuotaRecord'>): void {
    const key = quotaEntityKey(data.entity);
    const values = new Map(this.#clientQuotas.get(key)?.values);
    if (data.remove) values.delete(data.key);
    else values.set(data.key, data.value);
    if (values.size === 0) this.#clientQuotas.delete(key);
    else this.#clientQuotas.set(key, { entity: data.entity, values });
    this.#delta.clientQuotasChanged = true;
  }
}

// Apache writes partitions in the order of a hash map, nearly ascending; a wild number would make a huge array.
const MAX_PARTITION_GAP = 100_000;
