import { array, type Infer, int8, int16, int32, message, offset, string, uuid } from '../schema.ts';

/** From a share partition leader to the share coordinator: what was acknowledged (KIP-932). */
export const ReadShareGroupStateRequest = message(
  { name: 'ReadShareGroupStateRequest', apiKey: 84, versions: [0, 0], flexible: 0 },
  {
    groupId: string,
    topics: array({
      topicId: uuid,
      partitions: array({
        partition: int32,
        leaderEpoch: int32,
      }),
    }),
  },
);
export type ReadShareGroupStateRequest = Infer<typeof ReadShareGroupStateRequest>;

/** The state of each partition in batches. */
export const ReadShareGroupStateResponse = message(
  { name: 'ReadShareGroupStateResponse', apiKey: 84, versions: [0, 0], flexible: 0 },
  {
    results: array({
      topicId: uuid,
      partitions: array({
        partition: int32,
        errorCode: int16,
        errorMessage: string.nullable().default(null),
        stateEpoch: int32,
        startOffset: offset,
        stateBatches: array({
          firstOffset: offset,
          lastOffset: offset,
          deliveryState: int8,
          deliveryCount: int16,
        }),
      }),
    }),
  },
);
export type ReadShareGroupStateResponse = Infer<typeof ReadShareGroupStateResponse>;
