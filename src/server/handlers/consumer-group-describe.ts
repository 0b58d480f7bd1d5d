import { failedConsumerDescription } from '../../coordinator/index.ts';
import { type ErrorCode, Errors } from '../../protocol/errors.ts';
import {
  ConsumerGroupDescribeRequest,
  ConsumerGroupDescribeResponse,
} from '../../protocol/messages/consumer-group-describe.ts';
import { type ApiRow, serial } from '../api-row.ts';
import { GROUP_OPERATIONS } from '../authorized-operations.ts';
import { servesConsumerGroups } from '../group-protocols.ts';
import type { HandlerServices } from '../services.ts';

/** ConsumerGroupDescribe v0-1: state, epochs and members of consumer groups (KIP-848). */
export function consumerGroupDescribeRow(services: HandlerServices): ApiRow {
  return serial<ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse>({
    request: ConsumerGroupDescribeRequest,
    response: ConsumerGroupDescribeResponse,
    async handle(_call, request) {
      const { groupIds, includeAuthorizedOperations } = request;
      if (!servesConsumerGroups(services)) return failure(groupIds, Errors.UNSUPPORTED_VERSION);
      const groups = await services.groups.describeConsumerGroups(groupIds);
      if (!includeAuthorizedOperations) return { throttleTimeMs: 0, groups };
      const withOperations = groups.map((group) =>
        group.errorCode === Errors.NONE ? { ...group, authorizedOperations: GROUP_OPERATIONS } : group,
      );
      return { throttleTimeMs: 0, groups: withOperations };
    },
    failure: ({ groupIds }, code) => failure(groupIds, code),
  });
}

function failure(groupIds: readonly string[], code: ErrorCode): ConsumerGroupDescribeResponse {
  return {
    throttleTimeMs: 0,
    groups: groupIds.map((groupId) => failedConsumerDescription(groupId, code)),
  };
}
