import type { Uuid } from '../base/uuid.ts';
import type { BrokerConfig, DynamicConfigs } from '../config/broker-config.ts';
import type { DynamicConfig } from '../config/dynamic-config.ts';
import { type LogConfig, logConfigOf } from '../config/log-config.ts';
import type { PartitionLog } from '../log/index.ts';
import type { MetadataDelta } from '../metadata/delta.ts';
import { ConfigResourceType, type MetadataImage, type TopicImage } from '../metadata/image.ts';
import type { PartitionRegistration } from '../metadata/registrations.ts';
import type { ReplicaManager } from '../replication/replica-manager.ts';
import type { DirAssignments } from './dir-assignments.ts';

export interface MetadataApplierOptions {
  readonly nodeId: number;
  readonly replicas: ReplicaManager;
  readonly config: DynamicConfig;
  /** Which dirs the metadata means, and who tells it where replicas really are. */
  readonly assignments: DirAssignments;
}

/** The settings in metadata that are about this broker. */
export const dynamicConfigsOf = (image: MetadataImage, nodeId: number): DynamicConfigs => ({
  broker: image.configOf(ConfigResourceType.BROKER, String(nodeId)),
  cluster: image.configOf(ConfigResourceType.BROKER, ''),
});

/** Makes the replica manager hold what the metadata says: partitions of this node, with their settings. */
export class MetadataApplier {
  readonly #options: MetadataApplierOptions;
  /** What a topic does that sets nothing itself: one object for all of them. */
  #plain: { readonly broker: BrokerConfig; readonly config: LogConfig } | undefined;

  constructor(options: MetadataApplierOptions) {
    this.#options = options;
  }

  /** All that the image says, at start and after a snapshot was loaded. */
  applyAll(image: MetadataImage): void {
    this.#takeBrokerConfigs(image);
    for (const topic of image.topicsByName.values())
      this.#placeAll(image, topic, topic.partitions.entries(), () => false);
  }

  apply(delta: MetadataDelta, image: MetadataImage): void {
    if (delta.isInitial) {
      this.#removeGone(image);
      this.applyAll(image);
      return;
    }
    this.#applyConfigs(delta, image);
    // A topic may come back under the same name within one delta: the old one goes first.
    for (const topic of delta.deletedTopics.values()) {
      for (const index of topic.partitions.keys()) this.#remove(topic.name, topic.id, index);
    }
    const { nodeId } = this.#options;
    for (const { topic, partitions } of delta.topics.values()) {
      const changed = Array.from(partitions, ([index, { now }]) => [index, now] as const);
      const isNew = (index: number) => partitions.get(index)?.before?.replicas.includes(nodeId) !== true;
      this.#placeAll(image, topic, changed, isNew);
    }
  }

  #placeAll(
    image: MetadataImage,
    { name, id }: TopicImage,
    partitions: Iterable<readonly [number, PartitionRegistration]>,
    isNew: (index: number) => boolean,
  ): void {
    const { nodeId } = this.#options;
    const config = this.#logConfig(image, name);
    for (const [index, now] of partitions) {
      if (now.replicas.includes(nodeId)) this.#place(name, id, index, now, config, isNew(index));
      else this.#remove(name, id, index);
    }
  }

  #place(
    name: string,
    id: Uuid,
    index: number,
    now: PartitionRegistration,
    config: LogConfig,
    isNew: boolean,
  ): void {
    const { nodeId, replicas, assignments } = this.#options;
    const directory = now.directories[now.replicas.indexOf(nodeId)];
    replicas.become(name, index, id, now, config, isNew, assignments.dirOf(directory));
    const held = replicas.partition(name, index);
    if (held !== undefined) assignments.placed(id, index, directory, held.log.parentDir);
  }

  /** A replica has moved to another log dir of this node: the metadata is to know. */
  replaced(log: PartitionLog, image: MetadataImage): void {
    const { nodeId, replicas, assignments } = this.#options;
    replicas.replaceLog(log);
    const known = image.partition(log.topicId, log.partition);
    const directory = known?.directories[known.replicas.indexOf(nodeId)];
    assignments.placed(log.topicId, log.partition, directory, log.parentDir);
  }

  #remove(topic: string, id: Uuid, index: number): void {
    const { replicas } = this.#options;
    if (replicas.partition(topic, index)?.topicId === id) replicas.remove(topic, index);
  }

  #removeGone(image: MetadataImage): void {
    for (const { topic, partition, topicId } of [...this.#options.replicas.partitions()]) {
      if (image.partition(topicId, partition) === undefined) this.#remove(topic, topicId, partition);
    }
  }

  #applyConfigs(delta: MetadataDelta, image: MetadataImage): void {
    const { replicas } = this.#options;
    const { configs } = delta;
    if (configs.length === 0) return;
    if (configs.some(({ type }) => type === ConfigResourceType.BROKER)) this.#takeBrokerConfigs(image);
    for (const { type, name } of configs) {
      if (type === ConfigResourceType.TOPIC && image.topicsByName.has(name)) {
        replicas.updateConfig(name, this.#logConfig(image, name));
      }
    }
  }

  /** Topics take from the broker what they don't set themselves. */
  updateTopics(image: MetadataImage): void {
    for (const name of image.topicsByName.keys()) {
      this.#options.replicas.updateConfig(name, this.#logConfig(image, name));
    }
  }

  #takeBrokerConfigs(image: MetadataImage): void {
    this.#options.config.update(dynamicConfigsOf(image, this.#options.nodeId));
  }

  #logConfig(image: MetadataImage, topic: string): LogConfig {
    const broker = this.#options.config.current;
    const overrides = image.configOf(ConfigResourceType.TOPIC, topic);
    if (overrides.size > 0) return logConfigOf(broker, overrides);
    if (this.#plain?.broker !== broker) this.#plain = { broker, config: logConfigOf(broker, overrides) };
    return this.#plain.config;
  }
}
