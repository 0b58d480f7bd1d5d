import { ZERO_UUID } from '../../base/uuid.ts';
import type { TopicImage } from '../../metadata/image.ts';
import type { PartitionRegistration } from '../../metadata/registrations.ts';
import { Errors, ProtocolError } from '../../protocol/errors.ts';
import {
  DescribeTopicPartitionsRequest,
  DescribeTopicPartitionsResponse,
} from '../../protocol/messages/describe-topic-partitions.ts';
import { isInternalTopic } from '../../replication/replica-manager.ts';
import { type ApiRow, serial } from '../api-row.ts';
import { TOPIC_OPERATIONS } from '../authorized-operations.ts';
import type { HandlerServices } from '../services.ts';

type Topic = DescribeTopicPartitionsResponse['topics'][number];
type Partition = Topic['partitions'][number];
type Cursor = DescribeTopicPartitionsResponse['nextCursor'];

/**
 * Topics in the order of their names, at most so many partitions an answer; the cursor tells where the next one goes
 * on (KIP-966). No topics named means all.
 */
export function describeTopicPartitionsRow(services: HandlerServices): ApiRow {
  return serial({
    request: DescribeTopicPartitionsRequest,
    response: DescribeTopicPartitionsResponse,
    handle(call, request): DescribeTopicPartitionsResponse {
      const names = namesOf(request, services);
      const limit = Math.min(
        services.config.get('max.request.partition.size.limit'),
        request.responsePartitionLimit,
      );
      const page = new Page(services, call.peer.listenerName, Math.max(1, limit));
      for (const name of names) {
        const from = name === request.cursor?.topicName ? request.cursor.partitionIndex : 0;
        if (!page.add(name, from, request.topics.length === 0)) break;
      }
      return { throttleTimeMs: 0, topics: page.topics, nextCursor: page.nextCursor };
    },
    failure: (request, code) => ({
      throttleTimeMs: 0,
      topics: (request?.topics ?? []).map(({ name }) => topicError(name, code)),
      nextCursor: null,
    }),
  });
}

function namesOf(request: DescribeTopicPartitionsRequest, services: HandlerServices): readonly string[] {
  const { cursor } = request;
  const all =
    request.topics.length === 0
      ? services.metadata.image.topicsByName.keys()
      : request.topics.map(({ name }) => name);
  const names = new Set<string>();
  for (const name of all) if (cursor === null || name >= cursor.topicName) names.add(name);
  if (cursor !== null && request.topics.length > 0 && !names.has(cursor.topicName)) {
    throw new ProtocolError(
      Errors.INVALID_REQUEST,
      `The cursor is at ${cursor.topicName}, which is not among the topics asked for`,
    );
  }
  if (cursor !== null && cursor.partitionIndex < 0) {
    throw new ProtocolError(
      Errors.INVALID_REQUEST,
      `The cursor is at partition ${cursor.partitionIndex}, and they count from 0`,
    );
  }
  return [...names].sort();
}

const topicError = (name: string, errorCode: number): Topic => ({
  errorCode,
  name,
  topicId: ZERO_UUID,
  isInternal: isInternalTopic(name),
  partitions: [],
  topicAuthorizedOperations: TOPIC_OPERATIONS,
});

/** One answer while it fills. */
class Page {
  readonly topics: Topic[] = [];
  nextCursor: Cursor = null;
  readonly #services: HandlerServices;
  readonly #listenerName: string;
  #left: number;

  constructor(services: HandlerServices, listenerName: string, partitionsMax: number) {
    this.#services = services;
    this.#listenerName = listenerName;
    this.#left = partitionsMax;
  }

  /** Adds the topic's partitions from `from` on; false once the page is full. */
  add(name: string, from: number, ignoreUnknown: boolean): boolean {
    if (this.#left === 0) {
      this.nextCursor = { topicName: name, partitionIndex: 0 };
      return false;
    }
    const topic = this.#services.metadata.image.topicsByName.get(name);
    if (topic === undefined) {
      if (!ignoreUnknown) this.topics.push(topicError(name, this.#services.metadata.unknownTopicError(name)));
      return true;
    }
    const until = Math.min(topic.partitions.length, from + this.#left);
    this.topics.push(this.#topicOf(topic, from, until));
    this.#left -= Math.max(0, until - from);
    if (until >= topic.partitions.length) return true;
    this.nextCursor = { topicName: name, partitionIndex: until };
    return false;
  }

  #topicOf(topic: TopicImage, from: number, until: number): Topic {
    const partitions: Partition[] = [];
    for (let index = from; index < until; index++) {
      const partition = topic.partitions[index];
      if (partition !== undefined) partitions.push(this.#partitionOf(index, partition));
    }
    return {
      errorCode: Errors.NONE,
      name: topic.name,
      topicId: topic.id,
      isInternal: isInternalTopic(topic.name),
      partitions,
      topicAuthorizedOperations: TOPIC_OPERATIONS,
    };
  }

  #partitionOf(partitionIndex: number, partition: PartitionRegistration): Partition {
    const { metadata } = this.#services;
    return {
      errorCode: metadata.partitionError(partition, this.#listenerName),
      partitionIndex,
      leaderId: partition.leader,
      leaderEpoch: partition.leaderEpoch,
      replicaNodes: partition.replicas,
      isrNodes: partition.isr,
      eligibleLeaderReplicas: partition.elr,
      lastKnownElr: partition.lastKnownElr,
      offlineReplicas: metadata.offlineReplicas(partition, this.#listenerName),
    };
  }
}
