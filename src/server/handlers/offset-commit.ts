import { commitFailure } from '../../coordinator/index.ts';
import { OffsetCommitRequest, OffsetCommitResponse } from '../../protocol/messages/offset-commit.ts';
import { type ApiRow, staged } from '../api-row.ts';
import type { BrokerMetadata } from '../broker-metadata.ts';
import type { Call } from '../call.ts';
import type { HandlerServices } from '../services.ts';
import { lookAtTopic, mergeAnswers } from './commit-topics.ts';

/** Topics are named by id from this version on (KIP-848). */
const TOPIC_ID_VERSION_MIN = 10;

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
      if (!allThere(services.metadata, call.version, request)) {
        commitSome(services, call, request);
        return;
      }
      services.groups.commitOffsets(call.version, request, (response) => call.answer(response));
      call.ordered();
    },
    failure: (request, code) => commitFailure(request, code),
  });
}

/** Gives the topics of the request both name and id; false where a topic or a partition of it is not there. */
function allThere(metadata: BrokerMetadata, version: number, { topics }: OffsetCommitRequest): boolean {
  for (const topic of topics) {
    const byId = version >= TOPIC_ID_VERSION_MIN;
    const found = byId ? metadata.topicById(topic.topicId) : metadata.topic(topic.name);
    if (found === undefined || topic.partitions.length === 0) return false;
    for (const { partitionIndex } of topic.partitions) {
      if (found.partitions[partitionIndex] === undefined) return false;
    }
    topic.name = found.name;
    topic.topicId = found.id;
  }
  return true;
}

/** Keeps what is there, and refuses the rest. */
function commitSome(
  services: HandlerServices,
  call: Call<OffsetCommitResponse>,
  request: OffsetCommitRequest,
): void {
  const byId = call.version >= TOPIC_ID_VERSION_MIN;
  const looked = request.topics.map((topic) => lookAtTopic(services.metadata, byId, topic));
  const topics = looked.flatMap(({ asked }) => (asked === undefined ? [] : [asked]));
  if (topics.length === 0) {
    call.answer({ throttleTimeMs: 0, topics: mergeAnswers(looked, []) });
    return;
  }
  services.groups.commitOffsets(call.version, { ...request, topics }, (response) => {
    call.answer({ throttleTimeMs: 0, topics: mergeAnswers(looked, response.topics) });
  });
  call.ordered();
}
