import { Errors } from '../../protocol/errors.ts';
import { LeaveGroupRequest, LeaveGroupResponse } from '../../protocol/messages/leave-group.ts';
import { type ApiRow, staged } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';

/** Several members at once from this version on (KIP-345). */
const BATCH_VERSION_MIN = 3;

/** LeaveGroup v0-5: members leave at once instead of when their sessions end. */
export function leaveGroupRow(services: HandlerServices): ApiRow {
  return staged<LeaveGroupRequest, LeaveGroupResponse>({
    request: LeaveGroupRequest,
    response: LeaveGroupResponse,
    handle(call, request) {
      const { version } = call;
      if (version < BATCH_VERSION_MIN) {
        request.members = [{ memberId: request.memberId, groupInstanceId: null, reason: null }];
      }
      services.groups.leaveGroup(request, (response) => {
        for (const { memberId } of request.members)
          services.memberConnections.left(request.groupId, memberId);
        call.answer(inVersion(version, response));
      });
    },
    failure: (_request, errorCode) => ({ throttleTimeMs: 0, errorCode, members: [] }),
  });
}

/** Before batches the one member's error was the answer's. */
function inVersion(version: number, response: LeaveGroupResponse): LeaveGroupResponse {
  if (version >= BATCH_VERSION_MIN) return response;
  const { throttleTimeMs, errorCode, members } = response;
  const told = errorCode === Errors.NONE ? (members[0]?.errorCode ?? Errors.NONE) : errorCode;
  return { throttleTimeMs, errorCode: told, members: [] };
}
