import { join } from 'node:path';
import { expect } from 'vitest';
import { apacheMissing, clientsClassPath, JVM_FLAGS } from './support/apache.ts';
import { compareBrokers, type Observations } from './support/compare.ts';
import { isInstalled, run } from './support/run.ts';
import type { Target } from './support/target.ts';
import { makeTopics } from './support/wire.ts';

/** Transactions of Java producers of nine years, driven by TransactionInterop.java. */

const VERSIONS = ['4.4.0', '3.9.1', '2.8.2', '1.1.1'] as const;
const TOPICS = ['plain', 'offsets', 'zombie', 'timeout', 'random'] as const;
const SEED = 4;

async function observe(target: Target): Promise<Observations> {
  const seen: Observations = {};
  for (const version of VERSIONS) {
    await makeTopics(
      target.port,
      TOPICS.map((name) => ({ name: `${version}-${name}`, partitions: 2 })),
    );
    for (const [step, value] of Object.entries(await withClient(version, target))) {
      seen[`${version} ${step}`] = value;
    }
  }
  return seen;
}

async function withClient(version: string, target: Target): Promise<Observations> {
  const source = join(import.meta.dirname, 'java', 'TransactionInterop.java');
  const flags = [...JVM_FLAGS, '-Xmx256M'];
  const args = [
    ...flags,
    '-cp',
    await clientsClassPath(version),
    source,
    target.bootstrap,
    version,
    `${SEED}`,
  ];
  const result = await run('java', args, { timeoutMs: 600_000 });
  const seen: Observations = {};
  for (const line of result.stdout.split('\n').filter((one) => one.includes('\t'))) {
    const [step = '', value = ''] = line.split('\t');
    seen[step] = JSON.parse(value);
  }
  if (result.code !== 0) {
    const after = Object.keys(seen).at(-1);
    throw new Error(`clients ${version} failed after ${after}: ${result.stderr.slice(-3000)}`);
  }
  return seen;
}

const jdk = (await isInstalled('javac')) ? undefined : 'javac (a JDK, 17 or newer) is not installed';

await compareBrokers({
  title: 'Java transactions',
  missing: (await apacheMissing()) ?? jdk,
  properties: {
    'transaction.state.log.num.partitions': '5',
    'offsets.topic.num.partitions': '5',
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500',
  },
  observe,
  expectations(seen) {
    for (const version of VERSIONS) {
      const of = (step: string) => seen[`${version} ${step}`];
      expect(of('plain: committed')).toHaveLength(10);
      expect(of('plain: all')).toHaveLength(15);
      expect(of('plain: while one is open')).toBe(10);
      expect(of('plain: once it has ended')).toBe(16);
      expect(of('offsets: after a transaction from 3 aborted')).toBe(3);
      expect(of('offsets: after one with nothing else')).toBe(100);
      expect(of('zombie: committed after all')).toBe(6);
      expect(of('timeout: committed')).toHaveLength(3);
      expect(of('random: all that was committed and nothing else')).toBe(true);
    }
  },
});
