import { DeleteGroupsRequest, DeleteGroupsResponse } from '../../protocol/messages/delete-groups.ts';
import { type ApiRow, serial } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';

/** DeleteGroups v0-3 (KIP-229): removes groups without members, with their offsets. */
export function deleteGroupsRow(services: HandlerServices): ApiRow {
  return serial<DeleteGroupsRequest, DeleteGroupsResponse>({
    request: DeleteGroupsRequest,
    response: DeleteGroupsResponse,
    handle: async (_call, request) => ({
      throttleTimeMs: 0,
      results: await services.groups.deleteGroups(request),
    }),
    failure: (request, errorCode) => ({
      throttleTimeMs: 0,
      results: request.groupsNames.map((groupId) => ({ groupId, errorCode, errorMessage: null })),
    }),
  });
}
