import { beforeAll, expect, test } from 'vitest';
import type { LogConfig } from '../../../src/config/log-config.ts';
import { offsetName } from '../../../src/log/file-names.ts';
import type { PartitionLog } from '../../../src/log/log.ts';
import { LogManager } from '../../../src/log/log-manager.ts';
import type { LogOptions } from '../../../src/log/log-options.ts';
import type { LogRead } from '../../../src/log/types.ts';
import { prepareCodec } from '../../../src/protocol/compression/index.ts';
import { BatchBuilder } from '../../../src/protocol/record-batch/builder.ts';
import * as header from '../../../src/protocol/record-batch/header.ts';
import { MessageSetBuilder, type OldMagic } from '../../../src/protocol/record-batch/message-set-builder.ts';
import { records } from '../../../src/protocol/record-batch/records.ts';
import { type Machine, World } from '../../simulation/world.ts';
import { append, batch, config, topicId } from './fakes.ts';

/** Folders with segments of brokers before 0.11, which are written anew in format 2 when they are opened. */

const T0 = 1_700_000_000_000;
const CODECS = ['none', 'gzip', 'snappy', 'lz4'] as const;
const settings = { indexIntervalBytes: 100, retentionMs: -1 };

// The cleaner loads it, and nothing that is not of the simulated world may be waited for in there.
beforeAll(() => prepareCodec('zstd'));

interface Wanted {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: string | null;
}

/** Messages at every offset of a range but each seventh, as compaction leaves them. */
function wanted(from: number, to: number): Wanted[] {
  const all = Array.from({ length: to - from }, (_, at) => from + at);
  return all
    .filter((offset) => offset % 7 !== 3)
    .map((offset) => ({
      offset,
      timestamp: T0 + offset * 10,
      key: offset % 5 === 0 ? null : `k${offset % 4}`,
      value: offset % 11 === 0 ? null : `v${offset}`.padEnd(40, '.'),
    }));
}

function oldBytes(
  messages: readonly Wanted[],
  magic: OldMagic,
  compression: (typeof CODECS)[number],
  logAppendTime?: bigint,
): Buffer {
  const type = logAppendTime === undefined ? 'CreateTime' : 'LogAppendTime';
  const builder = new MessageSetBuilder({ magic, compression, timestampType: type, logAppendTime });
  for (const { offset, timestamp, key, value } of messages) {
    const bytes = (text: string | null) => (text === null ? null : Buffer.from(text));
    builder.append(offset, BigInt(timestamp), bytes(key), bytes(value));
  }
  return Buffer.from(builder.build());
}

/** Of ten messages each, in formats and codecs that take turns. */
function segmentOf(messages: readonly Wanted[], magic: OldMagic): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < messages.length; at += 10) {
    parts.push(oldBytes(messages.slice(at, at + 10), magic, CODECS[(at / 10) % CODECS.length]!));
  }
  return Buffer.concat(parts);
}

const seenOf = (messages: readonly Wanted[], magic: OldMagic): Wanted[] =>
  messages.map((one) => (magic === 0 ? { ...one, timestamp: -1 } : one));

/** A machine with a disk that has a folder with these segments by their base offsets, all of it synced. */
async function machineWith(segments: Readonly<Record<number, Buffer>>, seed = 1) {
  const world = new World({ seed });
  const machine = world.machine('n1');
  const { storage } = machine.boot().ports;
  storage.makeDir('/data/t-0');
  for (const [baseOffset, bytes] of Object.entries(segments)) {
    const file = storage.open(`/data/t-0/${offsetName(Number(baseOffset))}.log`, 'create');
    file.write([bytes], 0);
    await world.settle(file.sync());
    file.close();
  }
  for (const dir of ['/', '/data', '/data/t-0']) await world.settle(storage.syncDir(dir));
  machine.exited();
  return { world, machine };
}

function managerOn(
  machine: Machine,
  changes: Partial<LogConfig> = {},
  options: Partial<LogOptions> = {},
): LogManager {
  return LogManager.create({
    dirs: ['/data'],
    options,
    configFor: () => config({ ...settings, ...changes }),
    ports: machine.boot().ports,
    recoveryThreadsPerDir: () => 2,
    cleanerSettings: () => ({
      enabled: true,
      threads: 1,
      backoffMs: 100,
      dedupeBufferBytes: 1 << 20,
      ioBufferBytes: 0,
      bytesPerSecondMax: Number.MAX_VALUE,
      loadFactor: 0.9,
    }),
  });
}

async function start(
  world: World,
  machine: Machine,
  changes: Partial<LogConfig> = {},
  options: Partial<LogOptions> = {},
) {
  const manager = managerOn(machine, changes, options);
  await world.settle(manager.load());
  return { manager, log: manager.getOrCreate('t', 0, topicId) };
}

async function bytesFrom(
  world: World,
  log: PartitionLog,
  offset: number,
  maxBytes = 1 << 20,
): Promise<Buffer> {
  const read = log.read(offset, maxBytes, { minOneMessage: true, upTo: log.logEndOffset });
  const done: LogRead = 'pending' in read ? await world.settle(read.pending) : read;
  const bytes = Buffer.concat(done.bytes);
  done.release();
  return bytes;
}

/** All that a log holds, a fetch for each segment at least. */
async function allOf(world: World, log: PartitionLog): Promise<Wanted[]> {
  const found: Wanted[] = [];
  for (let next = log.logStartOffset; next < log.logEndOffset; ) {
    const bytes = await bytesFrom(world, log, next);
    for (let at = 0; at < bytes.length; at += header.sizeInBytes(bytes, at)) {
      expect([header.magic(bytes, at), header.crcIsValid(bytes, at)]).toEqual([2, true]);
      for (const { offset, timestamp, key, value } of records(bytes, { at })) {
        const text = (part: Uint8Array | null) => (part === null ? null : Buffer.from(part).toString());
        found.push({ offset, timestamp: Number(timestamp), key: text(key), value: text(value) });
      }
      next = header.lastOffset(bytes, at) + 1;
    }
    if (bytes.length === 0) break;
  }
  return found;
}

const linesOf = (machine: Machine, pattern: RegExp) => machine.logLines.filter((line) => pattern.test(line));

test.each([
  [0, 'on the loop', {}],
  [1, 'on the loop', {}],
  [1, 'off the loop', { offLoopRecoveryBytes: 0 }],
] as const)(
  'format %i of all codecs is read, looked up by time, and gone on with; found %s',
  async (magic, _, options) => {
    const [first, second] = [wanted(5, 80), wanted(80, 150)];
    const { world, machine } = await machineWith({
      5: segmentOf(first, magic),
      80: segmentOf(second, magic),
    });
    const { manager, log } = await start(world, machine, {}, options);
    const all = seenOf([...first, ...second], magic);
    expect(await allOf(world, log)).toEqual(all);
    expect([log.logStartOffset, log.logEndOffset, log.segmentCount]).toEqual([5, 150, 2]);
    for (const offset of [5, 37, 79, 81, 100, 149]) {
      const bytes = await bytesFrom(world, log, offset, 1);
      expect(header.baseOffset(bytes, 0)).toBeLessThanOrEqual(offset);
      expect(header.lastOffset(bytes, 0)).toBeGreaterThanOrEqual(offset);
    }
    const found = log.offsetForTimestamp(BigInt(T0 + 1234));
    expect(found?.offset).toBe(magic === 0 ? undefined : 124);
    const { firstOffset } = append(log, batch(['new']));
    expect(firstOffset).toBe(150);
    await world.settle(manager.close());
    machine.exited();
    const again = await start(world, machine);
    expect((await allOf(world, again.log)).slice(0, -1)).toEqual(all);
    expect(linesOf(machine, /in message format 2 now/)).toHaveLength(1);
    expect(linesOf(machine, /recovered 1 logs/)).toHaveLength(1);
  },
);

test('batches of format 2 behind old messages stay as they are, with all that is between the formats', async () => {
  const builder = new BatchBuilder({ baseOffset: 12, producerId: 3n, producerEpoch: 1, baseSequence: 0 });
  builder.append({ offset: 12, timestamp: T0, key: null, value: Buffer.from('modern') });
  const modern = builder.build();
  const plain = wanted(0, 3);
  const stamped = wanted(4, 9);
  const bytes = Buffer.concat([
    oldBytes(plain, 0, 'none'),
    oldBytes(stamped.slice(0, 2), 1, 'none', BigInt(T0 + 5)),
    oldBytes(stamped.slice(2), 1, 'gzip', BigInt(T0 + 6)),
    modern,
  ]);
  const { world, machine } = await machineWith({ 0: bytes });
  const { log } = await start(world, machine);
  expect(await allOf(world, log)).toEqual([
    ...seenOf(plain, 0),
    ...stamped.map((one, at) => ({ ...one, timestamp: T0 + (at < 2 ? 5 : 6) })),
    { offset: 12, timestamp: T0, key: null, value: 'modern' },
  ]);
  const last = await bytesFrom(world, log, 12);
  expect(last.equals(modern)).toBe(true);
  expect(log.activeProducers()).toMatchObject([{ producerId: 3n, producerEpoch: 1, lastSequence: 0 }]);
  const stampedBatch = await bytesFrom(world, log, 4, 1);
  expect(header.timestampType(stampedBatch, 0)).toBe('LogAppendTime');
});

test('a torn end is cut as that of newer formats is, and said', async () => {
  const messages = wanted(0, 40);
  const bytes = segmentOf(messages, 1);
  const { world, machine } = await machineWith({ 0: bytes.subarray(0, -5) });
  const { log } = await start(world, machine);
  const kept = messages.slice(0, Math.floor((messages.length - 1) / 10) * 10);
  expect(await allOf(world, log)).toEqual(kept);
  expect(log.logEndOffset).toBe(kept.at(-1)!.offset + 1);
  expect(linesOf(machine, /only up to position \d+, where a message is torn/)).toHaveLength(1);
});

test('a compacted topic of old messages goes on to be compacted', async () => {
  const messages = wanted(0, 60).map((one) => ({
    ...one,
    key: `k${one.offset % 4}`,
    value: `v${one.offset}`,
  }));
  const segments = { 0: segmentOf(messages.slice(0, 30), 0), 35: segmentOf(messages.slice(30), 1) };
  expect(messages[30]!.offset).toBe(35);
  const { world, machine } = await machineWith(segments);
  const { manager, log } = await start(world, machine, { cleanupPolicy: ['compact'] });
  manager.startBackground();
  log.updateHighWatermark(log.logEndOffset);
  log.roll();
  await world.run(60_000);
  await world.run(60_000);
  const left = await allOf(world, log);
  const lasts = new Map(messages.map((one) => [one.key, one]));
  const alive = [...lasts.values()].sort((a, b) => a.offset - b.offset);
  expect(left.map(({ offset, key, value }) => ({ offset, key, value }))).toEqual(
    alive.map(({ offset, key, value }) => ({ offset, key, value })),
  );
});

test('the power may go in the middle of it at any time', async () => {
  const parts = [wanted(0, 40), wanted(40, 80), wanted(80, 120)];
  const segments = { 0: segmentOf(parts[0]!, 0), 40: segmentOf(parts[1]!, 1), 80: segmentOf(parts[2]!, 1) };
  const all = [...seenOf(parts[0]!, 0), ...parts[1]!, ...parts[2]!];
  let crashes = 0;
  for (let operation = 0; operation < 600; operation += 3) {
    const { world, machine } = await machineWith(segments, operation);
    let isDown = false;
    machine.disk.crashInstead(operation, () => {
      isDown = true;
      machine.crash('power', operation % 2 === 0 ? 'tear' : 'forget');
    });
    let isLoaded = false;
    managerOn(machine)
      .load()
      .then(
        () => {
          isLoaded = true;
        },
        () => undefined,
      );
    await world.until(() => isLoaded || isDown);
    if (!isDown) break;
    crashes += 1;
    const { log } = await start(world, machine);
    expect(await allOf(world, log)).toEqual(all);
    expect([...machine.disk.files().keys()].filter((path) => /swap|cleaned/.test(path))).toEqual([]);
  }
  expect(crashes).toBeGreaterThan(10);
});
