import { array, type Infer, int8, int16, int32, message, offset, string, uuid } from '../schema.ts';

/**
 * From a leader to the controller: the in-sync replicas have changed (KIP-497). Topic ids since v2,
 * broker epochs since v3 (KIP-903).
 */
export const AlterPartitionRequest = message(
  { name: 'AlterPartitionRequest', apiKey: 56, versions: [0, 3], flexible: 0 },
  {
    brokerId: int32,
    brokerEpoch: offset.default(-1),
    topics: array({
      topicName: string.until(1).ignorable(),
      topicId: uuid.since(2).ignorable(),
      partitions: array({
        partitionIndex: int32,
        leaderEpoch: int32,
        newIsr: array(int32).until(2),
        newIsrWithEpochs: array({
          brokerId: int32,
          brokerEpoch: offset.default(-1),
        }).since(3),
        leaderRecoveryState: int8.since(1),
        partitionEpoch: int32,
      }),
    }),
  },
);
export type AlterPartitionRequest = Infer<typeof AlterPartitionRequest>;

/** The state that the controller has now. */
export const AlterPartitionResponse = message(
  { name: 'AlterPartitionResponse', apiKey: 56, versions: [0, 3], flexible: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    topics: array({
      topicName: string.until(1).ignorable(),
      topicId: uuid.since(2).ignorable(),
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        leaderId: int32,
        leaderEpoch: int32,
        isr: array(int32),
        leaderRecoveryState: int8.since(1).ignorable(),
        partitionEpoch: int32,
      }),
    }),
  },
);
export type AlterPartitionResponse = Infer<typeof AlterPartitionResponse>;
