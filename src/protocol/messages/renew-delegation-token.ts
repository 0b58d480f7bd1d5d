import { bytes, type Infer, int16, int32, int64, message } from '../schema.ts';

/** Makes a delegation token last longer (KIP-48). */
export const RenewDelegationTokenRequest = message(
  { name: 'RenewDelegationTokenRequest', apiKey: 39, versions: [0, 2], flexible: 2 },
  {
    hmac: bytes,
    renewPeriodMs: int64,
  },
);
export type RenewDelegationTokenRequest = Infer<typeof RenewDelegationTokenRequest>;

/** When the token ends now. */
export const RenewDelegationTokenResponse = message(
  { name: 'RenewDelegationTokenResponse', apiKey: 39, versions: [0, 2], flexible: 2 },
  {
    errorCode: int16,
    expiryTimestampMs: int64,
    throttleTimeMs: int32,
  },
);
export type RenewDelegationTokenResponse = Infer<typeof RenewDelegationTokenResponse>;
