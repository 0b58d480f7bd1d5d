import { deflateRawSync } from 'node:zlib';
import {
  BASE_TIMESTAMP,
  type BatchSpec,
  batch,
  CODEC_IDS,
  type Codec,
  oldMessage,
  type RecordSpec,
  record,
  recordBody,
  store,
} from './batch.ts';
import { Out } from './bytes.ts';
import type { NewTopic } from './wire.ts';

/** What a hostile or broken client could put into a Produce request, and some unusual batches that are right. */
export interface BatchCase {
  readonly name: string;
  /** One of `caseTopics`, without the version at its end. */
  readonly topic: string;
  readonly records: Buffer | null;
  readonly partition?: number;
  readonly acks?: number;
  readonly transactionalId?: string;
  /** Sent as two topic elements in one request. */
  readonly twice?: boolean;
}

/** Each version gets topics of its own, so that no answer depends on what another version wrote. */
export const PRODUCE_VERSIONS = [3, 7, 9, 11] as const;

export const topicOf = (topic: string, version: number): string => `${topic}-v${version}`;

export function caseTopics(version: number): NewTopic[] {
  const configs: Record<string, Record<string, string>> = {
    plain: {},
    compacted: { 'cleanup.policy': 'compact' },
    'compacted-and-deleted': { 'cleanup.policy': 'compact,delete' },
    small: { 'max.message.bytes': '500' },
    'not-before': { 'message.timestamp.before.max.ms': '3600000' },
    'not-after': { 'message.timestamp.after.max.ms': '3600000' },
    'append-time': { 'message.timestamp.type': 'LogAppendTime' },
    'to-gzip': { 'compression.type': 'gzip' },
    'to-uncompressed': { 'compression.type': 'uncompressed' },
    'small-to-uncompressed': { 'compression.type': 'uncompressed', 'max.message.bytes': '500' },
  };
  return Object.entries(configs).map(([name, config]) => ({ name: topicOf(name, version), configs: config }));
}

const THREE: readonly RecordSpec[] = [
  { key: 'k0', value: 'v0' },
  { key: 'k1', value: 'v1', headers: [['h', 'x']] },
  { key: 'k2', value: 'v2' },
];

const payloadOf = (records: readonly RecordSpec[]): Buffer =>
  Buffer.concat(records.map((r, i) => record(r, i)));

const compressed = (codec: Codec, spec: BatchSpec = {}, records = THREE): Buffer =>
  batch({
    count: records.length,
    attributes: CODEC_IDS[codec],
    ...spec,
    records: spec.records ?? store(codec, payloadOf(records)),
  });

/** A record of the given raw fields behind attributes, timestamp delta and offset delta; its length is right. */
const oddRecord = (fields: (out: Out) => Out): Buffer => {
  const body = fields(new Out().int8(0).varint(0).varint(0)).done();
  return new Out().varint(body.length).raw(body).done();
};

/** Number written as a varint of more bytes than it needs. */
const longVarint = (value: number, bytes: number): Buffer => {
  const out = Buffer.alloc(bytes, 0x80);
  let rest = value << 1;
  for (let i = 0; i < bytes; i++) {
    out[i] = (rest & 127) | 128;
    rest >>>= 7;
  }
  out[bytes - 1] = (out[bytes - 1] ?? 0) & 127;
  return out;
};

const flip = (bytes: Buffer, at: number): Buffer => {
  const copy = Buffer.from(bytes);
  const index = at < 0 ? copy.length + at : at;
  copy[index] = (copy[index] ?? 0) ^ 0xff;
  return copy;
};

function plainCases(): Record<string, Buffer | null> {
  const good = batch({ records: THREE });
  const body = recordBody({ key: 'k', value: 'v' }, 0);
  const one = (records: Uint8Array, spec: BatchSpec = {}): Buffer => batch({ ...spec, records });
  return {
    'a right batch': good,
    'CRC wrong': batch({ records: THREE, crcError: 1 }),
    'a byte of a value flipped': flip(good, -3),
    'magic 0 in a batch of format 2': batch({ magic: 0 }),
    'magic 1 in a batch of format 2': batch({ magic: 1 }),
    'magic 3': batch({ magic: 3 }),
    'magic -1': batch({ magic: -1 }),
    'message set of magic 0': oldMessage(0, 'k', 'v'),
    'message set of magic 1': oldMessage(1, 'k', 'v'),
    'batch then message of magic 1': Buffer.concat([batch(), oldMessage(1, 'k', 'v')]),
    'records null': null,
    'records empty': Buffer.alloc(0),
    'one byte': Buffer.alloc(1),
    'eleven bytes': good.subarray(0, 11),
    'only offset and length': good.subarray(0, 12),
    'cut before the magic': good.subarray(0, 16),
    'cut behind the magic': good.subarray(0, 17),
    'cut in the header': good.subarray(0, 40),
    'cut behind the header': good.subarray(0, 61),
    'cut in the last record': good.subarray(0, good.length - 1),
    'batchLength -1': batch({ batchLength: -1 }),
    'batchLength smallest': batch({ batchLength: -2147483648 }),
    'batchLength 0': batch({ batchLength: 0 }),
    'batchLength 10': batch({ batchLength: 10 }),
    'batchLength 13': batch({ batchLength: 13 }),
    'batchLength 48': batch({ batchLength: 48 }),
    'batchLength 49, records left out': batch({ batchLength: 49 }),
    'batchLength one too small': batch({ batchLength: batch().length - 13 }),
    'batchLength one too large': batch({ batchLength: batch().length - 11 }),
    'batchLength largest': batch({ batchLength: 2147483647 }),
    'count one too small': batch({ records: THREE, count: 2, lastOffsetDelta: 1 }),
    'count one too large': batch({ records: THREE, count: 4, lastOffsetDelta: 3 }),
    'count one too small, last delta kept': batch({ records: THREE, count: 2, lastOffsetDelta: 2 }),
    'count one too large, last delta kept': batch({ records: THREE, count: 4, lastOffsetDelta: 2 }),
    'count 0 with records': batch({ records: THREE, count: 0, lastOffsetDelta: 2 }),
    'count -1': batch({ records: THREE, count: -1, lastOffsetDelta: 2 }),
    'count largest': batch({ records: THREE, count: 2147483647, lastOffsetDelta: 2147483646 }),
    'no records, last delta 0': one(Buffer.alloc(0), { count: 0, lastOffsetDelta: 0 }),
    'no records, last delta -1': one(Buffer.alloc(0), { count: 0, lastOffsetDelta: -1 }),
    'last offset delta one too large': batch({ records: THREE, lastOffsetDelta: 3 }),
    'last offset delta one too small': batch({ records: THREE, lastOffsetDelta: 1 }),
    'last offset delta -1': batch({ records: THREE, lastOffsetDelta: -1 }),
    'offset deltas 0 2 1': batch({
      records: [{ value: 'a' }, { value: 'b', offsetDelta: 2 }, { value: 'c', offsetDelta: 1 }],
    }),
    'offset deltas 0 0 0': batch({ records: THREE.map((r) => ({ ...r, offsetDelta: 0 })) }),
    'offset deltas from 1': batch({ records: THREE.map((r, i) => ({ ...r, offsetDelta: i + 1 })) }),
    'offset delta with a gap': batch({
      records: [{ value: 'a' }, { value: 'b', offsetDelta: 5 }],
      lastOffsetDelta: 5,
    }),
    'offset delta negative': batch({ records: [{ value: 'a', offsetDelta: -1 }] }),
    'two batches': Buffer.concat([batch(), batch({ baseOffset: 1 })]),
    'two batches, the second with a wrong CRC': Buffer.concat([batch(), batch({ crcError: 1 })]),
    'one byte behind the batch': Buffer.concat([batch(), Buffer.alloc(1)]),
    'twelve zero bytes behind the batch': Buffer.concat([batch(), Buffer.alloc(12)]),
    'seventy zero bytes behind the batch': Buffer.concat([batch(), Buffer.alloc(70)]),
    'half a batch behind the batch': Buffer.concat([batch(), batch().subarray(0, 50)]),
    'a byte behind the last record, CRC right': one(
      Buffer.concat([record({ value: 'v' }, 0), Buffer.alloc(1)]),
    ),
    'a second record behind the count, CRC right': one(payloadOf(THREE), { count: 1 }),
    'control flag': batch({ attributes: 0x20 }),
    'control flag with a marker that looks right': batch({
      attributes: 0x30,
      producerId: 9100,
      producerEpoch: 0,
      records: [{ key: Buffer.from([0, 0, 0, 1]), value: Buffer.from([0, 0, 0, 0, 0, 0]) }],
    }),
    'transactional flag without a transactional id': batch({
      attributes: 0x10,
      producerId: 9101,
      producerEpoch: 0,
      baseSequence: 0,
    }),
    'transactional flag without a producer id': batch({ attributes: 0x10 }),
    'delete horizon flag': batch({ attributes: 0x40 }),
    'unused attribute bits set': batch({ attributes: 0x7f80 }),
    'timestamp type LogAppendTime from the client': batch({ attributes: 0x08 }),
    'base offset 42': batch({ baseOffset: 42 }),
    'base offset -7': batch({ baseOffset: -7 }),
    'base offset largest': batch({ records: THREE, baseOffset: Number.MAX_SAFE_INTEGER }),
    'leader epoch 1000': batch({ partitionLeaderEpoch: 1000 }),
    'max timestamp too small': batch({ records: THREE, maxTimestamp: BASE_TIMESTAMP }),
    'max timestamp too large': batch({ records: THREE, maxTimestamp: BASE_TIMESTAMP + 1_000_000 }),
    'max timestamp -1': batch({ records: THREE, maxTimestamp: -1 }),
    'no timestamps': batch({
      records: THREE.map((r) => ({ ...r, timestampDelta: 0 })),
      baseTimestamp: -1,
      maxTimestamp: -1,
    }),
    'timestamps negative': batch({ baseTimestamp: -5000, maxTimestamp: -5000 }),
    'timestamps in nanoseconds': batch({ baseTimestamp: 1_700_000_000_000_000_001n }),
    'timestamp delta that overflows': batch({
      records: [{ value: 'v', timestampDelta: 9_223_372_036_854_775_807n }],
    }),
    'record attributes set': batch({ records: [{ key: 'k', value: 'v', attributes: 0x55 }] }),
    'record length varint of six bytes': one(Buffer.concat([longVarint(body.length, 6), body])),
    'record length varint of three bytes': one(Buffer.concat([longVarint(body.length, 3), body])),
    'record length varint without an end': one(Buffer.alloc(10, 0xff)),
    'offset delta varint of six bytes': one(
      (() => {
        const odd = new Out().int8(0).varint(0).raw(longVarint(0, 6)).varint(-1).varint(-1).varint(0).done();
        return new Out().varint(odd.length).raw(odd).done();
      })(),
    ),
    'timestamp delta varint of eleven bytes': one(
      (() => {
        const odd = new Out().int8(0).raw(longVarint(0, 11)).varint(0).varint(-1).varint(-1).varint(0).done();
        return new Out().varint(odd.length).raw(odd).done();
      })(),
    ),
    'record length 0': one(Buffer.from([0])),
    'record length -1': one(new Out().varint(-1).raw(body).done()),
    'record length one too small': one(
      new Out()
        .varint(body.length - 1)
        .raw(body)
        .done(),
    ),
    'record length one too large': one(
      new Out()
        .varint(body.length + 1)
        .raw(body)
        .done(),
    ),
    'record length with a byte to spare': one(
      new Out()
        .varint(body.length + 1)
        .raw(body)
        .int8(0)
        .done(),
    ),
    'record length largest': one(new Out().varint(2147483647).raw(body).done()),
    'key length -2': one(oddRecord((o) => o.varint(-2).varint(-1).varint(0))),
    'key length beyond the record': one(oddRecord((o) => o.varint(100).varint(-1).varint(0))),
    'key length largest': one(oddRecord((o) => o.varint(2147483647).varint(-1).varint(0))),
    'value length -2': one(oddRecord((o) => o.varint(-1).varint(-2).varint(0))),
    'value length beyond the record': one(oddRecord((o) => o.varint(-1).varint(100).varint(0))),
    'header count -1': one(oddRecord((o) => o.varint(-1).varint(-1).varint(-1))),
    'header count larger than what follows': one(oddRecord((o) => o.varint(-1).varint(-1).varint(3))),
    'header count largest': one(oddRecord((o) => o.varint(-1).varint(-1).varint(2147483647))),
    'header key null': one(oddRecord((o) => o.varint(-1).varint(-1).varint(1).varint(-1).varint(-1))),
    'header key empty': one(oddRecord((o) => o.varint(-1).varint(-1).varint(1).varint(0).varint(-1))),
    'header key beyond the record': one(
      oddRecord((o) => o.varint(-1).varint(-1).varint(1).varint(9).varint(-1)),
    ),
    'header key not UTF-8': one(
      oddRecord((o) =>
        o
          .varint(-1)
          .varint(-1)
          .varint(1)
          .varint(2)
          .raw(Buffer.from([0xc3, 0x28]))
          .varint(-1),
      ),
    ),
    'header value length -2': one(
      oddRecord((o) => o.varint(-1).varint(-1).varint(1).varint(1).raw(Buffer.from('h')).varint(-2)),
    ),
    'header value beyond the record': one(
      oddRecord((o) => o.varint(-1).varint(-1).varint(1).varint(1).raw(Buffer.from('h')).varint(9)),
    ),
    'producer id without epoch and sequence': batch({ producerId: 9001 }),
    'producer id without epoch': batch({ producerId: 9002, baseSequence: 0 }),
    'producer id without sequence': batch({ producerId: 9003, producerEpoch: 0 }),
    'sequence -2': batch({ producerId: 9004, producerEpoch: 0, baseSequence: -2 }),
    'sequence smallest': batch({ producerId: 9005, producerEpoch: 0, baseSequence: -2147483648 }),
    'sequence and epoch without producer id': batch({ producerEpoch: 0, baseSequence: 0 }),
    'producer id -2': batch({ producerId: -2, producerEpoch: 0, baseSequence: 0 }),
    'epoch -2': batch({ producerId: 9006, producerEpoch: -2, baseSequence: 0 }),
    'sequence that wraps within the batch': batch({
      records: THREE,
      producerId: 9007,
      producerEpoch: 0,
      baseSequence: 2147483646,
    }),
    'unknown producer with sequence 5': batch({ producerId: 9008, producerEpoch: 0, baseSequence: 5 }),
    'unknown codec 5': batch({ attributes: 5 }),
    'unknown codec 6': batch({ attributes: 6 }),
    'unknown codec 7': batch({ attributes: 7 }),
    'snappy without framing': compressed('snappy', {
      records: store('snappy', payloadOf(THREE)).subarray(20),
    }),
  };
}

function codecCases(): Record<string, Buffer> {
  const cases: Record<string, Buffer> = {};
  for (const codec of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
    const stored = store(codec, payloadOf(THREE));
    const withCodec = (records: Uint8Array, spec: BatchSpec = {}): Buffer =>
      compressed(codec, { ...spec, records });
    const deltas = (records: readonly RecordSpec[], spec: BatchSpec = {}): Buffer =>
      compressed(codec, spec, records);
    Object.assign(cases, {
      [`${codec}: right`]: compressed(codec),
      [`${codec}: first byte flipped`]: withCodec(flip(stored, 0)),
      [`${codec}: cut in half`]: withCodec(stored.subarray(0, stored.length >> 1)),
      [`${codec}: all zero`]: withCodec(Buffer.alloc(40)),
      [`${codec}: nothing`]: withCodec(Buffer.alloc(0)),
      [`${codec}: not compressed at all`]: withCodec(payloadOf(THREE)),
      [`${codec}: a byte behind the records`]: withCodec(
        store(codec, Buffer.concat([payloadOf(THREE), Buffer.alloc(1)])),
      ),
      [`${codec}: last record cut`]: withCodec(store(codec, payloadOf(THREE).subarray(0, -1))),
      [`${codec}: garbage behind the compressed bytes`]: withCodec(
        Buffer.concat([stored, Buffer.alloc(7, 0x5a)]),
      ),
      [`${codec}: count one too large`]: compressed(codec, { count: 4, lastOffsetDelta: 3 }),
      [`${codec}: count one too small`]: compressed(codec, { count: 2, lastOffsetDelta: 1 }),
      [`${codec}: last offset delta wrong`]: compressed(codec, { lastOffsetDelta: 5 }),
      [`${codec}: offset deltas from 1`]: deltas(THREE.map((r, i) => ({ ...r, offsetDelta: i + 1 }))),
      [`${codec}: record attributes set`]: deltas(THREE.map((r) => ({ ...r, attributes: 3 }))),
      [`${codec}: header key null`]: withCodec(
        store(
          codec,
          oddRecord((o) => o.varint(-1).varint(-1).varint(1).varint(-1).varint(-1)),
        ),
        { count: 1 },
      ),
      [`${codec}: record length varint of six bytes`]: withCodec(
        store(
          codec,
          Buffer.concat([longVarint(recordBody({ value: 'v' }, 0).length, 6), recordBody({ value: 'v' }, 0)]),
        ),
        { count: 1 },
      ),
      [`${codec}: max timestamp too small`]: compressed(codec, { maxTimestamp: BASE_TIMESTAMP - 1 }),
      [`${codec}: CRC wrong`]: compressed(codec, { crcError: 7 }),
    });
  }
  // Half a megabyte of zeros in a few hundred bytes, as one record.
  const zeros = Buffer.alloc(500_000);
  const deflated = deflateRawSync(record({ value: zeros }, 0), { level: 9 });
  const plain = record({ value: zeros }, 0);
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(gzipCrc(plain), 0);
  trailer.writeUInt32LE(plain.length, 4);
  const bomb = Buffer.concat([Buffer.from('1f8b08000000000000ff', 'hex'), deflated, trailer]);
  cases['gzip: half a megabyte of zeros'] = compressed('gzip', { count: 1, records: bomb });
  return cases;
}

function gzipCrc(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) {
    c ^= byte;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  }
  return (c ^ 0xffffffff) >>> 0;
}

const DAY_MS = 86_400_000;
const YEAR_2100 = 4_102_444_800_000;

function topicCases(): BatchCase[] {
  const big = (size: number): Buffer => batch({ records: [{ key: 'k', value: 'x'.repeat(size) }] });
  const exact = 400 + 500 - big(400).length;
  const late = [{ value: 'a' }, { value: 'b', timestampDelta: YEAR_2100 - BASE_TIMESTAMP }, { value: 'c' }];
  const on = (topic: string, cases: Record<string, Buffer>): BatchCase[] =>
    Object.entries(cases).map(([name, records]) => ({ name: `${topic}: ${name}`, topic, records }));
  const nullKeys = {
    'key there': batch({ records: THREE }),
    'null key': batch({ records: [{ value: 'v' }] }),
    'null key in the second of three': batch({ records: [{ key: 'a' }, { value: 'v' }, { key: 'c' }] }),
    'two null keys of three': batch({ records: [{ value: 'a' }, { key: 'b' }, { value: 'c' }] }),
    'null value': batch({ records: [{ key: 'a' }] }),
    'null key, gzip': compressed('gzip', {}, [{ value: 'a' }, { key: 'b', value: 'b' }]),
    'null key and a wrong offset delta': batch({ records: [{ value: 'v', offsetDelta: 1 }, { key: 'k' }] }),
  };
  return [
    ...on('compacted', nullKeys),
    ...on('compacted-and-deleted', { 'null key': batch({ records: [{ value: 'v' }] }) }),
    ...on('small', {
      'exactly max.message.bytes': big(exact),
      'one byte over': big(exact + 1),
      'one byte over, CRC wrong': flip(big(exact + 1), -2),
      'one byte over, two batches': Buffer.concat([big(exact + 1), batch()]),
      'two batches, together over': Buffer.concat([big(300), big(300)]),
      'one byte over, count wrong': batch({
        records: [{ key: 'k', value: 'x'.repeat(exact + 1) }],
        count: 2,
        lastOffsetDelta: 1,
      }),
    }),
    ...on('not-before', {
      'in 2023': batch({ records: THREE }),
      'in 2023, gzip': compressed('gzip'),
      'no timestamp': batch({ baseTimestamp: -1, maxTimestamp: -1 }),
      'in 2023 and a null key': batch({ records: [{ value: 'v' }] }),
    }),
    ...on('not-after', {
      'in 2100': batch({ records: THREE, baseTimestamp: YEAR_2100 }),
      'one of three in 2100': batch({ records: late, maxTimestamp: YEAR_2100 }),
      'one of three in 2100, zstd': compressed('zstd', { maxTimestamp: YEAR_2100 }, late),
      'in 2100, but max timestamp in 2023': batch({
        records: [{ value: 'v', timestampDelta: YEAR_2100 - BASE_TIMESTAMP }],
        maxTimestamp: BASE_TIMESTAMP,
      }),
    }),
    ...on('plain', {
      'in 2100 (after.max.ms is an hour by default)': batch({ baseTimestamp: YEAR_2100 }),
      'a day after 1970': batch({ baseTimestamp: DAY_MS }),
    }),
    ...on('append-time', {
      right: batch({ records: THREE }),
      gzip: compressed('gzip'),
      'in 2100': batch({ baseTimestamp: YEAR_2100 }),
      'no timestamp': batch({ baseTimestamp: -1, maxTimestamp: -1 }),
      'flag set by the client': batch({ attributes: 0x08 }),
    }),
    ...on('to-gzip', {
      uncompressed: batch({ records: THREE }),
      zstd: compressed('zstd'),
      'gzip, as it is': compressed('gzip'),
      'uncompressed, a byte behind the last record': batch({
        records: Buffer.concat([record({ value: 'v' }, 0), Buffer.alloc(1)]),
      }),
      'offset deltas from 1': batch({ records: THREE.map((r, i) => ({ ...r, offsetDelta: i + 1 })) }),
      'max timestamp too small': batch({ records: THREE, maxTimestamp: BASE_TIMESTAMP - 1 }),
      'producer kept': batch({ records: THREE, producerId: 9200, producerEpoch: 3, baseSequence: 0 }),
    }),
    ...on('to-uncompressed', {
      gzip: compressed('gzip'),
      'gzip, cut in half': compressed('gzip', { records: store('gzip', payloadOf(THREE)).subarray(0, 20) }),
    }),
    ...on('small-to-uncompressed', {
      'too large once unpacked': batch({
        attributes: CODEC_IDS.gzip,
        count: 1,
        records: zipOf(record({ value: 'x'.repeat(1000) }, 0)),
      }),
    }),
  ];
}

function zipOf(plain: Buffer): Buffer {
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(gzipCrc(plain), 0);
  trailer.writeUInt32LE(plain.length, 4);
  const packed = deflateRawSync(plain, { level: 9 });
  return Buffer.concat([Buffer.from('1f8b08000000000000ff', 'hex'), packed, trailer]);
}

function requestCases(): BatchCase[] {
  const good = batch();
  const bad = batch({ crcError: 1 });
  const transactional = { attributes: 0x10, producerId: 9300, producerEpoch: 0, baseSequence: 0 };
  return [
    { name: 'request: unknown topic', topic: 'absent', records: good },
    { name: 'request: unknown topic, wrong CRC', topic: 'absent', records: bad },
    { name: 'request: unknown topic, two batches', topic: 'absent', records: Buffer.concat([good, good]) },
    { name: 'request: unknown topic, magic 1', topic: 'absent', records: oldMessage(1, 'k', 'v') },
    { name: 'request: topic name not allowed', topic: 'no/such', records: good },
    { name: 'request: unknown partition', topic: 'plain', partition: 99, records: good },
    { name: 'request: partition -1', topic: 'plain', partition: -1, records: good },
    { name: 'request: acks 2', topic: 'plain', acks: 2, records: good },
    { name: 'request: acks -2', topic: 'plain', acks: -2, records: good },
    { name: 'request: acks 2 and a wrong CRC', topic: 'plain', acks: 2, records: bad },
    { name: 'request: acks 1 and a wrong CRC', topic: 'plain', acks: 1, records: bad },
    { name: 'request: acks 0 and a wrong CRC', topic: 'plain', acks: 0, records: bad },
    { name: 'request: acks 0, unknown topic', topic: 'absent', acks: 0, records: good },
    { name: 'request: acks 0, two batches', topic: 'plain', acks: 0, records: Buffer.concat([good, good]) },
    { name: 'request: one partition twice', topic: 'plain', records: good, twice: true },
    {
      name: 'request: transactional id, batch not transactional',
      topic: 'plain',
      transactionalId: 't',
      records: good,
    },
    {
      name: 'request: transactional id unknown, batch transactional',
      topic: 'plain',
      transactionalId: 'nobody',
      records: batch(transactional),
    },
  ];
}

export function batchCases(): BatchCase[] {
  const plain = { ...plainCases(), ...codecCases() };
  return [
    ...Object.entries(plain).map(([name, records]) => ({ name, topic: 'plain', records })),
    ...topicCases(),
    ...requestCases(),
  ];
}
