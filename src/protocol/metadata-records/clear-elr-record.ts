import { type Infer, message, string } from '../schema.ts';

/** Empties the eligible leader replicas of a topic, or of all (KIP-966). */
export const ClearElrRecord = message(
  { name: 'ClearElrRecord', apiKey: 28, versions: [0, 0], flexible: 0 },
  {
    topicName: string,
  },
);
export type ClearElrRecord = Infer<typeof ClearElrRecord>;
