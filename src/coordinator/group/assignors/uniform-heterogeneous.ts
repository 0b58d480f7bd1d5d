import { type Uuid, uuidToBytes } from '../../../base/uuid.ts';
import {
  type AssignorMember,
  assignNothing,
  type GroupAssignment,
  type PartitionCount,
  partitionsOf,
} from './assignor.ts';
import { PartitionOwners } from './partition-owners.ts';
import { SubscriberLoads } from './subscriber-loads.ts';

/**
 * How often all topics are gone through. Where subscriptions overlap each round about halves what is uneven; where those
 * of a topic agree one round does.
 */
const ROUNDS_MAX = 16;

const UUID_BYTES = 16;
const HALF_UUID = 8;

interface Topic {
  readonly topicId: Uuid;
  readonly partitionCount: number;
  /** Places of members, ascending. */
  readonly subscribers: number[];
}

/**
 * The uniform assignment where members subscribe to different topics: what is owned by nobody goes to whoever of its
 * subscribers has the fewest partitions, then topic after topic is evened out among its subscribers.
 */
export function assignHeterogeneous(
  members: readonly AssignorMember[],
  partitionCount: PartitionCount,
): GroupAssignment {
  const topics = inOrder(subscribedTopics(members, partitionCount));
  if (topics.length === 0) return assignNothing(members);
  return new HeterogeneousAssignment(members, topics).make();
}

class HeterogeneousAssignment {
  readonly #topics: readonly Topic[];
  readonly #owners: PartitionOwners;
  readonly #loads: Int32Array;
  readonly #subscribers: SubscriberLoads;

  constructor(members: readonly AssignorMember[], topics: readonly Topic[]) {
    this.#topics = topics;
    const counts = new Map(topics.map(({ topicId, partitionCount }) => [topicId, partitionCount]));
    this.#owners = new PartitionOwners(members, counts);
    this.#loads = new Int32Array(members.length);
    for (const { topicId } of topics) {
      for (const owner of this.#owners.of(topicId)) {
        if (owner !== PartitionOwners.NOBODY) this.#loads[owner] = this.#loads[owner]! + 1;
      }
    }
    this.#subscribers = new SubscriberLoads(this.#loads);
  }

  make(): GroupAssignment {
    for (const topic of this.#topics) this.#assignFree(topic);
    this.#balance(this.#topics.filter(({ subscribers }) => subscribers.length >= 2));
    return this.#owners.toAssignment();
  }

  #assignFree({ topicId, partitionCount, subscribers }: Topic): void {
    const owners = this.#owners.of(topicId);
    let isReset = false;
    for (let partition = 0; partition < partitionCount; partition++) {
      if (owners[partition] !== PartitionOwners.NOBODY) continue;
      if (!isReset) this.#subscribers.reset(subscribers);
      isReset = true;
      this.#move(topicId, partition, this.#subscribers.nextLeast());
    }
  }

  /** Goes through the topics until a whole round has moved nothing. */
  #balance(topics: readonly Topic[]): void {
    let lastMoved: Topic | undefined;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      for (const topic of topics) {
        if (topic === lastMoved) return;
        const hasMoved = this.#balanceTopic(topic);
        if (hasMoved || lastMoved === undefined) lastMoved = topic;
      }
    }
  }

  /** Moves partitions of one topic from its most to its least loaded subscribers; tells whether there were any. */
  #balanceTopic({ topicId, subscribers }: Topic): boolean {
    const loads = this.#subscribers;
    if (loads.spread(subscribers) <= 1) return false;
    loads.reset(subscribers);
    const owned = this.#partitionsByOwner(topicId);
    let hasMoved = false;
    for (;;) {
      const partition = this.#giveUp(owned);
      if (partition === undefined) return hasMoved;
      const member = loads.nextLeast();
      if (loads.isBalanced) return hasMoved;
      this.#move(topicId, partition, member);
      hasMoved = true;
    }
  }

  /** The last partition of the most loaded one that has any. */
  #giveUp(owned: ReadonlyMap<number, number[]>): number | undefined {
    for (;;) {
      const member = this.#subscribers.nextMost();
      if (member === undefined) return undefined;
      const partition = owned.get(member)?.pop();
      if (partition !== undefined) return partition;
      this.#subscribers.exclude();
    }
  }

  #partitionsByOwner(topicId: Uuid): Map<number, number[]> {
    const owned = new Map<number, number[]>();
    this.#owners.of(topicId).forEach((owner, partition) => {
      const partitions = owned.get(owner);
      if (partitions === undefined) owned.set(owner, [partition]);
      else partitions.push(partition);
    });
    return owned;
  }

  #move(topicId: Uuid, partition: number, member: number): void {
    const before = this.#owners.of(topicId)[partition]!;
    if (before !== PartitionOwners.NOBODY) this.#loads[before] = this.#loads[before]! - 1;
    this.#loads[member] = this.#loads[member]! + 1;
    this.#owners.set(topicId, partition, member);
  }
}

function subscribedTopics(members: readonly AssignorMember[], partitionCount: PartitionCount): Topic[] {
  const topics = new Map<Uuid, Topic>();
  members.forEach(({ topicIds }, member) => {
    for (const topicId of topicIds) {
      const topic = topics.get(topicId);
      if (topic !== undefined) topic.subscribers.push(member);
      else {
        const count = partitionsOf(topicId, partitionCount);
        topics.set(topicId, { topicId, partitionCount: count, subscribers: [member] });
      }
    }
  });
  return [...topics.values()];
}

/** Many partitions for each subscriber first, then few subscribers, then by id: what leaves the least uneven. */
function inOrder(topics: readonly Topic[]): readonly Topic[] {
  const keyed = topics.map((topic) => {
    const bytes = Buffer.alloc(UUID_BYTES);
    uuidToBytes(topic.topicId, bytes, 0);
    return { topic, bytes, share: topic.partitionCount / topic.subscribers.length };
  });
  keyed.sort(
    (a, b) =>
      b.share - a.share ||
      a.topic.subscribers.length - b.topic.subscribers.length ||
      compareAsJava(a.bytes, b.bytes),
  );
  return keyed.map(({ topic }) => topic);
}

/** Kafka compares the halves of a uuid as signed numbers. */
function compareAsJava(a: Buffer, b: Buffer): number {
  for (const at of [0, HALF_UUID]) {
    const [left, right] = [a.readBigInt64BE(at), b.readBigInt64BE(at)];
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}
