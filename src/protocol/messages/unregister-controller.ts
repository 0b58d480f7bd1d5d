import { type Infer, int16, int32, message, string } from '../schema.ts';

/** Forgets a controller that will not come back. */
export const UnregisterControllerRequest = message(
  { name: 'UnregisterControllerRequest', apiKey: 94, versions: [0, 0], flexible: 0 },
  {
    controllerId: int32,
  },
);
export type UnregisterControllerRequest = Infer<typeof UnregisterControllerRequest>;

/** Whether the controller is forgotten. */
export const UnregisterControllerResponse = message(
  { name: 'UnregisterControllerResponse', apiKey: 94, versions: [0, 0], flexible: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: string.nullable(),
  },
);
export type UnregisterControllerResponse = Infer<typeof UnregisterControllerResponse>;
