import { array, type Infer, int16, int32, message, string } from '../schema.ts';

/** Forgets offsets of a group (KIP-496). */
export const OffsetDeleteRequest = message(
  { name: 'OffsetDeleteRequest', apiKey: 47, versions: [0, 0] },
  {
    groupId: string,
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
      }),
    }),
  },
);
export type OffsetDeleteRequest = Infer<typeof OffsetDeleteRequest>;

/** One result for each partition. */
export const OffsetDeleteResponse = message(
  { name: 'OffsetDeleteResponse', apiKey: 47, versions: [0, 0] },
  {
    errorCode: int16,
    throttleTimeMs: int32.ignorable(),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
      }),
    }),
  },
);
export type OffsetDeleteResponse = Infer<typeof OffsetDeleteResponse>;
