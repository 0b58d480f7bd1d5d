import { type ErrorCode, Errors } from '../../protocol/errors.ts';
import {
  ListConfigResourcesRequest,
  ListConfigResourcesResponse,
} from '../../protocol/messages/list-config-resources.ts';
import { type ApiRow, serial } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';
import { ResourceType } from './config-resources.ts';

type Listed = ListConfigResourcesResponse['configResources'][number];

const ALL_TYPES: readonly number[] = Object.values(ResourceType);

/**
 * ListConfigResources v0-1 (KIP-1142): topics and brokers, and the groups and client metrics that have settings. v0 is
 * ListClientMetricsResources (KIP-714), which knows of client metrics only.
 */
export function listConfigResourcesRow(services: HandlerServices): ApiRow {
  return serial({
    request: ListConfigResourcesRequest,
    response: ListConfigResourcesResponse,
    handle(call, request): ListConfigResourcesResponse {
      const known = call.version === 0 ? [ResourceType.CLIENT_METRICS] : ALL_TYPES;
      const asked = new Set(request.resourceTypes.length === 0 ? known : request.resourceTypes);
      for (const type of asked) if (!known.includes(type)) return failure(Errors.UNSUPPORTED_VERSION);
      const configResources = [...asked].flatMap((type) =>
        resourcesOf(type, services, call.peer.listenerName),
      );
      return { throttleTimeMs: 0, errorCode: Errors.NONE, configResources };
    },
    failure: (_request, code) => failure(code),
  });
}

const failure = (errorCode: ErrorCode): ListConfigResourcesResponse => ({
  throttleTimeMs: 0,
  errorCode,
  configResources: [],
});

function resourcesOf(resourceType: number, services: HandlerServices, listenerName: string): Listed[] {
  const names = [...namesOf(resourceType, services, listenerName)];
  return names.map((resourceName) => ({ resourceName, resourceType }));
}

function* namesOf(
  resourceType: number,
  { metadata }: HandlerServices,
  listenerName: string,
): Iterable<string> {
  switch (resourceType) {
    case ResourceType.TOPIC:
      yield* metadata.image.topicsByName.keys();
      return;
    case ResourceType.BROKER:
    case ResourceType.BROKER_LOGGER:
      for (const { id } of metadata.brokers(listenerName, true)) yield String(id);
      return;
    default:
      for (const { type, name } of metadata.image.configResources()) if (type === resourceType) yield name;
  }
}
