import { bytes, type Infer, int16, int64, message, string } from '../schema.ts';

/** One step of a SASL mechanism (KIP-152). */
export const SaslAuthenticateRequest = message(
  { name: 'SaslAuthenticateRequest', apiKey: 36, versions: [0, 2], flexible: 2 },
  {
    authBytes: bytes,
  },
);
export type SaslAuthenticateRequest = Infer<typeof SaslAuthenticateRequest>;

/** The next step. The lifetime of the session is told since v1 (KIP-368). */
export const SaslAuthenticateResponse = message(
  { name: 'SaslAuthenticateResponse', apiKey: 36, versions: [0, 2], flexible: 2 },
  {
    errorCode: int16,
    errorMessage: string.nullable(),
    authBytes: bytes,
    sessionLifetimeMs: int64.since(1).ignorable(),
  },
);
export type SaslAuthenticateResponse = Infer<typeof SaslAuthenticateResponse>;
