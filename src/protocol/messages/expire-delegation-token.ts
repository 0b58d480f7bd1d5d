import { bytes, type Infer, int16, int32, int64, message } from '../schema.ts';

/** Changes when a delegation token ends (KIP-48). */
export const ExpireDelegationTokenRequest = message(
  { name: 'ExpireDelegationTokenRequest', apiKey: 40, versions: [0, 2], flexible: 2 },
  {
    hmac: bytes,
    expiryTimePeriodMs: int64,
  },
);
export type ExpireDelegationTokenRequest = Infer<typeof ExpireDelegationTokenRequest>;

/** When the token ends now. */
export const ExpireDelegationTokenResponse = message(
  { name: 'ExpireDelegationTokenResponse', apiKey: 40, versions: [0, 2], flexible: 2 },
  {
    errorCode: int16,
    expiryTimestampMs: int64,
    throttleTimeMs: int32,
  },
);
export type ExpireDelegationTokenResponse = Infer<typeof ExpireDelegationTokenResponse>;
