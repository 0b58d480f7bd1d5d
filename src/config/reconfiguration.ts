import type { BrokerConfig } from './broker-config.ts';
import type { BrokerSettingName } from './broker-settings/index.ts';
import { InvalidConfigError, withAllowed } from './config-error.ts';
import { topicDefault } from './log-config.ts';
import { topicSynonyms } from './topic-settings.ts';

/**
 * What must hold when a running broker's settings become `next`, beyond what must hold at a start (KIP-226). Throws
 * {@link InvalidConfigError}, INVALID_REQUEST as Kafka answers it.
 */
export function checkReconfiguration(before: BrokerConfig, next: BrokerConfig): void {
  for (const name of threadCounts) checkThreads(name, numberOf(before, name), numberOf(next, name));
  checkNetworkThreads(before, next);
  const changed = Object.values(topicSynonyms).some((name) => textOf(before, name) !== textOf(next, name));
  if (changed) checkTiers(next);
}

const threadCounts: readonly BrokerSettingName[] = [
  'num.io.threads',
  'num.replica.fetchers',
  'num.recovery.threads.per.data.dir',
  'background.threads',
  'log.cleaner.threads',
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
  const least = Math.trunc(old / 2);
  const most = old * 2;
  if (next >= least && next <= most) return;
  throw refused(
    `${name}=${next}: it is ${old} now, and one change may halve or double it`,
    `between ${Math.max(1, least)} and ${most}`,
  );
}

/** Each listener has threads of its own, so that one with a number of its own is not concerned by the common one. */
function checkNetworkThreads(before: BrokerConfig, next: BrokerConfig): void {
  const name = 'num.network.threads';
  for (const { name: listener, controller } of before.listeners) {
    if (controller) continue;
    checkThreads(name, before.getForListener(listener, name), next.getForListener(listener, name));
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
  if (keptExactly > -1n && (localExactly === -1n || localExactly > keptExactly)) {
    throw refused(
      `${local}=${localExactly}: more would stay here than ${retention} lets stay at all`,
      `at most ${kept}, or -2 for the same as ${retention}`,
    );
  }
  const stays = localExactly === -2n ? keptExactly : localExactly;
  if (lagExactly > 0n && stays >= 0n && lagExactly > stays) {
    const problem = `${lag}=${lagExactly}: records would go from here before they are copied`;
    throw refused(problem, `at most what ${local} comes to, ${stays}`);
  }
}

const refused = (problem: string, allowed: string) =>
  new InvalidConfigError(withAllowed(problem, allowed), 'INVALID_REQUEST');
