import { partitionForGroup } from '../../coordinator/index.ts';
import { type ErrorCode, Errors, errorText, ProtocolError } from '../../protocol/errors.ts';
import { FindCoordinatorRequest, FindCoordinatorResponse } from '../../protocol/messages/find-coordinator.ts';
import { type ApiRow, serial } from '../api-row.ts';
import type { BrokerNodeAddress } from '../broker-metadata.ts';
import type { Call } from '../call.ts';
import type { HandlerServices } from '../services.ts';
import { CONSUMER_OFFSETS_TOPIC, TRANSACTION_STATE_TOPIC } from '../topic-creation.ts';

const GROUP = 0;
const TRANSACTION = 1;
const SHARE = 2;
/** Several keys at once from this version on (KIP-699). */
const BATCH_VERSION_MIN = 4;
const SHARE_VERSION_MIN = 6;

interface Outcome {
  readonly code: ErrorCode;
  readonly message: string | null;
  readonly node: BrokerNodeAddress | undefined;
}

/** The internal topic whose leaders are the coordinators of a type. */
const TOPIC_OF = new Map([
  [GROUP, CONSUMER_OFFSETS_TOPIC],
  [TRANSACTION, TRANSACTION_STATE_TOPIC],
]);

/**
 * FindCoordinator v0-6: the broker that leads the partition of `__consumer_offsets` to which a group belongs, or the
 * one of `__transaction_state` with a transactional id. The topic is created when it is first needed, and the answer
 * waits for that. Coordinators of share groups do not exist yet and are refused, so that clients fail at once instead
 * of looking for ever.
 */
export function findCoordinatorRow(services: HandlerServices): ApiRow {
  return serial<FindCoordinatorRequest, FindCoordinatorResponse>({
    request: FindCoordinatorRequest,
    response: FindCoordinatorResponse,
    handle(call, request) {
      const keys = keysOf(call.version, request);
      const topic = TOPIC_OF.get(request.keyType);
      if (topic === undefined) {
        const refused = refusal(call, request);
        return answer(call.version, keys, () => refused);
      }
      const finish = () => answer(call.version, keys, (key) => find(services, call, topic, key));
      if (services.metadata.topic(topic) !== undefined) return finish();
      return services.topicCreation.create([topic]).then(finish);
    },
    failure: (request, code, message, version) =>
      answer(version, keysOf(version, request), () => ({ code, message, node: undefined })),
  });
}

function keysOf(version: number, request: FindCoordinatorRequest): readonly string[] {
  return version >= BATCH_VERSION_MIN ? request.coordinatorKeys : [request.key];
}

function refusal(call: Call<FindCoordinatorResponse>, request: FindCoordinatorRequest): Outcome {
  if (request.keyType === SHARE && call.version >= SHARE_VERSION_MIN) {
    return { code: Errors.UNSUPPORTED_VERSION, message: 'share groups are not served yet', node: undefined };
  }
  if (request.keyType === SHARE) return { code: Errors.INVALID_REQUEST, message: null, node: undefined };
  throw new ProtocolError(Errors.INVALID_REQUEST, `there is no coordinator of type ${request.keyType}`);
}

function find(
  services: HandlerServices,
  call: Call<FindCoordinatorResponse>,
  name: string,
  key: string,
): Outcome {
  const topic = services.metadata.topic(name);
  if (topic === undefined) return { code: Errors.COORDINATOR_NOT_AVAILABLE, message: null, node: undefined };
  const partition = topic.partitions[partitionForGroup(key, topic.partitions.length)];
  const node =
    partition === undefined
      ? undefined
      : services.metadata.aliveBroker(partition.leader, call.peer.listenerName);
  return {
    code: node === undefined ? Errors.COORDINATOR_NOT_AVAILABLE : Errors.NONE,
    message: null,
    node,
  };
}

function answer(
  version: number,
  keys: readonly string[],
  outcomeOf: (key: string) => Outcome,
): FindCoordinatorResponse {
  const coordinators = keys.map((key) => {
    const { code, message, node } = outcomeOf(key);
    return {
      key,
      nodeId: node?.id ?? -1,
      host: node?.host ?? '',
      port: node?.port ?? -1,
      errorCode: code,
      errorMessage: message ?? (code === Errors.NONE ? '' : errorText(code)),
    };
  });
  if (version >= BATCH_VERSION_MIN) {
    const unused = { errorCode: Errors.NONE, errorMessage: '', nodeId: 0, host: '', port: 0 };
    return { throttleTimeMs: 0, ...unused, coordinators };
  }
  const { errorCode, errorMessage, nodeId, host, port } = coordinators[0]!;
  return {
    throttleTimeMs: 0,
    errorCode,
    errorMessage: errorCode === Errors.NONE ? 'NONE' : errorMessage,
    nodeId,
    host,
    port,
    coordinators: [],
  };
}
