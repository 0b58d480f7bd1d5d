import { ZERO_UUID } from '../../base/uuid.ts';
import type { OffsetFetchGroup, OffsetFetchGroupResponse } from '../../coordinator/index.ts';
import { type ErrorCode, Errors } from '../../protocol/errors.ts';
import { OffsetFetchRequest, OffsetFetchResponse } from '../../protocol/messages/offset-fetch.ts';
import { type ApiRow, staged } from '../api-row.ts';
import type { BrokerMetadata } from '../broker-metadata.ts';
import type { HandlerServices } from '../services.ts';

type Topic = NonNullable<OffsetFetchGroup['topics']>[number];
type TopicAnswer = OffsetFetchGroupResponse['topics'][number];

/** An error of the group has a place of its own from this version on. */
const GROUP_ERROR_VERSION_MIN = 2;
/** Several groups at once from this version on (KIP-709). */
const BATCH_VERSION_MIN = 8;
/** Topics are named by id from this version on. */
const TOPIC_ID_VERSION_MIN = 10;

const NO_OFFSET = -1;
const NO_EPOCH = -1;

/** OffsetFetch v0-10: the committed offsets of groups, of the topics asked for or of all. v0 does what v1 does. */
export function offsetFetchRow(services: HandlerServices): ApiRow {
  return staged<OffsetFetchRequest, OffsetFetchResponse>({
    request: OffsetFetchRequest,
    response: OffsetFetchResponse,
    handle(call, request) {
      const { version } = call;
      const groups = groupsOf(version, request);
      const answers: OffsetFetchGroupResponse[] = [];
      let missing = groups.length;
      if (missing === 0) call.answer(answer(version, answers));
      for (const [at, group] of groups.entries()) {
        fetchGroup(services, version, group, request.requireStable, (response) => {
          answers[at] = response;
          missing -= 1;
          if (missing === 0) call.answer(answer(version, answers));
        });
      }
    },
    failure: (request, code, _message, version) =>
      answer(
        version,
        groupsOf(version, request).map((group) => groupFailure(version, group, code)),
      ),
  });
}

function groupsOf(version: number, request: OffsetFetchRequest): readonly OffsetFetchGroup[] {
  if (version >= BATCH_VERSION_MIN) return request.groups;
  const topics = request.topics?.map((topic) => ({ ...topic, topicId: ZERO_UUID })) ?? null;
  return [{ groupId: request.groupId, memberId: null, memberEpoch: -1, topics }];
}

function fetchGroup(
  services: HandlerServices,
  version: number,
  group: OffsetFetchGroup,
  requireStable: boolean,
  done: (response: OffsetFetchGroupResponse) => void,
): void {
  const { metadata, groups } = services;
  const byId = version >= TOPIC_ID_VERSION_MIN;
  const named = byId ? (group.topics?.map((topic) => withName(metadata, topic)) ?? null) : group.topics;
  const unknown = byId ? (named ?? []).filter(({ name }) => name === '') : [];
  const asked = unknown.length === 0 ? named : named!.filter(({ name }) => name !== '');
  groups.fetchOffsets({ ...group, topics: asked }, requireStable, (response) => {
    if (response.errorCode !== Errors.NONE) {
      done(groupFailure(version, group, response.errorCode as ErrorCode));
      return;
    }
    const found = byId ? response.topics.flatMap((topic) => withId(metadata, topic)) : response.topics;
    const refused = unknown.map((topic) => topicFailure(topic, Errors.UNKNOWN_TOPIC_ID));
    done({ ...response, topics: refused.length === 0 ? found : [...found, ...refused] });
  });
}

function withName(metadata: BrokerMetadata, topic: Topic): Topic {
  return { ...topic, name: metadata.topicById(topic.topicId)?.name ?? '' };
}

/** Offsets of a topic that is not there any more have no id to be told by. */
function withId(metadata: BrokerMetadata, topic: TopicAnswer): TopicAnswer[] {
  if (topic.topicId !== ZERO_UUID) return [topic];
  const found = metadata.topic(topic.name);
  return found === undefined ? [] : [{ ...topic, topicId: found.id }];
}

function groupFailure(
  version: number,
  group: OffsetFetchGroup,
  errorCode: ErrorCode,
): OffsetFetchGroupResponse {
  const { groupId } = group;
  if (version >= GROUP_ERROR_VERSION_MIN) return { groupId, topics: [], errorCode };
  const topics = (group.topics ?? []).map((topic) => topicFailure(topic, errorCode));
  return { groupId, topics, errorCode };
}

function topicFailure({ name, topicId, partitionIndexes }: Topic, errorCode: ErrorCode): TopicAnswer {
  const partitions = partitionIndexes.map((partitionIndex) => ({
    partitionIndex,
    committedOffset: NO_OFFSET,
    committedLeaderEpoch: NO_EPOCH,
    metadata: '',
    errorCode,
  }));
  return { name, topicId, partitions };
}

function answer(version: number, groups: readonly OffsetFetchGroupResponse[]): OffsetFetchResponse {
  const plain = { throttleTimeMs: 0, topics: [], errorCode: Errors.NONE, groups: [] };
  if (version >= BATCH_VERSION_MIN) return { ...plain, groups };
  const { topics, errorCode } = groups[0]!;
  return { ...plain, topics, errorCode };
}
