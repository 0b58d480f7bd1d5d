import { array, type Infer, int16, int32, message, string } from '../schema.ts';

/** Reassignments under way (KIP-455). */
export const ListPartitionReassignmentsRequest = message(
  { name: 'ListPartitionReassignmentsRequest', apiKey: 46, versions: [0, 0], flexible: 0 },
  {
    timeoutMs: int32.default(60000),
    // Null asks for all.
    topics: array({
      name: string,
      partitionIndexes: array(int32),
    })
      .nullable()
      .default(null),
  },
);
export type ListPartitionReassignmentsRequest = Infer<typeof ListPartitionReassignmentsRequest>;

export const ListPartitionReassignmentsResponse = message(
  { name: 'ListPartitionReassignmentsResponse', apiKey: 46, versions: [0, 0], flexible: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: string.nullable(),
    topics: array({
      name: string,
      partitions: array({
        partitionIndex: int32,
        replicas: array(int32),
        addingReplicas: array(int32),
        removingReplicas: array(int32),
      }),
    }),
  },
);
export type ListPartitionReassignmentsResponse = Infer<typeof ListPartitionReassignmentsResponse>;
