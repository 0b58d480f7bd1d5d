import type { Logger } from '../base/ports.ts';
import type { BrokerConfig, DynamicConfigs } from './broker-config.ts';
import { type BrokerSettingName, brokerSetting } from './broker-settings/index.ts';
import { baseOfListenerKey, brokerSynonyms } from './synonyms.ts';

export type ConfigListener = (now: BrokerConfig, before: BrokerConfig) => void;

interface Subscription {
  readonly names: ReadonlySet<string>;
  readonly listener: ConfigListener;
}

/**
 * The settings of a running broker: what it was started with, and above it what the metadata log says (KIP-226). Who
 * reads a setting each time it matters asks `current`; who keeps something that was made from settings listens.
 */
export class DynamicConfig {
  readonly #started: BrokerConfig;
  readonly #logger: Logger;
  readonly #subscriptions: Subscription[] = [];
  #current: BrokerConfig;

  constructor(started: BrokerConfig, logger: Logger) {
    this.#started = started;
    this.#current = started;
    this.#logger = logger;
  }

  get current(): BrokerConfig {
    return this.#current;
  }

  /**
   * Calls `listener` after each change of one of these settings, or of one of them for a single listener. It stays as
   * long as the node.
   */
  onChange(names: Iterable<BrokerSettingName>, listener: ConfigListener): void {
    this.#subscriptions.push({ names: new Set(names), listener });
  }

  /** Takes all dynamic settings as they are now. */
  update(dynamic: DynamicConfigs): void {
    const before = this.#current;
    const now = this.#started.withDynamic(dynamic);
    this.#current = now;
    const ignored = now.ignoredDynamic.filter((name) => !before.ignoredDynamic.includes(name));
    if (ignored.length > 0) {
      const names = ignored.join(', ');
      this.#logger.error(`Dynamic settings that can't be used in this place are ignored: ${names}`);
    }
    const changed = changedNames(before.dynamic, now.dynamic);
    if (changed.length === 0) return;
    this.#tell(changed, now);
    const concerned = new Set(changed.flatMap((name) => brokerSynonyms(name)));
    for (const { names, listener } of this.#subscriptions) {
      if ([...concerned].some((name) => names.has(name))) listener(now, before);
    }
  }

  #tell(changed: readonly string[], now: BrokerConfig): void {
    const shown = changed.map((name) => `${name}=${shownText(name, now.dynamic)}`);
    this.#logger.info(`Dynamic settings changed: ${shown.join(', ')}`);
    const inVain = changed.filter((name) => {
      const setting = settingOf(name);
      return textOf(name, now.dynamic) !== undefined && setting !== undefined && !setting.effective;
    });
    if (inVain.length === 0) return;
    this.#logger.warn(`These settings are accepted but change nothing in this version: ${inVain.join(', ')}`);
  }
}

const settingOf = (name: string) => brokerSetting(name) ?? brokerSetting(baseOfListenerKey(name) ?? '');

const textOf = (name: string, { broker, cluster }: DynamicConfigs) => broker.get(name) ?? cluster.get(name);

/** What nobody knows might be a secret. */
function shownText(name: string, dynamic: DynamicConfigs): string {
  const text = textOf(name, dynamic);
  if (text === undefined) return '(not set)';
  const setting = settingOf(name);
  return setting === undefined || setting.type === 'password' ? '[hidden]' : text;
}

function changedNames(before: DynamicConfigs, now: DynamicConfigs): string[] {
  const names = new Set(
    [before, now].flatMap(({ broker, cluster }) => [...broker.keys(), ...cluster.keys()]),
  );
  return [...names].filter((name) => textOf(name, before) !== textOf(name, now)).sort();
}
