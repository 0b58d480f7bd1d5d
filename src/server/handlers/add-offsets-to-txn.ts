import { OLD_CLIENT_VERSION, partitionForGroup } from '../../coordinator/index.ts';
import {
  AddOffsetsToTxnRequest,
  AddOffsetsToTxnResponse,
} from '../../protocol/messages/add-offsets-to-txn.ts';
import { type ApiRow, staged } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';
import { CONSUMER_OFFSETS_TOPIC } from '../topic-creation.ts';
import { fencedCode } from './fenced-producer.ts';

const FENCED_VERSION_MIN = 2;

/** AddOffsetsToTxn v0-4: a transaction includes the partition that holds the offsets of this group. */
export function addOffsetsToTxnRow(services: HandlerServices): ApiRow {
  return staged<AddOffsetsToTxnRequest, AddOffsetsToTxnResponse>({
    request: AddOffsetsToTxnRequest,
    response: AddOffsetsToTxnResponse,
    handle(call, { transactionalId, producerId, producerEpoch, groupId }) {
      const partition = partitionForGroup(groupId, offsetsPartitions(services));
      const topics = [{ name: CONSUMER_OFFSETS_TOPIC, partitions: [partition] }];
      const request = { transactionalId, producerId, producerEpoch, topics };
      services.transactions.addPartitions(request, OLD_CLIENT_VERSION, (code) => {
        call.answer({ throttleTimeMs: 0, errorCode: fencedCode(code, call.version, FENCED_VERSION_MIN) });
      });
    },
    failure: (_request, errorCode) => ({ throttleTimeMs: 0, errorCode }),
  });
}

/** As many as the topic has, or will have. */
function offsetsPartitions({ metadata, config }: HandlerServices): number {
  return (
    metadata.topic(CONSUMER_OFFSETS_TOPIC)?.partitions.length ?? config.get('offsets.topic.num.partitions')
  );
}
