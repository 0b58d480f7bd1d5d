import type { BrokerConfig } from './broker-config.ts';

export type InternalTopic = '__consumer_offsets' | '__transaction_state' | '__share_group_state';

export interface InternalTopicSettings {
  readonly partitions: number;
  readonly replicationFactor: number;
  /** The topic's own settings, as they are stored with it. */
  readonly configs: ReadonlyMap<string, string>;
  /** What was lowered to fit the brokers that there are; to be said once. */
  readonly lowered: string | undefined;
}

/**
 * How an internal topic is made. Replicas and min.insync.replicas are lowered to the number of brokers where the
 * profile is dev or this broker is the only one; else Kafka's rule holds, and creation waits for enough brokers.
 */
export function internalTopicSettings(
  topic: InternalTopic,
  config: BrokerConfig,
  brokers: number,
): InternalTopicSettings {
  const { partitions, replicas, minIsr, configs } = declared(topic, config);
  const cap = config.profile === 'dev' || brokers <= 1 ? Math.max(1, brokers) : Number.POSITIVE_INFINITY;
  const replicationFactor = Math.min(replicas.value, cap);
  const lowered: string[] = [];
  if (replicationFactor < replicas.value) lowered.push(`${replicas.name}=${replicas.value}`);
  const all = new Map(configs);
  if (minIsr !== undefined) {
    const capped = Math.min(minIsr.value, cap);
    if (capped < minIsr.value) lowered.push(`${minIsr.name}=${minIsr.value}`);
    all.set('min.insync.replicas', String(capped));
  } else if (config.get('min.insync.replicas') > cap) {
    lowered.push(`min.insync.replicas=${config.get('min.insync.replicas')}`);
    all.set('min.insync.replicas', String(cap));
  }
  return {
    partitions,
    replicationFactor,
    configs: all,
    lowered:
      lowered.length === 0
        ? undefined
        : `${topic} is made for ${brokers} broker(s) despite ${lowered.join(', ')}`,
  };
}

interface Declared {
  readonly partitions: number;
  readonly replicas: { readonly name: string; readonly value: number };
  readonly minIsr: { readonly name: string; readonly value: number } | undefined;
  readonly configs: readonly (readonly [string, string])[];
}

function declared(topic: InternalTopic, config: BrokerConfig): Declared {
  switch (topic) {
    case '__consumer_offsets':
      return {
        partitions: config.get('offsets.topic.num.partitions'),
        replicas: {
          name: 'offsets.topic.replication.factor',
          value: config.get('offsets.topic.replication.factor'),
        },
        minIsr: undefined,
        configs: [
          ['cleanup.policy', 'compact'],
          ['compression.type', 'producer'],
          ['segment.bytes', String(config.get('offsets.topic.segment.bytes'))],
        ],
      };
    case '__transaction_state':
      return {
        partitions: config.get('transaction.state.log.num.partitions'),
        replicas: {
          name: 'transaction.state.log.replication.factor',
          value: config.get('transaction.state.log.replication.factor'),
        },
        minIsr: { name: 'transaction.state.log.min.isr', value: config.get('transaction.state.log.min.isr') },
        configs: [
          ['cleanup.policy', 'compact'],
          ['compression.type', 'uncompressed'],
          ['segment.bytes', String(config.get('transaction.state.log.segment.bytes'))],
          ['unclean.leader.election.enable', 'false'],
        ],
      };
    case '__share_group_state':
      return {
        partitions: config.get('share.coordinator.state.topic.num.partitions'),
        replicas: {
          name: 'share.coordinator.state.topic.replication.factor',
          value: config.get('share.coordinator.state.topic.replication.factor'),
        },
        minIsr: {
          name: 'share.coordinator.state.topic.min.isr',
          value: config.get('share.coordinator.state.topic.min.isr'),
        },
        configs: [
          ['cleanup.policy', 'delete'],
          ['compression.type', 'producer'],
          ['retention.ms', '-1'],
          ['segment.bytes', String(config.get('share.coordinator.state.topic.segment.bytes'))],
        ],
      };
  }
}
