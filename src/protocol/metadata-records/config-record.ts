import { type Infer, int8, message, string } from '../schema.ts';

/** A setting of a resource; a null value removes it. */
export const ConfigRecord = message(
  { name: 'ConfigRecord', apiKey: 4, versions: [0, 0], flexible: 0 },
  {
    resourceType: int8,
    resourceName: string,
    name: string,
    value: string.nullable(),
  },
);
export type ConfigRecord = Infer<typeof ConfigRecord>;
