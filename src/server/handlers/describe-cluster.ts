import { type ErrorCode, Errors } from '../../protocol/errors.ts';
import { DescribeClusterRequest, DescribeClusterResponse } from '../../protocol/messages/describe-cluster.ts';
import { type ApiRow, serial } from '../api-row.ts';
import { CLUSTER_OPERATIONS, OPERATIONS_NOT_ASKED } from '../authorized-operations.ts';
import type { ListenerKind } from '../call.ts';
import type { HandlerServices } from '../services.ts';

/** Endpoint types of KIP-919. */
const BROKERS = 1;
const CONTROLLERS = 2;

const NO_CONTROLLER = -1;

const failure = (errorCode: ErrorCode, errorMessage: string | null, endpointType: number) => ({
  throttleTimeMs: 0,
  errorCode,
  errorMessage,
  endpointType,
  clusterId: '',
  controllerId: NO_CONTROLLER,
  brokers: [],
  clusterAuthorizedOperations: OPERATIONS_NOT_ASKED,
});

/** The nodes of the cluster (KIP-700); v1 tells brokers from controllers (KIP-919), v2 shows fenced ones (KIP-1073). */
export function describeClusterRow(services: HandlerServices): ApiRow {
  return serial({
    request: DescribeClusterRequest,
    response: DescribeClusterResponse,
    handle(call, request): DescribeClusterResponse {
      const wrong = endpointError(call.peer.listenerKind, request.endpointType);
      if (wrong !== undefined) return failure(wrong.code, wrong.message, request.endpointType);
      const { metadata, nodeId } = services;
      const brokers = metadata
        .brokers(call.peer.listenerName, request.includeFencedBrokers)
        .map(({ id, host, port, rack, fenced }) => ({ brokerId: id, host, port, rack, isFenced: fenced }));
      return {
        throttleTimeMs: 0,
        errorCode: Errors.NONE,
        errorMessage: null,
        endpointType: BROKERS,
        clusterId: services.clusterId,
        // As Apache Kafka in KRaft: any live broker, for each of them forwards to the controller.
        controllerId: metadata.aliveBrokerId(nodeId),
        brokers,
        clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
          ? CLUSTER_OPERATIONS
          : OPERATIONS_NOT_ASKED,
      };
    },
    failure: (request, code, message) => failure(code, message, request?.endpointType ?? BROKERS),
  });
}

function endpointError(
  kind: ListenerKind,
  endpointType: number,
): { code: ErrorCode; message: string } | undefined {
  if (endpointType !== BROKERS && endpointType !== CONTROLLERS) {
    return { code: Errors.UNSUPPORTED_ENDPOINT_TYPE, message: `Unsupported endpoint type ${endpointType}` };
  }
  if ((kind === 'broker') === (endpointType === BROKERS)) return undefined;
  return {
    code: Errors.MISMATCHED_ENDPOINT_TYPE,
    message: `The request was sent to an endpoint of type ${kind.toUpperCase()}, but we wanted an endpoint of type ${endpointType === BROKERS ? 'BROKER' : 'CONTROLLER'}`,
  };
}
