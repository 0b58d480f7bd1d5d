import { array, type Infer, int8, int16, int32, int64, message, offset, string } from '../schema.ts';

export const ListOffsetsRequest = message(
  { name: 'ListOffsetsRequest', apiKey: 2, versions: [0, 11], flexible: 6 },
  {
    replicaId: int32,
    isolationLevel: int8.since(2),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        currentLeaderEpoch: int32.since(4).default(-1).ignorable(),
        timestamp: int64,
        maxNumOffsets: int32.until(0).default(1),
      }),
    }),
    timeoutMs: int32.since(10).ignorable(),
  },
);
export type ListOffsetsRequest = Infer<typeof ListOffsetsRequest>;

export const ListOffsetsResponse = message(
  { name: 'ListOffsetsResponse', apiKey: 2, versions: [0, 11], flexible: 6 },
  {
    throttleTimeMs: int32.since(2).ignorable(),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        oldStyleOffsets: array(offset).until(0),
        timestamp: int64.since(1).default(-1n),
        offset: offset.since(1).default(-1),
        leaderEpoch: int32.since(4).default(-1),
      }),
    }),
  },
);
export type ListOffsetsResponse = Infer<typeof ListOffsetsResponse>;
