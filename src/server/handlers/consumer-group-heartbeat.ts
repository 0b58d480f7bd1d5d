import { failedHeartbeat } from '../../coordinator/index.ts';
import { Errors } from '../../protocol/errors.ts';
import {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../protocol/messages/consumer-group-heartbeat.ts';
import { type ApiRow, staged } from '../api-row.ts';
import { servesConsumerGroups } from '../group-protocols.ts';
import { groupRequestContext } from '../group-request-context.ts';
import type { HandlerServices } from '../services.ts';

/** ConsumerGroupHeartbeat v0-1: membership and partitions of consumer groups (KIP-848). */
export function consumerGroupHeartbeatRow(services: HandlerServices): ApiRow {
  return staged<ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse>({
    request: ConsumerGroupHeartbeatRequest,
    response: ConsumerGroupHeartbeatResponse,
    handle(call, request) {
      if (!servesConsumerGroups(services)) {
        call.fail(Errors.UNSUPPORTED_VERSION);
        return;
      }
      services.groups.consumerHeartbeat(groupRequestContext(call), request, (response) =>
        call.answer(response),
      );
    },
    failure: (_request, errorCode, message) => failedHeartbeat(errorCode, message),
  });
}
