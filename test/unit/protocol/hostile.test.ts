import { describe, expect, test } from 'vitest';
import { decode, decodeFrom, encodeToBytes, ProtocolDecodeError } from '../../../src/protocol/codec.ts';
import { minBytes } from '../../../src/protocol/field-rules.ts';
import { decodeRequestHeader, decodeResponseHeader } from '../../../src/protocol/headers.ts';
import { JoinGroupRequest } from '../../../src/protocol/messages/join-group.ts';
import { ListGroupsRequest } from '../../../src/protocol/messages/list-groups.ts';
import { MAX_ARRAY_ELEMENTS, MAX_TAGGED_FIELDS, Reader } from '../../../src/protocol/reader.ts';
import type { AnyMessage, NamedField } from '../../../src/protocol/schema.ts';
import { Writer } from '../../../src/protocol/writer.ts';
import { allMessages, versionsOf } from './all-messages.ts';
import { readCorpus } from './corpus.ts';
import { SeededRandom } from './random-values.ts';

const SEED = Number(process.env['PROTOCOL_SEED'] ?? 20_260_404);
const RANDOM_BODIES = 12;

const schemas = await allMessages();
const byName = new Map(schemas.map((schema) => [schema.name, schema]));

type Form = 'int16' | 'int32' | 'uvarint';

interface Place {
  readonly at: number;
  readonly form: Form;
}

/** Remembers where lengths and counts stand. */
class LengthFinder extends Reader {
  readonly places: Place[] = [];

  override string(): string {
    return this.#noted('int16', () => super.string());
  }
  override nullableString(): string | null {
    return this.#noted('int16', () => super.nullableString());
  }
  override compactString(): string {
    return this.#noted('uvarint', () => super.compactString());
  }
  override compactNullableString(): string | null {
    return this.#noted('uvarint', () => super.compactNullableString());
  }
  override bytes(): Uint8Array {
    return this.#noted('int32', () => super.bytes());
  }
  override nullableBytes(): Uint8Array | null {
    return this.#noted('int32', () => super.nullableBytes());
  }
  override compactBytes(): Uint8Array {
    return this.#noted('uvarint', () => super.compactBytes());
  }
  override compactNullableBytes(): Uint8Array | null {
    return this.#noted('uvarint', () => super.compactNullableBytes());
  }
  override arrayLength(minBytes: number, heapBytes: number): number {
    return this.#noted('int32', () => super.arrayLength(minBytes, heapBytes));
  }
  override nullableArrayLength(minBytes: number, heapBytes: number): number {
    return this.#noted('int32', () => super.nullableArrayLength(minBytes, heapBytes));
  }
  override compactArrayLength(minBytes: number, heapBytes: number): number {
    return this.#noted('uvarint', () => super.compactArrayLength(minBytes, heapBytes));
  }
  override compactNullableArrayLength(minBytes: number, heapBytes: number): number {
    return this.#noted('uvarint', () => super.compactNullableArrayLength(minBytes, heapBytes));
  }
  override taggedFieldCount(): number {
    return this.#noted('uvarint', () => super.taggedFieldCount());
  }
  override taggedFieldSize(): number {
    return this.#noted('uvarint', () => super.taggedFieldSize());
  }

  #noted<T>(form: Form, read: () => T): T {
    this.places.push({ at: this.at, form });
    return read();
  }
}

/** Lengths that the bytes left have no room for, the last one just so. */
function claims(form: Form, left: number): readonly Buffer[] {
  const writer = new Writer();
  const made = (write: () => void): Buffer => {
    const from = writer.length;
    write();
    return Buffer.from(writer.bytes().subarray(from));
  };
  switch (form) {
    case 'int16':
      return [0x7fff, -2].map((claim) => made(() => writer.int16(claim)));
    case 'int32':
      return [0x7fffffff, -2, left + 1].map((claim) => made(() => writer.int32(claim)));
    case 'uvarint':
      return [0xffffffff, left + 2].map((claim) => made(() => writer.uvarint(claim)));
  }
}

describe('lengths and counts that the bytes left do not justify', () => {
  test('are refused at every place of every message and version, before anything is allocated', () => {
    let tried = 0;
    for (const { name, version, kind, bytes, where } of readCorpus()) {
      const schema = byName.get(name);
      if (kind !== 'highest' || schema === undefined) continue;
      const finder = new LengthFinder(bytes);
      decodeFrom(schema, version, finder);
      for (const { at, form } of finder.places) {
        // All that was there stays behind the claim, so that nothing else is missed.
        const behind = bytes.subarray(at);
        for (const claim of claims(form, behind.length)) {
          const frame = Buffer.concat([bytes.subarray(0, at), claim, behind]);
          const failure = failureOf(schema, version, frame);
          if (!isRefused(failure, at + claim.length)) expect.fail(`${where}, ${form} at ${at}: ${failure}`);
          tried++;
        }
      }
    }
    expect(tried).toBeGreaterThan(20_000);
  });

  test('every element of an array takes at least a byte', () => {
    for (const schema of schemas) {
      for (const version of versionsOf(schema)) {
        for (const element of elementsOf(schema.fields)) {
          const least = minBytes(element, version, version >= schema.flexibleFrom);
          expect(least, `${schema.name} v${version}`).toBeGreaterThan(0);
        }
      }
    }
  });

  test('a million elements are read, one more is refused', () => {
    const names = (count: number): Buffer => {
      const writer = new Writer();
      writer.uvarint(count + 1);
      return Buffer.concat([writer.bytes(), Buffer.alloc(count, 1), Buffer.of(1, 0)]);
    };
    const { statesFilter } = decode(ListGroupsRequest, 5, names(MAX_ARRAY_ELEMENTS));
    expect(statesFilter).toHaveLength(1_000_000);
    expect(() => decode(ListGroupsRequest, 5, names(MAX_ARRAY_ELEMENTS + 1))).toThrow(
      /an array of 1000001 elements/,
    );
  });

  test('small elements that become large objects are refused above 64 MiB of memory', () => {
    const front = encodeToBytes(JoinGroupRequest, 9, {
      groupId: 'g',
      sessionTimeoutMs: 1,
      rebalanceTimeoutMs: 1,
      memberId: '',
      groupInstanceId: null,
      protocolType: 'consumer',
      protocols: [],
      reason: null,
    });
    // Behind the empty array stand the reason and the tagged fields of the request.
    const at = front.length - 3;
    const request = (count: number): Buffer => {
      const writer = new Writer();
      writer.uvarint(count + 1);
      const protocols = Buffer.alloc(count * 4, Buffer.of(1, 2, 7, 0));
      return Buffer.concat([front.subarray(0, at), writer.bytes(), protocols, front.subarray(at + 1)]);
    };
    expect(decode(JoinGroupRequest, 9, request(300_000)).protocols).toHaveLength(300_000);
    expect(() => decode(JoinGroupRequest, 9, request(400_000))).toThrow(/more values than 67108864 bytes/);
  });

  test('unknown tagged fields count as well', () => {
    const request = (fields: number): Buffer => {
      const writer = new Writer();
      writer.uvarint(1); // no states
      writer.uvarint(1); // no types
      writer.uvarint(fields);
      for (let tag = 0; tag < fields; tag++) {
        writer.uvarint(tag);
        writer.uvarint(0);
      }
      return writer.bytes();
    };
    expect(decode(ListGroupsRequest, 5, request(MAX_TAGGED_FIELDS)).statesFilter).toEqual([]);
    expect(() => decode(ListGroupsRequest, 5, request(MAX_TAGGED_FIELDS + 1))).toThrow(/10001 tagged fields/);
    const reader = new Reader(Buffer.alloc(10));
    expect(() => {
      for (let count = 0; count < 400_000; count++) reader.rawTaggedField(1, 0, undefined);
    }).toThrow(/more values than/);
  });
});

describe(`random bytes (PROTOCOL_SEED=${SEED})`, () => {
  test('into every message and version give a message or are refused', () => {
    const random = new SeededRandom(SEED);
    for (const schema of schemas) {
      for (const version of versionsOf(schema)) {
        for (let round = 0; round < RANDOM_BODIES; round++) {
          const body = hostileBytes(random);
          const failure = failureOf(schema, version, body);
          if (failure !== undefined && !(failure instanceof ProtocolDecodeError)) {
            expect.fail(`${schema.name} v${version} of ${body.toString('hex')}: ${failure}`);
          }
        }
      }
    }
  });

  test('as headers of every key and version give a header or are refused', () => {
    const random = new SeededRandom(SEED);
    for (let round = 0; round < 20_000; round++) {
      const frame = Buffer.concat([Buffer.alloc(4), hostileBytes(random)]);
      const apiKey = random.below(100) - 2;
      const apiVersion = random.below(20) - 2;
      frame.writeInt16BE(apiKey, 0);
      frame.writeInt16BE(apiVersion, 2);
      for (const read of [
        () => decodeRequestHeader(frame),
        () => decodeResponseHeader(frame, apiKey, apiVersion),
      ]) {
        try {
          expect(read().bodyAt).toBeLessThanOrEqual(frame.length);
        } catch (error) {
          if (!(error instanceof ProtocolDecodeError)) throw error;
        }
      }
    }
  });
});

/** Noise, and what goes deeper than noise: small numbers are lengths that fit. */
function hostileBytes(random: SeededRandom): Buffer {
  const length = random.pick([0, 1, 3, 8, 20, 60, 200, 1000]);
  switch (random.below(4)) {
    case 0:
      return random.bytes(length);
    case 1:
      return Buffer.alloc(length, random.pick([0, 1, 0x7f, 0x80, 0xff]));
    case 2:
      return Buffer.from(Array.from({ length }, () => random.below(4)));
    default:
      return Buffer.from(Array.from({ length }, () => (random.chance(8) ? random.below(256) : 0)));
  }
}

/** Where the claim was read, and not only where the bytes ended. */
function isRefused(failure: unknown, at: number): boolean {
  return failure instanceof ProtocolDecodeError && failure.message.endsWith(`(at byte ${at})`);
}

function failureOf(schema: AnyMessage, version: number, bytes: Buffer): unknown {
  try {
    decode(schema, version, bytes);
    return undefined;
  } catch (error) {
    return error;
  }
}

function* elementsOf(fields: readonly NamedField[]): Generator<NonNullable<NamedField['spec']['element']>> {
  for (const { spec } of fields) {
    if (spec.element !== undefined) yield spec.element;
    yield* elementsOf((spec.element ?? spec).fields ?? []);
  }
}
