import { array, bytes, type Infer, int32, message, string } from '../schema.ts';

/**
 * What a consumer wants, within JoinGroup. What it owns since v1 (KIP-429), its generation since v2
 * (KIP-792), its rack since v3 (KIP-881).
 */
export const ConsumerProtocolSubscription = message(
  { name: 'ConsumerProtocolSubscription', versions: [0, 3] },
  {
    topics: array(string),
    userData: bytes.nullable().default(null),
    ownedPartitions: array({
      topic: string,
      partitions: array(int32),
    })
      .since(1)
      .ignorable(),
    generationId: int32.since(2).default(-1).ignorable(),
    rackId: string.since(3).nullable().default(null).ignorable(),
  },
);
export type ConsumerProtocolSubscription = Infer<typeof ConsumerProtocolSubscription>;

/** What a consumer gets, within SyncGroup. */
export const ConsumerProtocolAssignment = message(
  { name: 'ConsumerProtocolAssignment', versions: [0, 3] },
  {
    assignedPartitions: array({
      topic: string,
      partitions: array(int32),
    }),
    userData: bytes.nullable().default(null),
  },
);
export type ConsumerProtocolAssignment = Infer<typeof ConsumerProtocolAssignment>;
