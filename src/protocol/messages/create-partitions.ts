import { array, bool, type Infer, int16, int32, message, string } from '../schema.ts';

/** More partitions for topics that exist (KIP-195). */
export const CreatePartitionsRequest = message(
  { name: 'CreatePartitionsRequest', apiKey: 37, versions: [0, 3], flexible: 2 },
  {
    topics: array({
      name: string,
      // The number of partitions that there shall be, old ones included.
      count: int32,
      // Of the new partitions only; null lets the controller choose.
      assignments: array({
        brokerIds: array(int32),
      }).nullable(),
    }),
    timeoutMs: int32,
    validateOnly: bool,
  },
);
export type CreatePartitionsRequest = Infer<typeof CreatePartitionsRequest>;

export const CreatePartitionsResponse = message(
  { name: 'CreatePartitionsResponse', apiKey: 37, versions: [0, 3], flexible: 2 },
  {
    throttleTimeMs: int32,
    results: array({
      name: string,
      errorCode: int16,
      errorMessage: string.nullable().default(null),
    }),
  },
);
export type CreatePartitionsResponse = Infer<typeof CreatePartitionsResponse>;
