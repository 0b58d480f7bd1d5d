import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { apacheMissing, JVM_FLAGS, LOGGING, streamsClassPath } from './support/apache.ts';
import { compareBrokers, type Observations } from './support/compare.ts';
import { isInstalled, run, runOk } from './support/run.ts';
import type { Target } from './support/target.ts';

/** Kafka Streams with repartition and changelog topics, driven by StreamsInterop.java. */

const SEED = 11;

const observe =
  (guarantee: string, ends: readonly ('close' | 'kill')[]) =>
  async (target: Target): Promise<Observations> => {
    const work = mkdtempSync(join(tmpdir(), 'odradek-streams-'));
    try {
      const source = join(import.meta.dirname, 'java', 'StreamsInterop.java');
      const classPath = await streamsClassPath();
      await runOk('javac', ['-cp', classPath, '-d', work, source]);
      const flags = [...JVM_FLAGS, '-Xmx256M', `-Dlog4j2.configurationFile=${LOGGING}`];
      const args = [
        ...flags,
        `-Djvm.flags=${flags.join(' ')}`,
        `-Dstate.dir=${join(work, 'state')}`,
        '-cp',
        `${work}:${classPath}`,
        'StreamsInterop',
        'drive',
        target.bootstrap,
        guarantee,
        `${SEED}`,
        ends.join(','),
      ];
      const result = await run('java', args, { timeoutMs: 600_000 });
      const seen: Observations = {};
      for (const line of result.stdout.split('\n').filter((one) => one.includes('\t'))) {
        const [step = '', value = ''] = line.split('\t');
        seen[step] = JSON.parse(value);
      }
      if (result.code !== 0) throw new Error(`Streams with ${guarantee}: ${result.stderr.slice(-3000)}`);
      return seen;
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  };

const expectations =
  (aborts: boolean) =>
  (seen: Observations): void => {
    expect(seen["words: the counts are the model's"]).toBe('equal');
    expect(seen["windows: the counts are the model's"]).toBe('equal');
    expect(seen['words: counts that were never committed']).toBe(aborts);
    expect(Object.keys(seen).filter((step) => step.endsWith(': settings'))).toHaveLength(3);
  };

const properties = {
  'group.initial.rebalance.delay.ms': '0',
  'group.min.session.timeout.ms': '1000',
  'offsets.topic.num.partitions': '5',
  'transaction.state.log.num.partitions': '5',
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500',
};
const jdk = (await isInstalled('javac')) ? undefined : 'javac (a JDK, 17 or newer) is not installed';
const missing = (await apacheMissing()) ?? jdk;

await compareBrokers({
  title: 'Java streams, at least once',
  missing,
  properties,
  observe: observe('at_least_once', ['close', 'close']),
  expectations: expectations(false),
});

await compareBrokers({
  title: 'Java streams, exactly once',
  missing,
  properties,
  observe: observe('exactly_once_v2', ['kill', 'close', 'kill', 'kill', 'close']),
  expectations: expectations(true),
});
