import type { BrokerConfig } from './broker-config.ts';
import { brokerSetting } from './broker-settings/index.ts';
import { ConfigError, InvalidConfigError, withAllowed } from './config-error.ts';
import { checkTogether } from './consistency.ts';
import { isOnlyForListeners, isPerBroker, isReadOnly, startOnly } from './dynamic-scope.ts';
import { topicValue } from './log-config.ts';
import { checkReconfiguration } from './reconfiguration.ts';
import { baseOfListenerKey } from './synonyms.ts';
import { topicSetting } from './topic-settings.ts';
import { parseSetting } from './value.ts';

/**
 * Checks all settings that a topic would have. Null values are those that CreateTopics carries without a value.
 * Throws {@link InvalidConfigError} for the first that can't be.
 */
export function validateTopicConfigs(
  configs: ReadonlyMap<string, string | null>,
  broker: BrokerConfig,
): void {
  const empty = [...configs].filter(([, text]) => text === null).map(([name]) => name);
  if (empty.length > 0) {
    throw new InvalidConfigError(
      `No value is given for ${empty.join(', ')}: give one, or leave the name out.`,
    );
  }
  const given = configs as ReadonlyMap<string, string>;
  for (const name of given.keys()) {
    if (topicSetting(name) === undefined) throw new InvalidConfigError(`Topics have no setting ${name}.`);
  }
  for (const [name, text] of given) {
    const setting = topicSetting(name);
    if (setting === undefined) continue;
    const result = parseSetting(name, setting, text, broker.profile === 'dev');
    if ('problem' in result) throw new InvalidConfigError(withAllowed(result.problem, result.allowed));
  }
  checkTopicTogether(given, broker);
}

function checkTopicTogether(given: ReadonlyMap<string, string>, broker: BrokerConfig): void {
  const min = topicValue('min.compaction.lag.ms', broker, given).text;
  const max = topicValue('max.compaction.lag.ms', broker, given).text;
  if (BigInt(min ?? 0) > BigInt(max ?? 0)) {
    throw new InvalidConfigError(
      withAllowed(`min.compaction.lag.ms=${min}: it exceeds max.compaction.lag.ms`, `at most ${max}`),
    );
  }
  if (topicValue('remote.storage.enable', broker, given).value === true) {
    throw new InvalidConfigError(
      withAllowed('remote.storage.enable=true: this broker has no remote storage', 'false'),
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
        next.set(name, appended(listTextOf(name, next, 'APPEND'), value ?? ''));
        break;
      case ConfigOperation.SUBTRACT:
        next.set(name, subtracted(listTextOf(name, next, 'SUBTRACT'), value ?? ''));
        break;
      default:
        throw new InvalidConfigError(
          `${name}: there is no operation ${operation}, only 0 to 3 (set, delete, append, subtract).`,
          'INVALID_REQUEST',
        );
    }
  }
  return next;
}

function listTextOf(name: string, current: ReadonlyMap<string, string>, what: string): string {
  const setting = brokerSetting(name);
  if (setting === undefined) throw new InvalidConfigError(`Brokers have no setting ${name}.`);
  if (setting.type !== 'list') {
    throw new InvalidConfigError(`${name}: ${what} works on lists only, and this is none. Set it instead.`);
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
 * {@link InvalidConfigError}, INVALID_REQUEST as Kafka answers it.
 */
export function validateBrokerConfigs(
  configs: ReadonlyMap<string, string>,
  level: 'broker' | 'cluster',
  broker: BrokerConfig,
): void {
  const names = [...configs.keys()];
  refuse(
    names.filter(isReadOnly),
    'read at start only; set it in the properties file and start the broker again',
  );
  refuse(
    names.filter(isOnlyForListeners),
    'a running broker changes it for one listener at a time, as listener.name.<listener>.<setting>',
  );
  for (const [name, text] of configs) checkText(name, text, broker);
  if (level === 'cluster') {
    refuse(names.filter(isPerBroker), 'each broker has its own; name the broker to change');
  }
  checkListeners(configs, broker);
  checkOutcome(configs, level, broker);
}

function checkText(name: string, text: string, broker: BrokerConfig): void {
  const setting = brokerSetting(name) ?? brokerSetting(baseOfListenerKey(name) ?? '');
  if (setting === undefined) return;
  const result = parseSetting(name, setting, text, broker.profile === 'dev');
  if ('problem' in result) throw invalidRequest(withAllowed(result.problem, result.allowed));
  // No Java class can be found here but those that Kafka itself brings.
  if (setting.type !== 'class' || result.ok.text === setting.defaultText) return;
  throw invalidRequest(
    `${name}=${result.ok.text}: this broker loads no Java classes. Leave the setting out for the default.`,
  );
}

/** Listeners are opened at start only, from what the properties say. */
function checkListeners(configs: ReadonlyMap<string, string>, broker: BrokerConfig): void {
  const text = configs.get('listeners');
  const entries = text === undefined ? [] : text.trim().split(/\s*,\s*/);
  const wrong = entries.find((entry) => !/^.*:\/\/\[?[0-9a-zA-Z\-%._:]*\]?:-?[0-9]+$/.test(entry));
  if (wrong !== undefined) {
    throw invalidRequest(withAllowed(`listeners=${text}: can't read ${wrong}`, 'entries name://host:port'));
  }
  for (const name of startOnly) {
    const wanted = configs.get(name);
    if (wanted === undefined || wanted.trim() === broker.parsed(name).text) continue;
    throw invalidRequest(
      `${name}=${wanted}: this version opens its listeners only at start. Set it in the properties file and start the broker again.`,
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
    throw error instanceof ConfigError ? invalidRequest(error.answer) : error;
  }
  checkReconfiguration(broker, next);
}

function refuse(names: readonly string[], problem: string): void {
  if (names.length > 0) throw invalidRequest(`${names.join(', ')}: ${problem}.`);
}

const invalidRequest = (message: string) => new InvalidConfigError(message, 'INVALID_REQUEST');
