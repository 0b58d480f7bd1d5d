import { ZERO_UUID } from '../../src/base/uuid.ts';
import { Errors } from '../../src/protocol/errors.ts';
import { type MemberWorld, type SimulatedClient, TOPIC } from './group-member.ts';

export type CommitOutcome = 'committed' | 'refused' | 'unknown';

interface PartitionModel {
  /** What the last acknowledged commit said; -1 before the first. */
  acknowledged: number;
  /** Sent after it and not answered, or answered without saying what became of it. */
  readonly possible: Set<number>;
}

/** What must hold of a group, whatever happens to its members and its brokers. */
export class GroupModel {
  readonly #partitions: PartitionModel[];
  readonly #owners = new Map<number, Map<number, string>>();
  #next = 0;
  /** Who was given a partition last. */
  readonly #holders = new Map<number, string>();
  reads = 0;
  commits = 0;
  fault: string | undefined;

  constructor(partitions: number) {
    this.#partitions = Array.from({ length: partitions }, () => ({ acknowledged: -1, possible: new Set() }));
  }

  wrong(what: string): void {
    this.fault ??= what;
  }

  /** Somebody was given partitions in a generation: never two the same one. */
  owns(
    generation: number,
    owner: string,
    partitions: readonly number[],
    clients: readonly SimulatedClient[],
  ): void {
    for (const partition of partitions) {
      this.#holders.set(partition, owner);
      const other = clients.find((one) => one.owner !== owner && one.holds(partition));
      if (other === undefined) continue;
      this.wrong(`${owner} was given partition ${partition}, which ${other.owner} has not let go of`);
    }
    let owners = this.#owners.get(generation);
    if (owners === undefined) {
      owners = new Map();
      this.#owners.set(generation, owners);
    }
    for (const partition of partitions) {
      const other = owners.get(partition);
      if (other !== undefined && other !== owner) {
        this.wrong(`partition ${partition} belongs to ${other} and ${owner} in generation ${generation}`);
      }
      owners.set(partition, owner);
    }
  }

  /** The group has no members, and may begin anew with the first generation. */
  becameEmpty(): void {
    this.#owners.clear();
  }

  /** A commit on its way: a number that no other has. */
  attempt(partition: number, owner: string): { offset: number; settled: (outcome: CommitOutcome) => void } {
    const model = this.#partitions[partition]!;
    const offset = this.#next++;
    const holder = this.#holders.get(partition);
    const isStale = holder !== undefined && holder !== owner;
    model.possible.add(offset);
    const settled = (outcome: CommitOutcome): void => {
      if (outcome === 'refused') model.possible.delete(offset);
      if (outcome !== 'committed') return;
      this.commits += 1;
      if (isStale) this.wrong(`a commit of ${owner} counted for partition ${partition} of ${holder}`);
      // What was sent before it is behind it in the log, if it is there at all.
      model.acknowledged = offset;
      for (const other of model.possible) if (other <= offset) model.possible.delete(other);
    };
    return { offset, settled };
  }

  /** What is read was committed last, or may have been. */
  read(world: MemberWorld, partition: number): void {
    const topics = [{ name: TOPIC, topicId: ZERO_UUID, partitionIndexes: [partition] }];
    const request = { groupId: world.groupId, memberId: null, memberEpoch: -1, topics };
    world.coordinator().fetchOffsets(request, true, (response) => {
      if (response.errorCode !== Errors.NONE) return;
      this.reads += 1;
      const { committedOffset } = response.topics[0]!.partitions[0]!;
      this.#check(partition, committedOffset);
    });
  }

  #check(partition: number, offset: number): void {
    const { acknowledged, possible } = this.#partitions[partition]!;
    if (offset === acknowledged || possible.has(offset)) return;
    const among = [acknowledged, ...possible].join(', ');
    this.wrong(`partition ${partition} has offset ${offset}, which is none of ${among}`);
  }
}
