/**
 * The subscribers of one topic by how many partitions they have. Two ranges grow towards each other: the least loaded,
 * who are given partitions in turn, and the most loaded, who give them up in turn. A range takes in its neighbours once
 * all in it have come to their load.
 */
export class SubscriberLoads {
  readonly #loads: Int32Array;
  /** Subscribers, least loaded first as they were at `reset`; those that have nothing to give up are moved to the end. */
  #sorted: Int32Array = new Int32Array(0);
  #leastEnd = 0;
  #leastLoad = 0;
  #nextLeast = 0;
  #mostStart = 0;
  #mostEnd = 0;
  #mostLoad = 0;
  #nextMost = 0;

  /** `loads` has the partitions of every member of the group, and is kept up to date by its owner. */
  constructor(loads: Int32Array) {
    this.#loads = loads;
  }

  /** How many partitions the one with the most has more than the one with the fewest. */
  spread(subscribers: readonly number[]): number {
    let least = Number.POSITIVE_INFINITY;
    let most = 0;
    for (const member of subscribers) {
      const load = this.#loads[member]!;
      if (load < least) least = load;
      if (load > most) most = load;
    }
    return most - least;
  }

  /** Begins with the subscribers of another topic: at least one. */
  reset(subscribers: readonly number[]): void {
    // Load and place in one number: the sort of typed arrays without a comparison of ours is many times faster.
    const memberCount = this.#loads.length;
    const keys = Float64Array.from(
      subscribers,
      (member) => this.#loads[member]! * memberCount + member,
    ).sort();
    this.#sorted = Int32Array.from(keys, (key) => key % memberCount);
    const end = this.#sorted.length;
    this.#leastEnd = 0;
    this.#leastLoad = this.#loadAt(0) - 1;
    this.#nextLeast = 0;
    this.#mostStart = end;
    this.#mostEnd = end;
    this.#mostLoad = this.#loadAt(end - 1) + 1;
    this.#nextMost = end - 1;
  }

  /** Whom to give the next partition. The caller counts it in `loads` before it asks again. */
  nextLeast(): number {
    if (this.#nextLeast >= this.#leastEnd) {
      this.#leastLoad++;
      while (this.#leastEnd < this.#sorted.length && this.#loadAt(this.#leastEnd) === this.#leastLoad) {
        this.#leastEnd++;
      }
      this.#nextLeast = 0;
    }
    return this.#sorted[this.#nextLeast++]!;
  }

  /** Whom to take the next partition from; undefined once nobody is left that has one to give up. */
  nextMost(): number | undefined {
    if (this.#nextMost < this.#mostStart) this.#growMost();
    return this.#nextMost < 0 ? undefined : this.#sorted[this.#nextMost--]!;
  }

  #growMost(): void {
    const isEmpty = this.#mostEnd <= this.#mostStart && this.#mostStart > 0;
    this.#mostLoad = isEmpty ? this.#loadAt(this.#mostStart - 1) : this.#mostLoad - 1;
    while (this.#mostStart > 0 && this.#loadAt(this.#mostStart - 1) === this.#mostLoad) this.#mostStart--;
    this.#nextMost = this.#mostEnd - 1;
  }

  /** The last one that `nextMost` told has nothing of this topic. */
  exclude(): void {
    const at = this.#nextMost + 1;
    const last = this.#mostEnd - 1;
    const member = this.#sorted[at]!;
    this.#sorted[at] = this.#sorted[last]!;
    this.#sorted[last] = member;
    this.#mostEnd = last;
  }

  /** Whether nothing is won by moving another partition. */
  get isBalanced(): boolean {
    return this.#mostLoad - this.#leastLoad <= 1;
  }

  #loadAt(at: number): number {
    return this.#loads[this.#sorted[at]!]!;
  }
}
