import { array, bool, type Infer, int8, int16, int32, message, string } from '../schema.ts';

/** Changes of single settings (KIP-339). */
export const IncrementalAlterConfigsRequest = message(
  { name: 'IncrementalAlterConfigsRequest', apiKey: 44, versions: [0, 1], flexible: 1 },
  {
    resources: array({
      resourceType: int8,
      resourceName: string,
      configs: array({
        name: string,
        // 0: set; 1: delete; 2: append to a list; 3: take from a list.
        configOperation: int8,
        value: string.nullable(),
      }),
    }),
    validateOnly: bool,
  },
);
export type IncrementalAlterConfigsRequest = Infer<typeof IncrementalAlterConfigsRequest>;

export const IncrementalAlterConfigsResponse = message(
  { name: 'IncrementalAlterConfigsResponse', apiKey: 44, versions: [0, 1], flexible: 1 },
  {
    throttleTimeMs: int32,
    responses: array({
      errorCode: int16,
      errorMessage: string.nullable(),
      resourceType: int8,
      resourceName: string,
    }),
  },
);
export type IncrementalAlterConfigsResponse = Infer<typeof IncrementalAlterConfigsResponse>;
