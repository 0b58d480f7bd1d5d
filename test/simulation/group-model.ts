import { type Uuid, ZERO_UUID } from '../../src/base/uuid.ts';
import { Errors } from '../../src/protocol/errors.ts';
import { type MemberWorld, type Part, partKey, type SimulatedClient } from './group-member.ts';

export type Outcome = 'committed' | 'refused' | 'unknown';

/** What a partition of a topic has for a group without any. */
const NOTHING = -1;

/** A commit, or a removal; the number is that of no other. */
interface Change {
  readonly number: number;
  readonly offset: number;
  readonly sentAtMs: number;
}

interface OffsetModel {
  /** The last change that was acknowledged. */
  acknowledged: Change;
  /** Changes sent after it and not answered, or answered without saying what became of them, by number. */
  readonly possible: Map<number, Change>;
}

export interface ModelOptions {
  readonly nowMs: () => number;
  /** How long offsets are kept that nobody needs. */
  readonly retentionMs: number;
}

/** What must hold of groups, whatever happens to their members, their topics and their brokers. */
export class GroupModel {
  readonly #options: ModelOptions;
  /** By group, topic and partition. */
  readonly #offsets = new Map<string, OffsetModel>();
  readonly #owners = new Map<number, Map<string, string>>();
  readonly #suspicions: string[] = [];
  #next = 0;
  /** Who was given a partition last. */
  readonly #holders = new Map<string, string>();
  /** When nobody in the group was known to want a topic, last. */
  readonly #unwantedAtMs = new Map<string, number>();
  reads = 0;
  commits = 0;
  expired = 0;
  fault: string | undefined;

  constructor(options: ModelOptions) {
    this.#options = options;
  }

  wrong(what: string): void {
    this.fault ??= what;
  }

  /** Somebody was given partitions in a generation: never two the same one. */
  owns(generation: number, owner: string, parts: readonly Part[], clients: readonly SimulatedClient[]): void {
    let owners = this.#owners.get(generation);
    if (owners === undefined) {
      owners = new Map();
      this.#owners.set(generation, owners);
    }
    const others = clients.filter((one) => one.isAlive && one.owner !== owner);
    for (const part of parts) {
      const key = partKey(part);
      this.#holders.set(key, owner);
      const shown = `partition ${part.partition} of ${part.topic}`;
      const other = others.find((one) => one.holds(key));
      if (other !== undefined) {
        this.wrong(`${owner} was given ${shown}, which ${other.owner} has not let go of`);
      }
      const before = owners.get(key);
      if (before !== undefined && before !== owner) {
        this.#suspicions.push(`${shown} belongs to ${before} and ${owner} in generation ${generation}`);
      }
      owners.set(key, owner);
    }
  }

  /** The group has no members, and may begin anew with the first generation. */
  becameEmpty(): void {
    this.#owners.clear();
    this.#suspicions.length = 0;
  }

  /**
   * What is wrong unless the group has begun anew, which is known with the next look at it. What is returned takes what was
   * found there; nothing where the group could not be looked at.
   */
  suspicions(): (hasBegunAnew: boolean | undefined) => void {
    const now = this.#suspicions.splice(0);
    return (hasBegunAnew) => {
      if (hasBegunAnew === undefined) this.#suspicions.unshift(...now);
      else if (!hasBegunAnew && now.length > 0) this.wrong(now[0]!);
    };
  }

  /** Time passes: offsets of what nobody wants may go once they are old enough. */
  unwanted(group: string, topics: Iterable<string>): void {
    for (const topic of topics) this.#unwantedAtMs.set(`${group} ${topic}`, this.#options.nowMs());
  }

  /** A commit on its way: a number that no other has. `owner` is who must have the partition for it to count. */
  attempt(
    group: string,
    part: Part,
    owner: string | undefined,
  ): { offset: number; settled: (outcome: Outcome) => void } {
    const holder = this.#holders.get(partKey(part));
    const isStale = owner !== undefined && holder !== undefined && holder !== owner;
    const change = this.#change(this.#offsetOf(group, part.topic, part.partition), 'itself');
    const settled = (outcome: Outcome): void => {
      change.settled(outcome);
      if (outcome !== 'committed') return;
      this.commits += 1;
      if (isStale)
        this.wrong(`a commit of ${owner} counted for partition ${part.partition} of ${part.topic}`);
    };
    return { offset: change.number, settled };
  }

  /** Offsets of a group are to be forgotten: those of one topic, or all. */
  removal(group: string, topic?: string): (outcome: Outcome) => void {
    const prefix = topic === undefined ? `${group} ` : `${group} ${topic} `;
    const changes = [...this.#offsets]
      .filter(([key]) => key.startsWith(prefix))
      .map(([, model]) => this.#change(model, NOTHING));
    return (outcome) => {
      for (const change of changes) change.settled(outcome);
    };
  }

  #change(model: OffsetModel, to: 'itself' | typeof NOTHING) {
    const number = this.#next++;
    const offset = to === 'itself' ? number : to;
    const change = { number, offset, sentAtMs: this.#options.nowMs() };
    model.possible.set(number, change);
    const settled = (outcome: Outcome): void => {
      if (outcome === 'refused') model.possible.delete(number);
      if (outcome === 'committed') this.#acknowledge(model, change);
    };
    return { number, settled };
  }

  /** What was sent before it is behind it in the log, if it is there at all. */
  #acknowledge(model: OffsetModel, change: Change): void {
    for (const number of model.possible.keys()) if (number <= change.number) model.possible.delete(number);
    if (change.number > model.acknowledged.number) model.acknowledged = change;
  }

  /** What is read was committed last, or may have been. */
  read(world: MemberWorld, group: string, topic: string, partition: number): void {
    const topics = [{ name: topic, topicId: ZERO_UUID, partitionIndexes: [partition] }];
    const request = { groupId: group, memberId: null, memberEpoch: -1, topics };
    world.coordinator().fetchOffsets(request, true, (response) => {
      if (response.errorCode !== Errors.NONE) return;
      this.reads += 1;
      const { committedOffset } = response.topics[0]!.partitions[0]!;
      this.#check(group, topic, partition, committedOffset);
    });
  }

  /** Everything that was ever committed. */
  readAll(world: MemberWorld): void {
    for (const key of this.#offsets.keys()) {
      const [group, topic, partition] = key.split(' ');
      this.read(world, group!, topic!, Number(partition));
    }
  }

  #check(group: string, topic: string, partition: number, offset: number): void {
    const model = this.#offsetOf(group, topic, partition);
    const { acknowledged, possible } = model;
    if (offset === acknowledged.offset) return;
    const found = [...possible.values()].find((change) => change.offset === offset);
    if (found !== undefined) {
      // Only what is committed can be read, and that stays so.
      this.#acknowledge(model, found);
    } else if (offset === NOTHING && this.#mayExpire(group, topic, acknowledged.sentAtMs)) {
      this.expired += 1;
      model.acknowledged = { ...acknowledged, offset };
    } else {
      const among = [acknowledged, ...possible.values()].map((change) => change.offset).join(', ');
      this.wrong(`partition ${partition} of ${topic} has offset ${offset} in ${group}, none of ${among}`);
    }
  }

  #mayExpire(group: string, topic: string, sentAtMs: number): boolean {
    const unwantedAtMs = this.#unwantedAtMs.get(`${group} ${topic}`) ?? Number.NEGATIVE_INFINITY;
    return unwantedAtMs >= sentAtMs + this.#options.retentionMs;
  }

  #offsetOf(group: string, topic: string, partition: number): OffsetModel {
    const key = `${group} ${topic} ${partition}`;
    let model = this.#offsets.get(key);
    if (model === undefined) {
      const acknowledged = { number: -1, offset: NOTHING, sentAtMs: Number.POSITIVE_INFINITY };
      model = { acknowledged, possible: new Map() };
      this.#offsets.set(key, model);
    }
    return model;
  }
}

/** The partitions of some topics, of which ids are known. */
export function partsOf(
  topics: readonly {
    readonly topic: string;
    readonly topicId: Uuid;
    readonly partitions: readonly number[];
  }[],
): Part[] {
  return topics.flatMap(({ topic, topicId, partitions }) =>
    partitions.map((partition) => ({ topic, topicId, partition })),
  );
}
