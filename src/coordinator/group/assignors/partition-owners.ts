import type { Uuid } from '../../../base/uuid.ts';
import type { AssignorMember, GroupAssignment, TopicPartitions } from './assignor.ts';

/** Who owns each partition of the subscribed topics, members being told by their place in the list. */
export class PartitionOwners {
  static readonly NOBODY = -1;

  readonly #members: readonly AssignorMember[];
  readonly #owners = new Map<Uuid, Int32Array>();
  /** Members whose assignment is not what it was. */
  readonly #changed: Uint8Array;

  /** Everybody owns what they did, as far as they subscribe to it still; the first of two who claim a partition. */
  constructor(members: readonly AssignorMember[], partitionCounts: ReadonlyMap<Uuid, number>) {
    this.#members = members;
    this.#changed = new Uint8Array(members.length);
    for (const [topicId, count] of partitionCounts) {
      this.#owners.set(topicId, new Int32Array(count).fill(PartitionOwners.NOBODY));
    }
    members.forEach(({ topicIds, assignment }, member) => {
      for (const [topicId, partitions] of assignment) {
        const owners = topicIds.has(topicId) ? this.#owners.get(topicId) : undefined;
        if (owners === undefined) this.#changed[member] = 1;
        else this.#claim(owners, partitions, member);
      }
    });
  }

  #claim(owners: Int32Array, partitions: readonly number[], member: number): void {
    for (const partition of partitions) {
      if (owners[partition] === PartitionOwners.NOBODY) owners[partition] = member;
      else this.#changed[member] = 1;
    }
  }

  /** The owner of each partition of a topic; not to be changed. */
  of(topicId: Uuid): Int32Array {
    return this.#owners.get(topicId)!;
  }

  /** Gives a partition to a member, or to nobody. */
  set(topicId: Uuid, partition: number, member: number): void {
    const owners = this.of(topicId);
    const before = owners[partition]!;
    if (before !== PartitionOwners.NOBODY) this.#changed[before] = 1;
    if (member !== PartitionOwners.NOBODY) this.#changed[member] = 1;
    owners[partition] = member;
  }

  toAssignment(): GroupAssignment {
    const members = this.#members;
    const made = members.map((_, member) => this.#madeFor(member));
    for (const [topicId, owners] of this.#owners) {
      for (let partition = 0; partition < owners.length; partition++) {
        const assignment = made[owners[partition]!];
        if (assignment === undefined) continue;
        const partitions = assignment.get(topicId);
        if (partitions === undefined) assignment.set(topicId, [partition]);
        else partitions.push(partition);
      }
    }
    const result = new Map<string, TopicPartitions>();
    members.forEach(({ memberId, assignment }, member) => {
      result.set(memberId, made[member] ?? assignment);
    });
    return result;
  }

  #madeFor(member: number): Map<Uuid, number[]> | undefined {
    return this.#changed[member] === 1 ? new Map<Uuid, number[]>() : undefined;
  }
}
