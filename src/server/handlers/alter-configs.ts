import { validateBrokerConfigs } from '../../config/validation.ts';
import { AlterConfigsRequest, AlterConfigsResponse } from '../../protocol/messages/alter-configs.ts';
import { type ApiRow, type ApiShape, serial } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';
import { answerOf, checkAlterations, inRequestOrder } from './config-resources.ts';

type Resource = AlterConfigsRequest['resources'][number];

export const alterConfigsShape: ApiShape<AlterConfigsRequest, AlterConfigsResponse> = {
  request: AlterConfigsRequest,
  response: AlterConfigsResponse,
  failure: (request, code, message) => ({
    throttleTimeMs: 0,
    responses: (request?.resources ?? []).map((resource) => answerOf(resource, code, message)),
  }),
};

/** Replaces all settings of a topic or broker at once (KIP-133): what is not named goes back to its default. */
export function alterConfigsRow(services: HandlerServices): ApiRow {
  return serial({
    ...alterConfigsShape,
    async handle(call, request): Promise<AlterConfigsResponse> {
      const failed = checkAlterations<Resource>({
        resources: request.resources,
        nodeId: services.nodeId,
        validateBroker: ({ configs }, level) => {
          const next = new Map(configs.map(({ name, value }) => [name, value ?? '']));
          validateBrokerConfigs(next, level, services.config);
        },
      });
      const left = request.resources.filter((resource) => !failed.has(resource));
      if (left.length === 0) {
        return { throttleTimeMs: 0, responses: inRequestOrder(request.resources, failed, []) };
      }
      const response = await services.controller.send(alterConfigsShape, call.version, {
        ...request,
        resources: left,
      });
      return { ...response, responses: inRequestOrder(request.resources, failed, response.responses) };
    },
  });
}
