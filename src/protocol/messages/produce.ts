import {
  array,
  type Infer,
  int16,
  int32,
  int64,
  message,
  offset,
  records,
  string,
  struct,
  uuid,
} from '../schema.ts';

export const ProduceRequest = message(
  { name: 'ProduceRequest', apiKey: 0, versions: [0, 13], flexible: 9 },
  {
    transactionalId: string.since(3).nullable().default(null),
    acks: int16,
    timeoutMs: int32,
    topicData: array({
      name: string.until(12).ignorable(),
      topicId: uuid.since(13).ignorable(),
      partitionData: array({
        index: int32,
        records: records.nullable(),
      }),
    }),
  },
);
export type ProduceRequest = Infer<typeof ProduceRequest>;

export const ProduceResponse = message(
  { name: 'ProduceResponse', apiKey: 0, versions: [0, 13], flexible: 9 },
  {
    responses: array({
      name: string.until(12).ignorable(),
      topicId: uuid.since(13).ignorable(),
      partitionResponses: array({
        index: int32,
        errorCode: int16,
        baseOffset: offset,
        logAppendTimeMs: int64.since(2).default(-1n).ignorable(),
        logStartOffset: offset.since(5).default(-1).ignorable(),
        recordErrors: array({
          batchIndex: int32,
          batchIndexErrorMessage: string.nullable().default(null),
        })
          .since(8)
          .ignorable(),
        errorMessage: string.since(8).nullable().default(null).ignorable(),
        currentLeader: struct({
          leaderId: int32.default(-1),
          leaderEpoch: int32.default(-1),
        }).tagged(0, 10),
      }),
    }),
    throttleTimeMs: int32.since(1).ignorable(),
    nodeEndpoints: array({
      nodeId: int32,
      host: string,
      port: int32,
      rack: string.nullable().default(null),
    }).tagged(0, 10),
  },
);
export type ProduceResponse = Infer<typeof ProduceResponse>;
