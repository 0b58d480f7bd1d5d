import { type Infer, int8, message, string } from '../schema.ts';

/** A SCRAM credential is gone. */
export const RemoveUserScramCredentialRecord = message(
  { name: 'RemoveUserScramCredentialRecord', apiKey: 22, versions: [0, 0], flexible: 0 },
  {
    name: string,
    mechanism: int8,
  },
);
export type RemoveUserScramCredentialRecord = Infer<typeof RemoveUserScramCredentialRecord>;
