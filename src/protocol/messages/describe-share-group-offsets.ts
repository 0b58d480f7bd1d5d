import { array, type Infer, int16, int32, message, offset, string, uuid } from '../schema.ts';

/** Where share groups are (KIP-932). */
export const DescribeShareGroupOffsetsRequest = message(
  { name: 'DescribeShareGroupOffsetsRequest', apiKey: 90, versions: [0, 1], flexible: 0 },
  {
    groups: array({
      groupId: string,
      topics: array({
        topicName: string,
        partitions: array(int32),
      }).nullable(),
    }),
  },
);
export type DescribeShareGroupOffsetsRequest = Infer<typeof DescribeShareGroupOffsetsRequest>;

/** Start offsets; the lag since v1 (KIP-1226). */
export const DescribeShareGroupOffsetsResponse = message(
  { name: 'DescribeShareGroupOffsetsResponse', apiKey: 90, versions: [0, 1], flexible: 0 },
  {
    throttleTimeMs: int32,
    groups: array({
      groupId: string,
      topics: array({
        topicName: string,
        topicId: uuid,
        partitions: array({
          partitionIndex: int32,
          startOffset: offset,
          leaderEpoch: int32,
          lag: offset.since(1).default(-1).ignorable(),
          errorCode: int16,
          errorMessage: string.nullable().default(null),
        }),
      }),
      errorCode: int16,
      errorMessage: string.nullable().default(null),
    }),
  },
);
export type DescribeShareGroupOffsetsResponse = Infer<typeof DescribeShareGroupOffsetsResponse>;
