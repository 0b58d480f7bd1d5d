import type { BrokerConfig } from '../../config/broker-config.ts';

/** Which groups may turn into which while members are there (`group.consumer.migration.policy`). */
export type MigrationPolicy = 'disabled' | 'upgrade' | 'downgrade' | 'bidirectional';

/** The settings of the group coordinator. All of them need a restart to change. */
export interface GroupCoordinatorConfig {
  readonly initialRebalanceDelayMs: number;
  readonly minSessionTimeoutMs: number;
  readonly maxSessionTimeoutMs: number;
  readonly maxSize: number;
  readonly consumerMaxSize: number;
  /** Names, the default one first. */
  readonly consumerAssignors: readonly string[];
  readonly consumerRegexRefreshIntervalMs: number;
  readonly consumerMigrationPolicy: MigrationPolicy;
  /** Longest text with a committed offset, in UTF-16 units as Apache Kafka counts. */
  readonly offsetMetadataMaxSize: number;
  readonly offsetsRetentionMs: number;
  readonly offsetsRetentionCheckIntervalMs: number;
  readonly offsetsCommitTimeoutMs: number;
  readonly offsetsLoadBufferBytes: number;
  /** Id of a codec of record batches. */
  readonly offsetsTopicCompressionId: number;
}

const MS_PER_MINUTE = 60_000;

export function groupCoordinatorConfigOf(config: BrokerConfig): GroupCoordinatorConfig {
  return {
    initialRebalanceDelayMs: config.get('group.initial.rebalance.delay.ms'),
    minSessionTimeoutMs: config.get('group.min.session.timeout.ms'),
    maxSessionTimeoutMs: config.get('group.max.session.timeout.ms'),
    maxSize: config.get('group.max.size'),
    consumerMaxSize: config.get('group.consumer.max.size'),
    consumerAssignors: config.get('group.consumer.assignors'),
    consumerMigrationPolicy: migrationPolicyOf(config.get('group.consumer.migration.policy')),
    consumerRegexRefreshIntervalMs: config.get('group.consumer.regex.refresh.interval.ms'),
    offsetMetadataMaxSize: config.get('offset.metadata.max.bytes'),
    offsetsRetentionMs: config.get('offsets.retention.minutes') * MS_PER_MINUTE,
    offsetsRetentionCheckIntervalMs: config.get('offsets.retention.check.interval.ms'),
    offsetsCommitTimeoutMs: config.get('offsets.commit.timeout.ms'),
    offsetsLoadBufferBytes: config.get('offsets.load.buffer.size'),
    offsetsTopicCompressionId: config.get('offsets.topic.compression.codec'),
  };
}

/** The setting takes these names in any case. */
function migrationPolicyOf(text: string): MigrationPolicy {
  return text.toLowerCase() as MigrationPolicy;
}
