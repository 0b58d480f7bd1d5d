import { array, bool, type Infer, int8, int16, int32, message, string, uuid } from '../schema.ts';

/** Topics to make. What was made is told since v5 (KIP-525). */
export const CreateTopicsRequest = message(
  { name: 'CreateTopicsRequest', apiKey: 19, versions: [0, 7], flexible: 5 },
  {
    topics: array({
      name: string,
      // -1 with assignments, and since v4 for num.partitions of the broker.
      numPartitions: int32,
      // -1 with assignments, and since v4 for default.replication.factor of the broker.
      replicationFactor: int16,
      assignments: array({
        partitionIndex: int32,
        brokerIds: array(int32),
      }),
      configs: array({
        name: string,
        value: string.nullable(),
      }),
    }),
    timeoutMs: int32.default(60000),
    validateOnly: bool.since(1),
  },
);
export type CreateTopicsRequest = Infer<typeof CreateTopicsRequest>;

export const CreateTopicsResponse = message(
  { name: 'CreateTopicsResponse', apiKey: 19, versions: [0, 7], flexible: 5 },
  {
    throttleTimeMs: int32.since(2).ignorable(),
    topics: array({
      name: string,
      topicId: uuid.since(7).ignorable(),
      errorCode: int16,
      errorMessage: string.since(1).nullable().ignorable(),
      // Why the settings are not told.
      topicConfigErrorCode: int16.tagged(0, 5).ignorable(),
      numPartitions: int32.since(5).default(-1).ignorable(),
      replicationFactor: int16.since(5).default(-1).ignorable(),
      configs: array({
        name: string,
        value: string.nullable(),
        readOnly: bool,
        configSource: int8.default(-1).ignorable(),
        isSensitive: bool,
      })
        .since(5)
        .nullable()
        .ignorable(),
    }),
  },
);
export type CreateTopicsResponse = Infer<typeof CreateTopicsResponse>;
