import { array, bool, type Infer, int16, int32, message, string, struct, uuid } from '../schema.ts';

/** Partitions page by page (KIP-966). */
export const DescribeTopicPartitionsRequest = message(
  { name: 'DescribeTopicPartitionsRequest', apiKey: 75, versions: [0, 0], flexible: 0 },
  {
    // Empty asks for all.
    topics: array({
      name: string,
    }),
    responsePartitionLimit: int32.default(2000),
    // Where to go on; from nextCursor of the last answer.
    cursor: struct({
      topicName: string,
      partitionIndex: int32,
    })
      .nullable()
      .default(null),
  },
);
export type DescribeTopicPartitionsRequest = Infer<typeof DescribeTopicPartitionsRequest>;

export const DescribeTopicPartitionsResponse = message(
  { name: 'DescribeTopicPartitionsResponse', apiKey: 75, versions: [0, 0], flexible: 0 },
  {
    throttleTimeMs: int32.ignorable(),
    topics: array({
      errorCode: int16,
      name: string.nullable(),
      topicId: uuid.ignorable(),
      isInternal: bool.ignorable(),
      partitions: array({
        errorCode: int16,
        partitionIndex: int32,
        leaderId: int32,
        leaderEpoch: int32.default(-1).ignorable(),
        replicaNodes: array(int32),
        isrNodes: array(int32),
        eligibleLeaderReplicas: array(int32).nullable().default(null),
        lastKnownElr: array(int32).nullable().default(null),
        offlineReplicas: array(int32).ignorable(),
      }),
      topicAuthorizedOperations: int32.default(-2147483648),
    }),
    nextCursor: struct({
      topicName: string,
      partitionIndex: int32,
    })
      .nullable()
      .default(null),
  },
);
export type DescribeTopicPartitionsResponse = Infer<typeof DescribeTopicPartitionsResponse>;
