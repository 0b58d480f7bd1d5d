import { array, bool, type Infer, int16, int32, int64, message, string } from '../schema.ts';

const addPartitionsToTxnTopic = {
  name: string,
  partitions: array(int32),
};

/**
 * Makes partitions a part of a transaction (KIP-98). From v4 brokers ask for many transactions at
 * once, also to verify only (KIP-890).
 */
export const AddPartitionsToTxnRequest = message(
  { name: 'AddPartitionsToTxnRequest', apiKey: 24, versions: [0, 5], flexible: 3 },
  {
    transactions: array({
      transactionalId: string,
      producerId: int64,
      producerEpoch: int16,
      verifyOnly: bool,
      topics: array(addPartitionsToTxnTopic),
    }).since(4),
    v3AndBelowTransactionalId: string.until(3),
    v3AndBelowProducerId: int64.until(3),
    v3AndBelowProducerEpoch: int16.until(3),
    v3AndBelowTopics: array(addPartitionsToTxnTopic).until(3),
  },
);
export type AddPartitionsToTxnRequest = Infer<typeof AddPartitionsToTxnRequest>;

const addPartitionsToTxnPartitionResult = {
  partitionIndex: int32,
  partitionErrorCode: int16,
};

const addPartitionsToTxnTopicResult = {
  name: string,
  resultsByPartition: array(addPartitionsToTxnPartitionResult),
};

/** By transaction since v4, by topic before. */
export const AddPartitionsToTxnResponse = message(
  { name: 'AddPartitionsToTxnResponse', apiKey: 24, versions: [0, 5], flexible: 3 },
  {
    throttleTimeMs: int32,
    errorCode: int16.since(4).ignorable(),
    resultsByTransaction: array({
      transactionalId: string,
      topicResults: array(addPartitionsToTxnTopicResult),
    }).since(4),
    resultsByTopicV3AndBelow: array(addPartitionsToTxnTopicResult).until(3),
  },
);
export type AddPartitionsToTxnResponse = Infer<typeof AddPartitionsToTxnResponse>;
