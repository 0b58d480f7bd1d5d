import { array, type Infer, int8, int32, message, uuid } from '../schema.ts';

/** What changed in a partition; null and the defaults mean unchanged. */
export const PartitionChangeRecord = message(
  { name: 'PartitionChangeRecord', apiKey: 5, versions: [0, 2], flexible: 0 },
  {
    partitionId: int32.default(-1),
    topicId: uuid,
    isr: array(int32).nullable().tagged(0, 0).default(null),
    // -2: unchanged; -1: none.
    leader: int32.tagged(1, 0).default(-2),
    replicas: array(int32).nullable().tagged(2, 0).default(null),
    removingReplicas: array(int32).nullable().tagged(3, 0).default(null),
    addingReplicas: array(int32).nullable().tagged(4, 0).default(null),
    // -1: unchanged.
    leaderRecoveryState: int8.tagged(5, 0).default(-1),
    directories: array(uuid).nullable().tagged(8, 1).default(null),
    eligibleLeaderReplicas: array(int32).nullable().tagged(6, 2).default(null),
    lastKnownElr: array(int32).nullable().tagged(7, 2).default(null),
  },
);
export type PartitionChangeRecord = Infer<typeof PartitionChangeRecord>;
