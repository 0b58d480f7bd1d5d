import { type Infer, int32, message } from '../schema.ts';

/** A controller left for good. */
export const UnregisterControllerRecord = message(
  { name: 'UnregisterControllerRecord', apiKey: 29, versions: [0, 0], flexible: 0 },
  {
    controllerId: int32,
  },
);
export type UnregisterControllerRecord = Infer<typeof UnregisterControllerRecord>;
