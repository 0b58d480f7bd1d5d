import type { Uuid } from '../../base/uuid.ts';
import { Errors, ProtocolError } from '../../protocol/errors.ts';
import type { TopicPartitions } from './assignors/assignor.ts';
import {
  type ConsumerGroupMember,
  MemberState,
  NO_PARTITIONS,
  type PartitionEpochs,
  samePartitions,
} from './consumer-member.ts';

/** What a member says that it owns. */
export type OwnedPartitions = readonly { readonly topicId: Uuid; readonly partitions: readonly number[] }[];

export interface Reconciliation {
  readonly targetEpoch: number;
  readonly target: TopicPartitions;
  /** The topics that it subscribes to now, of those that are there. */
  readonly isSubscribedTo: (topicId: Uuid) => boolean;
  readonly hasSubscriptionChanged: boolean;
  /** Whether somebody holds the partition, this member too. */
  readonly isOwned: (topicId: Uuid, partition: number) => boolean;
  /** Null where the request does not tell. */
  readonly owned: OwnedPartitions | null;
}

/**
 * Brings a member one step closer to its target (KIP-848): first it gives back what is not in the target, and only when
 * it says that it has does it move to the target's epoch, with all that nobody else holds; the rest follows as it is
 * let go. So a partition never has two owners. The same object where nothing changes.
 */
export function reconcile(member: ConsumerGroupMember, input: Reconciliation): ConsumerGroupMember {
  switch (member.state) {
    case MemberState.STABLE:
      if (member.memberEpoch !== input.targetEpoch) return nextAssignment(member, input);
      return input.hasSubscriptionChanged ? withoutUnsubscribed(member, input) : member;
    case MemberState.UNREVOKED_PARTITIONS:
      if (!ownsAny(input.owned, member.pendingRevocation)) return nextAssignment(member, input);
      return input.hasSubscriptionChanged ? withoutUnsubscribed(member, input) : member;
    case MemberState.UNRELEASED_PARTITIONS:
      return nextAssignment(member, input);
    default:
      // A later version knows what this state means; here it can only begin anew.
      if (input.owned === null || input.owned.length > 0) {
        throw new ProtocolError(
          Errors.FENCED_MEMBER_EPOCH,
          'the member is in an unknown state: it must give up its partitions and join again',
        );
      }
      return nextAssignment({ ...member, memberEpoch: input.targetEpoch }, input);
  }
}

function nextAssignment(member: ConsumerGroupMember, input: Reconciliation): ConsumerGroupMember {
  const { target, targetEpoch } = input;
  const kept = new Map<Uuid, ReadonlyMap<number, number>>();
  const revoked = new Map<Uuid, ReadonlyMap<number, number>>();
  for (const [topicId, partitions] of member.assigned) {
    const wanted = new Set(input.isSubscribedTo(topicId) ? target.get(topicId) : undefined);
    split(topicId, partitions, (partition) => wanted.has(partition), kept, revoked);
  }
  if (revoked.size > 0 && ownsAny(input.owned, revoked)) {
    return moved(member, {
      state: MemberState.UNREVOKED_PARTITIONS,
      memberEpoch: member.memberEpoch,
      assigned: kept,
      pendingRevocation: revoked,
    });
  }
  let isWaiting = false;
  for (const [topicId, partitions] of target) {
    if (!input.isSubscribedTo(topicId)) continue;
    const has = member.assigned.get(topicId);
    const givesBack = member.pendingRevocation.get(topicId);
    const added = new Map(kept.get(topicId));
    for (const partition of partitions) {
      if (has?.has(partition)) continue;
      // What it has just given back itself is free for it.
      if (input.isOwned(topicId, partition) && !givesBack?.has(partition)) isWaiting = true;
      else added.set(partition, targetEpoch);
    }
    if (added.size > 0) kept.set(topicId, added);
  }
  return moved(member, {
    state: isWaiting ? MemberState.UNRELEASED_PARTITIONS : MemberState.STABLE,
    memberEpoch: targetEpoch,
    assigned: kept,
    pendingRevocation: NO_PARTITIONS,
  });
}

/** Takes topics from the member that it does not want any more, whatever its target is. */
function withoutUnsubscribed(member: ConsumerGroupMember, input: Reconciliation): ConsumerGroupMember {
  const kept = new Map<Uuid, ReadonlyMap<number, number>>();
  const revoked = new Map(member.pendingRevocation);
  for (const [topicId, partitions] of member.assigned) {
    if (input.isSubscribedTo(topicId)) kept.set(topicId, partitions);
    else revoked.set(topicId, new Map([...(revoked.get(topicId) ?? []), ...partitions]));
  }
  if (kept.size === member.assigned.size) return member;
  const { memberEpoch } = member;
  if (ownsAny(input.owned, revoked)) {
    const state = MemberState.UNREVOKED_PARTITIONS;
    return moved(member, { state, memberEpoch, assigned: kept, pendingRevocation: revoked });
  }
  // It has let go of them already.
  const { state, pendingRevocation } = member;
  return moved(member, { state, memberEpoch, assigned: kept, pendingRevocation });
}

function moved(
  member: ConsumerGroupMember,
  to: Pick<ConsumerGroupMember, 'state' | 'memberEpoch' | 'assigned' | 'pendingRevocation'>,
): ConsumerGroupMember {
  const { memberEpoch, state, assigned, pendingRevocation } = to;
  const isSame =
    memberEpoch === member.memberEpoch &&
    member.previousMemberEpoch === memberEpoch &&
    state === member.state &&
    samePartitions(assigned, member.assigned) &&
    samePartitions(pendingRevocation, member.pendingRevocation);
  return isSame ? member : { ...member, ...to, previousMemberEpoch: member.memberEpoch };
}

function split(
  topicId: Uuid,
  partitions: ReadonlyMap<number, number>,
  isKept: (partition: number) => boolean,
  kept: Map<Uuid, ReadonlyMap<number, number>>,
  rest: Map<Uuid, ReadonlyMap<number, number>>,
): void {
  const keeps = new Map<number, number>();
  const loses = new Map<number, number>();
  for (const [partition, epoch] of partitions) (isKept(partition) ? keeps : loses).set(partition, epoch);
  if (keeps.size > 0) kept.set(topicId, keeps);
  if (loses.size > 0) rest.set(topicId, loses);
}

/** Whether the member may still own one of these: it does where it does not say what it owns. */
function ownsAny(owned: OwnedPartitions | null, assignment: PartitionEpochs): boolean {
  if (owned === null) return true;
  return owned.some(({ topicId, partitions }) => {
    const held = assignment.get(topicId);
    return held !== undefined && partitions.some((partition) => held.has(partition));
  });
}
