import type { Uuid } from '../../base/uuid.ts';
import { Errors, ProtocolError } from '../../protocol/errors.ts';
import type { ShardContext } from '../runtime/shard.ts';
import {
  type Assignor,
  type AssignorMember,
  assignorNamed,
  PartitionAssignorError,
  type TopicPartitions,
} from './assignors/index.ts';
import { type ConsumerGroup, NO_TARGET } from './consumer-group.ts';
import {
  type ConsumerGroupMember,
  currentAssignmentRecord,
  isReconciledTo,
  regexOf,
  sameNames,
} from './consumer-member.ts';
import type { GroupCoordinatorConfig } from './group-config.ts';
import type { GroupTopics } from './group-topics.ts';
import { computeGroupHash } from './metadata-hash.ts';
import type { RebalanceLog } from './rebalance-log.ts';
import { type OwnedPartitions, reconcile } from './reconcile.ts';
import type { GroupRecord } from './records.ts';
import { topicsWantedBy } from './wanted-topics.ts';

/** The target of one member, and the epoch that it is of. */
export interface MemberTarget {
  readonly epoch: number;
  readonly partitions: TopicPartitions;
}

/** A member as one request changes it: as the log has it, and as it will be. */
export interface MemberChange {
  readonly before: ConsumerGroupMember;
  readonly after: ConsumerGroupMember;
  readonly hasSubscriptionChanged: boolean;
}

/**
 * How a consumer group gets from one target to the next (KIP-848): the group epoch is bumped when what the members want
 * or what the topics look like has changed, a target is made for the new epoch, and each member moves to it when it is
 * heard of. Only adds records; the group changes when they are replayed.
 */
export class ConsumerRebalance {
  readonly #context: ShardContext<GroupRecord>;
  readonly #config: GroupCoordinatorConfig;
  readonly #topics: GroupTopics;
  readonly #log: RebalanceLog;

  constructor(
    context: ShardContext<GroupRecord>,
    config: GroupCoordinatorConfig,
    topics: GroupTopics,
    log: RebalanceLog,
  ) {
    this.#context = context;
    this.#config = config;
    this.#topics = topics;
    this.#log = log;
  }

  /** The hash of these topics, for the record of the group epoch. */
  metadataHash(topics: ReadonlySet<string>): bigint {
    const hashes = new Map<string, bigint>();
    for (const name of topics) {
      const hash = this.#topics.hashOf(name);
      if (hash !== undefined) hashes.set(name, hash);
    }
    return computeGroupHash(hashes);
  }

  /**
   * Bumps the group epoch where `reason` tells of a change or the topics have changed meanwhile. Gives the epoch that
   * the group then has.
   */
  updateEpoch(
    group: ConsumerGroup,
    after: ConsumerGroupMember,
    reason: string | undefined,
    into: GroupRecord[],
  ): number {
    const hash = this.metadataHash(group.subscribedTopicsWith(after));
    const why = reason ?? (hash === group.metadataHash ? undefined : 'topics have changed');
    let { epoch } = group;
    if (why !== undefined) {
      epoch += 1;
      this.bumpEpoch(group, epoch, hash, why, into);
    }
    group.needsMetadataRefresh = false;
    if (group.hasPartitionMetadataRecord) {
      into.push({
        type: 'ConsumerGroupPartitionMetadata',
        key: { groupId: group.groupId },
        value: null,
      });
    }
    return epoch;
  }

  bumpEpoch(group: ConsumerGroup, epoch: number, hash: bigint, reason: string, into: GroupRecord[]): void {
    const { groupId } = group;
    into.push({ type: 'ConsumerGroupMetadata', key: { groupId }, value: { epoch, metadataHash: hash } });
    this.#log.begins(groupId, reason, { epoch, members: group.size });
  }

  /** Makes a new target where the group epoch is ahead of it, at most once per assignment interval. */
  updateTarget(
    group: ConsumerGroup,
    epoch: number,
    after: ConsumerGroupMember,
    assignmentIntervalMs: number,
    into: GroupRecord[],
  ): MemberTarget {
    const nowMs = this.#context.clock.wallMs();
    const waits =
      group.assignmentTimestampMs !== 0 &&
      assignmentIntervalMs !== 0 &&
      nowMs < group.assignmentTimestampMs + assignmentIntervalMs;
    if (group.assignmentEpoch >= epoch || waits) {
      const holder = group.staticMember(after.instanceId)?.memberId ?? after.memberId;
      return { epoch: group.assignmentEpoch, partitions: group.targetOf(holder) };
    }
    const { groupId } = group;
    const assignor = this.#assignorOf(group, after);
    const startMs = this.#context.clock.monotonicMs();
    const target = this.#assign(group, after, assignor, epoch);
    for (const [memberId, partitions] of target) {
      const known = group.target.get(memberId);
      // Whoever has no target has an empty one: of a crowd only those with partitions are written.
      if (known === partitions || (known === undefined && partitions.size === 0)) continue;
      into.push({
        type: 'ConsumerGroupTargetAssignmentMember',
        key: { groupId, memberId },
        value: {
          topicPartitions: Array.from(partitions, ([topicId, some]) => ({
            topicId,
            partitions: [...some],
          })),
        },
      });
    }
    into.push({
      type: 'ConsumerGroupTargetAssignmentMetadata',
      key: { groupId },
      value: { assignmentEpoch: epoch, assignmentTimestamp: BigInt(nowMs) },
    });
    this.#context.logger.info(`Group ${groupId} has a new target assignment`, {
      epoch,
      assignor: assignor.name,
      members: target.size,
      ms: Math.round(this.#context.clock.monotonicMs() - startMs),
    });
    return { epoch, partitions: target.get(after.memberId) ?? NO_TARGET };
  }

  /** Brings the member closer to its target. */
  reconcile(
    group: ConsumerGroup,
    { after, hasSubscriptionChanged }: MemberChange,
    target: MemberTarget,
    owned: OwnedPartitions | null,
    into: GroupRecord[],
  ): ConsumerGroupMember {
    if (!hasSubscriptionChanged && isReconciledTo(after, target.epoch)) return after;
    const topics = topicsWantedBy(after, group.regexes);
    // A static member that came back takes over what the one before it had.
    const replaced = group.staticMember(after.instanceId)?.memberId;
    const moved = reconcile(after, {
      targetEpoch: target.epoch,
      target: target.partitions,
      hasSubscriptionChanged,
      owned,
      isSubscribedTo: (topicId) => {
        const name = this.#topics.nameOf(topicId);
        return name !== undefined && topics.has(name);
      },
      isOwned: (topicId, partition) => {
        const owner = group.ownerOf(topicId, partition);
        return owner !== undefined && (owner === after.memberId || owner !== replaced);
      },
    });
    if (moved !== after) into.push(currentAssignmentRecord(group.groupId, moved));
    return moved;
  }

  /** The assignor that most members ask for; the first of the setting where none does. */
  preferredAssignor(members: Iterable<ConsumerGroupMember>): string {
    const votes = new Map<string, number>();
    for (const { serverAssignor } of members) {
      if (serverAssignor !== null) votes.set(serverAssignor, (votes.get(serverAssignor) ?? 0) + 1);
    }
    let preferred = this.#config.consumerAssignors[0]!;
    let most = 0;
    for (const [name, count] of votes) {
      if (count <= most) continue;
      preferred = name;
      most = count;
    }
    return preferred;
  }

  #assignorOf(group: ConsumerGroup, after: ConsumerGroupMember): Assignor {
    const name = this.preferredAssignor(membersWith(group, after));
    // One that a log from elsewhere names, and that is not here.
    return assignorNamed(name) ?? assignorNamed(this.#config.consumerAssignors[0]!)!;
  }

  #assign(
    group: ConsumerGroup,
    after: ConsumerGroupMember,
    assignor: Assignor,
    epoch: number,
  ): ReadonlyMap<string, TopicPartitions> {
    const subscriptions = new Map<string, ReadonlySet<Uuid>>();
    let last: ConsumerGroupMember | undefined;
    let topicIds: ReadonlySet<Uuid> = new Set();
    const replaced = group.staticMember(after.instanceId)?.memberId;
    const members: AssignorMember[] = [];
    for (const member of membersWith(group, after)) {
      const holder = member === after && replaced !== undefined ? replaced : member.memberId;
      // Most want what the one before them wants.
      if (last === undefined || !wantTheSame(last, member)) {
        const key = subscriptionKey(member);
        topicIds = subscriptions.get(key) ?? this.#topicIdsOf(topicsWantedBy(member, group.regexes));
        subscriptions.set(key, topicIds);
      }
      last = member;
      const { memberId, instanceId } = member;
      members.push({ memberId, instanceId, topicIds, assignment: group.targetOf(holder) });
    }
    const spec = { members, isHomogeneous: subscriptions.size === 1 };
    try {
      return assignor.assign(spec, (topicId) => this.#topics.partitionCountOf(topicId));
    } catch (error) {
      if (!(error instanceof PartitionAssignorError)) throw error;
      this.#context.logger.error(`Group ${group.groupId} could not be assigned`, {
        epoch,
        assignor: assignor.name,
        error: error.message,
      });
      throw new ProtocolError(Errors.UNKNOWN_SERVER_ERROR, error.message);
    }
  }

  #topicIdsOf(names: ReadonlySet<string>): ReadonlySet<Uuid> {
    const ids = new Set<Uuid>();
    for (const name of names) {
      const id = this.#topics.idOf(name);
      if (id !== undefined) ids.add(id);
    }
    return ids;
  }
}

/** The members as they will be with this one, which may take the place of a static one. */
export function* membersWith(
  group: ConsumerGroup,
  after: ConsumerGroupMember,
): Generator<ConsumerGroupMember, void, undefined> {
  const replaced = group.staticMember(after.instanceId)?.memberId;
  let isHere = false;
  for (const member of group.members.values()) {
    if (member.memberId === after.memberId) {
      isHere = true;
      yield after;
    } else if (member.memberId !== replaced) {
      yield member;
    }
  }
  if (!isHere) yield after;
}

function wantTheSame(one: ConsumerGroupMember, other: ConsumerGroupMember): boolean {
  return regexOf(one) === regexOf(other) && sameNames(one.subscribedTopicNames, other.subscribedTopicNames);
}

/** The same for members that want the same. */
function subscriptionKey(member: ConsumerGroupMember): string {
  return JSON.stringify([[...member.subscribedTopicNames].sort(), regexOf(member) ?? '']);
}
