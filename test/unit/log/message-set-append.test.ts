import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import type { LogConfig } from '../../../src/config/log-config.ts';
import { RecordValidationError } from '../../../src/log/record-checks.ts';
import { compress, prepareCodec } from '../../../src/protocol/compression/index.ts';
import { Errors, errorName, ProtocolError } from '../../../src/protocol/errors.ts';
import * as header from '../../../src/protocol/record-batch/header.ts';
import {
  MessageSetBuilder,
  type MessageSetOptions,
} from '../../../src/protocol/record-batch/message-set-builder.ts';
import { records } from '../../../src/protocol/record-batch/records.ts';
import { append, batch, fetch, World } from './fakes.ts';

const now = 1_700_000_000_000;

interface SetSpec extends Partial<MessageSetOptions> {
  readonly values?: readonly string[];
  readonly keys?: boolean;
  readonly timestamp?: number;
  readonly firstOffset?: number;
}

function set({
  values = ['a', 'b', 'c'],
  keys = true,
  timestamp = now,
  firstOffset = 0,
  ...given
}: SetSpec): Buffer {
  const builder = new MessageSetBuilder({
    magic: 1,
    compression: 'none',
    timestampType: 'CreateTime',
    ...given,
  });
  values.forEach((value, i) => {
    const key = keys ? Buffer.from(`k${i}`) : null;
    builder.append(firstOffset + i, BigInt(timestamp + i), key, Buffer.from(value));
  });
  return builder.build();
}

/** What is in the log after one append. */
async function stored(bytes: Buffer, changes: Partial<LogConfig> = {}) {
  const world = new World();
  const log = world.open(changes);
  append(log, batch(['before']));
  const info = append(log, Buffer.from(bytes));
  world.time.tick();
  const got = await fetch(log, 1);
  expect([info.firstOffset, info.error, header.sizeInBytes(got, 0)]).toEqual([1, undefined, got.length]);
  expect(header.crcIsValid(got, 0)).toBe(true);
  return { info, batch: got, records: [...records(got)] };
}

function refusal(bytes: Buffer, changes: Partial<LogConfig> = {}): string {
  const log = new World().open(changes);
  try {
    append(log, bytes);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    expect([log.assignedEndOffset, log.sizeInBytes]).toEqual([0, 0]);
    return errorName(error.code);
  }
  return 'NONE';
}

/** Changes a message and makes its CRC right. */
function withCrc(bytes: Buffer, change: (bytes: Buffer) => void): Buffer {
  change(bytes);
  bytes.writeUInt32BE(crc32(bytes.subarray(16)), 12);
  return bytes;
}

for (const magic of [0, 1] as const) {
  for (const compression of ['none', 'gzip', 'snappy', 'lz4'] as const) {
    test(`format ${magic}, ${compression}: becomes one batch with the same codec`, async () => {
      const { info, batch, records } = await stored(set({ magic, compression, firstOffset: 3 }));
      expect([info.lastOffset, header.compressionOf(batch, 0)]).toEqual([3, compression]);
      expect([header.timestampType(batch, 0), header.producerId(batch, 0)]).toEqual(['CreateTime', -1n]);
      expect(header.maxTimestamp(batch, 0)).toBe(magic === 0 ? -1n : BigInt(now + 2));
      expect(
        records.map((one) => [
          one.offset,
          Number(one.timestamp),
          `${one.key}`,
          `${one.value}`,
          one.headers.length,
        ]),
      ).toEqual([0, 1, 2].map((i) => [1 + i, magic === 0 ? -1 : now + i, `k${i}`, 'abc'[i], 0]));
    });
  }
}

test('the codec of the topic is used where it names one', async () => {
  for (const [compressionType, expected] of [
    ['gzip', 'gzip'],
    ['uncompressed', 'none'],
    ['zstd', 'zstd'],
  ] as const) {
    await prepareCodec(expected);
    for (const compression of ['none', 'snappy'] as const) {
      const { batch, records } = await stored(set({ compression }), { compressionType });
      expect([header.compressionOf(batch, 0), records.length]).toEqual([expected, 3]);
    }
  }
});

test('LogAppendTime of the topic is the time of every record', async () => {
  const { info, records } = await stored(set({ timestamp: 5 }), { messageTimestampType: 'LogAppendTime' });
  expect(info.logAppendTimeMs).toBe(BigInt(now));
  expect(records.map(({ timestamp }) => Number(timestamp))).toEqual([now, now, now]);
});

test('what follows the last whole message is left out', async () => {
  expect((await stored(set({}).subarray(0, -1))).records).toHaveLength(2);
  expect((await stored(wrapped(1, set({}).subarray(0, -1)))).records).toHaveLength(2);
});

test('offsets in a compressed message may be anything that grows', async () => {
  // As some clients wrote them: all 0, or counted from 1.
  const { records } = await stored(set({ compression: 'gzip', magic: 0, firstOffset: 1 }));
  expect(records.map(({ offset }) => offset)).toEqual([1, 2, 3]);
});

const wrapped = (
  magic: 0 | 1,
  plain: Buffer,
  timestampType: 'CreateTime' | 'LogAppendTime' = 'CreateTime',
) => {
  const outer = new MessageSetBuilder({
    magic,
    compression: 'none',
    timestampType,
    ...(timestampType === 'LogAppendTime' ? { logAppendTime: BigInt(now) } : {}),
  });
  outer.append(0, BigInt(now), null, compress('gzip', plain));
  return withCrc(outer.build(), (bytes) => {
    bytes[17] = bytes[17]! | 1;
  });
};

const compact = { cleanupPolicy: ['compact'] } as const;
const appendTime = { messageTimestampType: 'LogAppendTime' } as const;
const flipped = (bytes: Buffer) => {
  bytes[bytes.length - 1] = bytes[bytes.length - 1]! ^ 1;
  return bytes;
};

const malformed: readonly (readonly [string, Buffer, keyof typeof Errors, Partial<LogConfig>?])[] = [
  ['a wrong CRC', flipped(set({})), 'CORRUPT_MESSAGE'],
  ['a wrong CRC in a compressed one', wrapped(1, flipped(set({}))), 'CORRUPT_MESSAGE'],
  ['a size of 13', withCrc(set({ values: ['a'] }), (bytes) => bytes.writeInt32BE(13, 8)), 'CORRUPT_MESSAGE'],
  [
    'a size of 13 in a compressed one',
    wrapped(0, Buffer.from(`${'00'.repeat(11)}0d${'00'.repeat(13)}`, 'hex')),
    'CORRUPT_MESSAGE',
  ],
  ['formats side by side', Buffer.concat([set({ magic: 0 }), set({})]), 'INVALID_RECORD'],
  ['a batch behind a message', Buffer.concat([set({}), batch(['a'])]), 'INVALID_RECORD'],
  ['a message behind a batch', Buffer.concat([batch(['a']), set({})]), 'INVALID_RECORD'],
  [
    'two compressed ones',
    Buffer.concat([set({ compression: 'gzip' }), set({ compression: 'gzip' })]),
    'INVALID_RECORD',
  ],
  [
    'a compressed one beside a plain one',
    Buffer.concat([set({}), set({ compression: 'gzip' })]),
    'INVALID_RECORD',
  ],
  ['another format inside', wrapped(1, set({ magic: 0 })), 'INVALID_RECORD'],
  ['a compressed one in a compressed one', wrapped(1, set({ compression: 'gzip' })), 'INVALID_RECORD'],
  ['nothing inside', wrapped(1, Buffer.alloc(0)), 'INVALID_RECORD'],
  [
    'zstd',
    withCrc(set({ values: ['a'] }), (bytes) => {
      bytes[17] = 4;
    }),
    'INVALID_RECORD',
  ],
  [
    'codec 6',
    withCrc(set({ values: ['a'] }), (bytes) => {
      bytes[17] = 6;
    }),
    'UNSUPPORTED_COMPRESSION_TYPE',
  ],
  [
    'a key length beyond the message',
    withCrc(set({ values: ['a'] }), (bytes) => bytes.writeInt32BE(99, 26)),
    'INVALID_RECORD',
  ],
  ['no key on a compacted topic', set({ keys: false }), 'INVALID_RECORD', compact],
  ['no key inside on a compacted topic', set({ keys: false, compression: 'lz4' }), 'INVALID_RECORD', compact],
  ['a time in the future', set({ timestamp: now + 3600_001 }), 'INVALID_TIMESTAMP'],
  [
    'a time in the future inside',
    set({ timestamp: now + 3600_001, compression: 'gzip' }),
    'INVALID_TIMESTAMP',
  ],
  ['a negative time', set({ timestamp: -5000 }), 'INVALID_TIMESTAMP'],
  [
    'LogAppendTime from the producer',
    set({ timestampType: 'LogAppendTime', logAppendTime: BigInt(now) }),
    'INVALID_TIMESTAMP',
    appendTime,
  ],
  ['LogAppendTime around others', wrapped(1, set({}), 'LogAppendTime'), 'INVALID_TIMESTAMP', appendTime],
  [
    'a message that is too large',
    set({ values: ['a'.repeat(300)] }),
    'MESSAGE_TOO_LARGE',
    { maxMessageBytes: 200 },
  ],
  [
    'a batch that is too large',
    set({ values: ['a'.repeat(90), 'b'.repeat(90)] }),
    'MESSAGE_TOO_LARGE',
    { maxMessageBytes: 200 },
  ],
  ['more than a segment', set({ values: ['a'.repeat(300)] }), 'RECORD_LIST_TOO_LARGE', { segmentBytes: 200 }],
];

for (const [name, bytes, expected, changes] of malformed) {
  test(`refused: ${name}`, () => {
    expect(refusal(bytes, changes)).toBe(expected);
  });
}

test('a compressed message may unfold to so much and no more', () => {
  const world = new World();
  world.options = { plainBytesMax: 1000 };
  const log = world.open();
  expect(() => append(log, set({ compression: 'gzip', values: ['a'.repeat(2000)] }))).toThrow(
    expect.objectContaining({ code: Errors.MESSAGE_TOO_LARGE }),
  );
});

test('record errors name the messages of a compressed one', () => {
  const log = new World().open(compact);
  try {
    append(log, set({ keys: false, compression: 'gzip' }));
  } catch (error) {
    if (!(error instanceof RecordValidationError)) throw error;
    expect(error.recordErrors.map((one) => one.batchIndex)).toEqual([0, 1, 2]);
    return;
  }
  throw new Error('it was taken');
});
