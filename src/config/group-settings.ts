import type { BrokerConfig } from './broker-config.ts';
import type { BrokerSettingName } from './broker-settings/index.ts';
import { range } from './checks.ts';
import { InvalidConfigError, withAllowed } from './config-error.ts';
import { int, type Setting } from './definition.ts';
import { parseSetting } from './value.ts';

/** The settings of a consumer group (KIP-848). What a group does not set it takes from the broker. */
export const groupSettings = {
  'consumer.assignment.interval.ms': int(1000, {
    check: range(0),
    effective: true,
    doc: 'Shortest time between two assignments of the group.',
  }),
  'consumer.heartbeat.interval.ms': int(5000, {
    check: range(1),
    effective: true,
    doc: 'Heartbeat interval given to the members of the group.',
  }),
  'consumer.session.timeout.ms': int(45000, {
    check: range(1),
    effective: true,
    doc: 'After this time without a heartbeat a member of the group is removed.',
  }),
} as const;

export type GroupSettingName = keyof typeof groupSettings;

export const groupSettingNames = Object.keys(groupSettings).sort() as readonly GroupSettingName[];

/** What a group has that sets nothing. */
export const groupSynonyms = {
  'consumer.assignment.interval.ms': 'group.consumer.assignment.interval.ms',
  'consumer.heartbeat.interval.ms': 'group.consumer.heartbeat.interval.ms',
  'consumer.session.timeout.ms': 'group.consumer.session.timeout.ms',
} as const satisfies Record<GroupSettingName, BrokerSettingName>;

interface Limits {
  /** What a group has that sets nothing. */
  readonly plain: number;
  readonly min: number;
  readonly max: number;
}

/** In ms. */
function limitsOf(name: GroupSettingName, broker: BrokerConfig): Limits {
  switch (name) {
    case 'consumer.assignment.interval.ms':
      return {
        plain: broker.get('group.consumer.assignment.interval.ms'),
        min: broker.get('group.consumer.min.assignment.interval.ms'),
        max: broker.get('group.consumer.max.assignment.interval.ms'),
      };
    case 'consumer.heartbeat.interval.ms':
      return {
        plain: broker.get('group.consumer.heartbeat.interval.ms'),
        min: broker.get('group.consumer.min.heartbeat.interval.ms'),
        max: broker.get('group.consumer.max.heartbeat.interval.ms'),
      };
    case 'consumer.session.timeout.ms':
      return {
        plain: broker.get('group.consumer.session.timeout.ms'),
        min: broker.get('group.consumer.min.session.timeout.ms'),
        max: broker.get('group.consumer.max.session.timeout.ms'),
      };
  }
}

function isGroupSetting(name: string): name is GroupSettingName {
  return Object.hasOwn(groupSettings, name);
}

/** The value of a setting in a group that has set these, in ms: its own within the broker's bounds, or the broker's. */
export function groupValueMs(
  name: GroupSettingName,
  own: ReadonlyMap<string, string>,
  broker: BrokerConfig,
): number {
  const text = own.get(name);
  const { plain, min, max } = limitsOf(name, broker);
  // What was set stays within bounds that a restart has changed since.
  return text === undefined ? plain : Math.min(Math.max(parsed(name, text, broker), min), max);
}

/** Checks all settings that a group would have. Throws {@link InvalidConfigError} for the first that can't be. */
export function validateGroupConfigs(configs: ReadonlyMap<string, string>, broker: BrokerConfig): void {
  for (const [name, text] of configs) {
    if (!isGroupSetting(name)) {
      const known = groupSettingNames.join(', ');
      throw new InvalidConfigError(`Groups have no setting ${name} on this broker, only ${known}.`);
    }
    const value = parsed(name, text, broker);
    const { min, max } = limitsOf(name, broker);
    if (value >= min && value <= max) continue;
    const [before, after] = groupSynonyms[name].split('consumer.');
    const bounds = `${before}consumer.min.${after}=${min} to ${before}consumer.max.${after}=${max}`;
    throw new InvalidConfigError(withAllowed(`${name}=${value}: it is out of bounds`, bounds));
  }
  const sessionMs = groupValueMs('consumer.session.timeout.ms', configs, broker);
  const heartbeatMs = groupValueMs('consumer.heartbeat.interval.ms', configs, broker);
  if (sessionMs > heartbeatMs) return;
  throw new InvalidConfigError(
    withAllowed(
      `consumer.session.timeout.ms=${sessionMs}: no heartbeat would come in time`,
      `more than consumer.heartbeat.interval.ms=${heartbeatMs}`,
    ),
  );
}

function parsed(name: GroupSettingName, text: string, broker: BrokerConfig): number {
  const setting: Setting = groupSettings[name];
  const result = parseSetting(name, setting, text, broker.profile === 'dev');
  if ('problem' in result) throw new InvalidConfigError(withAllowed(result.problem, result.allowed));
  return Number(result.ok.text);
}
