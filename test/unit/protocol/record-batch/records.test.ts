import { beforeAll, describe, expect, it } from 'vitest';
import {
  CorruptCompressionError,
  OutputTooLargeError,
  prepareCodec,
} from '../../../../src/protocol/compression/index.ts';
import {
  ATTRIBUTES_AT,
  BatchBuilder,
  type BatchOptions,
  batchPositions,
  crcIsValid,
  InvalidRecordError,
  MAGIC_AT,
  maxTimestamp,
  RECORD_COUNT_AT,
  RECORDS_AT,
  type RecordInput,
  recordCount,
  records,
  walkRecords,
} from '../../../../src/protocol/record-batch/index.ts';
import { payload, seeded } from '../compression/payloads.ts';

const NO_RECORD = { timestamp: -1n, key: null, value: null, headers: [] } as const;

function roundTrip(inputs: readonly RecordInput[], options: BatchOptions = {}) {
  const builder = new BatchBuilder(options);
  for (const input of inputs) builder.append(input);
  const batch = builder.build();
  expect(crcIsValid(batch, 0)).toBe(true);
  expect(recordCount(batch, 0)).toBe(inputs.length);
  return { batch, read: [...records(batch)] };
}

beforeAll(async () => {
  await prepareCodec('zstd');
});

describe('building and reading', () => {
  it('takes keys and values too from whoever copies them itself', () => {
    const written = (bytes: Buffer) => ({
      length: bytes.length,
      copyTo: (into: Uint8Array, start: number) => into.set(bytes, start),
    });
    const inputs = [10, 400, 3000].map((size) => ({
      key: payload('text', 20),
      value: payload('text', size),
    }));
    const plain = roundTrip(inputs).batch;
    const copied = inputs.map(({ key, value }) => ({ key: written(key), value: written(value) }));
    for (const capacity of [61, 512, 5000]) expect(roundTrip(copied, { capacity }).batch).toEqual(plain);
  });

  it('keeps null and empty apart in keys, values and headers', () => {
    const { read } = roundTrip([
      {},
      { key: Buffer.alloc(0), value: Buffer.alloc(0) },
      {
        timestamp: 5,
        headers: [
          { key: '', value: null },
          { key: 'ü', value: Buffer.alloc(0) },
          { key: 'ü', value: Buffer.from('x') },
        ],
      },
    ]);
    expect(read[0]).toEqual({ offset: 0, ...NO_RECORD });
    expect(read[1]?.key).toHaveLength(0);
    expect(read[1]?.value).toHaveLength(0);
    expect(
      read[2]?.headers.map((one) => [one.key, one.value === null ? null : Buffer.from(one.value).toString()]),
    ).toEqual([
      ['', null],
      ['ü', ''],
      ['ü', 'x'],
    ]);
  });

  it.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'gives back records of many sizes through %s',
    (compression) => {
      const random = seeded(compression.length);
      const inputs = Array.from({ length: 500 }, (_, index) => ({
        timestamp: 1_700_000_000_000n + BigInt(random(100_000)) - 50_000n,
        key: random(3) === 0 ? null : payload('records', random(200)),
        value: random(9) === 0 ? null : payload('text', random(index % 50 === 0 ? 20_000 : 150)),
        headers: Array.from({ length: random(4) }, () => ({
          key: `h${random(100)}`,
          value: payload('text', random(90)),
        })),
      }));
      const { batch, read } = roundTrip(inputs, { compression, baseOffset: 1000 });
      expect(read.map((record) => record.offset)).toEqual(inputs.map((_, index) => 1000 + index));
      const plain = (bytes: RecordInput['key']) =>
        bytes instanceof Uint8Array ? Buffer.from(bytes).toString('latin1') : null;
      const comparable = (one: RecordInput) => [
        one.timestamp,
        plain(one.key),
        plain(one.value),
        one.headers?.map((header) => [header.key, plain(header.value)]),
      ];
      expect(read.map(comparable)).toEqual(inputs.map(comparable));
      let latest = 0n;
      for (const input of inputs) if (input.timestamp > latest) latest = input.timestamp;
      expect(maxTimestamp(batch, 0)).toBe(latest);
    },
  );

  it.each([
    [1_700_000_000_000_000_000n, 1_700_000_000_000_000_001n, 1_699_999_999_999_999_999n],
    [0n, 2n ** 62n, -1n],
    [-1n, 9_223_372_036_854_775_807n, 0n],
    [-9_223_372_036_854_775_808n, 9_223_372_036_854_775_807n],
    [5n, 2n ** 53n + 1n, 2n ** 31n, -(2n ** 31n), 2n ** 30n, -(2n ** 30n) - 1n],
  ])('keeps timestamps of 64 bits: %s', (...timestamps) => {
    const { read } = roundTrip(timestamps.map((timestamp) => ({ timestamp })));
    expect(read.map((record) => record.timestamp)).toEqual(timestamps);
  });

  it('keeps gaps between offsets', () => {
    const { read } = roundTrip([{ offset: 12 }, { offset: 13 }, { offset: 900_000 }, {}], { baseOffset: 10 });
    expect(read.map((record) => record.offset)).toEqual([12, 13, 900_000, 900_001]);
  });

  it('refuses to build what could not be read', () => {
    expect(() => new BatchBuilder().build()).toThrow('at least one record');
    expect(() => new BatchBuilder().append({ offset: 3 }).append({ offset: 3 })).toThrow('offsets grow');
    expect(() => new BatchBuilder({ timestampType: 'LogAppendTime' })).toThrow('log append time');
  });

  it('reads the second batch of several', () => {
    const first = new BatchBuilder().append({ value: Buffer.from('a') }).build();
    const second = new BatchBuilder({ baseOffset: 1 }).append({ value: Buffer.from('b') }).build();
    const both = Buffer.concat([first, second]);
    const read = [...batchPositions(both)].flatMap((at) => [...records(both, { at })]);
    expect(read.map((one) => [one.offset, Buffer.from(one.value!).toString()])).toEqual([
      [0, 'a'],
      [1, 'b'],
    ]);
  });
});

describe('what the iterator refuses', () => {
  const sample = (options: BatchOptions = {}) =>
    new BatchBuilder(options)
      .append({ value: Buffer.alloc(1000) })
      .append({ key: Buffer.from('k') })
      .build();
  const failureOf = (batch: Buffer) => {
    try {
      return [...records(batch)];
    } catch (error) {
      return error instanceof InvalidRecordError ? error.failure : error;
    }
  };

  it('says which', () => {
    expect(failureOf(sample().subarray(0, 100))).toBe('batch');
    const old = sample();
    old[MAGIC_AT] = 1;
    expect(failureOf(old)).toBe('batch');
    const unknown = sample();
    unknown[ATTRIBUTES_AT + 1] = 5;
    expect(failureOf(unknown)).toBe('codec');
    for (const [count, failure] of [
      [-1, 'count'],
      [1, 'trailing'],
      [3, 'truncated'],
    ] as const) {
      const batch = sample();
      batch.writeInt32BE(count, RECORD_COUNT_AT);
      expect(failureOf(batch)).toBe(failure);
    }
  });

  it('passes on what is wrong with the compression', () => {
    const batch = sample({ compression: 'lz4' });
    expect(() => [...records(batch, { maxPlainBytes: 1000 })]).toThrow(OutputTooLargeError);
    batch[RECORDS_AT]! ^= 1;
    expect(failureOf(batch)).toBeInstanceOf(CorruptCompressionError);
  });
});

describe('walkRecords', () => {
  const walk = (inputs: readonly RecordInput[], options: BatchOptions = {}) => {
    const builder = new BatchBuilder(options);
    for (const input of inputs) builder.append(input);
    const batch = builder.build();
    return walkRecords(batch, RECORDS_AT, batch.length, inputs.length);
  };
  const sound = { failure: undefined, wide: false, firstWithoutKey: -1, firstOffsetGap: -1 };
  const key = Buffer.from('k');

  it('accepts sound records and reports the range of timestamps', () => {
    expect(
      walk([
        { timestamp: 100, key },
        { timestamp: 90, key },
        { timestamp: 1_000_000, key },
      ]),
    ).toMatchObject({
      ...sound,
      records: 3,
      minTimestampDelta: -10,
      maxTimestampDelta: 999_900,
    });
  });

  it('accepts no records at all', () => {
    expect(walkRecords(Buffer.alloc(0), 0, 0, 0)).toMatchObject({
      ...sound,
      records: 0,
      minTimestampDelta: 0,
      maxTimestampDelta: 0,
    });
  });

  it('reports the first record without a key, and the first gap', () => {
    expect(walk([{ key }, {}, { key }, {}])).toMatchObject({ ...sound, firstWithoutKey: 1 });
    expect(
      walk([
        { key, offset: 0 },
        { key, offset: 1 },
        { key, offset: 3 },
      ]),
    ).toMatchObject({ ...sound, firstOffsetGap: 2 });
    expect(walk([{ key: Buffer.alloc(0) }, { key: Buffer.alloc(100_000) }])).toMatchObject(sound);
  });

  it('follows offset deltas of every length', () => {
    const many = Array.from({ length: 20_000 }, () => ({ key }));
    expect(walk(many)).toMatchObject({ ...sound, records: 20_000 });
  });

  it('says when timestamps are wider than a number', () => {
    expect(
      walk([
        { timestamp: 0n, key },
        { timestamp: 2n ** 60n, key },
      ]),
    ).toMatchObject({ ...sound, wide: true });
    expect(
      walk([
        { timestamp: 0n, key },
        { timestamp: 2n ** 47n, key },
      ]),
    ).toMatchObject({
      ...sound,
      maxTimestampDelta: 2 ** 47,
    });
    expect(
      walk([
        { timestamp: 0n, key },
        { timestamp: -(2n ** 63n), key },
      ]),
    ).toMatchObject({
      ...sound,
      wide: true,
      minTimestampDelta: -(2 ** 63),
    });
  });

  // One record by hand: length, attributes, timestamp and offset deltas, key, value, headers.
  const raw = (...bytes: number[]) => walkRecords(Uint8Array.from(bytes), 0, bytes.length, 1).failure;
  it.each([
    ['a sound one', undefined, [12, 0, 0, 0, 1, 1, 0]],
    ['a length of zero', 'length', [0]],
    ['a negative length', 'length', [1, 0, 0, 0, 1, 1, 0]],
    ['a negative length of many bytes', 'length', [0xff, 0xff, 0xff, 0xff, 0x0f]],
    ['a length past the end', 'truncated', [14, 0, 0, 0, 1, 1, 0]],
    ['a length of 2 GiB', 'truncated', [0xfe, 0xff, 0xff, 0xff, 0x0f, 0]],
    ['a length that does not end', 'varint', [0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0]],
    ['a length cut short', 'truncated', [0x80]],
    ['a record shorter than its length', 'length', [14, 0, 0, 0, 1, 1, 0, 0]],
    ['a record longer than its length', 'truncated', [10, 0, 0, 0, 1, 1, 0]],
    ['a timestamp that does not end', 'varint', [30, 0, ...Array<number>(12).fill(0xff), 0, 0]],
    ['a key past the end', 'truncated', [12, 0, 0, 0, 20, 1, 0]],
    ['a key of many bytes past the end', 'truncated', [16, 0, 0, 0, 0xfe, 0xff, 0x7f, 1, 0]],
    ['a value past the end', 'truncated', [12, 0, 0, 0, 1, 20, 0]],
    ['a value of two length bytes past the end', 'truncated', [14, 0, 0, 0, 1, 0x80, 0x7f, 0]],
    ['a negative number of headers', 'header-count', [12, 0, 0, 0, 1, 1, 1]],
    ['more headers than bytes', 'truncated', [12, 0, 0, 0, 1, 1, 2]],
    ['two billion headers', 'truncated', [20, 0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f]],
    ['a header without a key', 'header-key', [16, 0, 0, 0, 1, 1, 2, 1, 1]],
    ['a header key past the end', 'truncated', [16, 0, 0, 0, 1, 1, 2, 8, 1]],
    ['a header value past the end', 'truncated', [16, 0, 0, 0, 1, 1, 2, 0, 8]],
    ['bytes after the last record', 'trailing', [12, 0, 0, 0, 1, 1, 0, 0]],
    ['a null key written as any negative length', undefined, [12, 0, 0, 0, 9, 7, 0]],
  ] as const)('judges %s', (_, failure, bytes) => {
    expect(raw(...bytes)).toBe(failure);
  });

  it('looks at nothing outside its range', () => {
    const batch = new BatchBuilder()
      .append({ value: Buffer.alloc(300) })
      .append({ key, value: Buffer.alloc(5) })
      .build();
    const size = batch.length - RECORDS_AT;
    const around = Buffer.concat([Buffer.alloc(50, 0xff), batch.subarray(RECORDS_AT), Buffer.alloc(50, 0)]);
    expect(walkRecords(around, 50, 50 + size, 2).failure).toBeUndefined();
    for (let to = 50; to < 50 + size; to++) expect(walkRecords(around, 50, to, 2).failure).toBe('truncated');
  });
});
