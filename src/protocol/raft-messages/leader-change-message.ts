import { array, type Infer, int16, int32, message, uuid } from '../schema.ts';

const voter = {
  voterId: int32,
  voterDirectoryId: uuid.since(1),
};

/** The value of the control record with which a new leader begins its epoch. */
export const LeaderChangeMessage = message(
  { name: 'LeaderChangeMessage', versions: [0, 1], flexible: 0 },
  {
    version: int16,
    leaderId: int32,
    voters: array(voter),
    grantingVoters: array(voter),
  },
);
export type LeaderChangeMessage = Infer<typeof LeaderChangeMessage>;
