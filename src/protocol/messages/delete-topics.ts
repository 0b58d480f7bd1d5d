import { array, type Infer, int16, int32, message, string, uuid } from '../schema.ts';

/** Topics to delete, by name or, since v6, by id. */
export const DeleteTopicsRequest = message(
  { name: 'DeleteTopicsRequest', apiKey: 20, versions: [0, 6], flexible: 4 },
  {
    topics: array({
      name: string.nullable().default(null),
      topicId: uuid,
    }).since(6),
    topicNames: array(string).until(5).ignorable(),
    timeoutMs: int32,
  },
);
export type DeleteTopicsRequest = Infer<typeof DeleteTopicsRequest>;

export const DeleteTopicsResponse = message(
  { name: 'DeleteTopicsResponse', apiKey: 20, versions: [0, 6], flexible: 4 },
  {
    throttleTimeMs: int32.since(1).ignorable(),
    responses: array({
      name: string.nullable(6),
      topicId: uuid.since(6).ignorable(),
      errorCode: int16,
      errorMessage: string.since(5).nullable().default(null).ignorable(),
    }),
  },
);
export type DeleteTopicsResponse = Infer<typeof DeleteTopicsResponse>;
