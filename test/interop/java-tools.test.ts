import { expect } from 'vitest';
import { apacheMissing } from './support/apache.ts';
import { caughtUp } from './support/caught-up.ts';
import { compareBrokers, type Observations } from './support/compare.ts';
import { isInstalled } from './support/run.ts';
import type { Target } from './support/target.ts';
import { JavaTools, type ToolName } from './support/tools.ts';
import { makeTopics } from './support/wire.ts';

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

interface Printed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

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
  const tool = async (
    step: string,
    name: ToolName,
    args: string[],
    options: { input?: string; reduce?: (printed: Printed) => unknown } = {},
  ): Promise<void> => {
    const result = await tools.run(name, [...server, ...args], options);
    const printed = { code: result.code ?? -1, stdout: calm(result.stdout), stderr: calm(result.stderr) };
    seen[step] = options.reduce ? options.reduce(printed) : printed;
  };
  /** The next tool must not see a broker that did not hear yet of what this one changed. */
  const changing = async (step: string, name: ToolName, args: string[]): Promise<void> => {
    await tool(`${name} ${step}`, name, args);
    await caughtUp(target.port);
  };

  const topics = (step: string, ...args: string[]) => changing(step, 'kafka-topics', args);
  await topics(
    '--create',
    '--create',
    '--topic',
    'orders',
    '--partitions',
    '3',
    '--config',
    'retention.ms=3600000',
  );
  await topics('--create again', '--create', '--topic', 'orders');
  await topics('--create --if-not-exists', '--create', '--topic', 'orders', '--if-not-exists');
  await topics('--create name not allowed', '--create', '--topic', 'a/b');
  await topics('--create name with a dot', '--create', '--topic', 'with.dot');
  await topics('--create too many replicas', '--create', '--topic', 'r', '--replication-factor', '2');
  await topics('--create wrong config', '--create', '--topic', 'r', '--config', 'retention.ms=x');
  await topics('--create with an assignment', '--create', '--topic', 'placed', '--replica-assignment', '1,1');
  await topics('--create on an unknown broker', '--create', '--topic', 'r', '--replica-assignment', '1,7');
  await topics('--create from defaults', '--create', '--topic', 'defaults');
  await topics('--list', '--list');
  await topics('--describe', '--describe', '--topic', 'orders');
  await topics('--describe all', '--describe');
  await topics('--describe unknown', '--describe', '--topic', 'never-was');
  await topics('--describe --topics-with-overrides', '--describe', '--topics-with-overrides');
  await topics('--describe --unavailable-partitions', '--describe', '--unavailable-partitions');
  await topics('--alter', '--alter', '--topic', 'orders', '--partitions', '4');
  await topics('--alter, fewer', '--alter', '--topic', 'orders', '--partitions', '2');
  await topics('--alter unknown', '--alter', '--topic', 'never-was', '--partitions', '2');
  await topics('--describe after --alter', '--describe', '--topic', 'orders');

  const configs = (step: string, ...args: string[]) => changing(step, 'kafka-configs', args);
  const orders = ['--entity-type', 'topics', '--entity-name', 'orders'];
  await configs('describe topic', '--describe', ...orders);
  await configs(
    'alter topic',
    '--alter',
    ...orders,
    '--add-config',
    'cleanup.policy=[compact,delete],segment.bytes=1048576',
  );
  await configs('describe altered topic', '--describe', ...orders);
  await configs('delete from topic', '--alter', ...orders, '--delete-config', 'retention.ms,cleanup.policy');
  await configs('describe all of topic', '--describe', '--all', ...orders);
  await configs('alter topic wrongly', '--alter', ...orders, '--add-config', 'retention.ms=never');
  await configs('alter topic, unknown setting', '--alter', ...orders, '--add-config', 'no.such=1');
  await configs(
    'describe unknown topic',
    '--describe',
    '--entity-type',
    'topics',
    '--entity-name',
    'never-was',
  );
  const broker = ['--entity-type', 'brokers', '--entity-name', '1'];
  await configs('describe broker', '--describe', ...broker);
  await configs('alter broker', '--alter', ...broker, '--add-config', 'log.cleaner.threads=2');
  await configs('describe altered broker', '--describe', ...broker);
  await configs('delete from broker', '--alter', ...broker, '--delete-config', 'log.cleaner.threads');
  const all = ['--entity-type', 'brokers', '--entity-default'];
  await configs('alter all brokers', '--alter', ...all, '--add-config', 'message.max.bytes=2000000');
  await configs('describe all brokers', '--describe', ...all);
  await configs('describe broker under a default', '--describe', ...broker);
  await configs('alter broker, read-only', '--alter', ...broker, '--add-config', 'node.id=5');
  await configs('delete from all brokers', '--alter', ...all, '--delete-config', 'message.max.bytes');
  await tool('kafka-configs describe --all broker', 'kafka-configs', ['--describe', '--all', ...broker], {
    reduce: (printed) => brokerConfigs(printed.stdout.replaceAll(target.dataDir, '<data>')),
  });

  for (const codec of CODECS) await makeTopics(target.port, [{ name: `console-${codec}` }]);
  const input = `${Array.from({ length: 100 }, (_, i) => `a:${i}\tkey-${i}\tvalue ${i}`).join('\n')}\n`;
  const parse = ['parse.headers=true', 'parse.key=true'].flatMap((p) => ['--reader-property', p]);
  const print = ['timestamp', 'offset', 'partition', 'headers', 'key', 'value'];
  const show = print.flatMap((p) => ['--formatter-property', `print.${p}=true`]);
  for (const codec of CODECS) {
    const topic = `console-${codec}`;
    const produce = ['--topic', topic, '--compression-codec', codec, ...parse];
    await tool(`kafka-console-producer ${codec}`, 'kafka-console-producer', produce, { input });
    const consume = ['--topic', topic, '--partition', '0', '--offset', 'earliest', '--max-messages', '100'];
    const args = [...consume, '--timeout-ms', '180000', ...show];
    await tool(`kafka-console-consumer ${codec}`, 'kafka-console-consumer', args);
  }
  const fromFive = ['--topic', 'console-none', '--partition', '0', '--offset', '95', '--max-messages', '5'];
  await tool('kafka-console-consumer from an offset', 'kafka-console-consumer', fromFive);
  const acksOne = [
    '--topic',
    'orders',
    '--producer-property',
    'acks=1',
    '--producer-property',
    'enable.idempotence=false',
  ];
  await tool('kafka-console-producer acks=1', 'kafka-console-producer', acksOne, { input: 'x\n' });

  const offsets = (step: string, ...args: string[]): Promise<void> =>
    tool(`kafka-get-offsets ${step}`, 'kafka-get-offsets', args);
  await offsets('latest', '--topic-partitions', 'console-none,console-zstd:0');
  await offsets('earliest', '--topic', 'console-.*', '--time', 'earliest');
  await tool(
    'kafka-get-offsets max timestamp',
    'kafka-get-offsets',
    ['--topic', 'console-none', '--time', 'max-timestamp'],
    {
      reduce: ({ code, stdout }) => ({ code, stdout: stdout.replace(/\d+$/m, '<offset>') }), // ties within a millisecond
    },
  );
  await offsets('a time behind all', '--topic', 'console-none', '--time', '4000000000000');
  await offsets('a time before all', '--topic', 'console-none', '--time', '1000');
  await offsets('unknown topic', '--topic', 'never-was');

  const perf = ['--topic', 'placed', '--num-records', '20000', '--record-size', '100', '--throughput', '-1'];
  await tool('kafka-producer-perf-test', 'kafka-producer-perf-test', perf, {
    reduce: ({ code, stdout }) => ({ code, last: /^\d+ records sent/m.exec(stdout)?.[0] }),
  });
  await tool('kafka-get-offsets after the perf test', 'kafka-get-offsets', ['--topic', 'placed'], {
    reduce: ({ stdout }) => [...stdout.matchAll(/:(\d+)$/gm)].reduce((sum, m) => sum + Number(m[1]), 0),
  });

  const quorum = (step: string, ...args: string[]): Promise<void> =>
    tool(`kafka-metadata-quorum ${step}`, 'kafka-metadata-quorum', ['describe', ...args], {
      reduce: quorumOf,
    });
  await quorum('--status', '--status');
  await quorum('--replication', '--replication');
  await quorum('--replication --human-readable', '--replication', '--human-readable');
  await tool(
    'kafka-log-dirs',
    'kafka-log-dirs',
    ['--describe', '--topic-list', 'console-none,console-gzip,console-zstd'],
    {
      reduce: (printed) => logDirs(printed, target.dataDir),
    },
  );
  await tool(
    'kafka-log-dirs of an unknown topic',
    'kafka-log-dirs',
    ['--describe', '--topic-list', 'never-was'],
    {
      reduce: (printed) => logDirs(printed, target.dataDir),
    },
  );
  await tool('kafka-features describe', 'kafka-features', ['describe'], { reduce: features });
  await tool('kafka-broker-api-versions', 'kafka-broker-api-versions', [], { reduce: apiVersions });

  await topics('--delete', '--delete', '--topic', 'orders');
  await topics('--delete unknown', '--delete', '--topic', 'orders');
  await topics('--delete --if-exists', '--delete', '--topic', 'orders', '--if-exists');
  await topics('--create after --delete', '--create', '--topic', 'orders', '--partitions', '1');
  await topics('--list at the end', '--list');
  return seen;
}

/** Without ids, times and stack frames' line numbers; what Apache lists in any order, sorted. */
function calm(text: string): string {
  const lines = text
    .replace(/TopicId: [\w-]{22}/g, 'TopicId: <id>')
    .replace(/CreateTime:\d+/g, 'CreateTime:<time>')
    .replace(/^\[\d{4}-[^\]]*\] /gm, '')
    .replace(/\t?at [\w.$/<>]+\(.*\)\n/g, '')
    .replace(/^\t\.\.\. \d+ more\n/gm, '')
    .split('\n');
  return isUnordered(lines) ? inBlocks(lines).sort().join('\n') : lines.join('\n');
}

const isUnordered = (lines: readonly string[]): boolean =>
  lines.some((line) => /^(Topic: | {2}[\w.]+=|[\w.-]+:\d+:)/.test(line));

/** A topic with its partitions, or a line. */
function inBlocks(lines: readonly string[]): string[] {
  const blocks: string[] = [];
  for (const line of lines) {
    if (line === '') continue;
    if (/^\tTopic: /.test(line))
      blocks[blocks.length - 1] += `\n${line.replace(/Configs: (.*)/, sortedConfigs)}`;
    else blocks.push(line.replace(/Configs: (.*)/, sortedConfigs));
  }
  return blocks;
}

const sortedConfigs = (_: string, configs: string): string =>
  `Configs: ${configs.split(',').sort().join(',')}`;

/** Settings by name, as the tool prints them for the broker. */
function brokerConfigs(stdout: string): Record<string, string> {
  const entries = [...stdout.matchAll(/^ {2}([\w.]+)=(.*)$/gm)].map((m) => [m[1] ?? '', m[2] ?? ''] as const);
  return Object.fromEntries(entries);
}

function quorumOf({ code, stdout, stderr }: Printed): unknown {
  return {
    code,
    stderr,
    stdout: stdout
      .replace(/^ClusterId:.*$/m, 'ClusterId: <id>')
      .replace(/[\w-]{22}/g, '<directory>')
      .replace(/\b\d{13}\b/g, '<time>')
      .replace(/\b\d+ ms ago/g, '<n> ms ago')
      .replace(/^(LeaderEpoch|HighWatermark|MaxFollowerLag|MaxFollowerLagTimeMs):\s+\d+$/gm, '$1: <n>')
      .replace(/^(\d+\s+\S+\s+)\d+(\s)/gm, '$1<n>$2')
      .replace(/[ \t]+/g, ' '),
  };
}

function logDirs({ code, stdout, stderr }: Printed, dataDir: string): unknown {
  const json = stdout.split('\n').find((line) => line.startsWith('{'));
  const found = JSON.parse(json ?? '{}', (key, value: unknown) => {
    if (key === 'logDir') return value === dataDir ? '<data>' : value;
    if (key === 'size') return typeof value === 'number' && value > 0 ? '<size>' : value; // batching depends on time
    if (key === 'partitions' && Array.isArray(value)) {
      return (value as { partition: string }[]).sort((a, b) => (a.partition < b.partition ? -1 : 1));
    }
    return value;
  }) as unknown;
  return { code, stderr, found };
}

function features({ stdout }: Printed): { name: string; text: string }[] {
  return [...stdout.matchAll(/^Feature: (\S+)\s+(.*?)\s+Epoch: \d+$/gm)]
    .map((m) => ({ name: m[1] ?? '', text: (m[2] ?? '').replace(/\s+/g, ' ') }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The version the tool's client would use, by API. */
function apiVersions({ stdout }: Printed): Record<string, string> {
  return Object.fromEntries(
    [...stdout.matchAll(/^\s+(\w+\(\d+\)): .*\[usable: (\d+)\]/gm)].map((m) => [m[1] ?? '', m[2] ?? '']),
  );
}

const jdk = (await isInstalled('javac')) ? undefined : 'javac (a JDK, 17 or newer) is not installed';

await compareBrokers({
  title: 'the official Java tools',
  missing: (await apacheMissing()) ?? jdk,
  observe,
  expectations(seen) {
    const of = (step: string): Printed => seen[step] as Printed;
    expect(of('kafka-topics --create').stdout).toContain('Created topic orders.');
    expect(of('kafka-topics --describe after --alter').stdout).toContain('PartitionCount: 4');
    expect(of('kafka-topics --alter, fewer').code).toBe(1);
    for (const codec of CODECS) {
      expect(of(`kafka-console-producer ${codec}`)).toMatchObject({ code: 0, stderr: '' });
      const lines = of(`kafka-console-consumer ${codec}`).stdout.trim().split('\n');
      expect(lines.length).toBe(100);
      expect(lines[42]).toBe('CreateTime:<time>\tPartition:0\tOffset:42\ta:42\tkey-42\tvalue 42');
    }
    expect(of('kafka-get-offsets latest').stdout).toContain('console-none:0:100');
    expect(seen['kafka-get-offsets after the perf test']).toBe(20_000);
    expect(seen['kafka-producer-perf-test']).toEqual({ code: 0, last: '20000 records sent' });
    expect(of('kafka-metadata-quorum --status').code).toBe(0);
    expect(seen['kafka-features describe']).toContainEqual(
      expect.objectContaining({ name: 'metadata.version' }),
    );
    expect(of('kafka-topics --delete unknown').code).toBe(1);
  },
});
