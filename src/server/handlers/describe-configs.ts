import {
  type ConfigEntry,
  type DescribeOptions,
  describeBrokerConfig,
  describeClusterConfig,
  describeGroupConfig,
  describeTopicConfig,
} from '../../config/describe.ts';
import { topicNameProblem } from '../../controller/topic-names.ts';
import { Errors, ProtocolError } from '../../protocol/errors.ts';
import { DescribeConfigsRequest, DescribeConfigsResponse } from '../../protocol/messages/describe-configs.ts';
import { type ApiRow, serial } from '../api-row.ts';
import type { BrokerMetadata } from '../broker-metadata.ts';
import type { HandlerServices } from '../services.ts';
import {
  answerOf,
  checkBrokerName,
  configErrorAnswer,
  ResourceType,
  unsupported,
} from './config-resources.ts';

type Resource = DescribeConfigsRequest['resources'][number];
type Result = DescribeConfigsResponse['results'][number];

/** Settings of topics, brokers and groups with where each value comes from (KIP-133, KIP-226), documentation from v3 on. */
export function describeConfigsRow(services: HandlerServices): ApiRow {
  return serial({
    request: DescribeConfigsRequest,
    response: DescribeConfigsResponse,
    handle: (call, request): DescribeConfigsResponse => ({
      throttleTimeMs: 0,
      results: request.resources.map((resource) => resultOf(resource, request, services, call.version)),
    }),
    failure: (request, code, message) => ({
      throttleTimeMs: 0,
      results: (request?.resources ?? []).map((resource) => ({
        ...answerOf(resource, code, message),
        configs: [],
      })),
    }),
  });
}

function resultOf(
  resource: Resource,
  request: DescribeConfigsRequest,
  services: HandlerServices,
  version: number,
): Result {
  const options: DescribeOptions = {
    names: resource.configurationKeys,
    includeSynonyms: request.includeSynonyms,
    includeDocumentation: request.includeDocumentation,
  };
  try {
    const configs = entriesOf(resource, options, services);
    // Only version 0 has room for isDefault; later ones name the source.
    const shown = version === 0 ? configs : configs.map((entry) => ({ ...entry, isDefault: false }));
    return { ...answerOf(resource, Errors.NONE, ''), configs: shown };
  } catch (error) {
    return { ...configErrorAnswer(resource, error), configs: [] };
  }
}

function entriesOf(
  { resourceType, resourceName }: Resource,
  options: DescribeOptions,
  services: HandlerServices,
): readonly ConfigEntry[] {
  const { config, metadata, nodeId } = services;
  switch (resourceType) {
    case ResourceType.TOPIC: {
      checkDescribedTopic(resourceName, metadata);
      const overrides = metadata.image.configOf(resourceType, resourceName);
      return describeTopicConfig(overrides, config, options);
    }
    case ResourceType.BROKER:
      if (resourceName === '') return describeClusterConfig(config, options);
      checkBrokerName(resourceName, nodeId);
      return describeBrokerConfig(config, options);
    case ResourceType.GROUP:
      if (resourceName === '')
        throw new ProtocolError(
          Errors.INVALID_REQUEST,
          'A group needs a name: there are no settings of all groups.',
        );
      return describeGroupConfig(metadata.image.configOf(resourceType, resourceName), config, options);
    default:
      throw unsupported(resourceType);
  }
}

function checkDescribedTopic(name: string, metadata: BrokerMetadata): void {
  const problem = topicNameProblem(name);
  if (problem !== undefined) {
    throw new ProtocolError(Errors.INVALID_TOPIC_EXCEPTION, problem);
  }
  if (metadata.topic(name) === undefined) throw new ProtocolError(Errors.UNKNOWN_TOPIC_OR_PARTITION, '');
}
