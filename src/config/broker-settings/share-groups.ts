import { listRules, range } from '../checks.ts';
import { boolean, int, list, short, string } from '../definition.ts';

/** Share groups and their coordinator (KIP-932). */
export const shareGroupsSettings = {
  'errors.deadletterqueue.auto.create.topics.enable': boolean(false, {
    dynamic: 'cluster-wide',
    doc: "Whether the topic is made that a share group names for records it can't process (KIP-1191).",
  }),
  'errors.deadletterqueue.topic.name.prefix': string('dlq.', {
    dynamic: 'cluster-wide',
    doc: 'What the names of such topics must begin with; empty: anything.',
  }),
  'group.share.assignment.interval.ms': int(1000, {
    check: range(0),
    dynamic: 'cluster-wide',
    doc: 'Shortest time between two assignments of a share group.',
  }),
  'group.share.assignor.offload.enable': boolean(true, {
    dynamic: 'cluster-wide',
    internal: true,
    doc: 'Whether assignments of share groups are computed in a thread of their own in Kafka.',
  }),
  'group.share.assignors': list('simple', {
    check: listRules({}),
    doc: 'Assignors of share groups that run on the broker.',
  }),
  'group.share.delivery.count.limit': int(5, {
    check: range(2, 10),
    doc: 'How often a record is delivered to a share group before it counts as failed.',
  }),
  'group.share.dlq.manager.class.name': string(
    'org.apache.kafka.server.share.dlq.DefaultShareGroupDLQManager',
    {
      internal: true,
      doc: "The Java class that writes records which a share group can't process. Java classes can't be loaded here.",
    },
  ),
  'group.share.heartbeat.interval.ms': int(5000, {
    check: range(1),
    doc: 'Heartbeat interval given to the members of share groups (KIP-932).',
  }),
  'group.share.initialize.retry.interval.ms': int(30000, {
    check: range(1),
    internal: true,
    doc: 'Wait before the state of a share partition is initialised again after a failure.',
  }),
  'group.share.max.assignment.interval.ms': int(15000, {
    check: range(0),
    doc: "Upper bound of a group's own share.assignment.interval.ms.",
  }),
  'group.share.max.delivery.count.limit': int(10, {
    check: range(5, 25),
    doc: "Upper bound of a group's own share.delivery.count.limit.",
  }),
  'group.share.max.heartbeat.interval.ms': int(15000, {
    check: range(1),
    doc: "Upper bound of a group's own share.heartbeat.interval.ms.",
  }),
  'group.share.max.partition.max.record.locks': int(4000, {
    check: range(2000, 10000),
    doc: "Upper bound of a group's own share.partition.max.record.locks.",
  }),
  'group.share.max.record.lock.duration.ms': int(60000, {
    check: range(30000, 3600000),
    doc: "Upper bound of a group's own share.record.lock.duration.ms.",
  }),
  'group.share.max.session.timeout.ms': int(60000, {
    check: range(1),
    doc: "Upper bound of a group's own share.session.timeout.ms.",
  }),
  'group.share.max.share.sessions': int(2000, {
    check: range(1),
    doc: 'Most share sessions on this broker.',
  }),
  'group.share.max.size': int(200, { check: range(1, 1000), doc: 'Most members of one share group.' }),
  'group.share.min.assignment.interval.ms': int(0, {
    check: range(0),
    doc: "Lower bound of a group's own share.assignment.interval.ms.",
  }),
  'group.share.min.delivery.count.limit': int(2, {
    check: range(2, 5),
    doc: "Lower bound of a group's own share.delivery.count.limit.",
  }),
  'group.share.min.heartbeat.interval.ms': int(5000, {
    check: range(1),
    doc: "Lower bound of a group's own share.heartbeat.interval.ms.",
  }),
  'group.share.min.partition.max.record.locks': int(100, {
    check: range(100, 2000),
    doc: "Lower bound of a group's own share.partition.max.record.locks.",
  }),
  'group.share.min.record.lock.duration.ms': int(15000, {
    check: range(1000, 30000),
    doc: "Lower bound of a group's own share.record.lock.duration.ms.",
  }),
  'group.share.min.session.timeout.ms': int(45000, {
    check: range(1),
    doc: "Lower bound of a group's own share.session.timeout.ms.",
  }),
  'group.share.partition.max.record.locks': int(2000, {
    check: range(100, 10000),
    doc: 'Most records of one partition that a share group may hold at a time.',
  }),
  'group.share.persister.class.name': string(
    'org.apache.kafka.server.share.persister.DefaultStatePersister',
    {
      internal: true,
      doc: "The Java class that keeps the state of share groups. Java classes can't be loaded here.",
    },
  ),
  'group.share.record.lock.duration.ms': int(30000, {
    check: range(1000, 3600000),
    doc: 'How long a record is held for a share consumer that has not acknowledged it.',
  }),
  'group.share.session.timeout.ms': int(45000, {
    check: range(1),
    doc: 'After this time without a heartbeat a member of a share group is removed.',
  }),
  'share.coordinator.append.linger.ms': int(-1, {
    check: range(-1),
    doc: 'How long the share coordinator may gather records before it writes them; -1 adapts to the load.',
  }),
  'share.coordinator.cached.buffer.max.bytes': int(1048588, {
    check: range(524288),
    dynamic: 'cluster-wide',
    doc: 'Largest write buffer that the share coordinator keeps for reuse.',
  }),
  'share.coordinator.cold.partition.snapshot.interval.ms': int(300000, {
    check: range(1),
    internal: true,
    doc: 'How often the state of an idle share partition is written anew.',
  }),
  'share.coordinator.load.buffer.size': int(5242880, {
    check: range(1),
    doc: 'Bytes read at a time while the state of share groups is loaded.',
  }),
  'share.coordinator.snapshot.update.records.per.snapshot': int(500, {
    check: range(0, 500),
    doc: 'Changes written between two snapshots of a share partition.',
  }),
  'share.coordinator.state.topic.compression.codec': int(0, {
    doc: 'Codec of the records in __share_group_state, as its number.',
  }),
  'share.coordinator.state.topic.min.isr': short(2, {
    check: range(1),
    doc: 'The setting min.insync.replicas of __share_group_state.',
  }),
  'share.coordinator.state.topic.num.partitions': int(50, {
    check: range(1),
    doc: 'Partitions of __share_group_state; not to be changed later.',
  }),
  'share.coordinator.state.topic.prune.interval.ms': int(300000, {
    check: range(1),
    internal: true,
    doc: 'How often records of __share_group_state that nothing needs are deleted.',
  }),
  'share.coordinator.state.topic.replication.factor': short(3, {
    check: range(1),
    doc: 'Replicas of __share_group_state.',
  }),
  'share.coordinator.state.topic.segment.bytes': int(104857600, {
    check: range(1),
    doc: 'Segment size of __share_group_state.',
  }),
  'share.coordinator.threads': int(1, { check: range(1), doc: 'Threads of the share coordinator in Kafka.' }),
  'share.coordinator.write.timeout.ms': int(5000, {
    check: range(1),
    doc: 'How long a write of the share coordinator may take.',
  }),
  'share.fetch.purgatory.purge.interval.requests': int(1000, {
    doc: 'After how many finished share fetches their leftovers are swept.',
  }),
} as const;
