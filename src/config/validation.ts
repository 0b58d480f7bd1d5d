import type { BrokerConfig } from './broker-config.ts';
import { brokerSetting } from './broker-settings/index.ts';
import { ConfigError, InvalidConfigError } from './config-error.ts';
import { checkTogether } from './consistency.ts';
import { isOnlyForListeners, isPerBroker, isReadOnly, startOnly } from './dynamic-scope.ts';
import { topicValue } from './log-config.ts';
import { checkReconfiguration } from './reconfiguration.ts';
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
  refuse(names.filter(isReadOnly), 'Cannot update these configs dynamically');
  refuse(
    names.filter(isOnlyForListeners),
    'These security configs can be dynamically updated only per-listener using the listener prefix',
  );
  for (const [name, text] of configs) checkText(name, text, broker);
  if (level === 'cluster') {
    refuse(
      names.filter(isPerBroker),
      'Cannot update these configs at default cluster level, broker id must be specified',
    );
  }
  checkListeners(configs, broker);
  checkOutcome(configs, level, broker);
}

function checkText(name: string, text: string, broker: BrokerConfig): void {
  const setting = brokerSetting(name) ?? brokerSetting(baseOfListenerKey(name) ?? '');
  if (setting === undefined) return;
  const result = parseSetting(name, setting, text, broker.profile === 'dev');
  if ('problem' in result) throw invalidRequest(result.problem);
  // No Java class can be found here but those that Kafka itself brings.
  if (setting.type !== 'class' || result.ok.text === setting.defaultText) return;
  throw invalidRequest(
    `Invalid value ${result.ok.text} for configuration ${name}: Class ${result.ok.text} could not be found.`,
  );
}

/** Listeners are opened at start only, from what the properties say. */
function checkListeners(configs: ReadonlyMap<string, string>, broker: BrokerConfig): void {
  const text = configs.get('listeners');
  const entries = text === undefined ? [] : text.trim().split(/\s*,\s*/);
  const wrong = entries.find((entry) => !/^.*:\/\/\[?[0-9a-zA-Z\-%._:]*\]?:-?[0-9]+$/.test(entry));
  if (wrong !== undefined) {
    throw invalidRequest(
      `Error creating broker listeners from '[${entries.join(', ')}]': Unable to parse ${wrong} to a broker endpoint`,
    );
  }
  for (const name of startOnly) {
    const wanted = configs.get(name);
    if (wanted === undefined || wanted.trim() === broker.parsed(name).text) continue;
    throw invalidRequest(
      `Invalid value ${wanted} for configuration ${name}: this version opens its listeners only at start. Set it in the properties file and start the broker again.`,
    );
  }
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
  try {
    checkTogether(next);
  } catch (error) {
    throw error instanceof ConfigError ? invalidRequest(error.answer ?? error.message) : error;
  }
  checkReconfiguration(broker, next);
}

function refuse(names: readonly string[], problem: string): void {
  if (names.length > 0) throw invalidRequest(`${problem}: [${names.join(', ')}]`);
}

const invalidRequest = (message: string) => new InvalidConfigError(message, 'INVALID_REQUEST');
