import { array, type Infer, int16, int32, int64, message, offset, string, uuid } from '../schema.ts';

/**
 * Offsets of a group to keep. Leader epochs since v6 (KIP-320), the new group protocol since v9
 * (KIP-848), topic ids since v10.
 */
export const OffsetCommitRequest = message(
  { name: 'OffsetCommitRequest', apiKey: 8, versions: [0, 10], flexible: 8 },
  {
    groupId: string,
    generationIdOrMemberEpoch: int32.since(1).default(-1).ignorable(),
    memberId: string.since(1).ignorable(),
    groupInstanceId: string.since(7).nullable().default(null),
    retentionTimeMs: int64.since(2).until(4).default(-1n).ignorable(),
    topics: array({
      name: string.until(9).ignorable(),
      topicId: uuid.since(10).ignorable(),
      partitions: array({
        partitionIndex: int32,
        committedOffset: offset,
        committedLeaderEpoch: int32.since(6).default(-1).ignorable(),
        commitTimestamp: int64.since(1).until(1).default(-1n),
        committedMetadata: string.nullable(),
      }),
    }),
  },
);
export type OffsetCommitRequest = Infer<typeof OffsetCommitRequest>;

/** One result for each partition. */
export const OffsetCommitResponse = message(
  { name: 'OffsetCommitResponse', apiKey: 8, versions: [0, 10], flexible: 8 },
  {
    throttleTimeMs: int32.since(3).ignorable(),
    topics: array({
      name: string.until(9).ignorable(),
      topicId: uuid.since(10).ignorable(),
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
      }),
    }),
  },
);
export type OffsetCommitResponse = Infer<typeof OffsetCommitResponse>;
