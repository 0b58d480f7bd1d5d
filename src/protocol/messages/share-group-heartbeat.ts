import { array, type Infer, int16, int32, message, string, struct, uuid } from '../schema.ts';

/** Joins, stays in and leaves a share group (KIP-932). */
export const ShareGroupHeartbeatRequest = message(
  { name: 'ShareGroupHeartbeatRequest', apiKey: 76, versions: [0, 1], flexible: 0 },
  {
    groupId: string,
    memberId: string,
    memberEpoch: int32,
    rackId: string.nullable().default(null),
    subscribedTopicNames: array(string).nullable().default(null),
  },
);
export type ShareGroupHeartbeatRequest = Infer<typeof ShareGroupHeartbeatRequest>;

const topicPartitions = {
  topicId: uuid,
  partitions: array(int32),
};

/** The epoch of the member and, where it changed, its assignment. */
export const ShareGroupHeartbeatResponse = message(
  { name: 'ShareGroupHeartbeatResponse', apiKey: 76, versions: [0, 1], flexible: 0 },
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
export type ShareGroupHeartbeatResponse = Infer<typeof ShareGroupHeartbeatResponse>;
