import { expect } from 'vitest';
import { compareBrokers } from './support/compare.ts';
import { buildGo } from './support/go.ts';
import { runSteps } from './support/steps.ts';

const RECORDS = 600;
const built = await buildGo('groups');

await compareBrokers({
  title: 'sarama groups',
  missing: 'missing' in built ? built.missing : undefined,
  properties: { 'group.initial.rebalance.delay.ms': '0', 'offsets.topic.num.partitions': '5' },
  async observe(target) {
    if ('missing' in built) throw new Error(built.missing);
    return runSteps(built.program, [target.bootstrap]);
  },
  expectations(seen) {
    for (const strategy of ['range', 'roundrobin', 'sticky']) {
      expect(seen[`${strategy} three members`]).toEqual(['Stable', strategy, 'consumer', 3]);
      expect(seen[`${strategy} distinct`]).toBe(RECORDS);
      expect(seen[`${strategy} committed`]).toBe(RECORDS);
      expect(seen[`${strategy} groups after its deletion`]).toBe(0);
    }
  },
});
