import { array, bytes, type Infer, int32, int64, message, string } from '../schema.ts';

/** The key of a classic group. */
export const GroupMetadataKey = message(
  { name: 'GroupMetadataKey', apiKey: 2, versions: [0, 0] },
  {
    group: string,
  },
);
export type GroupMetadataKey = Infer<typeof GroupMetadataKey>;

const memberMetadata = {
  memberId: string,
  groupInstanceId: string.since(3).nullable().default(null).ignorable(),
  clientId: string,
  clientHost: string,
  rebalanceTimeout: int32.since(1).default(-1).ignorable(),
  sessionTimeout: int32,
  subscription: bytes,
  assignment: bytes,
};

/** A classic group with all members. Static members since v3 (KIP-345). */
export const GroupMetadataValue = message(
  { name: 'GroupMetadataValue', apiKey: 2, versions: [0, 4], flexible: 4 },
  {
    protocolType: string,
    generation: int32,
    protocol: string.nullable(),
    leader: string.nullable(),
    currentStateTimestamp: int64.since(2).default(-1n).ignorable(),
    members: array(memberMetadata),
  },
);
export type GroupMetadataValue = Infer<typeof GroupMetadataValue>;
