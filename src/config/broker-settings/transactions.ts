import { range } from '../checks.ts';
import { boolean, int, short } from '../definition.ts';

/** Idempotent producers and transactions. */
export const transactionsSettings = {
  'add.partitions.to.txn.retry.backoff.max.ms': int(100, {
    check: range(0),
    effective: true,
    doc: 'Longest wait of the broker between two tries to add a partition to a transaction for a producer.',
  }),
  'add.partitions.to.txn.retry.backoff.ms': int(20, {
    check: range(1),
    effective: true,
    doc: 'Wait of the broker before it tries again to add a partition to a transaction for a producer.',
  }),
  'producer.id.expiration.check.interval.ms': int(600000, {
    check: range(1),
    internal: true,
    effective: true,
    doc: 'How often idle producer ids are looked at for removal.',
  }),
  'producer.id.expiration.ms': int(86400000, {
    check: range(1),
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'How long a partition remembers a producer that sends nothing.',
  }),
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': int(10000, {
    check: range(1),
    effective: true,
    doc: 'How often transactions are looked at for being over time.',
  }),
  'transaction.max.timeout.ms': int(900000, {
    check: range(1),
    effective: true,
    doc: 'Longest transaction timeout that a producer may ask for.',
  }),
  'transaction.partition.verification.enable': boolean(true, {
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'Whether a partition checks with the coordinator that a transaction includes it.',
  }),
  'transaction.remove.expired.transaction.cleanup.interval.ms': int(3600000, {
    check: range(1),
    effective: true,
    doc: 'How often expired transactional ids are removed.',
  }),
  'transaction.state.log.load.buffer.size': int(5242880, {
    check: range(1),
    effective: true,
    doc: 'Bytes read at a time while the state of transactions is loaded.',
  }),
  'transaction.state.log.min.isr': int(2, {
    check: range(1),
    effective: true,
    doc: 'The setting min.insync.replicas of __transaction_state.',
  }),
  'transaction.state.log.num.partitions': int(50, {
    check: range(1),
    effective: true,
    doc: 'Partitions of __transaction_state; not to be changed later.',
  }),
  'transaction.state.log.replication.factor': short(3, {
    check: range(1),
    effective: true,
    doc: 'Replicas of __transaction_state.',
  }),
  'transaction.state.log.segment.bytes': int(104857600, {
    check: range(1),
    effective: true,
    doc: 'Segment size of __transaction_state.',
  }),
  'transaction.two.phase.commit.enable': boolean(false, {
    effective: true,
    doc: 'Whether producers may take part in two-phase commits (KIP-939).',
  }),
  'transactional.id.expiration.ms': int(604800000, {
    check: range(1),
    effective: true,
    doc: 'How long an unused transactional id is remembered.',
  }),
} as const;
