import { type Infer, message, uuid } from '../schema.ts';

/** An ACL is gone. */
export const RemoveAccessControlEntryRecord = message(
  { name: 'RemoveAccessControlEntryRecord', apiKey: 19, versions: [0, 0], flexible: 0 },
  {
    id: uuid,
  },
);
export type RemoveAccessControlEntryRecord = Infer<typeof RemoveAccessControlEntryRecord>;
