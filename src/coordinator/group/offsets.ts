import type { Uuid } from '../../base/uuid.ts';
import type { OffsetCommitValue } from '../../protocol/group-records/offset-commit.ts';

/** An offset that a group committed in a partition. */
export interface OffsetAndMetadata {
  readonly offset: number;
  /** -1 where not known. */
  readonly leaderEpoch: number;
  readonly metadata: string;
  readonly commitTimestampMs: number;
  /** Of commits that name a retention of their own; -1 for all others. */
  readonly expireTimestampMs: number;
  readonly topicId: Uuid;
  /** Where its record stands in the log: the later one wins where transactions end out of order. */
  readonly recordOffset: number;
}

export function offsetFromRecord(value: OffsetCommitValue, recordOffset: number): OffsetAndMetadata {
  return {
    offset: value.offset,
    leaderEpoch: value.leaderEpoch,
    metadata: value.metadata,
    commitTimestampMs: Number(value.commitTimestamp),
    expireTimestampMs: Number(value.expireTimestamp),
    topicId: value.topicId,
    recordOffset,
  };
}

type ByPartition<T> = Map<number, T>;
type ByTopic<T> = Map<string, ByPartition<T>>;

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

/** Something for each partition of each topic of each group; what is empty is not there. */
export class PartitionTable<T> {
  readonly #groups = new Map<string, ByTopic<T>>();

  topicsOf(group: string): ReadonlyMap<string, ReadonlyMap<number, T>> | undefined {
    return this.#groups.get(group);
  }

  get(group: string, topic: string, partition: number): T | undefined {
    return this.#groups.get(group)?.get(topic)?.get(partition);
  }

  set(group: string, topic: string, partition: number, value: T): void {
    const topics = getOrMake(this.#groups, group, () => new Map());
    const partitions = getOrMake(topics, topic, () => new Map());
    partitions.set(partition, value);
  }

  delete(group: string, topic: string, partition: number): void {
    const topics = this.#groups.get(group);
    const partitions = topics?.get(topic);
    if (topics === undefined || partitions === undefined || !partitions.delete(partition)) return;
    if (partitions.size === 0) topics.delete(topic);
    if (topics.size === 0) this.#groups.delete(group);
  }

  *entries(): Generator<
    readonly [group: string, topic: string, partition: number, value: T],
    void,
    undefined
  > {
    for (const [group, topics] of this.#groups) {
      for (const [topic, partitions] of topics) {
        for (const [partition, value] of partitions) yield [group, topic, partition, value];
      }
    }
  }
}

/**
 * Committed offsets, and those of open transactions (KIP-98), which become committed or vanish with the transaction's
 * marker. A function of the records alone.
 */
export class OffsetStore {
  readonly committed = new PartitionTable<OffsetAndMetadata>();
  readonly #pending = new Map<bigint, PartitionTable<OffsetAndMetadata>>();
  /** The producers whose open transactions hold an offset of a partition. */
  readonly #openTransactions = new PartitionTable<Set<bigint>>();

  replay(
    group: string,
    topic: string,
    partition: number,
    value: OffsetAndMetadata | undefined,
    producerId: bigint | undefined,
  ): void {
    if (value === undefined) {
      this.#forget(group, topic, partition);
    } else if (producerId === undefined) {
      this.committed.set(group, topic, partition, value);
    } else {
      const offsets = getOrMake(this.#pending, producerId, () => new PartitionTable());
      offsets.set(group, topic, partition, value);
      const open = this.#openTransactions.get(group, topic, partition) ?? new Set<bigint>();
      this.#openTransactions.set(group, topic, partition, open.add(producerId));
    }
  }

  endTransaction(producerId: bigint, isCommitted: boolean): void {
    const offsets = this.#pending.get(producerId);
    if (offsets === undefined) return;
    this.#pending.delete(producerId);
    for (const [group, topic, partition, value] of offsets.entries()) {
      this.#close(group, topic, partition, producerId);
      if (!isCommitted) continue;
      const now = this.committed.get(group, topic, partition);
      // Compaction keeps the last record of a key, so the last one counts here too.
      if (now !== undefined && now.recordOffset > value.recordOffset) continue;
      this.committed.set(group, topic, partition, value);
    }
  }

  /** Whether an open transaction holds an offset of the partition. */
  isUnstable(group: string, topic: string, partition: number): boolean {
    return this.#openTransactions.get(group, topic, partition) !== undefined;
  }

  hasOpenTransactions(group: string): boolean {
    return this.#openTransactions.topicsOf(group) !== undefined;
  }

  /** Every partition for which the group has an offset, committed or not, once. */
  *partitionsOf(group: string): Generator<readonly [topic: string, partition: number], void, undefined> {
    for (const [topic, partitions] of this.committed.topicsOf(group) ?? []) {
      for (const partition of partitions.keys()) yield [topic, partition];
    }
    for (const [topic, partitions] of this.#openTransactions.topicsOf(group) ?? []) {
      for (const partition of partitions.keys()) {
        if (this.committed.get(group, topic, partition) === undefined) yield [topic, partition];
      }
    }
  }

  /** Every offset, those of open transactions too. */
  *all(): Generator<readonly [group: string, topic: string, partition: number, value: OffsetAndMetadata]> {
    yield* this.committed.entries();
    for (const offsets of this.#pending.values()) yield* offsets.entries();
  }

  #forget(group: string, topic: string, partition: number): void {
    this.committed.delete(group, topic, partition);
    const open = this.#openTransactions.get(group, topic, partition);
    if (open === undefined) return;
    for (const producerId of open) this.#pending.get(producerId)?.delete(group, topic, partition);
    this.#openTransactions.delete(group, topic, partition);
  }

  #close(group: string, topic: string, partition: number, producerId: bigint): void {
    const open = this.#openTransactions.get(group, topic, partition);
    if (open?.delete(producerId) && open.size === 0) this.#openTransactions.delete(group, topic, partition);
  }
}
