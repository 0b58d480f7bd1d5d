import { array, type Infer, int16, int32, message, string } from '../schema.ts';

/** Leaves a classic group; several members at once since v3 (KIP-345), the reason since v5 (KIP-800). */
export const LeaveGroupRequest = message(
  { name: 'LeaveGroupRequest', apiKey: 13, versions: [0, 5], flexible: 4 },
  {
    groupId: string,
    memberId: string.until(2),
    members: array({
      memberId: string,
      groupInstanceId: string.nullable().default(null),
      reason: string.since(5).nullable().default(null).ignorable(),
    }).since(3),
  },
);
export type LeaveGroupRequest = Infer<typeof LeaveGroupRequest>;

/** One result for each member since v3. */
export const LeaveGroupResponse = message(
  { name: 'LeaveGroupResponse', apiKey: 13, versions: [0, 5], flexible: 4 },
  {
    throttleTimeMs: int32.since(1).ignorable(),
    errorCode: int16,
    members: array({
      memberId: string,
      groupInstanceId: string.nullable(),
      errorCode: int16,
    }).since(3),
  },
);
export type LeaveGroupResponse = Infer<typeof LeaveGroupResponse>;
