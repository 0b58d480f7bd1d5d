import { joinFailure } from '../../coordinator/index.ts';
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
      services.groups.joinGroup(groupRequestContext(call), request, (response) => {
        call.answer(inVersion(version, response));
      });
      // Whatever is kept of the request was copied: a join may wait for minutes.
      call.releaseFrame();
    },
    failure: (request, code, _message, version) => inVersion(version, joinFailure(code, request.memberId)),
  });
}

function inVersion(version: number, response: JoinGroupResponse): JoinGroupResponse {
  if (version >= NULL_PROTOCOL_VERSION_MIN || response.protocolName !== null) return response;
  return { ...response, protocolName: '' };
}
