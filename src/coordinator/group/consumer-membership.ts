import { Errors, ProtocolError } from '../../protocol/errors.ts';
import type { ShardContext } from '../runtime/shard.ts';
import { type ConsumerGroup, unknownMember } from './consumer-group.ts';
import {
  type ConsumerGroupMember,
  currentAssignmentRecord,
  LEAVE_GROUP_STATIC_MEMBER_EPOCH,
  MemberState,
  newMember,
  regexOf,
  sameNames,
  sameSubscription,
  subscriptionRecord,
} from './consumer-member.ts';
import type { ConsumerRebalance } from './consumer-rebalance.ts';
import type { ConsumerRegexes, RegexChange } from './consumer-regexes.ts';
import type { GroupResult } from './group-result.ts';
import { NOTHING } from './group-result.ts';
import type { GroupSettings } from './group-settings.ts';
import type { MemberTimers } from './member-timers.ts';
import type { GroupRecord } from './records.ts';

/** What a change of a member's subscription asks for. */
export interface SubscriptionChange {
  readonly hasChanged: boolean;
  /** Why the group epoch is bumped; undefined where it need not be. */
  readonly bumpReason: string | undefined;
}

export interface ConsumerMembershipOptions {
  readonly context: ShardContext<GroupRecord>;
  readonly settingsOf: (groupId: string) => GroupSettings;
  readonly groupOf: (groupId: string) => ConsumerGroup | undefined;
  readonly rebalance: ConsumerRebalance;
  readonly regexes: ConsumerRegexes;
  readonly timers: MemberTimers;
  /** Turns the group into a classic one where only members of that protocol would be left. */
  readonly downgrade: (
    group: ConsumerGroup,
    leaving: readonly ConsumerGroupMember[],
  ) => GroupResult | undefined;
}

/** Who is a member of a consumer group, by whichever protocol, and until when. */
export class ConsumerMembership {
  readonly #options: ConsumerMembershipOptions;

  constructor(options: ConsumerMembershipOptions) {
    this.#options = options;
  }

  /** The member of that id, or a new one where it may join. Throws UNKNOWN_MEMBER_ID. */
  dynamicMember(group: ConsumerGroup, memberId: string, joins: boolean): ConsumerGroupMember {
    return joins ? (group.members.get(memberId) ?? newMember(memberId)) : group.member(memberId);
  }

  /** The static member that names itself. Throws UNKNOWN_MEMBER_ID and FENCED_INSTANCE_ID. */
  knownStaticMember(group: ConsumerGroup, memberId: string, instanceId: string): ConsumerGroupMember {
    const member = group.staticMember(instanceId);
    if (member === undefined) throw unknownMember(instanceId, group.groupId);
    if (member.memberId !== memberId) {
      const text = `${memberId} was replaced as ${instanceId} by member ${member.memberId}`;
      throw new ProtocolError(Errors.FENCED_INSTANCE_ID, text);
    }
    return member;
  }

  /** A static member that joins: a new one, or one that takes over all that the one before it had. */
  joiningStaticMember(
    group: ConsumerGroup,
    memberId: string,
    instanceId: string,
    usesClassicProtocol: boolean,
    into: GroupRecord[],
  ): ConsumerGroupMember {
    const existing = group.staticMember(instanceId);
    if (existing === undefined) return group.members.get(memberId) ?? newMember(memberId);
    const mustBeAway = !usesClassicProtocol && existing.classic === null;
    if (mustBeAway && existing.memberEpoch !== LEAVE_GROUP_STATIC_MEMBER_EPOCH) {
      const text = `${instanceId} is held by member ${existing.memberId}, which has not left`;
      throw new ProtocolError(Errors.UNRELEASED_INSTANCE_ID, text);
    }
    const { groupId } = group;
    const member = { ...existing, memberId, memberEpoch: 0, previousMemberEpoch: 0 };
    // Its timers find nobody when they are due.
    into.push(
      ...removalRecords(groupId, existing.memberId),
      subscriptionRecord(groupId, member),
      {
        type: 'ConsumerGroupTargetAssignmentMember',
        key: { groupId, memberId },
        value: {
          topicPartitions: Array.from(group.targetOf(existing.memberId), ([topicId, partitions]) => ({
            topicId,
            partitions: [...partitions],
          })),
        },
      },
      currentAssignmentRecord(groupId, member),
    );
    this.#options.context.logger.info(`Static member ${instanceId} of group ${groupId} came back`, {
      memberId,
      replaces: existing.memberId,
    });
    return member;
  }

  /** Writes what the member wants where that is new. */
  subscribe(
    group: ConsumerGroup,
    before: ConsumerGroupMember,
    after: ConsumerGroupMember,
    into: GroupRecord[],
  ): SubscriptionChange {
    let hasNewNames = false;
    if (after !== before && !sameSubscription(before, after)) {
      into.push(subscriptionRecord(group.groupId, after));
      hasNewNames = !sameNames(before.subscribedTopicNames, after.subscribedTopicNames);
    }
    const regex: RegexChange = this.#options.regexes.update(group, regexOf(before), after, into);
    const isNew = !group.members.has(after.memberId);
    const what = isNew ? 'is new' : 'changed its subscription';
    return {
      hasChanged: hasNewNames || regex !== 'none',
      bumpReason: hasNewNames || regex === 'resolved' ? `member ${after.memberId} ${what}` : undefined,
    };
  }

  /** The member was heard of. */
  touchSession(groupId: string, memberId: string, sessionTimeoutMs: number): void {
    this.#options.timers.arm(groupId, memberId, 'session', sessionTimeoutMs, () =>
      this.expire(groupId, memberId, 'was not heard of in time'),
    );
  }

  /** A member that must give partitions back has its rebalance timeout for it. */
  watchRevocation(group: ConsumerGroup, member: ConsumerGroupMember): void {
    const { groupId } = group;
    const { memberId, memberEpoch, rebalanceTimeoutMs } = member;
    const { timers } = this.#options;
    if (member.state !== MemberState.UNREVOKED_PARTITIONS) {
      timers.cancel(groupId, memberId, 'rebalance');
      return;
    }
    timers.arm(groupId, memberId, 'rebalance', rebalanceTimeoutMs, () => {
      const now = this.#options.groupOf(groupId)?.members.get(memberId);
      if (now?.memberEpoch !== memberEpoch) return NOTHING;
      return this.expire(groupId, memberId, 'did not give its partitions back in time');
    });
  }

  /** The shard was loaded: sessions begin now. */
  startTimers(group: ConsumerGroup): void {
    const { sessionTimeoutMs } = this.#options.settingsOf(group.groupId);
    for (const member of group.members.values()) {
      const timeoutMs = member.classic?.sessionTimeoutMs ?? sessionTimeoutMs;
      this.touchSession(group.groupId, member.memberId, timeoutMs);
      if (member.state === MemberState.UNREVOKED_PARTITIONS && member.classic === null) {
        this.watchRevocation(group, member);
      }
    }
  }

  /** A deadline of the member is over. */
  expire(groupId: string, memberId: string, what: string): GroupResult {
    const group = this.#options.groupOf(groupId);
    const member = group?.members.get(memberId);
    if (group === undefined || member === undefined) return NOTHING;
    this.#options.context.logger.info(`Member ${memberId} of group ${groupId} ${what}`, {
      memberEpoch: member.memberEpoch,
    });
    return this.fence(group, [member], `member ${memberId} ${what}`);
  }

  /** Takes members out of the group. Their partitions are free, and the others get a new target. */
  fence(group: ConsumerGroup, members: readonly ConsumerGroupMember[], reason: string): GroupResult {
    if (members.length === 0) return NOTHING;
    const downgraded = this.#options.downgrade(group, members);
    if (downgraded !== undefined) return downgraded;
    const { rebalance, regexes, timers } = this.#options;
    const records: GroupRecord[] = [];
    const gone = new Set(members.map(({ memberId }) => memberId));
    for (const memberId of gone) records.push(...removalRecords(group.groupId, memberId));
    regexes.forget(group, members, records);
    const hash = rebalance.metadataHash(group.subscribedTopicsWithout(members));
    rebalance.bumpEpoch(group, group.epoch + 1, hash, reason, records);
    for (const memberId of gone) timers.cancelMember(group.groupId, memberId);
    return { records, response: undefined };
  }
}

/** Takes a member away: what it has, what it shall have, and what it wants. */
export function removalRecords(groupId: string, memberId: string): GroupRecord[] {
  const key = { groupId, memberId };
  return [
    { type: 'ConsumerGroupCurrentMemberAssignment', key, value: null },
    { type: 'ConsumerGroupTargetAssignmentMember', key, value: null },
    { type: 'ConsumerGroupMemberMetadata', key, value: null },
  ];
}

/** Takes an empty group away, or all that is left of one. */
export function groupTombstones(group: ConsumerGroup): GroupRecord[] {
  const { groupId } = group;
  const records: GroupRecord[] = [];
  const members = [...group.members.keys()];
  for (const memberId of members)
    records.push({
      type: 'ConsumerGroupCurrentMemberAssignment',
      key: { groupId, memberId },
      value: null,
    });
  for (const memberId of group.target.keys())
    records.push({
      type: 'ConsumerGroupTargetAssignmentMember',
      key: { groupId, memberId },
      value: null,
    });
  records.push({ type: 'ConsumerGroupTargetAssignmentMetadata', key: { groupId }, value: null });
  for (const memberId of members)
    records.push({ type: 'ConsumerGroupMemberMetadata', key: { groupId, memberId }, value: null });
  for (const regularExpression of group.regexes.keys())
    records.push({
      type: 'ConsumerGroupRegularExpression',
      key: { groupId, regularExpression },
      value: null,
    });
  if (group.hasPartitionMetadataRecord)
    records.push({ type: 'ConsumerGroupPartitionMetadata', key: { groupId }, value: null });
  records.push({ type: 'ConsumerGroupMetadata', key: { groupId }, value: null });
  return records;
}
