import { expect } from 'vitest';
import { compareBrokers } from './support/compare.ts';
import { buildGo } from './support/go.ts';
import { runSteps } from './support/steps.ts';

const PARTITIONS = 6;
const built = await buildGo('kafka-go');

/** Of each partition, the offsets from `first` on. */
const ofEach = (first: number, end: number): Record<number, number[]> => {
  const offsets = Array.from({ length: end - first }, (_, i) => first + i);
  return Object.fromEntries(Array.from({ length: PARTITIONS }, (_, partition) => [partition, offsets]));
};

await compareBrokers({
  title: 'kafka-go groups',
  missing: 'missing' in built ? built.missing : undefined,
  properties: { 'group.initial.rebalance.delay.ms': '0', 'offsets.topic.num.partitions': '5' },
  async observe(target) {
    if ('missing' in built) throw new Error(built.missing);
    return runSteps(built.program, [target.bootstrap]);
  },
  expectations(seen) {
    for (const commits of ['explicit', 'interval']) {
      expect(seen[`${commits} three members`]).toEqual(['Stable', [2, 2, 2]]);
      expect(seen[`${commits} missing`]).toBe(0);
      expect(seen[`${commits} repeats what the rebalances allow`]).toBe(true);
      expect(seen[`${commits} not committed`]).toBe(0);
      expect(seen[`${commits} left alone`]).toEqual(['Empty', []]);
      expect(seen[`${commits} missing after a restart`]).toBe(0);
      expect(seen[`${commits} repeated after a restart`]).toBe(0);
      expect(seen[`${commits} not committed after a restart`]).toBe(0);
    }
    expect(seen['fetched']).toEqual(ofEach(0, 10));
    expect(seen['committed of it']).toBe(PARTITIONS * 4);
    expect(seen['given back']).toEqual(ofEach(4, 10));
    expect(seen['groups after their deletion']).toEqual([]);
  },
});
