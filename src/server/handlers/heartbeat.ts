import { HeartbeatRequest, HeartbeatResponse } from '../../protocol/messages/heartbeat.ts';
import { type ApiRow, staged } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';

/** Heartbeat v0-4: keeps a member's session, and tells it of a rebalance that began. */
export function heartbeatRow(services: HandlerServices): ApiRow {
  return staged<HeartbeatRequest, HeartbeatResponse>({
    request: HeartbeatRequest,
    response: HeartbeatResponse,
    handle(call, request) {
      services.groups.heartbeat(request, (response) => call.answer(response));
    },
    failure: (_request, errorCode) => ({ throttleTimeMs: 0, errorCode }),
  });
}
