import { type Infer, int8, message, string, uuid } from '../schema.ts';

/** An ACL. */
export const AccessControlEntryRecord = message(
  { name: 'AccessControlEntryRecord', apiKey: 18, versions: [0, 0], flexible: 0 },
  {
    id: uuid,
    resourceType: int8,
    resourceName: string,
    patternType: int8,
    principal: string,
    host: string,
    operation: int8,
    permissionType: int8,
  },
);
export type AccessControlEntryRecord = Infer<typeof AccessControlEntryRecord>;
