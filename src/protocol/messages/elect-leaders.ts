import { array, type Infer, int8, int16, int32, message, string } from '../schema.ts';

/** Elects the preferred leaders (KIP-183), since v1 also unclean ones (KIP-460). */
export const ElectLeadersRequest = message(
  { name: 'ElectLeadersRequest', apiKey: 43, versions: [0, 2], flexible: 2 },
  {
    electionType: int8.since(1),
    topicPartitions: array({
      topic: string,
      partitions: array(int32),
    }).nullable(),
    timeoutMs: int32.default(60000),
  },
);
export type ElectLeadersRequest = Infer<typeof ElectLeadersRequest>;

/** One result for each partition. An error of the whole request has a place since v1. */
export const ElectLeadersResponse = message(
  { name: 'ElectLeadersResponse', apiKey: 43, versions: [0, 2], flexible: 2 },
  {
    throttleTimeMs: int32,
    errorCode: int16.since(1),
    replicaElectionResults: array({
      topic: string,
      partitionResult: array({
        partitionId: int32,
        errorCode: int16,
        errorMessage: string.nullable(),
      }),
    }),
  },
);
export type ElectLeadersResponse = Infer<typeof ElectLeadersResponse>;
