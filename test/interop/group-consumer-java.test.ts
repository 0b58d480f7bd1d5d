import { join } from 'node:path';
import { expect } from 'vitest';
import { apacheClassPath, apacheMissing, JVM_FLAGS, LOGGING } from './support/apache.ts';
import { compareBrokers, type Observations } from './support/compare.ts';
import { isInstalled, run } from './support/run.ts';
import type { Target } from './support/target.ts';

/** Kafka's own consumer in groups of the new protocol (KIP-848), driven by ConsumerGroupInterop.java. */

const RECORDS = 600;

async function observe(target: Target): Promise<Observations> {
  const source = join(import.meta.dirname, 'java', 'ConsumerGroupInterop.java');
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
  title: 'Java consumer groups',
  missing: (await apacheMissing()) ?? jdk,
  properties: {
    'group.initial.rebalance.delay.ms': '0',
    'offsets.topic.num.partitions': '5',
    'group.consumer.min.heartbeat.interval.ms': '100',
    'group.consumer.heartbeat.interval.ms': '200',
  },
  observe,
  expectations(seen) {
    for (const assignor of ['uniform', 'range']) {
      expect(seen[`${assignor}: described`]).toBe(`Consumer ${assignor} 3`);
      expect(seen[`${assignor}: distinct records`]).toBe(RECORDS);
      expect(seen[`${assignor}: committed`]).toBe(RECORDS);
    }
    expect(seen['static: revocations of the other meanwhile']).toBe(0);
    expect(seen['static: the one that comes is refused']).toBe(true);
    for (const assignor of ['RangeAssignor', 'CooperativeStickyAssignor']) {
      const name = `migration of ${assignor}`;
      expect(seen[`${name}: mixed`]).toBe('Consumer {false=2, true=1}');
      expect(seen[`${name}: in the end`]).toBe('Classic');
      expect(seen[`${name}: distinct records`]).toBe(RECORDS);
      expect(seen[`${name}: committed`]).toBe(RECORDS);
    }
  },
});
