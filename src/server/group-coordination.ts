import type { Ports } from '../base/ports.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import { groupValueMs } from '../config/group-settings.ts';
import { GroupCoordinator, groupCoordinatorConfigOf, MetadataTopics } from '../coordinator/index.ts';
import type { MetadataDelta } from '../metadata/delta.ts';
import { ConfigResourceType, type MetadataImage } from '../metadata/image.ts';
import type { ReplicaManager } from '../replication/replica-manager.ts';
import type { BrokerMetadata } from './broker-metadata.ts';
import { CoordinatorElections } from './coordinator-elections.ts';
import { GroupInspection } from './group-inspection.ts';
import { MemberConnections } from './member-connections.ts';
import { CONSUMER_OFFSETS_TOPIC } from './topic-creation.ts';

export interface GroupCoordinationOptions {
  readonly ports: Ports;
  readonly config: BrokerConfig;
  /** The settings as they are now. */
  readonly currentConfig: () => BrokerConfig;
  readonly metadata: BrokerMetadata;
  readonly replicas: ReplicaManager;
}

/** The group coordinator of a node, and what it learns from the metadata: leaderships, and topics that are gone. */
export class GroupCoordination {
  readonly coordinator: GroupCoordinator;
  readonly #topics: MetadataTopics;
  readonly memberConnections: MemberConnections;
  readonly inspection: GroupInspection;
  readonly #elections: CoordinatorElections;

  constructor({ ports, config, currentConfig, metadata, replicas }: GroupCoordinationOptions) {
    this.#topics = new MetadataTopics(() => metadata.image);
    this.coordinator = new GroupCoordinator({
      clock: ports.clock,
      timers: ports.timers,
      turn: ports.turn,
      random: ports.random,
      logger: ports.logger.child('GroupCoordinator'),
      config: groupCoordinatorConfigOf(config),
      topic: CONSUMER_OFFSETS_TOPIC,
      topics: this.#topics,
      settingsOf: (groupId) => {
        const own = metadata.image.configOf(ConfigResourceType.GROUP, groupId);
        const broker = currentConfig();
        return {
          sessionTimeoutMs: groupValueMs('consumer.session.timeout.ms', own, broker),
          heartbeatIntervalMs: groupValueMs('consumer.heartbeat.interval.ms', own, broker),
          assignmentIntervalMs: groupValueMs('consumer.assignment.interval.ms', own, broker),
        };
      },
      partitionCount: () => metadata.topic(CONSUMER_OFFSETS_TOPIC)?.partitions.length ?? 0,
    });
    this.memberConnections = new MemberConnections({
      timers: ports.timers,
      graceMs: config.get('group.disconnect.grace.ms'),
      onGone: (groupId, memberId) => this.coordinator.onMemberDisconnected(groupId, memberId),
    });
    this.inspection = new GroupInspection({
      coordinator: this.coordinator,
      timers: ports.timers,
      endOffset: (topic, partition) => {
        const held = replicas.partition(topic, partition);
        return held?.isLeader === true ? held.log.highWatermark : undefined;
      },
    });
    this.#elections = new CoordinatorElections(CONSUMER_OFFSETS_TOPIC, replicas, this.coordinator);
  }

  /** See `CoordinatorElections.start`. */
  start(image: MetadataImage): void {
    this.#elections.start(image);
  }

  /** To be called after the replica manager has taken the delta. */
  apply(delta: MetadataDelta, image: MetadataImage): void {
    const changed = this.#topics.apply(delta);
    this.#elections.apply(delta, image);
    if (changed.size > 0) this.coordinator.onTopicsChanged(changed);
    if (delta.deletedTopics.size === 0) return;
    this.coordinator.onTopicsDeleted(new Set(Array.from(delta.deletedTopics.values(), ({ name }) => name)));
  }

  /** The node stops: whoever waits for a group is told so. */
  close(): void {
    this.inspection.close();
    this.memberConnections.close();
    this.coordinator.close();
  }
}
