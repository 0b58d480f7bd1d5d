import { expect, test } from 'vitest';
import type { LogConfig } from '../../../src/config/log-config.ts';
import { checkProducedRecords } from '../../../src/log/log-validator.ts';
import { RecordValidationError } from '../../../src/log/record-checks.ts';
import { prepareCodec } from '../../../src/protocol/compression/index.ts';
import { type ErrorCode, type Errors, errorName, ProtocolError } from '../../../src/protocol/errors.ts';
import { BatchBuilder } from '../../../src/protocol/record-batch/builder.ts';
import * as header from '../../../src/protocol/record-batch/header.ts';
import { records } from '../../../src/protocol/record-batch/records.ts';
import { append, batch, fetch, World } from './fakes.ts';

const now = 1_700_000_000_000;

function outcomeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return errorName(error.code);
    throw error;
  }
  return 'NONE';
}

/** A good batch of two records with a change; its CRC is made right again unless `keepCrc`. */
function bad(change: (bytes: Buffer) => void, keepCrc = false): Buffer {
  const bytes = batch(['one', 'two']);
  change(bytes);
  if (!keepCrc) header.writeCrc(bytes, 0);
  return bytes;
}

const resized = (bytes: Buffer, extra: Buffer) => {
  const longer = Buffer.concat([bytes, extra]);
  longer.writeInt32BE(longer.length - 12, 8);
  header.writeCrc(longer, 0);
  return longer;
};

const malformed: readonly (readonly [string, Buffer, keyof typeof Errors, Partial<LogConfig>?])[] = [
  ['a length of 3', bad((bytes) => bytes.writeInt32BE(3, 8), true), 'CORRUPT_MESSAGE'],
  ['a negative length', bad((bytes) => bytes.writeInt32BE(-5, 8), true), 'CORRUPT_MESSAGE'],
  ['magic 3', bad((bytes) => bytes.writeInt8(3, 16), true), 'CORRUPT_MESSAGE'],
  ['magic -1', bad((bytes) => bytes.writeInt8(-1, 16), true), 'CORRUPT_MESSAGE'],
  ['magic 1', bad((bytes) => bytes.writeInt8(1, 16), true), 'CORRUPT_MESSAGE'],
  ['a length below the header', bad((bytes) => bytes.writeInt32BE(40, 8), true), 'CORRUPT_MESSAGE'],
  ['a wrong CRC', bad((bytes) => bytes.writeUInt32BE(1, 17), true), 'CORRUPT_MESSAGE'],
  ['a flipped payload bit', bad((bytes) => bytes.writeUInt8(bytes[70]! ^ 4, 70), true), 'CORRUPT_MESSAGE'],
  ['a base offset', bad((bytes) => bytes.writeBigInt64BE(7n, 0)), 'INVALID_RECORD'],
  ['a negative base offset', bad((bytes) => bytes.writeBigInt64BE(-7n, 0)), 'INVALID_RECORD'],
  ['compression id 5', bad((bytes) => bytes.writeInt16BE(5, 21)), 'UNSUPPORTED_COMPRESSION_TYPE'],
  ['gzip that is none', bad((bytes) => bytes.writeInt16BE(1, 21)), 'INVALID_RECORD'],
  ['lz4 that is none', bad((bytes) => bytes.writeInt16BE(3, 21)), 'INVALID_RECORD'],
  ['snappy that is none', bad((bytes) => bytes.writeInt16BE(2, 21)), 'INVALID_RECORD'],
  ['a control batch', bad((bytes) => bytes.writeInt16BE(0x20, 21)), 'INVALID_RECORD'],
  ['a last offset delta of -1', bad((bytes) => bytes.writeInt32BE(-1, 23)), 'INVALID_RECORD'],
  ['a last offset delta of 5', bad((bytes) => bytes.writeInt32BE(5, 23)), 'INVALID_RECORD'],
  ['a count of 0', bad((bytes) => bytes.writeInt32BE(0, 57)), 'INVALID_RECORD'],
  ['a negative count', bad((bytes) => bytes.writeInt32BE(-2, 57)), 'INVALID_RECORD'],
  [
    'more records announced than there are',
    bad((bytes) => {
      bytes.writeInt32BE(2, 23);
      bytes.writeInt32BE(3, 57);
    }),
    'INVALID_RECORD',
  ],
  [
    'fewer records announced than there are',
    bad((bytes) => {
      bytes.writeInt32BE(0, 23);
      bytes.writeInt32BE(1, 57);
    }),
    'INVALID_RECORD',
  ],
  [
    'a sequence of -1 with a producer id',
    batch(['a'], { producerId: 4n, producerEpoch: 0 }),
    'INVALID_RECORD',
  ],
  [
    'an epoch of -2',
    batch(['a'], { producerId: 4n, producerEpoch: -2, baseSequence: 0 }),
    'INVALID_PRODUCER_EPOCH',
  ],
  [
    'a timestamp delta that overflows',
    new BatchBuilder()
      .append({ timestamp: now })
      .append({ timestamp: -(2n ** 63n) + 5n })
      .build(),
    'INVALID_TIMESTAMP',
  ],
  ['two batches', Buffer.concat([batch(['a']), batch(['b'])]), 'INVALID_RECORD'],
  ['bytes behind the records', resized(batch(['a']), Buffer.from([0])), 'INVALID_RECORD'],
  ['a record longer than the batch', bad((bytes) => bytes.writeUInt8(0x7e, 61)), 'INVALID_RECORD'],
  ['a record shorter than its fields', bad((bytes) => bytes.writeUInt8(0x08, 61)), 'INVALID_RECORD'],
  ['too many bytes', batch(['x'.repeat(200)]), 'MESSAGE_TOO_LARGE', { maxMessageBytes: 200 }],
  ['more bytes than a segment', batch(['x'.repeat(200)]), 'RECORD_LIST_TOO_LARGE', { segmentBytes: 200 }],
  [
    'no key on a compacted topic',
    batch(['a'], { keys: false }),
    'INVALID_RECORD',
    { cleanupPolicy: ['compact'] },
  ],
  [
    'no key inside a compressed batch on a compacted topic',
    batch(['a'], { keys: false, compression: 'gzip' }),
    'INVALID_RECORD',
    { cleanupPolicy: ['compact', 'delete'] },
  ],
  ['a time in the future', batch(['a'], { timestamp: now + 3600_001 }), 'INVALID_TIMESTAMP'],
  [
    'a time in the past',
    batch(['a'], { timestamp: now - 1001 }),
    'INVALID_TIMESTAMP',
    { messageTimestampBeforeMaxMs: 1000 },
  ],
  ['nanoseconds', batch(['a'], { timestamp: now * 1000 }), 'INVALID_TIMESTAMP'],
  [
    'LogAppendTime from the producer',
    batch(['a'], { timestampType: 'LogAppendTime', logAppendTime: BigInt(now) }),
    'INVALID_TIMESTAMP',
    { messageTimestampType: 'LogAppendTime' },
  ],
];

for (const [name, bytes, expected, changes] of malformed) {
  test(name, () => {
    const world = new World();
    const log = world.open(changes);
    expect(outcomeOf(() => append(log, bytes))).toBe(expected);
    world.time.tick();
    expect([log.assignedEndOffset, log.sizeInBytes, log.activeProducers()]).toEqual([0, 0, []]);
  });
}

test('record errors name each record that is to blame', () => {
  const builder = new BatchBuilder();
  builder.append({ timestamp: now, key: Buffer.from('k'), value: null });
  builder.append({ timestamp: now, key: null, value: null });
  builder.append({ timestamp: now + 9e6, key: Buffer.from('k'), value: null });
  const log = new World().open({ cleanupPolicy: ['compact'] });
  let caught: unknown;
  try {
    append(log, builder.build());
  } catch (error) {
    caught = error;
  }
  if (!(caught instanceof RecordValidationError)) throw caught;
  expect(errorName(caught.code as ErrorCode)).toBe('INVALID_TIMESTAMP');
  expect(caught.recordErrors.map((one) => one.batchIndex)).toEqual([1, 2]);
});

test('what is not to be touched stays byte for byte, but for base offset and leader epoch', async () => {
  const world = new World();
  const log = world.open();
  append(log, batch(['before']), 3);
  const sent = batch(['a', 'b'], { compression: 'gzip' });
  const expected = Buffer.from(sent);
  expected.writeBigInt64BE(1n, 0);
  expected.writeInt32BE(3, 12);
  append(log, sent, 3);
  world.time.tick();
  expect(await fetch(log, 1)).toEqual(expected);
});

test('bytes of a cut second batch are left out, as Apache does', async () => {
  const world = new World();
  const log = world.open();
  append(log, Buffer.concat([batch(['a']), batch(['b']).subarray(0, 30)]));
  world.time.tick();
  expect((await fetch(log, 0)).length).toBe(batch(['a']).length);
});

test('LogAppendTime overrides the timestamps and makes the CRC right', async () => {
  const world = new World();
  const log = world.open({ messageTimestampType: 'LogAppendTime' });
  const info = append(log, batch(['a', 'b'], { timestamp: 5 }));
  world.time.tick();
  expect(info.logAppendTimeMs).toBe(BigInt(now));
  const stored = await fetch(log, 0);
  expect(header.crcIsValid(stored, 0)).toBe(true);
  expect([...records(stored)].map((record) => record.timestamp)).toEqual([BigInt(now), BigInt(now)]);
});

test('a max timestamp that the records do not have is corrected', async () => {
  const world = new World();
  const log = world.open();
  append(
    log,
    bad((bytes) => bytes.writeBigInt64BE(12345n, 35)),
  );
  world.time.tick();
  const stored = await fetch(log, 0);
  expect([header.maxTimestamp(stored, 0), header.crcIsValid(stored, 0)]).toEqual([BigInt(now), true]);
});

test('nanosecond timestamps keep all 64 bits where the topic allows them', async () => {
  const world = new World();
  const log = world.open({ messageTimestampAfterMaxMs: Number.MAX_SAFE_INTEGER });
  const nanos = 1_700_000_000_123_456_789n;
  append(
    log,
    new BatchBuilder()
      .append({ timestamp: nanos })
      .append({ timestamp: nanos + 1n })
      .build(),
  );
  world.time.tick();
  expect(log.offsetForTimestamp(nanos + 1n)).toEqual({ offset: 1, timestamp: nanos + 1n, leaderEpoch: 0 });
});

test('compression.type of the topic has batches recompressed', async () => {
  const world = new World();
  const log = world.open({ compressionType: 'gzip' });
  append(log, batch(['a'.repeat(500), 'b'], { producerId: 3n, producerEpoch: 1, baseSequence: 0 }));
  world.time.tick();
  const stored = await fetch(log, 0);
  expect([
    header.compressionOf(stored, 0),
    header.producerId(stored, 0),
    header.lastSequence(stored, 0),
  ]).toEqual(['gzip', 3n, 1]);
  expect(stored.length).toBeLessThan(400);
  const plain = world.open({ compressionType: 'uncompressed' });
  append(plain, batch(['c'.repeat(500)], { compression: 'gzip' }));
  world.time.tick();
  expect(header.compressionOf(await fetch(plain, 2), 0)).toBe('none');
});

test.each([
  ['gzip', 'compressionGzipLevel', 1, 9],
  ['lz4', 'compressionLz4Level', 1, 17],
  ['zstd', 'compressionZstdLevel', -50, 19],
] as const)('%s compresses as well as %s asks for', async (compressionType, setting, low, high) => {
  await prepareCodec('zstd');
  const world = new World();
  const values = Array.from({ length: 200 }, (_, i) => `{"id":${i},"user":"u${(i * 7919) % 97}"}`);
  const sizeAt = async (level: number, offset: number) => {
    const log = world.open({ compressionType, [setting]: level });
    append(log, batch(values));
    world.time.tick();
    const stored = await fetch(log, offset);
    expect(header.compressionOf(stored, 0)).toBe(compressionType);
    return header.sizeInBytes(stored, 0);
  };
  expect(await sizeAt(high, 0)).toBeLessThan(await sizeAt(low, values.length));
});

test('offset deltas with gaps are made dense', async () => {
  const world = new World();
  const log = world.open();
  const sparse = new BatchBuilder()
    .append({ timestamp: now, offset: 0 })
    .append({ timestamp: now, offset: 4 })
    .build();
  sparse.writeInt32BE(1, 23);
  header.writeCrc(sparse, 0);
  append(log, sparse);
  world.time.tick();
  expect([...records(await fetch(log, 0))].map((record) => record.offset)).toEqual([0, 1]);
});

test('compressed batches are not unfolded where the broker is told so', () => {
  const world = new World();
  world.options = { walkCompressed: false };
  const log = world.open();
  const bytes = bad((one) => one.writeInt16BE(1, 21));
  expect(outcomeOf(() => append(log, bytes))).toBe('NONE');
});

test('a batch that unfolds to more than the bound is refused', () => {
  const world = new World();
  world.options = { plainBytesMax: 10_000 };
  const log = world.open();
  expect(outcomeOf(() => append(log, batch(['x'.repeat(20_000)], { compression: 'gzip' })))).toBe(
    'MESSAGE_TOO_LARGE',
  );
});

test('a client that sends nothing whole appends nothing', () => {
  const world = new World();
  const log = world.open();
  for (const bytes of [Buffer.alloc(0), batch(['a']).subarray(0, 11), batch(['a']).subarray(0, 60)]) {
    expect(append(log, bytes)).toMatchObject({ firstOffset: -1, state: 'done' });
  }
  expect([log.assignedEndOffset, log.sizeInBytes]).toEqual([0, 0]);
});

test('what Produce checks before the partition is known', () => {
  expect(outcomeOf(() => checkProducedRecords(batch(['a']), 9))).toBe('NONE');
  expect(outcomeOf(() => checkProducedRecords(Buffer.alloc(0), 9))).toBe('INVALID_RECORD');
  expect(
    outcomeOf(() =>
      checkProducedRecords(
        bad((bytes) => bytes.writeInt8(1, 16)),
        9,
      ),
    ),
  ).toBe('INVALID_RECORD');
  expect(outcomeOf(() => checkProducedRecords(Buffer.concat([batch(['a']), batch(['b'])]), 9))).toBe(
    'INVALID_RECORD',
  );
  const zstd = bad((bytes) => bytes.writeInt16BE(4, 21));
  expect([6, 7].map((version) => outcomeOf(() => checkProducedRecords(zstd, version)))).toEqual([
    'UNSUPPORTED_COMPRESSION_TYPE',
    'NONE',
  ]);
  const old = batch(['a']);
  old[16] = 1;
  const versions = [2, 3].map((version) =>
    [Buffer.alloc(0), old, zstd].map((bytes) => outcomeOf(() => checkProducedRecords(bytes, version))),
  );
  expect(versions).toEqual([
    ['NONE', 'NONE', 'UNSUPPORTED_COMPRESSION_TYPE'],
    ['INVALID_RECORD', 'INVALID_RECORD', 'UNSUPPORTED_COMPRESSION_TYPE'],
  ]);
});

test('a batch that the broker has built is taken as it is, unless its topic wants another', async () => {
  const built = async (bytes: Buffer, changes: Partial<LogConfig> = {}) => {
    const log = new World().open(changes);
    log.appendAsLeader(bytes, 0, { origin: 'coordinator', atOnce: true, done: () => {} });
    const stored = await fetch(log, 0);
    expect(header.crcIsValid(stored, 0)).toBe(true);
    return stored;
  };
  expect(header.sizeInBytes(await built(batch(['a', 'b'])), 0)).toBe(batch(['a', 'b']).length);
  const appended = await built(batch(['a']), { messageTimestampType: 'LogAppendTime' });
  expect(header.timestampType(appended, 0)).toBe('LogAppendTime');
  expect(header.compressionOf(await built(batch(['a']), { compressionType: 'gzip' }), 0)).toBe('gzip');
  const refused = (bytes: Buffer, changes?: Partial<LogConfig>) =>
    outcomeOf(() =>
      new World().open(changes).appendAsLeader(bytes, 0, { origin: 'coordinator', done: () => {} }),
    );
  expect(refused(batch(['x'.repeat(200)]), { maxMessageBytes: 200 })).toBe('MESSAGE_TOO_LARGE');
  expect(refused(Buffer.concat([batch(['a']), batch(['b'])]))).toBe('INVALID_RECORD');
});
