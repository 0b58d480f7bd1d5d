import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import { decode, encodeToBytes, ProtocolDecodeError } from '../../../src/protocol/codec.ts';
import { Errors, errorName, errorText, isRetriable } from '../../../src/protocol/errors.ts';
import type { StructValue } from '../../../src/protocol/field-rules.ts';
import {
  decodeRequestHeader,
  decodeResponseHeader,
  encodeRequestHeader,
  encodeResponseHeader,
} from '../../../src/protocol/headers.ts';
import { interpretRead, interpretWrite } from '../../../src/protocol/interpreter.ts';
import { Reader } from '../../../src/protocol/reader.ts';
import {
  type ControlType,
  controlKey,
  controlTypeOf,
  coordinatorEpochOf,
  endTxnMarkerValue,
} from '../../../src/protocol/record-batch/index.ts';
import type { AnyMessage } from '../../../src/protocol/schema.ts';
import { Writer } from '../../../src/protocol/writer.ts';
import { allMessages, versionsOf } from './all-messages.ts';
import { type CorpusEntry, type ErrorTable, errorsFile, readCorpus, valueOfJson } from './corpus.ts';
import { SeededRandom } from './random-values.ts';

const SEED = Number(process.env['PROTOCOL_SEED'] ?? 20_260_403);
/** Frames up to here are cut everywhere, longer ones at so many places. */
const CUTS = 48;
const FLIPS = 8;

/** Read and written by hand, without a schema. */
const BY_HAND = ['RequestHeader', 'ResponseHeader', 'ControlRecordTypeSchema', 'EndTxnMarker'];

const METADATA = 3;

const corpus = readCorpus();
const schemas = new Map((await allMessages()).map((schema) => [schema.name, schema]));

/** The values that must be read, with their schemas. */
const valid = corpus.flatMap((entry) => {
  const schema = schemas.get(entry.name);
  return schema === undefined || entry.kind === 'beyond' ? [] : [{ ...entry, schema }];
});

describe("what Apache Kafka's own classes wrote", () => {
  test('is there for every message and version, and for none that we lack', () => {
    const ours = [...schemas.values()].flatMap((schema) =>
      versionsOf(schema).map((version) => `${schema.name} v${version}`),
    );
    for (const kind of ['defaults', 'lowest', 'highest', 'random 1', 'random 2', 'random 3']) {
      const theirs = corpus.filter((entry) => entry.kind === kind && !BY_HAND.includes(entry.name));
      expect(theirs.map(({ name, version }) => `${name} v${version}`).sort()).toEqual(ours.sort());
    }
  });

  test('is read as the value it was, and the value is written to the same bytes', () => {
    for (const { schema, version, bytes, json, where } of valid) {
      const value = decode(schema, version, bytes) as StructValue;
      const theirs = valueOfJson(schema, version, json, value);
      if (!isDeepStrictEqual(value, theirs)) expect(value, where).toEqual(theirs);
      expectBytes(encodeToBytes(schema, version, theirs), bytes, where);
    }
  });

  test('is read and written by the interpreter as by the generated code', () => {
    for (const { schema, version, bytes, where } of valid) {
      const reader = new Reader(bytes);
      const value = interpretRead(schema, version, reader);
      reader.finish();
      const generated = decode(schema, version, bytes);
      if (!isDeepStrictEqual(value, generated)) expect(value, where).toEqual(generated);
      const writer = new Writer();
      interpretWrite(schema, version, value, writer);
      expectBytes(writer.bytes(), bytes, where);
    }
  });

  test('is refused where an offset is beyond 2^53', () => {
    const beyond = corpus.filter(({ kind }) => kind === 'beyond');
    expect(beyond.length).toBeGreaterThan(150);
    for (const { name, version, bytes, where } of beyond) {
      expect(() => decode(schemaOf(name), version, bytes), where).toThrow(/an offset or size beyond 2\^53/);
    }
  });
});

describe(`and what becomes of it on the way (PROTOCOL_SEED=${SEED})`, () => {
  test('a byte behind the end is refused', () => {
    for (const { schema, version, bytes, where } of valid) {
      const longer = Buffer.concat([bytes, Buffer.of(0)]);
      expect(() => decode(schema, version, longer), where).toThrow(/1 bytes too many/);
    }
  });

  test('a frame cut anywhere is refused', () => {
    const random = new SeededRandom(SEED);
    for (const { schema, version, bytes, where } of valid) {
      for (let cut = 0; cut < Math.min(bytes.length, CUTS); cut++) {
        const length = bytes.length <= CUTS ? cut : random.below(bytes.length);
        const failure = failureOf(schema, version, bytes.subarray(0, length));
        if (!(failure instanceof ProtocolDecodeError)) expect.fail(`${where} cut at ${length}: ${failure}`);
      }
    }
  });

  test('changed bits give another message or are refused', () => {
    const random = new SeededRandom(SEED);
    for (const { schema, version, bytes, where } of valid) {
      if (bytes.length === 0) continue;
      for (let flip = 0; flip < FLIPS; flip++) {
        const changed = Buffer.from(bytes);
        const at = random.below(bytes.length);
        changed[at] = changed[at]! ^ (1 << random.below(8));
        const failure = failureOf(schema, version, changed);
        if (failure !== undefined && !(failure instanceof ProtocolDecodeError)) {
          expect.fail(`${where} changed at ${at}: ${failure}`);
        }
      }
    }
  });
});

describe('what is read and written by hand', () => {
  const entriesOf = (name: string): readonly CorpusEntry[] => {
    const entries = corpus.filter((entry) => entry.name === name);
    expect(entries.length).toBeGreaterThanOrEqual(6);
    return entries;
  };

  test('request headers', () => {
    for (const { version, bytes, json, where } of entriesOf('RequestHeader')) {
      // The version of the header follows from key and version of the request: Metadata v9 is the first with 2.
      const frame = Buffer.from(bytes);
      frame.writeInt16BE(METADATA, 0);
      frame.writeInt16BE(7 + version, 2);
      const { bodyAt, ...header } = decodeRequestHeader(frame);
      expect(bodyAt, where).toBe(frame.length);
      expect(header, where).toEqual({
        apiKey: METADATA,
        apiVersion: 7 + version,
        correlationId: json['correlationId'],
        clientId: json['clientId'],
      });
      const writer = new Writer();
      encodeRequestHeader(writer, header);
      expectHeader(writer, frame, where);
    }
  });

  test('response headers', () => {
    for (const { version, bytes, json, where } of entriesOf('ResponseHeader')) {
      const { correlationId, bodyAt } = decodeResponseHeader(bytes, METADATA, 8 + version);
      expect(bodyAt, where).toBe(bytes.length);
      expect(correlationId, where).toBe(json['correlationId']);
      const writer = new Writer();
      encodeResponseHeader(writer, METADATA, 8 + version, correlationId);
      expectHeader(writer, bytes, where);
    }
  });

  test('keys of control records', () => {
    for (const { bytes, json, where } of entriesOf('ControlRecordTypeSchema')) {
      // What Kafka keeps in front of it is the version.
      const key = Buffer.concat([Buffer.of(0, 0), bytes]);
      const type = controlTypeOf(key);
      if (type === undefined) expect([0, 1, 2, 3, 4, 5, 6], where).not.toContain(json['type']);
      else expectBytes(controlKey(type as ControlType), key, where);
    }
  });

  test('values of transaction markers', () => {
    for (const { bytes, json, where } of entriesOf('EndTxnMarker')) {
      const value = Buffer.concat([Buffer.of(0, 0), bytes]);
      expect(coordinatorEpochOf(value), where).toBe(json['coordinatorEpoch']);
      expectBytes(endTxnMarkerValue(coordinatorEpochOf(value)), value, where);
    }
  });
});

/** Tagged fields of a header are skipped, not kept. */
function expectHeader(writer: Writer, frame: Buffer, where: string): void {
  if (writer.length === frame.length) expectBytes(writer.bytes(), frame, where);
  else expectBytes(writer.bytes().subarray(0, -1), frame.subarray(0, writer.length - 1), where);
}

describe('errors', () => {
  const table = JSON.parse(readFileSync(errorsFile, 'utf8')) as ErrorTable;

  test('are those of Apache Kafka, and may be tried again where it says so', () => {
    expect(Object.fromEntries(Object.entries(table).map(([name, [code]]) => [name, code]))).toEqual(Errors);
    for (const [name, [code, mayRetry]] of Object.entries(table)) {
      expect(errorName(code)).toBe(name);
      expect(isRetriable(code), name).toBe(mayRetry);
    }
  });

  test('have a code of their own and a text', () => {
    const codes = Object.values(Errors).toSorted((one, other) => one - other);
    expect(codes).toEqual(Array.from({ length: codes.length }, (_, index) => index - 1));
    for (const code of codes) if (code !== Errors.NONE) expect(errorText(code)).not.toBe('');
  });

  test('of the future count as unknown', () => {
    expect(errorName(9999)).toBe('UNKNOWN_SERVER_ERROR');
  });
});

function schemaOf(name: string): AnyMessage {
  const schema = schemas.get(name);
  if (schema === undefined) throw new Error(`no schema for ${name}`);
  return schema;
}

function expectBytes(ours: Uint8Array, theirs: Buffer, where: string): void {
  if (theirs.equals(ours)) return;
  expect(Buffer.from(ours).toString('hex'), where).toBe(theirs.toString('hex'));
}

function failureOf(schema: AnyMessage, version: number, bytes: Buffer): unknown {
  try {
    decode(schema, version, bytes);
    return undefined;
  } catch (error) {
    return error;
  }
}
