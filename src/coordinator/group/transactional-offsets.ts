import { Errors, ProtocolError } from '../../protocol/errors.ts';
import type { OffsetCommitRequest } from '../../protocol/messages/offset-commit.ts';
import type { TxnOffsetCommitRequest } from '../../protocol/messages/txn-offset-commit.ts';
import { checkConsumerTransactionalCommit } from './consumer-commit.ts';
import type { Group } from './consumer-groups.ts';
import type { CheckCommittedPartition } from './offset-handlers.ts';

/** TxnOffsetCommit tells of a missing group and of a stale epoch from this version on (KIP-1319); before, of a wrong generation. */
const GROUP_ERRORS_VERSION_MIN = 6;
const NO_TIME = -1n;

/**
 * Throws where a group does not take this commit of a transaction now. Clients before v3 name no member and are believed
 * (KIP-447); which state the group is in does not matter.
 */
export function checkTransactionalCommit(
  group: Group | undefined,
  request: TxnOffsetCommitRequest,
  apiVersion: number,
): CheckCommittedPartition | undefined {
  const { memberId, groupInstanceId, generationIdOrMemberEpoch: generationId } = request;
  if (group === undefined) {
    if (generationId < 0) return undefined;
    const tells = apiVersion >= GROUP_ERRORS_VERSION_MIN;
    throw new ProtocolError(tells ? Errors.GROUP_ID_NOT_FOUND : Errors.ILLEGAL_GENERATION);
  }
  if (group.type === 'consumer') {
    const check = () => checkConsumerTransactionalCommit(group, memberId, groupInstanceId, generationId);
    return apiVersion >= GROUP_ERRORS_VERSION_MIN ? check() : withOldErrors(check);
  }
  if (generationId < 0 && group.state === 'Empty') return undefined;
  if (generationId < 0 && memberId === '' && groupInstanceId === null) return undefined;
  group.validMember(memberId, groupInstanceId);
  if (generationId !== group.generationId) throw new ProtocolError(Errors.ILLEGAL_GENERATION);
  return undefined;
}

function withOldErrors(
  check: () => CheckCommittedPartition | undefined,
): CheckCommittedPartition | undefined {
  const checkPartition = renamingStale(check);
  if (checkPartition === undefined) return undefined;
  return (topicId, partition) => renamingStale(() => checkPartition(topicId, partition));
}

function renamingStale<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    const isStale = error instanceof ProtocolError && error.code === Errors.STALE_MEMBER_EPOCH;
    throw isStale ? new ProtocolError(Errors.ILLEGAL_GENERATION, error.message) : error;
  }
}

/** The same commit outside of a transaction. */
export function plainCommit(request: TxnOffsetCommitRequest): OffsetCommitRequest {
  const { groupId, memberId, groupInstanceId, generationIdOrMemberEpoch, topics } = request;
  return {
    groupId,
    memberId,
    groupInstanceId,
    generationIdOrMemberEpoch,
    retentionTimeMs: NO_TIME,
    topics: topics.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: partitions.map((partition) => ({ ...partition, commitTimestamp: NO_TIME })),
    })),
  };
}
