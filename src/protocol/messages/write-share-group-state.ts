import { array, type Infer, int8, int16, int32, message, offset, string, uuid } from '../schema.ts';

/**
 * From a share partition leader to the share coordinator: what was acknowledged (KIP-932). How many
 * deliveries are complete since v1 (KIP-1226).
 */
export const WriteShareGroupStateRequest = message(
  { name: 'WriteShareGroupStateRequest', apiKey: 85, versions: [0, 1], flexible: 0 },
  {
    groupId: string,
    topics: array({
      topicId: uuid,
      partitions: array({
        partition: int32,
        stateEpoch: int32,
        leaderEpoch: int32,
        startOffset: offset,
        deliveryCompleteCount: int32.since(1).default(-1).ignorable(),
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
export type WriteShareGroupStateRequest = Infer<typeof WriteShareGroupStateRequest>;

/** One result for each partition. */
export const WriteShareGroupStateResponse = message(
  { name: 'WriteShareGroupStateResponse', apiKey: 85, versions: [0, 1], flexible: 0 },
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
export type WriteShareGroupStateResponse = Infer<typeof WriteShareGroupStateResponse>;
