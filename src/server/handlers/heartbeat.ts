import { Errors } from '../../protocol/errors.ts';
import { HeartbeatRequest, HeartbeatResponse } from '../../protocol/messages/heartbeat.ts';
import { type ApiRow, staged } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';

/** Heartbeat v0-4: keeps a member's session, and tells it of a rebalance that began. */
export function heartbeatRow(services: HandlerServices): ApiRow {
  return staged<HeartbeatRequest, HeartbeatResponse>({
    request: HeartbeatRequest,
    response: HeartbeatResponse,
    handle(call, request) {
      const { groupId, memberId, groupInstanceId } = request;
      services.groups.heartbeat(request, (response) => {
        const { errorCode } = response;
        const isKnown = errorCode === Errors.NONE || errorCode === Errors.REBALANCE_IN_PROGRESS;
        if (isKnown && groupInstanceId === null) {
          services.memberConnections.spoke(call.peer, groupId, memberId);
        }
        call.answer(response);
      });
    },
    failure: (_request, errorCode) => ({ throttleTimeMs: 0, errorCode }),
  });
}
