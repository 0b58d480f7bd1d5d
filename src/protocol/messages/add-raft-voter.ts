import { array, bool, type Infer, int16, int32, message, string, uint16, uuid } from '../schema.ts';

/**
 * Makes a controller a voter of the metadata quorum (KIP-853). v1 may ask for the answer before that
 * is committed (KIP-1186).
 */
export const AddRaftVoterRequest = message(
  { name: 'AddRaftVoterRequest', apiKey: 80, versions: [0, 1], flexible: 0 },
  {
    clusterId: string.nullable(),
    timeoutMs: int32,
    voterId: int32,
    voterDirectoryId: uuid,
    listeners: array({
      name: string,
      host: string,
      port: uint16,
    }),
    ackWhenCommitted: bool.since(1).default(true),
  },
);
export type AddRaftVoterRequest = Infer<typeof AddRaftVoterRequest>;

/** Whether the set of voters has changed, or will. */
export const AddRaftVoterResponse = message(
  { name: 'AddRaftVoterResponse', apiKey: 80, versions: [0, 1], flexible: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: string.nullable().ignorable(),
  },
);
export type AddRaftVoterResponse = Infer<typeof AddRaftVoterResponse>;
