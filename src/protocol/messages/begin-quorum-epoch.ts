import { array, type Infer, int16, int32, message, string, uint16, uuid } from '../schema.ts';

/**
 * From the new leader of the metadata quorum to its voters (KIP-595). Directory ids and end points
 * since v1 (KIP-853).
 */
export const BeginQuorumEpochRequest = message(
  { name: 'BeginQuorumEpochRequest', apiKey: 53, versions: [0, 1], flexible: 1 },
  {
    clusterId: string.nullable().default(null),
    voterId: int32.since(1).default(-1).ignorable(),
    topics: array({
      topicName: string,
      partitions: array({
        partitionIndex: int32,
        voterDirectoryId: uuid.since(1).ignorable(),
        leaderId: int32,
        leaderEpoch: int32,
      }),
    }),
    leaderEndpoints: array({
      name: string,
      host: string,
      port: uint16,
    })
      .since(1)
      .ignorable(),
  },
);
export type BeginQuorumEpochRequest = Infer<typeof BeginQuorumEpochRequest>;

/** Whether the voter knows the leader now. */
export const BeginQuorumEpochResponse = message(
  { name: 'BeginQuorumEpochResponse', apiKey: 53, versions: [0, 1], flexible: 1 },
  {
    errorCode: int16,
    topics: array({
      topicName: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        leaderId: int32,
        leaderEpoch: int32,
      }),
    }),
    nodeEndpoints: array({
      nodeId: int32,
      host: string,
      port: uint16,
    }).tagged(0, 1),
  },
);
export type BeginQuorumEpochResponse = Infer<typeof BeginQuorumEpochResponse>;
