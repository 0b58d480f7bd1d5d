import { array, bool, type Infer, int16, int32, message, offset, string, uuid } from '../schema.ts';

/**
 * Offsets that groups have committed. Unstable ones refused since v7 (KIP-447), several groups since
 * v8 (KIP-709), topic ids since v10.
 */
export const OffsetFetchRequest = message(
  { name: 'OffsetFetchRequest', apiKey: 9, versions: [0, 10], flexible: 6 },
  {
    groupId: string.until(7),
    topics: array({
      name: string,
      partitionIndexes: array(int32),
    })
      .until(7)
      .nullable(2),
    groups: array({
      groupId: string,
      memberId: string.since(9).nullable().default(null).ignorable(),
      memberEpoch: int32.since(9).default(-1).ignorable(),
      topics: array({
        name: string.until(9).ignorable(),
        topicId: uuid.since(10).ignorable(),
        partitionIndexes: array(int32),
      }).nullable(),
    }).since(8),
    requireStable: bool.since(7),
  },
);
export type OffsetFetchRequest = Infer<typeof OffsetFetchRequest>;

/** By group since v8; -1 where nothing was committed. */
export const OffsetFetchResponse = message(
  { name: 'OffsetFetchResponse', apiKey: 9, versions: [0, 10], flexible: 6 },
  {
    throttleTimeMs: int32.since(3).ignorable(),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        committedOffset: offset,
        committedLeaderEpoch: int32.since(5).default(-1).ignorable(),
        metadata: string.nullable(),
        errorCode: int16,
      }),
    }).until(7),
    errorCode: int16.since(2).until(7).ignorable(),
    groups: array({
      groupId: string,
      topics: array({
        name: string.until(9).ignorable(),
        topicId: uuid.since(10).ignorable(),
        partitions: array({
          partitionIndex: int32,
          committedOffset: offset,
          committedLeaderEpoch: int32.default(-1).ignorable(),
          metadata: string.nullable(),
          errorCode: int16,
        }),
      }),
      errorCode: int16,
    }).since(8),
  },
);
export type OffsetFetchResponse = Infer<typeof OffsetFetchResponse>;
