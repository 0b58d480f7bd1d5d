import { array, type Infer, int8, int32, message, uuid } from '../schema.ts';

/** All of a partition: when it is made, and in snapshots. */
export const PartitionRecord = message(
  { name: 'PartitionRecord', apiKey: 3, versions: [0, 2], flexible: 0 },
  {
    partitionId: int32.default(-1),
    topicId: uuid,
    replicas: array(int32),
    isr: array(int32),
    removingReplicas: array(int32),
    addingReplicas: array(int32),
    leader: int32.default(-1),
    // 1 after an unclean election, until the new leader has recovered.
    leaderRecoveryState: int8.tagged(0, 0),
    leaderEpoch: int32.default(-1),
    partitionEpoch: int32.default(-1),
    // The log directory of each replica, in the order of replicas (KIP-858).
    directories: array(uuid).since(1),
    eligibleLeaderReplicas: array(int32).nullable().tagged(1, 2).default(null),
    lastKnownElr: array(int32).nullable().tagged(2, 2).default(null),
  },
);
export type PartitionRecord = Infer<typeof PartitionRecord>;
