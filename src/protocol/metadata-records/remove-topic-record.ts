import { type Infer, message, uuid } from '../schema.ts';

/** A topic and its partitions are gone. */
export const RemoveTopicRecord = message(
  { name: 'RemoveTopicRecord', apiKey: 9, versions: [0, 0], flexible: 0 },
  {
    topicId: uuid,
  },
);
export type RemoveTopicRecord = Infer<typeof RemoveTopicRecord>;
