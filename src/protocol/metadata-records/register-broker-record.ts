import { array, bool, type Infer, int16, int32, message, offset, string, uint16, uuid } from '../schema.ts';

/** A broker registered with the controller; fenced until it says that it has caught up. */
export const RegisterBrokerRecord = message(
  { name: 'RegisterBrokerRecord', apiKey: 0, versions: [0, 4], flexible: 0 },
  {
    brokerId: int32,
    isMigratingZkBroker: bool.since(2),
    incarnationId: uuid,
    brokerEpoch: offset,
    endPoints: array({
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
    fenced: bool.default(true),
    inControlledShutdown: bool.since(1),
    logDirs: array(uuid).tagged(0, 3),
    cordonedLogDirs: array(uuid).nullable().tagged(1, 4).default(null),
  },
);
export type RegisterBrokerRecord = Infer<typeof RegisterBrokerRecord>;
