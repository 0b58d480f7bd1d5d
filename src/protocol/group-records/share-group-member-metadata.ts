import { array, type Infer, message, string } from '../schema.ts';

/** The key of what a member of a share group wants (KIP-932). */
export const ShareGroupMemberMetadataKey = message(
  { name: 'ShareGroupMemberMetadataKey', apiKey: 10, versions: [0, 0] },
  {
    groupId: string,
    memberId: string,
  },
);
export type ShareGroupMemberMetadataKey = Infer<typeof ShareGroupMemberMetadataKey>;

/** The subscription of a member. */
export const ShareGroupMemberMetadataValue = message(
  { name: 'ShareGroupMemberMetadataValue', apiKey: 10, versions: [0, 0], flexible: 0 },
  {
    rackId: string.nullable(),
    clientId: string,
    clientHost: string,
    subscribedTopicNames: array(string),
  },
);
export type ShareGroupMemberMetadataValue = Infer<typeof ShareGroupMemberMetadataValue>;
