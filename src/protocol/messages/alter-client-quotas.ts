import { array, bool, float64, type Infer, int16, int32, message, string } from '../schema.ts';

/** Sets and removes quotas of users, client ids and addresses (KIP-546). */
export const AlterClientQuotasRequest = message(
  { name: 'AlterClientQuotasRequest', apiKey: 49, versions: [0, 1], flexible: 1 },
  {
    entries: array({
      entity: array({
        entityType: string,
        entityName: string.nullable(),
      }),
      ops: array({
        key: string,
        value: float64,
        remove: bool,
      }),
    }),
    validateOnly: bool,
  },
);
export type AlterClientQuotasRequest = Infer<typeof AlterClientQuotasRequest>;

/** One result for each entity. */
export const AlterClientQuotasResponse = message(
  { name: 'AlterClientQuotasResponse', apiKey: 49, versions: [0, 1], flexible: 1 },
  {
    throttleTimeMs: int32,
    entries: array({
      errorCode: int16,
      errorMessage: string.nullable(),
      entity: array({
        entityType: string,
        entityName: string.nullable(),
      }),
    }),
  },
);
export type AlterClientQuotasResponse = Infer<typeof AlterClientQuotasResponse>;
