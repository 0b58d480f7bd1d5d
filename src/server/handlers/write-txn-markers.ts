import type { ErrorCode } from '../../protocol/errors.ts';
import {
  WriteTxnMarkersRequest,
  WriteTxnMarkersResponse,
} from '../../protocol/messages/write-txn-markers.ts';
import { type ApiRow, serial } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';
import type { TxnMarkerResult } from '../txn-markers.ts';

type TopicResult = TxnMarkerResult['topics'][number];

/**
 * WriteTxnMarkers v0-2: ends transactions in partitions led here. For transaction coordinators, and for admins who end
 * one that hangs (KIP-664).
 */
export function writeTxnMarkersRow(services: HandlerServices): ApiRow {
  return serial<WriteTxnMarkersRequest, WriteTxnMarkersResponse>({
    request: WriteTxnMarkersRequest,
    response: WriteTxnMarkersResponse,
    handle: (_call, { markers }) =>
      new Promise((resolve) => {
        services.txnMarkers.write(markers, (results) => resolve({ markers: byProducer(results) }));
      }),
    failure: ({ markers }, code) => ({ markers: byProducer(markers.map((one) => failed(one, code))) }),
  });
}

function failed(marker: WriteTxnMarkersRequest['markers'][number], errorCode: ErrorCode): TxnMarkerResult {
  const { producerId, topics } = marker;
  return {
    producerId,
    topics: topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => ({ partitionIndex, errorCode })),
    })),
  };
}

/** One result for each producer, as Apache Kafka answers: of a partition that was named twice, the last. */
function byProducer(results: readonly TxnMarkerResult[]): TxnMarkerResult[] {
  const producers = new Map<bigint, Map<string, Map<number, number>>>();
  for (const { producerId, topics } of results) {
    const known = producers.get(producerId) ?? new Map<string, Map<number, number>>();
    producers.set(producerId, known);
    for (const { name, partitions } of topics) {
      const codes = known.get(name) ?? new Map<number, number>();
      known.set(name, codes);
      for (const { partitionIndex, errorCode } of partitions) codes.set(partitionIndex, errorCode);
    }
  }
  return Array.from(producers, ([producerId, topics]) => ({
    producerId,
    topics: Array.from(topics, topicResult),
  }));
}

function topicResult([name, codes]: [string, Map<number, number>]): TopicResult {
  return {
    name,
    partitions: Array.from(codes, ([partitionIndex, errorCode]) => ({ partitionIndex, errorCode })),
  };
}
