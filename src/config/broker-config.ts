import {
  type BrokerSettingName,
  type BrokerSettingValue,
  brokerSetting,
  brokerSettings,
} from './broker-settings/index.ts';
import { ConfigError, type Origin } from './config-error.ts';
import { checkTogether } from './consistency.ts';
import type { Setting } from './definition.ts';
import { isDynamicHere } from './dynamic-scope.ts';
import { type Given, gather, type Notice, type Overrides } from './given.ts';
import { type ListenerConfig, parseListeners } from './listeners.ts';
import { type Profile, profileDefaults } from './profiles.ts';
import type { Properties } from './properties.ts';
import { checkQuorum } from './quorum.ts';
import { baseOfListenerKey, brokerSynonyms } from './synonyms.ts';
import { noticesAbout } from './unused.ts';
import { defaultOf, type ParsedValue, parseSetting } from './value.ts';

export interface BrokerConfigInput {
  readonly properties?: Properties | undefined;
  readonly overrides?: Overrides | undefined;
  /** `kafka` where there are properties, else `dev`. */
  readonly profile?: Profile | undefined;
  /** What clients are told where a listener is bound to all addresses and nothing is advertised. */
  readonly hostName?: string | undefined;
  /** Replaces the port of the first listener for clients, and of its advertised form where the two are equal. */
  readonly port?: number | undefined;
  /** Replaces all directories. */
  readonly dataDir?: string | undefined;
}

/** Settings from the metadata log (KIP-226): of this broker, and of all brokers. */
export interface DynamicConfigs {
  readonly broker: ReadonlyMap<string, string>;
  readonly cluster: ReadonlyMap<string, string>;
}

const noDynamic: DynamicConfigs = { broker: new Map(), cluster: new Map() };

interface Static {
  readonly profile: Profile;
  readonly given: ReadonlyMap<string, Given>;
  readonly hostName: string;
  readonly notices: readonly Notice[];
}

/**
 * All settings of one broker, immutable. A value comes from the broker's own dynamic settings, those of the whole
 * cluster, the overrides, the file, the profile or Kafka's default, the first of them that has it.
 */
export class BrokerConfig {
  readonly profile: Profile;
  /** What to say once at start: unknown names, settings without effect, settings of older versions. */
  readonly notices: readonly Notice[];
  readonly listeners: readonly ListenerConfig[];
  readonly hostName: string;
  readonly dynamic: DynamicConfigs;
  /** Dynamic settings that can't be changed or read, or not for all brokers; they come from other brokers' folders. */
  readonly ignoredDynamic: readonly string[];
  readonly #static: Static;
  readonly #values = new Map<string, ParsedValue>();
  /** Settings whose text in the file does not count, since a dynamic one says the same thing in another unit. */
  readonly #outdone: ReadonlySet<string>;

  private constructor(
    from: Static,
    dynamic: DynamicConfigs,
    ignored: readonly string[],
    listeners?: readonly ListenerConfig[],
  ) {
    this.profile = from.profile;
    this.notices = from.notices;
    this.hostName = from.hostName;
    this.dynamic = dynamic;
    this.ignoredDynamic = ignored;
    const names = [...dynamic.broker.keys(), ...dynamic.cluster.keys()];
    this.#outdone = new Set(
      names.filter((name) => brokerSetting(name) !== undefined).flatMap((name) => brokerSynonyms(name)),
    );
    this.#static = from;
    this.listeners = listeners ?? this.#parseListeners();
  }

  /** Throws {@link ConfigError} where the node must not start with these settings. */
  static parse(input: BrokerConfigInput = {}): BrokerConfig {
    const profile = input.profile ?? (input.properties === undefined ? 'dev' : 'kafka');
    const notices: Notice[] = [];
    const given = gather(input.properties, input.overrides ?? {}, notices);
    if (input.dataDir !== undefined) replaceDirs(given, input.dataDir);
    if (!given.has('process.roles')) applyRolesOfOldFiles(given, profile);
    if (input.port !== undefined) replacePort(given, profile, input.port);
    checkEach(given, profile);
    const hostName = input.hostName ?? 'localhost';
    const config = new BrokerConfig({ profile, given, hostName, notices }, noDynamic, []);
    const listeners = config.listeners.map(({ name }) => name);
    notices.push(...noticesAbout(given, listeners));
    checkTogether(config);
    config.#checkQuorum();
    return config;
  }

  /** The same broker with other dynamic settings, without those that are {@link ignoredDynamic}; unknown ones stay. */
  withDynamic(dynamic: DynamicConfigs): BrokerConfig {
    const ignored: string[] = [];
    const usable = (level: 'broker' | 'cluster') =>
      new Map(
        [...dynamic[level]].filter(([name, text]) => {
          const usable = isUsableDynamic(name, text, level, this.profile);
          if (!usable) ignored.push(name);
          return usable;
        }),
      );
    const next = { broker: usable('broker'), cluster: usable('cluster') };
    return new BrokerConfig(this.#static, next, ignored, this.listeners);
  }

  get<K extends BrokerSettingName>(name: K): BrokerSettingValue<K> {
    return this.parsed(name).value as BrokerSettingValue<K>;
  }

  /** The value for one listener: `listener.name.<listener>.<setting>` where it stands, else the common one. */
  getForListener<K extends BrokerSettingName>(listener: string, name: K): BrokerSettingValue<K> {
    const key = `listener.name.${listener.toLowerCase()}.${name}`;
    const text =
      this.dynamic.broker.get(key) ?? this.dynamic.cluster.get(key) ?? this.#static.given.get(key)?.text;
    if (text === undefined) return this.get(name);
    const result = parseSetting(key, brokerSettings[name], text, this.profile === 'dev');
    return ('ok' in result ? result.ok.value : this.get(name)) as BrokerSettingValue<K>;
  }

  /** The value with the text that shows it to clients. */
  parsed(name: BrokerSettingName): ParsedValue {
    const known = this.#values.get(name);
    if (known !== undefined) return known;
    const value = this.#parse(name);
    this.#values.set(name, value);
    return value;
  }

  /** Where the value that counts comes from, dynamic settings aside. */
  origin(name: string): Origin {
    const given = this.#static.given.get(name);
    if (given !== undefined) return given.origin;
    return Object.hasOwn(profileDefaults(this.profile), name) ? { kind: 'profile' } : { kind: 'default' };
  }

  isGiven(name: string): boolean {
    return this.#static.given.has(name);
  }

  /** What stood in the file and the overrides, unknown names included. */
  givenTexts(): ReadonlyMap<string, string> {
    const written = [...this.#static.given].filter(([, { origin }]) => origin.kind !== 'profile');
    return new Map(written.map(([name, { text }]) => [name, text]));
  }

  /** The text that counts where nothing is given; null where there is none. */
  defaultText(name: BrokerSettingName): string | null {
    return profileDefaults(this.profile)[name] ?? brokerSettings[name].defaultText;
  }

  get nodeId(): number {
    return this.get('node.id') ?? 0;
  }

  /** Directories for partitions, at least one. */
  get logDirs(): readonly string[] {
    return this.get('log.dirs') ?? this.get('log.dir');
  }

  get metadataLogDir(): string {
    return this.get('metadata.log.dir') ?? this.logDirs[0] ?? '';
  }

  /** How long segments stay; -1 where there is no limit. */
  get logRetentionMs(): number {
    const ms = this.get('log.retention.ms');
    const minutes = this.get('log.retention.minutes');
    const value = ms ?? (minutes === null ? this.get('log.retention.hours') * 3_600_000 : minutes * 60_000);
    return value < 0 ? -1 : value;
  }

  get logRollMs(): number {
    return this.get('log.roll.ms') ?? this.get('log.roll.hours') * 3_600_000;
  }

  get logRollJitterMs(): number {
    return this.get('log.roll.jitter.ms') ?? this.get('log.roll.jitter.hours') * 3_600_000;
  }

  #parse(name: BrokerSettingName): ParsedValue {
    const setting: Setting = brokerSettings[name];
    const dev = this.profile === 'dev';
    const { broker, cluster } = this.dynamic;
    const started = this.#outdone.has(name) ? undefined : this.#static.given.get(name)?.text;
    const text = broker.get(name) ?? cluster.get(name) ?? started ?? this.defaultText(name);
    if (text === null) return { value: null, text: null };
    const result = parseSetting(name, setting, text, dev);
    if ('ok' in result) return result.ok;
    throw new ConfigError(result.problem, { setting: name, value: text, allowed: result.allowed });
  }

  #parseListeners(): readonly ListenerConfig[] {
    return parseListeners({
      listeners: this.get('listeners'),
      advertisedListeners: this.get('advertised.listeners'),
      securityProtocolMap: this.get('listener.security.protocol.map'),
      controllerListenerNames: this.get('controller.listener.names') ?? [],
      interBrokerListenerName: this.get('inter.broker.listener.name'),
      interBrokerSecurityProtocol: this.get('security.inter.broker.protocol'),
      hostName: this.hostName,
      originOf: (name) => this.origin(name),
      isGiven: (name) => this.isGiven(name),
      lenient: this.#isLenient(),
    });
  }

  #checkQuorum(): void {
    checkQuorum({
      nodeId: this.nodeId,
      roles: this.get('process.roles') ?? [],
      voters: this.get('controller.quorum.voters'),
      bootstrapServers: this.get('controller.quorum.bootstrap.servers'),
      listeners: this.listeners,
      hostName: this.hostName,
      originOf: (name) => this.origin(name),
      lenient: this.#isLenient(),
    });
  }

  /** Files from before KRaft name neither controller listeners nor voters, and dev needs none. */
  #isLenient(): boolean {
    return this.profile === 'dev' || this.#static.given.get('process.roles')?.origin.kind === 'profile';
  }
}

function replaceDirs(given: Map<string, Given>, dataDir: string): void {
  for (const name of ['log.dir', 'metadata.log.dir', 'cordoned.log.dirs']) given.delete(name);
  given.set('log.dirs', { text: dataDir, origin: { kind: 'override' } });
}

/** A file without process.roles is one for ZooKeeper's times: the node is both, and needs no controller listener. */
function applyRolesOfOldFiles(given: Map<string, Given>, profile: Profile): void {
  if (profile === 'dev') return;
  const origin: Origin = { kind: 'profile' };
  given.set('process.roles', { text: 'broker,controller', origin });
  if (!given.has('controller.listener.names'))
    given.set('controller.listener.names', { text: 'CONTROLLER', origin });
  if (!given.has('node.id')) {
    given.set('node.id', { text: '0', origin });
    given.set('broker.id', { text: '0', origin });
  }
}

function replacePort(given: Map<string, Given>, profile: Profile, port: number): void {
  const textOf = (name: BrokerSettingName) =>
    given.get(name)?.text ?? profileDefaults(profile)[name] ?? brokerSettings[name].defaultText ?? '';
  const controllers = textOf('controller.listener.names')
    .toUpperCase()
    .split(/\s*,\s*/);
  const nameOf = (entry: string) => (entry.split('://')[0] ?? '').trim().toUpperCase();
  const portOf = (entry: string) => entry.slice(entry.lastIndexOf(':') + 1).trim();
  const withPort = (entry: string) => `${entry.slice(0, entry.lastIndexOf(':'))}:${port}`;
  const entries = textOf('listeners').split(',');
  const at = entries.findIndex((entry) => !controllers.includes(nameOf(entry)));
  const old = entries[at];
  if (old === undefined) return;
  const origin: Origin = { kind: 'override' };
  given.set('listeners', { text: entries.with(at, withPort(old)).join(','), origin });
  const advertised = given.get('advertised.listeners');
  if (advertised === undefined) return;
  const moved = (entry: string) => nameOf(entry) === nameOf(old) && portOf(entry) === portOf(old);
  const text = advertised.text
    .split(',')
    .map((entry) => (moved(entry) ? withPort(entry) : entry))
    .join(',');
  given.set('advertised.listeners', { text, origin });
}

/** Every known setting that was given must be readable, and those without a default must be given. */
function checkEach(given: ReadonlyMap<string, Given>, profile: Profile): void {
  const dev = profile === 'dev';
  for (const [name, { text, origin }] of given) {
    const setting = brokerSetting(name) ?? brokerSetting(baseOfListenerKey(name) ?? '');
    if (setting === undefined) continue;
    const result = parseSetting(name, setting, text, dev);
    if ('ok' in result) continue;
    const value = setting.type === 'password' ? undefined : text;
    throw new ConfigError(result.problem, {
      setting: name,
      value,
      allowed: result.allowed,
      origin,
    });
  }
  for (const name of ['node.id', 'controller.listener.names', 'process.roles'] as const) {
    if (given.has(name) || Object.hasOwn(profileDefaults(profile), name)) continue;
    const result = defaultOf(name, brokerSettings[name], dev);
    if ('ok' in result) continue;
    throw new ConfigError(`${name} is missing, and has no default`, {
      setting: name,
      allowed: result.allowed,
    });
  }
}

function isUsableDynamic(name: string, text: string, level: 'broker' | 'cluster', profile: Profile): boolean {
  const setting = brokerSetting(name) ?? brokerSetting(baseOfListenerKey(name) ?? '');
  if (setting === undefined) return true;
  if (!isDynamicHere(name, level)) return false;
  return 'ok' in parseSetting(name, setting, text, profile === 'dev');
}
