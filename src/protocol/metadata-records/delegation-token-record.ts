import { array, type Infer, int64, message, string } from '../schema.ts';

/** A delegation token was made or renewed. */
export const DelegationTokenRecord = message(
  { name: 'DelegationTokenRecord', apiKey: 10, versions: [0, 0], flexible: 0 },
  {
    owner: string,
    requester: string,
    renewers: array(string),
    issueTimestamp: int64,
    maxTimestamp: int64,
    expirationTimestamp: int64,
    tokenId: string,
  },
);
export type DelegationTokenRecord = Infer<typeof DelegationTokenRecord>;
