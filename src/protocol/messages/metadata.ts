import { array, bool, type Infer, int16, int32, message, string, uuid } from '../schema.ts';

/** Which brokers there are and who leads what. Topic ids since v10, lookup by id since v12 (KIP-516). */
export const MetadataRequest = message(
  { name: 'MetadataRequest', apiKey: 3, versions: [0, 13], flexible: 9 },
  {
    // Null asks for all; in v0 an empty list does.
    topics: array({
      topicId: uuid.since(10).ignorable(),
      // Null where only the id is given.
      name: string.nullable(10),
    }).nullable(1),
    allowAutoTopicCreation: bool.since(4).default(true),
    includeClusterAuthorizedOperations: bool.since(8).until(10),
    includeTopicAuthorizedOperations: bool.since(8),
  },
);
export type MetadataRequest = Infer<typeof MetadataRequest>;

/** An error of the whole request has a place only since v13. */
export const MetadataResponse = message(
  { name: 'MetadataResponse', apiKey: 3, versions: [0, 13], flexible: 9 },
  {
    throttleTimeMs: int32.since(3).ignorable(),
    brokers: array({
      nodeId: int32,
      host: string,
      port: int32,
      rack: string.since(1).nullable().default(null).ignorable(),
    }),
    clusterId: string.since(2).nullable().default(null).ignorable(),
    // A broker that takes admin requests, or -1.
    controllerId: int32.since(1).default(-1).ignorable(),
    topics: array({
      errorCode: int16,
      name: string.nullable(12),
      topicId: uuid.since(10).ignorable(),
      isInternal: bool.since(1).ignorable(),
      partitions: array({
        errorCode: int16,
        partitionIndex: int32,
        leaderId: int32,
        leaderEpoch: int32.since(7).default(-1).ignorable(),
        replicaNodes: array(int32),
        isrNodes: array(int32),
        offlineReplicas: array(int32).since(5).ignorable(),
      }),
      // Bits by operation; the smallest int32 where they were not asked for.
      topicAuthorizedOperations: int32.since(8).default(-2147483648),
    }),
    // As topicAuthorizedOperations.
    clusterAuthorizedOperations: int32.since(8).until(10).default(-2147483648),
    errorCode: int16.since(13).ignorable(),
  },
);
export type MetadataResponse = Infer<typeof MetadataResponse>;
