import type { Uuid } from '../../base/uuid.ts';
import { type ErrorCode, Errors } from '../../protocol/errors.ts';
import type { OffsetCommitResponse } from '../../protocol/messages/offset-commit.ts';
import type { BrokerMetadata } from '../broker-metadata.ts';

/** A topic of a commit, of whichever kind. */
export interface CommitTopic<P extends CommitPartition> {
  readonly name: string;
  readonly topicId: Uuid;
  readonly partitions: readonly P[];
}

export interface CommitPartition {
  readonly partitionIndex: number;
}

type TopicAnswer = OffsetCommitResponse['topics'][number];

/** A topic of the request by its name and id, and what of it the coordinator is asked to keep. */
export interface LookedTopic<P extends CommitPartition> {
  readonly topic: CommitTopic<P>;
  /** Undefined where no partition of it is there. */
  readonly asked: CommitTopic<P> | undefined;
  /** What the partitions that are not there are told, by their place in the request; none where all are there. */
  readonly refused: ReadonlyMap<number, ErrorCode>;
}

const NONE_REFUSED: ReadonlyMap<number, ErrorCode> = new Map();

/** Finds a topic of a commit by its id, or by its name. */
export function lookAtTopic<P extends CommitPartition>(
  metadata: BrokerMetadata,
  byId: boolean,
  topic: CommitTopic<P>,
): LookedTopic<P> {
  const found = byId ? metadata.topicById(topic.topicId) : metadata.topic(topic.name);
  if (found === undefined) {
    const code = byId ? Errors.UNKNOWN_TOPIC_ID : Errors.UNKNOWN_TOPIC_OR_PARTITION;
    return { topic, asked: undefined, refused: new Map(topic.partitions.map((_, at) => [at, code])) };
  }
  const { partitions } = topic;
  const named = { name: found.name, topicId: found.id, partitions };
  const isThere = ({ partitionIndex }: P) => found.partitions[partitionIndex] !== undefined;
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
export function mergeAnswers<P extends CommitPartition>(
  looked: readonly LookedTopic<P>[],
  answered: OffsetCommitResponse['topics'],
): TopicAnswer[] {
  let next = 0;
  return looked.map((one) => answer(one, one.asked === undefined ? undefined : answered[next++]));
}

function answer<P extends CommitPartition>(
  { topic, refused }: LookedTopic<P>,
  answered: TopicAnswer | undefined,
): TopicAnswer {
  if (answered !== undefined && refused.size === 0) return answered;
  let next = 0;
  const partitions = topic.partitions.map(({ partitionIndex }, at) => {
    const errorCode = refused.get(at);
    return errorCode === undefined ? answered!.partitions[next++]! : { partitionIndex, errorCode };
  });
  return { name: topic.name, topicId: topic.topicId, partitions };
}
