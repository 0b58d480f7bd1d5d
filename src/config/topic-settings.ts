import type { BrokerSettingName } from './broker-settings/index.ts';
import { gzipLevel, listRules, oneOf, range, throttledReplicas } from './checks.ts';
import {
  boolean,
  double,
  int,
  LONG_MAX,
  list,
  long,
  type Setting,
  string,
  type ValueOf,
} from './definition.ts';

/** Every topic setting of Kafka 4.4. What a topic does not set it takes from the broker ({@link topicSynonyms}). */
export const topicSettings = {
  'cleanup.policy': list('delete', {
    check: listRules({ of: ['compact', 'delete'], emptyAllowed: true }),
    effective: true,
    doc: 'What becomes of old segments: delete removes them by age and size, compact keeps the last record of each key; both together or, left empty, neither.',
  }),
  'compression.gzip.level': int(-1, {
    check: gzipLevel,
    effective: true,
    doc: 'Level for compression.type gzip; -1 leaves it to the library.',
  }),
  'compression.lz4.level': int(9, { check: range(1, 17), doc: 'Level for compression.type lz4.' }),
  'compression.type': string('producer', {
    check: oneOf('uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'),
    effective: true,
    doc: 'Codec of the batches on disk: producer keeps what was sent, anything else has batches recompressed.',
  }),
  'compression.zstd.level': int(3, {
    check: range(-131072, 22),
    effective: true,
    doc: 'Level for compression.type zstd.',
  }),
  'delete.retention.ms': long(86400000, {
    check: range(0),
    effective: true,
    doc: 'How long delete markers stay in a compacted log, so that a reader from the start sees them.',
  }),
  'errors.deadletterqueue.group.enable': boolean(false, {
    doc: "Whether share groups may write records here that they can't process (KIP-1191).",
  }),
  'file.delete.delay.ms': long(60000, {
    check: range(0),
    effective: true,
    doc: 'How long the files of a deleted segment stay.',
  }),
  'flush.messages': long(LONG_MAX, {
    check: range(1),
    effective: true,
    doc: 'After how many records the log is forced to disk. 1 covers each acknowledgement by an fdatasync.',
  }),
  'flush.ms': long(LONG_MAX, {
    check: range(0),
    effective: true,
    doc: 'How long records may stay unforced.',
  }),
  'follower.replication.throttled.replicas': list('', {
    check: throttledReplicas,
    doc: 'Replicas whose fetching is throttled, as partition:broker, or * for all.',
  }),
  'index.interval.bytes': int(4096, {
    check: range(0),
    effective: true,
    doc: 'Bytes of records between two entries of the offset index.',
  }),
  'internal.segment.bytes': int(null, {
    internal: true,
    effective: true,
    doc: 'Size at which a new segment begins, without the lower bound of segment.bytes; for tests.',
  }),
  'leader.replication.throttled.replicas': list('', {
    check: throttledReplicas,
    doc: 'Replicas whose serving to followers is throttled, as partition:broker, or * for all.',
  }),
  'local.retention.bytes': long(-2, {
    check: range(-2),
    doc: 'Bytes kept here of a log that is also in remote storage; -2 follows retention.bytes.',
  }),
  'local.retention.ms': long(-2, {
    check: range(-2),
    doc: 'Time that segments stay here that are also in remote storage; -2 follows retention.ms.',
  }),
  'max.compaction.lag.ms': long(LONG_MAX, {
    check: range(1),
    effective: true,
    doc: 'Longest time that a record may stay uncompacted.',
  }),
  'max.decompressed.message.bytes': int(2147483639, {
    check: range(1, 2147483639),
    doc: 'Largest record that a compressed batch may unfold to.',
  }),
  'max.message.bytes': int(1048588, {
    check: range(0),
    effective: true,
    doc: 'Largest record batch that is taken, after compression.',
  }),
  'message.timestamp.after.max.ms': long(3600000, {
    check: range(0),
    effective: true,
    doc: "How far a record's timestamp may lie ahead of the broker's clock.",
  }),
  'message.timestamp.before.max.ms': long(LONG_MAX, {
    check: range(0),
    effective: true,
    doc: "How far a record's timestamp may lie behind the broker's clock.",
  }),
  'message.timestamp.type': string('CreateTime', {
    check: oneOf('CreateTime', 'LogAppendTime'),
    effective: true,
    doc: "Whether a record carries the producer's time (CreateTime) or the broker's (LogAppendTime).",
  }),
  'min.cleanable.dirty.ratio': double('0.5', {
    check: range(0, 1),
    effective: true,
    doc: 'Share of the log that must be uncompacted before the cleaner takes it.',
  }),
  'min.compaction.lag.ms': long(0, {
    check: range(0),
    effective: true,
    doc: 'Shortest time that a record stays uncompacted.',
  }),
  'min.insync.replicas': int(1, {
    check: range(1),
    effective: true,
    doc: 'In-sync replicas that must have a record before acks=all is answered.',
  }),
  preallocate: boolean(false, { doc: 'Whether a new segment takes its full size at once.' }),
  'remote.copy.lag.bytes': long(-1, {
    check: range(-1),
    doc: 'Newer bytes that must lie behind a segment before it is copied to remote storage; 0: none, -1: its age alone decides.',
  }),
  'remote.copy.lag.ms': long(0, {
    check: range(-1),
    doc: 'Age of its last record at which a segment is copied to remote storage; 0: at once, -1: its distance from the end alone decides.',
  }),
  'remote.log.copy.disable': boolean(false, {
    doc: 'Whether what is in remote storage is kept but nothing more is moved there.',
  }),
  'remote.log.delete.on.disable': boolean(false, {
    doc: 'Whether turning remote.storage.enable off deletes what is in remote storage.',
  }),
  'remote.storage.enable': boolean(false, {
    doc: 'Whether segments are moved to remote storage. There is none here.',
  }),
  'retention.bytes': long(-1, {
    effective: true,
    doc: 'Size beyond which the oldest segments of a partition go; -1: no limit.',
  }),
  'retention.ms': long(604800000, {
    check: range(-1),
    effective: true,
    doc: 'Time after which a segment goes; -1: no limit.',
  }),
  'segment.bytes': int(1073741824, {
    check: range(1048576),
    devCheck: range(14),
    effective: true,
    doc: 'Size at which a new segment begins.',
  }),
  'segment.index.bytes': int(10485760, {
    check: range(4),
    effective: true,
    doc: 'Largest size of an index file.',
  }),
  'segment.jitter.ms': long(0, {
    check: range(0),
    effective: true,
    doc: 'Most time by which segment.ms is shortened at random, so that not all logs begin a segment at once.',
  }),
  'segment.ms': long(604800000, {
    check: range(1),
    effective: true,
    doc: 'Time after which a new segment begins although the old one is not full.',
  }),
  'unclean.leader.election.enable': boolean(false, {
    doc: 'Whether a replica that is not in sync may lead when no other is left, at the price of losing records.',
  }),
} as const;

export type TopicSettings = typeof topicSettings;
export type TopicSettingName = keyof TopicSettings;
export type TopicSettingValue<K extends TopicSettingName> = ValueOf<TopicSettings[K]>;

export const topicSettingNames = Object.keys(topicSettings) as readonly TopicSettingName[];

/** The declaration of `name`, or undefined where Kafka knows no such setting. */
export function topicSetting(name: string): Setting | undefined {
  return Object.hasOwn(topicSettings, name) ? topicSettings[name as TopicSettingName] : undefined;
}

/**
 * The broker setting that a topic setting falls back to, itself perhaps one of several units
 * (`log.retention.ms`, `.minutes`, `.hours`). Settings that are not here exist for topics only.
 */
export const topicSynonyms: Readonly<Partial<Record<TopicSettingName, BrokerSettingName>>> = {
  'cleanup.policy': 'log.cleanup.policy',
  'compression.gzip.level': 'compression.gzip.level',
  'compression.lz4.level': 'compression.lz4.level',
  'compression.type': 'compression.type',
  'compression.zstd.level': 'compression.zstd.level',
  'delete.retention.ms': 'log.cleaner.delete.retention.ms',
  'file.delete.delay.ms': 'log.segment.delete.delay.ms',
  'flush.messages': 'log.flush.interval.messages',
  'flush.ms': 'log.flush.interval.ms',
  'index.interval.bytes': 'log.index.interval.bytes',
  'local.retention.bytes': 'log.local.retention.bytes',
  'local.retention.ms': 'log.local.retention.ms',
  'max.compaction.lag.ms': 'log.cleaner.max.compaction.lag.ms',
  'max.decompressed.message.bytes': 'max.decompressed.message.bytes',
  'max.message.bytes': 'message.max.bytes',
  'message.timestamp.after.max.ms': 'log.message.timestamp.after.max.ms',
  'message.timestamp.before.max.ms': 'log.message.timestamp.before.max.ms',
  'message.timestamp.type': 'log.message.timestamp.type',
  'min.cleanable.dirty.ratio': 'log.cleaner.min.cleanable.ratio',
  'min.compaction.lag.ms': 'log.cleaner.min.compaction.lag.ms',
  'min.insync.replicas': 'min.insync.replicas',
  preallocate: 'log.preallocate',
  'remote.copy.lag.bytes': 'log.remote.copy.lag.bytes',
  'remote.copy.lag.ms': 'log.remote.copy.lag.ms',
  'retention.bytes': 'log.retention.bytes',
  'retention.ms': 'log.retention.ms',
  'segment.bytes': 'log.segment.bytes',
  'segment.index.bytes': 'log.index.size.max.bytes',
  'segment.jitter.ms': 'log.roll.jitter.ms',
  'segment.ms': 'log.roll.ms',
  'unclean.leader.election.enable': 'unclean.leader.election.enable',
};
