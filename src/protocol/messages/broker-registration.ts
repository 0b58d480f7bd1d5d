import { array, bool, type Infer, int16, int32, message, offset, string, uint16, uuid } from '../schema.ts';

/** From a broker to the controller at its start (KIP-631). */
export const BrokerRegistrationRequest = message(
  { name: 'BrokerRegistrationRequest', apiKey: 62, versions: [0, 4], flexible: 0 },
  {
    brokerId: int32,
    clusterId: string,
    incarnationId: uuid,
    listeners: array({
      name: string,
      host: string,
      port: uint16,
      securityProtocol: int16,
    }),
    features: array({
      name: string,
      minSupportedVersion: int16,
      maxSupportedVersion: int16,
    }),
    rack: string.nullable(),
    isMigratingZkBroker: bool.since(1),
    logDirs: array(uuid).since(2).ignorable(),
    // After a clean shutdown the epoch of then, else -1 (KIP-966).
    previousBrokerEpoch: offset.since(3).default(-1).ignorable(),
  },
);
export type BrokerRegistrationRequest = Infer<typeof BrokerRegistrationRequest>;

export const BrokerRegistrationResponse = message(
  { name: 'BrokerRegistrationResponse', apiKey: 62, versions: [0, 4], flexible: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    brokerEpoch: offset.default(-1),
  },
);
export type BrokerRegistrationResponse = Infer<typeof BrokerRegistrationResponse>;
