import { applyBrokerConfigChanges, validateBrokerConfigs } from '../../config/validation.ts';
import {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../../protocol/messages/incremental-alter-configs.ts';
import { type ApiRow, type ApiShape, serial } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';
import { answerOf, checkAlterations, inRequestOrder } from './config-resources.ts';

type Resource = IncrementalAlterConfigsRequest['resources'][number];

export const incrementalAlterConfigsShape: ApiShape<
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse
> = {
  request: IncrementalAlterConfigsRequest,
  response: IncrementalAlterConfigsResponse,
  failure: (request, code, message) => ({
    throttleTimeMs: 0,
    responses: (request?.resources ?? []).map((resource) => answerOf(resource, code, message)),
  }),
};

/** Changes single settings of topics, brokers and groups (KIP-339): checked here where they are this broker's, then forwarded. */
export function incrementalAlterConfigsRow(services: HandlerServices): ApiRow {
  return serial({
    ...incrementalAlterConfigsShape,
    async handle(call, request): Promise<IncrementalAlterConfigsResponse> {
      const failed = checkAlterations<Resource>({
        resources: request.resources,
        nodeId: services.nodeId,
        validateBroker: ({ configs }, level) => {
          const changes = configs.map(({ name, value, configOperation }) => ({
            name,
            value,
            operation: configOperation,
          }));
          const next = applyBrokerConfigChanges(services.config.dynamic[level], changes);
          validateBrokerConfigs(next, level, services.config);
        },
      });
      const left = request.resources.filter((resource) => !failed.has(resource));
      if (left.length === 0) {
        return { throttleTimeMs: 0, responses: inRequestOrder(request.resources, failed, []) };
      }
      const response = await services.controller.send(incrementalAlterConfigsShape, call.version, {
        ...request,
        resources: left,
      });
      return { ...response, responses: inRequestOrder(request.resources, failed, response.responses) };
    },
  });
}
