import { added } from '../../base/lists.ts';
import { type Uuid, ZERO_UUID } from '../../base/uuid.ts';
import { checkProducedRecords } from '../../log/index.ts';
import { prepareCodec } from '../../protocol/compression/index.ts';
import { type ErrorCode, Errors, errorName, ProtocolError } from '../../protocol/errors.ts';
import { ProduceRequest, ProduceResponse } from '../../protocol/messages/produce.ts';
import { BATCH_OVERHEAD, compressionOf } from '../../protocol/record-batch/header.ts';
import {
  failedProduce,
  type ProduceDone,
  type ProduceEntry,
  type ProduceResult,
} from '../../replication/delayed-produce.ts';
import { type ApiRow, staged } from '../api-row.ts';
import type { Call } from '../call.ts';
import type { HandlerServices } from '../services.ts';
import { type LeaderEndpoint, LeaderHints, NO_LEADER_HINT } from './current-leader.ts';
import { type Append, appendVerified, isTransactionalBatch } from './transactional-produce.ts';

type TopicAnswer = ProduceResponse['responses'][number];
type PartitionAnswer = TopicAnswer['partitionResponses'][number];

/** The admin client may write internal topics; nobody else. */
const ADMIN_CLIENT_ID = '__admin_client';
/** Topics are named by id from this version on (KIP-516). */
const TOPIC_ID_VERSION_MIN = 13;
const LEADER_HINT_VERSION_MIN = 10;
const NO_ENDPOINTS: readonly LeaderEndpoint[] = [];
const NO_PARTS: readonly Part[] = [];
const NO_ENTRIES: readonly ProduceEntry[] = [];

/** A partition of the request: the result it already has, or where to find the one of its append. */
interface Part {
  readonly index: number;
  readonly refused: ProduceResult | undefined;
  readonly entry: number;
}

interface TopicParts {
  readonly name: string;
  readonly topicId: Uuid;
  readonly parts: readonly Part[];
}

/**
 * Produce v0-13. acks 0 is never answered and closes the connection where something failed, 1 is answered when the
 * bytes are in the leader's log, -1 when all in-sync replicas have them. The next request of the connection starts
 * when the appends have their offsets. v13 names topics by id; v10 and up name the new leader (KIP-951).
 */
export function produceRow(services: HandlerServices): ApiRow {
  return staged<ProduceRequest, ProduceResponse>({
    request: ProduceRequest,
    response: ProduceResponse,
    appends: true,
    handle(call, request) {
      const preparing = prepareCodecs(services, request);
      if (preparing === undefined) produce(services, call, request);
      else {
        preparing.then(
          () => produce(services, call, request),
          (error: unknown) => call.broken(error),
        );
      }
    },
    failure: (request, code, message) =>
      request.acks === 0 ? undefined : wholeFailure(request, code, message),
  });
}

/**
 * A codec that has to be loaded is loaded before the log looks at the batches: their own, and the one that the topic
 * wants. The connection waits.
 */
function prepareCodecs(services: HandlerServices, request: ProduceRequest): Promise<unknown> | undefined {
  const waits: Promise<unknown>[] = [];
  for (const { name, topicId, partitionData } of request.topicData) {
    const topic = topicId === ZERO_UUID ? name : services.metadata.topicById(topicId)?.name;
    for (const { index, records } of partitionData) {
      if (records === null) continue;
      const wanted = topic === undefined ? undefined : services.replicas.partition(topic, index)?.log.config;
      const given = records.length < BATCH_OVERHEAD ? 'none' : compressionOf(records, 0);
      const codec = wanted?.compressionType === 'zstd' ? 'zstd' : given;
      if (codec === undefined || codec === 'none') continue;
      const wait = prepareCodec(codec);
      if (wait !== undefined) waits.push(wait);
    }
  }
  return waits.length === 0 ? undefined : Promise.all(waits);
}

function produce(services: HandlerServices, call: Call<ProduceResponse>, request: ProduceRequest): void {
  const { acks } = request;
  if (acks !== 0 && acks !== 1 && acks !== -1) {
    call.answer(wholeFailure(request, Errors.INVALID_REQUIRED_ACKS, null));
    return;
  }
  if (request.transactionalId === null && hasTransactionalBatch(request)) {
    call.fail(Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    return;
  }
  const { topics, entries } = split(services, call, request);
  if (entries.length === 0) {
    answer(services, call, acks, topics, []);
    return;
  }
  const append: Append = (given, done) => {
    const internalAllowed = call.header.clientId === ADMIN_CLIENT_ID;
    services.replicas.append(given, acks, request.timeoutMs, 'client', internalAllowed, done);
    call.ordered();
  };
  const done: ProduceDone = (results) => answer(services, call, acks, topics, results);
  const { transactionalId } = request;
  if (transactionalId === null || !hasTransactionalBatch(request)) {
    append(entries, done);
    return;
  }
  const code = appendVerified(
    services.transactionVerifier,
    call.version,
    transactionalId,
    entries,
    append,
    done,
  );
  if (code !== Errors.NONE) call.fail(code);
}

function hasTransactionalBatch(request: ProduceRequest): boolean {
  for (const { partitionData } of request.topicData) {
    for (const { records } of partitionData) {
      if (records !== null && isTransactionalBatch(records)) return true;
    }
  }
  return false;
}

/** Sorts the partitions into those to append and those that are refused before a log is asked. */
function split(
  services: HandlerServices,
  call: Call<ProduceResponse>,
  request: ProduceRequest,
): { topics: readonly TopicParts[]; entries: readonly ProduceEntry[] } {
  let entries: ProduceEntry[] | undefined;
  const byId = call.version >= TOPIC_ID_VERSION_MIN;
  // Of known length: arrays that grow take room for more than most requests name.
  const topics = new Array<TopicParts>(request.topicData.length);
  for (let at = 0; at < topics.length; at++) {
    const { name: givenName, topicId, partitionData } = request.topicData[at]!;
    const name = byId ? services.metadata.topicById(topicId)?.name : givenName;
    let parts: Part[] | undefined;
    for (const { index, records } of partitionData) {
      const code =
        name === undefined ? Errors.UNKNOWN_TOPIC_ID : refusal(services, call, name, index, records);
      if (code !== Errors.NONE) parts = added(parts, { index, refused: failedProduce(code), entry: -1 });
      else {
        // A partition that is named twice is answered once, for what came last.
        const earlier = parts === undefined ? undefined : partOf(parts, index);
        const entry = {
          topic: name!,
          topicId: byId ? topicId : ZERO_UUID,
          partition: index,
          records: asBuffer(records!),
          transaction: undefined,
        };
        if (earlier === undefined) {
          parts = added(parts, { index, refused: undefined, entry: entries?.length ?? 0 });
          entries = added(entries, entry);
        } else entries![earlier.entry] = entry;
      }
    }
    topics[at] = { name: givenName, topicId, parts: parts ?? NO_PARTS };
  }
  return { topics, entries: entries ?? NO_ENTRIES };
}

function partOf(parts: readonly Part[], index: number): Part | undefined {
  for (const part of parts) if (part.index === index) return part;
  return undefined;
}

function refusal(
  services: HandlerServices,
  call: Call<ProduceResponse>,
  topic: string,
  partition: number,
  records: Uint8Array | null,
): ErrorCode {
  if (!services.metadata.contains(topic, partition)) return Errors.UNKNOWN_TOPIC_OR_PARTITION;
  if (records === null) return Errors.INVALID_RECORD;
  try {
    checkProducedRecords(records, call.version);
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return Errors.NONE;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function answer(
  services: HandlerServices,
  call: Call<ProduceResponse>,
  acks: number,
  topics: readonly TopicParts[],
  results: readonly ProduceResult[],
): void {
  const failed = firstFailure(topics, results);
  if (acks === 0) {
    if (failed === undefined) call.answerNothing();
    else call.closeConnection(`a Produce with acks=0 failed with ${errorName(failed.errorCode)}`);
    return;
  }
  const hints =
    failed !== undefined && call.version >= LEADER_HINT_VERSION_MIN
      ? new LeaderHints(services, call.peer.listenerName)
      : undefined;
  const responses = topics.map(({ name, topicId, parts }) => ({
    name,
    topicId,
    partitionResponses: parts.map((part) => {
      const result = part.refused ?? results[part.entry]!;
      const moved = hints !== undefined && result.errorCode === Errors.NOT_LEADER_OR_FOLLOWER;
      return partitionAnswer(
        part.index,
        result,
        moved ? hints.of(topicId, name, part.index) : NO_LEADER_HINT,
      );
    }),
  }));
  call.answer({
    responses,
    throttleTimeMs: 0,
    nodeEndpoints: hints === undefined ? NO_ENDPOINTS : hints.endpoints,
  });
}

function firstFailure(
  topics: readonly TopicParts[],
  results: readonly ProduceResult[],
): ProduceResult | undefined {
  for (const result of results) if (result.errorCode !== Errors.NONE) return result;
  for (const { parts } of topics) for (const { refused } of parts) if (refused !== undefined) return refused;
  return undefined;
}

function partitionAnswer(
  index: number,
  result: ProduceResult,
  currentLeader: PartitionAnswer['currentLeader'],
): PartitionAnswer {
  return {
    index,
    errorCode: result.errorCode,
    baseOffset: result.baseOffset,
    logAppendTimeMs: result.logAppendTimeMs,
    logStartOffset: result.logStartOffset,
    recordErrors: result.recordErrors.map(({ batchIndex, message }) => ({
      batchIndex,
      batchIndexErrorMessage: message,
    })),
    errorMessage: result.errorMessage,
    currentLeader,
  };
}

/** The same error for every partition. */
function wholeFailure(request: ProduceRequest, code: ErrorCode, message: string | null): ProduceResponse {
  const result = failedProduce(code, message);
  return {
    responses: request.topicData.map(({ name, topicId, partitionData }) => ({
      name,
      topicId,
      partitionResponses: partitionData.map(({ index }) => partitionAnswer(index, result, NO_LEADER_HINT)),
    })),
    throttleTimeMs: 0,
    nodeEndpoints: NO_ENDPOINTS,
  };
}
