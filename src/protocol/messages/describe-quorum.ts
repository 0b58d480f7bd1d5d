import { array, type Infer, int16, int32, int64, message, offset, string, uint16, uuid } from '../schema.ts';

/** Leader, voters and observers of the metadata log (KIP-595). */
export const DescribeQuorumRequest = message(
  { name: 'DescribeQuorumRequest', apiKey: 55, versions: [0, 2], flexible: 0 },
  {
    topics: array({
      topicName: string,
      partitions: array({
        partitionIndex: int32,
      }),
    }),
  },
);
export type DescribeQuorumRequest = Infer<typeof DescribeQuorumRequest>;

const replicaState = {
  replicaId: int32,
  replicaDirectoryId: uuid.since(2),
  logEndOffset: offset,
  lastFetchTimestamp: int64.since(1).default(-1n).ignorable(),
  lastCaughtUpTimestamp: int64.since(1).default(-1n).ignorable(),
};

export const DescribeQuorumResponse = message(
  { name: 'DescribeQuorumResponse', apiKey: 55, versions: [0, 2], flexible: 0 },
  {
    errorCode: int16,
    errorMessage: string.since(2).nullable().ignorable(),
    topics: array({
      topicName: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        errorMessage: string.since(2).nullable().ignorable(),
        leaderId: int32,
        leaderEpoch: int32,
        highWatermark: offset,
        currentVoters: array(replicaState),
        observers: array(replicaState),
      }),
    }),
    nodes: array({
      nodeId: int32,
      listeners: array({
        name: string,
        host: string,
        port: uint16,
      }),
    }).since(2),
  },
);
export type DescribeQuorumResponse = Infer<typeof DescribeQuorumResponse>;
