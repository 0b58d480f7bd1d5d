import { type Infer, int32, int64, message, offset, string, uuid } from '../schema.ts';

/** The key of the offset that a group committed in a partition. */
export const OffsetCommitKey = message(
  { name: 'OffsetCommitKey', apiKey: 1, versions: [0, 0] },
  {
    group: string,
    topic: string,
    partition: int32,
  },
);
export type OffsetCommitKey = Infer<typeof OffsetCommitKey>;

/**
 * A committed offset. Leader epochs since v3 (KIP-320), the topic id as a tagged field of v4
 * (KIP-848).
 */
export const OffsetCommitValue = message(
  { name: 'OffsetCommitValue', apiKey: 1, versions: [0, 4], flexible: 4 },
  {
    offset: offset,
    leaderEpoch: int32.since(3).default(-1).ignorable(),
    metadata: string,
    commitTimestamp: int64,
    expireTimestamp: int64.since(1).until(1).default(-1n).ignorable(),
    topicId: uuid.tagged(0, 4).ignorable(),
  },
);
export type OffsetCommitValue = Infer<typeof OffsetCommitValue>;
