import type { Uuid } from '../base/uuid.ts';
import { METADATA_VERSION, metadataVersionAllows } from './features.ts';
import type { ClientQuotaEntity, ScramCredential } from './image.ts';
import { type MetadataRecord, type RecordData, record } from './records.ts';
import {
  type BrokerRegistration,
  type ControllerRegistration,
  type PartitionRegistration,
  partitionRecord,
  registerBrokerRecord,
} from './registrations.ts';

export interface FrozenState {
  readonly features: {
    readonly metadataVersion: number;
    readonly finalized: readonly (readonly [string, number])[];
  };
  readonly brokers: readonly BrokerRegistration[];
  readonly controllers: readonly ControllerRegistration[];
  readonly topics: readonly {
    readonly name: string;
    readonly id: Uuid;
    readonly partitions: readonly PartitionRegistration[];
  }[];
  readonly configs: readonly {
    readonly type: number;
    readonly name: string;
    readonly values: ReadonlyMap<string, string>;
  }[];
  readonly clientQuotas: readonly ClientQuotaEntity[];
  readonly nextProducerId: bigint | undefined;
  readonly acls: readonly RecordData<'AccessControlEntryRecord'>[];
  readonly scramCredentials: readonly ScramCredential[];
  readonly delegationTokens: readonly RecordData<'DelegationTokenRecord'>[];
}

/** The state of an image at one moment, as the records that make it again. */
export class FrozenImage {
  readonly #state: FrozenState;

  constructor(state: FrozenState) {
    this.#state = state;
  }

  /**
   * The records of a snapshot, the metadata.version first, for it decides how the others are written. What that level
   * has no record for is left out; nothing should have put it there.
   */
  *records(): Generator<MetadataRecord> {
    const state = this.#state;
    const level = state.features.metadataVersion;
    if (level > 0) yield record('FeatureLevelRecord', 0, { name: METADATA_VERSION, featureLevel: level });
    for (const [name, featureLevel] of state.features.finalized) {
      yield record('FeatureLevelRecord', 0, { name, featureLevel });
    }
    for (const broker of state.brokers) yield registerBrokerRecord(broker, level);
    if (metadataVersionAllows.controllerRegistration(level)) {
      for (const { id, ...rest } of state.controllers) {
        const data = { ...rest, controllerId: id } as RecordData<'RegisterControllerRecord'>;
        yield record('RegisterControllerRecord', 0, data);
      }
    }
    for (const topic of state.topics) {
      yield record('TopicRecord', 0, { name: topic.name, topicId: topic.id });
      for (let id = 0; id < topic.partitions.length; id++) {
        const partition = topic.partitions[id];
        if (partition !== undefined) yield partitionRecord(topic.id, id, partition, level);
      }
    }
    for (const { type, name: resourceName, values } of state.configs) {
      for (const [name, value] of values) {
        yield record('ConfigRecord', 0, { resourceType: type, resourceName, name, value });
      }
    }
    for (const { entity, values } of state.clientQuotas) {
      const parts = entity as RecordData<'ClientQuotaRecord'>['entity'];
      for (const [key, value] of values)
        yield record('ClientQuotaRecord', 0, { entity: parts, key, value, remove: false });
    }
    if (state.nextProducerId !== undefined) {
      yield record('ProducerIdsRecord', 0, {
        brokerId: -1,
        brokerEpoch: -1,
        nextProducerId: state.nextProducerId,
      });
    }
    for (const data of state.acls) yield record('AccessControlEntryRecord', 0, data);
    if (metadataVersionAllows.scram(level)) {
      for (const data of state.scramCredentials) yield record('UserScramCredentialRecord', 0, data);
    }
    if (metadataVersionAllows.delegationTokens(level)) {
      for (const data of state.delegationTokens) yield record('DelegationTokenRecord', 0, data);
    }
  }
}
