import { joinFailure } from '../../coordinator/index.ts';
import { Errors } from '../../protocol/errors.ts';
import { JoinGroupRequest, JoinGroupResponse } from '../../protocol/messages/join-group.ts';
import { type ApiRow, staged } from '../api-row.ts';
import { groupRequestContext } from '../group-request-context.ts';
import type { HandlerServices } from '../services.ts';

/** Before this version a rebalance takes as long as a session may. */
const REBALANCE_TIMEOUT_VERSION_MIN = 1;
/** Before this version there is always a protocol name, if only an empty one. */
const NULL_PROTOCOL_VERSION_MIN = 7;

/**
 * JoinGroup v0-9: makes the sender a member of a classic group. The answer waits until the members of the next
 * generation are known, and the connection with it, as in Apache Kafka.
 */
export function joinGroupRow(services: HandlerServices): ApiRow {
  return staged<JoinGroupRequest, JoinGroupResponse>({
    request: JoinGroupRequest,
    response: JoinGroupResponse,
    handle(call, request) {
      const { version } = call;
      if (version < REBALANCE_TIMEOUT_VERSION_MIN) request.rebalanceTimeoutMs = request.sessionTimeoutMs;
      const { peer } = call;
      const { groupId, memberId } = request;
      const isDynamic = request.groupInstanceId === null;
      const connections = services.memberConnections;
      // The answer may take minutes, and the connection end before it.
      if (isDynamic && memberId !== '') connections.spoke(peer, groupId, memberId);
      services.groups.joinGroup(groupRequestContext(call), request, (response) => {
        if (isDynamic && isMember(response)) connections.spoke(peer, groupId, response.memberId);
        else if (isDynamic) connections.left(groupId, memberId);
        call.answer(inVersion(version, response));
      });
      // Whatever is kept of the request was copied: a join may wait for minutes.
      call.releaseFrame();
    },
    failure: (request, code, _message, version) => inVersion(version, joinFailure(code, request.memberId)),
  });
}

/** Whether the coordinator knows the sender by the id in the answer, or is about to. */
function isMember({ errorCode, memberId }: JoinGroupResponse): boolean {
  if (memberId === '') return false;
  return (
    errorCode === Errors.NONE ||
    errorCode === Errors.MEMBER_ID_REQUIRED ||
    errorCode === Errors.REBALANCE_IN_PROGRESS
  );
}

function inVersion(version: number, response: JoinGroupResponse): JoinGroupResponse {
  if (version >= NULL_PROTOCOL_VERSION_MIN || response.protocolName !== null) return response;
  return { ...response, protocolName: '' };
}
