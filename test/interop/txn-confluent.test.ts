import { join } from 'node:path';
import { expect } from 'vitest';
import { caughtUp } from './support/caught-up.ts';
import { compareBrokers } from './support/compare.ts';
import { pythonPackages } from './support/packages.ts';
import { runSteps } from './support/steps.ts';
import { makeTopics } from './support/wire.ts';

/** librdkafka's transactions, by way of confluent-kafka for Python, here and at Apache Kafka. */

const TOPICS = ['ends', 'moved', 'fenced', 'over-time'];
const PARTITIONS = 2;
const script = join(import.meta.dirname, 'python', 'confluent_transactions.py');
const client = await pythonPackages('confluent-kafka-2.16.1', ['confluent-kafka==2.16.1']);

const valuesOf = (rows: unknown): string[] =>
  (rows as [number, number, string][]).map(([, , value]) => value);
const isDropped = (value: string) => ['2', '5', '8'].includes(value.split('-')[0]!);

await compareBrokers({
  title: 'confluent-kafka transactions',
  missing: 'missing' in client ? client.missing : undefined,
  properties: {
    'group.initial.rebalance.delay.ms': '0',
    'offsets.topic.num.partitions': '5',
    'transaction.state.log.num.partitions': '5',
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': '200',
  },
  async observe(target) {
    if ('missing' in client) throw new Error(client.missing);
    await makeTopics(
      target.port,
      TOPICS.map((name) => ({ name, partitions: PARTITIONS })),
    );
    await caughtUp(target.port);
    return runSteps('python3', [script, client.folder, target.bootstrap]);
  },
  expectations(seen) {
    expect(valuesOf(seen['committed']).some(isDropped)).toBe(false);
    expect(valuesOf(seen['all']).some(isDropped)).toBe(true);
    expect(seen['offsets']).toEqual([
      [1, 2],
      [1, 2],
      [21, 22],
    ]);
    expect(seen['the zombie commits']).toMatchObject({ fatal: true });
    expect(seen['the heir commits']).toBe('done');
    expect(valuesOf(seen['after the fencing']).sort()).toEqual(['end', 'end', 'heir-0', 'heir-1']);
    expect(valuesOf(seen['after the timeout'])).toEqual(['end', 'end']);
    expect(seen['the late one commits']).not.toBe('done');
    expect(seen['the next one commits']).toBe('done');
    expect(seen['a timeout above the maximum']).toMatchObject({ code: 'INVALID_TRANSACTION_TIMEOUT' });
  },
});
