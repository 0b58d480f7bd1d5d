import type { Uuid } from '../../../src/base/uuid.ts';
import { defaults, type Sparse } from '../../../src/protocol/codec.ts';
import {
  ConsumerGroupHeartbeatRequest,
  type ConsumerGroupHeartbeatResponse,
} from '../../../src/protocol/messages/consumer-group-heartbeat.ts';
import { GroupWorld, Pending } from './group-world.ts';

type Heartbeat = Sparse<ConsumerGroupHeartbeatRequest>;

/** Members of the consumer protocol in a coordinator on virtual time. */
export class ConsumerWorld extends GroupWorld {
  consumerHeartbeat(given: Heartbeat, apiVersion = 1): ConsumerGroupHeartbeatResponse {
    const [response] = this.consumerHeartbeats([given], apiVersion);
    return response!;
  }

  /** All of them come within one tick. */
  consumerHeartbeats(given: readonly Heartbeat[], apiVersion = 1): ConsumerGroupHeartbeatResponse[] {
    const pending = given.map((one) => {
      const answer = new Pending<ConsumerGroupHeartbeatResponse>();
      const request = defaults<ConsumerGroupHeartbeatRequest>(ConsumerGroupHeartbeatRequest, {
        groupId: 'g',
        ...one,
      });
      this.coordinator.consumerHeartbeat(this.context(apiVersion), request, answer.answer);
      return answer;
    });
    this.time.settle();
    return pending.map(({ value }) => value);
  }

  member(memberId: string, topics: readonly string[] = ['t'], more: Heartbeat = {}): ConsumerClient {
    return new ConsumerClient(this, memberId, { subscribedTopicNames: topics, ...more });
  }

  async describeConsumer(groupId = 'g') {
    const [group] = await this.coordinator.describeConsumerGroups([groupId]);
    return group!;
  }

  /** All members say what they have and take what they are given, until nothing changes. */
  converge(members: readonly ConsumerClient[]): void {
    for (let round = 0; round < 20; round++) {
      let hasChanged = false;
      for (const member of members) hasChanged = member.beat() || hasChanged;
      if (!hasChanged) return;
    }
    throw new Error('the group does not become stable');
  }
}

/** A consumer as clients do it: it gives back at once what it is told to, and says what it has. */
export class ConsumerClient {
  readonly memberId: string;
  epoch = 0;
  /** `topic id/partition` */
  owned = new Set<string>();
  errorCode = 0;
  readonly #world: ConsumerWorld;
  readonly #wants: Heartbeat;

  constructor(world: ConsumerWorld, memberId: string, wants: Heartbeat) {
    this.#world = world;
    this.memberId = memberId;
    this.#wants = { rebalanceTimeoutMs: 60_000, ...wants };
  }

  join(): ConsumerGroupHeartbeatResponse {
    this.owned = new Set();
    const { memberId } = this;
    return this.#take(
      this.#world.consumerHeartbeat({ memberId, memberEpoch: 0, topicPartitions: [], ...this.#wants }),
    );
  }

  /** True where the answer brought something new. */
  beat(more: Heartbeat = {}): boolean {
    const { epoch } = this;
    const before = [...this.owned].sort().join();
    const response = this.send(more);
    if (response.errorCode !== 0) return false;
    return this.epoch !== epoch || [...this.owned].sort().join() !== before;
  }

  send(more: Heartbeat = {}): ConsumerGroupHeartbeatResponse {
    const { memberId, epoch } = this;
    const topics = new Map<Uuid, number[]>();
    for (const one of this.owned) {
      const [topicId, partition] = one.split('/') as [Uuid, string];
      topics.set(topicId, [...(topics.get(topicId) ?? []), Number(partition)]);
    }
    const topicPartitions = Array.from(topics, ([topicId, partitions]) => ({ topicId, partitions }));
    const { instanceId = null } = this.#wants;
    return this.#take(
      this.#world.consumerHeartbeat({ memberId, memberEpoch: epoch, topicPartitions, instanceId, ...more }),
    );
  }

  leave(epoch = -1): ConsumerGroupHeartbeatResponse {
    const { memberId } = this;
    const { instanceId = null } = this.#wants;
    return this.#world.consumerHeartbeat({ memberId, memberEpoch: epoch, instanceId });
  }

  get partitions(): number[] {
    return Array.from(this.owned, (one) => Number(one.split('/')[1])).sort((a, b) => a - b);
  }

  #take(response: ConsumerGroupHeartbeatResponse): ConsumerGroupHeartbeatResponse {
    this.errorCode = response.errorCode;
    if (response.errorCode !== 0) return response;
    this.epoch = response.memberEpoch;
    if (response.assignment !== null) {
      this.owned = new Set(
        response.assignment.topicPartitions.flatMap(({ topicId, partitions }) =>
          partitions.map((partition) => `${topicId}/${partition}`),
        ),
      );
    }
    return response;
  }
}
