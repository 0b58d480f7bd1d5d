import { expect } from 'vitest';
import { AlterConfigsRequest, AlterConfigsResponse } from '../../src/protocol/messages/alter-configs.ts';
import {
  DescribeConfigsRequest,
  DescribeConfigsResponse,
} from '../../src/protocol/messages/describe-configs.ts';
import {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../../src/protocol/messages/incremental-alter-configs.ts';
import { WireClient } from '../integration/wire-client.ts';
import { hasCaughtUp } from './support/caught-up.ts';
import { compareBrokers, type Observations } from './support/compare.ts';
import type { Target } from './support/target.ts';
import { makeTopics } from './support/wire.ts';

/** Dynamic settings over the wire: what is taken, what is refused and how, and what DescribeConfigs says afterwards. */

const TOPIC = 2;
const BROKER = 4;
const [SET, DELETE, APPEND, SUBTRACT] = [0, 1, 2, 3];

const SIGNS = [':=', ' deleted ', '+=', '-='];

type Change = readonly [name: string, value: string | null, operation?: number];

/** Changes that are refused by both, or taken by both; the next one finds what the earlier ones left. */
const CHANGES: readonly (readonly [resource: string, ...Change[]])[] = [
  ...['', '1'].flatMap((broker): [string, ...Change[]][] => [
    [broker, ['no.such.setting', '1']],
    [broker, ['node.id', '7']],
    [broker, ['log.dirs', '/x'], ['process.roles', 'broker']],
    [broker, ['connections.max.idle.ms', '1000']],
    [broker, ['max.incremental.fetch.session.cache.slots', '10']],
    [broker, ['socket.request.max.bytes', '10000']],
    [broker, ['log.retention.hours', '1']],
    [broker, ['message.max.bytes', 'many']],
    [broker, ['message.max.bytes', '-1']],
    [broker, ['message.max.bytes', '2147483648']],
    [broker, ['message.max.bytes', ' 1000012 ']],
    [broker, ['log.retention.ms', '9223372036854775807']],
    [broker, ['log.retention.ms', '9223372036854775808']],
    [broker, ['log.retention.ms', '0']],
    [broker, ['log.roll.ms', '0']],
    [broker, ['log.roll.jitter.ms', '-1']],
    [broker, ['log.cleaner.min.compaction.lag.ms', '10'], ['log.cleaner.max.compaction.lag.ms', '5']],
    [
      broker,
      ['log.cleaner.min.compaction.lag.ms', null, DELETE],
      ['log.cleaner.max.compaction.lag.ms', null, DELETE],
    ],
    [broker, ['log.local.retention.ms', '9000000'], ['log.retention.ms', '8000000']],
    [broker, ['log.local.retention.bytes', '9000'], ['log.retention.bytes', '8000']],
    [broker, ['log.local.retention.bytes', '-1'], ['log.retention.bytes', '8000']],
    [broker, ['log.cleanup.policy', 'compact'], ['log.cleaner.threads', '2']],
    [broker, ['log.cleanup.policy', 'shred']],
    [broker, ['log.cleanup.policy', 'delete', APPEND]],
    [broker, ['log.cleanup.policy', 'delete', APPEND]],
    [broker, ['log.cleanup.policy', 'compact', SUBTRACT]],
    [broker, ['log.cleanup.policy', 'compact', SUBTRACT]],
    [broker, ['message.max.bytes', '1', APPEND]],
    [broker, ['no.such.setting', '1', APPEND]],
    [broker, ['log.cleaner.threads', '0']],
    [broker, ['log.cleaner.threads', '100']],
    [broker, ['log.cleaner.dedupe.buffer.size', '1000']],
    [broker, ['log.cleaner.io.max.bytes.per.second', '1e6']],
    [broker, ['log.cleaner.min.cleanable.ratio', '1.5']],
    [broker, ['num.io.threads', '16']],
    [broker, ['num.io.threads', '64']],
    [broker, ['num.io.threads', '1']],
    [broker, ['num.network.threads', '6']],
    [broker, ['num.network.threads', '100']],
    [broker, ['num.replica.fetchers', '0']],
    [broker, ['background.threads', '11']],
    [broker, ['remote.log.reader.threads', '100']],
    [broker, ['remote.log.manager.copy.max.bytes.per.second', '0']],
    [broker, ['max.connections', '900']],
    [broker, ['max.connections', '-1']],
    [broker, ['max.connections.per.ip', '0']],
    [broker, ['max.connections.per.ip', '100'], ['max.connections.per.ip.overrides', '127.0.0.1:50']],
    [broker, ['max.connections.per.ip.overrides', 'nonsense']],
    [broker, ['max.connections.per.ip.overrides', '127.0.0.1:-2']],
    [broker, ['max.connections.per.ip.overrides', '127.0.0.1:51']],
    [broker, ['max.connection.creation.rate', '500']],
    [broker, ['compression.type', 'brotli']],
    [broker, ['compression.type', 'gzip'], ['compression.gzip.level', '0']],
    [broker, ['compression.zstd.level', '7']],
    [broker, ['unclean.leader.election.enable', 'maybe']],
    [broker, ['unclean.leader.election.enable', 'TRUE']],
    [broker, ['leader.replication.throttled.rate', '1000']],
    [broker, ['leader.replication.throttled.rate', '-1']],
    [broker, ['log.preallocate', 'yes']],
    [broker, ['log.segment.bytes', '14']],
    [broker, ['log.message.timestamp.type', 'LogAppendTime']],
    [broker, ['ssl.keystore.location', '/x']],
    [broker, ['sasl.enabled.mechanisms', 'PLAIN']],
    [broker, ['principal.builder.class', 'x.Y']],
    [broker, ['listener.name.plaintext.ssl.keystore.type', 'PEM']],
    [broker, ['listener.name.plaintext.max.connections', '77']],
    [broker, ['listener.name.plaintext.max.connections', 'x']],
    [broker, ['listener.name.plaintext.max.connection.creation.rate', '88']],
    [broker, ['listener.name.plaintext.num.network.threads', '3']],
    [broker, ['listener.name.plaintext.num.partitions', '3']],
    [broker, ['listener.name.nobody.max.connections', '5']],
    [broker, ['listener.security.protocol.map', 'PLAINTEXT:SSL,CONTROLLER:PLAINTEXT']],
    [broker, ['listeners', 'nonsense']],
    [broker, ['cordoned.log.dirs', '/nowhere']],
    [broker, ['cordoned.log.dirs', '']],
    [broker, ['min.insync.replicas', '2']],
    [broker, ['min.insync.replicas', null, DELETE]],
    [broker, ['producer.id.expiration.ms', '1000']],
    [broker, ['transaction.partition.verification.enable', 'false']],
    [broker, ['group.consumer.assignment.interval.ms', '500']],
    [broker, ['group.coordinator.cached.buffer.max.bytes', '1']],
    [broker, ['config.providers', 'env']],
    [broker, ['num.partitions', null, DELETE]],
    [broker, ['never.was', null, DELETE]],
    [broker, ['message.max.bytes', null]],
    [broker, ['message.max.bytes', '1', 9]],
    [broker, ['message.max.bytes', '1'], ['message.max.bytes', '2']],
  ]),
  ['2', ['message.max.bytes', '1']],
  ['x', ['message.max.bytes', '1']],
  ['+1', ['log.index.interval.bytes', '5000']],
  ['01', ['log.index.interval.bytes', '5000']],
];

/** Partitions of broker 1, of which 5,000 do not fit into one setting. */
function replicas(from: number, count: number): string {
  return Array.from({ length: count }, (_, at) => `${from + at}:1`).join(',');
}

/** Changes of one topic's own settings. */
const TOPIC_CHANGES: readonly (readonly Change[])[] = [
  [['no.such.setting', '1']],
  [['log.retention.ms', '1']],
  [['retention.ms', 'never']],
  [['retention.ms', '-2']],
  [['retention.ms', '9223372036854775807']],
  [['retention.ms', '9223372036854775808']],
  [
    ['retention.ms', '-1'],
    ['retention.bytes', '-7'],
  ],
  [
    ['min.compaction.lag.ms', '10'],
    ['max.compaction.lag.ms', '5'],
  ],
  [
    ['local.retention.ms', '9000'],
    ['retention.ms', '8000'],
  ],
  [
    ['local.retention.bytes', '9000'],
    ['retention.bytes', '8000'],
  ],
  [['remote.storage.enable', 'true']],
  [['remote.log.copy.disable', 'true']],
  [['remote.log.delete.on.disable', 'true']],
  [['segment.bytes', '14']],
  [['segment.bytes', '1048576']],
  [['internal.segment.bytes', '1000']],
  [['segment.ms', '0']],
  [['segment.jitter.ms', '-1']],
  [['segment.index.bytes', '3']],
  [['cleanup.policy', 'shred']],
  [['cleanup.policy', 'compact', APPEND]],
  [['cleanup.policy', 'compact,delete', SUBTRACT]],
  [['cleanup.policy', 'compact,delete,compact']],
  [['cleanup.policy', '']],
  [['cleanup.policy', ',']],
  [['compression.type', 'none']],
  [['compression.type', 'zstd']],
  [['compression.gzip.level', '0']],
  [['compression.lz4.level', '18']],
  [['compression.zstd.level', '-131073']],
  [['max.message.bytes', '-1']],
  [['max.message.bytes', ' 77 ']],
  [['max.message.bytes', '1', APPEND]],
  [['message.timestamp.type', 'createtime']],
  [['message.timestamp.after.max.ms', '-1']],
  [['min.cleanable.dirty.ratio', '1.1']],
  [['min.cleanable.dirty.ratio', '.25']],
  [['min.insync.replicas', '0']],
  [['preallocate', 'yes']],
  [['preallocate', 'TRUE']],
  [['flush.ms', '']],
  [['leader.replication.throttled.replicas', '0:1']],
  [['leader.replication.throttled.replicas', '1:1', APPEND]],
  [['leader.replication.throttled.replicas', 'x']],
  [['follower.replication.throttled.replicas', '*']],
  [['unclean.leader.election.enable', 'true']],
  [['flush.messages', null]],
  [['flush.messages', null, DELETE]],
  [['never.was', null, DELETE]],
  [['flush.messages', '5', 7]],
  [
    ['flush.messages', '5'],
    ['flush.messages', '6'],
  ],
  [['flush.messages', 'x'.repeat(32_000)]],
  [['leader.replication.throttled.replicas', replicas(0, 4000)]],
  [['leader.replication.throttled.replicas', replicas(4000, 2000), APPEND]],
];

const entity = (resourceType: number, resourceName: string) => ({ resourceType, resourceName });

interface Answered {
  readonly errorCode: number;
  readonly errorMessage: string | null;
}

async function alter(
  client: WireClient,
  type: number,
  resourceName: string,
  changes: readonly Change[],
): Promise<readonly Answered[]> {
  const configs = changes.map(([name, value, configOperation = SET]) => ({
    name,
    value,
    configOperation: configOperation ?? 0,
  }));
  const body = { resources: [{ ...entity(type, resourceName), configs }], validateOnly: false };
  const answer = await client.request(
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
    1,
    body,
  );
  return answer.responses.map(({ errorCode, errorMessage }) => ({ errorCode, errorMessage }));
}

async function replace(
  client: WireClient,
  resourceName: string,
  changes: readonly Change[],
): Promise<readonly Answered[]> {
  const configs = changes.map(([name, value]) => ({ name, value }));
  const body = { resources: [{ ...entity(BROKER, resourceName), configs }], validateOnly: false };
  const answer = await client.request(AlterConfigsRequest, AlterConfigsResponse, 2, body);
  return answer.responses.map(({ errorCode, errorMessage }) => ({ errorCode, errorMessage }));
}

const shown = (changes: readonly Change[]): string =>
  changes
    .map(([key, value, operation = 0]) => `${key}${SIGNS[operation] ?? '?'}${value?.slice(0, 40)}`)
    .join(' ');

interface Asked {
  readonly version?: number;
  readonly keys?: string[] | null;
  readonly synonyms?: boolean;
  readonly documentation?: boolean;
}

/** By name; of the documentation only whether there is any. */
async function describeOne(client: WireClient, type: number, name: string, asked: Asked = {}) {
  const { version = 4, keys = null, synonyms = true, documentation = false } = asked;
  const answer = await client.request(DescribeConfigsRequest, DescribeConfigsResponse, version, {
    resources: [{ ...entity(type, name), configurationKeys: keys }],
    includeSynonyms: synonyms,
    includeDocumentation: documentation && version >= 3,
  });
  return answer.results.map(({ errorCode, errorMessage, configs }) => ({
    errorCode,
    errorMessage,
    configs: Object.fromEntries(
      [...configs]
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map((entry) => [entry.name, { ...entry, documentation: typeof entry.documentation }]),
    ),
  }));
}

async function observe(target: Target): Promise<Observations> {
  const seen: Observations = {};
  const client = await WireClient.open(target.bootstrap);
  const calm = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value).replaceAll(target.dataDir, '<data>'));
  const describe = async (step: string, type: number, name: string, asked: Asked = {}): Promise<void> => {
    seen[`describe ${step}`] = calm(await describeOne(client, type, name, asked));
  };
  await makeTopics(target.port, [{ name: 'plain' }, { name: 'tuned' }]);
  for (const version of [1, 2, 3, 4]) {
    await describe(`the broker, v${version}`, BROKER, '1', { version, documentation: true });
    await describe(`a topic, v${version}`, TOPIC, 'plain', { version, documentation: true });
  }
  await describe('the broker without synonyms', BROKER, '1', { synonyms: false });
  await describe('all brokers', BROKER, '');
  await describe('some settings', BROKER, '1', {
    keys: ['log.roll.ms', 'log.roll.hours', 'no.such', 'foo.bar'],
  });
  await describe('no settings', BROKER, '1', { keys: [] });
  await describe('internal settings', BROKER, '1', { keys: ['unstable.api.versions.enable'] });
  await describe('another broker', BROKER, '2');
  await describe('a broker by no number', BROKER, 'x');
  await describe('an unknown topic', TOPIC, 'never-was');
  await describe('a topic whose name is not allowed', TOPIC, 'a/b');
  await describe('a topic without a name', TOPIC, '');
  await describe('an unknown type', 3, 'x');
  for (const [at, [name, ...changes]] of CHANGES.entries()) {
    const step = `change ${at + 1} of ${name === '' ? 'all' : name}: ${shown(changes)}`;
    const answers = await alter(client, BROKER, name, changes);
    seen[step] = calm(answers);
    // Apache's broker checks the next change against its own settings.
    if (answers.every(({ errorCode }) => errorCode === 0)) await hasCaughtUp(client);
  }
  for (const [at, changes] of TOPIC_CHANGES.entries()) {
    const step = `change ${at + 1} of a topic: ${shown(changes)}`;
    seen[step] = calm(await alter(client, TOPIC, 'tuned', changes));
  }
  for (const name of ['never-was', '', 'a/b']) {
    seen[`change of the topic "${name}"`] = await alter(client, TOPIC, name, [['flush.ms', '5']]);
  }
  await hasCaughtUp(client);
  await describe('a changed topic', TOPIC, 'tuned');
  await describe('the broker after the changes', BROKER, '1');
  await describe('all brokers after the changes', BROKER, '');
  await describe('a topic after the changes', TOPIC, 'plain');
  seen['replace nothing by something'] = await replace(client, '1', [['message.max.bytes', '3000000']]);
  await hasCaughtUp(client);
  await describe('the broker after its settings were replaced', BROKER, '1');
  seen['replace with a read-only one'] = await replace(client, '1', [['node.id', '3']]);
  seen['replace with null'] = await replace(client, '1', [['message.max.bytes', null]]);
  seen['replace by nothing'] = await replace(client, '1', []);
  await hasCaughtUp(client);
  await describe('the broker after nothing was left', BROKER, '1');
  client.close();
  return seen;
}

await compareBrokers({
  title: 'dynamic settings',
  missing: undefined,
  properties: {
    'log.retention.minutes': '5000',
    'log.retention.hours': '168',
    'message.max.bytes': '1000000',
    'ssl.key.password': 'hunter2',
    'foo.bar': '1',
    'listener.name.plaintext.max.connections': '50',
    'log.cleanup.policy': ' delete , compact',
    'log.cleaner.io.buffer.load.factor': '.75',
    'num.recovery.threads.per.data.dir': '+2',
  },
  observe,
  expectations(seen) {
    const [broker] = seen['describe the broker, v4'] as { configs: Record<string, { value: unknown }> }[];
    expect(broker?.configs['message.max.bytes']).toMatchObject({ value: '1000000', configSource: 4 });
    expect(JSON.stringify(seen)).not.toContain('hunter2');
  },
});
