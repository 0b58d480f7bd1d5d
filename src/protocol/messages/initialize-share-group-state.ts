import { array, type Infer, int16, int32, message, offset, string, uuid } from '../schema.ts';

/** From the group coordinator to the share coordinator: begin to keep partitions (KIP-932). */
export const InitializeShareGroupStateRequest = message(
  { name: 'InitializeShareGroupStateRequest', apiKey: 83, versions: [0, 0], flexible: 0 },
  {
    groupId: string,
    topics: array({
      topicId: uuid,
      partitions: array({
        partition: int32,
        stateEpoch: int32,
        startOffset: offset,
      }),
    }),
  },
);
export type InitializeShareGroupStateRequest = Infer<typeof InitializeShareGroupStateRequest>;

/** One result for each partition. */
export const InitializeShareGroupStateResponse = message(
  { name: 'InitializeShareGroupStateResponse', apiKey: 83, versions: [0, 0], flexible: 0 },
  {
    results: array({
      topicId: uuid,
      partitions: array({
        partition: int32,
        errorCode: int16,
        errorMessage: string.nullable().default(null),
      }),
    }),
  },
);
export type InitializeShareGroupStateResponse = Infer<typeof InitializeShareGroupStateResponse>;
