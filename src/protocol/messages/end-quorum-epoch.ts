import { array, type Infer, int16, int32, message, string, uint16, uuid } from '../schema.ts';

/** From a leader of the metadata quorum that resigns, so that voters need not wait (KIP-595, KIP-853). */
export const EndQuorumEpochRequest = message(
  { name: 'EndQuorumEpochRequest', apiKey: 54, versions: [0, 1], flexible: 1 },
  {
    clusterId: string.nullable().default(null),
    topics: array({
      topicName: string,
      partitions: array({
        partitionIndex: int32,
        leaderId: int32,
        leaderEpoch: int32,
        preferredSuccessors: array(int32).until(0).ignorable(),
        preferredCandidates: array({
          candidateId: int32,
          candidateDirectoryId: uuid,
        })
          .since(1)
          .ignorable(),
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
export type EndQuorumEpochRequest = Infer<typeof EndQuorumEpochRequest>;

/** Whether the voter heard it. */
export const EndQuorumEpochResponse = message(
  { name: 'EndQuorumEpochResponse', apiKey: 54, versions: [0, 1], flexible: 1 },
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
export type EndQuorumEpochResponse = Infer<typeof EndQuorumEpochResponse>;
