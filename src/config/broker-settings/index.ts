import type { Setting, ValueOf } from '../definition.ts';
import { groupsSettings } from './groups.ts';
import { logSettings } from './log.ts';
import { networkSettings } from './network.ts';
import { nodeSettings } from './node.ts';
import { ownSettings } from './own.ts';
import { quotasAndMetricsSettings } from './quotas-and-metrics.ts';
import { replicationSettings } from './replication.ts';
import { saslSettings } from './sasl.ts';
import { securitySettings } from './security.ts';
import { shareGroupsSettings } from './share-groups.ts';
import { sslSettings } from './ssl.ts';
import { tieredStorageSettings } from './tiered-storage.ts';
import { transactionsSettings } from './transactions.ts';

/** Every broker setting of Kafka 4.4, and our own, by name. */
export const brokerSettings = {
  ...transactionsSettings,
  ...networkSettings,
  ...logSettings,
  ...quotasAndMetricsSettings,
  ...securitySettings,
  ...replicationSettings,
  ...nodeSettings,
  ...tieredStorageSettings,
  ...groupsSettings,
  ...shareGroupsSettings,
  ...saslSettings,
  ...sslSettings,
  ...ownSettings,
} as const;

export type BrokerSettings = typeof brokerSettings;
export type BrokerSettingName = keyof BrokerSettings;
export type BrokerSettingValue<K extends BrokerSettingName> = ValueOf<BrokerSettings[K]>;

/** The declaration of `name`, or undefined where there is no such setting. */
export function brokerSetting(name: string): Setting | undefined {
  return Object.hasOwn(brokerSettings, name) ? brokerSettings[name as BrokerSettingName] : undefined;
}
