import { array, bytes, type Infer, int16, int32, int64, message, string } from '../schema.ts';

/** Asks for a delegation token (KIP-48); since v3 for somebody else too (KIP-373). */
export const CreateDelegationTokenRequest = message(
  { name: 'CreateDelegationTokenRequest', apiKey: 38, versions: [0, 3], flexible: 2 },
  {
    ownerPrincipalType: string.since(3).nullable(),
    ownerPrincipalName: string.since(3).nullable(),
    renewers: array({
      principalType: string,
      principalName: string,
    }),
    maxLifetimeMs: int64,
  },
);
export type CreateDelegationTokenRequest = Infer<typeof CreateDelegationTokenRequest>;

/** The token and its secret. The requester is told since v3. */
export const CreateDelegationTokenResponse = message(
  { name: 'CreateDelegationTokenResponse', apiKey: 38, versions: [0, 3], flexible: 2 },
  {
    errorCode: int16,
    principalType: string,
    principalName: string,
    tokenRequesterPrincipalType: string.since(3),
    tokenRequesterPrincipalName: string.since(3),
    issueTimestampMs: int64,
    expiryTimestampMs: int64,
    maxTimestampMs: int64,
    tokenId: string,
    hmac: bytes,
    throttleTimeMs: int32,
  },
);
export type CreateDelegationTokenResponse = Infer<typeof CreateDelegationTokenResponse>;
