import { expect, test } from 'vitest';
import { MetadataPublisher } from '../../../src/metadata/publisher.ts';
import { encodeRecord, type MetadataRecord, record, recordSerde } from '../../../src/metadata/records.ts';
import { formatStandalone } from '../../../src/raft/bootstrap.ts';
import { readCheckpoint } from '../../../src/raft/checkpoint.ts';
import { RaftNode } from '../../../src/raft/raft-node.ts';
import { contents, dataBatches, fixture, imageOf } from '../metadata/support.ts';
import { DIR, DIRECTORY_ID, MemoryLog, put, raftOptions, readText, World } from './support.ts';

const ZERO = '00000000000000000000-0000000000.checkpoint';

test('a folder that Apache Kafka wrote is taken over in the next epoch', async () => {
  const world = new World();
  put(world.storage, '/data/bootstrap.checkpoint', fixture('bootstrap.checkpoint'));
  for (const name of [ZERO, 'quorum-state']) put(world.storage, `${DIR}/${name}`, fixture(name));
  const log = MemoryLog.of(fixture('00000000000000000000.log'));
  const node = new RaftNode<MetadataRecord>(raftOptions(world, log, recordSerde));
  let entries = 0;
  let bootstrap: readonly MetadataRecord[] = [];
  node.register({
    onSnapshot: () => expect.unreachable(),
    onBootstrap: (given) => (bootstrap = given),
    onCommit: (batch) => (entries += batch.entries.length),
  });
  await world.until(node.start());
  expect(entries).toBe(270);
  expect(bootstrap.length).toBe(6);
  expect(node.leaderEpoch).toBe(2);
  expect(node.voters).toEqual([
    { id: 1, directoryId: DIRECTORY_ID, endpoints: [{ name: 'CONTROLLER', host: '127.0.0.1', port: 19693 }] },
  ]);
  // Nothing moved, so that the epoch begins with the leader change alone.
  expect(node.highWatermark).toBe(274);
});

// Kafka 3.9.1: the first records in a metadata transaction, no-op records, a topic made, deleted and made again.
const [EARLY, LATE] = ['23', '44'].map((end) => `000000000000000000${end}-0000000001.checkpoint`) as [
  string,
  string,
];

test.each([
  ['its whole log', []],
  ['an early snapshot and the log behind it', [EARLY]],
  ['its snapshots', [EARLY, LATE]],
])('a folder that Apache Kafka 3.9 wrote gives the same state from %s', async (_, snapshots) => {
  const folder = 'apache-3.9.1-snapshots';
  const world = new World();
  for (const name of [ZERO, 'quorum-state', ...snapshots]) {
    put(world.storage, `${DIR}/${name}`, fixture(name, folder));
  }
  const [voter] = readCheckpoint(world.storage, `${DIR}/${ZERO}`, recordSerde)?.voters ?? [];
  const log = MemoryLog.of(fixture('00000000000000000000.log', folder));
  const node = new RaftNode<MetadataRecord>({
    ...raftOptions(world, log, recordSerde),
    directoryId: voter?.directoryId ?? DIRECTORY_ID,
  });
  const publisher = new MetadataPublisher();
  node.register(publisher);
  await world.until(node.start());
  const { image } = publisher;
  expect(node.leaderEpoch).toBe(2);
  expect(image.offset).toBe(43);
  expect(image.topicsByName.get('again')?.partitions.length).toBe(3);
  expect([...image.configResources()]).toEqual([
    { type: 2, name: 'again', values: new Map([['segment.ms', '60000']]) },
  ]);
  expect(image.metadataVersion).toBe(21);
  const whole = imageOf(dataBatches(fixture('00000000000000000000.log', folder)));
  expect(contents(image)).toEqual(contents(whole));
});

test('a format writes the bytes that kafka-storage writes', async () => {
  const world = new World();
  const now = 1795258567038;
  const levels = [
    ['metadata.version', 30],
    ['eligible.leader.replicas.version', 1],
    ['group.version', 1],
    ['share.version', 1],
    ['streams.version', 1],
    ['transaction.version', 2],
  ] as const;
  await formatStandalone(world.storage, {
    logDir: '/data',
    nodeId: 1,
    directoryId: DIRECTORY_ID,
    endpoints: [{ name: 'CONTROLLER', host: '127.0.0.1', port: 19693 }],
    bootstrapValues: levels.map(([name, featureLevel]) =>
      encodeRecord(record('FeatureLevelRecord', 0, { name, featureLevel })),
    ),
    nowMs: now,
  });
  // All but timestamps and the CRCs over them.
  for (const [ours, theirs] of [
    ['/data/bootstrap.checkpoint', 'bootstrap.checkpoint'],
    [`${DIR}/${ZERO}`, ZERO],
  ] as const) {
    const mine = Buffer.from(readText(world.storage, ours), 'latin1');
    const apache = fixture(theirs);
    expect(mine.length).toBe(apache.length);
    const readable = (bytes: Buffer) => {
      put(world.storage, '/x', bytes);
      const { lastContainedLogTimestampMs: _, ...rest } =
        readCheckpoint(world.storage, '/x', recordSerde) ?? {};
      return rest;
    };
    expect(readable(mine)).toEqual(readable(apache));
  }
});
