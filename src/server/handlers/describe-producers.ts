import { topicNameProblem } from '../../controller/topic-names.ts';
import { type ErrorCode, Errors, errorText, ProtocolError } from '../../protocol/errors.ts';
import {
  DescribeProducersRequest,
  DescribeProducersResponse,
} from '../../protocol/messages/describe-producers.ts';
import { type ApiRow, serial } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';

type PartitionAnswer = DescribeProducersResponse['topics'][number]['partitions'][number];

/** DescribeProducers v0 (KIP-664): the producers whose sequences or transactions a partition remembers. */
export function describeProducersRow(services: HandlerServices): ApiRow {
  return serial({
    request: DescribeProducersRequest,
    response: DescribeProducersResponse,
    handle: (_call, request): DescribeProducersResponse => ({
      throttleTimeMs: 0,
      topics: request.topics.map(({ name, partitionIndexes }) => ({
        name,
        partitions: partitionIndexes.map((index) => answer(services, name, index)),
      })),
    }),
    failure: (request, code) => ({
      throttleTimeMs: 0,
      topics: request.topics.map(({ name, partitionIndexes }) => ({
        name,
        partitions: partitionIndexes.map((index) => refused(index, code, null)),
      })),
    }),
  });
}

function answer(services: HandlerServices, topic: string, partitionIndex: number): PartitionAnswer {
  const wrongName = topicNameProblem(topic);
  if (wrongName !== undefined) {
    return refused(partitionIndex, Errors.INVALID_TOPIC_EXCEPTION, wrongName);
  }
  if (services.metadata.topic(topic) === undefined) {
    const code = Errors.UNKNOWN_TOPIC_OR_PARTITION;
    return refused(partitionIndex, code, errorText(code));
  }
  try {
    // Followers know their producers as well, so that it need not be the leader (KIP-664).
    const { log } = services.replicas.find(topic, partitionIndex);
    return { ...refused(partitionIndex, Errors.NONE, null), activeProducers: log.activeProducers() };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return refused(partitionIndex, error.code, null);
  }
}

const refused = (
  partitionIndex: number,
  errorCode: ErrorCode,
  errorMessage: string | null,
): PartitionAnswer => ({ partitionIndex, errorCode, errorMessage, activeProducers: [] });
