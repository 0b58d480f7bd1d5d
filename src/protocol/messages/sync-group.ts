import { array, bytes, type Infer, int16, int32, message, string } from '../schema.ts';

/** From the leader of a classic group what everybody gets, from the others a wish to know. */
export const SyncGroupRequest = message(
  { name: 'SyncGroupRequest', apiKey: 14, versions: [0, 5], flexible: 4 },
  {
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: string.since(3).nullable().default(null),
    protocolType: string.since(5).nullable().default(null).ignorable(),
    protocolName: string.since(5).nullable().default(null).ignorable(),
    assignments: array({
      memberId: string,
      assignment: bytes,
    }),
  },
);
export type SyncGroupRequest = Infer<typeof SyncGroupRequest>;

/** The assignment of the member as the leader wrote it. The protocol is named since v5 (KIP-559). */
export const SyncGroupResponse = message(
  { name: 'SyncGroupResponse', apiKey: 14, versions: [0, 5], flexible: 4 },
  {
    throttleTimeMs: int32.since(1).ignorable(),
    errorCode: int16,
    protocolType: string.since(5).nullable().default(null).ignorable(),
    protocolName: string.since(5).nullable().default(null).ignorable(),
    assignment: bytes,
  },
);
export type SyncGroupResponse = Infer<typeof SyncGroupResponse>;
