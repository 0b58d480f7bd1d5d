import { commitFailure } from '../../coordinator/index.ts';
import { type ErrorCode, Errors } from '../../protocol/errors.ts';
import { OffsetCommitRequest, OffsetCommitResponse } from '../../protocol/messages/offset-commit.ts';
import { type ApiRow, staged } from '../api-row.ts';
import type { BrokerMetadata } from '../broker-metadata.ts';
import type { Call } from '../call.ts';
import { groupRequestContext } from '../group-request-context.ts';
import type { HandlerServices } from '../services.ts';

type Topic = OffsetCommitRequest['topics'][number];
type Partition = Topic['partitions'][number];
type TopicAnswer = OffsetCommitResponse['topics'][number];

/** Topics are named by id from this version on (KIP-848). */
const TOPIC_ID_VERSION_MIN = 10;

/** A topic of the request by its name and id, and what of it the coordinator is asked to keep. */
interface Looked {
  readonly topic: Topic;
  /** Undefined where no partition of it is there. */
  readonly asked: Topic | undefined;
  /** What the partitions that are not there are told, by their place in the request; none where all are there. */
  readonly refused: ReadonlyMap<number, ErrorCode>;
}

const NONE_REFUSED: ReadonlyMap<number, ErrorCode> = new Map();

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
      const asked = allThere(services.metadata, call.version, request);
      if (asked === undefined) {
        commitSome(services, call, request);
        return;
      }
      services.groups.commitOffsets(groupRequestContext(call), asked, (response) => call.answer(response));
      call.ordered();
    },
    failure: (request, code) => commitFailure(request, code),
  });
}

/** The request with the names and ids of its topics; undefined where a topic or a partition of it is not there. */
function allThere(
  metadata: BrokerMetadata,
  version: number,
  request: OffsetCommitRequest,
): OffsetCommitRequest | undefined {
  const topics: Topic[] = [];
  for (const { name, topicId, partitions } of request.topics) {
    const found = version >= TOPIC_ID_VERSION_MIN ? metadata.topicById(topicId) : metadata.topic(name);
    if (found === undefined || partitions.length === 0) return undefined;
    for (const { partitionIndex } of partitions) {
      if (found.partitions[partitionIndex] === undefined) return undefined;
    }
    topics.push({ name: found.name, topicId: found.id, partitions });
  }
  return { ...request, topics };
}

/** Keeps what is there, and refuses the rest. */
function commitSome(
  services: HandlerServices,
  call: Call<OffsetCommitResponse>,
  request: OffsetCommitRequest,
): void {
  const looked = request.topics.map((topic) => look(services.metadata, call.version, topic));
  const topics = looked.flatMap(({ asked }) => (asked === undefined ? [] : [asked]));
  if (topics.length === 0) {
    call.answer({ throttleTimeMs: 0, topics: looked.map((one) => answer(one, undefined)) });
    return;
  }
  services.groups.commitOffsets(groupRequestContext(call), { ...request, topics }, (response) => {
    call.answer({ throttleTimeMs: 0, topics: merge(looked, response.topics) });
  });
  call.ordered();
}

function look(metadata: BrokerMetadata, version: number, topic: Topic): Looked {
  const byId = version >= TOPIC_ID_VERSION_MIN;
  const found = byId ? metadata.topicById(topic.topicId) : metadata.topic(topic.name);
  if (found === undefined) {
    const code = byId ? Errors.UNKNOWN_TOPIC_ID : Errors.UNKNOWN_TOPIC_OR_PARTITION;
    return { topic, asked: undefined, refused: new Map(topic.partitions.map((_, at) => [at, code])) };
  }
  const { partitions } = topic;
  const named = { name: found.name, topicId: found.id, partitions };
  const isThere = ({ partitionIndex }: Partition) => found.partitions[partitionIndex] !== undefined;
  if (partitions.length > 0 && partitions.every(isThere)) {
    return { topic: named, asked: named, refused: NONE_REFUSED };
  }
  const refused = new Map<number, ErrorCode>();
  for (const [at, partition] of partitions.entries()) {
    if (!isThere(partition)) refused.set(at, Errors.UNKNOWN_TOPIC_OR_PARTITION);
  }
  const left = partitions.filter((_, at) => !refused.has(at));
  return { topic: named, asked: left.length === 0 ? undefined : { ...named, partitions: left }, refused };
}

/** The coordinator answers the topics that it was given in their order. */
function merge(looked: readonly Looked[], answered: OffsetCommitResponse['topics']): TopicAnswer[] {
  let next = 0;
  return looked.map((one) => answer(one, one.asked === undefined ? undefined : answered[next++]));
}

function answer({ topic, refused }: Looked, answered: TopicAnswer | undefined): TopicAnswer {
  if (answered !== undefined && refused.size === 0) return answered;
  let next = 0;
  const partitions = topic.partitions.map(({ partitionIndex }, at) => {
    const errorCode = refused.get(at);
    return errorCode === undefined ? answered!.partitions[next++]! : { partitionIndex, errorCode };
  });
  return { name: topic.name, topicId: topic.topicId, partitions };
}
