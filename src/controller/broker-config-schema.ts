import type { BrokerConfig } from '../config/broker-config.ts';
import { brokerSetting } from '../config/broker-settings/index.ts';
import { InvalidConfigError } from '../config/config-error.ts';
import { describeTopicConfig } from '../config/describe.ts';
import { validateGroupConfigs } from '../config/group-settings.ts';
import { logSettingOf } from '../config/log-config.ts';
import { topicSetting } from '../config/topic-settings.ts';
import { isListSetting, validateTopicConfigs } from '../config/validation.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';
import type { ConfigSchema, EffectiveConfig, ValidatedResource } from './ports.ts';

/** The settings of `src/config` as the controller sees them; `config` gives the broker's settings as they are now. */
export function brokerConfigSchema(config: () => BrokerConfig): ConfigSchema {
  const plainTopic = new PlainTopicConfigs();
  return {
    validate(resource, _name, configs) {
      try {
        if (resource === 'topic') validateTopicConfigs(configs, config());
        else if (resource === 'group') validateGroupConfigs(configs, config());
        // Each broker checks its own settings before it sends them on: only it knows what it was started with.
        else if (!isBroker(resource)) refuseUnserved(configs);
      } catch (error) {
        if (!(error instanceof InvalidConfigError)) throw error;
        throw new ProtocolError(Errors[error.errorName], error.message);
      }
    },
    isList: (resource, name) =>
      resource === 'topic'
        ? isListSetting('topic', name)
        : isBroker(resource) && isListSetting('broker', name),
    defaultText(resource, name) {
      const setting = resource === 'topic' ? topicSetting(name) : brokerSetting(name);
      return setting?.defaultText ?? undefined;
    },
    effectiveTopicConfigs: (overrides) =>
      overrides.size === 0 ? plainTopic.of(config()) : effectiveConfigs(overrides, config()),
    uncleanLeaderElection: (overrides) => logSettingOf('unclean.leader.election.enable', config(), overrides),
    minInsyncReplicas: (overrides) => logSettingOf('min.insync.replicas', config(), overrides),
  };
}

/** The settings of a topic that sets none itself: the same rows for all of them, until the broker's settings change. */
class PlainTopicConfigs {
  #config: BrokerConfig | undefined;
  #rows: readonly EffectiveConfig[] = [];

  of(config: BrokerConfig): readonly EffectiveConfig[] {
    if (this.#config !== config) {
      this.#config = config;
      this.#rows = effectiveConfigs(new Map(), config);
    }
    return this.#rows;
  }
}

function effectiveConfigs(overrides: ReadonlyMap<string, string>, config: BrokerConfig): EffectiveConfig[] {
  return describeTopicConfig(overrides, config).map(
    ({ name, value, readOnly, configSource, isSensitive }) => ({
      name,
      value,
      readOnly,
      configSource,
      isSensitive,
    }),
  );
}

const isBroker = (resource: ValidatedResource) => resource === 'broker' || resource === 'cluster';

/** Client metrics have no settings here yet; taking one would promise an effect. */
function refuseUnserved(configs: ReadonlyMap<string, string>): void {
  const [name] = configs.keys();
  if (name === undefined) return;
  throw new ProtocolError(Errors.INVALID_CONFIG, `Unknown client metrics configuration: ${name}`);
}
