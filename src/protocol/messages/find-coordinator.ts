import { array, type Infer, int8, int16, int32, message, string } from '../schema.ts';

/** Which broker coordinates a group or a transactional id; several keys at once since v4 (KIP-699). */
export const FindCoordinatorRequest = message(
  { name: 'FindCoordinatorRequest', apiKey: 10, versions: [0, 6], flexible: 3 },
  {
    key: string.until(3),
    // 0: group; 1: transactional id; 2: share group.
    keyType: int8.since(1),
    coordinatorKeys: array(string).since(4),
  },
);
export type FindCoordinatorRequest = Infer<typeof FindCoordinatorRequest>;

export const FindCoordinatorResponse = message(
  { name: 'FindCoordinatorResponse', apiKey: 10, versions: [0, 6], flexible: 3 },
  {
    throttleTimeMs: int32.since(1).ignorable(),
    errorCode: int16.until(3),
    errorMessage: string.since(1).until(3).nullable().ignorable(),
    nodeId: int32.until(3),
    host: string.until(3),
    port: int32.until(3),
    coordinators: array({
      key: string,
      nodeId: int32,
      host: string,
      port: int32,
      errorCode: int16,
      errorMessage: string.nullable().ignorable(),
    }).since(4),
  },
);
export type FindCoordinatorResponse = Infer<typeof FindCoordinatorResponse>;
