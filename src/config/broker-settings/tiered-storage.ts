import { nonEmpty, range } from '../checks.ts';
import { boolean, double, int, LONG_MAX, long, string } from '../definition.ts';

/** Tiered storage (KIP-405). */
export const tieredStorageSettings = {
  'follower.fetch.last.tiered.offset.enable': boolean(false, {
    dynamic: 'cluster-wide',
    doc: 'Whether an empty follower starts at the last offset that has been moved to remote storage.',
  }),
  'log.local.retention.bytes': long(-2, {
    check: range(-2),
    dynamic: 'cluster-wide',
    doc: 'Bytes kept here of a log that is also in remote storage; -2 follows log.retention.bytes.',
  }),
  'log.local.retention.ms': long(-2, {
    check: range(-2),
    dynamic: 'cluster-wide',
    doc: 'Time that segments stay here that are also in remote storage; -2 follows log.retention.ms.',
  }),
  'log.remote.copy.lag.bytes': long(-1, {
    check: range(-1),
    dynamic: 'cluster-wide',
    doc: 'Newer bytes that must lie behind a segment before it is copied to remote storage; 0: none, -1: its age alone decides.',
  }),
  'log.remote.copy.lag.ms': long(0, {
    check: range(-1),
    dynamic: 'cluster-wide',
    doc: 'Age of its last record at which a segment is copied to remote storage; 0: at once, -1: its distance from the end alone decides.',
  }),
  'remote.fetch.max.wait.ms': int(500, {
    check: range(1),
    dynamic: 'cluster-wide',
    doc: 'How long a fetch waits for data in remote storage.',
  }),
  'remote.list.offsets.request.timeout.ms': long(30000, {
    check: range(1),
    dynamic: 'cluster-wide',
    doc: 'How long ListOffsets waits for remote storage.',
  }),
  'remote.log.index.file.cache.total.size.bytes': long(1073741824, {
    check: range(1),
    dynamic: 'cluster-wide',
    doc: 'Room on disk for indexes fetched from remote storage.',
  }),
  'remote.log.index.file.cache.ttl.ms': long(900000, {
    check: range(-1),
    internal: true,
    doc: 'How long such an index stays unused.',
  }),
  'remote.log.manager.copier.thread.pool.size': int(10, {
    check: range(1),
    dynamic: 'cluster-wide',
    doc: 'Threads that copy segments to remote storage.',
  }),
  'remote.log.manager.copy.max.bytes.per.second': long(LONG_MAX, {
    check: range(1),
    dynamic: 'cluster-wide',
    doc: 'Bytes a second copied to remote storage.',
  }),
  'remote.log.manager.copy.quota.window.num': int(11, {
    check: range(1),
    doc: 'Samples kept for that limit.',
  }),
  'remote.log.manager.copy.quota.window.size.seconds': int(1, {
    check: range(1),
    doc: 'Length of one such sample in seconds.',
  }),
  'remote.log.manager.expiration.thread.pool.size': int(10, {
    check: range(1),
    dynamic: 'cluster-wide',
    doc: 'Threads that delete expired segments from remote storage.',
  }),
  'remote.log.manager.fetch.max.bytes.per.second': long(LONG_MAX, {
    check: range(1),
    dynamic: 'cluster-wide',
    doc: 'Bytes a second read from remote storage.',
  }),
  'remote.log.manager.fetch.quota.window.num': int(11, {
    check: range(1),
    doc: 'Samples kept for that limit.',
  }),
  'remote.log.manager.fetch.quota.window.size.seconds': int(1, {
    check: range(1),
    doc: 'Length of one such sample in seconds.',
  }),
  'remote.log.manager.follower.thread.pool.size': int(2, {
    check: range(1),
    dynamic: 'cluster-wide',
    doc: 'Threads that follow what leaders moved to remote storage.',
  }),
  'remote.log.manager.task.interval.ms': long(30000, {
    check: range(1),
    doc: 'How often segments are looked at for copying to remote storage.',
  }),
  'remote.log.manager.task.retry.backoff.max.ms': long(30000, {
    check: range(1),
    internal: true,
    doc: 'Longest wait before such work is tried again.',
  }),
  'remote.log.manager.task.retry.backoff.ms': long(500, {
    check: range(1),
    internal: true,
    doc: 'First wait before such work is tried again.',
  }),
  'remote.log.manager.task.retry.jitter': double('0.2', {
    check: range(0, 0.5),
    internal: true,
    doc: 'Random share added to or taken from that wait.',
  }),
  'remote.log.manager.thread.pool.size': int(2, {
    check: range(1),
    doc: 'Threads that schedule the work on remote storage.',
  }),
  'remote.log.metadata.custom.metadata.max.bytes': int(128, {
    check: range(0),
    doc: "Bytes of a storage plug-in's own data for each segment.",
  }),
  'remote.log.metadata.manager.class.name': string(
    'org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager',
    { check: nonEmpty, doc: 'The Java class that keeps track of remote segments.' },
  ),
  'remote.log.metadata.manager.class.path': string(null, { doc: 'Where that class is found.' }),
  'remote.log.metadata.manager.impl.prefix': string('rlmm.config.', {
    check: nonEmpty,
    doc: "Prefix of that class's own settings.",
  }),
  'remote.log.metadata.manager.listener.name': string(null, {
    check: nonEmpty,
    doc: 'The listener that class connects to.',
  }),
  'remote.log.reader.max.pending.tasks': int(100, {
    check: range(1),
    doc: 'Reads of remote storage that may wait.',
  }),
  'remote.log.reader.threads': int(10, {
    check: range(1),
    dynamic: 'cluster-wide',
    doc: 'Threads that read remote storage.',
  }),
  'remote.log.storage.manager.class.name': string(null, {
    check: nonEmpty,
    doc: 'The Java class that stores remote segments.',
  }),
  'remote.log.storage.manager.class.path': string(null, { doc: 'Where that class is found.' }),
  'remote.log.storage.manager.impl.prefix': string('rsm.config.', {
    check: nonEmpty,
    doc: "Prefix of that class's own settings.",
  }),
  'remote.log.storage.system.enable': boolean(false, {
    doc: 'Whether segments can be moved to remote storage. There is none here.',
  }),
} as const;
