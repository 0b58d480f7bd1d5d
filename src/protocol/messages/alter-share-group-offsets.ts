import { array, type Infer, int16, int32, message, offset, string, uuid } from '../schema.ts';

/** Sets where a share group starts to read (KIP-932). */
export const AlterShareGroupOffsetsRequest = message(
  { name: 'AlterShareGroupOffsetsRequest', apiKey: 91, versions: [0, 0], flexible: 0 },
  {
    groupId: string,
    topics: array({
      topicName: string,
      partitions: array({
        partitionIndex: int32,
        startOffset: offset,
      }),
    }),
  },
);
export type AlterShareGroupOffsetsRequest = Infer<typeof AlterShareGroupOffsetsRequest>;

/** One result for each partition. */
export const AlterShareGroupOffsetsResponse = message(
  { name: 'AlterShareGroupOffsetsResponse', apiKey: 91, versions: [0, 0], flexible: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: string.nullable().default(null),
    responses: array({
      topicName: string,
      topicId: uuid,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        errorMessage: string.nullable().default(null),
      }),
    }),
  },
);
export type AlterShareGroupOffsetsResponse = Infer<typeof AlterShareGroupOffsetsResponse>;
