import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { expect } from 'vitest';
import { compareBrokers, type Observations } from './support/compare.ts';
import { kcatMissing } from './support/kcat.ts';
import { endProcess, run, until } from './support/run.ts';
import type { Target } from './support/target.ts';
import { makeTopics } from './support/wire.ts';

const PARTITIONS = 4;
const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `v${from + i}`);

/** A kcat that consumes in a group until it is stopped. */
class GroupReader {
  readonly got: string[] = [];
  /** How many partitions it was assigned last, as it says itself. */
  assigned = 0;
  readonly #process: ChildProcess;

  constructor(target: Target, group: string, topic: string, ...settings: readonly string[]) {
    const options = [
      'auto.offset.reset=earliest',
      'auto.commit.interval.ms=100',
      'heartbeat.interval.ms=200',
      ...settings,
    ];
    const args = ['-b', target.bootstrap, ...options.flatMap((option) => ['-X', option]), '-u', '-f', '%s\n'];
    this.#process = spawn('kcat', [...args, '-G', group, topic], { stdio: ['ignore', 'pipe', 'pipe'] });
    createInterface({ input: this.#process.stdout! }).on('line', (line) => this.got.push(line));
    createInterface({ input: this.#process.stderr! }).on('line', (line) => {
      const assigned = /assigned: (.*)$/.exec(line)?.[1];
      if (assigned !== undefined) this.assigned = assigned.match(/\[\d+\]/g)?.length ?? 0;
    });
  }

  async stop(): Promise<void> {
    await endProcess(this.#process, 'SIGINT');
  }
}

async function observe(target: Target): Promise<Observations> {
  const seen: Observations = {};
  await makeTopics(target.port, [
    { name: 'shared', partitions: PARTITIONS },
    { name: 'kept', partitions: 2 },
  ]);
  const write = (topic: string, from: number, to: number) =>
    run('kcat', ['-b', target.bootstrap, '-P', '-t', topic, '-p', '-1'], {
      input: `${lines(from, to).join('\n')}\n`,
    });

  await write('shared', 0, 100);
  const readers = [new GroupReader(target, 'several', 'shared')];
  const distinct = () => new Set(readers.flatMap(({ got }) => got)).size;
  await until('the first hundred', () => (distinct() === 100 ? true : undefined));
  seen['one member has all'] = readers[0]!.assigned;
  readers.push(new GroupReader(target, 'several', 'shared'));
  await until('two members to share', () =>
    readers.every(({ assigned }) => assigned === PARTITIONS / 2) ? true : undefined,
  );
  await write('shared', 100, 200);
  await until('the second hundred', () => (distinct() === 200 ? true : undefined));
  await readers[0]!.stop();
  await until('the other to have all', () => (readers[1]!.assigned === PARTITIONS ? true : undefined));
  await write('shared', 200, 300);
  await until('the third hundred', () => (distinct() === 300 ? true : undefined));
  await readers[1]!.stop();
  seen['got by two members'] = distinct();

  await write('kept', 0, 50);
  const first = new GroupReader(target, 'kept', 'kept');
  await until('fifty', () => (first.got.length === 50 ? true : undefined));
  await first.stop();
  await write('kept', 50, 60);
  const second = new GroupReader(target, 'kept', 'kept');
  await until('ten more', () => (second.got.length === 10 ? true : undefined));
  await second.stop();
  seen['goes on where the group stopped'] = [...second.got].sort();

  const fixed = ['group.instance.id=i1', 'session.timeout.ms=45000'];
  const before = new GroupReader(target, 'static', 'kept', ...fixed);
  await until('all of it', () => (before.got.length === 60 ? true : undefined));
  await before.stop();
  const after = new GroupReader(target, 'static', 'kept', ...fixed);
  await write('kept', 60, 70);
  await until('ten more', () => (after.got.length >= 10 ? true : undefined));
  await after.stop();
  seen['a static member goes on'] = [...after.got].sort();
  return seen;
}

await compareBrokers({
  title: 'kcat groups',
  missing: await kcatMissing(),
  properties: { 'group.initial.rebalance.delay.ms': '0', 'offsets.topic.num.partitions': '5' },
  observe,
  expectations(seen) {
    expect(seen['one member has all']).toBe(PARTITIONS);
    expect(seen['got by two members']).toBe(300);
    expect(seen['goes on where the group stopped']).toEqual(lines(50, 60));
    expect(seen['a static member goes on']).toEqual(lines(60, 70));
  },
});
