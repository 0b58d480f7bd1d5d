import { ELR_VERSION } from '../metadata/features.ts';
import { ConfigResourceType, type TopicImage } from '../metadata/image.ts';
import { type MetadataRecord, record } from '../metadata/records.ts';
import type { PartitionRegistration } from '../metadata/registrations.ts';
import {
  LOST_DIRECTORY,
  MIGRATING_DIRECTORY,
  NO_LEADER,
  UNASSIGNED_DIRECTORY,
} from '../metadata/registrations.ts';
import { defaultDirectory } from './assignment.ts';
import { type PartitionChange, partitionChangeRecord } from './partition-change.ts';
import type { ConfigSchema } from './ports.ts';
import type { ControllerState } from './state.ts';

/** What happened to one broker; its other fields are undefined. */
export interface BrokerEvent {
  readonly removed?: number;
  readonly added?: number;
  readonly uncleanShutdown?: number;
}

/** Moves leaders and ISRs when brokers come and go. */
export class PartitionLeaders {
  readonly #state: ControllerState;
  readonly #configs: ConfigSchema;

  constructor(state: ControllerState, configs: ConfigSchema) {
    this.#state = state;
    this.#configs = configs;
  }

  get elrEnabled(): boolean {
    return (this.#state.image.features.finalized.get(ELR_VERSION) ?? 0) > 0;
  }

  hasLeaderships(brokerId: number): boolean {
    for (const topic of this.#state.image.topicsById.values()) {
      for (const partition of topic.partitions) if (partition?.leader === brokerId) return true;
    }
    return false;
  }

  brokerFenced(id: number, epoch: number): MetadataRecord[] {
    const records = this.#update({ removed: id }, (partition) => partition.isr.includes(id));
    records.push(
      record('BrokerRegistrationChangeRecord', 0, { brokerId: id, brokerEpoch: epoch, fenced: 1 }),
    );
    return records;
  }

  brokerUnfenced(id: number, epoch: number): MetadataRecord[] {
    const change = record('BrokerRegistrationChangeRecord', 0, {
      brokerId: id,
      brokerEpoch: epoch,
      fenced: -1,
    });
    return [change, ...this.#update({ added: id }, (partition) => partition.leader === NO_LEADER)];
  }

  brokerShuttingDown(id: number, epoch: number, known: boolean): MetadataRecord[] {
    const records = this.#update({ removed: id }, (partition) => partition.isr.includes(id));
    if (known) return records;
    const data = { brokerId: id, brokerEpoch: epoch, inControlledShutdown: 1 };
    return [record('BrokerRegistrationChangeRecord', 1, data), ...records];
  }

  /** Cleans up after the incarnation before the one that registers now. */
  brokerRestarted(id: number, wasClean: boolean): MetadataRecord[] {
    if (!this.elrEnabled || wasClean) {
      return this.#update({ removed: id }, (partition) => partition.isr.includes(id));
    }
    return this.#update(
      { uncleanShutdown: id },
      (partition) => partition.isr.includes(id) || partition.elr.includes(id),
    );
  }

  brokerUnregistered(id: number, epoch: number): MetadataRecord[] {
    const records = this.#update({ removed: id }, (one) => one.isr.includes(id) || one.elr.includes(id));
    records.push(record('UnregisterBrokerRecord', 0, { brokerId: id, brokerEpoch: epoch }));
    return records;
  }

  #update(event: BrokerEvent, concerned: (partition: PartitionRegistration) => boolean): MetadataRecord[] {
    const records: MetadataRecord[] = [];
    for (const topic of this.#state.image.topicsById.values()) {
      for (let id = 0; id < topic.partitions.length; id++) {
        const partition = topic.partitions[id];
        if (partition === undefined || !concerned(partition)) continue;
        const change = this.#change(topic, id, partition, event);
        if (change !== undefined) records.push(change);
      }
    }
    return records;
  }

  #change(
    topic: TopicImage,
    partitionId: number,
    partition: PartitionRegistration,
    event: BrokerEvent,
  ): MetadataRecord | undefined {
    // While the records of an event are made, the image still shows the broker as it was.
    const mayLead = (id: number) =>
      id !== event.removed &&
      id !== event.uncleanShutdown &&
      (id === event.added || this.#state.isActive(id));
    return this.change(topic, partitionId, partition, {
      targetIsr: partition.isr.filter((id) => id !== event.removed && id !== event.uncleanShutdown),
      election: this.uncleanElectionAllowed(topic) ? 'unclean' : 'online',
      isAcceptableLeader: (id) => mayLead(id) && this.#hasOnlineDirectory(partition, id),
      ...(event.uncleanShutdown === undefined ? {} : { uncleanShutdownReplicas: [event.uncleanShutdown] }),
    });
  }

  uncleanElectionAllowed(topic: TopicImage): boolean {
    return this.#configs.uncleanLeaderElection(this.#topicConfigs(topic));
  }

  /**
   * The record that changes a partition as asked, with live brokers as leaders and the settings of the topic; undefined
   * where nothing changes.
   */
  change(
    topic: TopicImage,
    partitionId: number,
    partition: PartitionRegistration,
    asked: Partial<PartitionChange>,
  ): MetadataRecord | undefined {
    const { metadataVersion } = this.#state.image;
    const replicationFactor = topic.partitions[0]?.replicas.length ?? 1;
    return partitionChangeRecord({
      topicId: topic.id,
      partitionId,
      partition,
      targetIsr: partition.isr,
      election: 'online',
      isAcceptableLeader: (id) => this.#state.isActive(id) && this.#hasOnlineDirectory(partition, id),
      defaultDirectory: (id) => defaultDirectory(this.#state, id),
      metadataVersion,
      // More replicas in sync than there are can't be asked for.
      minIsr: Math.min(this.#configs.minInsyncReplicas(this.#topicConfigs(topic)), replicationFactor),
      elrEnabled: this.elrEnabled,
      ...asked,
    });
  }

  #topicConfigs(topic: TopicImage): ReadonlyMap<string, string> {
    return this.#state.image.configOf(ConfigResourceType.TOPIC, topic.name);
  }

  #hasOnlineDirectory(partition: PartitionRegistration, brokerId: number): boolean {
    const directory = partition.directories[partition.replicas.indexOf(brokerId)];
    const online = this.#state.image.brokers.get(brokerId)?.directories ?? [];
    if (directory === undefined || directory === MIGRATING_DIRECTORY || directory === UNASSIGNED_DIRECTORY)
      return true;
    return directory !== LOST_DIRECTORY && (online.length === 0 || online.includes(directory));
  }
}
