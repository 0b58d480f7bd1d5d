import { type ErrorCode, Errors, ProtocolError } from '../../protocol/errors.ts';
import { DeleteRecordsRequest, DeleteRecordsResponse } from '../../protocol/messages/delete-records.ts';
import { isInternalTopic } from '../../replication/replica-manager.ts';
import { type ApiRow, serial } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';

type PartitionAnswer = DeleteRecordsResponse['topics'][number]['partitions'][number];

const NO_LOW_WATERMARK = -1;

/**
 * DeleteRecords v0-2 (KIP-107): moves the log start of partitions led here up to an offset, or to the high watermark
 * for -1. The low watermark that is answered is the log start, for no other replica has to follow.
 */
export function deleteRecordsRow(services: HandlerServices): ApiRow {
  return serial({
    request: DeleteRecordsRequest,
    response: DeleteRecordsResponse,
    handle: (_call, request): DeleteRecordsResponse => ({
      throttleTimeMs: 0,
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, offset }) =>
          answer(services, name, partitionIndex, offset),
        ),
      })),
    }),
    failure: (request, code) => ({
      throttleTimeMs: 0,
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => refused(partitionIndex, code)),
      })),
    }),
  });
}

function answer(
  services: HandlerServices,
  topic: string,
  partitionIndex: number,
  offset: number,
): PartitionAnswer {
  try {
    const { metadata, replicas } = services;
    if (isInternalTopic(topic) && metadata.contains(topic, partitionIndex)) {
      return refused(partitionIndex, Errors.INVALID_TOPIC_EXCEPTION);
    }
    const lowWatermark = replicas.find(topic, partitionIndex).deleteRecordsBefore(offset);
    return { partitionIndex, lowWatermark, errorCode: Errors.NONE };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return refused(partitionIndex, error.code);
  }
}

const refused = (partitionIndex: number, errorCode: ErrorCode): PartitionAnswer => ({
  partitionIndex,
  lowWatermark: NO_LOW_WATERMARK,
  errorCode,
});
