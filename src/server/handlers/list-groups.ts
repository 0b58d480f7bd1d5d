import { Errors } from '../../protocol/errors.ts';
import { ListGroupsRequest, ListGroupsResponse } from '../../protocol/messages/list-groups.ts';
import { type ApiRow, serial } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';

/** ListGroups v0-5: the groups that this broker coordinates, by state (KIP-518) and type (KIP-848) where asked. */
export function listGroupsRow(services: HandlerServices): ApiRow {
  return serial<ListGroupsRequest, ListGroupsResponse>({
    request: ListGroupsRequest,
    response: ListGroupsResponse,
    handle: async (_call, request) => ({
      throttleTimeMs: 0,
      errorCode: Errors.NONE,
      groups: await services.groups.listGroups(request),
    }),
    failure: (_request, errorCode) => ({ throttleTimeMs: 0, errorCode, groups: [] }),
  });
}
