import { array, bool, bytes, type Infer, int16, int32, message, string } from '../schema.ts';

/**
 * Joins a classic group. Member ids are given first since v4 (KIP-394), static members since v5
 * (KIP-345), the reason since v8 (KIP-800).
 */
export const JoinGroupRequest = message(
  { name: 'JoinGroupRequest', apiKey: 11, versions: [0, 9], flexible: 6 },
  {
    groupId: string,
    sessionTimeoutMs: int32,
    rebalanceTimeoutMs: int32.since(1).default(-1).ignorable(),
    memberId: string,
    groupInstanceId: string.since(5).nullable().default(null),
    protocolType: string,
    protocols: array({
      name: string,
      metadata: bytes,
    }),
    reason: string.since(8).nullable().default(null).ignorable(),
  },
);
export type JoinGroupRequest = Infer<typeof JoinGroupRequest>;

/** The leader gets all members and assigns. Since v9 it may be told to keep the assignment (KIP-814). */
export const JoinGroupResponse = message(
  { name: 'JoinGroupResponse', apiKey: 11, versions: [0, 9], flexible: 6 },
  {
    throttleTimeMs: int32.since(2).ignorable(),
    errorCode: int16,
    generationId: int32.default(-1),
    protocolType: string.since(7).nullable().default(null).ignorable(),
    protocolName: string.nullable(7),
    leader: string,
    skipAssignment: bool.since(9),
    memberId: string,
    members: array({
      memberId: string,
      groupInstanceId: string.since(5).nullable().default(null).ignorable(),
      metadata: bytes,
    }),
  },
);
export type JoinGroupResponse = Infer<typeof JoinGroupResponse>;
