import { array, bool, type Infer, int16, int32, message, offset, string, uint16, uuid } from '../schema.ts';

/**
 * Asks for a vote in the metadata quorum (KIP-595). Directory ids since v1 (KIP-853), votes on trial
 * since v2 (KIP-996).
 */
export const VoteRequest = message(
  { name: 'VoteRequest', apiKey: 52, versions: [0, 2], flexible: 0 },
  {
    clusterId: string.nullable().default(null),
    voterId: int32.since(1).default(-1).ignorable(),
    topics: array({
      topicName: string,
      partitions: array({
        partitionIndex: int32,
        replicaEpoch: int32,
        replicaId: int32,
        replicaDirectoryId: uuid.since(1).ignorable(),
        voterDirectoryId: uuid.since(1).ignorable(),
        lastOffsetEpoch: int32,
        lastOffset: offset,
        preVote: bool.since(2),
      }),
    }),
  },
);
export type VoteRequest = Infer<typeof VoteRequest>;

/** Whether the vote was given. */
export const VoteResponse = message(
  { name: 'VoteResponse', apiKey: 52, versions: [0, 2], flexible: 0 },
  {
    errorCode: int16,
    topics: array({
      topicName: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        leaderId: int32,
        leaderEpoch: int32,
        voteGranted: bool,
      }),
    }),
    nodeEndpoints: array({
      nodeId: int32,
      host: string,
      port: uint16,
    }).tagged(0, 1),
  },
);
export type VoteResponse = Infer<typeof VoteResponse>;
