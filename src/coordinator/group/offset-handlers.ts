import { type Uuid, ZERO_UUID } from '../../base/uuid.ts';
import { type ErrorCode, Errors, ProtocolError } from '../../protocol/errors.ts';
import type { OffsetCommitRequest, OffsetCommitResponse } from '../../protocol/messages/offset-commit.ts';
import type { OffsetDeleteRequest, OffsetDeleteResponse } from '../../protocol/messages/offset-delete.ts';
import type { OffsetFetchRequest, OffsetFetchResponse } from '../../protocol/messages/offset-fetch.ts';
import type { CoordinatorResult } from '../runtime/result.ts';
import type { ShardContext } from '../runtime/shard.ts';
import type { ClassicGroup } from './classic-group.ts';
import type { GroupCoordinatorConfig } from './group-config.ts';
import type { GroupTopics } from './group-topics.ts';
import type { OffsetAndMetadata, OffsetStore } from './offsets.ts';
import { type GroupRecord, offsetCommitRecord, offsetTombstone } from './records.ts';

export type OffsetFetchGroup = OffsetFetchRequest['groups'][number];
export type OffsetFetchGroupResponse = OffsetFetchResponse['groups'][number];
type FetchedPartition = OffsetFetchGroupResponse['topics'][number]['partitions'][number];
type CommittedPartition = OffsetCommitRequest['topics'][number]['partitions'][number];

/** Throws where a member may not commit for the partition. */
export type CheckCommittedPartition = (topicId: Uuid, partition: number) => void;

/** A group, as far as its offsets go. */
interface SubscribedGroup {
  readonly groupId: string;
  isSubscribedTo(topic: string): boolean;
  /** The time from which an offset's retention counts; undefined where it does not expire now. */
  expiryBaseMs(offset: OffsetAndMetadata): number | undefined;
}

const NO_OFFSET = -1;
const NO_EPOCH = -1;
/** In a commit: keep the offset as long as the broker keeps all others. */
const DEFAULT_RETENTION_MS = -1n;
const NO_TIMESTAMP = -1n;

/** OffsetCommit, OffsetFetch and OffsetDelete, and the ends of offsets: expiry, and the deletion of their topics. */
export class OffsetHandlers {
  readonly #context: ShardContext<GroupRecord>;
  readonly #config: GroupCoordinatorConfig;
  readonly #topics: GroupTopics;
  readonly #store: OffsetStore;
  #nowMs = 0;
  #nowTimestamp = 0n;

  constructor(
    context: ShardContext<GroupRecord>,
    config: GroupCoordinatorConfig,
    topics: GroupTopics,
    store: OffsetStore,
  ) {
    this.#context = context;
    this.#config = config;
    this.#topics = topics;
    this.#store = store;
  }

  /** The group has been asked whether the request may commit; `check` throws where one partition speaks against it. */
  commit(
    request: OffsetCommitRequest,
    check?: CheckCommittedPartition,
  ): CoordinatorResult<OffsetCommitResponse, GroupRecord> {
    const now = this.#now();
    const { groupId, retentionTimeMs } = request;
    const expireTimestamp = retentionTimeMs === DEFAULT_RETENTION_MS ? NO_TIMESTAMP : now + retentionTimeMs;
    const records: GroupRecord[] = [];
    const topics = request.topics.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: partitions.map((partition) => {
        const { partitionIndex } = partition;
        if ((partition.committedMetadata?.length ?? 0) > this.#config.offsetMetadataMaxSize) {
          return { partitionIndex, errorCode: Errors.OFFSET_METADATA_TOO_LARGE };
        }
        check?.(topicId, partitionIndex);
        const value = committedValue(partition, topicId, now, expireTimestamp);
        records.push(offsetCommitRecord(groupId, name, partitionIndex, value));
        return { partitionIndex, errorCode: Errors.NONE };
      }),
    }));
    return { records, response: { throttleTimeMs: 0, topics } };
  }

  /** Offsets of the partitions asked for, or of all where the request names no topics. */
  fetch(request: OffsetFetchGroup, requireStable: boolean): OffsetFetchGroupResponse {
    const { groupId } = request;
    const topics =
      request.topics === null
        ? this.#fetchAll(groupId, requireStable)
        : request.topics.map(({ name, topicId, partitionIndexes }) => ({
            name,
            topicId,
            partitions: partitionIndexes.map((partition) =>
              this.#fetchOne(groupId, name, topicId, partition, requireStable),
            ),
          }));
    return { groupId, topics, errorCode: Errors.NONE };
  }

  delete(
    group: SubscribedGroup,
    request: OffsetDeleteRequest,
  ): CoordinatorResult<OffsetDeleteResponse, GroupRecord> {
    const { groupId } = group;
    const records: GroupRecord[] = [];
    const topics = request.topics.map(({ name, partitions }) => {
      const isWanted = group.isSubscribedTo(name);
      const errorCode = isWanted ? Errors.GROUP_SUBSCRIBED_TO_TOPIC : Errors.NONE;
      for (const { partitionIndex } of partitions) {
        if (isWanted || !this.#holds(groupId, name, partitionIndex)) continue;
        records.push(offsetTombstone(groupId, name, partitionIndex));
      }
      return {
        name,
        partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
      };
    });
    return { records, response: { errorCode: Errors.NONE, throttleTimeMs: 0, topics } };
  }

  /** Tombstones for all offsets of a group. */
  deleteAll(groupId: string): GroupRecord[] {
    return Array.from(this.#store.partitionsOf(groupId), ([topic, partition]) =>
      offsetTombstone(groupId, topic, partition),
    );
  }

  /** Adds tombstones for the offsets of a group that are over their time. True if none remains. */
  expire(group: SubscribedGroup, into: GroupRecord[]): boolean {
    const { groupId } = group;
    const nowMs = this.#context.clock.wallMs();
    let remains = this.#store.hasOpenTransactions(groupId);
    for (const [topic, partitions] of this.#store.committed.topicsOf(groupId) ?? []) {
      const isWanted = group.isSubscribedTo(topic);
      for (const [partition, offset] of partitions) {
        const isKept = isWanted || this.#store.isUnstable(groupId, topic, partition);
        if (isKept || !this.#isExpired(group, offset, nowMs)) remains = true;
        else into.push(offsetTombstone(groupId, topic, partition));
      }
    }
    return !remains;
  }

  /**
   * Tombstones for offsets in topics that are gone, and in those that had the name before and whose tombstones were
   * lost. Those of a topic that is there under the name again stay.
   */
  topicsDeleted(deleted: ReadonlySet<string>): GroupRecord[] {
    const records = new Map<string, GroupRecord>();
    for (const [group, topic, partition, { topicId }] of this.#store.all()) {
      if (!deleted.has(topic) || (topicId !== ZERO_UUID && topicId === this.#topics.idOf(topic))) continue;
      records.set(JSON.stringify([group, topic, partition]), offsetTombstone(group, topic, partition));
    }
    return [...records.values()];
  }

  /** The wall clock's time. Many commits share a millisecond, and making a bigint takes as long as asking for the time. */
  #now(): bigint {
    const nowMs = this.#context.clock.wallMs();
    if (nowMs !== this.#nowMs) {
      this.#nowMs = nowMs;
      this.#nowTimestamp = BigInt(nowMs);
    }
    return this.#nowTimestamp;
  }

  #holds(group: string, topic: string, partition: number): boolean {
    return (
      this.#store.committed.get(group, topic, partition) !== undefined ||
      this.#store.isUnstable(group, topic, partition)
    );
  }

  #isExpired(group: SubscribedGroup, offset: OffsetAndMetadata, nowMs: number): boolean {
    const baseMs = group.expiryBaseMs(offset);
    if (baseMs === undefined) return false;
    if (offset.expireTimestampMs !== -1) return nowMs >= offset.expireTimestampMs;
    return nowMs - baseMs >= this.#config.offsetsRetentionMs;
  }

  #fetchAll(group: string, requireStable: boolean): OffsetFetchGroupResponse['topics'] {
    const topics = this.#store.committed.topicsOf(group) ?? new Map<string, ReadonlyMap<number, never>>();
    return Array.from(topics, ([name, partitions]) => ({
      name,
      topicId: ZERO_UUID,
      partitions: Array.from(partitions.keys(), (partition) =>
        this.#fetchOne(group, name, ZERO_UUID, partition, requireStable),
      ),
    }));
  }

  #fetchOne(
    group: string,
    topic: string,
    topicId: Uuid,
    partition: number,
    requireStable: boolean,
  ): FetchedPartition {
    if (requireStable && this.#store.isUnstable(group, topic, partition)) {
      return fetchedNothing(partition, Errors.UNSTABLE_OFFSET_COMMIT);
    }
    const found = this.#store.committed.get(group, topic, partition);
    // What was committed for an earlier topic of this name means nothing for this one.
    const isOther =
      found !== undefined &&
      found.topicId !== ZERO_UUID &&
      topicId !== ZERO_UUID &&
      found.topicId !== topicId;
    if (found === undefined || isOther) return fetchedNothing(partition, Errors.NONE);
    return {
      partitionIndex: partition,
      committedOffset: found.offset,
      committedLeaderEpoch: found.leaderEpoch,
      metadata: found.metadata,
      errorCode: Errors.NONE,
    };
  }
}

function fetchedNothing(partitionIndex: number, errorCode: ErrorCode): FetchedPartition {
  return {
    partitionIndex,
    committedOffset: NO_OFFSET,
    committedLeaderEpoch: NO_EPOCH,
    metadata: '',
    errorCode,
  };
}

function committedValue(partition: CommittedPartition, topicId: Uuid, now: bigint, expireTimestamp: bigint) {
  const { committedOffset, committedLeaderEpoch, committedMetadata, commitTimestamp } = partition;
  return {
    offset: committedOffset,
    leaderEpoch: committedLeaderEpoch,
    metadata: committedMetadata ?? '',
    // Clients of v1 may name the time themselves.
    commitTimestamp: commitTimestamp === NO_TIMESTAMP ? now : commitTimestamp,
    expireTimestamp,
    topicId,
  };
}

/** Throws where a classic group does not take this commit now. */
export function checkCommit(group: ClassicGroup, request: OffsetCommitRequest): void {
  const { memberId, groupInstanceId, generationIdOrMemberEpoch: generationId } = request;
  // Admin clients, and consumers that assign partitions themselves.
  if (generationId < 0 && group.state === 'Empty') return;
  if (generationId < 0 && memberId === '' && groupInstanceId === null) {
    throw new ProtocolError(Errors.UNKNOWN_MEMBER_ID);
  }
  group.validMember(memberId, groupInstanceId);
  if (generationId !== group.generationId) throw new ProtocolError(Errors.ILLEGAL_GENERATION);
  if (group.state === 'CompletingRebalance') throw new ProtocolError(Errors.REBALANCE_IN_PROGRESS);
}
