import type { CoordinatorLog } from '../coordinator/index.ts';
import type { MetadataDelta } from '../metadata/delta.ts';
import type { MetadataImage } from '../metadata/image.ts';
import type { Partition } from '../replication/partition.ts';
import type { ReplicaManager } from '../replication/replica-manager.ts';
import { PartitionCoordinatorLog } from './coordinator-log.ts';

/** A coordinator, as far as it follows the leaders of its topic. */
export interface ElectedCoordinator {
  onElection(partition: number, log: CoordinatorLog): void;
  onResignation(partition: number): void;
}

/**
 * Tells a coordinator which partitions of its topic this node leads, from `start` on. To be asked after the replica manager
 * has taken the same delta.
 */
export class CoordinatorElections {
  readonly #topic: string;
  readonly #replicas: ReplicaManager;
  readonly #coordinator: ElectedCoordinator;
  readonly #led = new Map<number, Partition>();
  #started = false;

  constructor(topic: string, replicas: ReplicaManager, coordinator: ElectedCoordinator) {
    this.#topic = topic;
    this.#replicas = replicas;
    this.#coordinator = coordinator;
  }

  /**
   * This run of the broker is registered. What the image says before is about the run that ended: after a crash the
   * registration takes its leaderships away, and all that was loaded for them would be loaded again.
   */
  start(image: MetadataImage): void {
    this.#started = true;
    this.#applyAll(image);
  }

  /** All that the image says, at start and after a snapshot was loaded. */
  #applyAll(image: MetadataImage): void {
    const partitions = image.topicsByName.get(this.#topic)?.partitions ?? [];
    for (const index of [...this.#led.keys()]) if (index >= partitions.length) this.#look(index);
    for (const index of partitions.keys()) this.#look(index);
  }

  apply(delta: MetadataDelta, image: MetadataImage): void {
    if (!this.#started) return;
    const isConcerned = (topic: { readonly name: string }) => topic.name === this.#topic;
    const wasDeleted = [...delta.deletedTopics.values()].some(isConcerned);
    if (delta.isInitial || wasDeleted) {
      this.#applyAll(image);
      return;
    }
    for (const { topic, partitions } of delta.topics.values()) {
      if (!isConcerned(topic)) continue;
      for (const index of partitions.keys()) this.#look(index);
    }
  }

  #look(index: number): void {
    const held = this.#replicas.partition(this.#topic, index);
    const partition = held?.isLeader === true ? held : undefined;
    const before = this.#led.get(index);
    if (partition === before) return;
    if (partition === undefined) {
      this.#led.delete(index);
      this.#coordinator.onResignation(index);
      return;
    }
    this.#led.set(index, partition);
    this.#coordinator.onElection(index, new PartitionCoordinatorLog(partition));
  }
}
