import { bytes, type Infer, int16, message } from '../schema.ts';

/** From a broker to the controller: a request of a client, with who sent it (KIP-590). */
export const EnvelopeRequest = message(
  { name: 'EnvelopeRequest', apiKey: 58, versions: [0, 0], flexible: 0 },
  {
    requestData: bytes,
    requestPrincipal: bytes.nullable(),
    clientHostAddress: bytes,
  },
);
export type EnvelopeRequest = Infer<typeof EnvelopeRequest>;

/** The answer to the enclosed request, header included. */
export const EnvelopeResponse = message(
  { name: 'EnvelopeResponse', apiKey: 58, versions: [0, 0], flexible: 0 },
  {
    responseData: bytes.nullable().default(null),
    errorCode: int16,
  },
);
export type EnvelopeResponse = Infer<typeof EnvelopeResponse>;
