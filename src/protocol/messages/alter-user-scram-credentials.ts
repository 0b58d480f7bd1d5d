import { array, bytes, type Infer, int8, int16, int32, message, string } from '../schema.ts';

/** Adds and removes SCRAM credentials of users (KIP-554). */
export const AlterUserScramCredentialsRequest = message(
  { name: 'AlterUserScramCredentialsRequest', apiKey: 51, versions: [0, 0], flexible: 0 },
  {
    deletions: array({
      name: string,
      mechanism: int8,
    }),
    upsertions: array({
      name: string,
      mechanism: int8,
      iterations: int32,
      salt: bytes,
      saltedPassword: bytes,
    }),
  },
);
export type AlterUserScramCredentialsRequest = Infer<typeof AlterUserScramCredentialsRequest>;

/** One result for each user. */
export const AlterUserScramCredentialsResponse = message(
  { name: 'AlterUserScramCredentialsResponse', apiKey: 51, versions: [0, 0], flexible: 0 },
  {
    throttleTimeMs: int32,
    results: array({
      user: string,
      errorCode: int16,
      errorMessage: string.nullable(),
    }),
  },
);
export type AlterUserScramCredentialsResponse = Infer<typeof AlterUserScramCredentialsResponse>;
