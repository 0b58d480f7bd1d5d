import { listRules, range } from '../checks.ts';
import { boolean, int, LONG_MAX, list, long, string } from '../definition.ts';

/** This node, its roles, the metadata quorum and the metadata log. */
export const nodeSettings = {
  'background.threads': int(10, {
    check: range(1),
    dynamic: 'cluster-wide',
    doc: 'Threads for background work in Kafka. One event loop does it here.',
  }),
  'broker.heartbeat.interval.ms': int(2000, {
    effective: true,
    doc: 'How often the broker reports to its controller.',
  }),
  'broker.id': int(-1, { effective: true, doc: 'The older name of node.id.' }),
  'broker.rack': string(null, {
    effective: true,
    doc: 'Where this broker stands, for placing replicas apart and for reading from a near one.',
  }),
  'broker.session.timeout.ms': int(9000, {
    effective: true,
    doc: 'After this time without a heartbeat the controller fences a broker.',
  }),
  'config.providers': list('', {
    check: listRules({ emptyAllowed: true }),
    dynamic: 'cluster-wide',
    doc: 'Names of providers that references in values may use.',
  }),
  'controlled.shutdown.enable': boolean(true, {
    effective: true,
    doc: 'Whether a stopping broker hands its leaderships over first.',
  }),
  'controller.listener.names': list(null, {
    check: listRules({}),
    effective: true,
    doc: "Names of the listeners that serve the controller, the first of them for this node's own use. They must stand in listeners and are not shown to clients.",
  }),
  'controller.performance.always.log.threshold.ms': long(2000, {
    check: range(0),
    internal: true,
    doc: 'Controller operations slower than this are logged each time.',
  }),
  'controller.performance.sample.period.ms': long(60000, {
    check: range(100),
    internal: true,
    doc: "How often a summary of the controller's speed is logged.",
  }),
  'controller.quorum.append.linger.ms': int(25, {
    check: range(0),
    doc: 'How long the metadata leader may gather records before it writes them.',
  }),
  'controller.quorum.auto.join.enable': boolean(false, {
    doc: 'Whether a new controller makes itself a voter.',
  }),
  'controller.quorum.bootstrap.servers': list('', {
    effective: true,
    doc: 'Addresses at which the controllers of the cluster can be found.',
  }),
  'controller.quorum.election.backoff.max.ms': int(1000, {
    check: range(0),
    doc: 'Longest random wait before a new election after an undecided one.',
  }),
  'controller.quorum.election.timeout.ms': int(1000, {
    check: range(0),
    doc: 'How long a candidate waits for votes before it starts anew.',
  }),
  'controller.quorum.fetch.max.bytes': int(1048576, {
    check: range(1),
    doc: 'Most bytes of metadata records in one answer to another controller.',
  }),
  'controller.quorum.fetch.snapshot.max.bytes': int(1048576, {
    check: range(1),
    doc: 'Most bytes of a metadata snapshot in one answer to another controller.',
  }),
  'controller.quorum.fetch.timeout.ms': int(2000, {
    check: range(0),
    doc: 'After this time without an answer from the leader a voter starts an election.',
  }),
  'controller.quorum.request.timeout.ms': int(2000, {
    check: range(0),
    doc: 'How long a request between controllers may take.',
  }),
  'controller.quorum.retry.backoff.ms': int(20, {
    check: range(0),
    doc: 'Wait before a failed request between controllers is sent again.',
  }),
  'controller.quorum.voters': list('', {
    effective: true,
    doc: 'The voters of the metadata quorum as id@host:port. This version serves exactly one, itself.',
  }),
  'initial.broker.registration.timeout.ms': int(60000, {
    effective: true,
    doc: 'How long a starting broker tries to register with the controllers before it gives up.',
  }),
  'internal.metadata.delete.delay.millis': long(60000, {
    internal: true,
    effective: true,
    doc: 'How long deleted files of the metadata log stay.',
  }),
  'internal.metadata.log.segment.bytes': int(null, {
    internal: true,
    effective: true,
    doc: 'Segment size of the metadata log, for tests.',
  }),
  'internal.metadata.max.batch.size.in.bytes': int(8388608, {
    internal: true,
    effective: true,
    doc: 'Largest batch in the metadata log.',
  }),
  'metadata.log.dir': string(null, {
    effective: true,
    doc: 'The directory of the metadata log; the first of log.dirs where it is not given.',
  }),
  'metadata.log.max.record.bytes.between.snapshots': long(20971520, {
    check: range(1),
    effective: true,
    doc: 'Bytes of metadata records after which a snapshot is written.',
  }),
  'metadata.log.max.snapshot.interval.ms': long(3600000, {
    check: range(0),
    effective: true,
    doc: 'Time after which a snapshot of new metadata records is written; 0: never for the time alone.',
  }),
  'metadata.log.segment.bytes': int(1073741824, {
    check: range(8388608),
    effective: true,
    doc: 'Segment size of the metadata log.',
  }),
  'metadata.log.segment.ms': long(604800000, {
    effective: true,
    doc: 'Time after which a new segment of the metadata log begins.',
  }),
  'metadata.max.idle.interval.ms': int(500, {
    check: range(0),
    effective: true,
    doc: 'How often an idle controller writes a no-op record; 0: never.',
  }),
  'metadata.max.retention.bytes': long(104857600, {
    effective: true,
    doc: 'Size beyond which old metadata segments and snapshots go.',
  }),
  'metadata.max.retention.ms': long(604800000, {
    effective: true,
    doc: 'Time after which old metadata segments and snapshots go.',
  }),
  'node.id': int(null, {
    check: range(0),
    effective: true,
    doc: 'The number of this node, not used by any other of the cluster.',
  }),
  'process.roles': list(null, {
    check: listRules({ of: ['broker', 'controller'] }),
    effective: true,
    doc: 'What this process is: broker, controller, or both. This version serves both in one.',
  }),
  'server.max.startup.time.ms': long(LONG_MAX, {
    check: range(0),
    internal: true,
    doc: 'How long a start may take before the node gives up.',
  }),
  'unstable.api.versions.enable': boolean(false, {
    internal: true,
    effective: true,
    doc: 'Whether versions of requests that are still being designed are offered.',
  }),
  'unstable.feature.versions.enable': boolean(false, {
    internal: true,
    doc: 'Whether feature levels that are still being designed may be used.',
  }),
} as const;
