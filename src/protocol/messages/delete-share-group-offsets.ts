import { array, type Infer, int16, int32, message, string, uuid } from '../schema.ts';

/** Forgets where a share group is in topics (KIP-932). */
export const DeleteShareGroupOffsetsRequest = message(
  { name: 'DeleteShareGroupOffsetsRequest', apiKey: 92, versions: [0, 0], flexible: 0 },
  {
    groupId: string,
    topics: array({
      topicName: string,
    }),
  },
);
export type DeleteShareGroupOffsetsRequest = Infer<typeof DeleteShareGroupOffsetsRequest>;

/** One result for each topic. */
export const DeleteShareGroupOffsetsResponse = message(
  { name: 'DeleteShareGroupOffsetsResponse', apiKey: 92, versions: [0, 0], flexible: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: string.nullable().default(null),
    responses: array({
      topicName: string,
      topicId: uuid,
      errorCode: int16,
      errorMessage: string.nullable().default(null),
    }),
  },
);
export type DeleteShareGroupOffsetsResponse = Infer<typeof DeleteShareGroupOffsetsResponse>;
