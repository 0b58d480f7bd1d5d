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
  [2, 'nope', [set('retention.ms', '1')], Errors.UNKNOWN_TOPIC_OR_PARTITION, 'There is no topic nope.'],
  [2, '', [set('retention.ms', '1')], Errors.INVALID_REQUEST, /needs a name/],
  [2, 'a', [set('nope', '1')], Errors.INVALID_CONFIG, /no setting nope/],
  [2, 'a', [set('retention.ms', '1', 2)], Errors.INVALID_CONFIG, /retention\.ms: APPEND works on lists only/],
  [2, 'a', [set('retention.ms', null)], Errors.INVALID_REQUEST, /No value .* retention\.ms/],
  [2, 'a', [set('retention.ms', '1'), set('retention.ms', '2')], Errors.INVALID_REQUEST, /named twice/],
  [2, 'a', [set('retention.ms', '1', 9)], Errors.INVALID_REQUEST, /retention\.ms: there is no operation 9/],
  [4, '2', [], Errors.INVALID_REQUEST, /This is broker 1; .* 2/],
  [4, 'x', [], Errors.INVALID_REQUEST, /by its number, not x/],
  [77, 'x', [], Errors.INVALID_REQUEST, /resource type 77/],
])(
  'resource %i %j with %j is refused and changes nothing',
  async (type, name, configs, errorCode, errorMessage) => {
    const before = cluster.raft.nextOffset;
    const text = expect.stringMatching(errorMessage);
    const { responses } = await cluster.alter(type, name, configs);
    expect(responses).toMatchObject([{ errorCode, errorMessage: text }]);
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
    Array(2).fill(expect.stringMatching(/twice/)),
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
    /group\.version can't go to 0: it is at 1, .* downgrade/,
  );
  expect((await update('group.version', 0, 2, false, 2)).results).toEqual([]);
  expect(cluster.publisher.image.features.finalized.has('group.version')).toBe(false);
  expect((await update('metadata.version', 31)).errorCode).toBe(0);
  expect((await update('metadata.version', 30, 2)).errorCode).toBe(0);
  expect((await update('metadata.version', 29, 2)).errorMessage).toMatch(
    /metadata\.version stays at 30: .* since 29 would be lost/,
  );
  expect((await update('metadata.version', 99)).errorMessage).toMatch(/this controller knows 7 to 33 only/);
  expect((await update('share.version', 1)).errorMessage).toMatch(
    /share\.version can't go to 1: .* does not know it/,
  );
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
    'min.insync.replicas is one for all brokers while eligible.leader.replicas.version is above 0.',
  );
});
