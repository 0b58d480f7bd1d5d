import { beforeEach, expect, test } from 'vitest';
import type { Uuid } from '../../../src/base/uuid.ts';
import type { MetadataRecord } from '../../../src/metadata/records.ts';
import { Errors } from '../../../src/protocol/errors.ts';
import { dataBatches } from '../metadata/support.ts';
import { Cluster, incarnation } from './support.ts';

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start();
});

const logged = (from = 0): MetadataRecord[] =>
  dataBatches(Buffer.concat(cluster.log.batches)).flatMap((batch) =>
    batch.baseOffset >= from ? batch.entries : [],
  );
const broker = () => cluster.publisher.image.brokers.get(1);
const partition = (topic: string) => cluster.publisher.image.topicsByName.get(topic)?.partitions[0];

test('a new cluster begins as one of Apache Kafka: bootstrap in a transaction, registration, unfenced at once', () => {
  expect(logged().map((one) => `${one.type} v${one.version}`)).toEqual([
    'BeginTransactionRecord v0',
    'FeatureLevelRecord v0',
    'EndTransactionRecord v0',
    'RegisterBrokerRecord v4',
    'BrokerRegistrationChangeRecord v0',
    'BrokerRegistrationChangeRecord v3',
  ]);
  expect(broker()).toMatchObject({
    fenced: false,
    epoch: cluster.brokerEpoch,
    incarnationId: incarnation(0),
  });
  // The epoch is the offset of the registration.
  expect(cluster.brokerEpoch).toBe(6);
});

test('record versions follow an older metadata.version', async () => {
  cluster = await Cluster.start({}, { metadataVersion: 7 });
  await cluster.create([cluster.topic('a')]);
  const versions = logged().map((one) => `${one.type} v${one.version}`);
  expect(versions).toEqual([
    'FeatureLevelRecord v0',
    'RegisterBrokerRecord v1',
    'BrokerRegistrationChangeRecord v0',
    'TopicRecord v0',
    'PartitionRecord v0',
  ]);
  await cluster.restart();
  expect(cluster.publisher.image.topicsByName.get('a')?.partitions[0]?.directories).toEqual([
    'AAAAAAAAAAAAAAAAAAAAAA',
  ]);
});

test('a restart gives the leaders back in a new epoch', async () => {
  await cluster.create([cluster.topic('a')]);
  const epochBefore = cluster.brokerEpoch;
  await cluster.restart();
  expect(broker()?.fenced).toBe(false);
  await cluster.registerAndUnfence();
  expect(cluster.brokerEpoch).toBeGreaterThan(epochBefore);
  expect(broker()).toMatchObject({ incarnationId: incarnation(1), fenced: false });
  expect(partition('a')).toMatchObject({ leader: 1, isr: [1], leaderEpoch: 2 });
});

test('registering again as the same incarnation keeps the epoch', async () => {
  const again = await cluster.ok(cluster.controller.brokerRegistration, cluster.registration(0));
  expect(again.brokerEpoch).toBe(cluster.brokerEpoch);
  expect(broker()?.fenced).toBe(false);
});

test('features that Apache Kafka finalized and this broker does not serve stand in nobody’s way', async () => {
  const all = new Map([
    ['share.version', 1],
    ['streams.version', 1],
  ]);
  cluster = await Cluster.start({}, { features: all });
  expect(broker()?.fenced).toBe(false);
  expect(cluster.publisher.image.features.finalized).toEqual(all);
});

const other = Buffer.alloc(16, 9).toString('base64url') as Uuid;
test.each([
  ['another cluster', { clusterId: 'x' }, Errors.INCONSISTENT_CLUSTER_ID],
  [
    'a broker that is there and alive',
    { incarnationId: incarnation(9) },
    Errors.DUPLICATE_BROKER_REGISTRATION,
  ],
  ['no directories', { logDirs: [] }, Errors.INVALID_REGISTRATION],
  ['a directory twice', { logDirs: [other, other] }, Errors.INVALID_REGISTRATION],
  ['a reserved directory', { logDirs: ['AAAAAAAAAAAAAAAAAAAAAQ' as Uuid] }, Errors.INVALID_REGISTRATION],
  ["another broker's directory", { brokerId: 2 }, Errors.INVALID_REGISTRATION],
  ['a broker of ZooKeeper times', { isMigratingZkBroker: true }, Errors.BROKER_ID_NOT_REGISTERED],
  ['no metadata.version', { features: [] }, Errors.INVALID_REGISTRATION],
  [
    'a metadata.version that it lacks',
    { features: [{ name: 'metadata.version', minSupportedVersion: 7, maxSupportedVersion: 29 }] },
    Errors.UNSUPPORTED_VERSION,
  ],
])('%s is not registered', async (_, more, code) => {
  const request = { ...cluster.registration(0), ...more };
  expect(await cluster.ok(cluster.controller.brokerRegistration, request)).toMatchObject({
    errorCode: code,
    brokerEpoch: -1,
  });
});

test('another incarnation may take over once the session has run out', async () => {
  await cluster.world.advance(9000);
  const registered = await cluster.ok(cluster.controller.brokerRegistration, cluster.registration(5));
  expect(registered.errorCode).toBe(0);
  expect(broker()).toMatchObject({ fenced: true, incarnationId: incarnation(5) });
});

test('a broker is unfenced only when it has read its own registration', async () => {
  await cluster.ok(cluster.controller.brokerHeartbeat, cluster.heartbeat({ wantFence: true }));
  expect(broker()?.fenced).toBe(true);
  const behind = { ...cluster.heartbeat(), currentMetadataOffset: cluster.brokerEpoch - 1 };
  expect(await cluster.ok(cluster.controller.brokerHeartbeat, behind)).toMatchObject({
    isCaughtUp: false,
    isFenced: true,
  });
  expect(await cluster.ok(cluster.controller.brokerHeartbeat, cluster.heartbeat())).toMatchObject({
    isCaughtUp: true,
    isFenced: false,
  });
});

test('a wrong epoch is stale', async () => {
  const stale = cluster.heartbeat({}, 1, cluster.brokerEpoch + 1);
  expect((await cluster.ok(cluster.controller.brokerHeartbeat, stale)).errorCode).toBe(
    Errors.STALE_BROKER_EPOCH,
  );
});

test('a controlled shutdown gives the leaders up, then lets the broker go', async () => {
  await cluster.create([cluster.topic('a')]);
  const leaving = () =>
    cluster.ok(cluster.controller.brokerHeartbeat, cluster.heartbeat({ wantShutDown: true }));
  expect(await leaving()).toMatchObject({ shouldShutDown: false, isFenced: false });
  expect(partition('a')).toMatchObject({ leader: -1, isr: [1], leaderEpoch: 1 });
  expect(await leaving()).toMatchObject({ shouldShutDown: true, isFenced: true });
  expect(broker()).toMatchObject({ fenced: true, inControlledShutdown: true });
});

test('with eligible leader replicas the last one waits outside the ISR', async () => {
  cluster = await Cluster.start({}, { features: new Map([['eligible.leader.replicas.version', 1]]) });
  await cluster.create([cluster.topic('a')]);
  await cluster.ok(cluster.controller.brokerHeartbeat, cluster.heartbeat({ wantShutDown: true }));
  expect(partition('a')).toMatchObject({ leader: -1, isr: [], elr: [1], lastKnownElr: [1] });
  await cluster.ok(cluster.controller.brokerHeartbeat, cluster.heartbeat({ wantShutDown: true }));
  await cluster.restart();
  const clean = { ...cluster.registration(3), previousBrokerEpoch: cluster.brokerEpoch };
  cluster.brokerEpoch = (await cluster.ok(cluster.controller.brokerRegistration, clean)).brokerEpoch;
  await cluster.ok(cluster.controller.brokerHeartbeat, cluster.heartbeat());
  expect(partition('a')).toMatchObject({ leader: 1, isr: [1], elr: [], lastKnownElr: [] });
});

test('a broker that is not heard of is fenced, also one from before a restart', async () => {
  await cluster.create([cluster.topic('a')]);
  await cluster.restart();
  cluster.controller.tick(cluster.world.nowMs);
  await cluster.world.advance(8999);
  cluster.controller.tick(cluster.world.nowMs);
  await cluster.world.settle();
  expect(broker()?.fenced).toBe(false);
  await cluster.world.advance(1);
  cluster.controller.tick(cluster.world.nowMs);
  await cluster.world.settle();
  expect(broker()?.fenced).toBe(true);
  expect(partition('a')?.leader).toBe(-1);
  expect((await cluster.create([cluster.topic('b')])).topics[0]).toMatchObject({
    errorCode: Errors.INVALID_REPLICATION_FACTOR,
    errorMessage: expect.stringContaining('all are fenced'),
  });
});

test('an idle controller writes a NoOpRecord every 500 ms', async () => {
  const from = cluster.raft.nextOffset;
  for (let n = 0; n < 4; n++) {
    cluster.controller.tick(cluster.world.nowMs);
    await cluster.world.advance(500);
  }
  expect(logged(from).map((one) => one.type)).toEqual(Array(3).fill('NoOpRecord'));
});

test('blocks of producer ids never overlap, also after a restart', async () => {
  const next = () =>
    cluster.ok(cluster.controller.allocateProducerIds, { brokerId: 1, brokerEpoch: cluster.brokerEpoch });
  expect(await next()).toMatchObject({ producerIdStart: 0n, producerIdLen: 1000 });
  expect(await next()).toMatchObject({ producerIdStart: 1000n, producerIdLen: 1000 });
  await cluster.restart();
  await cluster.registerAndUnfence();
  expect(await next()).toMatchObject({ producerIdStart: 2000n });
});

test('an unregistered broker is gone', async () => {
  await cluster.ok(cluster.controller.unregisterBroker, { brokerId: 1 });
  expect(cluster.publisher.image.brokers.size).toBe(0);
  await expect(cluster.ok(cluster.controller.unregisterBroker, { brokerId: 1 })).rejects.toMatchObject({
    code: Errors.BROKER_ID_NOT_REGISTERED,
  });
});

test('replicas are spread over brokers and racks', async () => {
  for (const [id, rack] of [
    [2, 'x'],
    [3, 'y'],
    [4, 'y'],
  ] as const) {
    const directory = Buffer.alloc(16, 100 + id).toString('base64url') as Uuid;
    const request = { ...cluster.registration(id, id, directory), rack };
    const { brokerEpoch } = await cluster.ok(cluster.controller.brokerRegistration, request);
    await cluster.ok(cluster.controller.brokerHeartbeat, cluster.heartbeat({}, id, brokerEpoch));
  }
  await cluster.create([cluster.topic('wide', 40, { replicationFactor: 3 })]);
  const partitions = cluster.publisher.image.topicsByName.get('wide')?.partitions ?? [];
  const led = new Map<number, number>();
  for (const { replicas, leader } of partitions) {
    expect(new Set(replicas).size).toBe(3);
    // Three racks (none, x, y): one replica in each.
    expect(replicas.filter((id) => id >= 3)).toHaveLength(1);
    led.set(leader, (led.get(leader) ?? 0) + 1);
  }
  expect([...led.keys()].sort()).toEqual([1, 2, 3, 4]);
});

test('a broker says in which directory it keeps a replica; one in a directory that is gone leads no longer (KIP-858)', async () => {
  await cluster.create([cluster.topic('a')]);
  const topicId = cluster.publisher.image.topicsByName.get('a')!.id;
  const assign = (
    id: Uuid,
    changes: { topicId?: Uuid; partitionIndex?: number; brokerEpoch?: number } = {},
  ) => {
    const { partitionIndex = 0, brokerEpoch = cluster.brokerEpoch } = changes;
    const topics = [{ topicId: changes.topicId ?? topicId, partitions: [{ partitionIndex }] }];
    const request = { brokerId: 1, brokerEpoch, directories: [{ id, topics }] };
    return cluster.ok(cluster.controller.assignReplicasToDirs, request);
  };
  const codeOf = async (...args: Parameters<typeof assign>) => {
    const answer = await assign(...args);
    return answer.directories[0]?.topics[0]?.partitions[0]?.errorCode ?? answer.errorCode;
  };
  const online = broker()!.directories[0]!;
  expect(await codeOf(online)).toBe(Errors.NONE);
  expect(partition('a')).toMatchObject({ directories: [online], leader: 1 });
  expect(await codeOf(online, { topicId: incarnation(9) })).toBe(Errors.UNKNOWN_TOPIC_ID);
  expect(await codeOf(online, { partitionIndex: 7 })).toBe(Errors.UNKNOWN_TOPIC_OR_PARTITION);
  expect(await codeOf(online, { brokerEpoch: 1 })).toBe(Errors.STALE_BROKER_EPOCH);
  const gone = incarnation(8);
  expect(await codeOf(gone)).toBe(Errors.NONE);
  expect(partition('a')).toMatchObject({ directories: [gone], leader: -1 });
});
