import { range } from '../checks.ts';
import { boolean, int, long, string } from '../definition.ts';

/** Followers, leaders and their elections. */
export const replicationSettings = {
  'auto.leader.rebalance.enable': boolean(true, {
    doc: 'Whether leadership is moved back to preferred replicas from time to time.',
  }),
  'controller.socket.timeout.ms': int(30000, { doc: 'Timeout of connections from brokers to controllers.' }),
  'default.replication.factor': int(1, {
    effective: true,
    doc: 'Replicas of a topic that is made automatically or without a number of its own.',
  }),
  'delete.records.purgatory.purge.interval.requests': int(1, {
    doc: 'After how many finished DeleteRecords requests their leftovers are swept.',
  }),
  'fetch.purgatory.purge.interval.requests': int(1000, {
    doc: 'After how many finished fetches their leftovers are swept.',
  }),
  'leader.imbalance.check.interval.seconds': long(300, {
    check: range(1),
    doc: 'How often leaderships are compared with the preferred replicas.',
  }),
  'num.replica.alter.log.dirs.threads': int(null, {
    effective: true,
    doc: 'Replicas that are moved between directories at the same time; by default as many as there are directories.',
  }),
  'num.replica.fetchers': int(1, {
    check: range(1),
    dynamic: 'cluster-wide',
    doc: 'Fetchers from each other broker.',
  }),
  'producer.purgatory.purge.interval.requests': int(1000, {
    doc: 'After how many finished produce requests their leftovers are swept.',
  }),
  'replica.fetch.backoff.ms': int(1000, {
    check: range(0),
    doc: 'Wait of a follower after an error before it fetches a partition again.',
  }),
  'replica.fetch.max.bytes': int(1048576, {
    check: range(0),
    doc: 'Bytes of one partition that a follower asks for at a time.',
  }),
  'replica.fetch.min.bytes': int(1, { doc: "Bytes that a follower's fetch waits for." }),
  'replica.fetch.response.max.bytes': int(10485760, {
    check: range(0),
    doc: 'Most bytes in one answer to a follower.',
  }),
  'replica.fetch.wait.max.ms': int(500, { doc: "How long a follower's fetch may wait for more bytes." }),
  'replica.high.watermark.checkpoint.interval.ms': long(5000, {
    effective: true,
    doc: 'How often high watermarks are written.',
  }),
  'replica.lag.time.max.ms': long(30000, {
    doc: "A follower that did not reach the leader's end for this long is no longer in sync.",
  }),
  'replica.selector.class': string(null, {
    doc: "The Java class that chooses the replica a consumer reads from. Java classes can't be loaded here.",
  }),
  'replica.socket.receive.buffer.bytes': int(65536, { doc: "Receive buffer of a follower's socket." }),
  'replica.socket.timeout.ms': int(30000, { doc: "Timeout of a follower's requests." }),
  'unclean.leader.election.enable': boolean(false, {
    dynamic: 'cluster-wide',
    doc: 'Whether a replica that is not in sync may lead when no other is left, at the price of losing records.',
  }),
  'unclean.leader.election.interval.ms': long(300000, {
    check: range(1),
    internal: true,
    doc: 'How often partitions without a leader are looked at for such an election.',
  }),
} as const;
