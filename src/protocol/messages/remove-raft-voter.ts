import { type Infer, int16, int32, message, string, uuid } from '../schema.ts';

/** Takes a controller out of the voters of the metadata quorum (KIP-853). */
export const RemoveRaftVoterRequest = message(
  { name: 'RemoveRaftVoterRequest', apiKey: 81, versions: [0, 0], flexible: 0 },
  {
    clusterId: string.nullable(),
    voterId: int32,
    voterDirectoryId: uuid,
  },
);
export type RemoveRaftVoterRequest = Infer<typeof RemoveRaftVoterRequest>;

/** Answered once the new set of voters is committed, or was refused. */
export const RemoveRaftVoterResponse = message(
  { name: 'RemoveRaftVoterResponse', apiKey: 81, versions: [0, 0], flexible: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: string.nullable().ignorable(),
  },
);
export type RemoveRaftVoterResponse = Infer<typeof RemoveRaftVoterResponse>;
