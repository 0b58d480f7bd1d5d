import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { apacheMissing } from './support/apache.ts';
import { caughtUp } from './support/caught-up.ts';
import { compareBrokers, type Observations } from './support/compare.ts';
import { isInstalled } from './support/run.ts';
import type { Target } from './support/target.ts';
import { JavaTools, type ToolName } from './support/tools.ts';
import { makeTopics } from './support/wire.ts';

interface Printed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one tool and keeps what it printed under the step's name. */
type Tool = (
  step: string,
  name: ToolName,
  args: readonly string[],
  options?: { input?: string; controller?: boolean; reduce?: (printed: Printed) => unknown },
) => Promise<void>;

interface Run {
  readonly tool: Tool;
  readonly target: Target;
  /** A file with this JSON in it. */
  json(value: unknown): string;
}

async function observe(target: Target): Promise<Observations> {
  const seen: Observations = {};
  const tools = await JavaTools.start();
  const folder = mkdtempSync(join(tmpdir(), 'odradek-admin-'));
  const tool: Tool = async (step, name, args, options = {}) => {
    const server = options.controller
      ? ['--bootstrap-controller', `127.0.0.1:${target.port + 1}`]
      : ['--bootstrap-server', target.bootstrap];
    const result = await tools.run(name, withServer(name, server, args), options);
    // The next one must not see a broker that did not hear yet of what this one changed.
    if (CHANGING.has(name)) await caughtUp(target.port);
    const text = (printed: string) =>
      calm(printed).replaceAll(target.dataDir, '<data>').replaceAll(folder, '<folder>');
    const printed = { code: result.code ?? -1, stdout: text(result.stdout), stderr: text(result.stderr) };
    seen[step] = options.reduce ? options.reduce(printed) : printed;
  };
  let files = 0;
  const json = (value: unknown): string => {
    const path = join(folder, `${files++}.json`);
    writeFileSync(path, JSON.stringify(value));
    return path;
  };
  try {
    const run = { tool, target, json };
    await makeTopics(target.port, [{ name: 'orders', partitions: 2 }, { name: 'other' }]);
    await records(run);
    await leadersAndReplicas(run);
    await quotas(run);
    await credentials(run);
    await aclsAndResources(run);
    await producersAndOffsets(run);
    await codecLevels(run);
    await cluster(run);
  } finally {
    await tools.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  return seen;
}

const CHANGING: ReadonlySet<ToolName> = new Set([
  'kafka-configs',
  'kafka-leader-election',
  'kafka-reassign-partitions',
]);

/** kafka-cluster wants its command first. */
const withServer = (name: ToolName, server: readonly string[], args: readonly string[]): readonly string[] =>
  name === 'kafka-cluster' ? [args[0] ?? '', ...server, ...args.slice(1)] : [...server, ...args];

async function records({ tool, json }: Run): Promise<void> {
  const input = `${Array.from({ length: 50 }, (_, i) => `value ${i}`).join('\n')}\n`;
  const plain = ['--producer-property', 'enable.idempotence=false'];
  await tool('produce', 'kafka-console-producer', ['--topic', 'other', ...plain], { input });
  const remove = (step: string, ...partitions: readonly (readonly [string, number, number])[]) => {
    const asked = partitions.map(([topic, partition, offset]) => ({ topic, partition, offset }));
    return tool(`kafka-delete-records ${step}`, 'kafka-delete-records', [
      '--offset-json-file',
      json({ partitions: asked, version: 1 }),
    ]);
  };
  const ends = (step: string, time: string) =>
    tool(`kafka-get-offsets ${step}`, 'kafka-get-offsets', ['--topic', 'other', '--time', time]);
  await remove('up to 10', ['other', 0, 10]);
  await ends('after the first deletion', 'earliest');
  await remove('again, lower', ['other', 0, 3]);
  await remove('beyond the end', ['other', 0, 51]);
  await remove('of an empty partition', ['orders', 0, 0]);
  await remove('of all', ['other', 0, -1]);
  await ends('after the last deletion', 'earliest');
  const consume = ['--topic', 'other', '--partition', '0', '--offset', 'earliest', '--timeout-ms', '1500'];
  await tool('kafka-console-consumer of nothing', 'kafka-console-consumer', consume);
  const compacted = ['--entity-type', 'topics', '--entity-name', 'other', '--add-config'];
  await tool('kafka-configs compacted', 'kafka-configs', ['--alter', ...compacted, 'cleanup.policy=compact']);
  await remove('of a compacted topic', ['other', 0, -1]);
  await tool('kafka-configs deleted', 'kafka-configs', ['--alter', ...compacted, 'cleanup.policy=delete']);
}

async function leadersAndReplicas({ tool, json, target }: Run): Promise<void> {
  const elect = (step: string, ...args: readonly string[]) =>
    tool(`kafka-leader-election ${step}`, 'kafka-leader-election', args);
  const one = ['--topic', 'orders', '--partition', '0'];
  await elect('preferred', '--election-type', 'preferred', ...one);
  await elect('unclean', '--election-type', 'unclean', ...one);
  await elect('preferred of all', '--election-type', 'preferred', '--all-topic-partitions');
  await elect('unclean of all', '--election-type', 'unclean', '--all-topic-partitions');
  await elect(
    'of an unknown topic',
    '--election-type',
    'preferred',
    '--topic',
    'never-was',
    '--partition',
    '0',
  );
  await elect(
    'of an unknown partition',
    '--election-type',
    'preferred',
    '--topic',
    'orders',
    '--partition',
    '9',
  );
  const file = json({ partitions: [{ topic: 'orders', partition: 1 }] });
  await elect('from a file', '--election-type', 'preferred', '--path-to-json-file', file);

  const reassign = (step: string, ...args: readonly string[]) =>
    tool(`kafka-reassign-partitions ${step}`, 'kafka-reassign-partitions', args);
  const plan = (topic: string, partition: number, replicas: number[], dirs?: string[]) =>
    json({ version: 1, partitions: [{ topic, partition, replicas, ...(dirs ? { log_dirs: dirs } : {}) }] });
  const toMove = json({ version: 1, topics: [{ topic: 'orders' }] });
  await reassign('--list', '--list');
  await reassign('--generate', '--generate', '--topics-to-move-json-file', toMove, '--broker-list', '1');
  const same = plan('orders', 0, [1]);
  await reassign('--execute, the same', '--execute', '--reassignment-json-file', same);
  await reassign('--verify, the same', '--verify', '--reassignment-json-file', same);
  await reassign('--cancel nothing', '--cancel', '--reassignment-json-file', same);
  await reassign(
    '--execute, unknown broker',
    '--execute',
    '--reassignment-json-file',
    plan('orders', 0, [7]),
  );
  await reassign(
    '--execute, twice the same broker',
    '--execute',
    '--reassignment-json-file',
    plan('orders', 0, [1, 1]),
  );
  await reassign(
    '--execute, unknown topic',
    '--execute',
    '--reassignment-json-file',
    plan('never-was', 0, [1]),
  );
  await reassign(
    '--execute, unknown partition',
    '--execute',
    '--reassignment-json-file',
    plan('orders', 9, [1]),
  );
  const here = plan('orders', 0, [1], [target.dataDir]);
  await reassign('--execute, the same dir', '--execute', '--reassignment-json-file', here);
  await reassign('--verify, the same dir', '--verify', '--reassignment-json-file', here);
  const elsewhere = plan('orders', 0, [1], ['/no/such/dir']);
  await reassign(
    '--execute, unknown dir',
    '--execute',
    '--timeout',
    '2000',
    '--reassignment-json-file',
    elsewhere,
  );
  await reassign(
    '--execute, no change of the replication factor',
    '--execute',
    '--disallow-replication-factor-change',
    '--reassignment-json-file',
    same,
  );
}

async function quotas({ tool }: Run): Promise<void> {
  const configs = (step: string, ...args: readonly string[]) =>
    tool(`kafka-configs ${step}`, 'kafka-configs', args);
  const user = ['--entity-type', 'users', '--entity-name', 'ann'];
  const client = ['--entity-type', 'clients', '--entity-name', 'billing'];
  const ip = ['--entity-type', 'ips', '--entity-name', '10.1.2.3'];
  const rates = 'producer_byte_rate=1024,consumer_byte_rate=2048,request_percentage=12.5';
  await configs('set quotas of a user', '--alter', ...user, '--add-config', rates);
  await configs('set quotas of a client', '--alter', ...client, '--add-config', 'controller_mutation_rate=3');
  await configs('set quotas of both', '--alter', ...user, ...client, '--add-config', 'producer_byte_rate=7');
  await configs('set quotas of an address', '--alter', ...ip, '--add-config', 'connection_creation_rate=5');
  const defaults = ['--entity-type', 'users', '--entity-default'];
  await configs('set default quotas', '--alter', ...defaults, '--add-config', 'consumer_byte_rate=99');
  await configs('describe a user', '--describe', ...user);
  await configs('describe a client', '--describe', ...client);
  await configs('describe both', '--describe', ...user, ...client);
  await configs('describe an address', '--describe', ...ip);
  await configs('describe the default', '--describe', ...defaults);
  await configs('describe all users', '--describe', '--entity-type', 'users');
  await configs(
    'describe all users and clients',
    '--describe',
    '--entity-type',
    'users',
    '--entity-type',
    'clients',
  );
  await configs('describe all clients', '--describe', '--entity-type', 'clients');
  await configs('describe all addresses', '--describe', '--entity-type', 'ips');
  // Apache Kafka would slow the consumers of later steps down.
  await configs('delete default quotas', '--alter', ...defaults, '--delete-config', 'consumer_byte_rate');
  await configs(
    'delete some quotas',
    '--alter',
    ...user,
    '--delete-config',
    'producer_byte_rate,request_percentage',
  );
  await configs('describe what is left', '--describe', ...user);
  await configs('delete what is not there', '--alter', ...user, '--delete-config', 'producer_byte_rate');
  await configs('set a quota of zero', '--alter', ...user, '--add-config', 'producer_byte_rate=0');
  await configs('set a fraction', '--alter', ...user, '--add-config', 'producer_byte_rate=1.5');
  await configs('set an unknown quota', '--alter', ...user, '--add-config', 'no_such_rate=1');
  await configs(
    'set a quota of an address wrongly',
    '--alter',
    ...ip,
    '--add-config',
    'producer_byte_rate=1',
  );
  const name = ['--entity-type', 'ips', '--entity-name', 'not an address'];
  await configs(
    'set a quota of no address',
    '--alter',
    ...name,
    '--add-config',
    'connection_creation_rate=1',
  );
}

async function credentials({ tool }: Run): Promise<void> {
  const configs = (step: string, ...args: readonly string[]) =>
    tool(`kafka-configs ${step}`, 'kafka-configs', args);
  const bob = ['--entity-type', 'users', '--entity-name', 'bob'];
  const short = 'SCRAM-SHA-256=[iterations=8192,password=secret]';
  const long = 'SCRAM-SHA-512=[password=secret]';
  await configs('set a credential', '--alter', ...bob, '--add-config', short);
  await configs('set another credential', '--alter', ...bob, '--add-config', long);
  await configs('set two credentials at once', '--alter', ...bob, '--add-config', `${short},${long}`);
  await configs('describe credentials', '--describe', ...bob);
  await configs('describe users with credentials', '--describe', '--entity-type', 'users');
  await configs('delete a credential', '--alter', ...bob, '--delete-config', 'SCRAM-SHA-256');
  await configs('describe the other credential', '--describe', ...bob);
  await configs('delete it again', '--alter', ...bob, '--delete-config', 'SCRAM-SHA-256');
  const few = 'SCRAM-SHA-256=[iterations=100,password=x]';
  const many = 'SCRAM-SHA-512=[iterations=16385,password=x]';
  await configs('too few iterations', '--alter', ...bob, '--add-config', few);
  await configs('too many iterations', '--alter', ...bob, '--add-config', many);
  await configs(
    'a user without credentials',
    '--describe',
    '--entity-type',
    'users',
    '--entity-name',
    'nobody',
  );
}

async function aclsAndResources({ tool }: Run): Promise<void> {
  const acls = (step: string, ...args: readonly string[]) => tool(`kafka-acls ${step}`, 'kafka-acls', args);
  const rule = ['--allow-principal', 'User:ann', '--operation', 'read', '--topic', 'orders'];
  await acls('--list', '--list');
  await acls('--add', '--add', ...rule);
  await acls('--remove', '--remove', '--force', ...rule);
  const metrics = (step: string, ...args: readonly string[]) =>
    tool(`kafka-client-metrics ${step}`, 'kafka-client-metrics', args);
  await metrics('--list', '--list');
  await metrics('--describe', '--describe');
  const describe = (type: string) =>
    tool(`kafka-configs describe all ${type}`, 'kafka-configs', ['--describe', '--entity-type', type]);
  await describe('topics');
  await describe('client-metrics');
  await describe('brokers');
}

async function producersAndOffsets({ tool }: Run): Promise<void> {
  await tool('produce, idempotent', 'kafka-console-producer', ['--topic', 'other'], { input: 'a\nb\nc\n' });
  const transactions = (step: string, ...args: readonly string[]) =>
    tool(
      `kafka-transactions describe-producers ${step}`,
      'kafka-transactions',
      ['describe-producers', ...args],
      {
        reduce: ({ code, stdout, stderr }) => ({ code, stderr, stdout: withoutIds(stdout) }),
      },
    );
  await transactions('of a leader', '--topic', 'other', '--partition', '0');
  await transactions('of a broker', '--topic', 'other', '--partition', '0', '--broker-id', '1');
  await transactions('of nobody', '--topic', 'orders', '--partition', '1', '--broker-id', '1');
  for (const time of ['latest', 'earliest', 'earliest-local', 'latest-tiered', 'earliest-pending-upload']) {
    const asked = ['--topic-partitions', 'other', '--time', time];
    await tool(`kafka-get-offsets ${time}`, 'kafka-get-offsets', asked);
  }
}

/** The broker compresses anew what comes plain; the official consumer must read it. */
async function codecLevels({ tool, target }: Run): Promise<void> {
  const input = `${Array.from({ length: 200 }, (_, i) => `{"id":${i},"user":"u${i % 7}"}`).join('\n')}\n`;
  const levels = { gzip: '9', lz4: '17', zstd: '19' } as const;
  for (const [codec, level] of Object.entries(levels)) {
    const topic = `as-${codec}`;
    const configs = { 'compression.type': codec, [`compression.${codec}.level`]: level };
    await makeTopics(target.port, [{ name: topic, configs }]);
    await tool(`produce for ${codec}`, 'kafka-console-producer', ['--topic', topic], { input });
    const consume = ['--topic', topic, '--partition', '0', '--offset', 'earliest', '--max-messages', '200'];
    await tool(`consume ${codec}`, 'kafka-console-consumer', [...consume, '--timeout-ms', '30000']);
  }
}

async function cluster({ tool }: Run): Promise<void> {
  const ask = (step: string, args: readonly string[], controller = false) =>
    tool(`kafka-cluster ${step}`, 'kafka-cluster', args, { controller });
  const withoutId = ({ code, stdout, stderr }: Printed) => ({
    code,
    stderr,
    stdout: stdout.replace(/[\w-]{22}/, '<id>'),
  });
  await tool('kafka-cluster cluster-id', 'kafka-cluster', ['cluster-id'], { reduce: withoutId });
  await tool('kafka-cluster cluster-id of controllers', 'kafka-cluster', ['cluster-id'], {
    controller: true,
    reduce: withoutId,
  });
  await ask('list-endpoints', ['list-endpoints']);
  await ask('list-endpoints with fenced ones', ['list-endpoints', '--include-fenced-brokers']);
  await ask('list-endpoints of controllers', ['list-endpoints'], true);
  await ask(
    'list-endpoints of a controller that is a broker',
    ['list-endpoints', '--include-fenced-brokers'],
    true,
  );
  await ask('unregister an unknown broker', ['unregister', '--id', '7']);
  await ask('unregister', ['unregister', '--id', '1']);
}

/** Without times and stack frames; the lines of tables and descriptions in one order. */
function calm(text: string): string {
  const lines = text
    .replace(/clientId=adminclient-\d+/g, 'clientId=<id>')
    .replace(/^\[\d{4}-[^\]]*\] /gm, '')
    .replace(/\t?at [\w.$/<>]+\(.*\)\n/g, '')
    .replace(/^\t\.\.\. \d+ more\n/gm, '')
    .split('\n');
  return lines.every(
    (line) => line === '' || !/^(Quota configs|SCRAM|Dynamic configs|Configs for)/.test(line),
  )
    ? lines.join('\n')
    : lines.map(sortedPairs).sort().join('\n');
}

/** `a=1, b=2` behind ` are ` in the order of the names. */
const sortedPairs = (line: string): string =>
  line.replace(/( are )(.*)$/, (_, are: string, pairs: string) => are + pairs.split(', ').sort().join(', '));

/** Producer ids and times are each broker's own. */
const withoutIds = (table: string): string =>
  table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .map((cells, row) => (row === 0 ? cells : cells.map((cell, i) => (i === 0 || i === 4 ? '<n>' : cell))))
    .map((cells) => cells.join(' '))
    .join('\n');

const jdk = (await isInstalled('javac')) ? undefined : 'javac (a JDK, 17 or newer) is not installed';

await compareBrokers({
  title: 'the official admin tools',
  missing: (await apacheMissing()) ?? jdk,
  observe,
  expectations(seen) {
    const of = (step: string): Printed => seen[step] as Printed;
    expect(of('kafka-delete-records up to 10').stdout).toContain('low_watermark: 10');
    expect(of('kafka-get-offsets after the last deletion').stdout).toContain('other:0:50');
    for (const codec of ['gzip', 'lz4', 'zstd']) {
      expect(of(`consume ${codec}`).stdout.trim().split('\n').length).toBe(200);
    }
    expect(of('kafka-acls --list').stdout).toContain('SecurityDisabledException');
    expect(of('kafka-configs describe a user').stdout).toContain('producer_byte_rate=1024');
    expect(of('kafka-configs describe credentials').stdout).toContain('iterations=8192');
    expect(of('kafka-cluster unregister').stdout).toContain('no longer registered');
  },
});
