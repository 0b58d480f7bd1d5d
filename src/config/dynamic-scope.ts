import { type BrokerSettingName, brokerSetting } from './broker-settings/index.ts';
import { baseOfListenerKey } from './synonyms.ts';

/** Security settings that can be changed for one listener only, under its prefix. */
const onlyForListeners: readonly string[] = [
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

/** Settings for one listener that all brokers may have in common. */
const clusterLevelForListeners: readonly string[] = [
  'max.connections',
  'max.connection.creation.rate',
  'num.network.threads',
];

/** Dynamic in Kafka; here read at start alone, and only from the properties. */
export const startOnly: readonly BrokerSettingName[] = ['listeners', 'listener.security.protocol.map'];

export const isReadOnly = (name: string): boolean => brokerSetting(name)?.dynamic === 'read-only';

export const isOnlyForListeners = (name: string): boolean => onlyForListeners.includes(name);

/** Whether it can't be a dynamic setting of all brokers. */
export function isPerBroker(name: string): boolean {
  if (brokerSetting(name)?.dynamic === 'per-broker') return true;
  const base = baseOfListenerKey(name);
  return base !== undefined && !clusterLevelForListeners.includes(base);
}

/** Whether a dynamic value of this level counts here. Unknown names do. */
export function isDynamicHere(name: string, level: 'broker' | 'cluster'): boolean {
  if (isReadOnly(name) || isOnlyForListeners(name)) return false;
  if (startOnly.some((one) => one === name)) return false;
  return level === 'broker' || !isPerBroker(name);
}
