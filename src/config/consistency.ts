import { parseConnectionOverrides } from './addresses.ts';
import type { BrokerConfig } from './broker-config.ts';
import type { BrokerSettingName } from './broker-settings/index.ts';
import { ConfigError } from './config-error.ts';

/** What must hold between settings. Throws {@link ConfigError} for the first that does not. */
export function checkTogether(config: BrokerConfig): void {
  const must: Must = (holds, setting, problem, allowed) => {
    if (holds) return;
    const value = config.parsed(setting).text ?? 'null';
    const origin = config.origin(setting);
    throw new ConfigError(`${setting}=${value}: ${problem}`, { setting, value, allowed, origin });
  };
  checkLogs(config, must);
  checkNetwork(config, must);
  checkReplication(config, must);
  checkGroups(config, must);
}

type Must = (holds: boolean, setting: BrokerSettingName, problem: string, allowed: string) => void;

function firstGiven(config: BrokerConfig, ...names: readonly BrokerSettingName[]): BrokerSettingName {
  return names.find((name) => config.isGiven(name)) ?? names[0]!;
}

function checkLogs(config: BrokerConfig, must: Must): void {
  const roll = firstGiven(config, 'log.roll.ms', 'log.roll.hours');
  must(config.logRollMs >= 1, roll, 'a segment must last some time', 'at least 1 ms');
  const jitter = firstGiven(config, 'log.roll.jitter.ms', 'log.roll.jitter.hours');
  must(config.logRollJitterMs >= 0, jitter, 'it is below 0', 'at least 0');
  const retention = firstGiven(config, 'log.retention.ms', 'log.retention.minutes', 'log.retention.hours');
  must(
    config.logRetentionMs !== 0,
    retention,
    'nothing would be kept at all',
    'at least 1 ms, or -1 for no limit',
  );
  const min = config.get('log.cleaner.min.compaction.lag.ms');
  const max = config.get('log.cleaner.max.compaction.lag.ms');
  must(
    min <= max,
    'log.cleaner.min.compaction.lag.ms',
    'it exceeds log.cleaner.max.compaction.lag.ms',
    `at most ${config.parsed('log.cleaner.max.compaction.lag.ms').text}`,
  );
  const threads = config.get('log.cleaner.threads');
  must(threads >= 1, 'log.cleaner.threads', 'nothing would be compacted', 'at least 1');
  const perThread = config.get('log.cleaner.dedupe.buffer.size') / threads;
  const least = 1024 * 1024;
  must(
    Math.trunc(perThread) > least,
    'log.cleaner.dedupe.buffer.size',
    'too little for each cleaner thread',
    `more than ${least * threads}`,
  );
  checkCordonedDirs(config, must);
}

function checkCordonedDirs(config: BrokerConfig, must: Must): void {
  const cordoned = config.get('cordoned.log.dirs');
  const name = 'cordoned.log.dirs';
  if (cordoned.includes('*')) {
    must(cordoned.length === 1, name, '* means all directories', '* alone, or some of log.dirs');
    return;
  }
  const foreign = cordoned.filter((dir) => !config.logDirs.includes(dir));
  must(foreign.length === 0, name, `${foreign.join(', ')} is not in log.dirs`, config.logDirs.join(', '));
}

function checkNetwork(config: BrokerConfig, must: Must): void {
  const queued = config.get('queued.max.request.bytes');
  const largest = config.get('socket.request.max.bytes');
  must(
    queued <= 0 || queued >= largest,
    'queued.max.request.bytes',
    'the largest request would not fit',
    `at least socket.request.max.bytes (${largest}), or -1`,
  );
  const overrides = 'max.connections.per.ip.overrides';
  const problem = connectionOverridesProblem(config.get(overrides));
  must(problem === undefined, overrides, problem ?? '', 'a list of host:number');
  must(
    config.get('max.connections.per.ip') !== 0 || config.get(overrides) !== '',
    'max.connections.per.ip',
    'nobody could connect',
    `at least 1, or 0 with ${overrides}`,
  );
  const idle = config.get('connections.max.idle.ms');
  const delay = config.get('connection.failed.authentication.delay.ms');
  must(
    idle < 0 || delay < idle,
    'connection.failed.authentication.delay.ms',
    'the answer would come after the connection was closed as idle',
    `less than connections.max.idle.ms (${idle})`,
  );
}

function connectionOverridesProblem(text: string): string | undefined {
  if (text === '') return undefined;
  const wrong = text.split(',').find((entry) => !/^\s*\[?[0-9a-zA-Z\-%._:]+\]?:[0-9]+\s*$/.test(entry));
  if (wrong !== undefined) return `can't read ${wrong.trim()}`;
  const named = parseConnectionOverrides(text).names[0];
  return named === undefined ? undefined : `host names are not looked up here, give the address of ${named}`;
}

function checkReplication(config: BrokerConfig, must: Must): void {
  const name = 'replica.fetch.wait.max.ms';
  const wait = config.get(name);
  const timeout = config.get('replica.socket.timeout.ms');
  must(
    wait <= timeout,
    name,
    'fetches of followers would time out',
    `at most replica.socket.timeout.ms (${timeout})`,
  );
  const lag = config.get('replica.lag.time.max.ms');
  must(
    wait <= lag,
    name,
    'waiting followers would fall out of sync',
    `at most replica.lag.time.max.ms (${lag})`,
  );
}

/** min ≤ value ≤ max of what the members of groups are told. */
/** Those of `coordinator/group/assignors`. */
const CONSUMER_ASSIGNORS: readonly string[] = ['uniform', 'range'];

function checkGroups(config: BrokerConfig, must: Must): void {
  const codec = config.get('offsets.topic.compression.codec');
  must(
    codec >= 0 && codec <= 4,
    'offsets.topic.compression.codec',
    'it is the number of no codec',
    '0 (none), 1 (gzip), 2 (snappy), 3 (lz4) or 4 (zstd)',
  );
  must(
    config.get('group.min.session.timeout.ms') <= config.get('group.max.session.timeout.ms'),
    'group.min.session.timeout.ms',
    'it exceeds group.max.session.timeout.ms',
    `at most ${config.get('group.max.session.timeout.ms')}`,
  );
  must(
    config.get('group.coordinator.rebalance.protocols').includes('classic'),
    'group.coordinator.rebalance.protocols',
    'groups of the classic protocol are always served',
    'a list with classic in it',
  );
  const unknown = config.get('group.consumer.assignors').find((name) => !CONSUMER_ASSIGNORS.includes(name));
  must(
    unknown === undefined,
    'group.consumer.assignors',
    `there is no assignor ${unknown}, and classes of Java can't be loaded`,
    `entries of ${CONSUMER_ASSIGNORS.join(', ')}`,
  );
  for (const kind of ['consumer', 'share', 'streams'] as const) {
    for (const what of ['session.timeout.ms', 'heartbeat.interval.ms', 'assignment.interval.ms'] as const) {
      const name = `group.${kind}.${what}` as const;
      const min = config.get(`group.${kind}.min.${what}`);
      const max = config.get(`group.${kind}.max.${what}`);
      const value = config.get(name);
      must(min <= max, `group.${kind}.min.${what}`, `it exceeds group.${kind}.max.${what}`, `at most ${max}`);
      must(value >= min && value <= max, name, 'it is outside its bounds', `between ${min} and ${max}`);
    }
    const heartbeat = config.get(`group.${kind}.heartbeat.interval.ms`);
    const session = config.get(`group.${kind}.session.timeout.ms`);
    must(
      heartbeat < session,
      `group.${kind}.heartbeat.interval.ms`,
      'members would be removed between two heartbeats',
      `less than group.${kind}.session.timeout.ms (${session})`,
    );
  }
}
