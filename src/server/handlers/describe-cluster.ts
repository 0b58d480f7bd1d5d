import { type ErrorCode, Errors, ProtocolError } from '../../protocol/errors.ts';
import { DescribeClusterRequest, DescribeClusterResponse } from '../../protocol/messages/describe-cluster.ts';
import { type ApiRow, serial } from '../api-row.ts';
import { CLUSTER_OPERATIONS, OPERATIONS_NOT_ASKED } from '../authorized-operations.ts';
import type { ListenerKind } from '../call.ts';
import type { HandlerServices } from '../services.ts';

/** Endpoint types of KIP-919. */
const BROKERS = 1;
const CONTROLLERS = 2;

const NO_CONTROLLER = -1;

const failure = (errorCode: ErrorCode, errorMessage: string | null): DescribeClusterResponse => ({
  throttleTimeMs: 0,
  errorCode,
  errorMessage,
  endpointType: BROKERS,
  clusterId: '',
  controllerId: NO_CONTROLLER,
  brokers: [],
  clusterAuthorizedOperations: OPERATIONS_NOT_ASKED,
});

/**
 * The nodes of the cluster (KIP-700). Brokers tell of brokers and controllers of controllers; v1 says which of them is
 * meant (KIP-919), v2 can show fenced brokers (KIP-1073).
 */
export function describeClusterRow(services: HandlerServices): ApiRow {
  return serial({
    request: DescribeClusterRequest,
    response: DescribeClusterResponse,
    listeners: ['broker', 'controller'],
    handle(call, request): DescribeClusterResponse {
      const kind = call.peer.listenerKind;
      checkEndpointType(kind, request.endpointType, call.version);
      const { metadata, nodeId } = services;
      const nodes =
        kind === 'broker'
          ? metadata.brokers(call.peer.listenerName, request.includeFencedBrokers)
          : metadata.controllers(call.peer.listenerName);
      // As Apache Kafka in KRaft: brokers name any live broker, for each of them forwards to the controller.
      const controllerId = kind === 'broker' ? metadata.aliveBrokerId(nodeId) : nodeId;
      return {
        throttleTimeMs: 0,
        errorCode: Errors.NONE,
        errorMessage: null,
        endpointType: kind === 'broker' ? BROKERS : CONTROLLERS,
        clusterId: services.clusterId,
        controllerId: nodes.some(({ id }) => id === controllerId) ? controllerId : NO_CONTROLLER,
        brokers: nodes.map(({ id, host, port, rack, fenced }) => ({
          brokerId: id,
          host,
          port,
          rack,
          isFenced: fenced,
        })),
        clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
          ? CLUSTER_OPERATIONS
          : OPERATIONS_NOT_ASKED,
      };
    },
    failure: (_request, code, message) => failure(code, message),
  });
}

/** Throws where the other kind of node is meant; version 0 has no room for the newer error codes. */
function checkEndpointType(kind: ListenerKind, endpointType: number, version: number): void {
  if (endpointType !== BROKERS && endpointType !== CONTROLLERS) {
    throw new ProtocolError(
      Errors.UNSUPPORTED_ENDPOINT_TYPE,
      `There is no endpoint type ${endpointType}; 1 is a broker, 2 a controller`,
    );
  }
  if ((kind === 'broker') === (endpointType === BROKERS)) return;
  throw new ProtocolError(
    version === 0 ? Errors.INVALID_REQUEST : Errors.MISMATCHED_ENDPOINT_TYPE,
    `This is the endpoint of a ${kind}; a ${endpointType === BROKERS ? 'broker' : 'controller'} must be asked`,
  );
}
