import { failedDescription } from '../../coordinator/index.ts';
import { Errors } from '../../protocol/errors.ts';
import { DescribeGroupsRequest, DescribeGroupsResponse } from '../../protocol/messages/describe-groups.ts';
import { type ApiRow, serial } from '../api-row.ts';
import { GROUP_OPERATIONS } from '../authorized-operations.ts';
import type { HandlerServices } from '../services.ts';

/** DescribeGroups v0-6: state and members of classic groups, with what their clients wrote. */
export function describeGroupsRow(services: HandlerServices): ApiRow {
  return serial<DescribeGroupsRequest, DescribeGroupsResponse>({
    request: DescribeGroupsRequest,
    response: DescribeGroupsResponse,
    async handle(call, request) {
      const groups = await services.groups.describeGroups(request, call.version);
      if (!request.includeAuthorizedOperations) return { throttleTimeMs: 0, groups };
      const withOperations = groups.map((group) =>
        group.errorCode === Errors.NONE ? { ...group, authorizedOperations: GROUP_OPERATIONS } : group,
      );
      return { throttleTimeMs: 0, groups: withOperations };
    },
    failure: (request, code) => ({
      throttleTimeMs: 0,
      groups: request.groups.map((groupId) => failedDescription(groupId, code)),
    }),
  });
}
