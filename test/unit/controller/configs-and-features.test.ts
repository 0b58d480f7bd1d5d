import { beforeEach, expect, test } from 'vitest';
import { Errors } from '../../../src/protocol/errors.ts';
import { Cluster } from './support.ts';

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start();
  await cluster.create([cluster.topic('a')]);
});

const set = (name: string, value: string | null, configOperation = 0) => ({ name, value, configOperation });
const topicConfigs = () => Object.fromEntries(cluster.publisher.image.configOf(2, 'a'));

test('SET, APPEND, SUBTRACT and DELETE change one setting each', async () => {
  await cluster.alter(2, 'a', [set('cleanup.policy', 'compact'), set('retention.ms', '5')]);
  await cluster.alter(2, 'a', [set('cleanup.policy', 'delete', 2)]);
  expect(topicConfigs()).toEqual({ 'cleanup.policy': 'compact,delete', 'retention.ms': '5' });
  await cluster.alter(2, 'a', [set('cleanup.policy', 'compact', 3), set('retention.ms', null, 1)]);
  expect(topicConfigs()).toEqual({ 'cleanup.policy': 'delete' });
});

test('APPEND starts from the default', async () => {
  await cluster.alter(2, 'a', [set('cleanup.policy', 'compact', 2)]);
  expect(topicConfigs()).toEqual({ 'cleanup.policy': 'delete,compact' });
});

test('the old AlterConfigs resets what it does not name', async () => {
  await cluster.alter(2, 'a', [set('retention.ms', '5'), set('segment.bytes', '1048576')]);
  await cluster.ok(cluster.controller.alterConfigs, {
    resources: [{ resourceType: 2, resourceName: 'a', configs: [{ name: 'retention.ms', value: '6' }] }],
    validateOnly: false,
  });
  expect(topicConfigs()).toEqual({ 'retention.ms': '6' });
});

test.each([
  [
    2,
    'nope',
    [set('retention.ms', '1')],
    Errors.UNKNOWN_TOPIC_OR_PARTITION,
    "The topic 'nope' does not exist.",
  ],
  [2, '', [set('retention.ms', '1')], Errors.INVALID_REQUEST, 'Default topic resources are not allowed.'],
  [2, 'a', [set('nope', '1')], Errors.INVALID_CONFIG, 'Unknown topic config name: nope'],
  [
    2,
    'a',
    [set('retention.ms', '1', 2)],
    Errors.INVALID_CONFIG,
    "Can't APPEND to key retention.ms because its type is not LIST.",
  ],
  [
    2,
    'a',
    [set('retention.ms', null)],
    Errors.INVALID_REQUEST,
    'Null value not supported for : retention.ms',
  ],
  [
    2,
    'a',
    [set('retention.ms', '1'), set('retention.ms', '2')],
    Errors.INVALID_REQUEST,
    'Error due to duplicate config keys',
  ],
  [2, 'a', [set('retention.ms', '1', 9)], Errors.INVALID_REQUEST, 'Unknown operations type 9'],
  [4, '2', [], Errors.INVALID_REQUEST, 'Unexpected broker id, expected 1, but received 2'],
  [4, 'x', [], Errors.INVALID_REQUEST, 'Node id must be an integer, but it is: x'],
  [77, 'x', [], Errors.INVALID_REQUEST, 'Unknown resource type 77'],
])(
  'resource %i %j with %j is refused and changes nothing',
  async (type, name, configs, errorCode, errorMessage) => {
    const before = cluster.raft.nextOffset;
    expect((await cluster.alter(type, name, configs)).responses).toMatchObject([{ errorCode, errorMessage }]);
    expect(cluster.raft.nextOffset).toBe(before);
  },
);

test('one bad resource does not hold back the others; a resource named twice is refused', async () => {
  const resource = (resourceName: string, value: string) => ({
    resourceType: 2,
    resourceName,
    configs: [set('retention.ms', value)],
  });
  await cluster.create([cluster.topic('b')]);
  const { responses } = await cluster.ok(cluster.controller.incrementalAlterConfigs, {
    resources: [resource('a', '1'), resource('b', 'x'), resource('nope', '1')],
    validateOnly: false,
  });
  expect(responses.map((one) => one.errorCode)).toEqual([
    0,
    Errors.INVALID_CONFIG,
    Errors.UNKNOWN_TOPIC_OR_PARTITION,
  ]);
  expect(topicConfigs()).toEqual({ 'retention.ms': '1' });
  const twice = await cluster.ok(cluster.controller.incrementalAlterConfigs, {
    resources: [resource('a', '1'), resource('a', '2')],
    validateOnly: false,
  });
  expect(twice.responses.map((one) => one.errorMessage)).toEqual(
    Array(2).fill('Each resource must appear at most once.'),
  );
});

test('validateOnly says what would happen', async () => {
  await cluster.alter(2, 'a', [set('retention.ms', '5')], true);
  expect(topicConfigs()).toEqual({});
  expect((await cluster.alter(2, 'a', [set('retention.ms', 'x')], true)).responses[0]?.errorCode).toBe(
    Errors.INVALID_CONFIG,
  );
});

test('a broker is told again of a setting that it has (KAFKA-14136), a topic is not', async () => {
  for (const [type, name, key] of [
    [4, '1', 'num.io.threads'],
    [2, 'a', 'retention.ms'],
  ] as const) {
    await cluster.alter(type, name, [set(key, '8')]);
    const before = cluster.raft.nextOffset;
    await cluster.alter(type, name, [set(key, '8')]);
    expect(cluster.raft.nextOffset - before).toBe(type === 4 ? 1 : 0);
  }
});

const update = (
  feature: string,
  maxVersionLevel: number,
  upgradeType = 1,
  validateOnly = false,
  apiVersion = 1,
) =>
  cluster.ok(
    cluster.controller.updateFeatures,
    {
      timeoutMs: 1,
      featureUpdates: [{ feature, maxVersionLevel, allowDowngrade: false, upgradeType }],
      validateOnly,
    },
    { apiVersion },
  );

test('features go up, and down only where nothing is lost', async () => {
  expect(await update('group.version', 1)).toMatchObject({
    errorCode: 0,
    results: [{ feature: 'group.version', errorCode: 0 }],
  });
  expect(cluster.publisher.image.features.finalized.get('group.version')).toBe(1);
  expect((await update('group.version', 0)).errorMessage).toMatch(
    /Can't downgrade the version of this feature without/,
  );
  expect((await update('group.version', 0, 2, false, 2)).results).toEqual([]);
  expect(cluster.publisher.image.features.finalized.has('group.version')).toBe(false);
  expect((await update('metadata.version', 31)).errorCode).toBe(0);
  expect((await update('metadata.version', 30, 2)).errorCode).toBe(0);
  expect((await update('metadata.version', 29, 2)).errorMessage).toMatch(
    /Unsupported metadata.version downgrade from 30 to 29. Refusing to perform/,
  );
  expect((await update('metadata.version', 99)).errorMessage).toMatch(
    /Local controller only supports versions 7-33/,
  );
  expect((await update('share.version', 1)).errorMessage).toMatch(/does not support this feature/);
  expect((await update('kraft.version', 0, 2)).errorCode).toBe(Errors.INVALID_UPDATE_VERSION);
});

test('validateOnly of features changes nothing', async () => {
  expect((await update('group.version', 1, 1, true)).errorCode).toBe(0);
  expect(cluster.publisher.image.features.finalized.has('group.version')).toBe(false);
});

test('eligible leader replicas fix min.insync.replicas for the cluster', async () => {
  await update('eligible.leader.replicas.version', 1);
  expect(cluster.publisher.image.configOf(4, '').get('min.insync.replicas')).toBe('1');
  const refused = await cluster.alter(4, '1', [set('min.insync.replicas', '2')]);
  expect(refused.responses[0]?.errorMessage).toBe(
    'Broker-level min.insync.replicas cannot be altered while ELR is enabled.',
  );
});
