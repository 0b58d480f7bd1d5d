import type { Random } from '../base/ports.ts';
import { Errors, ProtocolError } from '../protocol/errors.ts';

export interface UsableBroker {
  readonly id: number;
  readonly rack: string | null;
  readonly fenced: boolean;
}

/** Brokers of one rack and one state, taken round robin: each epoch starts one further. */
class Ring {
  readonly #ids: number[] = [];
  #index = 0;
  #offset = 0;
  #epoch = 0;

  add(id: number): void {
    this.#ids.push(id);
  }

  start(random: Random): void {
    this.#ids.sort((a, b) => a - b);
    if (this.#ids.length > 0) this.#offset = random.below(this.#ids.length);
  }

  shuffle(random: Random): void {
    shuffle(this.#ids, random);
  }

  /** Undefined once all were given in this epoch. */
  next(epoch: number): number | undefined {
    if (this.#epoch !== epoch) {
      this.#epoch = epoch;
      this.#index = 0;
      this.#offset = (this.#offset + 1) % Math.max(1, this.#ids.length);
    }
    if (this.#index >= this.#ids.length) return undefined;
    return this.#ids[(this.#index++ + this.#offset) % this.#ids.length];
  }
}

interface Rack {
  readonly name: string;
  readonly unfenced: Ring;
  readonly fenced: Ring;
}

function refuse(message: string): never {
  throw new ProtocolError(Errors.INVALID_REPLICATION_FACTOR, message);
}

/**
 * Spreads replicas over racks and brokers in stripes, leaders on unfenced brokers. Throws
 * INVALID_REPLICATION_FACTOR.
 */
export function placeReplicas(
  brokers: readonly UsableBroker[],
  partitions: number,
  replicationFactor: number,
  random: Random,
): number[][] {
  const alive = brokers.filter((broker) => !broker.fenced).length;
  if (replicationFactor <= 0) {
    refuse(`${replicationFactor} replicas can't be placed: there must be at least one.`);
  }
  if (alive === 0)
    refuse('No broker can take a replica: all are fenced or have only cordoned log directories.');
  if (replicationFactor > brokers.length) {
    refuse(
      `${replicationFactor} replicas need as many brokers, and ${brokers.length} can take one ` +
        '(registered, with a log directory that is not cordoned).',
    );
  }
  const racks = racksOf(brokers, random);
  const placed: number[][] = [];
  let offset = random.below(racks.length);
  let epoch = 0;
  for (let partition = 0; partition < partitions; partition++) {
    if (epoch === alive && alive > 1) {
      shuffle(racks, random);
      for (const rack of racks) {
        rack.unfenced.shuffle(random);
        rack.fenced.shuffle(random);
      }
      epoch = 0;
    }
    offset %= racks.length;
    placed.push(placeOne(racks, offset, epoch, replicationFactor));
    epoch++;
    offset++;
  }
  return placed;
}

function placeOne(
  racks: readonly Rack[],
  offset: number,
  epoch: number,
  replicationFactor: number,
): number[] {
  let leaderRack = offset;
  let leader = racks[leaderRack]?.unfenced.next(epoch);
  while (leader === undefined) {
    leaderRack = (leaderRack + 1) % racks.length;
    leader = racks[leaderRack]?.unfenced.next(epoch);
  }
  const replicas = [leader];
  // The leader's rack has had its turn in the first round.
  let skip = leaderRack;
  for (let index = offset; replicas.length < replicationFactor; index = (index + 1) % racks.length) {
    if (index === skip) {
      skip = -1;
      continue;
    }
    const id = racks[index]?.unfenced.next(epoch) ?? racks[index]?.fenced.next(epoch);
    if (id !== undefined) replicas.push(id);
  }
  return replicas;
}

function racksOf(brokers: readonly UsableBroker[], random: Random): Rack[] {
  const racks = new Map<string, Rack>();
  for (const { id, rack, fenced } of brokers) {
    const name = rack ?? '';
    let entry = racks.get(name);
    if (entry === undefined) {
      entry = { name, unfenced: new Ring(), fenced: new Ring() };
      racks.set(name, entry);
    }
    (fenced ? entry.fenced : entry.unfenced).add(id);
  }
  const sorted = [...racks.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const { unfenced, fenced } of sorted) {
    fenced.start(random);
    unfenced.start(random);
  }
  return sorted;
}

function shuffle(list: unknown[], random: Random): void {
  for (let i = list.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [list[i], list[j]] = [list[j], list[i]];
  }
}
