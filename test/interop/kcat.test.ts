import { expect } from 'vitest';
import { BASE_TIMESTAMP, batch } from './support/batch.ts';
import { compareBrokers, type Observations } from './support/compare.ts';
import { kcatMissing } from './support/kcat.ts';
import { run } from './support/run.ts';
import { endsAt } from './support/settled.ts';
import type { Target } from './support/target.ts';
import { makeTopics, produce, produceAnswer, RawConnection } from './support/wire.ts';

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

/** Ten records a second apart, written without kcat so that their timestamps are known. */
async function writeTimes(target: Target): Promise<void> {
  const connection = await RawConnection.open(target.port);
  for (let i = 0; i < 10; i++) {
    const records = batch({
      records: [{ key: `k${i}`, value: `v${i}` }],
      baseTimestamp: BASE_TIMESTAMP + i * 1000,
    });
    const [answer] = produceAnswer(9, await connection.ask(produce(9, [{ topic: 'times', records }])));
    if (answer?.errorCode !== 0) throw new Error(`could not write: ${answer?.errorCode}`);
  }
  connection.close();
}

async function observe(target: Target): Promise<Observations> {
  const seen: Observations = {};
  const kcat = async (step: string, args: string[], input?: string): Promise<void> => {
    const result = await run('kcat', ['-b', target.bootstrap, ...args], {
      ...(input === undefined ? {} : { input }),
    });
    seen[step] = { code: result.code, stdout: calm(result.stdout), stderr: calm(result.stderr) };
  };
  await makeTopics(target.port, [
    { name: 'times' },
    { name: 'three', partitions: 3 },
    { name: 'small', configs: { 'max.message.bytes': '300' } },
    ...CODECS.map((codec) => ({ name: `with-${codec}` })),
  ]);
  await writeTimes(target);

  await kcat('list', ['-L']);
  await kcat('list as JSON', ['-L', '-J']);
  await kcat('list one topic', ['-L', '-t', 'three']);

  const lines = `${Array.from({ length: 30 }, (_, i) => `key${i}:value ${i} ${'x'.repeat(i * 7)}`).join('\n')}\n`;
  const format = '%p/%o %k=%s [%h] %S\n';
  for (const codec of CODECS) {
    const topic = `with-${codec}`;
    const headers = ['-H', 'first=1', '-H', 'empty=', '-H', 'first=again'];
    await kcat(`produce ${codec}`, ['-P', '-t', topic, '-p', '0', '-K', ':', '-z', codec, ...headers], lines);
    await kcat(`consume ${codec}`, ['-C', '-t', topic, '-p', '0', '-o', 'beginning', '-e', '-f', format]);
  }
  await kcat('produce null values', ['-P', '-t', 'three', '-p', '1', '-K', ':', '-Z'], 'only-key:\n:\na:b\n');
  await kcat(
    'produce idempotently',
    ['-P', '-t', 'three', '-p', '2', '-X', 'enable.idempotence=true'],
    'one\ntwo\n',
  );
  await kcat('produce with acks 0', ['-P', '-t', 'three', '-p', '0', '-X', 'acks=0'], 'zero\n');
  await endsAt(target.port, 'three', 0, 1);
  await kcat('produce with acks 1', ['-P', '-t', 'three', '-p', '0', '-X', 'acks=1'], 'one\n');
  await kcat('consume all partitions', ['-C', '-t', 'three', '-o', 'beginning', '-e', '-J', '-Z']);

  await kcat('from the end', ['-C', '-t', 'times', '-p', '0', '-o', 'end', '-e', '-f', format]);
  await kcat('the last three', ['-C', '-t', 'times', '-p', '0', '-o', '-3', '-e', '-f', format]);
  await kcat('two from offset 4', ['-C', '-t', 'times', '-p', '0', '-o', '4', '-c', '2', '-f', format]);
  await kcat('as JSON', ['-C', '-t', 'times', '-p', '0', '-o', 'beginning', '-c', '3', '-J']);
  const between = ['-o', `s@${BASE_TIMESTAMP + 2500}`, '-o', `e@${BASE_TIMESTAMP + 6000}`];
  await kcat('between timestamps', ['-C', '-t', 'times', '-p', '0', ...between, '-f', `%T ${format}`]);
  for (const time of [
    -1,
    -2,
    BASE_TIMESTAMP,
    BASE_TIMESTAMP + 4001,
    BASE_TIMESTAMP + 9000,
    BASE_TIMESTAMP + 9001,
  ]) {
    await kcat(`query times at ${time}`, ['-Q', '-t', `times:0:${time}`]);
  }
  await kcat('query three partitions', ['-Q', '-t', 'three:0:-1', '-t', 'three:1:-1', '-t', 'three:2:-1']);
  await kcat('offset out of range', [
    ...['-C', '-t', 'times', '-p', '0', '-o', '1000', '-e'],
    ...['-X', 'topic.auto.offset.reset=error', '-f', format],
  ]);
  await kcat('message too large', ['-P', '-t', 'small', '-p', '0'], `${'x'.repeat(400)}\n`);
  await kcat('unknown topic is made', ['-P', '-t', 'made-by-producing'], 'hello\n');
  await kcat('and can be read', ['-C', '-t', 'made-by-producing', '-o', 'beginning', '-e', '-f', format]);
  return seen;
}

/** Without times of day and times of writing; what comes in any order sorted. */
function calm(text: string): string {
  return inOrder(text)
    .replace(/"ts":1[78]\d{11}/g, (all) => (all.startsWith('"ts":17000000') ? all : '"ts":<now>'))
    .replace(/^%\d\|\d+\.\d+\|/gm, '%|<time>|')
    .replace(/^.*Failed to acquire idempotence PID.*: retrying\n/gm, '') // Apache Kafka, when it has just started
    .replace(/after \d+ms in state/g, 'after <n>ms in state');
}

/** Topics are listed in any order, and messages and ends of several partitions come in any order. */
function inOrder(text: string): string {
  if (text.startsWith('% Reached end of topic'))
    return text.replace(': exiting', '').trim().split('\n').sort().join('\n');
  if (text.includes('"tstype"')) return text.trim().split('\n').sort().join('\n');
  if (text.startsWith('{"originating_broker"')) {
    const list = JSON.parse(text) as { topics: { topic: string }[] };
    list.topics.sort((a, b) => (a.topic < b.topic ? -1 : 1));
    return JSON.stringify(list);
  }
  if (!text.startsWith('Metadata for')) return text;
  const [head, ...topics] = text.split('\n  topic ');
  return [head, ...topics.map((topic) => topic.trimEnd()).sort()].join('\n  topic ');
}

await compareBrokers({
  title: 'kcat',
  missing: await kcatMissing(),
  observe,
  expectations(seen) {
    const out = (step: string): string => (seen[step] as { stdout: string }).stdout;
    const code = (step: string): number => (seen[step] as { code: number }).code;
    expect(out('list')).toContain('topic "three" with 3 partitions:');
    expect(JSON.parse(out('list as JSON')).topics.length).toBeGreaterThanOrEqual(8);
    for (const codec of CODECS) {
      expect(code(`produce ${codec}`)).toBe(0);
      const lines = out(`consume ${codec}`).trim().split('\n');
      expect(lines.length).toBe(30);
      expect(lines[29]).toBe(`0/29 key29=value 29 ${'x'.repeat(203)} [first=1,empty=,first=again] 212`);
    }
    expect(out('two from offset 4')).toBe('0/4 k4=v4 [] 2\n0/5 k5=v5 [] 2\n');
    expect(out('the last three').split('\n').length).toBe(4);
    expect(out('between timestamps').trim().split('\n').length).toBe(3);
    expect(out(`query times at ${BASE_TIMESTAMP + 4001}`)).toContain('offset 5');
    expect(out('and can be read')).toBe('0/0 =hello [] 5\n');
    expect(code('message too large')).toBe(1);
  },
});
