import type { Ports } from '../base/ports.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import {
  type MarkerWriter,
  TransactionCoordinator,
  transactionCoordinatorConfigOf,
} from '../coordinator/index.ts';
import type { MetadataDelta } from '../metadata/delta.ts';
import { TRANSACTION_VERSION } from '../metadata/features.ts';
import type { MetadataImage } from '../metadata/image.ts';
import type { ReplicaManager } from '../replication/replica-manager.ts';
import type { BrokerMetadata } from './broker-metadata.ts';
import { CoordinatorElections } from './coordinator-elections.ts';
import type { ProducerIds } from './producer-ids.ts';
import { TRANSACTION_STATE_TOPIC } from './topic-creation.ts';

export interface TransactionCoordinationOptions {
  readonly ports: Ports;
  readonly config: BrokerConfig;
  readonly metadata: BrokerMetadata;
  readonly replicas: ReplicaManager;
  readonly producerIds: ProducerIds;
  readonly markers: MarkerWriter;
}

/** The transaction coordinator of a node, and what it learns from the metadata. */
export class TransactionCoordination {
  readonly coordinator: TransactionCoordinator;
  readonly #elections: CoordinatorElections;

  constructor({ ports, config, metadata, replicas, producerIds, markers }: TransactionCoordinationOptions) {
    this.coordinator = new TransactionCoordinator({
      clock: ports.clock,
      timers: ports.timers,
      turn: ports.turn,
      logger: ports.logger.child('TransactionCoordinator'),
      config: transactionCoordinatorConfigOf(config),
      topic: TRANSACTION_STATE_TOPIC,
      partitionCount: () => metadata.topic(TRANSACTION_STATE_TOPIC)?.partitions.length ?? 0,
      coordinatorEpoch: (partition) =>
        metadata.topic(TRANSACTION_STATE_TOPIC)?.partitions[partition]?.leaderEpoch ?? 0,
      transactionVersion: () => metadata.image.features.finalized.get(TRANSACTION_VERSION) ?? 0,
      isPartitionThere: (topic, partition) => metadata.contains(topic, partition),
      producerIds,
      markers,
    });
    this.#elections = new CoordinatorElections(TRANSACTION_STATE_TOPIC, replicas, this.coordinator);
  }

  /** See `CoordinatorElections.start`. */
  start(image: MetadataImage): void {
    this.#elections.start(image);
  }

  /** To be called after the replica manager has taken the delta. */
  apply(delta: MetadataDelta, image: MetadataImage): void {
    this.#elections.apply(delta, image);
  }

  /** The node stops: whoever waits is told so, and what is decided goes on where it is led next. */
  close(): void {
    this.coordinator.close();
  }
}
