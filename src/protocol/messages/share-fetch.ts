import {
  array,
  bool,
  type Infer,
  int8,
  int16,
  int32,
  message,
  offset,
  recordChunks,
  string,
  struct,
  uuid,
} from '../schema.ts';

/**
 * Records for a member of a share group, with acknowledgements of earlier ones (KIP-932). v0 was for
 * early access; v2 has the acquire mode (KIP-1206) and renewals (KIP-1222).
 */
export const ShareFetchRequest = message(
  { name: 'ShareFetchRequest', apiKey: 78, versions: [0, 2], flexible: 0 },
  {
    groupId: string.nullable().default(null),
    memberId: string.nullable(),
    shareSessionEpoch: int32,
    maxWaitMs: int32,
    minBytes: int32,
    maxBytes: int32.default(0x7fffffff),
    maxRecords: int32.since(1),
    batchSize: int32.since(1),
    shareAcquireMode: int8.since(2).ignorable(),
    isRenewAck: bool.since(2),
    topics: array({
      topicId: uuid,
      partitions: array({
        partitionIndex: int32,
        partitionMaxBytes: int32.until(0),
        acknowledgementBatches: array({
          firstOffset: offset,
          lastOffset: offset,
          acknowledgeTypes: array(int8),
        }),
      }),
    }),
    forgottenTopicsData: array({
      topicId: uuid,
      partitions: array(int32),
    }),
  },
);
export type ShareFetchRequest = Infer<typeof ShareFetchRequest>;

/** Records with the ranges that the member has acquired. */
export const ShareFetchResponse = message(
  { name: 'ShareFetchResponse', apiKey: 78, versions: [0, 2], flexible: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: string.nullable().default(null),
    acquisitionLockTimeoutMs: int32.since(1),
    responses: array({
      topicId: uuid,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        errorMessage: string.nullable().default(null),
        acknowledgeErrorCode: int16,
        acknowledgeErrorMessage: string.nullable().default(null),
        currentLeader: struct({
          leaderId: int32,
          leaderEpoch: int32,
        }),
        records: recordChunks.nullable(0, 0),
        acquiredRecords: array({
          firstOffset: offset,
          lastOffset: offset,
          deliveryCount: int16,
        }),
      }),
    }),
    nodeEndpoints: array({
      nodeId: int32,
      host: string,
      port: int32,
      rack: string.nullable().default(null),
    }),
  },
);
export type ShareFetchResponse = Infer<typeof ShareFetchResponse>;
