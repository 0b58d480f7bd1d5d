import { array, type Infer, int16, int32, message, string, struct, uuid } from '../schema.ts';

/**
 * Joins, stays in and leaves a group of the new protocol (KIP-848). Since v1 the broker evaluates
 * regular expressions, and the client makes its member id (KIP-1082).
 */
export const ConsumerGroupHeartbeatRequest = message(
  { name: 'ConsumerGroupHeartbeatRequest', apiKey: 68, versions: [0, 1], flexible: 0 },
  {
    groupId: string,
    memberId: string,
    memberEpoch: int32,
    instanceId: string.nullable().default(null),
    rackId: string.nullable().default(null),
    rebalanceTimeoutMs: int32.default(-1),
    subscribedTopicNames: array(string).nullable().default(null),
    subscribedTopicRegex: string.since(1).nullable().default(null),
    serverAssignor: string.nullable().default(null),
    topicPartitions: array({
      topicId: uuid,
      partitions: array(int32),
    })
      .nullable()
      .default(null),
  },
);
export type ConsumerGroupHeartbeatRequest = Infer<typeof ConsumerGroupHeartbeatRequest>;

const topicPartitions = {
  topicId: uuid,
  partitions: array(int32),
};

/** The epoch of the member and, where it changed, its assignment. */
export const ConsumerGroupHeartbeatResponse = message(
  { name: 'ConsumerGroupHeartbeatResponse', apiKey: 68, versions: [0, 1], flexible: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: string.nullable().default(null),
    memberId: string.nullable().default(null),
    memberEpoch: int32,
    heartbeatIntervalMs: int32,
    assignment: struct({
      topicPartitions: array(topicPartitions),
    })
      .nullable()
      .default(null),
  },
);
export type ConsumerGroupHeartbeatResponse = Infer<typeof ConsumerGroupHeartbeatResponse>;
