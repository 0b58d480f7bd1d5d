import { array, type Infer, int16, int32, message, offset, string } from '../schema.ts';

/** Moves the start of partitions forward (KIP-107). */
export const DeleteRecordsRequest = message(
  { name: 'DeleteRecordsRequest', apiKey: 21, versions: [0, 2], flexible: 2 },
  {
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        offset: offset,
      }),
    }),
    timeoutMs: int32,
  },
);
export type DeleteRecordsRequest = Infer<typeof DeleteRecordsRequest>;

/** Where each partition starts now. */
export const DeleteRecordsResponse = message(
  { name: 'DeleteRecordsResponse', apiKey: 21, versions: [0, 2], flexible: 2 },
  {
    throttleTimeMs: int32,
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        lowWatermark: offset,
        errorCode: int16,
      }),
    }),
  },
);
export type DeleteRecordsResponse = Infer<typeof DeleteRecordsResponse>;
