import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import {
  type Compile,
  decode,
  defaults,
  encode,
  encodeToBytes,
  makeCodec,
  ProtocolDecodeError,
  ProtocolEncodeError,
} from '../../../src/protocol/codec.ts';
import { interpretRead, interpretWrite } from '../../../src/protocol/interpreter.ts';
import { FetchRequest, FetchResponse } from '../../../src/protocol/messages/fetch.ts';
import { ListOffsetsRequest } from '../../../src/protocol/messages/list-offsets.ts';
import { MetadataRequest } from '../../../src/protocol/messages/metadata.ts';
import { ProduceRequest } from '../../../src/protocol/messages/produce.ts';
import { PartitionChangeRecord } from '../../../src/protocol/metadata-records/partition-change-record.ts';
import { MAX_TAGGED_FIELDS, Reader } from '../../../src/protocol/reader.ts';
import { array, int8, int32, message, offset, string, struct } from '../../../src/protocol/schema.ts';
import { keepUnknownTaggedFields, unknownTaggedFields } from '../../../src/protocol/tagged-fields.ts';
import { Writer } from '../../../src/protocol/writer.ts';
import { allMessages, versionsOf } from './all-messages.ts';
import { randomMessage, SeededRandom } from './random-values.ts';

const SEED = Number(process.env['PROTOCOL_SEED'] ?? 20_260_401);
const ROUNDS = 4;

const schemas = await allMessages();

describe(`every message and version (PROTOCOL_SEED=${SEED})`, () => {
  test('generated code writes and reads what the interpreter does', () => {
    for (const schema of schemas) {
      for (const version of versionsOf(schema)) {
        const random = new SeededRandom(SEED + version);
        for (let round = 0; round < ROUNDS; round++) {
          const where = `${schema.name} v${version} round ${round}`;
          const value = randomMessage(schema, version, random);
          const bytes = encodeToBytes(schema, version, value);
          const oracle = new Writer();
          interpretWrite(schema, version, value, oracle);
          expect(bytes.equals(oracle.bytes()), where).toBe(true);
          const back = decode(schema, version, bytes);
          if (!isDeepStrictEqual(back, value)) expect(back, where).toEqual(value);
          const reader = new Reader(bytes);
          const interpreted = interpretRead(schema, version, reader);
          if (!isDeepStrictEqual(interpreted, back)) expect(interpreted, where).toEqual(back);
          expect(reader.at, where).toBe(bytes.length);
        }
      }
    }
  });
});

describe('versions', () => {
  test('a field that is set and has no place in the version is refused by name', () => {
    const request = defaults(FetchRequest, { forgottenTopicsData: [{ topic: 'a', partitions: [1] }] });
    expect(() => encodeToBytes(FetchRequest, 6, request)).toThrow(
      new ProtocolEncodeError('FetchRequest v6: forgottenTopicsData has no place in version 6'),
    );
  });

  test('an ignorable one is left out', () => {
    const request = defaults(FetchRequest, { rackId: 'r1', sessionId: 7 });
    const back = decode(FetchRequest, 4, encodeToBytes(FetchRequest, 4, request));
    expect(back).toMatchObject({ rackId: '', sessionId: 0, sessionEpoch: -1 });
  });

  test('null is refused in both directions where the version has none', () => {
    const all = defaults(MetadataRequest, { topics: null });
    expect(() => encodeToBytes(MetadataRequest, 0, all)).toThrow(/topics is null in version 0/);
    expect(decode(MetadataRequest, 1, encodeToBytes(MetadataRequest, 1, all)).topics).toBeNull();
    expect(() => decode(MetadataRequest, 0, Buffer.from('ffffffff', 'hex'))).toThrow(/null/);
  });

  test('a version that does not exist is refused in both directions', () => {
    expect(() => decode(MetadataRequest, 14, Buffer.alloc(0))).toThrow(ProtocolDecodeError);
    expect(() => decode(MetadataRequest, -1, Buffer.alloc(0))).toThrow(ProtocolDecodeError);
    expect(() => encodeToBytes(MetadataRequest, 14, defaults(MetadataRequest, {}))).toThrow(
      ProtocolEncodeError,
    );
  });

  test('the oldest ListOffsets asks for a number of offsets', () => {
    const request = defaults(ListOffsetsRequest, {
      replicaId: -1,
      topics: [{ name: 't', partitions: [{ partitionIndex: 3, timestamp: -1n, maxNumOffsets: 5 }] }],
    });
    const hex = encodeToBytes(ListOffsetsRequest, 0, request).toString('hex');
    expect(hex).toBe('ffffffff000000010001740000000100000003ffffffffffffffff00000005');
  });
});

describe('tagged fields', () => {
  const inner = struct({ id: int32.default(-1), name: string });
  const Sample = message(
    { name: 'Sample', versions: [0, 2], flexible: 1 },
    {
      plain: int8,
      late: string.nullable().tagged(0, 1).default(null),
      place: inner.tagged(4, 1),
      list: array(int32).tagged(2, 2),
      cursor: struct({ at: offset }).nullable().default(null),
    },
  );

  test('those at their default take no bytes', () => {
    expect(encodeToBytes(Sample, 2, defaults(Sample, { plain: 5 })).toString('hex')).toBe('05ff00');
  });

  test('are written by ascending tag with their size', () => {
    const value = defaults(Sample, { late: 'x', place: { name: 'y' }, list: [1], cursor: { at: 1 } });
    const hex = encodeToBytes(Sample, 2, value).toString('hex');
    expect(hex).toBe(
      '00' + '01' + '0000000000000001' + '00' + '03' + '00020278' + '02050200000001' + '0407ffffffff027900',
    );
  });

  test('unknown ones are kept, between the known ones, also through a copy', () => {
    const value = defaults(Sample, { late: 'x', list: [1] });
    keepUnknownTaggedFields(value, [
      { tag: 9, bytes: Buffer.from('ff', 'hex') },
      { tag: 1, bytes: Buffer.alloc(0) },
    ]);
    const bytes = encodeToBytes(Sample, 2, value);
    expect(bytes.toString('hex')).toBe('00ff' + '04' + '00020278' + '0100' + '02050200000001' + '0901ff');
    const back = decode(Sample, 2, bytes);
    expect(unknownTaggedFields(back).map(({ tag }) => tag)).toEqual([1, 9]);
    expect(encodeToBytes(Sample, 2, { ...back }).equals(bytes)).toBe(true);
  });

  test('a field of a later version is unknown in an earlier one and comes back as it was', () => {
    const bytes = encodeToBytes(Sample, 2, defaults(Sample, { list: [7] }));
    const back = decode(Sample, 1, bytes);
    expect(back.list).toEqual([]);
    expect(encodeToBytes(Sample, 1, back).equals(bytes)).toBe(true);
  });

  test('unknown ones are refused where a version has no tagged fields, or a tag is taken', () => {
    const value = defaults(Sample, { late: null });
    keepUnknownTaggedFields(value, [{ tag: 0, bytes: Buffer.alloc(0) }]);
    expect(() => encodeToBytes(Sample, 0, value)).toThrow(ProtocolEncodeError);
    expect(() => encodeToBytes(Sample, 1, { ...value, late: 'x' })).toThrow(/given twice/);
  });

  test('a size that does not fit its contents is refused', () => {
    expect(() => decode(Sample, 1, Buffer.from('00ff' + '01' + '000302780000', 'hex'))).toThrow(
      /another size/,
    );
  });

  test('sizes of more than one byte move the contents', () => {
    const late = 'ü'.repeat(9000);
    const value = defaults(Sample, { late, list: Array.from({ length: 50 }, (_, index) => index) });
    expect(decode(Sample, 2, encodeToBytes(Sample, 2, value))).toEqual(value);
  });

  test('a nullable struct is marked with 0 or 1 where it is one, and with -1 or 1 elsewhere', () => {
    const Marked = message(
      { name: 'Marked', versions: [0, 0], flexible: 0 },
      { plain: struct({ id: int8 }).nullable(), late: struct({ id: int8 }).nullable().tagged(0, 0) },
    );
    for (const [value, hex] of [
      [{ plain: null, late: null }, 'ff 01 00 01 00'],
      [{ plain: { id: 7 }, late: { id: 8 } }, '01 07 00 01 00 03 01 08 00'],
      [{ plain: null, late: { id: 0 } }, 'ff 00'],
    ] as const) {
      expect(encodeToBytes(Marked, 0, value).toString('hex')).toBe(hex.replaceAll(' ', ''));
      expect(decode(Marked, 0, encodeToBytes(Marked, 0, value))).toEqual(value);
    }
    expect(() => decode(Marked, 0, Buffer.from('ff0100010200', 'hex'))).toThrow(/a struct marked with 2/);
  });

  test('a record with null as default tells null from empty', () => {
    const change = defaults(PartitionChangeRecord, { partitionId: 1, isr: [], leader: 3 });
    const back = decode(PartitionChangeRecord, 2, encodeToBytes(PartitionChangeRecord, 2, change));
    expect(back).toMatchObject({ isr: [], replicas: null, leader: 3 });
  });
});

describe('limits', () => {
  const List = message({ name: 'List', versions: [0, 1], flexible: 1 }, { items: array({ name: string }) });

  test('a count beyond the bytes that are left is refused before anything is made', () => {
    expect(() => decode(List, 0, Buffer.from('7fffffff00', 'hex'))).toThrow(/array of 2147483647 elements/);
    expect(() => decode(List, 0, Buffer.from('fffffffe', 'hex'))).toThrow(ProtocolDecodeError);
    expect(() => decode(List, 1, Buffer.from('ffffffff0f00', 'hex'))).toThrow(ProtocolDecodeError);
  });

  test('more than a million elements are refused even where the bytes are there', () => {
    const bytes = Buffer.alloc(4 + 2_000_002);
    bytes.writeInt32BE(1_000_001, 0);
    expect(() => decode(List, 0, bytes)).toThrow(/array of 1000001 elements/);
  });

  test('more than 10,000 tagged fields are refused', () => {
    const writer = new Writer();
    writer.uvarint(1);
    writer.uvarint(MAX_TAGGED_FIELDS + 1);
    writer.raw(Buffer.alloc(2 * MAX_TAGGED_FIELDS + 2));
    expect(() => decode(List, 1, writer.bytes())).toThrow(/10001 tagged fields/);
  });

  test('an offset beyond 2^53 is refused in both directions', () => {
    const Offsets = message({ name: 'Offsets', versions: [0, 0] }, { at: offset });
    expect(decode(Offsets, 0, Buffer.from('001fffffffffffff', 'hex')).at).toBe(2 ** 53 - 1);
    expect(() => decode(Offsets, 0, Buffer.from('0020000000000000', 'hex'))).toThrow(/beyond 2\^53/);
    expect(() => decode(Offsets, 0, Buffer.from('8000000000000000', 'hex'))).toThrow(/beyond 2\^53/);
    // Exactly -2^53 could be read and not written.
    expect(() => decode(Offsets, 0, Buffer.from('ffe0000000000000', 'hex'))).toThrow(/beyond 2\^53/);
    expect(() => encodeToBytes(Offsets, 0, { at: 2 ** 53 })).toThrow(ProtocolEncodeError);
    expect(() => encodeToBytes(Offsets, 0, { at: 1.5 })).toThrow(ProtocolEncodeError);
  });

  test('a string of more than 32,767 bytes is not written', () => {
    for (const version of [0, 1]) {
      const value = { items: [{ name: 'ü'.repeat(16_384) }] };
      expect(() => encodeToBytes(List, version, value)).toThrow(/a string of 32768 bytes/);
    }
  });
});

describe('records', () => {
  const records = Buffer.alloc(5000, 7);
  const response = defaults(FetchResponse, {
    responses: [
      { topic: 't', partitions: [{ records: [records, records.subarray(0, 2000)] }, { records: null }] },
    ],
  });

  test('leave as chunks of their own, the very bytes that were given', () => {
    for (const version of [4, 12]) {
      const writer = new Writer();
      encode(FetchResponse, version, { ...response, responses: [{ ...response.responses[0]! }] }, writer);
      const chunks = writer.chunks();
      expect(chunks).toHaveLength(4);
      expect(chunks[1]).toBe(records);
      const back = decode(FetchResponse, version, writer.bytes());
      expect(back.responses[0]?.partitions[0]?.records).toEqual(Buffer.alloc(7000, 7));
      expect(back.responses[0]?.partitions[1]?.records).toBeNull();
      expect(writer.length).toBe(Buffer.concat(chunks).length);
    }
  });

  test('arrive as a view into the frame', () => {
    const request = defaults(ProduceRequest, {
      topicData: [{ name: 't', partitionData: [{ index: 0, records }] }],
    });
    const bytes = encodeToBytes(ProduceRequest, 9, request);
    const view = decode(ProduceRequest, 9, bytes).topicData[0]?.partitionData[0]?.records;
    expect(view?.buffer).toBe(bytes.buffer);
    expect(view).toEqual(records);
  });
});

describe('where code generation is disabled', () => {
  const refuse: Compile = () => {
    throw new EvalError('Code generation from strings disallowed for this context');
  };

  test('the interpreter takes over', () => {
    for (const schema of schemas) {
      const version = schema.lastVersion;
      const value = randomMessage(schema, version, new SeededRandom(SEED));
      const codec = makeCodec(schema, version, refuse);
      const writer = new Writer();
      codec.write(value, writer);
      expect(writer.bytes().equals(encodeToBytes(schema, version, value))).toBe(true);
      expect(codec.read(new Reader(writer.bytes()))).toEqual(value);
    }
  });
});
