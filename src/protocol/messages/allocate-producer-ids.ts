import { type Infer, int16, int32, int64, message, offset } from '../schema.ts';

/** From a broker to the controller: a block of producer ids (KIP-730). */
export const AllocateProducerIdsRequest = message(
  { name: 'AllocateProducerIdsRequest', apiKey: 67, versions: [0, 0], flexible: 0 },
  {
    brokerId: int32,
    brokerEpoch: offset.default(-1),
  },
);
export type AllocateProducerIdsRequest = Infer<typeof AllocateProducerIdsRequest>;

export const AllocateProducerIdsResponse = message(
  { name: 'AllocateProducerIdsResponse', apiKey: 67, versions: [0, 0], flexible: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    producerIdStart: int64,
    producerIdLen: int32,
  },
);
export type AllocateProducerIdsResponse = Infer<typeof AllocateProducerIdsResponse>;
