import { array, bool, type Infer, int16, int32, message, string, uint16, uuid } from '../schema.ts';

/** A controller registered (KIP-919). */
export const RegisterControllerRecord = message(
  { name: 'RegisterControllerRecord', apiKey: 27, versions: [0, 0], flexible: 0 },
  {
    controllerId: int32,
    incarnationId: uuid,
    zkMigrationReady: bool,
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
  },
);
export type RegisterControllerRecord = Infer<typeof RegisterControllerRecord>;
