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

/**
 * Record batches to append. Transactions since v3 (KIP-98), zstd allowed since v7 (KIP-110), topic ids
 * instead of names since v13 (KIP-516).
 */
export const ProduceRequest = message(
  { name: 'ProduceRequest', apiKey: 0, versions: [0, 13], flexible: 9 },
  {
    // Null when the batches belong to no transaction.
    transactionalId: string.since(3).nullable().default(null),
    // 0: no answer at all; 1: when the leader has it; -1: when all replicas in sync have it.
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

/** Record errors since v8 (KIP-467), the current leader since v10 (KIP-951). */
export const ProduceResponse = message(
  { name: 'ProduceResponse', apiKey: 0, versions: [0, 13], flexible: 9 },
  {
    responses: array({
      name: string.until(12).ignorable(),
      topicId: uuid.since(13).ignorable(),
      partitionResponses: array({
        index: int32,
        errorCode: int16,
        // The offset of the first record, or -1.
        baseOffset: offset,
        // Milliseconds since 1970 where the topic takes the time of the broker, else -1.
        logAppendTimeMs: int64.since(2).default(-1n).ignorable(),
        logStartOffset: offset.since(5).default(-1).ignorable(),
        recordErrors: array({
          // The place of the record within its batch, despite the name.
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
