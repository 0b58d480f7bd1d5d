import { array, type Infer, int8, int16, int32, message, string } from '../schema.ts';

/** Which SCRAM credentials users have (KIP-554). */
export const DescribeUserScramCredentialsRequest = message(
  { name: 'DescribeUserScramCredentialsRequest', apiKey: 50, versions: [0, 0], flexible: 0 },
  {
    users: array({
      name: string,
    }).nullable(),
  },
);
export type DescribeUserScramCredentialsRequest = Infer<typeof DescribeUserScramCredentialsRequest>;

/** Mechanisms and iterations, never the secrets. */
export const DescribeUserScramCredentialsResponse = message(
  { name: 'DescribeUserScramCredentialsResponse', apiKey: 50, versions: [0, 0], flexible: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: string.nullable(),
    results: array({
      user: string,
      errorCode: int16,
      errorMessage: string.nullable(),
      credentialInfos: array({
        mechanism: int8,
        iterations: int32,
      }),
    }),
  },
);
export type DescribeUserScramCredentialsResponse = Infer<typeof DescribeUserScramCredentialsResponse>;
