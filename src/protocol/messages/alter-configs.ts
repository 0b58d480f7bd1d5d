import { array, bool, type Infer, int8, int16, int32, message, string } from '../schema.ts';

/** Replaces all settings of a resource: what is not given falls back to its default (KIP-133). */
export const AlterConfigsRequest = message(
  { name: 'AlterConfigsRequest', apiKey: 33, versions: [0, 2], flexible: 2 },
  {
    resources: array({
      resourceType: int8,
      resourceName: string,
      configs: array({
        name: string,
        value: string.nullable(),
      }),
    }),
    validateOnly: bool,
  },
);
export type AlterConfigsRequest = Infer<typeof AlterConfigsRequest>;

export const AlterConfigsResponse = message(
  { name: 'AlterConfigsResponse', apiKey: 33, versions: [0, 2], flexible: 2 },
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
export type AlterConfigsResponse = Infer<typeof AlterConfigsResponse>;
