import { gzipLevel, listRules, oneOf, range } from '../checks.ts';
import { boolean, className, double, int, LONG_MAX, list, long, string } from '../definition.ts';

/** What topics and their logs do unless a topic says otherwise. */
export const logSettings = {
  'alter.config.policy.class.name': className(null, {
    doc: "A Java class that judges changes of settings. Java classes can't be loaded here.",
  }),
  'auto.create.topics.enable': boolean(true, {
    effective: true,
    doc: 'Whether a topic is made when a client asks for the metadata of one that does not exist and allows it.',
  }),
  'compression.gzip.level': int(-1, {
    check: gzipLevel,
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'Level for compression.type gzip; -1 leaves it to the library.',
  }),
  'compression.lz4.level': int(9, {
    check: range(1, 17),
    dynamic: 'cluster-wide',
    doc: 'Level for compression.type lz4.',
  }),
  'compression.type': string('producer', {
    check: oneOf('uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'),
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'Codec of the batches on disk: producer keeps what was sent, anything else has batches recompressed.',
  }),
  'compression.zstd.level': int(3, {
    check: range(-131072, 22),
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'Level for compression.type zstd.',
  }),
  'cordoned.log.dirs': list('', {
    check: listRules({ emptyAllowed: true, nullAllowed: true }),
    dynamic: 'per-broker',
    effective: true,
    doc: 'Log directories that get no new partitions; * means all.',
  }),
  'create.topic.policy.class.name': className(null, {
    doc: "A Java class that judges new topics. Java classes can't be loaded here.",
  }),
  'delete.topic.enable': boolean(true, { effective: true, doc: 'Whether topics can be deleted.' }),
  'log.cleaner.backoff.ms': long(15000, {
    check: range(0),
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'Pause of the cleaner when no log needs it.',
  }),
  'log.cleaner.dedupe.buffer.size': long(134217728, {
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'Memory for finding duplicates during compaction, over all cleaner threads.',
  }),
  'log.cleaner.delete.retention.ms': long(86400000, {
    check: range(0),
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'How long delete markers stay in a compacted log.',
  }),
  'log.cleaner.enable': boolean(true, {
    effective: true,
    doc: 'Whether logs are compacted. Kafka ignores false from 5.0 on.',
  }),
  'log.cleaner.io.buffer.load.factor': double('0.9', {
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'How full the duplicate table may become, as a share.',
  }),
  'log.cleaner.io.buffer.size': int(524288, {
    check: range(0),
    dynamic: 'cluster-wide',
    effective: true,
    doc: "Memory for the cleaner's reading and writing, over all cleaner threads.",
  }),
  'log.cleaner.io.max.bytes.per.second': double('1.7976931348623157E308', {
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'Bytes a second that the cleaner may read and write.',
  }),
  'log.cleaner.max.compaction.lag.ms': long(LONG_MAX, {
    check: range(1),
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'Longest time that a record may stay uncompacted.',
  }),
  'log.cleaner.min.cleanable.ratio': double('0.5', {
    check: range(0, 1),
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'Share of a log that must be uncompacted before the cleaner takes it.',
  }),
  'log.cleaner.min.compaction.lag.ms': long(0, {
    check: range(0),
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'Shortest time that a record stays uncompacted.',
  }),
  'log.cleaner.threads': int(1, {
    check: range(0),
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'Threads for compaction in Kafka.',
  }),
  'log.cleanup.policy': list('delete', {
    check: listRules({ of: ['compact', 'delete'], emptyAllowed: true }),
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'What becomes of old segments: delete, compact, or both.',
  }),
  'log.dir': list('/tmp/kafka-logs', {
    check: listRules({}),
    effective: true,
    doc: 'The data directory, where log.dirs is not given.',
  }),
  'log.dir.failure.timeout.ms': long(30000, {
    check: range(1),
    doc: 'How long a broker lives on with a failed data directory that its controller was not told of.',
  }),
  'log.dirs': list(null, {
    check: listRules({ nullAllowed: true }),
    effective: true,
    doc: 'The data directories. A broker keeps partitions and its metadata there.',
  }),
  'log.flush.interval.messages': long(LONG_MAX, {
    check: range(1),
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'After how many records a log is forced to disk. 1 covers each acknowledgement by an fdatasync.',
  }),
  'log.flush.interval.ms': long(null, {
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'How long records may stay unforced; log.flush.scheduler.interval.ms where it is not given.',
  }),
  'log.flush.offset.checkpoint.interval.ms': int(60000, {
    check: range(0),
    effective: true,
    doc: 'How often recovery points are written.',
  }),
  'log.flush.scheduler.interval.ms': long(LONG_MAX, {
    effective: true,
    doc: 'How often logs are looked at for being forced to disk.',
  }),
  'log.flush.start.offset.checkpoint.interval.ms': int(60000, {
    check: range(0),
    effective: true,
    doc: 'How often log start offsets are written.',
  }),
  'log.index.interval.bytes': int(4096, {
    check: range(0),
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'Bytes of records between two entries of an offset index.',
  }),
  'log.index.size.max.bytes': int(10485760, {
    check: range(4),
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'Largest size of an index file.',
  }),
  'log.initial.task.delay.ms': long(30000, {
    check: range(0),
    internal: true,
    effective: true,
    doc: 'How long after the start retention, flushes and checkpoints run first.',
  }),
  'log.message.timestamp.after.max.ms': long(3600000, {
    check: range(0),
    dynamic: 'cluster-wide',
    effective: true,
    doc: "How far a record's timestamp may lie ahead of this broker's clock.",
  }),
  'log.message.timestamp.before.max.ms': long(LONG_MAX, {
    check: range(0),
    dynamic: 'cluster-wide',
    effective: true,
    doc: "How far a record's timestamp may lie behind this broker's clock.",
  }),
  'log.message.timestamp.type': string('CreateTime', {
    check: oneOf('CreateTime', 'LogAppendTime'),
    dynamic: 'cluster-wide',
    effective: true,
    doc: "Whether a record carries the producer's time (CreateTime) or the broker's (LogAppendTime).",
  }),
  'log.preallocate': boolean(false, {
    dynamic: 'cluster-wide',
    doc: 'Whether a new segment takes its full size at once.',
  }),
  'log.retention.bytes': long(-1, {
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'Size beyond which the oldest segments of a partition go; -1: no limit.',
  }),
  'log.retention.check.interval.ms': long(300000, {
    check: range(1),
    effective: true,
    doc: 'How often segments are looked at for deletion.',
  }),
  'log.retention.hours': int(168, {
    effective: true,
    doc: 'Hours after which a segment goes, where neither log.retention.ms nor log.retention.minutes is given.',
  }),
  'log.retention.minutes': int(null, {
    effective: true,
    doc: 'Minutes after which a segment goes, where log.retention.ms is not given.',
  }),
  'log.retention.ms': long(null, {
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'Time after which a segment goes; -1: no limit.',
  }),
  'log.roll.hours': int(168, {
    check: range(1),
    effective: true,
    doc: 'Hours after which a new segment begins, where log.roll.ms is not given.',
  }),
  'log.roll.jitter.hours': int(0, {
    check: range(0),
    effective: true,
    doc: 'Most hours by which that time is shortened at random, where log.roll.jitter.ms is not given.',
  }),
  'log.roll.jitter.ms': long(null, {
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'Most time by which log.roll.ms is shortened at random.',
  }),
  'log.roll.ms': long(null, {
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'Time after which a new segment begins although the old one is not full.',
  }),
  'log.segment.bytes': int(1073741824, {
    check: range(1048576),
    devCheck: range(14),
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'Size at which a new segment begins.',
  }),
  'log.segment.delete.delay.ms': long(60000, {
    check: range(0),
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'How long the files of a deleted segment stay.',
  }),
  'max.decompressed.message.bytes': int(2147483639, {
    check: range(1, 2147483639),
    dynamic: 'cluster-wide',
    doc: 'Largest record that a compressed batch may unfold to.',
  }),
  'max.request.partition.size.limit': int(2000, {
    check: range(1),
    effective: true,
    doc: 'Most partitions in one answer to DescribeTopicPartitions.',
  }),
  'message.max.bytes': int(1048588, {
    check: range(0),
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'Largest record batch that is taken, after compression.',
  }),
  'min.insync.replicas': int(1, {
    check: range(1),
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'In-sync replicas that must have a record before acks=all is answered.',
  }),
  'num.partitions': int(1, {
    check: range(1),
    effective: true,
    doc: 'Partitions of a topic that is made automatically or without a number of its own.',
  }),
  'num.recovery.threads.per.data.dir': int(2, {
    check: range(1),
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'Background jobs per log directory that recover logs at the same time after an unclean stop.',
  }),
} as const;
