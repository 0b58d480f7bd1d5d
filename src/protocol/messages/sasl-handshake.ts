import { array, type Infer, int16, message, string } from '../schema.ts';

/** Chooses a SASL mechanism (KIP-43). After v0 its steps follow without a Kafka header. */
export const SaslHandshakeRequest = message(
  { name: 'SaslHandshakeRequest', apiKey: 17, versions: [0, 1] },
  {
    mechanism: string,
  },
);
export type SaslHandshakeRequest = Infer<typeof SaslHandshakeRequest>;

/** The mechanisms that the broker serves. */
export const SaslHandshakeResponse = message(
  { name: 'SaslHandshakeResponse', apiKey: 17, versions: [0, 1] },
  {
    errorCode: int16,
    mechanisms: array(string),
  },
);
export type SaslHandshakeResponse = Infer<typeof SaslHandshakeResponse>;
