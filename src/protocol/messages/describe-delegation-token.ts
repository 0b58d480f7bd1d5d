import { array, bytes, type Infer, int16, int32, int64, message, string } from '../schema.ts';

/** The delegation tokens of owners (KIP-48). */
export const DescribeDelegationTokenRequest = message(
  { name: 'DescribeDelegationTokenRequest', apiKey: 41, versions: [0, 3], flexible: 2 },
  {
    owners: array({
      principalType: string,
      principalName: string,
    }).nullable(),
  },
);
export type DescribeDelegationTokenRequest = Infer<typeof DescribeDelegationTokenRequest>;

/** Tokens with their secrets. The requester is told since v3 (KIP-373). */
export const DescribeDelegationTokenResponse = message(
  { name: 'DescribeDelegationTokenResponse', apiKey: 41, versions: [0, 3], flexible: 2 },
  {
    errorCode: int16,
    tokens: array({
      principalType: string,
      principalName: string,
      tokenRequesterPrincipalType: string.since(3),
      tokenRequesterPrincipalName: string.since(3),
      issueTimestamp: int64,
      expiryTimestamp: int64,
      maxTimestamp: int64,
      tokenId: string,
      hmac: bytes,
      renewers: array({
        principalType: string,
        principalName: string,
      }),
    }),
    throttleTimeMs: int32,
  },
);
export type DescribeDelegationTokenResponse = Infer<typeof DescribeDelegationTokenResponse>;
