import { commitFailure, coordinatorError } from '../../coordinator/index.ts';
import { type ErrorCode, Errors, ProtocolError } from '../../protocol/errors.ts';
import {
  TxnOffsetCommitRequest,
  TxnOffsetCommitResponse,
} from '../../protocol/messages/txn-offset-commit.ts';
import type { TransactionClient } from '../../replication/transaction-verification.ts';
import { type ApiRow, serial } from '../api-row.ts';
import type { Call } from '../call.ts';
import type { HandlerServices } from '../services.ts';
import { CONSUMER_OFFSETS_TOPIC } from '../topic-creation.ts';
import { lookAtTopic, mergeAnswers } from './commit-topics.ts';

/** Topics are named by id from this version on (KIP-1319). */
const TOPIC_ID_VERSION_MIN = 6;
/** Clients before this version do not know COORDINATOR_LOAD_IN_PROGRESS here. */
const LOADING_VERSION_MIN = 2;
const NO_SEQUENCE = -1;

/**
 * TxnOffsetCommit v0-6: offsets of a group that take effect when the transaction commits (KIP-98). The partition of the
 * groups' topic must be part of the transaction; from v5 on it becomes one with the commit (KIP-890).
 */
export function txnOffsetCommitRow(services: HandlerServices): ApiRow {
  return serial<TxnOffsetCommitRequest, TxnOffsetCommitResponse>({
    request: TxnOffsetCommitRequest,
    response: TxnOffsetCommitResponse,
    handle: (call, request) => {
      const byId = call.version >= TOPIC_ID_VERSION_MIN;
      const looked = request.topics.map((topic) => lookAtTopic(services.metadata, byId, topic));
      const topics = looked.flatMap(({ asked }) => (asked === undefined ? [] : [asked]));
      if (topics.length === 0) return { throttleTimeMs: 0, topics: mergeAnswers(looked, []) };
      return new Promise((resolve) => {
        commit(services, call, { ...request, topics }, (response) => {
          resolve({ throttleTimeMs: 0, topics: mergeAnswers(looked, told(response, call.version).topics) });
        });
      });
    },
    failure: (request, code) => commitFailure(request, code),
  });
}

function clientOf(version: number): TransactionClient {
  if (version > 4) return 'v2';
  return version > 3 ? 'abortable' : 'classic';
}

function commit(
  { groups, transactionVerifier }: HandlerServices,
  call: Call<TxnOffsetCommitResponse>,
  request: TxnOffsetCommitRequest,
  answer: (response: TxnOffsetCommitResponse) => void,
): void {
  const { groupId, transactionalId, producerId, producerEpoch } = request;
  const fail = (code: ErrorCode) => answer(commitFailure(request, coordinatorError(new ProtocolError(code))));
  if (groupId === '') {
    fail(Errors.INVALID_GROUP_ID);
    return;
  }
  const partition = groups.partitionFor(groupId);
  transactionVerifier.verify(
    {
      transactionalId,
      producerId,
      producerEpoch,
      client: clientOf(call.version),
      partitions: [{ topic: CONSUMER_OFFSETS_TOPIC, partition, sequence: NO_SEQUENCE }],
    },
    ([verified]) => {
      const { errorCode, transaction } = verified!;
      if (errorCode !== Errors.NONE) {
        fail(errorCode);
        return;
      }
      const write = { producerId, producerEpoch, transaction };
      groups.commitTransactionalOffsets(call.version, request, write, answer);
    },
  );
}

/** What a client of this version knows. */
function told(response: TxnOffsetCommitResponse, version: number): TxnOffsetCommitResponse {
  if (version >= LOADING_VERSION_MIN) return response;
  const topics = response.topics.map((topic) => ({
    ...topic,
    partitions: topic.partitions.map(({ partitionIndex, errorCode }) => ({
      partitionIndex,
      errorCode:
        errorCode === Errors.COORDINATOR_LOAD_IN_PROGRESS ? Errors.COORDINATOR_NOT_AVAILABLE : errorCode,
    })),
  }));
  return { ...response, topics };
}
