import type { Uuid } from '../../base/uuid.ts';
import { Errors, ProtocolError } from '../../protocol/errors.ts';
import type { ShardContext } from '../runtime/shard.ts';
import { ClassicGroup, CONSUMER_PROTOCOL_TYPE } from './classic-group.ts';
import { ClassicGroupMember } from './classic-member.ts';
import { ConsumerGroup } from './consumer-group.ts';
import type { Group } from './consumer-groups.ts';
import {
  type ConsumerGroupMember,
  currentAssignmentRecord,
  heldPartitions,
  MemberState,
  NO_PARTITIONS,
  newMember,
  subscriptionRecord,
} from './consumer-member.ts';
import { type ConsumerMembership, groupTombstones, removalRecords } from './consumer-membership.ts';
import type { ConsumerRebalance } from './consumer-rebalance.ts';
import { byTopicId, readAssignment, readSubscription, writeAssignment } from './embedded-protocol.ts';
import type { GroupCoordinatorConfig } from './group-config.ts';
import type { GroupResult } from './group-result.ts';
import type { GroupTopics } from './group-topics.ts';
import type { MemberTimers } from './member-timers.ts';
import { type ClassicRebalance, joinFailure, syncFailure } from './rebalance.ts';
import { type GroupRecord, groupTombstone } from './records.ts';

export interface MigrationOptions {
  readonly context: ShardContext<GroupRecord>;
  readonly config: GroupCoordinatorConfig;
  readonly topics: GroupTopics;
  readonly groups: Map<string, Group>;
  readonly timers: MemberTimers;
  readonly rebalance: ConsumerRebalance;
  readonly classicRebalance: ClassicRebalance;
}

/** Turns a group from one protocol to the other while its members stay (KIP-848, `group.consumer.migration.policy`). */
export class Migration {
  readonly #options: MigrationOptions;

  constructor(options: MigrationOptions) {
    this.#options = options;
  }

  /**
   * A classic group whose first member of the consumer protocol joins. All others go on with what they have, and are
   * asked to join again when the new target is made. Adds the records; throws GROUP_ID_NOT_FOUND where it can't be.
   */
  upgrade(classic: ClassicGroup, membership: ConsumerMembership, into: GroupRecord[]): ConsumerGroup {
    const { groupId, generationId } = classic;
    this.#checkUpgrade(classic);
    const members = Array.from(classic.members(), (member) => this.#upgraded(classic, member));
    const group = new ConsumerGroup(groupId);
    group.setAssignmentEpoch(generationId, 0);
    for (const { member, target } of members) {
      group.setTarget(member.memberId, target);
      group.updateMember(member.memberId, () => member);
    }
    group.setEpoch(generationId, this.#options.rebalance.metadataHash(group.subscribedTopics));
    this.#askToJoinAgain(classic);
    into.push(groupTombstone(groupId), ...groupRecords(group));
    for (const { memberId, classic: own } of group.members.values()) {
      if (own !== null) membership.touchSession(groupId, memberId, own.sessionTimeoutMs);
    }
    this.#options.context.logger.info(`Group ${groupId} turns from a classic into a consumer group`, {
      epoch: generationId,
      members: group.size,
    });
    return group;
  }

  /** Whether the group becomes a classic one when these leave, or are replaced by one of that protocol. */
  mayDowngrade(group: ConsumerGroup, leaving: readonly ConsumerGroupMember[], joining: number): boolean {
    const { config, context } = this.#options;
    const classicLeaving = leaving.filter(({ classic }) => classic !== null).length;
    const size = group.size - leaving.length + joining;
    const isAllClassic = group.classicCount - classicLeaving + joining === size;
    // A classic member that takes the place of one changes nothing.
    if (!isAllClassic || size === 0 || (joining > 0 && classicLeaving > 0)) return false;
    const policy = config.consumerMigrationPolicy;
    if (policy === 'disabled' || policy === 'upgrade') {
      context.logger.info(`Group ${group.groupId} stays a consumer group`, { policy });
      return false;
    }
    if (size <= config.maxSize) return true;
    context.logger.info(`Group ${group.groupId} stays a consumer group: it is too large for a classic one`, {
      members: size,
      max: config.maxSize,
    });
    return false;
  }

  /**
   * Turns a consumer group that has only members of the classic protocol left into a classic group. The records stand
   * behind those of the request, and all together are not replayed: the new group is in place already. It rebalances
   * where a reason is given; else all members must have what they shall have.
   */
  downgrade(
    group: ConsumerGroup,
    leaving: readonly ConsumerGroupMember[],
    joining: ConsumerGroupMember | undefined,
    reason: string | undefined,
    before: readonly GroupRecord[],
  ): GroupResult {
    const { groups, timers, classicRebalance, context } = this.#options;
    const { groupId } = group;
    const classic = this.#downgraded(group, leaving, joining);
    const records = [
      ...before,
      ...(joining === undefined ? [] : removalRecords(groupId, joining.memberId)),
      ...groupTombstones(group),
      reason === undefined ? classic.toRecord(new Map()) : classic.toRecordBeforeRebalance(),
    ];
    timers.cancelGroup(groupId);
    groups.set(groupId, classic);
    for (const member of classic.members()) classicRebalance.touchSession(classic, member);
    context.logger.info(`Group ${groupId} turns from a consumer into a classic group`, {
      generation: classic.generationId,
      members: classic.size,
    });
    // Its members have not joined yet: this writes nothing.
    if (reason !== undefined) classicRebalance.prepare(classic, reason);
    const settled = (error: ProtocolError | undefined): void => {
      if (error?.code !== Errors.RECORD_LIST_TOO_LARGE) return;
      // Nothing was written: the group is what it was.
      classic.cancelTimers();
      groups.set(groupId, group);
    };
    return { records, replay: false, response: undefined, settled };
  }

  #checkUpgrade(classic: ClassicGroup): void {
    const { consumerMigrationPolicy: policy, consumerMaxSize } = this.#options.config;
    const { groupId } = classic;
    if (policy === 'disabled' || policy === 'downgrade')
      throw cantUpgrade(groupId, `the policy is ${policy}`);
    if (classic.protocolType !== CONSUMER_PROTOCOL_TYPE)
      throw cantUpgrade(groupId, 'it is not one of consumers');
    if (classic.size > consumerMaxSize)
      throw cantUpgrade(groupId, `it has ${classic.size} members of at most ${consumerMaxSize}`);
  }

  #upgraded(
    classic: ClassicGroup,
    member: ClassicGroupMember,
  ): { member: ConsumerGroupMember; target: ReadonlyMap<Uuid, readonly number[]> } {
    const { groupId, generationId, protocolName } = classic;
    const protocol = protocolName ?? member.protocols[0]?.name ?? null;
    const subscription = readSubscription(member.metadataFor(protocol));
    // Who has not synced yet has nothing.
    const assignment = member.assignment.length === 0 ? undefined : readAssignment(member.assignment);
    if (subscription === undefined || (assignment === undefined && member.assignment.length > 0))
      throw cantUpgrade(groupId, `what member ${member.memberId} wrote can't be read`);
    if ((assignment?.userData?.length ?? 0) > 0)
      throw cantUpgrade(groupId, 'its assignor keeps data of its own in assignments, which would be lost');
    const assigned = new Map<Uuid, ReadonlyMap<number, number>>();
    const target = new Map<Uuid, readonly number[]>();
    const { topics } = this.#options;
    for (const { topicId, partitions } of byTopicId(assignment?.assignedPartitions ?? [], topics)) {
      if (partitions.length === 0) continue;
      target.set(
        topicId,
        [...partitions].sort((a, b) => a - b),
      );
      assigned.set(topicId, new Map(partitions.map((partition) => [partition, generationId] as const)));
    }
    return {
      target,
      member: {
        ...newMember(member.memberId),
        memberEpoch: generationId,
        previousMemberEpoch: generationId,
        state: MemberState.STABLE,
        instanceId: member.groupInstanceId,
        rackId: subscription.rackId === '' ? null : subscription.rackId,
        rebalanceTimeoutMs: member.rebalanceTimeoutMs,
        clientId: member.clientId,
        clientHost: member.clientHost,
        subscribedTopicNames: new Set(subscription.topics),
        assigned,
        pendingRevocation: NO_PARTITIONS,
        classic: {
          sessionTimeoutMs: member.sessionTimeoutMs,
          supportedProtocols: member.protocols.map(({ name, metadata }) => ({ name, metadata })),
        },
      },
    };
  }

  /** Whoever waits for the rebalance that was under way joins the next one. */
  #askToJoinAgain(classic: ClassicGroup): void {
    const { classicRebalance } = this.#options;
    for (const member of classic.members()) {
      const failure = joinFailure(Errors.REBALANCE_IN_PROGRESS, member.memberId);
      classicRebalance.answerJoin(classic, member, failure);
      classicRebalance.answerSync(member, syncFailure(Errors.REBALANCE_IN_PROGRESS));
    }
  }

  #downgraded(
    group: ConsumerGroup,
    leaving: readonly ConsumerGroupMember[],
    joining: ConsumerGroupMember | undefined,
  ): ClassicGroup {
    const { topics, context } = this.#options;
    const gone = new Set(leaving.map(({ memberId }) => memberId));
    const replaced = group.staticMember(joining?.instanceId ?? null);
    if (replaced !== undefined) gone.add(replaced.memberId);
    const members: ClassicGroupMember[] = [];
    const add = (member: ConsumerGroupMember, holder: ConsumerGroupMember): void => {
      const { memberId, instanceId, clientId, clientHost, rebalanceTimeoutMs, classic } = member;
      const protocols = classic?.supportedProtocols ?? [];
      const subscription = protocols[0]?.metadata ?? new Uint8Array(2);
      members.push(
        new ClassicGroupMember({
          memberId,
          groupInstanceId: instanceId,
          clientId,
          clientHost,
          rebalanceTimeoutMs,
          sessionTimeoutMs: classic?.sessionTimeoutMs ?? 0,
          protocols,
          // What it has, not what it shall get: somebody else may not have let go of that.
          assignment: writeAssignment(heldPartitions(holder), topics, subscription),
        }),
      );
    };
    for (const member of group.members.values()) if (!gone.has(member.memberId)) add(member, member);
    if (joining !== undefined) add(joining, replaced ?? joining);
    return ClassicGroup.ofMembers(group.groupId, group.epoch, members, context.clock.wallMs());
  }
}

/** All records of a group that was not there before. */
function groupRecords(group: ConsumerGroup): GroupRecord[] {
  const { groupId } = group;
  const members = [...group.members.values()];
  return [
    ...members.map((member) => subscriptionRecord(groupId, member)),
    {
      type: 'ConsumerGroupMetadata',
      key: { groupId },
      value: { epoch: group.epoch, metadataHash: group.metadataHash },
    },
    ...members.map(
      ({ memberId }): GroupRecord => ({
        type: 'ConsumerGroupTargetAssignmentMember',
        key: { groupId, memberId },
        value: {
          topicPartitions: Array.from(group.targetOf(memberId), ([topicId, partitions]) => ({
            topicId,
            partitions: [...partitions],
          })),
        },
      }),
    ),
    {
      type: 'ConsumerGroupTargetAssignmentMetadata',
      key: { groupId },
      value: {
        assignmentEpoch: group.assignmentEpoch,
        assignmentTimestamp: BigInt(group.assignmentTimestampMs),
      },
    },
    ...members.map((member) => currentAssignmentRecord(groupId, member)),
  ];
}

function cantUpgrade(groupId: string, why: string): ProtocolError {
  const text = `classic group ${groupId} can't turn into a consumer group: ${why}`;
  return new ProtocolError(Errors.GROUP_ID_NOT_FOUND, text);
}
