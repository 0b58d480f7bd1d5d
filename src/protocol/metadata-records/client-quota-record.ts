import { array, bool, float64, type Infer, message, string } from '../schema.ts';

/** A quota of a user, client id or address. */
export const ClientQuotaRecord = message(
  { name: 'ClientQuotaRecord', apiKey: 14, versions: [0, 0], flexible: 0 },
  {
    entity: array({
      entityType: string,
      entityName: string.nullable(),
    }),
    key: string,
    value: float64,
    remove: bool,
  },
);
export type ClientQuotaRecord = Infer<typeof ClientQuotaRecord>;
