import { array, type Infer, int16, int32, message, string } from '../schema.ts';

/** Moves replicas between the log directories of one broker (KIP-113). */
export const AlterReplicaLogDirsRequest = message(
  { name: 'AlterReplicaLogDirsRequest', apiKey: 34, versions: [0, 2], flexible: 2 },
  {
    dirs: array({
      path: string,
      topics: array({
        name: string,
        partitions: array(int32),
      }),
    }),
  },
);
export type AlterReplicaLogDirsRequest = Infer<typeof AlterReplicaLogDirsRequest>;

/** One result for each partition. */
export const AlterReplicaLogDirsResponse = message(
  { name: 'AlterReplicaLogDirsResponse', apiKey: 34, versions: [0, 2], flexible: 2 },
  {
    throttleTimeMs: int32,
    results: array({
      topicName: string,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
      }),
    }),
  },
);
export type AlterReplicaLogDirsResponse = Infer<typeof AlterReplicaLogDirsResponse>;
