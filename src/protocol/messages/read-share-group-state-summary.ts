import { array, type Infer, int16, int32, message, offset, string, uuid } from '../schema.ts';

/** From the group coordinator to the share coordinator: where partitions start (KIP-932). */
export const ReadShareGroupStateSummaryRequest = message(
  { name: 'ReadShareGroupStateSummaryRequest', apiKey: 87, versions: [0, 1], flexible: 0 },
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
export type ReadShareGroupStateSummaryRequest = Infer<typeof ReadShareGroupStateSummaryRequest>;

/** Start offsets; how many deliveries are complete since v1 (KIP-1226). */
export const ReadShareGroupStateSummaryResponse = message(
  { name: 'ReadShareGroupStateSummaryResponse', apiKey: 87, versions: [0, 1], flexible: 0 },
  {
    results: array({
      topicId: uuid,
      partitions: array({
        partition: int32,
        errorCode: int16,
        errorMessage: string.nullable().default(null),
        stateEpoch: int32,
        leaderEpoch: int32,
        startOffset: offset,
        deliveryCompleteCount: int32.since(1).default(-1).ignorable(),
      }),
    }),
  },
);
export type ReadShareGroupStateSummaryResponse = Infer<typeof ReadShareGroupStateSummaryResponse>;
