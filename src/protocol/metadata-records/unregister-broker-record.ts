import { type Infer, int32, message, offset } from '../schema.ts';

/** A broker left for good. */
export const UnregisterBrokerRecord = message(
  { name: 'UnregisterBrokerRecord', apiKey: 1, versions: [0, 0], flexible: 0 },
  {
    brokerId: int32,
    brokerEpoch: offset,
  },
);
export type UnregisterBrokerRecord = Infer<typeof UnregisterBrokerRecord>;
