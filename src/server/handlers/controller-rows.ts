import type { Clock } from '../../base/ports.ts';
import { ZERO_UUID } from '../../base/uuid.ts';
import type { QuorumController } from '../../controller/quorum-controller.ts';
import type { Outcome, RequestContext } from '../../controller/result.ts';
import type { DescribeQuorumResponse } from '../../protocol/messages/describe-quorum.ts';
import { type ApiRow, type ApiShape, staged } from '../api-row.ts';
import { alterConfigsShape } from './alter-configs.ts';
import {
  allocateProducerIdsApi,
  alterClientQuotasApi,
  alterPartitionReassignmentsApi,
  alterUserScramCredentialsApi,
  assignReplicasToDirsApi,
  brokerHeartbeatApi,
  brokerRegistrationApi,
  createPartitionsApi,
  createTopicsApi,
  deleteTopicsApi,
  describeQuorumApi,
  electLeadersApi,
  listPartitionReassignmentsApi,
  unregisterBrokerApi,
  updateFeaturesApi,
} from './api-shapes.ts';
import { incrementalAlterConfigsShape } from './incremental-alter-configs.ts';

type Method<Request, Response> = (
  request: Request,
  context: RequestContext,
  done: (outcome: Outcome<Response>) => void,
) => void;

/**
 * The APIs of the controller listener. The controller changes its state at once and answers when the records are
 * committed, so that requests behind need not wait: many share one write to the metadata log.
 */
export function controllerRows(controller: QuorumController, clock: Clock): readonly ApiRow[] {
  const row = <Request, Response>(
    shape: ApiShape<Request, Response>,
    method: Method<Request, Response>,
  ): ApiRow =>
    staged<Request, Response>({
      ...shape,
      listeners: ['controller'],
      handle(call, request) {
        const context = { apiVersion: call.version, nowMs: clock.monotonicMs() };
        method(request, context, (outcome) => {
          if (outcome.ok) call.answer(outcome.response);
          else call.broken(outcome.error);
        });
        call.ordered();
      },
    });
  return [
    row(createTopicsApi, (request, context, done) => controller.createTopics(request, context, done)),
    row(deleteTopicsApi, (request, context, done) => controller.deleteTopics(request, context, done)),
    row(createPartitionsApi, (request, context, done) => controller.createPartitions(request, context, done)),
    row(alterConfigsShape, (request, context, done) => controller.alterConfigs(request, context, done)),
    row(incrementalAlterConfigsShape, (request, context, done) =>
      controller.incrementalAlterConfigs(request, context, done),
    ),
    row(updateFeaturesApi, (request, context, done) => controller.updateFeatures(request, context, done)),
    row(electLeadersApi, (request, context, done) => controller.electLeaders(request, context, done)),
    row(alterPartitionReassignmentsApi, (request, context, done) =>
      controller.alterPartitionReassignments(request, context, done),
    ),
    row(alterClientQuotasApi, (request, context, done) =>
      controller.alterClientQuotas(request, context, done),
    ),
    row(alterUserScramCredentialsApi, (request, context, done) =>
      controller.alterUserScramCredentials(request, context, done),
    ),
    row(unregisterBrokerApi, (request, context, done) => controller.unregisterBroker(request, context, done)),
    row(listPartitionReassignmentsApi, (request, context, done) =>
      controller.listPartitionReassignments(request, context, done),
    ),
    // Its answer carries times of day.
    row(describeQuorumApi, (request, context, done) =>
      controller.describeQuorum(request, { ...context, nowMs: clock.wallMs() }, (outcome) =>
        done(outcome.ok ? { ok: true, response: forVersion(outcome.response, context.apiVersion) } : outcome),
      ),
    ),
    row(brokerRegistrationApi, (request, context, done) =>
      controller.brokerRegistration(request, context, done),
    ),
    row(brokerHeartbeatApi, (request, context, done) => controller.brokerHeartbeat(request, context, done)),
    row(assignReplicasToDirsApi, (request, context, done) =>
      controller.assignReplicasToDirs(request, context, done),
    ),
    row(allocateProducerIdsApi, (request, context, done) =>
      controller.allocateProducerIds(request, context, done),
    ),
  ];
}

/** Before version 2 there is no room for directory ids and endpoints. */
function forVersion(response: DescribeQuorumResponse, version: number): DescribeQuorumResponse {
  if (version >= 2) return response;
  const plain = <Replica>(replicas: readonly Replica[]): Replica[] =>
    replicas.map((replica) => ({ ...replica, replicaDirectoryId: ZERO_UUID }));
  return {
    ...response,
    nodes: [],
    topics: response.topics.map((topic) => ({
      ...topic,
      partitions: topic.partitions.map((partition) => ({
        ...partition,
        currentVoters: plain(partition.currentVoters),
        observers: plain(partition.observers),
      })),
    })),
  };
}
