import { describe, expect, it } from 'vitest';
import { DelayedFetch, WaitingFetches } from '../../../src/replication/delayed-fetch.ts';
import type { FetchTarget } from '../../../src/replication/fetch-types.ts';
import type { Partition } from '../../../src/replication/partition.ts';

const TARGET = { topic: 't', partition: 0 } as FetchTarget;

/** As much of a partition as a parked fetch looks at. */
function partitionOf(): Partition {
  return { waitingFetches: new WaitingFetches(), log: { sizeInBytes: 0 } } as Partition;
}

function parkedAt(...partitions: readonly Partition[]): DelayedFetch {
  const fetch = new DelayedFetch({} as DelayedFetch['params'], [TARGET], () => {});
  for (const partition of partitions) fetch.watch(partition, TARGET, 0);
  return fetch;
}

describe('fetches that wait for a partition', () => {
  it('are listed in the order in which they came, without those that were answered', () => {
    const partition = partitionOf();
    const [first, second, third] = [parkedAt(partition), parkedAt(partition), parkedAt(partition)];
    expect(partition.waitingFetches.all()).toEqual([first, second, third]);
    second.unwatch();
    expect(partition.waitingFetches.all()).toEqual([first, third]);
    third.unwatch();
    const fourth = parkedAt(partition);
    expect(partition.waitingFetches.all()).toEqual([first, fourth]);
    first.unwatch();
    fourth.unwatch();
    expect(partition.waitingFetches.isEmpty).toBe(true);
  });

  it('leave all their partitions at once', () => {
    const [one, other] = [partitionOf(), partitionOf()];
    const fetch = parkedAt(one, other);
    const stays = parkedAt(other);
    fetch.unwatch();
    expect(one.waitingFetches.isEmpty).toBe(true);
    expect(other.waitingFetches.all()).toEqual([stays]);
  });
});
