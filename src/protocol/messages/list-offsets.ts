import { array, type Infer, int8, int16, int32, int64, message, offset, string } from '../schema.ts';

/** The offset that belongs to a timestamp, or to one of the places that negative timestamps stand for. */
export const ListOffsetsRequest = message(
  { name: 'ListOffsetsRequest', apiKey: 2, versions: [0, 11], flexible: 6 },
  {
    // -1 from a consumer, -2 from a tool.
    replicaId: int32,
    isolationLevel: int8.since(2),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        currentLeaderEpoch: int32.since(4).default(-1).ignorable(),
        // -1: latest; -2: earliest; -3: of the largest timestamp; -4: earliest local; -5: latest tiered;
        // -6: earliest not yet tiered.
        timestamp: int64,
        // How many segment starts to tell at most.
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
        // Segment starts before the timestamp, newest first.
        oldStyleOffsets: array(offset).until(0),
        timestamp: int64.since(1).default(-1n),
        offset: offset.since(1).default(-1),
        leaderEpoch: int32.since(4).default(-1),
      }),
    }),
  },
);
export type ListOffsetsResponse = Infer<typeof ListOffsetsResponse>;
