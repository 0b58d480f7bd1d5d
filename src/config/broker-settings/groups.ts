import { listRules, oneOfIgnoringCase, range } from '../checks.ts';
import { boolean, className, int, list, long, short, string } from '../definition.ts';

/** Group coordinator: classic, consumer and streams groups, and committed offsets. */
export const groupsSettings = {
  'group.consumer.assignment.interval.ms': int(1000, {
    effective: true,
    check: range(0),
    dynamic: 'cluster-wide',
    doc: 'Shortest time between two assignments of a consumer group.',
  }),
  'group.consumer.assignor.offload.enable': boolean(true, {
    dynamic: 'cluster-wide',
    internal: true,
    doc: 'Whether assignments of consumer groups are computed in a thread of their own in Kafka.',
  }),
  'group.consumer.assignors': list('uniform,range', {
    effective: true,
    check: listRules({}),
    doc: 'Assignors of consumer groups that run on the broker, the default one first.',
  }),
  'group.consumer.heartbeat.interval.ms': int(5000, {
    effective: true,
    check: range(1),
    doc: 'Heartbeat interval given to the members of consumer groups (KIP-848).',
  }),
  'group.consumer.max.assignment.interval.ms': int(15000, {
    effective: true,
    check: range(0),
    doc: "Upper bound of a group's own consumer.assignment.interval.ms.",
  }),
  'group.consumer.max.heartbeat.interval.ms': int(15000, {
    effective: true,
    check: range(1),
    doc: "Upper bound of a group's own consumer.heartbeat.interval.ms.",
  }),
  'group.consumer.max.session.timeout.ms': int(60000, {
    effective: true,
    check: range(1),
    doc: "Upper bound of a group's own consumer.session.timeout.ms.",
  }),
  'group.consumer.max.size': int(2147483647, {
    effective: true,
    check: range(1),
    doc: 'Most members of one consumer group.',
  }),
  'group.consumer.migration.policy': string('bidirectional', {
    effective: true,
    check: oneOfIgnoringCase('DISABLED', 'DOWNGRADE', 'UPGRADE', 'BIDIRECTIONAL'),
    doc: 'Whether classic groups turn into consumer groups and back as members of the other kind join.',
  }),
  'group.consumer.min.assignment.interval.ms': int(0, {
    effective: true,
    check: range(0),
    doc: "Lower bound of a group's own consumer.assignment.interval.ms.",
  }),
  'group.consumer.min.heartbeat.interval.ms': int(5000, {
    effective: true,
    check: range(1),
    doc: "Lower bound of a group's own consumer.heartbeat.interval.ms.",
  }),
  'group.consumer.min.session.timeout.ms': int(45000, {
    effective: true,
    check: range(1),
    doc: "Lower bound of a group's own consumer.session.timeout.ms.",
  }),
  'group.consumer.regex.refresh.interval.ms': int(600000, {
    effective: true,
    check: range(10000),
    internal: true,
    doc: 'How often regular expressions of subscriptions are resolved again.',
  }),
  'group.consumer.session.timeout.ms': int(45000, {
    effective: true,
    check: range(1),
    doc: 'After this time without a heartbeat a member of a consumer group is removed.',
  }),
  'group.coordinator.append.linger.ms': int(-1, {
    check: range(-1),
    doc: 'How long the group coordinator may gather records before it writes them; -1 adapts to the load.',
  }),
  'group.coordinator.background.threads': int(2, {
    check: range(1),
    doc: 'Threads for background work of the group coordinator in Kafka.',
  }),
  'group.coordinator.cached.buffer.max.bytes': int(1048588, {
    check: range(524288),
    dynamic: 'cluster-wide',
    doc: 'Largest write buffer that the group coordinator keeps for reuse.',
  }),
  'group.coordinator.rebalance.protocols': list('classic,consumer,streams', {
    effective: true,
    check: listRules({ of: ['consumer', 'classic', 'share', 'streams'] }),
    doc: 'The group protocols that are served.',
  }),
  'group.coordinator.threads': int(4, {
    check: range(1),
    doc: 'Threads of the group coordinator in Kafka. One event loop does it here.',
  }),
  'group.initial.rebalance.delay.ms': int(3000, {
    effective: true,
    doc: 'How long the first rebalance of an empty group waits for more members to join.',
  }),
  'group.max.session.timeout.ms': int(1800000, {
    effective: true,
    doc: 'Longest session timeout that a member of a classic group may ask for.',
  }),
  'group.max.size': int(2147483647, {
    effective: true,
    check: range(1),
    doc: 'Most members of one classic group.',
  }),
  'group.min.session.timeout.ms': int(6000, {
    effective: true,
    doc: 'Shortest session timeout that a member of a classic group may ask for.',
  }),
  'group.streams.acceptable.recovery.lag': long(10000, {
    check: range(0),
    internal: true,
    doc: 'How many offsets a member of a streams group may be behind and still take over an active task.',
  }),
  'group.streams.assignment.interval.ms': int(1000, {
    check: range(0),
    dynamic: 'cluster-wide',
    doc: 'Shortest time between two assignments of a streams group.',
  }),
  'group.streams.assignor.offload.enable': boolean(true, {
    dynamic: 'cluster-wide',
    internal: true,
    doc: 'Whether assignments of streams groups are computed in a thread of their own in Kafka.',
  }),
  'group.streams.assignors': list('sticky', {
    check: listRules({}),
    doc: 'Assignors of streams groups that run on the broker, the default one first.',
  }),
  'group.streams.heartbeat.interval.ms': int(5000, {
    check: range(1),
    doc: 'Heartbeat interval given to the members of streams groups (KIP-1071).',
  }),
  'group.streams.initial.rebalance.delay.ms': int(3000, {
    check: range(0),
    doc: 'How long the first assignment of an empty streams group waits for more members to join.',
  }),
  'group.streams.max.assignment.interval.ms': int(15000, {
    check: range(0),
    doc: "Upper bound of a group's own streams.assignment.interval.ms.",
  }),
  'group.streams.max.heartbeat.interval.ms': int(15000, {
    check: range(1),
    doc: "Upper bound of a group's own streams.heartbeat.interval.ms.",
  }),
  'group.streams.max.session.timeout.ms': int(60000, {
    check: range(1),
    doc: "Upper bound of a group's own streams.session.timeout.ms.",
  }),
  'group.streams.max.size': int(2147483647, { check: range(1), doc: 'Most members of one streams group.' }),
  'group.streams.max.standby.replicas': int(2, {
    check: range(0),
    doc: "Upper bound of a group's own streams.num.standby.replicas.",
  }),
  'group.streams.max.warmup.replicas': int(20, {
    check: range(0),
    internal: true,
    doc: "Upper bound of a group's own streams.num.warmup.replicas.",
  }),
  'group.streams.min.assignment.interval.ms': int(0, {
    check: range(0),
    doc: "Lower bound of a group's own streams.assignment.interval.ms.",
  }),
  'group.streams.min.heartbeat.interval.ms': int(5000, {
    check: range(1),
    doc: "Lower bound of a group's own streams.heartbeat.interval.ms.",
  }),
  'group.streams.min.session.timeout.ms': int(45000, {
    check: range(1),
    doc: "Lower bound of a group's own streams.session.timeout.ms.",
  }),
  'group.streams.min.task.offset.interval.ms': int(15000, {
    check: range(1),
    internal: true,
    doc: "Lower bound of a group's own streams.task.offset.interval.ms.",
  }),
  'group.streams.num.standby.replicas': int(0, {
    check: range(0),
    doc: 'Standby copies of each stateful task.',
  }),
  'group.streams.num.warmup.replicas': int(2, {
    check: range(0),
    internal: true,
    doc: 'Most tasks of a streams group that warm up at a time.',
  }),
  'group.streams.rack.aware.assignment.tags': list('', {
    check: listRules({ emptyAllowed: true }),
    doc: 'Client tags over whose values the standby copies of a task are spread.',
  }),
  'group.streams.session.timeout.ms': int(45000, {
    check: range(1),
    doc: 'After this time without a heartbeat a member of a streams group is removed.',
  }),
  'group.streams.task.offset.interval.ms': int(60000, {
    check: range(1),
    internal: true,
    doc: 'How often members of a streams group report how far their warming tasks are.',
  }),
  'group.streams.topology.description.plugin.class': className(null, {
    doc: "A Java class that keeps descriptions of topologies. Java classes can't be loaded here.",
  }),
  'offset.metadata.max.bytes': int(4096, {
    effective: true,
    doc: 'Longest text that a client may store with a committed offset.',
  }),
  'offsets.commit.timeout.ms': int(5000, {
    effective: true,
    check: range(1),
    doc: 'How long a commit of offsets may take.',
  }),
  'offsets.load.buffer.size': int(5242880, {
    effective: true,
    check: range(1),
    doc: 'Bytes read at a time while committed offsets are loaded.',
  }),
  'offsets.retention.check.interval.ms': long(600000, {
    effective: true,
    check: range(1),
    doc: 'How often committed offsets are looked at for expiry.',
  }),
  'offsets.retention.minutes': int(10080, {
    effective: true,
    check: range(1),
    doc: 'How long committed offsets of a group without members stay.',
  }),
  'offsets.topic.compression.codec': int(0, {
    effective: true,
    doc: 'Codec of the records in __consumer_offsets, as its number.',
  }),
  'offsets.topic.num.partitions': int(50, {
    check: range(1),
    effective: true,
    doc: 'Partitions of __consumer_offsets; not to be changed later.',
  }),
  'offsets.topic.replication.factor': short(3, {
    check: range(1),
    effective: true,
    doc: 'Replicas of __consumer_offsets.',
  }),
  'offsets.topic.segment.bytes': int(104857600, {
    check: range(1),
    effective: true,
    doc: 'Segment size of __consumer_offsets.',
  }),
} as const;
