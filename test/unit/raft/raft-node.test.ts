import { expect, test } from 'vitest';
import { isControl, recordCount, records } from '../../../src/protocol/record-batch/index.ts';
import { formatStandalone } from '../../../src/raft/bootstrap.ts';
import { DIR, DIRECTORY_ID, MemoryLog, put, Recorder, readText, textNode, World } from './support.ts';

const endpoints = [{ name: 'CONTROLLER', host: '127.0.0.1', port: 19693 }];

async function formatted(): Promise<World> {
  const world = new World();
  await formatStandalone(world.storage, {
    logDir: '/data',
    nodeId: 1,
    directoryId: DIRECTORY_ID,
    endpoints,
    bootstrapValues: [Buffer.from('first')],
    nowMs: world.nowMs,
  });
  return world;
}

async function started(world: World, log: MemoryLog) {
  const node = textNode(world, log);
  const recorder = new Recorder<string>();
  node.register(recorder);
  await world.until(node.start());
  return { node, recorder };
}

test('a new node elects itself, says so durably, and tells what the cluster starts with', async () => {
  const world = await formatted();
  const log = new MemoryLog();
  const { node, recorder } = await started(world, log);
  expect(recorder.events).toEqual(['bootstrap first', 'leader 1']);
  expect(readText(world.storage, `${DIR}/quorum-state`)).toBe(
    '{"leaderId":1,"leaderEpoch":1,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}',
  );
  const first = log.batches[0] as Buffer;
  expect(isControl(first, 0)).toBe(true);
  // Leader change, kraft.version and voters, as Apache Kafka begins its first epoch.
  expect(recordCount(first, 0)).toBe(3);
  expect(
    Array.from(records(first), (one) => Buffer.from(one.value ?? []).toString('hex')).slice(0, 2),
  ).toEqual(['00000000000102000000010002000000010000', '0000000100']);
  expect(node.highWatermark).toBe(3);
});

test('a later epoch names the voters again only when they moved', async () => {
  const world = await formatted();
  const log = new MemoryLog();
  await started(world, log);
  const { node } = await started(world, log);
  expect(node.leaderEpoch).toBe(2);
  expect(recordCount(log.batches[1] as Buffer, 0)).toBe(1);
  const moved = textNode(world, log, { endpoints: [{ name: 'CONTROLLER', host: '127.0.0.1', port: 1 }] });
  await world.until(moved.start());
  expect(recordCount(log.batches[2] as Buffer, 0)).toBe(3);
});

test('entries of a tick are one batch, and one sync covers all that came meanwhile', async () => {
  const world = await formatted();
  const log = new MemoryLog();
  const { node, recorder } = await started(world, log);
  recorder.events.length = 0;
  const flushesBefore = log.flushes;
  expect(node.append(['a', 'b'])).toBe(4);
  expect(node.append(['c'])).toBe(5);
  log.held = true;
  await world.settle();
  expect(log.batches.length).toBe(2);
  node.append(['d']);
  await world.settle();
  node.append(['e']);
  await world.settle();
  expect(recorder.events).toEqual([]);
  log.release();
  await world.settle();
  expect(recorder.events).toEqual(['3:a,b,c', '6:d+', '7:e']);
  expect(log.flushes - flushesBefore).toBe(2);
  expect(node.highWatermark).toBe(8);
});

test('all that is committed comes back after a restart', async () => {
  const world = await formatted();
  const log = new MemoryLog();
  const { node } = await started(world, log);
  node.append(['a']);
  await world.settle();
  node.append(['b', 'c']);
  await world.until(node.stop());
  const { recorder } = await started(world, log);
  expect(recorder.events).toEqual(['bootstrap first', '3:a+', '4:b,c+', 'leader 2']);
});

test('a failed append takes back what was not committed and a new epoch begins', async () => {
  const world = await formatted();
  const log = new MemoryLog();
  const { node, recorder } = await started(world, log);
  node.append(['a']);
  await world.settle();
  log.held = true;
  node.append(['b']);
  await world.settle();
  log.failNextAppend = new Error('ENOSPC');
  node.append(['c']);
  await world.settle();
  expect(recorder.events.slice(2)).toEqual(['3:a', 'lost: ENOSPC']);
  expect(() => node.append(['d'])).toThrow();
  expect(log.endOffset).toBe(4);
  log.release();
  await world.advance(1000);
  expect(recorder.events.slice(4)).toEqual(['leader 2']);
  expect(node.append(['d'])).toBe(5);
  await world.settle();
  expect(recorder.events.at(-1)).toBe('5:d');
});

test('a failed sync is never tried again', async () => {
  const world = await formatted();
  const log = new MemoryLog();
  let fatal: Error | undefined;
  const node = textNode(world, log, { onFatal: (error) => (fatal = error) });
  await world.until(node.start());
  log.failNextFlush = new Error('EIO');
  node.append(['a']);
  await world.settle();
  expect(fatal?.message).toBe('EIO');
  expect(() => node.append(['b'])).toThrow();
  await world.advance(60_000);
  expect(node.isLeader).toBe(false);
});

const KEEP = { maxBytes: -1, maxMs: -1 };

async function snapshotted(world: World, log: MemoryLog, retention = KEEP) {
  const node = textNode(world, log, { retention });
  await world.until(node.start());
  for (const entry of ['a', 'b', 'c', 'd']) {
    node.append([entry]);
    await world.settle();
  }
  await world.until(node.writeSnapshot({ endOffset: 5, epoch: 1 }, world.nowMs, ['ab']));
  await world.until(node.writeSnapshot({ endOffset: 6, epoch: 1 }, world.nowMs + 5000, ['abc']));
  return node;
}

const checkpoints = (world: World) =>
  world.storage
    .list(DIR)
    .map((one) => one.name)
    .filter((name) => name.includes('checkpoint'));
const [ZERO, FIVE, SIX] = [0, 5, 6].map(
  (offset) => `0000000000000000000${offset}-000000000${offset === 0 ? 0 : 1}.checkpoint`,
);

test('old snapshots stay while there is room for them, and the log with them', async () => {
  const world = await formatted();
  const log = new MemoryLog();
  const retention = { maxBytes: 1e6, maxMs: 7 * 86_400_000 };
  await snapshotted(world, log, retention);
  await world.advance(60_000);
  expect([checkpoints(world), log.startOffset]).toEqual([[ZERO, FIVE, SIX], 0]);
});

test('beyond metadata.max.retention.bytes all but the newest snapshot goes, and the log before it', async () => {
  const world = await formatted();
  const log = new MemoryLog();
  await snapshotted(world, log, { maxBytes: 100, maxMs: -1 });
  await world.advance(60_000);
  expect([checkpoints(world), log.startOffset]).toEqual([[SIX], 6]);
});

test('a snapshot goes once its newest record is older than metadata.max.retention.ms', async () => {
  const world = await formatted();
  const log = new MemoryLog();
  await snapshotted(world, log, { maxBytes: -1, maxMs: 62_000 });
  await world.advance(60_000);
  expect([checkpoints(world), log.startOffset]).toEqual([[ZERO, FIVE, SIX], 0]);
  // The newest stays, however old.
  for (let minute = 0; minute < 5; minute++) await world.advance(60_000);
  expect([checkpoints(world), log.startOffset]).toEqual([[SIX], 6]);
});

test('the records of a snapshot batch have one timestamp, however long it took to make', async () => {
  const { checkpointBatches } = await import('../../../src/raft/checkpoint.ts');
  let nowMs = 0;
  const head = { epoch: 1, lastContainedLogTimestampMs: 0 };
  const values = Array.from({ length: 1200 }, () => Buffer.from('entry'));
  const batches = [...checkpointBatches(head, values, () => nowMs++)];
  expect(batches.length).toBe(5);
  for (const batch of batches) {
    expect(new Set(Array.from(records(batch), (one) => one.timestamp)).size).toBe(1);
  }
});

test('a snapshot is written in slices; one that a crash or a stop cut short is gone after the next start', async () => {
  const world = await formatted();
  const log = new MemoryLog();
  const { node } = await started(world, log);
  node.append(['a', 'b']);
  await world.settle();
  let encoded = 0;
  const entries = (function* () {
    for (; encoded < 5000; encoded++) yield 'entry';
  })();
  const written = node.writeSnapshot({ endOffset: 4, epoch: 1 }, 0, entries);
  const steps: number[] = [];
  for (let n = 0; n < 4; n++) {
    steps.push(encoded);
    await world.tick();
  }
  for (const [n, step] of steps.entries()) expect(step - (steps[n - 1] ?? 0)).toBeLessThanOrEqual(500);
  expect(checkpoints(world)).toEqual([ZERO, '00000000000000000004-0000000001.checkpoint.part']);
  world.kill();
  const { node: second, recorder } = await started(world, log);
  expect(checkpoints(world)).toEqual([ZERO]);
  expect(recorder.events).toEqual(['bootstrap first', '3:a,b+', 'leader 2']);
  const given = second.writeSnapshot({ endOffset: 4, epoch: 1 }, 0, ['a']);
  await second.stop();
  await world.until(given);
  expect(checkpoints(world)).toEqual([ZERO]);
  expect(written).toBeInstanceOf(Promise);
});

test('a snapshot stands for the log before it', async () => {
  const world = await formatted();
  const log = new MemoryLog();
  const { node } = await started(world, log);
  for (const entry of ['a', 'b', 'c']) {
    node.append([entry]);
    await world.settle();
  }
  await world.until(node.writeSnapshot({ endOffset: 5, epoch: 1 }, world.nowMs, ['ab']));
  expect(world.storage.list(DIR).map((one) => one.name)).toEqual([ZERO, FIVE, 'quorum-state']);
  const { recorder } = await started(world, log);
  expect(recorder.events).toEqual(['snapshot ab to 4 epoch 1', 'bootstrap first', '5:c+', 'leader 2']);
});

test('the form of 4.4 keeps the first records in the snapshot at offset 0', async () => {
  const world = await formatted();
  const { checkpointBatches } = await import('../../../src/raft/checkpoint.ts');
  const quorum = { kraftVersion: 1, voters: [{ id: 1, directoryId: DIRECTORY_ID, endpoints }] };
  const head = { epoch: 0, lastContainedLogTimestampMs: 0, quorum };
  const bytes = Buffer.concat([...checkpointBatches(head, [Buffer.from('newer')], () => 0)]);
  put(world.storage, `${DIR}/00000000000000000000-0000000000.checkpoint`, bytes);
  const { recorder } = await started(world, new MemoryLog());
  expect(recorder.events).toEqual(['bootstrap newer', 'leader 1']);
});

test('a half-written snapshot is named and nothing is lost by guessing', async () => {
  const world = await formatted();
  const path = `${DIR}/00000000000000000009-0000000001.checkpoint`;
  const whole = Buffer.from(readText(world.storage, '/data/bootstrap.checkpoint'), 'latin1');
  put(world.storage, path, whole.subarray(0, whole.length - 10));
  await expect(world.until(textNode(world, new MemoryLog()).start())).rejects.toThrow(/no footer/);
  const damaged = Buffer.from(whole);
  damaged[70] = 0xee;
  put(world.storage, path, damaged);
  await expect(world.until(textNode(world, new MemoryLog()).start())).rejects.toThrow(/CRC/);
});

test.each([
  ['kraft.version 0 with three voters', { staticVoters: [1, 2, 3] }],
  ['another voter', { staticVoters: [2] }],
])('%s is refused by name', async (_, more) => {
  const world = new World();
  await expect(world.until(textNode(world, new MemoryLog(), more).start())).rejects.toThrow(
    /voters.*quorums of more than one voter are not supported/,
  );
});

test('a folder with kraft.version 0 keeps the older quorum-state', async () => {
  const world = new World();
  put(
    world.storage,
    `${DIR}/quorum-state`,
    Buffer.from(
      '{"clusterId":"","leaderId":1,"leaderEpoch":7,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0}',
    ),
  );
  const log = new MemoryLog();
  const node = textNode(world, log, { staticVoters: [1] });
  await world.until(node.start());
  expect(node.leaderEpoch).toBe(8);
  expect(recordCount(log.batches[0] as Buffer, 0)).toBe(1);
  expect(readText(world.storage, `${DIR}/quorum-state`)).toContain(
    '"leaderEpoch":8,"votedId":-1,"appliedOffset":0',
  );
});

test('DescribeQuorum shows the one voter with its directory', async () => {
  const world = await formatted();
  const { node } = await started(world, new MemoryLog());
  const ask = (topicName: string) => ({ topics: [{ topicName, partitions: [{ partitionIndex: 0 }] }] });
  const answer = node.describeQuorum(ask('__cluster_metadata'), 5);
  expect(answer.topics[0]?.partitions[0]).toMatchObject({ leaderId: 1, leaderEpoch: 1, highWatermark: 3 });
  expect(answer.topics[0]?.partitions[0]?.currentVoters[0]).toMatchObject({
    replicaId: 1,
    replicaDirectoryId: DIRECTORY_ID,
  });
  expect(answer.nodes).toEqual([{ nodeId: 1, listeners: endpoints }]);
  expect(node.describeQuorum(ask('other'), 5).topics[0]?.partitions[0]?.errorCode).toBe(3);
});

test('nothing goes in favour of a snapshot whose name may not survive a power loss yet', async () => {
  const world = await formatted();
  const log = new MemoryLog();
  const node = textNode(world, log, { retention: { maxBytes: 100, maxMs: -1 } });
  await world.until(node.start());
  for (const entry of ['a', 'b', 'c', 'd']) {
    node.append([entry]);
    await world.settle();
  }
  let release = () => {};
  world.storage.syncDir = () =>
    new Promise<void>((resolve) => {
      release = resolve;
    });
  const written = node.writeSnapshot({ endOffset: 6, epoch: 1 }, world.nowMs, ['abc']);
  await world.settle();
  expect(checkpoints(world)).toEqual([ZERO, SIX]);
  await world.advance(60_000);
  expect([checkpoints(world), log.startOffset]).toEqual([[ZERO, SIX], 0]);
  release();
  await world.until(written);
  await world.advance(60_000);
  expect([checkpoints(world), log.startOffset]).toEqual([[SIX], 6]);
});
