import type { BrokerConfig } from './broker-config.ts';
import { type BrokerSettingName, brokerSetting, brokerSettings } from './broker-settings/index.ts';
import type { Setting, SettingType } from './definition.ts';
import { groupSettingNames, groupSettings, groupSynonyms } from './group-settings.ts';
import { topicValue } from './log-config.ts';
import { baseOfListenerKey, brokerSynonyms } from './synonyms.ts';
import { topicSettingNames, topicSettings, topicSynonyms } from './topic-settings.ts';
import { type ParsedValue, parseSetting } from './value.ts';

/** Where a value comes from, as DescribeConfigs numbers it (KIP-226). */
export const ConfigSource = {
  UNKNOWN: 0,
  TOPIC: 1,
  DYNAMIC_BROKER: 2,
  DYNAMIC_DEFAULT_BROKER: 3,
  STATIC_BROKER: 4,
  DEFAULT: 5,
  GROUP: 8,
} as const;

/** Types as DescribeConfigs numbers them (KIP-569). */
const configTypes: Readonly<Record<SettingType, number>> = {
  boolean: 1,
  string: 2,
  int: 3,
  short: 4,
  long: 5,
  double: 6,
  list: 7,
  class: 8,
  password: 9,
};

export interface ConfigSynonym {
  readonly name: string;
  readonly value: string | null;
  readonly source: number;
}

/** One setting as DescribeConfigs answers it; the names are those of the protocol message. */
export interface ConfigEntry {
  readonly name: string;
  readonly value: string | null;
  readonly readOnly: boolean;
  readonly isDefault: boolean;
  readonly configSource: number;
  readonly isSensitive: boolean;
  readonly synonyms: readonly ConfigSynonym[];
  readonly configType: number;
  readonly documentation: string | null;
}

export interface DescribeOptions {
  /** Only these; all where it is null or empty, as Kafka takes it. */
  readonly names?: readonly string[] | null;
  readonly includeSynonyms?: boolean;
  readonly includeDocumentation?: boolean;
}

/** Settings that exist only as dynamic ones: not shown until they are set. */
const dynamicOnly: readonly string[] = [
  'follower.replication.throttled.rate',
  'leader.replication.throttled.rate',
  'replica.alter.log.dirs.io.max.bytes.per.second',
];

/** All settings of a broker, those included that were given and that nobody knows. Sorted by name. */
export function describeBrokerConfig(broker: BrokerConfig, options: DescribeOptions = {}): ConfigEntry[] {
  const written = new Set([
    ...broker.givenTexts().keys(),
    ...broker.dynamic.cluster.keys(),
    ...broker.dynamic.broker.keys(),
  ]);
  const names = new Set(written);
  for (const [name, setting] of Object.entries<Setting>(brokerSettings)) {
    if (!setting.internal && !dynamicOnly.includes(name)) names.add(name);
  }
  const wanted = wantedOf(names, options);
  return wanted.map((name) => brokerEntry(name, broker, brokerValue(name, broker), allSources, options));
}

/** The dynamic settings of all brokers: what DescribeConfigs answers for the broker with the empty name. */
export function describeClusterConfig(broker: BrokerConfig, options: DescribeOptions = {}): ConfigEntry[] {
  const { cluster } = broker.dynamic;
  const onlyCluster = (source: number) => source === ConfigSource.DYNAMIC_DEFAULT_BROKER;
  return wantedOf(cluster.keys(), options).map((name) => {
    const text = cluster.get(name) ?? null;
    return brokerEntry(name, broker, { value: text, text }, onlyCluster, options);
  });
}

/** All settings of a topic: its own, and what it takes from the broker. Sorted by name. */
export function describeTopicConfig(
  topicOverrides: ReadonlyMap<string, string>,
  broker: BrokerConfig,
  options: DescribeOptions = {},
): ConfigEntry[] {
  const known = topicSettingNames.filter((name) => !topicSettings[name].internal || topicOverrides.has(name));
  const wanted = new Set(wantedOf(known, options));
  return known
    .filter((name) => wanted.has(name))
    .map((name) => {
      const { text } = topicValue(name, broker, topicOverrides);
      const synonym = topicSynonyms[name];
      const synonyms = synonym === undefined ? [] : synonymsOf(synonym, broker, false);
      if (topicOverrides.has(name)) synonyms.unshift({ name, value: text, source: ConfigSource.TOPIC });
      return entryOf(name, text, topicSettings[name], false, synonyms, options);
    });
}

/** All settings of a consumer group: its own, and what it takes from the broker. Sorted by name. */
export function describeGroupConfig(
  own: ReadonlyMap<string, string>,
  broker: BrokerConfig,
  options: DescribeOptions = {},
): ConfigEntry[] {
  const wanted = new Set(wantedOf(groupSettingNames, options));
  return groupSettingNames
    .filter((name) => wanted.has(name))
    .map((name) => {
      const synonyms = synonymsOf(groupSynonyms[name], broker, false);
      const value = own.get(name);
      if (value !== undefined) synonyms.unshift({ name, value, source: ConfigSource.GROUP });
      const text = value ?? String(broker.get(groupSynonyms[name]));
      return entryOf(name, text, groupSettings[name], false, synonyms, options);
    });
}

const allSources = () => true;

function wantedOf(names: Iterable<string>, options: DescribeOptions): string[] {
  const asked = options.names;
  const all = [...names].sort();
  return asked === undefined || asked === null || asked.length === 0
    ? all
    : all.filter((name) => asked.includes(name));
}

function brokerValue(name: string, broker: BrokerConfig): ParsedValue {
  if (Object.hasOwn(brokerSettings, name)) return broker.parsed(name as BrokerSettingName);
  const { broker: own, cluster } = broker.dynamic;
  const text = own.get(name) ?? cluster.get(name) ?? broker.givenTexts().get(name) ?? null;
  const setting = settingOf(name);
  const result = setting === undefined || text === null ? undefined : parseSetting(name, setting, text);
  return result !== undefined && 'ok' in result ? result.ok : { value: text, text };
}

function brokerEntry(
  name: string,
  broker: BrokerConfig,
  value: ParsedValue,
  counts: (source: number) => boolean,
  options: DescribeOptions,
): ConfigEntry {
  const setting = settingOf(name);
  const sensitive = isSensitive(setting);
  const synonyms = synonymsOf(name, broker, sensitive).filter(({ source }) => counts(source));
  const readOnly = (brokerSetting(name)?.dynamic ?? 'read-only') === 'read-only';
  return entryOf(name, value.text, setting, readOnly, synonyms, options);
}

function entryOf(
  name: string,
  text: string | null,
  setting: Setting | undefined,
  readOnly: boolean,
  synonyms: readonly ConfigSynonym[],
  options: DescribeOptions,
): ConfigEntry {
  const configSource = synonyms[0]?.source ?? ConfigSource.DEFAULT;
  const sensitive = isSensitive(setting);
  return {
    name,
    value: sensitive ? null : text,
    readOnly,
    isDefault: configSource === ConfigSource.DEFAULT,
    configSource,
    isSensitive: sensitive,
    synonyms: options.includeSynonyms === true ? synonyms : [],
    configType: setting === undefined ? 0 : configTypes[setting.type],
    documentation: options.includeDocumentation === true ? documentationOf(name, setting) : null,
  };
}

/** A setting for one listener has none of its own. */
const documentationOf = (name: string, setting: Setting | undefined) =>
  baseOfListenerKey(name) === undefined ? (setting?.doc ?? null) : null;

/** What nobody knows might be a secret. */
const isSensitive = (setting: Setting | undefined) => setting === undefined || setting.type === 'password';

function settingOf(name: string): Setting | undefined {
  return brokerSetting(name) ?? brokerSetting(baseOfListenerKey(name) ?? '');
}

/**
 * Every place that gives `name` or a synonym of it a value, the one that counts first. What stands before the first
 * mention of `name` itself is left out, as Kafka does: so `log.retention.ms` shows nothing while only
 * `log.retention.hours` is given.
 */
function synonymsOf(name: string, broker: BrokerConfig, sensitive: boolean): ConfigSynonym[] {
  const names = brokerSynonyms(name);
  const found: ConfigSynonym[] = [];
  const add = (source: number, textOf: (synonym: string) => string | null | undefined) => {
    for (const synonym of names) {
      const text = textOf(synonym);
      if (text !== undefined && text !== null)
        found.push({ name: synonym, value: sensitive ? null : text, source });
    }
  };
  const given = broker.givenTexts();
  add(ConfigSource.DYNAMIC_BROKER, (synonym) => broker.dynamic.broker.get(synonym));
  add(ConfigSource.DYNAMIC_DEFAULT_BROKER, (synonym) => broker.dynamic.cluster.get(synonym));
  add(ConfigSource.STATIC_BROKER, (synonym) => given.get(synonym));
  add(ConfigSource.DEFAULT, (synonym) =>
    Object.hasOwn(brokerSettings, synonym) && !dynamicOnly.includes(synonym)
      ? broker.defaultText(synonym as BrokerSettingName)
      : undefined,
  );
  const first = found.findIndex((synonym) => synonym.name === name);
  return first < 0 ? [] : found.slice(first);
}
