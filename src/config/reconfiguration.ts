import type { BrokerConfig } from './broker-config.ts';
import type { BrokerSettingName } from './broker-settings/index.ts';
import { InvalidConfigError } from './config-error.ts';
import { topicDefault } from './log-config.ts';
import { topicSynonyms } from './topic-settings.ts';

/**
 * What must hold when a running broker's settings become `next`, beyond what must hold at a start (KIP-226). Throws
 * {@link InvalidConfigError}, INVALID_REQUEST as Kafka answers it, with its words.
 */
export function checkReconfiguration(before: BrokerConfig, next: BrokerConfig): void {
  for (const name of threadCounts) checkThreads(name, numberOf(before, name), numberOf(next, name));
  checkNetworkThreads(before, next);
  checkCleanerThreads(before.get('log.cleaner.threads'), next.get('log.cleaner.threads'));
  const changed = Object.values(topicSynonyms).some((name) => textOf(before, name) !== textOf(next, name));
  if (changed) checkTiers(next);
}

const threadCounts: readonly BrokerSettingName[] = [
  'num.io.threads',
  'num.replica.fetchers',
  'num.recovery.threads.per.data.dir',
  'background.threads',
  'remote.log.reader.threads',
  'remote.log.manager.copier.thread.pool.size',
  'remote.log.manager.expiration.thread.pool.size',
  'remote.log.manager.follower.thread.pool.size',
];

const numberOf = (config: BrokerConfig, name: BrokerSettingName) => config.get(name) as number;
const textOf = (config: BrokerConfig, name: BrokerSettingName) => config.parsed(name).text;

/** Kafka changes a number of threads by at most a factor of two at a time. */
function checkThreads(name: string, old: number, next: number): void {
  if (next === old) return;
  const failed = `Dynamic thread count update validation failed for ${name}=${next}`;
  if (next < Math.trunc(old / 2)) {
    throw refused(`${failed}, value should be at least half the current value ${old}`);
  }
  if (next > old * 2) {
    throw refused(`${failed}, value should not be greater than double the current value ${old}`);
  }
}

/** Each listener has threads of its own, so that one with a number of its own is not concerned by the common one. */
function checkNetworkThreads(before: BrokerConfig, next: BrokerConfig): void {
  const name = 'num.network.threads';
  for (const { name: listener, controller } of before.listeners) {
    if (controller) continue;
    checkThreads(name, before.getForListener(listener, name), next.getForListener(listener, name));
  }
}

function checkCleanerThreads(old: number, next: number): void {
  if (next < Math.trunc(old / 2)) {
    throw refused(`Log cleaner threads cannot be reduced to less than half the current value ${old}`);
  }
  if (next > old * 2) {
    throw refused(`Log cleaner threads cannot be increased to more than double the current value ${old}`);
  }
}

/** What stays here of a log in remote storage is part of what stays at all, and is not dropped before it was copied. */
function checkTiers(next: BrokerConfig): void {
  const retentionMs = topicDefault('retention.ms', next).text ?? '-1';
  checkTier(next, {
    retention: 'log.retention.ms',
    kept: retentionMs,
    local: 'log.local.retention.ms',
    lag: 'log.remote.copy.lag.ms',
  });
  checkTier(next, {
    retention: 'log.retention.bytes',
    kept: textOf(next, 'log.retention.bytes') ?? '-1',
    local: 'log.local.retention.bytes',
    lag: 'log.remote.copy.lag.bytes',
  });
}

interface Tier {
  readonly retention: string;
  /** The value of `retention`; -1: no limit. */
  readonly kept: string;
  readonly local: BrokerSettingName;
  readonly lag: BrokerSettingName;
}

function checkTier(next: BrokerConfig, { retention, kept, local, lag }: Tier): void {
  const keptExactly = BigInt(kept);
  const localExactly = BigInt(textOf(next, local) ?? '-2');
  const lagExactly = BigInt(textOf(next, lag) ?? '0');
  if (keptExactly > -1n && localExactly !== -2n) {
    const failed = `Invalid value ${localExactly} for configuration ${local}: Value must not be`;
    if (localExactly === -1n) throw refused(`${failed} -1 as ${retention} value is set as ${kept}.`);
    if (localExactly > keptExactly) {
      throw refused(`${failed} more than ${retention} property value: ${kept}`);
    }
  }
  const stays = localExactly === -2n ? keptExactly : localExactly;
  if (lagExactly > 0n && stays >= 0n && lagExactly > stays) {
    const failed = `Invalid value ${lagExactly} for configuration ${lag}`;
    throw refused(`${failed}: Value must not exceed ${local} (effective value: ${stays})`);
  }
}

const refused = (message: string) => new InvalidConfigError(message, 'INVALID_REQUEST');
