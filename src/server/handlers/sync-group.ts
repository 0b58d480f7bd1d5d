import { syncFailure } from '../../coordinator/index.ts';
import { Errors } from '../../protocol/errors.ts';
import { SyncGroupRequest, SyncGroupResponse } from '../../protocol/messages/sync-group.ts';
import { type ApiRow, staged } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';

/** The protocol must be named from this version on (KIP-559). */
const PROTOCOL_REQUIRED_VERSION_MIN = 5;

/** SyncGroup v0-5: the leader says who gets what, and every member waits for its part. */
export function syncGroupRow(services: HandlerServices): ApiRow {
  return staged<SyncGroupRequest, SyncGroupResponse>({
    request: SyncGroupRequest,
    response: SyncGroupResponse,
    handle(call, request) {
      const isNamed = request.protocolType !== null && request.protocolName !== null;
      if (call.version >= PROTOCOL_REQUIRED_VERSION_MIN && !isNamed) {
        call.fail(Errors.INCONSISTENT_GROUP_PROTOCOL);
        return;
      }
      const { groupId, memberId, groupInstanceId } = request;
      services.groups.syncGroup(request, (response) => {
        if (response.errorCode === Errors.NONE && groupInstanceId === null) {
          services.memberConnections.spoke(call.peer, groupId, memberId);
        }
        call.answer(response);
      });
      call.releaseFrame();
    },
    failure: (_request, code) => syncFailure(code),
  });
}
