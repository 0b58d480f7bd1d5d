import type { BrokerConfig } from './broker-config.ts';
import { type BrokerSettingName, brokerSetting } from './broker-settings/index.ts';
import { ConfigError, InvalidConfigError } from './config-error.ts';
import { checkTogether } from './consistency.ts';
import { topicValue } from './log-config.ts';
import { baseOfListenerKey } from './synonyms.ts';
import { topicSetting } from './topic-settings.ts';
import { parseSetting } from './value.ts';

/**
 * Checks all settings that a topic would have. Null values are those that CreateTopics carries without a value.
 * Throws {@link InvalidConfigError} with the words of Apache Kafka for the first that can't be.
 */
export function validateTopicConfigs(
  configs: ReadonlyMap<string, string | null>,
  broker: BrokerConfig,
): void {
  const empty = [...configs].filter(([, text]) => text === null).map(([name]) => name);
  if (empty.length > 0) {
    throw new InvalidConfigError(`Null value not supported for topic configs: ${empty.join(',')}`);
  }
  const given = configs as ReadonlyMap<string, string>;
  for (const name of given.keys()) {
    if (topicSetting(name) === undefined) throw new InvalidConfigError(`Unknown topic config name: ${name}`);
  }
  for (const [name, text] of given) {
    const setting = topicSetting(name);
    if (setting === undefined) continue;
    const result = parseSetting(name, setting, text, broker.profile === 'dev');
    if ('problem' in result) throw new InvalidConfigError(result.problem);
  }
  checkTopicTogether(given, broker);
}

function checkTopicTogether(given: ReadonlyMap<string, string>, broker: BrokerConfig): void {
  const min = topicValue('min.compaction.lag.ms', broker, given).text;
  const max = topicValue('max.compaction.lag.ms', broker, given).text;
  if (BigInt(min ?? 0) > BigInt(max ?? 0)) {
    throw new InvalidConfigError(
      `conflict topic config setting min.compaction.lag.ms (${min}) > max.compaction.lag.ms (${max})`,
    );
  }
  if (topicValue('remote.storage.enable', broker, given).value === true) {
    throw new InvalidConfigError(
      'Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.',
    );
  }
}

/** Whether entries can be added to and taken from a setting (the operations APPEND and SUBTRACT of KIP-339). */
export function isListSetting(resource: 'topic' | 'broker', name: string): boolean {
  const setting = resource === 'topic' ? topicSetting(name) : brokerSetting(name);
  return setting?.type === 'list';
}

/** Operations of IncrementalAlterConfigs. */
export const ConfigOperation = { SET: 0, DELETE: 1, APPEND: 2, SUBTRACT: 3 } as const;

export interface ConfigChange {
  readonly name: string;
  /** One of {@link ConfigOperation}. */
  readonly operation: number;
  readonly value: string | null;
}

/**
 * What the dynamic settings of a broker become by the changes of an IncrementalAlterConfigs. Throws
 * {@link InvalidConfigError} for an unknown operation and for APPEND or SUBTRACT on what is no list.
 */
export function applyBrokerConfigChanges(
  current: ReadonlyMap<string, string>,
  changes: readonly ConfigChange[],
): Map<string, string> {
  const next = new Map(current);
  for (const { name, operation, value } of changes) {
    switch (operation) {
      case ConfigOperation.SET:
        next.set(name, value ?? '');
        break;
      case ConfigOperation.DELETE:
        next.delete(name);
        break;
      case ConfigOperation.APPEND:
        next.set(name, appended(listTextOf(name, next, 'append'), value ?? ''));
        break;
      case ConfigOperation.SUBTRACT:
        next.set(name, subtracted(listTextOf(name, next, 'subtract'), value ?? ''));
        break;
      default:
        throw new InvalidConfigError(`Unknown operations type ${operation}`, 'INVALID_REQUEST');
    }
  }
  return next;
}

function listTextOf(name: string, current: ReadonlyMap<string, string>, what: string): string {
  const setting = brokerSetting(name);
  if (setting === undefined) throw new InvalidConfigError(`Unknown config name: ${name}`);
  if (setting.type !== 'list') {
    throw new InvalidConfigError(`Config value ${what} is not allowed for config key: ${name}`);
  }
  return current.get(name) ?? setting.defaultText ?? '';
}

function appended(list: string, entries: string): string {
  const old = list === '' ? [] : list.split(',');
  return [...old, ...entries.split(',').filter((entry) => !old.includes(entry))].join(',');
}

function subtracted(list: string, entries: string): string {
  const gone = entries.split(',');
  return list
    .split(',')
    .filter((entry) => !gone.includes(entry))
    .join(',');
}

/** Security settings that can be changed for one listener only, under its prefix. */
const onlyWithListener: readonly string[] = [
  'ssl.keystore.type',
  'ssl.keystore.location',
  'ssl.keystore.password',
  'ssl.key.password',
  'ssl.keystore.key',
  'ssl.keystore.certificate.chain',
  'ssl.truststore.type',
  'ssl.truststore.location',
  'ssl.truststore.password',
  'ssl.truststore.certificates',
];

const threadCounts: readonly BrokerSettingName[] = [
  'num.io.threads',
  'num.network.threads',
  'num.replica.fetchers',
  'num.recovery.threads.per.data.dir',
  'background.threads',
];

/**
 * Checks the dynamic settings that a broker (`level` broker) or all brokers (`cluster`) would have. Throws
 * {@link InvalidConfigError}, INVALID_REQUEST as Kafka answers it, with its words.
 */
export function validateBrokerConfigs(
  configs: ReadonlyMap<string, string>,
  level: 'broker' | 'cluster',
  broker: BrokerConfig,
): void {
  const names = [...configs.keys()];
  refuse(
    names.filter((name) => brokerSetting(name)?.dynamic === 'read-only'),
    'Cannot update these configs dynamically',
  );
  refuse(
    names.filter((name) => onlyWithListener.includes(name)),
    'These security configs can be dynamically updated only per-listener using the listener prefix',
  );
  for (const [name, text] of configs) {
    const setting = brokerSetting(name) ?? brokerSetting(baseOfListenerKey(name) ?? '');
    const result =
      setting === undefined ? undefined : parseSetting(name, setting, text, broker.profile === 'dev');
    if (result !== undefined && 'problem' in result) throw invalidRequest(result.problem);
  }
  if (level === 'cluster') {
    refuse(
      names.filter(isPerBroker),
      'Cannot update these configs at default cluster level, broker id must be specified',
    );
  }
  checkListeners(configs.get('listeners'));
  checkOutcome(configs, level, broker);
}

/** Listeners are opened at start only; what is stored for the next one must at least be readable. */
function checkListeners(text: string | undefined): void {
  const entries = text === undefined ? [] : text.trim().split(/\s*,\s*/);
  const wrong = entries.find((entry) => !/^.*:\/\/\[?[0-9a-zA-Z\-%._:]*\]?:-?[0-9]+$/.test(entry));
  if (wrong === undefined) return;
  throw invalidRequest(
    `Error creating broker listeners from '[${entries.join(', ')}]': Unable to parse ${wrong} to a broker endpoint`,
  );
}

const clusterLevelListenerSettings: readonly string[] = [
  'max.connections',
  'max.connection.creation.rate',
  'num.network.threads',
];

function isPerBroker(name: string): boolean {
  if (brokerSetting(name)?.dynamic === 'per-broker') return true;
  const base = baseOfListenerKey(name);
  return base !== undefined && !clusterLevelListenerSettings.includes(base);
}

function checkOutcome(
  configs: ReadonlyMap<string, string>,
  level: 'broker' | 'cluster',
  broker: BrokerConfig,
): void {
  const { dynamic } = broker;
  const next = broker.withDynamic(
    level === 'broker'
      ? { broker: configs, cluster: dynamic.cluster }
      : { broker: dynamic.broker, cluster: configs },
  );
  for (const name of threadCounts) checkThreads(name, broker.get(name) as number, next.get(name) as number);
  try {
    checkTogether(next);
  } catch (error) {
    throw error instanceof ConfigError ? invalidRequest(error.answer ?? error.message) : error;
  }
}

/** Kafka changes a number of threads by at most a factor of two at a time. */
function checkThreads(name: string, old: number, next: number): void {
  if (next === old) return;
  const failed = `Dynamic thread count update validation failed for ${name}=${next}`;
  if (next < Math.trunc(old / 2)) {
    throw invalidRequest(`${failed}, value should be at least half the current value ${old}`);
  }
  if (next > old * 2) {
    throw invalidRequest(`${failed}, value should not be greater than double the current value ${old}`);
  }
}

function refuse(names: readonly string[], problem: string): void {
  if (names.length > 0) throw invalidRequest(`${problem}: [${names.join(', ')}]`);
}

const invalidRequest = (message: string) => new InvalidConfigError(message, 'INVALID_REQUEST');
