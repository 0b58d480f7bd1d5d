import { OLD_CLIENT_VERSION } from '../../coordinator/index.ts';
import { type ErrorCode, Errors } from '../../protocol/errors.ts';
import {
  AddPartitionsToTxnRequest,
  AddPartitionsToTxnResponse,
} from '../../protocol/messages/add-partitions-to-txn.ts';
import { type ApiRow, staged } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';
import { fencedCode } from './fenced-producer.ts';

type Transaction = AddPartitionsToTxnRequest['transactions'][number];
type TopicResults = AddPartitionsToTxnResponse['resultsByTransaction'][number]['topicResults'];

/** From here on other brokers ask, for many transactions at once (KIP-890). */
const BATCH_VERSION_MIN = 4;
const FENCED_VERSION_MIN = 2;

/** AddPartitionsToTxn v0-5: a transaction includes these partitions from now on. One that is not there refuses all. */
export function addPartitionsToTxnRow(services: HandlerServices): ApiRow {
  return staged<AddPartitionsToTxnRequest, AddPartitionsToTxnResponse>({
    request: AddPartitionsToTxnRequest,
    response: AddPartitionsToTxnResponse,
    handle(call, request) {
      const { version } = call;
      if (version < BATCH_VERSION_MIN) {
        add(services, transactionOf(request), version, (resultsByTopicV3AndBelow) =>
          call.answer({
            throttleTimeMs: 0,
            errorCode: Errors.NONE,
            resultsByTransaction: EMPTY.resultsByTransaction,
            resultsByTopicV3AndBelow,
          }),
        );
        return;
      }
      const { transactions } = request;
      const results = transactions.map(({ transactionalId }) => ({
        transactionalId,
        topicResults: [] as TopicResults,
      }));
      let waiting = transactions.length;
      const finish = () => call.answer({ ...EMPTY, resultsByTransaction: results });
      if (waiting === 0) finish();
      for (const [at, transaction] of transactions.entries()) {
        add(services, transaction, version, (topicResults) => {
          results[at]!.topicResults = topicResults;
          waiting -= 1;
          if (waiting === 0) finish();
        });
      }
    },
    failure: (request, errorCode, _message, version) =>
      version < BATCH_VERSION_MIN
        ? { ...EMPTY, resultsByTopicV3AndBelow: resultsOf(transactionOf(request), () => errorCode) }
        : { ...EMPTY, errorCode },
  });
}

const EMPTY: AddPartitionsToTxnResponse = {
  throttleTimeMs: 0,
  errorCode: Errors.NONE,
  resultsByTransaction: [],
  resultsByTopicV3AndBelow: [],
};

function transactionOf(request: AddPartitionsToTxnRequest): Transaction {
  return {
    transactionalId: request.v3AndBelowTransactionalId,
    producerId: request.v3AndBelowProducerId,
    producerEpoch: request.v3AndBelowProducerEpoch,
    verifyOnly: false,
    topics: request.v3AndBelowTopics,
  };
}

function add(
  { metadata, transactions }: HandlerServices,
  transaction: Transaction,
  version: number,
  done: (results: TopicResults) => void,
): void {
  if (!areAllThere(metadata, transaction)) {
    done(
      resultsOf(transaction, (topic, partition) =>
        metadata.contains(topic, partition)
          ? Errors.OPERATION_NOT_ATTEMPTED
          : Errors.UNKNOWN_TOPIC_OR_PARTITION,
      ),
    );
  } else if (version >= BATCH_VERSION_MIN) {
    transactions.addPartitionsToTxn(transaction, done);
  } else {
    transactions.addPartitions(transaction, OLD_CLIENT_VERSION, (code) => {
      const told = fencedCode(code, version, FENCED_VERSION_MIN);
      done(resultsOf(transaction, () => told));
    });
  }
}

function areAllThere(metadata: HandlerServices['metadata'], { topics }: Transaction): boolean {
  for (const { name, partitions } of topics) {
    for (const partition of partitions) if (!metadata.contains(name, partition)) return false;
  }
  return true;
}

function resultsOf(
  { topics }: Transaction,
  codeOf: (topic: string, partition: number) => ErrorCode,
): TopicResults {
  return topics.map(({ name, partitions }) => ({
    name,
    resultsByPartition: partitions.map((partitionIndex) => ({
      partitionIndex,
      partitionErrorCode: codeOf(name, partitionIndex),
    })),
  }));
}
