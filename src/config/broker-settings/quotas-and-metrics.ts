import { listRules, range } from '../checks.ts';
import { className, int, LONG_MAX, list, long, string } from '../definition.ts';

/** Quotas and metrics. */
export const quotasAndMetricsSettings = {
  'alter.log.dirs.replication.quota.window.num': int(11, {
    check: range(1),
    doc: 'Samples kept for the quota on moving replicas between directories.',
  }),
  'alter.log.dirs.replication.quota.window.size.seconds': int(1, {
    check: range(1),
    doc: 'Length of one such sample in seconds.',
  }),
  'client.quota.callback.class': className(null, {
    doc: "A Java class that computes client quotas. Java classes can't be loaded here.",
  }),
  'controller.quota.window.num': int(11, {
    check: range(1),
    doc: 'Samples kept for the quota on controller mutations.',
  }),
  'controller.quota.window.size.seconds': int(1, {
    check: range(1),
    doc: 'Length of one such sample in seconds.',
  }),
  'follower.replication.throttled.rate': long(LONG_MAX, {
    check: range(0),
    dynamic: 'cluster-wide',
    doc: 'Bytes a second that throttled followers may fetch on this broker.',
  }),
  'kafka.metrics.polling.interval.secs': int(10, {
    check: range(1),
    doc: "How often Kafka's own metrics reporters are asked.",
  }),
  'kafka.metrics.reporters': list('', {
    check: listRules({ emptyAllowed: true }),
    doc: "Java classes that report Kafka's older metrics. Java classes can't be loaded here.",
  }),
  'leader.replication.throttled.rate': long(LONG_MAX, {
    check: range(0),
    dynamic: 'cluster-wide',
    doc: 'Bytes a second that throttled leaders may send to followers on this broker.',
  }),
  'metric.reporters': list('org.apache.kafka.common.metrics.JmxReporter', {
    check: listRules({ emptyAllowed: true }),
    dynamic: 'cluster-wide',
    doc: "Java classes that report metrics. Java classes can't be loaded here.",
  }),
  'metrics.num.samples': int(2, { check: range(1), doc: 'Samples that metrics are computed from.' }),
  'metrics.recording.level': string('INFO', { doc: 'How many metrics are kept: INFO, DEBUG or TRACE.' }),
  'metrics.sample.window.ms': long(30000, { check: range(1), doc: 'Time that one such sample covers.' }),
  'quota.window.num': int(11, { check: range(1), doc: 'Samples kept for client quotas.' }),
  'quota.window.size.seconds': int(1, { check: range(1), doc: 'Length of one such sample in seconds.' }),
  'replica.alter.log.dirs.io.max.bytes.per.second': long(LONG_MAX, {
    check: range(0),
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'Bytes a second for moving replicas between directories, all together.',
  }),
  'replication.quota.window.num': int(11, { check: range(1), doc: 'Samples kept for replication quotas.' }),
  'replication.quota.window.size.seconds': int(1, {
    check: range(1),
    doc: 'Length of one such sample in seconds.',
  }),
  'telemetry.max.bytes': int(1048576, {
    check: range(1),
    doc: 'Largest metrics report that a client may push.',
  }),
} as const;
