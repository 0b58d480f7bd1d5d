import type { Uuid } from '../../base/uuid.ts';
import type { MetadataDelta } from '../../metadata/delta.ts';
import type { MetadataImage, TopicImage } from '../../metadata/image.ts';
import { computeTopicHash } from './metadata-hash.ts';

/** What consumer groups know of the cluster's topics. */
export interface GroupTopics {
  /** Offset of the metadata behind all answers. */
  readonly version: number;
  /** The version that brought the last new topics. */
  readonly versionWithNewTopics: number;
  names(): Iterable<string>;
  /** Undefined where there is no such topic. */
  idOf(name: string): Uuid | undefined;
  nameOf(topicId: Uuid): string | undefined;
  partitionCountOf(topicId: Uuid): number | undefined;
  /** Changes whenever the topic changes in a way that assignments depend on. */
  hashOf(name: string): bigint | undefined;
}

/** The topics of the metadata image. */
export class MetadataTopics implements GroupTopics {
  readonly #image: () => MetadataImage;
  readonly #hashes = new Map<string, bigint>();
  #versionWithNewTopics = 0;

  constructor(image: () => MetadataImage) {
    this.#image = image;
  }

  get version(): number {
    return this.#image().offset;
  }

  get versionWithNewTopics(): number {
    return this.#versionWithNewTopics;
  }

  names(): Iterable<string> {
    return this.#image().topicsByName.keys();
  }

  idOf(name: string): Uuid | undefined {
    return this.#image().topicsByName.get(name)?.id;
  }

  nameOf(topicId: Uuid): string | undefined {
    return this.#image().topicName(topicId);
  }

  partitionCountOf(topicId: Uuid): number | undefined {
    return this.#image().topicsById.get(topicId)?.partitions.length;
  }

  hashOf(name: string): bigint | undefined {
    const known = this.#hashes.get(name);
    if (known !== undefined) return known;
    const topic = this.#image().topicsByName.get(name);
    if (topic === undefined) return undefined;
    const hash = this.#hash(topic);
    this.#hashes.set(name, hash);
    return hash;
  }

  /** The image has taken a delta. Gives the names of topics that were made, changed or deleted. */
  apply(delta: MetadataDelta): ReadonlySet<string> {
    const changed = new Set<string>();
    if (delta.isInitial) this.#hashes.clear();
    let isNew = delta.isInitial;
    for (const { topic, created } of delta.topics.values()) {
      changed.add(topic.name);
      isNew ||= created;
    }
    for (const { name } of delta.deletedTopics.values()) changed.add(name);
    for (const name of changed) this.#hashes.delete(name);
    // What partitions see of a broker is its rack.
    if (delta.brokers.size > 0) this.#hashes.clear();
    if (isNew) this.#versionWithNewTopics = this.version;
    return changed;
  }

  #hash(topic: TopicImage): bigint {
    const { brokers } = this.#image();
    const racksOf = (partition: number): string[] => {
      const racks: string[] = [];
      for (const replica of topic.partitions[partition]?.replicas ?? []) {
        const rack = brokers.get(replica)?.rack;
        if (rack !== undefined && rack !== null) racks.push(rack);
      }
      return racks;
    };
    const { id: topicId, name, partitions } = topic;
    return computeTopicHash({ topicId, name, partitionCount: partitions.length, racksOf });
  }
}
