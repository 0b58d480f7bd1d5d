import type { Uuid } from '../../base/uuid.ts';
import type { ConsumerGroupCurrentMemberAssignmentValue } from '../../protocol/group-records/consumer-group-current-member-assignment.ts';
import type { ConsumerGroupMemberMetadataValue } from '../../protocol/group-records/consumer-group-member-metadata.ts';
import type { ConsumerGroupRecord } from './consumer-records.ts';

/** How far a member is on its way to its target, as the log numbers it. */
export const MemberState = {
  STABLE: 0,
  /** It has to give partitions back before anything else. */
  UNREVOKED_PARTITIONS: 1,
  /** Partitions that it shall get are still somebody else's. */
  UNRELEASED_PARTITIONS: 2,
  /** A later version wrote something else. */
  UNKNOWN: 127,
} as const;
export type MemberState = (typeof MemberState)[keyof typeof MemberState];

/** The epoch with which a member leaves, and which one has that is leaving. */
export const LEAVE_GROUP_MEMBER_EPOCH = -1;
/** The epoch of a static member that is away and will come back within its session. */
export const LEAVE_GROUP_STATIC_MEMBER_EPOCH = -2;

/** Partitions by topic, each with the member epoch at which it was assigned. */
export type PartitionEpochs = ReadonlyMap<Uuid, ReadonlyMap<number, number>>;

export const NO_PARTITIONS: PartitionEpochs = new Map();
const NO_TOPICS: ReadonlySet<string> = new Set();

export type ClassicMemberMetadata = NonNullable<ConsumerGroupMemberMetadataValue['classicMemberMetadata']>;

/** What a member of a consumer group wants. */
export interface MemberSubscription {
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly rebalanceTimeoutMs: number;
  readonly subscribedTopicNames: ReadonlySet<string>;
  /** Empty or null where it has none. */
  readonly subscribedTopicRegex: string | null;
  readonly serverAssignor: string | null;
  /** Of a member that speaks the classic protocol; null of all others. */
  readonly classic: ClassicMemberMetadata | null;
}

/** A member of a consumer group: what it wants and what it has. Never changed, only replaced. */
export interface ConsumerGroupMember extends MemberSubscription {
  readonly memberId: string;
  readonly memberEpoch: number;
  readonly previousMemberEpoch: number;
  readonly state: MemberState;
  readonly assigned: PartitionEpochs;
  /** What it has to give back and was told so. */
  readonly pendingRevocation: PartitionEpochs;
}

export function newMember(memberId: string): ConsumerGroupMember {
  return {
    memberId,
    memberEpoch: 0,
    previousMemberEpoch: -1,
    state: MemberState.STABLE,
    instanceId: null,
    rackId: null,
    clientId: '',
    clientHost: '',
    rebalanceTimeoutMs: -1,
    subscribedTopicNames: NO_TOPICS,
    subscribedTopicRegex: '',
    serverAssignor: null,
    classic: null,
    assigned: NO_PARTITIONS,
    pendingRevocation: NO_PARTITIONS,
  };
}

/** The member's regular expression; undefined where it has none. */
export function regexOf(member: MemberSubscription): string | undefined {
  const { subscribedTopicRegex } = member;
  return subscribedTopicRegex === null || subscribedTopicRegex === '' ? undefined : subscribedTopicRegex;
}

export function isReconciledTo(member: ConsumerGroupMember, targetEpoch: number): boolean {
  return member.state === MemberState.STABLE && member.memberEpoch === targetEpoch;
}

export function sameNames(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  if (one === other) return true;
  if (one.size !== other.size) return false;
  for (const name of one) if (!other.has(name)) return false;
  return true;
}

/** Whether both stand in the log the same way, as far as their subscriptions go. */
export function sameSubscription(one: MemberSubscription, other: MemberSubscription): boolean {
  return (
    one.instanceId === other.instanceId &&
    one.rackId === other.rackId &&
    one.clientId === other.clientId &&
    one.clientHost === other.clientHost &&
    one.rebalanceTimeoutMs === other.rebalanceTimeoutMs &&
    one.subscribedTopicRegex === other.subscribedTopicRegex &&
    one.serverAssignor === other.serverAssignor &&
    sameNames(one.subscribedTopicNames, other.subscribedTopicNames) &&
    sameClassic(one.classic, other.classic)
  );
}

function sameClassic(one: ClassicMemberMetadata | null, other: ClassicMemberMetadata | null): boolean {
  if (one === null || other === null) return one === other;
  if (one.sessionTimeoutMs !== other.sessionTimeoutMs) return false;
  if (one.supportedProtocols.length !== other.supportedProtocols.length) return false;
  return one.supportedProtocols.every(({ name, metadata }, at) => {
    const its = other.supportedProtocols[at]!;
    return name === its.name && Buffer.compare(metadata, its.metadata) === 0;
  });
}

/** Whether both hold the same partitions, whatever their epochs. */
export function samePartitions(one: PartitionEpochs, other: PartitionEpochs): boolean {
  if (one === other) return true;
  if (one.size !== other.size) return false;
  for (const [topicId, partitions] of one) {
    const its = other.get(topicId);
    if (its === undefined || its.size !== partitions.size) return false;
    for (const partition of partitions.keys()) if (!its.has(partition)) return false;
  }
  return true;
}

export function partitionsOf(assignment: PartitionEpochs): { topicId: Uuid; partitions: number[] }[] {
  return Array.from(assignment, ([topicId, partitions]) => ({
    topicId,
    partitions: [...partitions.keys()].sort((a, b) => a - b),
  }));
}

/** All that a member has: what it has to give back is its own until it has. */
export function heldPartitions({
  assigned,
  pendingRevocation,
}: ConsumerGroupMember): ReadonlyMap<Uuid, readonly number[]> {
  const all = new Map<Uuid, number[]>();
  for (const some of [assigned, pendingRevocation]) {
    for (const [topicId, partitions] of some)
      all.set(topicId, [...(all.get(topicId) ?? []), ...partitions.keys()]);
  }
  return all;
}

/** The member as its subscription's record has it. */
export function withSubscription(
  member: ConsumerGroupMember,
  value: ConsumerGroupMemberMetadataValue,
): ConsumerGroupMember {
  return {
    ...member,
    instanceId: value.instanceId,
    rackId: value.rackId,
    clientId: value.clientId,
    clientHost: value.clientHost,
    rebalanceTimeoutMs: value.rebalanceTimeoutMs,
    subscribedTopicNames: new Set(value.subscribedTopicNames),
    subscribedTopicRegex: value.subscribedTopicRegex,
    serverAssignor: value.serverAssignor,
    classic: value.classicMemberMetadata,
  };
}

/** The member as the record of what it has says. */
export function withAssignment(
  member: ConsumerGroupMember,
  value: ConsumerGroupCurrentMemberAssignmentValue,
): ConsumerGroupMember {
  return {
    ...member,
    memberEpoch: value.memberEpoch,
    previousMemberEpoch: value.previousMemberEpoch,
    state: stateOf(value.state),
    assigned: epochsOf(value.assignedPartitions, value.memberEpoch),
    pendingRevocation: epochsOf(value.partitionsPendingRevocation, value.memberEpoch),
  };
}

/** The member has given up all that it has: its tombstone was read. */
export function withoutAssignment(member: ConsumerGroupMember): ConsumerGroupMember {
  return {
    ...member,
    memberEpoch: LEAVE_GROUP_MEMBER_EPOCH,
    previousMemberEpoch: LEAVE_GROUP_MEMBER_EPOCH,
    assigned: NO_PARTITIONS,
    pendingRevocation: NO_PARTITIONS,
  };
}

export function subscriptionRecord(groupId: string, member: ConsumerGroupMember): ConsumerGroupRecord {
  return {
    type: 'ConsumerGroupMemberMetadata',
    key: { groupId, memberId: member.memberId },
    value: {
      instanceId: member.instanceId,
      rackId: member.rackId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      subscribedTopicNames: [...member.subscribedTopicNames].sort(),
      subscribedTopicRegex: member.subscribedTopicRegex,
      rebalanceTimeoutMs: member.rebalanceTimeoutMs,
      serverAssignor: member.serverAssignor,
      classicMemberMetadata: member.classic,
    },
  };
}

export function currentAssignmentRecord(groupId: string, member: ConsumerGroupMember): ConsumerGroupRecord {
  return {
    type: 'ConsumerGroupCurrentMemberAssignment',
    key: { groupId, memberId: member.memberId },
    value: {
      memberEpoch: member.memberEpoch,
      previousMemberEpoch: member.previousMemberEpoch,
      state: member.state,
      assignedPartitions: toRecord(member.assigned),
      partitionsPendingRevocation: toRecord(member.pendingRevocation),
    },
  };
}

type RecordPartitions = ConsumerGroupCurrentMemberAssignmentValue['assignedPartitions'];

function toRecord(assignment: PartitionEpochs): RecordPartitions {
  return partitionsOf(assignment).map(({ topicId, partitions }) => ({
    topicId,
    partitions,
    assignmentEpochs: partitions.map((partition) => assignment.get(topicId)!.get(partition)!),
  }));
}

/** Brokers before 4.3 wrote no epochs: the member's own stands in their place. */
function epochsOf(topics: RecordPartitions, memberEpoch: number): PartitionEpochs {
  if (topics.length === 0) return NO_PARTITIONS;
  const assignment = new Map<Uuid, ReadonlyMap<number, number>>();
  for (const { topicId, partitions, assignmentEpochs } of topics) {
    const isWhole = assignmentEpochs !== null && assignmentEpochs.length === partitions.length;
    const epochs = new Map<number, number>();
    for (const [at, partition] of partitions.entries()) {
      epochs.set(partition, isWhole ? assignmentEpochs[at]! : memberEpoch);
    }
    assignment.set(topicId, epochs);
  }
  return assignment;
}

function stateOf(state: number): MemberState {
  switch (state) {
    case MemberState.STABLE:
    case MemberState.UNREVOKED_PARTITIONS:
    case MemberState.UNRELEASED_PARTITIONS:
      return state;
    default:
      return MemberState.UNKNOWN;
  }
}
