import { array, bytes, type Infer, int32, message, string, struct } from '../schema.ts';

/** The key of what a member of a consumer group wants (KIP-848). */
export const ConsumerGroupMemberMetadataKey = message(
  { name: 'ConsumerGroupMemberMetadataKey', apiKey: 5, versions: [0, 0] },
  {
    groupId: string,
    memberId: string,
  },
);
export type ConsumerGroupMemberMetadataKey = Infer<typeof ConsumerGroupMemberMetadataKey>;

/** The subscription of a member; for one of the classic protocol also its session. */
export const ConsumerGroupMemberMetadataValue = message(
  { name: 'ConsumerGroupMemberMetadataValue', apiKey: 5, versions: [0, 0], flexible: 0 },
  {
    instanceId: string.nullable(),
    rackId: string.nullable(),
    clientId: string,
    clientHost: string,
    subscribedTopicNames: array(string),
    subscribedTopicRegex: string.nullable(),
    rebalanceTimeoutMs: int32.default(-1),
    serverAssignor: string.nullable(),
    // Null of a member of the new protocol, always written: absent means an empty one.
    classicMemberMetadata: struct({
      sessionTimeoutMs: int32,
      supportedProtocols: array({
        name: string,
        metadata: bytes,
      }),
    })
      .nullable()
      .tagged(0, 0),
  },
);
export type ConsumerGroupMemberMetadataValue = Infer<typeof ConsumerGroupMemberMetadataValue>;
