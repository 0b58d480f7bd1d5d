import { type Infer, int16, int32, message, string } from '../schema.ts';

/** Forgets a broker that will not come back (KIP-631). */
export const UnregisterBrokerRequest = message(
  { name: 'UnregisterBrokerRequest', apiKey: 64, versions: [0, 0], flexible: 0 },
  {
    brokerId: int32,
  },
);
export type UnregisterBrokerRequest = Infer<typeof UnregisterBrokerRequest>;

/** Whether the broker is forgotten. */
export const UnregisterBrokerResponse = message(
  { name: 'UnregisterBrokerResponse', apiKey: 64, versions: [0, 0], flexible: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: string.nullable(),
  },
);
export type UnregisterBrokerResponse = Infer<typeof UnregisterBrokerResponse>;
