import type { ShardContext } from '../runtime/shard.ts';
import type { ConsumerGroup } from './consumer-group.ts';
import { type ConsumerGroupMember, regexOf, sameNames } from './consumer-member.ts';
import type { ConsumerRebalance } from './consumer-rebalance.ts';
import { type GroupResult, NOTHING } from './group-result.ts';
import type { GroupTopics } from './group-topics.ts';
import type { GroupRecord } from './records.ts';
import { TopicPattern } from './regex/topic-pattern.ts';
import type { Resolution, ResolvedPatterns, TopicRegexResolver } from './regex/topic-regex-resolver.ts';

/** Whether a member changed its regular expression, and whether it is known already which topics the new one matches. */
export type RegexChange = 'none' | 'updated' | 'resolved';

/** At most so often are the expressions of a group looked at, whatever happens to topics and members. */
const REFRESH_INTERVAL_MIN_MS = 10_000;

export interface ConsumerRegexesOptions {
  readonly context: ShardContext<GroupRecord>;
  readonly topics: GroupTopics;
  readonly rebalance: ConsumerRebalance;
  readonly groupOf: (groupId: string) => ConsumerGroup | undefined;
  readonly refreshIntervalMs: number;
  readonly resolver: TopicRegexResolver;
}

/** What was found, and with which metadata. */
interface Found {
  readonly resolved: ResolvedPatterns;
  readonly version: number;
  readonly timestampMs: number;
}

/**
 * Subscriptions by regular expression (KIP-848). All those of a group are looked at together, beside the requests, and
 * what they match is written at once, so that they cost one rebalance: when one is new, when topics were made, and now
 * and then.
 */
export class ConsumerRegexes {
  readonly #options: ConsumerRegexesOptions;
  /** By group: a look is under way. */
  readonly #pending = new Map<string, Resolution>();

  constructor(options: ConsumerRegexesOptions) {
    this.#options = options;
  }

  /** The shard is not here any more: nothing that is under way counts. */
  cancel(): void {
    for (const resolution of this.#pending.values()) resolution.cancel();
    this.#pending.clear();
  }

  /** Takes note of what the member wants now. Throws INVALID_REGULAR_EXPRESSION. */
  update(
    group: ConsumerGroup,
    oldRegex: string | undefined,
    after: ConsumerGroupMember,
    into: GroupRecord[],
  ): RegexChange {
    const newRegex = regexOf(after);
    let change: RegexChange = 'none';
    let isNew = false;
    if (oldRegex !== newRegex) {
      change = 'updated';
      const { groupId } = group;
      if (oldRegex !== undefined && group.subscribersOf(oldRegex) === 1) {
        const key = { groupId, regularExpression: oldRegex };
        into.push({ type: 'ConsumerGroupRegularExpression', key, value: null });
      }
      if (newRegex === undefined || group.regexes.has(newRegex)) change = 'resolved';
      else if (group.subscribersOf(newRegex) === 0) {
        // Throws where it is none.
        new TopicPattern(newRegex);
        isNew = true;
      }
    }
    this.#refreshWhereDue(group, oldRegex, newRegex, isNew);
    return change;
  }

  /** Members are gone: their expressions too, where nobody else has them. */
  forget(group: ConsumerGroup, members: readonly ConsumerGroupMember[], into: GroupRecord[]): void {
    const counts = new Map<string, number>();
    for (const member of members) {
      const regex = regexOf(member);
      if (regex !== undefined) counts.set(regex, (counts.get(regex) ?? 0) + 1);
    }
    for (const [regularExpression, count] of counts) {
      if (group.subscribersOf(regularExpression) !== count) continue;
      const key = { groupId: group.groupId, regularExpression };
      into.push({ type: 'ConsumerGroupRegularExpression', key, value: null });
    }
  }

  #refreshWhereDue(
    group: ConsumerGroup,
    oldRegex: string | undefined,
    newRegex: string | undefined,
    isNew: boolean,
  ): void {
    if (!isNew && group.wantedRegexes.size === 0) return;
    const { groupId } = group;
    if (this.#pending.has(groupId)) return;
    const { context, topics, refreshIntervalMs } = this.#options;
    const last = group.regexes.values().next().value;
    const nowMs = context.clock.wallMs();
    if (last !== undefined && nowMs <= last.timestampMs + REFRESH_INTERVAL_MIN_MS) return;
    const isDue =
      isNew ||
      last === undefined ||
      hasUnresolved(group, oldRegex, newRegex) ||
      last.version < topics.versionWithNewTopics ||
      nowMs > last.timestampMs + refreshIntervalMs;
    if (!isDue) return;
    this.#pending.set(groupId, this.#resolve(group, newRegex));
  }

  #resolve(group: ConsumerGroup, newRegex: string | undefined): Resolution {
    const { context, topics, resolver } = this.#options;
    const { groupId } = group;
    const { version } = topics;
    const timestampMs = context.clock.wallMs();
    const startMs = context.clock.monotonicMs();
    // What the member wants now is not in the group yet.
    const patterns = new Set(group.wantedRegexes.keys());
    if (newRegex !== undefined) patterns.add(newRegex);
    return resolver.resolve(patterns, topics.names(), (resolved) => {
      context.logger.debug(`Regular expressions of group ${groupId} were looked at`, {
        expressions: resolved.size,
        ms: Math.round(context.clock.monotonicMs() - startMs),
      });
      const write = context.timer('regular expressions of a group', () => {
        this.#pending.delete(groupId);
        return this.#take(groupId, { resolved, version, timestampMs });
      });
      write.arm(0);
    });
  }

  #take(groupId: string, { resolved: found, version, timestampMs }: Found): GroupResult {
    const { rebalance, groupOf } = this.#options;
    const group = groupOf(groupId);
    if (group === undefined) return NOTHING;
    const records: GroupRecord[] = [];
    const resolved = new Map(group.regexes);
    let hasChanged = false;
    for (const [regularExpression, matched] of found) {
      // Nobody wants it any more.
      if (!group.wantedRegexes.has(regularExpression)) continue;
      hasChanged ||= !sameNames(group.regexes.get(regularExpression)?.topics ?? new Set(), matched);
      resolved.set(regularExpression, { topics: matched, version, timestampMs });
      records.push({
        type: 'ConsumerGroupRegularExpression',
        key: { groupId, regularExpression },
        value: { topics: [...matched].sort(), version, timestamp: BigInt(timestampMs) },
      });
    }
    const hash = rebalance.metadataHash(group.subscribedTopicsOnce(resolved));
    if (hasChanged || hash !== group.metadataHash) {
      const reason = 'regular expressions match other topics';
      rebalance.bumpEpoch(group, group.epoch + 1, hash, reason, records);
      group.needsMetadataRefresh = false;
    }
    return { records, response: undefined };
  }
}

function hasUnresolved(
  group: ConsumerGroup,
  oldRegex: string | undefined,
  newRegex: string | undefined,
): boolean {
  if (newRegex !== undefined && !group.regexes.has(newRegex)) return true;
  for (const regex of group.wantedRegexes.keys()) {
    const isLeft = regex === oldRegex && regex !== newRegex && group.subscribersOf(regex) === 1;
    if (!isLeft && !group.regexes.has(regex)) return true;
  }
  return false;
}
