import { array, bool, float64, type Infer, int8, int16, int32, message, string } from '../schema.ts';

/** The quotas of entities that match (KIP-546). */
export const DescribeClientQuotasRequest = message(
  { name: 'DescribeClientQuotasRequest', apiKey: 48, versions: [0, 1], flexible: 1 },
  {
    components: array({
      entityType: string,
      matchType: int8,
      match: string.nullable(),
    }),
    strict: bool,
  },
);
export type DescribeClientQuotasRequest = Infer<typeof DescribeClientQuotasRequest>;

/** Entities with their quotas; null where there was an error. */
export const DescribeClientQuotasResponse = message(
  { name: 'DescribeClientQuotasResponse', apiKey: 48, versions: [0, 1], flexible: 1 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: string.nullable(),
    entries: array({
      entity: array({
        entityType: string,
        entityName: string.nullable(),
      }),
      values: array({
        key: string,
        value: float64,
      }),
    }).nullable(),
  },
);
export type DescribeClientQuotasResponse = Infer<typeof DescribeClientQuotasResponse>;
