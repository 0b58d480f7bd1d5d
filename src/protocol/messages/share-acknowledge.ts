import {
  array,
  bool,
  type Infer,
  int8,
  int16,
  int32,
  message,
  offset,
  string,
  struct,
  uuid,
} from '../schema.ts';

/**
 * Says how records of a share group were dealt with (KIP-932). Locks can be renewed since v2
 * (KIP-1222).
 */
export const ShareAcknowledgeRequest = message(
  { name: 'ShareAcknowledgeRequest', apiKey: 79, versions: [0, 2], flexible: 0 },
  {
    groupId: string.nullable().default(null),
    memberId: string.nullable(),
    shareSessionEpoch: int32,
    isRenewAck: bool.since(2),
    topics: array({
      topicId: uuid,
      partitions: array({
        partitionIndex: int32,
        acknowledgementBatches: array({
          firstOffset: offset,
          lastOffset: offset,
          acknowledgeTypes: array(int8),
        }),
      }),
    }),
  },
);
export type ShareAcknowledgeRequest = Infer<typeof ShareAcknowledgeRequest>;

/** One result for each partition. */
export const ShareAcknowledgeResponse = message(
  { name: 'ShareAcknowledgeResponse', apiKey: 79, versions: [0, 2], flexible: 0 },
  {
    throttleTimeMs: int32,
    errorCode: int16,
    errorMessage: string.nullable().default(null),
    acquisitionLockTimeoutMs: int32.since(2).ignorable(),
    responses: array({
      topicId: uuid,
      partitions: array({
        partitionIndex: int32,
        errorCode: int16,
        errorMessage: string.nullable().default(null),
        currentLeader: struct({
          leaderId: int32,
          leaderEpoch: int32,
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
export type ShareAcknowledgeResponse = Infer<typeof ShareAcknowledgeResponse>;
