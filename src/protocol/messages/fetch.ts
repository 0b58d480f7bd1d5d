import {
  array,
  type Infer,
  int8,
  int16,
  int32,
  int64,
  message,
  offset,
  recordChunks,
  string,
  struct,
  uuid,
} from '../schema.ts';

/**
 * Records from given offsets on. Sessions since v7 (KIP-227), topic ids instead of names since v13
 * (KIP-516).
 */
export const FetchRequest = message(
  { name: 'FetchRequest', apiKey: 1, versions: [0, 18], flexible: 12 },
  {
    clusterId: string.nullable().tagged(0, 12).default(null).ignorable(),
    // -1 from a consumer.
    replicaId: int32.until(14).default(-1),
    replicaState: struct({
      // -1 from a consumer.
      replicaId: int32.default(-1),
      replicaEpoch: offset.default(-1),
    }).tagged(1, 15),
    maxWaitMs: int32,
    minBytes: int32,
    maxBytes: int32.since(3).default(0x7fffffff).ignorable(),
    // 0: up to the high watermark; 1: up to the last stable offset, with aborted transactions named.
    isolationLevel: int8.since(4).ignorable(),
    sessionId: int32.since(7).ignorable(),
    // 0: a new session; -1: no session, or the end of one; else the next of the session.
    sessionEpoch: int32.since(7).default(-1).ignorable(),
    topics: array({
      topic: string.until(12).ignorable(),
      topicId: uuid.since(13).ignorable(),
      partitions: array({
        partition: int32,
        currentLeaderEpoch: int32.since(9).default(-1).ignorable(),
        fetchOffset: offset,
        // From followers: the leader epoch of the last batch they have, or -1.
        lastFetchedEpoch: int32.since(12).default(-1),
        logStartOffset: offset.since(5).default(-1).ignorable(),
        partitionMaxBytes: int32,
        replicaDirectoryId: uuid.tagged(0, 17).ignorable(),
        // From followers (KIP-1166); the largest int64 where it is not known.
        highWatermark: int64.tagged(1, 18).default(9223372036854775807n).ignorable(),
      }),
    }),
    forgottenTopicsData: array({
      topic: string.until(12).ignorable(),
      topicId: uuid.since(13).ignorable(),
      partitions: array(int32),
    }).since(7),
    rackId: string.since(11).ignorable(),
  },
);
export type FetchRequest = Infer<typeof FetchRequest>;

/** Records as they lie in the log: a batch may begin before the offset that was asked for. */
export const FetchResponse = message(
  { name: 'FetchResponse', apiKey: 1, versions: [0, 18], flexible: 12 },
  {
    throttleTimeMs: int32.since(1).ignorable(),
    errorCode: int16.since(7).ignorable(),
    sessionId: int32.since(7),
    responses: array({
      topic: string.until(12).ignorable(),
      topicId: uuid.since(13).ignorable(),
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        highWatermark: offset,
        lastStableOffset: offset.since(4).default(-1).ignorable(),
        logStartOffset: offset.since(5).default(-1).ignorable(),
        divergingEpoch: struct({
          epoch: int32.default(-1),
          endOffset: offset.default(-1),
        }).tagged(0, 12),
        currentLeader: struct({
          leaderId: int32.default(-1),
          leaderEpoch: int32.default(-1),
        }).tagged(1, 12),
        snapshotId: struct({
          endOffset: offset.default(-1),
          epoch: int32.default(-1),
        }).tagged(2, 12),
        // Null where the isolation level did not ask for them.
        abortedTransactions: array({
          producerId: int64,
          firstOffset: offset,
        })
          .since(4)
          .nullable()
          .ignorable(),
        // The broker to fetch from next time (KIP-392), or -1.
        preferredReadReplica: int32.since(11).default(-1),
        records: recordChunks.nullable(),
      }),
    }),
    // Where the leaders named in currentLeader are.
    nodeEndpoints: array({
      nodeId: int32,
      host: string,
      port: int32,
      rack: string.nullable().default(null),
    }).tagged(0, 16),
  },
);
export type FetchResponse = Infer<typeof FetchResponse>;
