import type { Uuid } from '../base/uuid.ts';
import { topicNameProblem } from '../controller/topic-names.ts';
import type { MetadataImage, TopicImage } from '../metadata/image.ts';
import type { BrokerRegistration, PartitionRegistration } from '../metadata/registrations.ts';
import { type ErrorCode, Errors } from '../protocol/errors.ts';
import type { PartitionDirectory } from '../replication/replica-manager.ts';

/** Where a broker is reached through one listener. */
export interface BrokerNodeAddress {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
  readonly fenced: boolean;
}

/** Whatever holds the current image. */
export interface ImageSource {
  readonly image: MetadataImage;
}

/** The metadata image as the handlers ask for it. */
export class BrokerMetadata implements PartitionDirectory {
  readonly #source: ImageSource;

  constructor(source: ImageSource) {
    this.#source = source;
  }

  get image(): MetadataImage {
    return this.#source.image;
  }

  topic(name: string): TopicImage | undefined {
    return this.#source.image.topicsByName.get(name);
  }

  topicById(id: Uuid): TopicImage | undefined {
    return this.#source.image.topicsById.get(id);
  }

  contains(topic: string, partition: number): boolean {
    return this.topic(topic)?.partitions[partition] !== undefined;
  }

  /** Brokers that have this listener, by id; fenced ones only when asked for. */
  brokers(listenerName: string, includeFenced = false): BrokerNodeAddress[] {
    const found: BrokerNodeAddress[] = [];
    for (const broker of this.image.brokers.values()) {
      if (broker.fenced && !includeFenced) continue;
      const address = addressOf(broker, listenerName);
      if (address !== undefined) found.push(address);
    }
    return found.sort((a, b) => a.id - b.id);
  }

  /** Controllers that have this listener, by id. */
  controllers(listenerName: string): BrokerNodeAddress[] {
    const found: BrokerNodeAddress[] = [];
    for (const { id, endPoints } of this.image.controllers.values()) {
      const address = addressOf({ id, endPoints, rack: null, fenced: false }, listenerName);
      if (address !== undefined) found.push(address);
    }
    return found.sort((a, b) => a.id - b.id);
  }

  /** The broker, if it is not fenced and has this listener. */
  aliveBroker(id: number, listenerName: string): BrokerNodeAddress | undefined {
    const broker = this.image.brokers.get(id);
    return broker === undefined || broker.fenced ? undefined : addressOf(broker, listenerName);
  }

  isAlive(id: number): boolean {
    return this.image.brokers.get(id)?.fenced === false;
  }

  /** What is wrong with asking for a topic that is not there. */
  unknownTopicError(name: string): ErrorCode {
    return topicNameProblem(name) === undefined
      ? Errors.UNKNOWN_TOPIC_OR_PARTITION
      : Errors.INVALID_TOPIC_EXCEPTION;
  }

  /** Why clients of this listener can't reach the leader: there is none, or it lacks the listener. */
  partitionError(partition: PartitionRegistration, listenerName: string): ErrorCode {
    if (this.aliveBroker(partition.leader, listenerName) !== undefined) return Errors.NONE;
    return this.image.brokers.has(partition.leader) ? Errors.LISTENER_NOT_FOUND : Errors.LEADER_NOT_AVAILABLE;
  }

  /** Replicas that clients of this listener can't reach. */
  offlineReplicas(partition: PartitionRegistration, listenerName: string): number[] {
    return partition.replicas.filter((id) => this.aliveBroker(id, listenerName) === undefined);
  }

  /** What clients are shown as the controller: a broker that takes and forwards their requests. -1 for none. */
  aliveBrokerId(preferred: number): number {
    if (this.isAlive(preferred)) return preferred;
    for (const broker of this.image.brokers.values()) if (!broker.fenced) return broker.id;
    return -1;
  }
}

function addressOf(
  broker: Pick<BrokerRegistration, 'id' | 'endPoints' | 'rack' | 'fenced'>,
  listenerName: string,
): BrokerNodeAddress | undefined {
  for (const endPoint of broker.endPoints) {
    if (endPoint.name !== listenerName) continue;
    const { host, port } = endPoint;
    return { id: broker.id, host, port, rack: broker.rack, fenced: broker.fenced };
  }
  return undefined;
}
