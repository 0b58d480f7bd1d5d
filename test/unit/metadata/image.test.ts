import { expect, test } from 'vitest';
import type { Uuid } from '../../../src/base/uuid.ts';
import { ConfigResourceType, MetadataImage } from '../../../src/metadata/image.ts';
import { MetadataLoader } from '../../../src/metadata/loader.ts';
import { MetadataPublisher } from '../../../src/metadata/publisher.ts';
import { type MetadataRecord, record } from '../../../src/metadata/records.ts';
import { contents, dataBatches, fixture, imageOf } from './support.ts';

const id = (n: number) => Buffer.alloc(16, n).toString('base64url') as Uuid;
const topic = (name: string, n: number) => record('TopicRecord', 0, { name, topicId: id(n) });
const partition = (n: number, partitionId: number) =>
  record('PartitionRecord', 2, {
    topicId: id(n),
    partitionId,
    replicas: [1],
    isr: [1],
    leader: 1,
    leaderEpoch: 0,
    partitionEpoch: 0,
    directories: [id(99)],
  });
const config = (name: string, key: string, value: string | null) =>
  record('ConfigRecord', 0, { resourceType: 2, resourceName: name, name: key, value });

test("the metadata log of an Apache Kafka node becomes that node's state", () => {
  const image = imageOf(dataBatches(fixture('00000000000000000000.log')));
  expect([...image.topicsByName.keys()].sort()).toEqual(['compacted', 'manual', 'plain']);
  expect(image.topicsByName.get('plain')?.partitions.length).toBe(5);
  expect(image.topicsByName.get('compacted')).toMatchObject({ id: 'vvk9zSCmQoWzJfOqCQPRrA' });
  // Stopped cleanly: the last leader is remembered, nobody leads.
  expect(image.topicsByName.get('compacted')?.partitions[1]).toEqual({
    replicas: [1],
    directories: ['_zabEJP4Rny-F7aSO-8j8g'],
    isr: [],
    removingReplicas: [],
    addingReplicas: [],
    leader: -1,
    leaderRecoveryState: 0,
    leaderEpoch: 1,
    partitionEpoch: 1,
    elr: [1],
    lastKnownElr: [1],
  });
  expect(image.configOf(ConfigResourceType.TOPIC, 'plain')).toEqual(new Map([['retention.ms', '1000']]));
  expect(image.configOf(ConfigResourceType.BROKER, '1')).toEqual(new Map([['num.io.threads', '9']]));
  expect(image.configOf(ConfigResourceType.BROKER, '')).toEqual(
    new Map([
      ['min.insync.replicas', '1'],
      ['log.cleaner.threads', '2'],
    ]),
  );
  expect(image.metadataVersion).toBe(30);
  expect(image.features.finalized.get('transaction.version')).toBe(2);
  expect(image.brokers.get(1)).toMatchObject({
    epoch: 13,
    fenced: true,
    inControlledShutdown: true,
    cordonedDirectories: [],
  });
  expect(image.controllers.get(1)?.endPoints).toEqual([
    { name: 'CONTROLLER', host: '127.0.0.1', port: 19693, securityProtocol: 0 },
  ]);
  expect(image.nextProducerId).toBe(1000n);
  expect([...image.scramCredentials.keys()]).toEqual(['1:alice']);
  const [quota] = image.clientQuotas.values();
  expect(quota?.values).toEqual(
    new Map([
      ['consumer_byte_rate', 2048],
      ['producer_byte_rate', 1024],
    ]),
  );
});

test('a topic that is made again has none of the settings of its namesake', () => {
  const image = imageOf(dataBatches(fixture('00000000000000000000.log')));
  expect(image.configOf(ConfigResourceType.TOPIC, 'compacted').size).toBe(0);
  const again = new MetadataImage();
  for (const one of image.freeze().records()) again.replay(one, 0);
  expect(again.configOf(ConfigResourceType.TOPIC, 'compacted').size).toBe(0);
});

test('a snapshot makes the same image, and what happens while it is written is not in it', () => {
  const image = imageOf(dataBatches(fixture('00000000000000000000.log')));
  const before = contents(image);
  const frozen = image.freeze();
  const records = frozen.records();
  const written: MetadataRecord[] = [];
  for (let n = 0; n < 5; n++) written.push(records.next().value as MetadataRecord);
  const plain = image.topicsByName.get('plain');
  image.replay(
    record('PartitionChangeRecord', 2, { topicId: plain?.id as Uuid, partitionId: 0, leader: 1, isr: [1] }),
    300,
  );
  image.replay(config('plain', 'retention.ms', '5'), 301);
  image.replay(
    record('RemoveTopicRecord', 0, { topicId: image.topicsByName.get('manual')?.id as Uuid }),
    302,
  );
  image.replay(topic('new', 5), 303);
  written.push(...records);
  const again = new MetadataImage();
  for (const one of written) again.replay(one, 0);
  expect(contents(again)).toEqual(before);
  expect(contents(image)).not.toEqual(before);
});

test('changes between two deltas are told once, with what was before them', () => {
  const image = new MetadataImage();
  image.replay(topic('a', 1), 0);
  image.replay(partition(1, 0), 1);
  image.takeDelta();
  const before = image.partition(id(1), 0);
  for (const leader of [-1, 1])
    image.replay(record('PartitionChangeRecord', 2, { topicId: id(1), partitionId: 0, leader }), 2);
  image.replay(topic('b', 2), 3);
  image.replay(record('RemoveTopicRecord', 0, { topicId: id(2) }), 4);
  image.replay(config('a', 'retention.ms', '1'), 5);
  image.replay(config('a', 'retention.ms', '2'), 6);
  const delta = image.takeDelta();
  expect([...delta.topics.keys()]).toEqual([id(1)]);
  expect(delta.topics.get(id(1))?.created).toBe(false);
  expect(delta.topics.get(id(1))?.partitions.get(0)).toEqual({ before, now: image.partition(id(1), 0) });
  expect(image.partition(id(1), 0)).toMatchObject({ leaderEpoch: 2, partitionEpoch: 2 });
  expect(delta.deletedTopics.size).toBe(0);
  expect(delta.configs).toEqual([{ type: 2, name: 'a' }]);
  expect(image.takeDelta().isEmpty).toBe(true);
});

test('a metadata transaction shows at its end, and not at all when it is aborted', () => {
  const image = new MetadataImage();
  const loader = new MetadataLoader(image);
  loader.load([record('BeginTransactionRecord', 0, {}), topic('a', 1)], 0, 1);
  expect(image.topicsByName.size).toBe(0);
  expect(loader.openTransactionOffset).toBe(0);
  loader.load([partition(1, 0), record('EndTransactionRecord', 0, {})], 2, 1);
  expect(image.topicsByName.get('a')?.partitions.length).toBe(1);
  expect(image.offset).toBe(3);
  loader.load([record('BeginTransactionRecord', 0, {}), topic('b', 2)], 4, 1);
  loader.load([record('AbortTransactionRecord', 0, {}), topic('c', 3)], 6, 1);
  expect([...image.topicsByName.keys()]).toEqual(['a', 'c']);
});

test('a record that does not fit is named', () => {
  const image = new MetadataImage();
  image.replay(topic('a', 1), 0);
  expect(() => image.replay(topic('a', 2), 1)).toThrow('topic a appears twice');
  expect(() => image.replay(partition(9, 0), 1)).toThrow('PartitionRecord for the unknown topic id');
  expect(() => image.replay(partition(1, 2_000_000_000), 1)).toThrow('leaves a gap');
  expect(() => image.replay(record('UnfenceBrokerRecord', 0, { id: 3, epoch: 1 }), 1)).toThrow(
    'unknown broker 3',
  );
});

test('the publisher tells listeners once per group of batches', () => {
  const publisher = new MetadataPublisher();
  const seen: [number, boolean][] = [];
  publisher.onDelta((delta) => seen.push([delta.topics.size, delta.isInitial]));
  publisher.onCommit({ baseOffset: 0, epoch: 1, entries: [topic('a', 1)] }, true);
  publisher.onCommit({ baseOffset: 1, epoch: 1, entries: [topic('b', 2)] }, false);
  publisher.onCommit({ baseOffset: 2, epoch: 1, entries: [record('NoOpRecord', 0, {})] }, false);
  publisher.onCommit({ baseOffset: 3, epoch: 1, entries: [topic('c', 3)] }, false);
  expect(seen).toEqual([
    [2, true],
    [1, false],
  ]);
});
