import type { Uuid } from '../../../src/base/uuid.ts';
import type { Sparse } from '../../../src/protocol/codec.ts';
import {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../../../src/protocol/messages/consumer-group-heartbeat.ts';
import {
  FindCoordinatorRequest,
  FindCoordinatorResponse,
} from '../../../src/protocol/messages/find-coordinator.ts';
import { OffsetCommitRequest, OffsetCommitResponse } from '../../../src/protocol/messages/offset-commit.ts';
import type { Conversation } from '../../integration/conversation.ts';
import { until } from './run.ts';

type Beat = Sparse<ConsumerGroupHeartbeatRequest>;
type TopicPartitions = readonly { readonly topicId: Uuid; readonly partitions: readonly number[] }[];

/** COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR. */
const LOADING: readonly number[] = [14, 15, 16];

/** A member of a consumer group (KIP-848) that takes and gives up at once what it is told to. */
export class WireMember {
  epoch = 0;
  readonly #talk: Conversation;
  readonly #groupId: string;
  readonly #memberId: string;
  readonly #instanceId: string | null;
  #owned: TopicPartitions = [];

  constructor(talk: Conversation, groupId: string, memberId: string, instanceId: string | null = null) {
    this.#talk = talk;
    this.#groupId = groupId;
    this.#memberId = memberId;
    this.#instanceId = instanceId;
  }

  get ownedCount(): number {
    return this.#owned.reduce((sum, { partitions }) => sum + partitions.length, 0);
  }

  /** Joins once there is a coordinator. */
  async join(subscription: Beat): Promise<void> {
    await until('the coordinator', async () => {
      const { errorCode } = await this.#talk.quietly(FindCoordinatorRequest, FindCoordinatorResponse, 3, {
        key: this.#groupId,
      });
      return errorCode === 0 ? true : undefined;
    });
    const given = { memberEpoch: 0, rebalanceTimeoutMs: 600_000, topicPartitions: [], ...subscription };
    const answer = await until('the group to be loaded', async () => {
      const one = await this.#ask(given);
      return LOADING.includes(one.errorCode) ? undefined : one;
    });
    this.#learn(answer);
  }

  /** Says what it has, and takes what it is told. */
  settle(): Promise<void> {
    const topicPartitions = this.#owned.map(({ topicId, partitions }) => ({
      topicId,
      partitions: [...partitions],
    }));
    return this.#beat({ memberEpoch: this.epoch, topicPartitions });
  }

  leave(): Promise<void> {
    return this.#beat({ memberEpoch: -1 });
  }

  leaveForAMoment(): Promise<void> {
    return this.#beat({ memberEpoch: -2 });
  }

  /** Goes on as a member that knows its epoch and what it has. */
  resume(epoch: number, owned: TopicPartitions): void {
    this.epoch = epoch;
    this.#owned = owned;
  }

  get owned(): TopicPartitions {
    return this.#owned;
  }

  async commit(name: string, partitionIndex: number, committedOffset: number): Promise<void> {
    const answer = await this.#talk.quietly(OffsetCommitRequest, OffsetCommitResponse, 9, {
      groupId: this.#groupId,
      memberId: this.#memberId,
      generationIdOrMemberEpoch: this.epoch,
      topics: [{ name, partitions: [{ partitionIndex, committedOffset, committedMetadata: '' }] }],
    });
    const { errorCode } = answer.topics[0]!.partitions[0]!;
    if (errorCode !== 0) throw new Error(`commit: error ${errorCode}`);
  }

  async #beat(given: Beat): Promise<void> {
    this.#learn(await this.#ask(given));
  }

  #ask(given: Beat): Promise<ConsumerGroupHeartbeatResponse> {
    const self = { groupId: this.#groupId, memberId: this.#memberId, instanceId: this.#instanceId };
    const asked = { ...self, ...given };
    return this.#talk.quietly(ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, 1, asked);
  }

  #learn({ errorCode, memberEpoch, assignment }: ConsumerGroupHeartbeatResponse): void {
    if (errorCode !== 0) throw new Error(`heartbeat: error ${errorCode}`);
    this.epoch = memberEpoch;
    if (assignment !== null) this.#owned = assignment.topicPartitions;
  }
}
