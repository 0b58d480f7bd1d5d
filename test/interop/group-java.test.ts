import { join } from 'node:path';
import { expect } from 'vitest';
import { apacheClassPath, apacheMissing, JVM_FLAGS, LOGGING } from './support/apache.ts';
import { compareBrokers, type Observations } from './support/compare.ts';
import { isInstalled, run } from './support/run.ts';
import type { Target } from './support/target.ts';

/** Kafka's own consumer in classic groups, driven by GroupInterop.java. */

const ASSIGNORS = ['RangeAssignor', 'RoundRobinAssignor', 'StickyAssignor', 'CooperativeStickyAssignor'];
const RECORDS = 600;

async function observe(target: Target): Promise<Observations> {
  const source = join(import.meta.dirname, 'java', 'GroupInterop.java');
  const flags = [...JVM_FLAGS, '-Xmx512M', `-Dlog4j2.configurationFile=${LOGGING}`];
  const args = [...flags, '-cp', await apacheClassPath(), source, target.bootstrap];
  const result = await run('java', args, { timeoutMs: 600_000 });
  const seen: Observations = {};
  for (const line of result.stdout.trim().split('\n')) {
    const [step = '', value = ''] = line.split('\t');
    seen[step] = JSON.parse(value);
  }
  if (result.code !== 0)
    throw new Error(`it failed after ${Object.keys(seen).at(-1)}: ${result.stderr.slice(-3000)}`);
  return seen;
}

const jdk = (await isInstalled('javac')) ? undefined : 'javac (a JDK, 17 or newer) is not installed';

await compareBrokers({
  title: 'Java groups',
  missing: (await apacheMissing()) ?? jdk,
  properties: { 'group.initial.rebalance.delay.ms': '0', 'offsets.topic.num.partitions': '5' },
  observe,
  expectations(seen) {
    for (const assignor of ASSIGNORS) {
      expect(seen[`${assignor}: distinct records`]).toBe(RECORDS);
      expect(seen[`${assignor}: committed`]).toBe(RECORDS);
    }
    expect(seen['static: rebalances of the other meanwhile']).toBe(0);
    expect(seen['static: the one that was there is fenced']).toBe(true);
    expect(seen['by hand: goes on from what was committed']).toEqual([4, 5, 6, 7, 8, 9]);
  },
});
