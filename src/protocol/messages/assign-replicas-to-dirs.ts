import { array, type Infer, int16, int32, message, offset, uuid } from '../schema.ts';

/** From a broker to the controller: in which of its directories replicas lie (KIP-858). */
export const AssignReplicasToDirsRequest = message(
  { name: 'AssignReplicasToDirsRequest', apiKey: 73, versions: [0, 0], flexible: 0 },
  {
    brokerId: int32,
    brokerEpoch: offset.default(-1),
    directories: array({
      id: uuid,
      topics: array({
        topicId: uuid,
        partitions: array({
          partitionIndex: int32,
        }),
      }),
    }),
  },
);
export type AssignReplicasToDirsRequest = Infer<typeof AssignReplicasToDirsRequest>;

/** One result for each partition. */
export const AssignReplicasToDirsResponse = message(
  { name: 'AssignReplicasToDirsResponse', apiKey: 73, versions: [0, 0], flexible: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    directories: array({
      id: uuid,
      topics: array({
        topicId: uuid,
        partitions: array({
          partitionIndex: int32,
          errorCode: int16,
        }),
      }),
    }),
  },
);
export type AssignReplicasToDirsResponse = Infer<typeof AssignReplicasToDirsResponse>;
