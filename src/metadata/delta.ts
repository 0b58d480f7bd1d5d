import type { Uuid } from '../base/uuid.ts';
import type { TopicImage } from './image.ts';
import type { PartitionRegistration } from './registrations.ts';

export interface PartitionDelta {
  /** Undefined for a new partition. */
  readonly before: PartitionRegistration | undefined;
  readonly now: PartitionRegistration;
}

export interface TopicDelta {
  readonly topic: TopicImage;
  /** Made since the last delta. */
  readonly created: boolean;
  readonly partitions: Map<number, PartitionDelta>;
}

/** What changed in the image between two moments; changes that undo each other may still be listed. */
export class MetadataDelta {
  /** Topics that are there and were made or changed. */
  readonly topics = new Map<Uuid, TopicDelta>();
  /** Topics that were there at the last delta and are gone, as they were last. */
  readonly deletedTopics = new Map<Uuid, TopicImage>();
  /** Brokers that were registered, changed or unregistered. */
  readonly brokers = new Set<number>();
  featuresChanged = false;
  producerIdsChanged = false;
  clientQuotasChanged = false;
  scramChanged = false;
  aclsChanged = false;
  delegationTokensChanged = false;
  controllersChanged = false;
  /** The image was built from nothing (start, or a snapshot): all of it is in this delta. */
  isInitial = false;
  readonly #configs = new Map<string, { readonly type: number; readonly name: string }>();

  /** The resources whose settings changed. */
  get configs(): readonly { readonly type: number; readonly name: string }[] {
    return [...this.#configs.values()];
  }

  get isEmpty(): boolean {
    return (
      this.topics.size === 0 &&
      this.deletedTopics.size === 0 &&
      this.brokers.size === 0 &&
      this.#configs.size === 0 &&
      !this.featuresChanged &&
      !this.producerIdsChanged &&
      !this.clientQuotasChanged &&
      !this.scramChanged &&
      !this.aclsChanged &&
      !this.delegationTokensChanged &&
      !this.controllersChanged
    );
  }

  topicCreated(topic: TopicImage): void {
    this.topics.set(topic.id, { topic, created: true, partitions: new Map() });
  }

  partitionChanged(
    topic: TopicImage,
    partitionId: number,
    before: PartitionRegistration | undefined,
    now: PartitionRegistration,
  ): void {
    let delta = this.topics.get(topic.id);
    if (delta === undefined) {
      delta = { topic, created: false, partitions: new Map() };
      this.topics.set(topic.id, delta);
    }
    const earlier = delta.partitions.get(partitionId);
    delta.partitions.set(partitionId, { before: earlier === undefined ? before : earlier.before, now });
  }

  topicDeleted(topic: TopicImage): void {
    const made = this.topics.get(topic.id)?.created === true;
    this.topics.delete(topic.id);
    if (!made) this.deletedTopics.set(topic.id, topic);
  }

  configChanged(type: number, name: string): void {
    this.#configs.set(`${type}:${name}`, { type, name });
  }
}
