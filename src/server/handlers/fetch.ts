import { type Uuid, ZERO_UUID } from '../../base/uuid.ts';
import { type ErrorCode, Errors } from '../../protocol/errors.ts';
import { FetchRequest, FetchResponse } from '../../protocol/messages/fetch.ts';
import { failedFetch } from '../../replication/fetch-reader.ts';
import type { FetchAnswer, FetchContext, FetchPartition } from '../../replication/fetch-session.ts';
import type { FetchedPartition, FetchIsolation, FetchParams } from '../../replication/fetch-types.ts';
import { type ApiRow, staged } from '../api-row.ts';
import type { Call } from '../call.ts';
import type { HandlerServices } from '../services.ts';
import { type LeaderEndpoint, LeaderHints, NO_LEADER_HINT } from './current-leader.ts';
import { convertFetched, oldFormatOf } from './fetch-conversion.ts';

type TopicAnswer = FetchResponse['responses'][number];
type PartitionAnswer = TopicAnswer['partitions'][number];

const TOPIC_ID_VERSION_MIN = 13;
const LEADER_HINT_VERSION_MIN = 16;
/** From here on the first message is sent even if it is larger than the limits (KIP-74). */
const MIN_ONE_MESSAGE_VERSION_MIN = 3;
/** Clients before this version do not know zstd (KIP-110). */
const ZSTD_VERSION_MIN = 10;
/** From here on consumers may be served by followers (KIP-392), and name their rack. */
const FOLLOWER_VERSION_MIN = 11;
/** Clients before this version do not know KAFKA_STORAGE_ERROR. */
const STORAGE_ERROR_VERSION_MIN = 6;
const READ_COMMITTED = 1;
const REPLICA_STATE_VERSION_MIN = 15;
const NO_ENDPOINTS: readonly LeaderEndpoint[] = [];
const NO_DIVERGENCE = { epoch: -1, endOffset: -1 };
const NO_SNAPSHOT = { endOffset: -1, epoch: -1 };

/** One partition of the answer, with what the session needs to decide whether it is sent. */
interface Answer extends FetchAnswer {
  readonly fetched: FetchedPartition;
}

/**
 * Fetch v0-18: long poll with minimum and maximum sizes (KIP-74), incremental sessions (KIP-227), topics by id from
 * v13 on (KIP-516). Versions below 4 are given message sets of format 0 or 1. Requests behind it on the connection start while it waits, except another Fetch: one connection
 * holds at most one read at a time.
 */
export function fetchRow(services: HandlerServices): ApiRow {
  return staged<FetchRequest, FetchResponse>({
    request: FetchRequest,
    response: FetchResponse,
    concurrency: 1,
    handle: (call, request) => fetch(services, call, request),
    failure: (_request, code) => emptyResponse(code, 0),
  });
}

function fetch(services: HandlerServices, call: Call<FetchResponse>, request: FetchRequest): void {
  const replicaId =
    call.version >= REPLICA_STATE_VERSION_MIN ? request.replicaState.replicaId : request.replicaId;
  const context = services.fetchSessions.resolve(
    {
      version: call.version,
      sessionId: request.sessionId,
      sessionEpoch: request.sessionEpoch,
      isFollower: replicaId >= 0,
      partitions: partitionsOf(services, call, request),
      forgotten: forgottenOf(services, call, request),
    },
    services.ports.clock.monotonicMs(),
  );
  call.releaseFrame();
  call.ordered();
  if (context.errorCode !== Errors.NONE) {
    call.answer(emptyResponse(context.errorCode, 0));
    return;
  }
  const targets: FetchPartition[] = [];
  const order: (FetchedPartition | undefined)[] = [];
  for (const partition of context.partitions()) {
    const code = refusal(services, call, partition);
    order.push(code === Errors.NONE ? undefined : failedFetch(partition, code));
    if (code === Errors.NONE) targets.push(partition);
  }
  if (targets.length === 0) {
    answer(services, call, context, order as readonly FetchedPartition[], undefined);
    return;
  }
  // Apache Kafka waits although some partitions are refused; the client learns of them when the rest is ready.
  const parked = services.replicas.fetch(
    paramsOf(services, call, request, replicaId),
    targets,
    (fetched, release) => answerFetched(services, call, context, merge(order, fetched), release),
  );
  if (parked !== undefined) call.onGone = () => parked.cancel();
}

function partitionsOf(
  services: HandlerServices,
  call: Call<FetchResponse>,
  request: FetchRequest,
): readonly FetchPartition[] {
  const byId = call.version >= TOPIC_ID_VERSION_MIN;
  const found: FetchPartition[] = [];
  for (const { topic, topicId, partitions } of request.topics) {
    const name = byId ? (services.metadata.topicById(topicId)?.name ?? '') : topic;
    for (const one of partitions) {
      found.push({
        topic: name,
        topicId: byId ? topicId : ZERO_UUID,
        partition: one.partition,
        fetchOffset: one.fetchOffset,
        maxBytes: one.partitionMaxBytes,
        currentLeaderEpoch: one.currentLeaderEpoch,
        lastFetchedEpoch: one.lastFetchedEpoch,
        logStartOffset: one.logStartOffset,
      });
    }
  }
  return found;
}

function forgottenOf(
  services: HandlerServices,
  call: Call<FetchResponse>,
  request: FetchRequest,
): readonly { topic: string; topicId: Uuid; partition: number }[] {
  const byId = call.version >= TOPIC_ID_VERSION_MIN;
  const found: { topic: string; topicId: Uuid; partition: number }[] = [];
  for (const { topic, topicId, partitions } of request.forgottenTopicsData) {
    const name = byId ? (services.metadata.topicById(topicId)?.name ?? '') : topic;
    for (const partition of partitions) {
      found.push({ topic: name, topicId: byId ? topicId : ZERO_UUID, partition });
    }
  }
  return found;
}

/** What keeps a partition from being read at all; resolves a name that was not known before. */
function refusal(services: HandlerServices, call: Call<FetchResponse>, at: FetchPartition): ErrorCode {
  if (call.version >= TOPIC_ID_VERSION_MIN && at.topic === '') {
    const name = services.metadata.topicById(at.topicId)?.name;
    if (name === undefined) return Errors.UNKNOWN_TOPIC_ID;
    at.topic = name;
  }
  return services.metadata.contains(at.topic, at.partition) ? Errors.NONE : Errors.UNKNOWN_TOPIC_OR_PARTITION;
}

function paramsOf(
  services: HandlerServices,
  call: Call<FetchResponse>,
  request: FetchRequest,
  replicaId: number,
): FetchParams {
  const maxBytes = Math.min(request.maxBytes, services.config.get('fetch.max.bytes'));
  let isolation: FetchIsolation =
    request.isolationLevel === READ_COMMITTED ? 'last_stable' : 'high_watermark';
  if (replicaId !== -1) isolation = 'log_end';
  return {
    replicaId,
    maxWaitMs: request.maxWaitMs,
    minBytes: Math.min(request.minBytes, maxBytes),
    maxBytes,
    minOneMessage: call.version >= MIN_ONE_MESSAGE_VERSION_MIN,
    isolation,
    leaderOnly: replicaId >= 0 || (replicaId === -1 && call.version < FOLLOWER_VERSION_MIN),
  };
}

/** What was read, then what was refused, as Apache Kafka orders it. */
function merge(
  order: readonly (FetchedPartition | undefined)[],
  fetched: readonly FetchedPartition[],
): readonly FetchedPartition[] {
  if (order.length === fetched.length) return fetched;
  const refused = order.filter((one) => one !== undefined);
  return [...fetched, ...refused];
}

/** Answers with what was read, in a form that the version knows. */
function answerFetched(
  services: HandlerServices,
  call: Call<FetchResponse>,
  context: FetchContext,
  read: readonly FetchedPartition[],
  release: () => void,
): void {
  const fetched = call.version < ZSTD_VERSION_MIN ? withoutZstdTopics(services, read) : read;
  const magic = oldFormatOf(call.version);
  if (magic === undefined) {
    answer(services, call, context, fetched, release);
    return;
  }
  convertFetched(
    fetched,
    magic,
    services.ports.turn,
    (converted) => {
      release();
      answer(services, call, context, converted, undefined);
    },
    (error) => {
      release();
      call.broken(error);
    },
  );
}

/** A topic whose batches are all to be zstd is not read at all by those who don't know it. */
function withoutZstdTopics(
  services: HandlerServices,
  fetched: readonly FetchedPartition[],
): readonly FetchedPartition[] {
  return fetched.map((one) => {
    const held = services.replicas.partition(one.target.topic, one.target.partition);
    if (held?.log.config.compressionType !== 'zstd') return one;
    return failedFetch(one.target, Errors.UNSUPPORTED_COMPRESSION_TYPE);
  });
}

function answer(
  services: HandlerServices,
  call: Call<FetchResponse>,
  context: FetchContext,
  fetched: readonly FetchedPartition[],
  release: (() => void) | undefined,
): void {
  const answers = fetched.map(
    (one): Answer => ({
      partition: one.target as FetchPartition,
      errorCode: one.errorCode,
      highWatermark: one.highWatermark,
      logStartOffset: one.logStartOffset,
      recordBytes: one.sizeInBytes,
      mustRespond: one.divergingEpoch !== undefined,
      fetched: one,
    }),
  );
  const result = context.finish(answers, services.ports.clock.monotonicMs());
  const hints =
    call.version >= LEADER_HINT_VERSION_MIN ? new LeaderHints(services, call.peer.listenerName) : undefined;
  const responses: { topic: string; topicId: Uuid; partitions: PartitionAnswer[] }[] = [];
  let last: (typeof responses)[number] | undefined;
  for (const { fetched: one } of result.answers) {
    const { topic, topicId } = one.target;
    if (last === undefined || last.topic !== topic || last.topicId !== topicId) {
      last = { topic, topicId, partitions: [] };
      responses.push(last);
    }
    last.partitions.push(partitionAnswer(call.version, one, hints));
  }
  call.answer(
    {
      throttleTimeMs: 0,
      errorCode: result.errorCode,
      sessionId: result.sessionId,
      responses,
      nodeEndpoints: hints === undefined ? NO_ENDPOINTS : hints.endpoints,
    },
    release,
  );
}

function partitionAnswer(
  version: number,
  one: FetchedPartition,
  hints: LeaderHints | undefined,
): PartitionAnswer {
  const { target } = one;
  const moved =
    one.errorCode === Errors.NOT_LEADER_OR_FOLLOWER || one.errorCode === Errors.FENCED_LEADER_EPOCH;
  const oldClient = version < STORAGE_ERROR_VERSION_MIN && one.errorCode === Errors.KAFKA_STORAGE_ERROR;
  return {
    partitionIndex: target.partition,
    errorCode: oldClient ? Errors.NOT_LEADER_OR_FOLLOWER : one.errorCode,
    highWatermark: one.highWatermark,
    lastStableOffset: one.lastStableOffset,
    logStartOffset: one.logStartOffset,
    divergingEpoch:
      one.divergingEpoch === undefined
        ? NO_DIVERGENCE
        : { epoch: one.divergingEpoch.leaderEpoch, endOffset: one.divergingEpoch.endOffset },
    currentLeader:
      moved && hints !== undefined
        ? hints.of(target.topicId, target.topic, target.partition)
        : NO_LEADER_HINT,
    snapshotId: NO_SNAPSHOT,
    abortedTransactions: one.abortedTransactions,
    preferredReadReplica: -1,
    records: one.records,
  };
}

function emptyResponse(errorCode: ErrorCode, sessionId: number): FetchResponse {
  return { throttleTimeMs: 0, errorCode, sessionId, responses: [], nodeEndpoints: NO_ENDPOINTS };
}
