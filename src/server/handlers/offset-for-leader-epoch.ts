import { type ErrorCode, Errors, ProtocolError } from '../../protocol/errors.ts';
import {
  OffsetForLeaderEpochRequest,
  OffsetForLeaderEpochResponse,
} from '../../protocol/messages/offset-for-leader-epoch.ts';
import { type ApiRow, serial } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';

type PartitionRequest = OffsetForLeaderEpochRequest['topics'][number]['partitions'][number];
type PartitionAnswer = OffsetForLeaderEpochResponse['topics'][number]['partitions'][number];

/** OffsetForLeaderEpoch v0-4: where the newest epoch up to the one asked for ends; -1 where that is not known (KIP-101). */
export function offsetForLeaderEpochRow(services: HandlerServices): ApiRow {
  return serial<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse>({
    request: OffsetForLeaderEpochRequest,
    response: OffsetForLeaderEpochResponse,
    handle: (_call, request) => ({
      throttleTimeMs: 0,
      topics: request.topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map((one) => answer(services, topic, one)),
      })),
    }),
    failure: (request, code) => ({
      throttleTimeMs: 0,
      topics: request.topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map((one) => unknown(one, code)),
      })),
    }),
  });
}

function answer(services: HandlerServices, topic: string, one: PartitionRequest): PartitionAnswer {
  try {
    const partition = services.replicas.find(topic, one.partition);
    partition.readableLog(one.currentLeaderEpoch, true);
    const end = partition.endOffsetForEpoch(one.leaderEpoch);
    if (end === undefined) return unknown(one, Errors.NONE);
    return { ...unknown(one, Errors.NONE), leaderEpoch: end.leaderEpoch, endOffset: end.endOffset };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return unknown(one, error.code);
  }
}

function unknown({ partition }: PartitionRequest, errorCode: ErrorCode): PartitionAnswer {
  return { errorCode, partition, leaderEpoch: -1, endOffset: -1 };
}
