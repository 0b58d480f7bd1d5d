import { array, bool, type Infer, int16, int32, message, string, uint16, uuid } from '../schema.ts';

/** From a controller to the active one at its start (KIP-919). */
export const ControllerRegistrationRequest = message(
  { name: 'ControllerRegistrationRequest', apiKey: 70, versions: [0, 0], flexible: 0 },
  {
    controllerId: int32,
    incarnationId: uuid,
    zkMigrationReady: bool,
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
  },
);
export type ControllerRegistrationRequest = Infer<typeof ControllerRegistrationRequest>;

/** Whether the controller is registered. */
export const ControllerRegistrationResponse = message(
  { name: 'ControllerRegistrationResponse', apiKey: 70, versions: [0, 0], flexible: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: string.nullable(),
  },
);
export type ControllerRegistrationResponse = Infer<typeof ControllerRegistrationResponse>;
