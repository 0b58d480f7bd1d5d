import { type Infer, int16, message, string } from '../schema.ts';

/** The finalized level of a feature; 0 removes it. */
export const FeatureLevelRecord = message(
  { name: 'FeatureLevelRecord', apiKey: 12, versions: [0, 0], flexible: 0 },
  {
    name: string,
    featureLevel: int16,
  },
);
export type FeatureLevelRecord = Infer<typeof FeatureLevelRecord>;
