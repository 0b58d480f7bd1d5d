import { commitFailure } from '../../coordinator/index.ts';
import { type ErrorCode, Errors } from '../../protocol/errors.ts';
import { OffsetCommitRequest, OffsetCommitResponse } from '../../protocol/messages/offset-commit.ts';
import { type ApiRow, staged } from '../api-row.ts';
import type { BrokerMetadata } from '../broker-metadata.ts';
import { groupRequestContext } from '../group-request-context.ts';
import type { HandlerServices } from '../services.ts';

type Topic = OffsetCommitRequest['topics'][number];
type Partition = Topic['partitions'][number];
type TopicAnswer = OffsetCommitResponse['topics'][number];

/** Topics are named by id from this version on (KIP-848). */
const TOPIC_ID_VERSION_MIN = 10;

/** A topic of the request by its name and id, with the partitions that there are; the others have an answer. */
interface Looked {
  readonly topic: Topic;
  readonly valid: Topic | undefined;
  readonly errorOf: (partition: Partition) => ErrorCode;
}

/**
 * OffsetCommit v0-10: keeps offsets of a group. v0, which Apache Kafka once kept in ZooKeeper, does what v1 does.
 * Commits of one connection may follow each other before the first one is answered.
 */
export function offsetCommitRow(services: HandlerServices): ApiRow {
  return staged<OffsetCommitRequest, OffsetCommitResponse>({
    request: OffsetCommitRequest,
    response: OffsetCommitResponse,
    appends: true,
    handle(call, request) {
      const looked = request.topics.map((topic) => look(services.metadata, call.version, topic));
      const topics = looked.flatMap(({ valid }) => (valid === undefined ? [] : [valid]));
      if (topics.length === 0 && looked.length > 0) {
        call.answer({ throttleTimeMs: 0, topics: looked.map((one) => answer(one, undefined)) });
        return;
      }
      services.groups.commitOffsets(groupRequestContext(call), { ...request, topics }, (response) => {
        call.answer({ throttleTimeMs: 0, topics: merge(looked, response.topics) });
      });
      call.ordered();
    },
    failure: (request, code) => commitFailure(request, code),
  });
}

function look(metadata: BrokerMetadata, version: number, topic: Topic): Looked {
  const byId = version >= TOPIC_ID_VERSION_MIN;
  const found = byId ? metadata.topicById(topic.topicId) : metadata.topic(topic.name);
  if (found === undefined) {
    const code = byId ? Errors.UNKNOWN_TOPIC_ID : Errors.UNKNOWN_TOPIC_OR_PARTITION;
    return { topic, valid: undefined, errorOf: () => code };
  }
  const errorOf = ({ partitionIndex }: Partition): ErrorCode =>
    found.partitions[partitionIndex] === undefined ? Errors.UNKNOWN_TOPIC_OR_PARTITION : Errors.NONE;
  const partitions = topic.partitions.filter((partition) => errorOf(partition) === Errors.NONE);
  const named = { name: found.name, topicId: found.id };
  return {
    topic: { ...topic, ...named },
    valid: partitions.length === 0 ? undefined : { ...named, partitions },
    errorOf,
  };
}

/** The coordinator answers the topics that it was given in their order. */
function merge(looked: readonly Looked[], answered: OffsetCommitResponse['topics']): TopicAnswer[] {
  let next = 0;
  return looked.map((one) => answer(one, one.valid === undefined ? undefined : answered[next++]));
}

function answer({ topic, valid, errorOf }: Looked, answered: TopicAnswer | undefined): TopicAnswer {
  if (answered !== undefined && valid?.partitions.length === topic.partitions.length) return answered;
  let next = 0;
  const partitions = topic.partitions.map((partition) => {
    const { partitionIndex } = partition;
    const errorCode = errorOf(partition);
    return errorCode === Errors.NONE ? answered!.partitions[next++]! : { partitionIndex, errorCode };
  });
  return { name: topic.name, topicId: topic.topicId, partitions };
}
