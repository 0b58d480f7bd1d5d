import type { BrokerSettingName } from './broker-settings/index.ts';

/**
 * `kafka`: Apache Kafka's own defaults; what a properties file gets. `dev`: what a start without a file, `--memory`
 * and the embedded broker get: groups start at once, sessions and segments may be tiny, internal topics get no
 * more replicas than there are brokers (`internal-topics.ts`).
 */
export type Profile = 'kafka' | 'dev';

export const profiles: readonly Profile[] = ['kafka', 'dev'];

type Defaults = Readonly<Partial<Record<BrokerSettingName, string>>>;

const devDefaults: Defaults = {
  'node.id': '1',
  'process.roles': 'broker,controller',
  'controller.listener.names': 'CONTROLLER',
  listeners: 'PLAINTEXT://localhost:9092',
  'log.dirs': 'odradek-data',
  'group.initial.rebalance.delay.ms': '0',
  'group.min.session.timeout.ms': '1',
  'group.consumer.min.session.timeout.ms': '1',
  'group.consumer.min.heartbeat.interval.ms': '1',
  'group.consumer.heartbeat.interval.ms': '1000',
  'group.consumer.assignment.interval.ms': '0',
  'group.streams.initial.rebalance.delay.ms': '0',
  'group.streams.min.session.timeout.ms': '1',
  'group.streams.min.heartbeat.interval.ms': '1',
  'group.streams.assignment.interval.ms': '0',
  'group.share.min.session.timeout.ms': '1',
  'group.share.min.heartbeat.interval.ms': '1',
  'group.share.assignment.interval.ms': '0',
};

const none: Defaults = {};

/** What the profile puts in the place of Kafka's defaults. */
export function profileDefaults(profile: Profile): Defaults {
  return profile === 'dev' ? devDefaults : none;
}
