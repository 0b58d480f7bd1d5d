import {
  BASE_TIMESTAMP,
  batch,
  CODEC_IDS,
  type Codec,
  type MessageSpec,
  message,
  record,
  store,
  storeOldLz4,
} from './batch.ts';
import { Out } from './bytes.ts';
import type { NewTopic } from './wire.ts';

/** Message sets that old producers sent, right ones and wrong ones. */
export interface OldCase {
  readonly name: string;
  /** One of `oldTopics`, without the version at its end. */
  readonly topic: string;
  readonly records: Buffer;
}

export const OLD_PRODUCE_VERSIONS = [0, 1, 2] as const;

const CONFIGS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  plain: {},
  compacted: { 'cleanup.policy': 'compact' },
  small: { 'max.message.bytes': '300' },
  'not-before': { 'message.timestamp.before.max.ms': '3600000' },
  'not-after': { 'message.timestamp.after.max.ms': '3600000' },
  'append-time': { 'message.timestamp.type': 'LogAppendTime' },
  'to-gzip': { 'compression.type': 'gzip' },
  'to-uncompressed': { 'compression.type': 'uncompressed' },
  'to-zstd': { 'compression.type': 'zstd' },
};

export const oldTopics = (version: number): NewTopic[] =>
  Object.entries(CONFIGS).map(([name, configs]) => ({ name: `${name}-${version}`, configs }));

type Magic = 0 | 1;
type OldCodec = Exclude<Codec, 'zstd'>;

const three = (magic: Magic, offsets: readonly number[] = [0, 1, 2], more: MessageSpec = {}): Buffer =>
  Buffer.concat(
    offsets.map((offset, i) =>
      message({
        magic,
        offset,
        timestamp: BASE_TIMESTAMP + [0, 500, 20][i]!,
        key: i === 1 ? null : `k${i}`,
        value: i === 2 ? null : `value ${i}`,
        ...more,
      }),
    ),
  );

const wrapped = (magic: Magic, codec: Codec, inner: Uint8Array, more: MessageSpec = {}): Buffer =>
  message({
    magic,
    key: null,
    timestamp: BASE_TIMESTAMP + 500,
    attributes: CODEC_IDS[codec],
    value: codec === 'lz4' && magic === 0 ? storeOldLz4(inner) : store(codec, inner),
    ...more,
  });

function plainCases(magic: Magic): Record<string, Buffer> {
  const m = (more: MessageSpec = {}) => message({ magic, ...more });
  const other: Magic = magic === 0 ? 1 : 0;
  const cut = m();
  return {
    'three messages': three(magic),
    'three messages, offsets all 0': three(magic, [0, 0, 0]),
    'three messages, offsets falling': three(magic, [9, 5, 1]),
    'negative offset': m({ offset: -5 }),
    'key and value null': m({ key: null, value: null }),
    'key and value empty': m({ key: '', value: '' }),
    'CRC wrong': m({ crcError: 1 }),
    'CRC wrong in the second': Buffer.concat([m(), m({ crcError: 1 })]),
    'last one cut': Buffer.concat([m(), cut.subarray(0, -1)]),
    'only one, and cut': cut.subarray(0, -1),
    'cut before the magic': cut.subarray(0, 16),
    'eleven bytes': cut.subarray(0, 11),
    'size 13': m({ size: 13 }),
    'size 0': m({ size: 0 }),
    'size -1': m({ size: -1 }),
    'size one too small': m({ size: cut.length - 13 }),
    'size one too large': m({ size: cut.length - 11 }),
    'smallest size, CRC right': m({ body: Buffer.alloc(8, 255) }),
    'a byte behind the value': m({
      body: new Out().bytes(Buffer.from('k')).bytes(Buffer.from('v')).int8(7).done(),
    }),
    'key length -2': m({ body: new Out().int32(-2).int32(-1).done() }),
    'value length -2': m({ body: new Out().int32(-1).int32(-2).done() }),
    'key length beyond the message': m({ body: new Out().int32(100).int32(-1).done() }),
    'value length beyond the message': m({ body: new Out().int32(-1).int32(100).done() }),
    'the other format behind it': Buffer.concat([m(), message({ magic: other })]),
    'a batch behind it': Buffer.concat([m(), batch()]),
    'a batch with a wrong CRC behind it': Buffer.concat([m(), batch({ crcError: 1 })]),
    'behind a batch': Buffer.concat([batch(), m()]),
    'behind a batch, CRC wrong': Buffer.concat([batch(), m({ crcError: 1 })]),
    'unused attributes': m({ attributes: 0x70 }),
    'codec 5': m({ attributes: 5 }),
    'codec 7': m({ attributes: 7 }),
  };
}

function wrapperCases(magic: Magic, codec: OldCodec): Record<string, Buffer> {
  const w = (inner: Uint8Array, more: MessageSpec = {}) => wrapped(magic, codec, inner, more);
  const inner = three(magic);
  const other: Magic = magic === 0 ? 1 : 0;
  const stored = codec === 'lz4' && magic === 0 ? storeOldLz4(inner) : store(codec, inner);
  return {
    'three messages': w(inner, { offset: 2 }),
    'wrapper offset 0': w(inner),
    'wrapper offset far ahead': w(inner, { offset: 1000 }),
    'wrapper offset before the last': w(inner, { offset: 1 }),
    'offsets from 1': w(three(magic, [1, 2, 3]), { offset: 3 }),
    'offsets all 0': w(three(magic, [0, 0, 0])),
    'offsets with gaps': w(three(magic, [0, 4, 9]), { offset: 9 }),
    'offsets falling': w(three(magic, [2, 1, 0]), { offset: 2 }),
    'absolute offsets': w(three(magic, [100, 101, 102]), { offset: 102 }),
    'wrapper with a key': w(inner, { key: 'k', offset: 2 }),
    'value null': w(inner, { value: null }),
    'value empty': w(inner, { value: '' }),
    'nothing inside': w(Buffer.alloc(0)),
    'eleven bytes inside': w(inner.subarray(0, 11)),
    'last one inside cut': w(inner.subarray(0, -1), { offset: 1 }),
    'size 13 inside': w(message({ magic, size: 13 })),
    'CRC wrong inside': w(three(magic, [0, 1, 2], { crcError: 1 }), { offset: 2 }),
    'CRC of the wrapper wrong': w(inner, { offset: 2, crcError: 1 }),
    'the other format inside': w(three(other), { offset: 2 }),
    'both formats inside': w(Buffer.concat([inner, three(other)]), { offset: 2 }),
    'format 2 inside': w(batch()),
    'another wrapper inside': w(wrapped(magic, codec, inner)),
    'value length beyond, inside': w(message({ magic, body: new Out().int32(-1).int32(100).done() })),
    'garbage for compressed bytes': w(inner, { value: Buffer.alloc(40, 0x5a) }),
    'compressed bytes cut': w(inner, { value: stored.subarray(0, stored.length - 20) }),
    'two wrappers': Buffer.concat([w(inner, { offset: 2 }), w(inner, { offset: 2 })]),
    'a message behind the wrapper': Buffer.concat([w(inner, { offset: 2 }), message({ magic })]),
    'a message before the wrapper': Buffer.concat([message({ magic }), w(inner, { offset: 2 })]),
    'half a message behind the wrapper': Buffer.concat([
      w(inner, { offset: 2 }),
      message({ magic }).subarray(0, 20),
    ]),
  };
}

const HOUR = 3_600_000;

function timeCases(): OldCase[] {
  const cases: [string, string, Buffer][] = [
    ['plain', 'timestamp -1', message({ timestamp: -1 })],
    ['plain', 'timestamp -2', message({ timestamp: -2 })],
    ['plain', 'timestamp smallest', message({ timestamp: -(2n ** 63n) })],
    ['plain', 'timestamp 0', message({ timestamp: 0 })],
    ['plain', 'timestamp with 64 bits', message({ timestamp: 1_700_000_000_123_456_789n })],
    ['plain', 'timestamps -1 and others', Buffer.concat([message({ timestamp: -1 }), message()])],
    ['plain', 'LogAppendTime', message({ attributes: 8 })],
    ['plain', 'LogAppendTime, timestamp -1', message({ attributes: 8, timestamp: -1 })],
    ['plain', 'LogAppendTime, format 0', message({ attributes: 8, magic: 0 })],
    ['append-time', 'LogAppendTime', message({ attributes: 8 })],
    ['append-time', 'LogAppendTime, format 0', message({ attributes: 8, magic: 0 })],
    ['append-time', 'CreateTime', three(1)],
    ['append-time', 'format 0', three(0)],
    ['append-time', 'gzip', wrapped(1, 'gzip', three(1), { offset: 2 })],
    ['append-time', 'gzip, LogAppendTime', wrapped(1, 'gzip', three(1), { offset: 2, attributes: 9 })],
    ['plain', 'gzip, LogAppendTime', wrapped(1, 'gzip', three(1), { offset: 2, attributes: 9 })],
    [
      'plain',
      'gzip, LogAppendTime inside',
      wrapped(1, 'gzip', three(1, [0, 1, 2], { attributes: 8 }), { offset: 2 }),
    ],
    [
      'plain',
      'gzip, LogAppendTime, wrapper -1',
      wrapped(1, 'gzip', three(1), { attributes: 9, timestamp: -1 }),
    ],
    ['not-before', 'too old', three(1)],
    ['not-before', 'too old in gzip', wrapped(1, 'gzip', three(1), { offset: 2 })],
    ['not-before', 'no time', message({ timestamp: -1 })],
    ['not-before', 'format 0', three(0)],
    ['not-after', 'old', three(1)],
    ['not-after', 'far ahead', message({ timestamp: BASE_TIMESTAMP + 100_000 * HOUR })],
    [
      'not-after',
      'far ahead in gzip',
      wrapped(1, 'gzip', message({ timestamp: BASE_TIMESTAMP + 100_000 * HOUR })),
    ],
  ];
  return cases.map(([topic, name, records]) => ({ topic, name: `time: ${topic}: ${name}`, records }));
}

function topicCases(): OldCase[] {
  const large = (magic: Magic, count: number, bytes: number): Buffer =>
    Buffer.concat(
      Array.from({ length: count }, (_, i) => message({ magic, offset: i, value: Buffer.alloc(bytes, 97) })),
    );
  const cases: [string, string, Buffer][] = [
    ['compacted', 'keys', message()],
    ['compacted', 'no key', message({ key: null })],
    ['compacted', 'no key in the second', three(1)],
    ['compacted', 'no key, format 0', three(0)],
    ['compacted', 'no key in gzip', wrapped(1, 'gzip', three(1), { offset: 2 })],
    ['compacted', 'key empty', message({ key: '' })],
    ['compacted', 'no key, LogAppendTime -1', message({ key: null, attributes: 8, timestamp: -1 })],
    [
      'compacted',
      'gzip: no key, and a wrong CRC behind it',
      wrapped(1, 'gzip', Buffer.concat([message({ key: null }), message({ crcError: 1, offset: 1 })]), {
        offset: 1,
      }),
    ],
    ['small', 'fits', large(1, 1, 200)],
    ['small', 'one too large', large(1, 1, 300)],
    ['small', 'one too large, CRC wrong', message({ value: Buffer.alloc(300), crcError: 1 })],
    ['small', 'all too large together', large(1, 3, 100)],
    ['small', 'all too large together, format 0', large(0, 3, 100)],
    ['small', 'gzip that unfolds to more', wrapped(1, 'gzip', three(1), { offset: 2 })],
    ['to-gzip', 'plain', three(1)],
    ['to-gzip', 'plain, format 0', three(0)],
    ['to-gzip', 'plain, both formats', Buffer.concat([three(0), three(1)])],
    ['to-gzip', 'snappy', wrapped(1, 'snappy', three(1), { offset: 2 })],
    ['to-uncompressed', 'plain', three(1)],
    ['to-uncompressed', 'lz4', wrapped(1, 'lz4', three(1), { offset: 2 })],
    ['to-uncompressed', 'lz4, format 0', wrapped(0, 'lz4', three(0), { offset: 2 })],
    ['to-zstd', 'plain', three(1)],
    ['to-zstd', 'gzip, format 0', wrapped(0, 'gzip', three(0), { offset: 2 })],
    ['plain', 'no records', Buffer.alloc(0)],
    ['plain', 'a batch of format 2', batch()],
    ['plain', 'a batch of format 2, cut', batch().subarray(0, -1)],
    ['plain', 'a batch of format 2, CRC wrong', batch({ crcError: 1 })],
    ['plain', 'two batches of format 2', Buffer.concat([batch(), batch()])],
    ['plain', 'a batch of format 2 with zstd', zstdBatch()],
    ['plain', 'zstd in format 1', wrapped(1, 'zstd', three(1), { offset: 2 })],
    ['plain', 'zstd in format 0', wrapped(0, 'zstd', three(0), { offset: 2 })],
    ['plain', 'lz4 of format 0 with a right checksum', lz4With(0, store)],
    ['plain', 'lz4 of format 1 with the old checksum', lz4With(1, (_, bytes) => storeOldLz4(bytes))],
    ['plain', 'snappy without framing', rawSnappy()],
    ['plain', 'magic 3', withMagic(3)],
    ['plain', 'magic -1', withMagic(-1)],
  ];
  return cases.map(([topic, name, records]) => ({ topic, name: `${topic}: ${name}`, records }));
}

const zstdBatch = (): Buffer =>
  batch({
    attributes: CODEC_IDS.zstd,
    records: store('zstd', record({ key: 'k', value: 'v' }, 0)),
  });

const lz4With = (magic: Magic, form: (codec: Codec, bytes: Uint8Array) => Buffer): Buffer =>
  wrapped(magic, 'lz4', three(magic), { offset: 2, value: form('lz4', three(magic)) });

const rawSnappy = (): Buffer =>
  wrapped(1, 'snappy', three(1), { offset: 2, value: store('snappy', three(1)).subarray(20) });

const withMagic = (magic: number): Buffer => {
  const bytes = message();
  bytes.writeInt8(magic, 16);
  return bytes;
};

export function oldCases(): OldCase[] {
  const cases: OldCase[] = [];
  for (const magic of [0, 1] as const) {
    const add = (prefix: string, from: Record<string, Buffer>) => {
      for (const [name, records] of Object.entries(from)) {
        cases.push({ topic: 'plain', name: `format ${magic}, ${prefix}: ${name}`, records });
      }
    };
    add('plain', plainCases(magic));
    for (const codec of ['gzip', 'snappy', 'lz4'] as const) add(codec, wrapperCases(magic, codec));
  }
  return [...cases, ...timeCases(), ...topicCases()];
}
