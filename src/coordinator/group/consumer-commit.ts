import type { Uuid } from '../../base/uuid.ts';
import { Errors, ProtocolError } from '../../protocol/errors.ts';
import type { OffsetCommitRequest } from '../../protocol/messages/offset-commit.ts';
import type { ConsumerGroup } from './consumer-group.ts';
import type { ConsumerGroupMember } from './consumer-member.ts';
import type { CheckCommittedPartition, OffsetFetchGroup } from './offset-handlers.ts';

/** Members of consumer groups commit with this version or newer, which have errors for them. */
const MEMBER_EPOCH_VERSION_MIN = 9;

/**
 * Whether a consumer group takes this commit: of anybody while it is empty, else of members. A member that is behind may
 * still commit for partitions that it has had since (KIP-1251); the check of each is returned where it is needed.
 * Throws UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH, UNSUPPORTED_VERSION, and ILLEGAL_GENERATION to members of the classic
 * protocol.
 */
export function checkConsumerCommit(
  group: ConsumerGroup,
  request: OffsetCommitRequest,
  apiVersion: number,
): CheckCommittedPartition | undefined {
  const { memberId, generationIdOrMemberEpoch: epoch } = request;
  if (epoch < 0 && group.size === 0) return undefined;
  const member = group.member(memberId);
  if (member.classic === null && apiVersion < MEMBER_EPOCH_VERSION_MIN) {
    const text = `members of consumer groups commit with version ${MEMBER_EPOCH_VERSION_MIN} or newer`;
    throw new ProtocolError(Errors.UNSUPPORTED_VERSION, text);
  }
  return checkEpoch(member, epoch);
}

/** The same for a commit within a transaction, which any version may make and whose member may be left out. */
export function checkConsumerTransactionalCommit(
  group: ConsumerGroup,
  memberId: string,
  groupInstanceId: string | null,
  epoch: number,
): CheckCommittedPartition | undefined {
  if (epoch < 0 && group.size === 0) return undefined;
  if (epoch === -1 && memberId === '' && groupInstanceId === null) return undefined;
  return checkEpoch(group.member(memberId), epoch);
}

function checkEpoch(member: ConsumerGroupMember, epoch: number): CheckCommittedPartition | undefined {
  if (epoch === member.memberEpoch) return undefined;
  if (epoch > member.memberEpoch) {
    throw staleEpoch(member, `${epoch} is ahead of the member epoch ${member.memberEpoch}`);
  }
  return (topicId, partition) => {
    const since = assignmentEpoch(member, topicId, partition);
    if (since === undefined) throw staleEpoch(member, `partition ${partition} of ${topicId} is not assigned`);
    if (epoch >= since) return;
    throw staleEpoch(member, `partition ${partition} of ${topicId} was assigned in ${since}, after ${epoch}`);
  };
}

/** Whether a consumer group tells its offsets to this request: it does to who is no member and says so. */
export function checkConsumerFetch(group: ConsumerGroup, request: OffsetFetchGroup): void {
  const { memberId, memberEpoch } = request;
  if (memberId === null && memberEpoch < 0) return;
  const member = group.member(memberId ?? '');
  if (memberEpoch !== member.memberEpoch) {
    throw staleEpoch(member, `the member epoch is ${member.memberEpoch}, not ${memberEpoch}`);
  }
}

function assignmentEpoch(
  { assigned, pendingRevocation }: ConsumerGroupMember,
  topicId: Uuid,
  partition: number,
): number | undefined {
  return assigned.get(topicId)?.get(partition) ?? pendingRevocation.get(topicId)?.get(partition);
}

function staleEpoch(member: ConsumerGroupMember, text: string): ProtocolError {
  const code = member.classic === null ? Errors.STALE_MEMBER_EPOCH : Errors.ILLEGAL_GENERATION;
  return new ProtocolError(code, text);
}
