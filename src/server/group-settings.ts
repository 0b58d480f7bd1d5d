import type { BrokerConfig } from '../config/broker-config.ts';
import type { GroupSettings } from '../coordinator/index.ts';
import { ConfigResourceType, type MetadataImage } from '../metadata/image.ts';

/** What a consumer group has set through its GROUP resource, within the bounds of this broker, or what the broker has. */
export function groupSettingsOf(config: BrokerConfig, image: MetadataImage, groupId: string): GroupSettings {
  const own = image.configOf(ConfigResourceType.GROUP, groupId);
  const within = (name: string, min: number, max: number): number | undefined => {
    const text = own.get(name);
    return text === undefined ? undefined : Math.min(Math.max(Number(text), min), max);
  };
  return {
    sessionTimeoutMs:
      within(
        'consumer.session.timeout.ms',
        config.get('group.consumer.min.session.timeout.ms'),
        config.get('group.consumer.max.session.timeout.ms'),
      ) ?? config.get('group.consumer.session.timeout.ms'),
    heartbeatIntervalMs:
      within(
        'consumer.heartbeat.interval.ms',
        config.get('group.consumer.min.heartbeat.interval.ms'),
        config.get('group.consumer.max.heartbeat.interval.ms'),
      ) ?? config.get('group.consumer.heartbeat.interval.ms'),
    assignmentIntervalMs:
      within(
        'consumer.assignment.interval.ms',
        config.get('group.consumer.min.assignment.interval.ms'),
        config.get('group.consumer.max.assignment.interval.ms'),
      ) ?? config.get('group.consumer.assignment.interval.ms'),
  };
}
