import { array, type Infer, int16, int32, message, string, struct, uint16, uuid } from '../schema.ts';

/** From a voter of the metadata quorum: its end points or versions have changed (KIP-853). */
export const UpdateRaftVoterRequest = message(
  { name: 'UpdateRaftVoterRequest', apiKey: 82, versions: [0, 0], flexible: 0 },
  {
    clusterId: string.nullable(),
    currentLeaderEpoch: int32,
    voterId: int32,
    voterDirectoryId: uuid,
    listeners: array({
      name: string,
      host: string,
      port: uint16,
    }),
    kRaftVersionFeature: struct({
      minSupportedVersion: int16,
      maxSupportedVersion: int16,
    }),
  },
);
export type UpdateRaftVoterRequest = Infer<typeof UpdateRaftVoterRequest>;

/** Who leads, where the request went to somebody else. */
export const UpdateRaftVoterResponse = message(
  { name: 'UpdateRaftVoterResponse', apiKey: 82, versions: [0, 0], flexible: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    currentLeader: struct({
      leaderId: int32.default(-1),
      leaderEpoch: int32.default(-1),
      host: string,
      port: int32,
    }).tagged(0, 0),
  },
);
export type UpdateRaftVoterResponse = Infer<typeof UpdateRaftVoterResponse>;
