import { type Infer, int32, message, offset } from '../schema.ts';

/** A broker got the right to lead. Since metadata.version 3.3 in BrokerRegistrationChangeRecord. */
export const UnfenceBrokerRecord = message(
  { name: 'UnfenceBrokerRecord', apiKey: 8, versions: [0, 0], flexible: 0 },
  {
    id: int32,
    epoch: offset,
  },
);
export type UnfenceBrokerRecord = Infer<typeof UnfenceBrokerRecord>;
