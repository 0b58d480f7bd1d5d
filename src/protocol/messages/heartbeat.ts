import { type Infer, int16, int32, message, string } from '../schema.ts';

/** Keeps a member in its classic group. Static members since v3 (KIP-345). */
export const HeartbeatRequest = message(
  { name: 'HeartbeatRequest', apiKey: 12, versions: [0, 4], flexible: 4 },
  {
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: string.since(3).nullable().default(null),
  },
);
export type HeartbeatRequest = Infer<typeof HeartbeatRequest>;

/** REBALANCE_IN_PROGRESS tells the member to join again. */
export const HeartbeatResponse = message(
  { name: 'HeartbeatResponse', apiKey: 12, versions: [0, 4], flexible: 4 },
  {
    throttleTimeMs: int32.since(1).ignorable(),
    errorCode: int16,
  },
);
export type HeartbeatResponse = Infer<typeof HeartbeatResponse>;
