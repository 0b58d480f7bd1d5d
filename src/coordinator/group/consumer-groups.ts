import { Errors, ProtocolError } from '../../protocol/errors.ts';
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../protocol/messages/consumer-group-heartbeat.ts';
import type { CoordinatorResult } from '../runtime/result.ts';
import type { ShardContext } from '../runtime/shard.ts';
import type { ClassicGroup } from './classic-group.ts';
import { ClassicMembers } from './classic-members.ts';
import {
  type DescribedConsumerGroup,
  describeConsumerGroup,
  failedConsumerDescription,
} from './consumer-describe.ts';
import { ConsumerGroup } from './consumer-group.ts';
import { ConsumerHeartbeatHandler } from './consumer-heartbeat.ts';
import { ConsumerMembership } from './consumer-membership.ts';
import { ConsumerRebalance } from './consumer-rebalance.ts';
import type { ConsumerGroupRecord } from './consumer-records.ts';
import { ConsumerRegexes } from './consumer-regexes.ts';
import { replayConsumerGroup } from './consumer-replay.ts';
import type { GroupCoordinatorConfig } from './group-config.ts';
import type { GroupRequestContext, GroupResult, MemberIds } from './group-result.ts';
import type { GroupSettings } from './group-settings.ts';
import type { GroupTopics } from './group-topics.ts';
import { MemberTimers } from './member-timers.ts';
import { Migration } from './migration.ts';
import type { ClassicRebalance } from './rebalance.ts';
import { RebalanceLog } from './rebalance-log.ts';
import { type GroupRecord, groupTombstone } from './records.ts';
import type { TopicRegexResolver } from './regex/topic-regex-resolver.ts';

/** A group of either protocol. */
export type Group = ClassicGroup | ConsumerGroup;

export interface ConsumerGroupsOptions {
  readonly context: ShardContext<GroupRecord>;
  readonly config: GroupCoordinatorConfig;
  readonly memberIds: MemberIds;
  readonly topics: GroupTopics;
  readonly settingsOf: (groupId: string) => GroupSettings;
  /** All groups of the shard, by id. */
  readonly groups: Map<string, Group>;
  readonly classicRebalance: ClassicRebalance;
  readonly regexResolver: TopicRegexResolver;
}

/** The consumer groups of a shard: what their records say, and the handlers of their requests. */
export class ConsumerGroups {
  readonly #options: ConsumerGroupsOptions;
  readonly #timers: MemberTimers;
  readonly #log: RebalanceLog;
  readonly #rebalance: ConsumerRebalance;
  readonly #membership: ConsumerMembership;
  readonly #heartbeat: ConsumerHeartbeatHandler;
  readonly #migration: Migration;
  readonly #regexes: ConsumerRegexes;
  /** Requests of members that speak the classic protocol. */
  readonly classic: ClassicMembers;

  constructor(options: ConsumerGroupsOptions) {
    this.#options = options;
    const { context, config, memberIds, topics, settingsOf } = options;
    const groupOf = (groupId: string) => this.get(groupId);
    this.#timers = new MemberTimers(context);
    this.#log = new RebalanceLog(context);
    const rebalance = new ConsumerRebalance(context, config, topics, this.#log);
    const { groups, classicRebalance } = options;
    this.#migration = new Migration({
      context,
      config,
      topics,
      groups,
      timers: this.#timers,
      rebalance,
      classicRebalance,
    });
    this.#rebalance = rebalance;
    const refreshIntervalMs = config.consumerRegexRefreshIntervalMs;
    const regexes = new ConsumerRegexes({
      context,
      topics,
      rebalance,
      groupOf,
      refreshIntervalMs,
      resolver: options.regexResolver,
    });
    this.#regexes = regexes;
    this.#membership = new ConsumerMembership({
      context,
      settingsOf,
      groupOf,
      rebalance,
      regexes,
      timers: this.#timers,
      downgrade: (group, leaving) => {
        if (!this.#migration.mayDowngrade(group, leaving, 0)) return undefined;
        const names = leaving.map(({ memberId }) => memberId).join(', ');
        return this.#migration.downgrade(group, leaving, undefined, `${names} left`, []);
      },
    });
    this.classic = new ClassicMembers({
      context,
      config,
      settingsOf,
      topics,
      memberIds,
      rebalance,
      membership: this.#membership,
      migration: this.#migration,
      timers: this.#timers,
    });
    this.#heartbeat = new ConsumerHeartbeatHandler({
      context,
      config,
      settingsOf,
      memberIds,
      rebalance,
      membership: this.#membership,
      groupFor: (groupId, joins, into) => this.#groupFor(groupId, joins, into),
    });
  }

  // What records say.

  get(groupId: string): ConsumerGroup | undefined {
    const group = this.#options.groups.get(groupId);
    return group?.type === 'consumer' ? group : undefined;
  }

  /** The group that a record is of. One that only kept offsets gives way, for it has no record. */
  orNew(groupId: string): ConsumerGroup {
    const found = this.#options.groups.get(groupId);
    if (found?.type === 'consumer') return found;
    if (found !== undefined && !isSimple(found)) {
      throw new Error(`group ${groupId} is a classic group and can't have records of a consumer group`);
    }
    const group = new ConsumerGroup(groupId);
    this.#options.groups.set(groupId, group);
    return group;
  }

  delete(groupId: string): void {
    this.#options.groups.delete(groupId);
    this.#timers.cancelGroup(groupId);
    this.#log.forget(groupId);
  }

  replay(record: ConsumerGroupRecord): void {
    replayConsumerGroup(this, record);
    const group = this.get(record.key.groupId);
    // A member goes with several records, the last of them bumps the epoch.
    if (group !== undefined && record.value !== null) this.#log.changed(group);
  }

  onLoaded(): void {
    for (const group of this.#options.groups.values()) {
      if (group.type === 'consumer') this.#membership.startTimers(group);
    }
  }

  onUnloaded(): void {
    this.#regexes.cancel();
  }

  /** Topics were made, changed or deleted: who wants them looks again with the next heartbeat. */
  topicsChanged(names: ReadonlySet<string>): void {
    for (const group of this.#options.groups.values()) {
      if (group.type !== 'consumer' || group.needsMetadataRefresh) continue;
      for (const name of names) {
        if (!group.isSubscribedTo(name)) continue;
        group.needsMetadataRefresh = true;
        break;
      }
    }
  }

  // Requests.

  heartbeat(
    context: GroupRequestContext,
    request: ConsumerGroupHeartbeatRequest,
  ): CoordinatorResult<ConsumerGroupHeartbeatResponse, GroupRecord> {
    return this.#heartbeat.handle(context, request);
  }

  announce(context: GroupRequestContext, request: ConsumerGroupHeartbeatRequest): GroupResult {
    return this.#heartbeat.announce(context, request);
  }

  describe(groupId: string): DescribedConsumerGroup {
    const group = this.get(groupId);
    if (group === undefined) {
      const { code, message } = notFound(groupId);
      return failedConsumerDescription(groupId, code, message);
    }
    const assignor = this.#rebalance.preferredAssignor(group.members.values());
    return describeConsumerGroup(group, assignor, this.#options.topics);
  }

  #groupFor(groupId: string, joins: boolean, into: GroupRecord[]): ConsumerGroup {
    const group = this.#options.groups.get(groupId);
    if (group?.type === 'consumer') return group;
    if (!joins) throw notFound(groupId);
    if (group === undefined) return new ConsumerGroup(groupId);
    if (group.state !== 'Empty') return this.#migration.upgrade(group, this.#membership, into);
    into.push(groupTombstone(groupId));
    return new ConsumerGroup(groupId);
  }
}

/** A group that was made to keep offsets and has no record of its own. */
function isSimple(group: ClassicGroup): boolean {
  return group.protocolType === null && group.state === 'Empty' && group.pendingMembers.size === 0;
}

function notFound(groupId: string): ProtocolError {
  return new ProtocolError(Errors.GROUP_ID_NOT_FOUND, `there is no consumer group ${groupId}`);
}
