import { type Infer, message, string } from '../schema.ts';

/** A delegation token is gone. */
export const RemoveDelegationTokenRecord = message(
  { name: 'RemoveDelegationTokenRecord', apiKey: 26, versions: [0, 0], flexible: 0 },
  {
    tokenId: string,
  },
);
export type RemoveDelegationTokenRecord = Infer<typeof RemoveDelegationTokenRecord>;
