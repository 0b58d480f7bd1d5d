import { type Uuid, uuidFromBytes } from '../../../src/base/uuid.ts';
import { defaultOf, type StructValue } from '../../../src/protocol/field-rules.ts';
import { type AnyMessage, type FieldSpec, isIn, type NamedField } from '../../../src/protocol/schema.ts';
import { keepUnknownTaggedFields } from '../../../src/protocol/tagged-fields.ts';

/** A small seeded generator (mulberry32). */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  }

  chance(oneIn: number): boolean {
    return this.below(oneIn) === 0;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }
}

const TEXTS = [
  '',
  'a',
  'orders',
  'größe',
  '日本語',
  '😀 emoji',
  'x'.repeat(95),
  'y'.repeat(96),
  'é'.repeat(90),
];
const INTS = [0, 1, -1, 2, 100];
const OFFSETS = [0, 1, -1, 2 ** 31, 2 ** 32 + 7, 2 ** 53 - 1, -(2 ** 53) + 1, -(2 ** 40)];
const LONGS = [0n, 1n, -1n, 1n << 62n, -(1n << 63n), (1n << 63n) - 1n, 1_700_000_000_123_456_789n];

/** A random value that the version can carry; fields without a place in it have their defaults. */
export function randomMessage(schema: AnyMessage, version: number, random: SeededRandom): StructValue {
  return randomStruct(schema.fields, version, version >= schema.flexibleFrom, random);
}

function randomStruct(
  fields: readonly NamedField[],
  version: number,
  flexible: boolean,
  random: SeededRandom,
): StructValue {
  const value: StructValue = {};
  for (const { name, spec } of fields) {
    const isThere = isIn(spec.versions, version) && !(isIn(spec.tagged, version) && random.chance(2));
    value[name] = isThere ? randomField(spec, version, flexible, random) : defaultOf(spec);
  }
  if (flexible && random.chance(8)) {
    keepUnknownTaggedFields(value, [
      { tag: 3000, bytes: random.bytes(random.below(4)) },
      { tag: 200, bytes: random.bytes(random.below(200)) },
    ]);
  }
  return value;
}

function randomField(spec: FieldSpec, version: number, flexible: boolean, random: SeededRandom): unknown {
  if (isIn(spec.nullable, version) && random.chance(4)) return null;
  switch (spec.kind) {
    case 'bool':
      return random.chance(2);
    case 'int8':
      return random.below(256) - 128;
    case 'int16':
      return random.pick([...INTS, 0x7fff, -0x8000]);
    case 'uint16':
      return random.pick([0, 9092, 0xffff]);
    case 'int32':
      return random.pick([...INTS, 0x7fffffff, -0x80000000]);
    case 'int64':
      return random.pick(LONGS);
    case 'offset':
      return random.pick(OFFSETS);
    case 'float64':
      return random.pick([0, -1.5, 1e300, Number.POSITIVE_INFINITY]);
    case 'uuid':
      return randomUuid(random);
    case 'string':
      return random.pick(TEXTS);
    case 'bytes':
    case 'records':
      return random.bytes(random.pick([0, 1, 5, 300, 1500]));
    case 'array': {
      const { element } = spec;
      if (element === undefined) throw new TypeError('an array without element');
      const count = random.pick([0, 1, 1, 2, 3]);
      return Array.from({ length: count }, () => randomField(element, version, flexible, random));
    }
    case 'struct':
      return randomStruct(spec.fields ?? [], version, flexible, random);
  }
}

function randomUuid(random: SeededRandom): Uuid {
  return uuidFromBytes(random.chance(4) ? new Uint8Array(16) : random.bytes(16), 0);
}
