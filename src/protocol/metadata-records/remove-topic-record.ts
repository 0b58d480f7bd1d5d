import { type Infer, message, uuid } from '../schema.ts';

export const RemoveTopicRecord = message(
  { name: 'RemoveTopicRecord', apiKey: 9, versions: [0, 0], flexible: 0 },
  {
    topicId: uuid,
  },
);
export type RemoveTopicRecord = Infer<typeof RemoveTopicRecord>;
