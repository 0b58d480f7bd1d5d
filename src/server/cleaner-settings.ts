import type { BrokerConfig } from '../config/broker-config.ts';
import type { BrokerSettingName } from '../config/broker-settings/index.ts';
import type { CleanerSettings } from '../log/index.ts';

/** What the cleaner must be told of when it changes; it reads the rest each time. */
export const CLEANER_SETTINGS: readonly BrokerSettingName[] = [
  'log.cleaner.backoff.ms',
  'log.cleaner.io.max.bytes.per.second',
  'log.cleaner.threads',
];

export const cleanerSettingsOf = (config: BrokerConfig): CleanerSettings => ({
  enabled: config.get('log.cleaner.enable'),
  threads: config.get('log.cleaner.threads'),
  backoffMs: config.get('log.cleaner.backoff.ms'),
  dedupeBufferBytes: config.get('log.cleaner.dedupe.buffer.size'),
  ioBufferBytes: config.get('log.cleaner.io.buffer.size'),
  bytesPerSecondMax: config.get('log.cleaner.io.max.bytes.per.second'),
  loadFactor: config.get('log.cleaner.io.buffer.load.factor'),
});
