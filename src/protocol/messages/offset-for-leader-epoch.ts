import { array, type Infer, int16, int32, message, offset, string } from '../schema.ts';

/** Where a leader epoch ended (KIP-101, KIP-320). */
export const OffsetForLeaderEpochRequest = message(
  { name: 'OffsetForLeaderEpochRequest', apiKey: 23, versions: [0, 4], flexible: 4 },
  {
    replicaId: int32.since(3).default(-2).ignorable(),
    topics: array({
      topic: string,
      partitions: array({
        partition: int32,
        currentLeaderEpoch: int32.since(2).default(-1).ignorable(),
        leaderEpoch: int32,
      }),
    }),
  },
);
export type OffsetForLeaderEpochRequest = Infer<typeof OffsetForLeaderEpochRequest>;

export const OffsetForLeaderEpochResponse = message(
  { name: 'OffsetForLeaderEpochResponse', apiKey: 23, versions: [0, 4], flexible: 4 },
  {
    throttleTimeMs: int32.since(2).ignorable(),
    topics: array({
      topic: string,
      partitions: array({
        errorCode: int16,
        partition: int32,
        leaderEpoch: int32.since(1).default(-1).ignorable(),
        endOffset: offset.default(-1),
      }),
    }),
  },
);
export type OffsetForLeaderEpochResponse = Infer<typeof OffsetForLeaderEpochResponse>;
