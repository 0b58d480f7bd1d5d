import { array, type Infer, int16, int32, int64, message, offset, string, uuid } from '../schema.ts';

/**
 * Offsets of a group to keep when the transaction commits (KIP-98). Members are checked since v3
 * (KIP-447), topic ids since v6 (KIP-1319).
 */
export const TxnOffsetCommitRequest = message(
  { name: 'TxnOffsetCommitRequest', apiKey: 28, versions: [0, 6], flexible: 3 },
  {
    transactionalId: string,
    groupId: string,
    producerId: int64,
    producerEpoch: int16,
    generationIdOrMemberEpoch: int32.since(3).default(-1),
    memberId: string.since(3),
    groupInstanceId: string.since(3).nullable().default(null),
    topics: array({
      name: string.until(5).ignorable(),
      topicId: uuid.since(6).ignorable(),
      partitions: array({
        partitionIndex: int32,
        committedOffset: offset,
        committedLeaderEpoch: int32.since(2).default(-1).ignorable(),
        committedMetadata: string.nullable(),
      }),
    }),
  },
);
export type TxnOffsetCommitRequest = Infer<typeof TxnOffsetCommitRequest>;

/** One result for each partition. */
export const TxnOffsetCommitResponse = message(
  { name: 'TxnOffsetCommitResponse', apiKey: 28, versions: [0, 6], flexible: 3 },
  {
    throttleTimeMs: int32,
    topics: array({
      name: string.until(5).ignorable(),
      topicId: uuid.since(6).ignorable(),
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
      }),
    }),
  },
);
export type TxnOffsetCommitResponse = Infer<typeof TxnOffsetCommitResponse>;
