import { type ApiRow, type ApiShape, EncodedResponse, serial } from '../api-row.ts';
import type { HandlerServices } from '../services.ts';
import {
  alterClientQuotasApi,
  alterPartitionReassignmentsApi,
  alterUserScramCredentialsApi,
  createPartitionsApi,
  createTopicsApi,
  deleteTopicsApi,
  describeQuorumApi,
  electLeadersApi,
  listPartitionReassignmentsApi,
  unregisterBrokerApi,
  updateFeaturesApi,
} from './api-shapes.ts';

/** Hands the bytes of the request to the controller as they are, and those of its answer back. */
function forwarded<Request, Response>(services: HandlerServices, shape: ApiShape<Request, Response>): ApiRow {
  return serial({
    ...shape,
    handle: async (call) => {
      const body = call.frameBytes.subarray(call.header.bodyAt);
      return new EncodedResponse(await services.controller.forward(shape.request.apiKey, call.version, body));
    },
  });
}

/**
 * CreateTopics v0-7, DeleteTopics v0-6, CreatePartitions v0-3, ElectLeaders v0-2, AlterPartitionReassignments v0-1,
 * ListPartitionReassignments v0, AlterClientQuotas v0-1, AlterUserScramCredentials v0, DescribeQuorum v0-2,
 * UpdateFeatures v0-2 and UnregisterBroker v0: only the controller knows the answer. What it changed is in this broker's image when its answer
 * arrives, so that a client may use a topic in its next request.
 */
export function forwardedRows(services: HandlerServices): readonly ApiRow[] {
  return [
    forwarded(services, createTopicsApi),
    forwarded(services, deleteTopicsApi),
    forwarded(services, createPartitionsApi),
    forwarded(services, electLeadersApi),
    forwarded(services, alterPartitionReassignmentsApi),
    forwarded(services, listPartitionReassignmentsApi),
    forwarded(services, alterClientQuotasApi),
    forwarded(services, alterUserScramCredentialsApi),
    forwarded(services, describeQuorumApi),
    forwarded(services, updateFeaturesApi),
    forwarded(services, unregisterBrokerApi),
  ];
}
