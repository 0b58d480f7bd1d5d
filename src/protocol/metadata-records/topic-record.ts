import { type Infer, message, string, uuid } from '../schema.ts';

/** A topic was made. */
export const TopicRecord = message(
  { name: 'TopicRecord', apiKey: 2, versions: [0, 0], flexible: 0 },
  {
    name: string,
    topicId: uuid,
  },
);
export type TopicRecord = Infer<typeof TopicRecord>;
