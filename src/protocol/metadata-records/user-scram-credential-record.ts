import { bytes, type Infer, int8, int32, message, string } from '../schema.ts';

/** A SCRAM credential of a user. */
export const UserScramCredentialRecord = message(
  { name: 'UserScramCredentialRecord', apiKey: 11, versions: [0, 0], flexible: 0 },
  {
    name: string,
    mechanism: int8,
    salt: bytes,
    storedKey: bytes,
    serverKey: bytes,
    iterations: int32,
  },
);
export type UserScramCredentialRecord = Infer<typeof UserScramCredentialRecord>;
