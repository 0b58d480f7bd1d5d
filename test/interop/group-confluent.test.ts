import { join } from 'node:path';
import { expect } from 'vitest';
import { compareBrokers } from './support/compare.ts';
import { pythonPackages } from './support/packages.ts';
import { runSteps } from './support/steps.ts';

/** librdkafka's consumer groups of both protocols, by way of confluent-kafka for Python, here and at Apache Kafka. */

const script = join(import.meta.dirname, 'python', 'confluent_groups.py');
const client = await pythonPackages('confluent-kafka-2.16.1', ['confluent-kafka==2.16.1']);

const odd = Array.from({ length: 20 }, (_, i) => 2 * i + 1);

await compareBrokers({
  title: 'confluent-kafka groups',
  missing: 'missing' in client ? client.missing : undefined,
  properties: {
    'group.initial.rebalance.delay.ms': '0',
    'offsets.topic.num.partitions': '5',
    'group.consumer.min.heartbeat.interval.ms': '100',
    'group.consumer.heartbeat.interval.ms': '150',
  },
  async observe(target) {
    if ('missing' in client) throw new Error(client.missing);
    return runSteps('python3', [script, client.folder, target.bootstrap]);
  },
  expectations(seen) {
    for (const name of ['range', 'roundrobin', 'cooperative-sticky', 'uniform', 'remote-range']) {
      const isModern = name === 'uniform' || name === 'remote-range';
      const assignor = name.replace('remote-', '');
      expect(seen[`${name}: described`]).toEqual([isModern ? 'CONSUMER' : 'CLASSIC', 'STABLE', assignor, 2]);
      expect(seen[`${name}: missing`]).toBe(0);
      expect(seen[`${name}: committed`]).toBe(240);
    }
    expect(seen['cooperative-sticky: kept']).toEqual([2, 2]);
    expect(seen['cooperative-sticky: given back']).toEqual([1, 1, 0]);
    expect(seen['static-classic: refused']).toEqual([['first', expect.stringContaining('fenced')]]);
    expect(seen['static-modern: refused']).toEqual([['second', expect.stringContaining('still used')]]);
    for (const kind of ['classic', 'modern']) {
      expect(seen[`static-${kind}: the other kept its own`]).toEqual([true, []]);
      expect(seen[`re-${kind}: topics`]).toEqual([`re-${kind}-one`, `re-${kind}-three`, `re-${kind}-two`]);
      expect(seen[`commits-${kind}: of a stranger`]).toEqual([['UNKNOWN_MEMBER_ID'], [5, 'by hand']]);
      expect(seen[`commits-${kind}: the next one goes on at`]).toBe('5');
      expect(seen[`commits-${kind}: automatic, as stored`]).toBe(17);
      expect(seen[`positions-${kind}: while the other rests`]).toEqual(odd);
    }
    expect(seen['alone: committed']).toBe(30);
    expect(seen['migration: kinds']).toEqual([
      ['CONSUMER', 'STABLE', 'uniform', 2],
      ['CONSUMER', 'STABLE', 'uniform', 2],
      ['CONSUMER', 'STABLE', 'uniform', 2],
      ['CLASSIC', 'STABLE', 'range', 2],
    ]);
    expect(seen['migration: missing']).toBe(0);
  },
});
