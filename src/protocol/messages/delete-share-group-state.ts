import { array, type Infer, int16, int32, message, string, uuid } from '../schema.ts';

/** From the group coordinator to the share coordinator: forget partitions (KIP-932). */
export const DeleteShareGroupStateRequest = message(
  { name: 'DeleteShareGroupStateRequest', apiKey: 86, versions: [0, 0], flexible: 0 },
  {
    groupId: string,
    topics: array({
      topicId: uuid,
      partitions: array({
        partition: int32,
      }),
    }),
  },
);
export type DeleteShareGroupStateRequest = Infer<typeof DeleteShareGroupStateRequest>;

/** One result for each partition. */
export const DeleteShareGroupStateResponse = message(
  { name: 'DeleteShareGroupStateResponse', apiKey: 86, versions: [0, 0], flexible: 0 },
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
export type DeleteShareGroupStateResponse = Infer<typeof DeleteShareGroupStateResponse>;
