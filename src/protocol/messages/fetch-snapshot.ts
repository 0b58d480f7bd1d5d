import {
  array,
  type Infer,
  int16,
  int32,
  message,
  offset,
  recordChunks,
  string,
  struct,
  uint16,
  uuid,
} from '../schema.ts';

/** Parts of a snapshot of the metadata log (KIP-630). Directory ids since v1 (KIP-853). */
export const FetchSnapshotRequest = message(
  { name: 'FetchSnapshotRequest', apiKey: 59, versions: [0, 1], flexible: 0 },
  {
    clusterId: string.nullable().tagged(0, 0).default(null),
    replicaId: int32.default(-1),
    maxBytes: int32.default(0x7fffffff),
    topics: array({
      name: string,
      partitions: array({
        partition: int32,
        currentLeaderEpoch: int32,
        snapshotId: struct({
          endOffset: offset,
          epoch: int32,
        }),
        position: offset,
        replicaDirectoryId: uuid.tagged(0, 1).ignorable(),
      }),
    }),
  },
);
export type FetchSnapshotRequest = Infer<typeof FetchSnapshotRequest>;

/** A piece of a snapshot, which may begin and end within a batch. */
export const FetchSnapshotResponse = message(
  { name: 'FetchSnapshotResponse', apiKey: 59, versions: [0, 1], flexible: 0 },
  {
    throttleTimeMs: int32.ignorable(),
    errorCode: int16,
    topics: array({
      name: string,
      partitions: array({
        index: int32,
        errorCode: int16,
        snapshotId: struct({
          endOffset: offset,
          epoch: int32,
        }),
        currentLeader: struct({
          leaderId: int32,
          leaderEpoch: int32,
        }).tagged(0, 0),
        size: offset,
        position: offset,
        unalignedRecords: recordChunks,
      }),
    }),
    nodeEndpoints: array({
      nodeId: int32,
      host: string,
      port: uint16,
    }).tagged(0, 1),
  },
);
export type FetchSnapshotResponse = Infer<typeof FetchSnapshotResponse>;
