import { Errors } from '../../protocol/errors.ts';
import { OffsetDeleteRequest, OffsetDeleteResponse } from '../../protocol/messages/offset-delete.ts';
import { type ApiRow, staged } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';

type Topic = OffsetDeleteRequest['topics'][number];
type TopicAnswer = OffsetDeleteResponse['topics'][number];

/** OffsetDelete v0 (KIP-496): forgets offsets in topics that no member of the group consumes. */
export function offsetDeleteRow(services: HandlerServices): ApiRow {
  return staged<OffsetDeleteRequest, OffsetDeleteResponse>({
    request: OffsetDeleteRequest,
    response: OffsetDeleteResponse,
    handle(call, request) {
      const isThere = (topic: string, partition: number) => services.metadata.contains(topic, partition);
      const topics = request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.filter(({ partitionIndex }) => isThere(name, partitionIndex)),
      }));
      services.groups.deleteOffsets({ ...request, topics }, (response) => {
        if (response.errorCode !== Errors.NONE) call.answer(response);
        else call.answer({ ...response, topics: merge(request.topics, response.topics) });
      });
    },
    failure: (_request, errorCode) => ({ errorCode, throttleTimeMs: 0, topics: [] }),
  });
}

/** What the coordinator was not asked about is not there. */
function merge(asked: readonly Topic[], answered: readonly TopicAnswer[]): TopicAnswer[] {
  return asked.map(({ name, partitions }, at) => {
    const known = new Map(answered[at]?.partitions.map((one) => [one.partitionIndex, one.errorCode]));
    return {
      name,
      partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode: known.get(partitionIndex) ?? Errors.UNKNOWN_TOPIC_OR_PARTITION,
      })),
    };
  });
}
