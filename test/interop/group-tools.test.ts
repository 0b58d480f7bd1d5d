import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { apacheMissing } from './support/apache.ts';
import { calm, calmRecord } from './support/calm.ts';
import { compareBrokers, type Observations } from './support/compare.ts';
import { until } from './support/run.ts';
import type { Target } from './support/target.ts';
import { JavaTools, type ToolName } from './support/tools.ts';
import { makeTopics } from './support/wire.ts';

const RECORDS = 60;

async function observe(target: Target): Promise<Observations> {
  const tools = await JavaTools.start();
  try {
    return await runTools(target, tools);
  } finally {
    await tools.stop();
  }
}

async function runTools(target: Target, tools: JavaTools): Promise<Observations> {
  const seen: Observations = {};
  const server = ['--bootstrap-server', target.bootstrap];
  const run = (name: ToolName, args: readonly string[], input?: string) =>
    tools.run(name, [...server, ...args], input === undefined ? {} : { input });
  const tool = async (
    step: string,
    name: ToolName,
    args: readonly string[],
    input?: string,
  ): Promise<void> => {
    const { code, stdout, stderr } = await run(name, args, input);
    seen[step] = { code, stdout: calm(stdout), stderr: calm(stderr) };
  };
  const groups = (step: string, ...args: readonly string[]) => tool(step, 'kafka-consumer-groups', args);
  await makeTopics(target.port, [{ name: 'orders', partitions: 3 }, { name: 'bills' }]);
  const lines = Array.from({ length: RECORDS }, (_, i) => `k${i}:v${i}\n`).join('');
  const keyed = ['--reader-property', 'parse.key=true', '--reader-property', 'key.separator=:'];
  await run('kafka-console-producer', ['--topic', 'orders', ...keyed], lines);
  await run('kafka-console-producer', ['--topic', 'bills'], 'one\ntwo\n');

  const consume = async (step: string, group: string, ...args: readonly string[]): Promise<void> => {
    const { code, stdout } = await run('kafka-console-consumer', ['--group', group, ...args]);
    seen[step] = {
      code,
      lines: stdout
        .split('\n')
        .filter((line) => line !== '')
        .sort(),
    };
  };
  const all = ['--topic', 'orders', '--from-beginning', '--max-messages', String(RECORDS)];
  await consume('a console consumer reads all', 'readers', ...all);
  const rest = ['--topic', 'orders', '--timeout-ms', '2000'];
  await consume('another of the group finds nothing left', 'readers', ...rest);
  await consume(
    'another group reads two',
    'others',
    '--topic',
    'bills',
    '--from-beginning',
    '--max-messages',
    '2',
  );
  await consume(
    'several topics by a pattern',
    'pattern',
    '--include',
    'ord.*|bills',
    '--from-beginning',
    '--max-messages',
    '62',
  );
  for (const group of ['readers', 'others', 'pattern']) {
    await until(`${group} to be empty`, async () => {
      const { stdout } = await run('kafka-consumer-groups', ['--describe', '--group', group, '--state']);
      return stdout.includes('Empty') ? true : undefined;
    });
  }

  await groups('list', '--list');
  await groups('list with states', '--list', '--state');
  await groups('list by state', '--list', '--state', 'Empty');
  const nonsense = await run('kafka-consumer-groups', ['--list', '--state', 'Nonsense']);
  seen['list by a wrong state'] = nonsense.code;
  await groups('list with types', '--list', '--type');
  await groups('list by type', '--list', '--type', 'classic');
  await tool('kafka-groups lists', 'kafka-groups', ['--list']);
  await tool('kafka-groups lists consumers', 'kafka-groups', ['--list', '--consumer']);
  for (const what of [
    [],
    ['--offsets'],
    ['--state'],
    ['--members'],
    ['--members', '--verbose'],
    ['--offsets', '--verbose'],
  ]) {
    await groups(`describe ${what.join(' ')}`, '--describe', '--group', 'readers', ...what);
  }
  await groups('describe all', '--describe', '--all-groups');
  await groups('describe an unknown group', '--describe', '--group', 'never-was');
  await groups('describe the members of an unknown group', '--describe', '--group', 'never-was', '--members');

  const reset = (step: string, group: string, ...args: readonly string[]) =>
    groups(`reset ${step}`, '--reset-offsets', '--group', group, ...args);
  const orders = ['--topic', 'orders'];
  await reset('to earliest, only shown', 'readers', ...orders, '--to-earliest', '--dry-run');
  await reset('to earliest', 'readers', ...orders, '--to-earliest', '--execute');
  await reset('to latest', 'readers', ...orders, '--to-latest', '--execute');
  await reset('to an offset', 'readers', ...orders, '--to-offset', '5', '--execute');
  await reset('one partition', 'readers', '--topic', 'orders:1', '--to-offset', '2', '--execute');
  await reset('by a shift', 'readers', ...orders, '--shift-by', '3', '--execute');
  await reset('beyond the end', 'readers', ...orders, '--shift-by', '1000', '--execute');
  await reset('to a time', 'readers', ...orders, '--to-datetime', '2000-01-01T00:00:00.000', '--execute');
  await reset('by a duration', 'readers', ...orders, '--by-duration', 'PT0S', '--execute');
  await reset('to where it is', 'readers', ...orders, '--to-current', '--execute');
  await reset('all topics', 'pattern', '--all-topics', '--to-earliest', '--execute');
  await reset('of a group that is not there', 'fresh', ...orders, '--to-earliest', '--execute');
  await reset(
    'of a topic that is not there',
    'readers',
    '--topic',
    'never-was',
    '--to-earliest',
    '--execute',
  );
  await reset('and export', 'readers', ...orders, '--to-current', '--export', '--dry-run');
  await groups('describe after the resets', '--describe', '--group', 'readers');
  await consume(
    'from where the group was reset to',
    'fresh',
    '--topic',
    'orders',
    '--max-messages',
    String(RECORDS),
  );

  await groups('delete offsets', '--delete-offsets', '--group', 'pattern', '--topic', 'bills');
  await groups(
    'delete offsets of a partition',
    '--delete-offsets',
    '--group',
    'pattern',
    '--topic',
    'orders:1',
  );
  await groups(
    'delete offsets in an unknown topic',
    '--delete-offsets',
    '--group',
    'pattern',
    '--topic',
    'never-was',
  );
  await groups(
    'delete offsets of an unknown group',
    '--delete-offsets',
    '--group',
    'never-was',
    '--topic',
    'bills',
  );
  await groups('describe after that', '--describe', '--group', 'pattern');
  await groups('delete', '--delete', '--group', 'others');
  await groups('delete an unknown group', '--delete', '--group', 'never-was');
  await groups('delete two', '--delete', '--group', 'pattern', '--group', 'fresh');
  await groups('list at the end', '--list');
  await tool('how topics are shown', 'kafka-topics', [
    '--describe',
    '--topic',
    '__consumer_offsets',
    '--exclude-internal',
  ]);
  await dumped(target, tools, seen);
  await performance(run, seen);
  return seen;
}

/** The records in `__consumer_offsets` as Apache Kafka's own decoder shows them. */
async function dumped(target: Target, tools: JavaTools, seen: Observations): Promise<void> {
  const folders = readdirSync(target.dataDir).filter((name) => name.startsWith('__consumer_offsets-'));
  const shown: string[] = [];
  for (const folder of folders) {
    const file = join(target.dataDir, folder, '00000000000000000000.log');
    const { stdout } = await tools.run('kafka-dump-log', [
      '--offsets-decoder',
      '--print-data-log',
      '--files',
      file,
    ]);
    for (const line of stdout.split('\n')) {
      const key = / key: (\{.*\}) payload: (.*)$/.exec(line);
      if (key?.[1]?.includes('"others"')) shown.push(calmRecord(`${key[1]} ${key[2]}`));
    }
  }
  seen['what the records of a group are'] = shown;
}

/** The tools that measure get to their end, and have moved every record. */
async function performance(
  run: (name: ToolName, args: readonly string[]) => Promise<{ code: number | null; stdout: string }>,
  seen: Observations,
): Promise<void> {
  const sent = await run('kafka-producer-perf-test', [
    ...['--topic', 'bills', '--num-records', '5000', '--record-size', '100', '--throughput', '-1'],
  ]);
  seen['kafka-producer-perf-test'] = {
    code: sent.code,
    records: /^(\d+) records sent,/m.exec(sent.stdout)?.[1],
  };
  const read = await run('kafka-consumer-perf-test', [
    ...['--topic', 'bills', '--group', 'perf', '--num-records', '5000', '--timeout', '180000'],
  ]);
  const last = read.stdout.trim().split('\n').at(-1)?.split(', ');
  seen['kafka-consumer-perf-test'] = { code: read.code, hasAll: Number(last?.[4]) >= 5000 };
}

await compareBrokers({
  title: 'group tools',
  missing: await apacheMissing(),
  properties: { 'group.initial.rebalance.delay.ms': '0', 'offsets.topic.num.partitions': '3' },
  observe,
  expectations(seen) {
    const lines = Array.from({ length: RECORDS }, (_, i) => `v${i}`).sort();
    expect(seen['a console consumer reads all']).toEqual({ code: 0, lines });
    expect(seen['from where the group was reset to']).toEqual({ code: 0, lines });
    expect((seen['what the records of a group are'] as unknown[]).length).toBeGreaterThan(3);
    expect(seen['kafka-producer-perf-test']).toEqual({ code: 0, records: '5000' });
    expect(seen['kafka-consumer-perf-test']).toEqual({ code: 0, hasAll: true });
  },
});
