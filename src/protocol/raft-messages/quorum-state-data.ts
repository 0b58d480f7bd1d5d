import { array, type Infer, int32, message, offset, string, uuid } from '../schema.ts';

/**
 * What a voter must not forget, kept as JSON in the file quorum-state. Version 1 has no cluster id and
 * no voters (KIP-853).
 */
export const QuorumStateData = message(
  { name: 'QuorumStateData', versions: [0, 1], flexible: 0 },
  {
    clusterId: string.until(0),
    leaderId: int32.default(-1),
    leaderEpoch: int32.default(-1),
    // The candidate that this voter voted for in the epoch, or -1.
    votedId: int32.default(-1),
    votedDirectoryId: uuid.since(1),
    appliedOffset: offset.until(0),
    currentVoters: array({
      voterId: int32,
    })
      .until(0)
      .nullable(),
  },
);
export type QuorumStateData = Infer<typeof QuorumStateData>;
