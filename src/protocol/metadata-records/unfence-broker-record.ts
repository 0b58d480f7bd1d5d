import { type Infer, int32, message, offset } from '../schema.ts';

export const UnfenceBrokerRecord = message(
  { name: 'UnfenceBrokerRecord', apiKey: 8, versions: [0, 0], flexible: 0 },
  {
    id: int32,
    epoch: offset,
  },
);
export type UnfenceBrokerRecord = Infer<typeof UnfenceBrokerRecord>;
