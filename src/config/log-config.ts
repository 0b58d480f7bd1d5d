import type { BrokerConfig } from './broker-config.ts';
import type { BrokerSettingName } from './broker-settings/index.ts';
import {
  type TopicSettingName,
  type TopicSettingValue,
  topicSettings,
  topicSynonyms,
} from './topic-settings.ts';
import { type ParsedValue, parseSetting } from './value.ts';

export type CleanupPolicy = 'delete' | 'compact';
export type CompressionSetting = 'producer' | 'uncompressed' | 'gzip' | 'snappy' | 'lz4' | 'zstd';
export type TimestampType = 'CreateTime' | 'LogAppendTime';

/**
 * What a log does, all settings of its topic. Times are in ms, sizes in bytes; Number.MAX_SAFE_INTEGER stands for
 * Kafka's largest long ("never", "no limit"), -1 for no limit of retention.
 */
export interface LogConfig {
  readonly segmentBytes: number;
  readonly segmentMs: number;
  readonly segmentJitterMs: number;
  readonly segmentIndexBytes: number;
  readonly indexIntervalBytes: number;
  readonly flushMessages: number;
  readonly flushMs: number;
  readonly maxMessageBytes: number;
  readonly retentionMs: number;
  readonly retentionBytes: number;
  /** Empty: segments stay for ever. */
  readonly cleanupPolicy: readonly CleanupPolicy[];
  readonly compressionType: CompressionSetting;
  readonly compressionGzipLevel: number;
  readonly compressionLz4Level: number;
  readonly compressionZstdLevel: number;
  readonly messageTimestampType: TimestampType;
  readonly messageTimestampBeforeMaxMs: number;
  readonly messageTimestampAfterMaxMs: number;
  readonly minInsyncReplicas: number;
  readonly fileDeleteDelayMs: number;
  readonly preallocate: boolean;
  readonly deleteRetentionMs: number;
  readonly minCompactionLagMs: number;
  readonly maxCompactionLagMs: number;
  readonly minCleanableDirtyRatio: number;
  readonly uncleanLeaderElectionEnable: boolean;
  readonly leaderReplicationThrottledReplicas: readonly string[];
  readonly followerReplicationThrottledReplicas: readonly string[];
  readonly remoteStorageEnable: boolean;
  readonly remoteLogCopyDisable: boolean;
  readonly remoteLogDeleteOnDisable: boolean;
  readonly localRetentionMs: number;
  readonly localRetentionBytes: number;
}

type Read = <K extends TopicSettingName>(name: K) => TopicSettingValue<K>;

/** The settings of a log. Overrides that can't be read count as not given: they were checked when they were set. */
export function logConfigOf(broker: BrokerConfig, topicOverrides: ReadonlyMap<string, string>): LogConfig {
  const read: Read = (name) => logSettingOf(name, broker, topicOverrides);
  return {
    segmentBytes: read('internal.segment.bytes') ?? read('segment.bytes'),
    segmentMs: read('segment.ms'),
    segmentJitterMs: read('segment.jitter.ms'),
    segmentIndexBytes: read('segment.index.bytes'),
    indexIntervalBytes: read('index.interval.bytes'),
    flushMessages: read('flush.messages'),
    flushMs: read('flush.ms'),
    maxMessageBytes: read('max.message.bytes'),
    retentionMs: read('retention.ms'),
    retentionBytes: read('retention.bytes'),
    cleanupPolicy: read('cleanup.policy') as readonly CleanupPolicy[],
    compressionType: read('compression.type') as CompressionSetting,
    compressionGzipLevel: read('compression.gzip.level'),
    compressionLz4Level: read('compression.lz4.level'),
    compressionZstdLevel: read('compression.zstd.level'),
    messageTimestampType: read('message.timestamp.type') as TimestampType,
    messageTimestampBeforeMaxMs: read('message.timestamp.before.max.ms'),
    messageTimestampAfterMaxMs: read('message.timestamp.after.max.ms'),
    minInsyncReplicas: read('min.insync.replicas'),
    fileDeleteDelayMs: read('file.delete.delay.ms'),
    preallocate: read('preallocate'),
    deleteRetentionMs: read('delete.retention.ms'),
    minCompactionLagMs: read('min.compaction.lag.ms'),
    maxCompactionLagMs: read('max.compaction.lag.ms'),
    minCleanableDirtyRatio: read('min.cleanable.dirty.ratio'),
    uncleanLeaderElectionEnable: read('unclean.leader.election.enable'),
    leaderReplicationThrottledReplicas: read('leader.replication.throttled.replicas'),
    followerReplicationThrottledReplicas: read('follower.replication.throttled.replicas'),
    remoteStorageEnable: read('remote.storage.enable'),
    remoteLogCopyDisable: read('remote.log.copy.disable'),
    remoteLogDeleteOnDisable: read('remote.log.delete.on.disable'),
    localRetentionMs: read('local.retention.ms'),
    localRetentionBytes: read('local.retention.bytes'),
  };
}

/** One of the settings of a log, for who needs no other: reading all of them costs thirty times as much. */
export function logSettingOf<K extends TopicSettingName>(
  name: K,
  broker: BrokerConfig,
  topicOverrides: ReadonlyMap<string, string>,
): TopicSettingValue<K> {
  return topicValue(name, broker, topicOverrides).value as TopicSettingValue<K>;
}

/** The value of one topic setting: the topic's own, else what the broker gives all topics. */
export function topicValue(
  name: TopicSettingName,
  broker: BrokerConfig,
  topicOverrides: ReadonlyMap<string, string>,
): ParsedValue {
  const text = topicOverrides.get(name);
  if (text !== undefined) {
    const result = parseSetting(name, topicSettings[name], text, broker.profile === 'dev');
    if ('ok' in result) return result.ok;
  }
  return topicDefault(name, broker);
}

/** What the broker gives topics that do not set `name`. */
export function topicDefault(name: TopicSettingName, broker: BrokerConfig): ParsedValue {
  switch (name) {
    case 'retention.ms':
      return derived(broker.logRetentionMs, broker, 'log.retention.ms');
    case 'segment.ms':
      return derived(broker.logRollMs, broker, 'log.roll.ms');
    case 'segment.jitter.ms':
      return derived(broker.logRollJitterMs, broker, 'log.roll.jitter.ms');
    case 'flush.ms': {
      const own = broker.parsed('log.flush.interval.ms');
      return own.value === null ? broker.parsed('log.flush.scheduler.interval.ms') : own;
    }
    default: {
      const synonym = topicSynonyms[name];
      if (synonym !== undefined) return broker.parsed(synonym);
      const setting = topicSettings[name];
      if (setting.defaultText === null) return { value: null, text: null };
      const result = parseSetting(name, setting, setting.defaultText);
      return 'ok' in result ? result.ok : { value: null, text: null };
    }
  }
}

/** The exact text of the setting in ms where it counts, else the number computed from a coarser unit. */
function derived(value: number, broker: BrokerConfig, exact: BrokerSettingName): ParsedValue {
  const own = broker.parsed(exact);
  return own.value === value ? own : { value, text: String(value) };
}
