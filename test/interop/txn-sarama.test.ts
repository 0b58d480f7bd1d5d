import { expect } from 'vitest';
import { compareBrokers } from './support/compare.ts';
import { buildGo } from './support/go.ts';
import { runSteps } from './support/steps.ts';

const ROUNDS = 12;
const built = await buildGo('transactions');

await compareBrokers({
  title: 'sarama transactions',
  missing: 'missing' in built ? built.missing : undefined,
  properties: { 'group.initial.rebalance.delay.ms': '0', 'offsets.topic.num.partitions': '5' },
  async observe(target) {
    if ('missing' in built) throw new Error(built.missing);
    return runSteps(built.program, [target.bootstrap]);
  },
  expectations(seen) {
    const committed = seen['committed'] as string[];
    expect(committed).toHaveLength((ROUNDS * 6 * 2) / 3);
    expect(committed.some((value) => value.startsWith('dropped'))).toBe(false);
    expect(seen['all']).toHaveLength(ROUNDS * 6);
    expect(seen['offsets after 2']).toEqual([21, 22]);
    expect(seen['after the fencing']).toEqual(['heir-0', 'heir-1', 'heir-2']);
  },
});
