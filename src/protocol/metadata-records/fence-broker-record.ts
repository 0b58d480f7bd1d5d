import { type Infer, int32, message, offset } from '../schema.ts';

/** A broker lost its right to lead. Since metadata.version 3.3 in BrokerRegistrationChangeRecord. */
export const FenceBrokerRecord = message(
  { name: 'FenceBrokerRecord', apiKey: 7, versions: [0, 0], flexible: 0 },
  {
    id: int32,
    epoch: offset,
  },
);
export type FenceBrokerRecord = Infer<typeof FenceBrokerRecord>;
