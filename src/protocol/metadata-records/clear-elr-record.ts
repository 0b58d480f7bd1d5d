import { type Infer, message, string } from '../schema.ts';

export const ClearElrRecord = message(
  { name: 'ClearElrRecord', apiKey: 28, versions: [0, 0], flexible: 0 },
  {
    topicName: string,
  },
);
export type ClearElrRecord = Infer<typeof ClearElrRecord>;
