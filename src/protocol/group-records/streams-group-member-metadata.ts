import { array, type Infer, int32, message, string, struct, uint16 } from '../schema.ts';

/** The key of what is known of a member of a streams group (KIP-1071). */
export const StreamsGroupMemberMetadataKey = message(
  { name: 'StreamsGroupMemberMetadataKey', apiKey: 19, versions: [0, 0] },
  {
    groupId: string,
    memberId: string,
  },
);
export type StreamsGroupMemberMetadataKey = Infer<typeof StreamsGroupMemberMetadataKey>;

const endpoint = {
  host: string,
  port: uint16,
};

const keyValue = {
  key: string,
  value: string,
};

/** The process, place and tags of a member. */
export const StreamsGroupMemberMetadataValue = message(
  { name: 'StreamsGroupMemberMetadataValue', apiKey: 19, versions: [0, 0], flexible: 0 },
  {
    instanceId: string.nullable(),
    rackId: string.nullable(),
    clientId: string,
    clientHost: string,
    rebalanceTimeoutMs: int32.default(-1),
    topologyEpoch: int32,
    processId: string,
    userEndpoint: struct(endpoint).nullable().default(null),
    clientTags: array(keyValue),
  },
);
export type StreamsGroupMemberMetadataValue = Infer<typeof StreamsGroupMemberMetadataValue>;
