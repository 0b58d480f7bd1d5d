import { type Infer, int16, message } from '../schema.ts';

/** The value of the control record that says how the quorum keeps its voters (KIP-853). */
export const KRaftVersionRecord = message(
  { name: 'KRaftVersionRecord', versions: [0, 0], flexible: 0 },
  {
    version: int16,
    kRaftVersion: int16,
  },
);
export type KRaftVersionRecord = Infer<typeof KRaftVersionRecord>;
