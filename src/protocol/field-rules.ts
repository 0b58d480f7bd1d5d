import { ZERO_UUID } from '../base/uuid.ts';
import { type FieldSpec, isIn, type NamedField } from './schema.ts';
import { unknownTaggedFields } from './tagged-fields.ts';

/** What a schema means apart from bytes: defaults, and how small a value can get on the wire and in memory. */

export type StructValue = { [name: string]: unknown };

/** A number, or where something else is. */
const HEAP_SLOT = 8;
const EMPTY_BYTES = Buffer.alloc(0);

/** The value of a field that is not on the wire; objects and arrays are new at every call. */
export function defaultOf(spec: FieldSpec): unknown {
  if (spec.defaultValue !== undefined) return spec.defaultValue;
  switch (spec.kind) {
    case 'bool':
      return false;
    case 'int64':
      return 0n;
    case 'uuid':
      return ZERO_UUID;
    case 'string':
      return '';
    case 'bytes':
      return EMPTY_BYTES;
    case 'records':
      return null;
    case 'array':
      return [];
    case 'struct':
      return defaultStruct(spec.fields ?? []);
    default:
      return 0;
  }
}

export function defaultStruct(fields: readonly NamedField[]): StructValue {
  const value: StructValue = {};
  for (const { name, spec } of fields) value[name] = defaultOf(spec);
  return value;
}

/** Whether the value is what its absence would mean. */
export function isDefault(spec: FieldSpec, value: unknown): boolean {
  const absent = spec.defaultValue;
  if (absent === null || value === null) return value === defaultOf(spec);
  if (Array.isArray(value)) return spec.kind === 'array' && value.length === 0;
  if (value instanceof Uint8Array) return spec.kind === 'bytes' && value.length === 0;
  if (spec.kind !== 'struct') return value === defaultOf(spec);
  return isDefaultStruct(spec.fields ?? [], value as StructValue);
}

function isDefaultStruct(fields: readonly NamedField[], value: StructValue): boolean {
  if (unknownTaggedFields(value).length > 0) return false;
  return fields.every(({ name, spec }) => isDefault(spec, value[name]));
}

export function isFlexible(spec: FieldSpec, flexible: boolean): boolean {
  return flexible && !spec.rigid;
}

/** The fewest bytes that a value takes in this version: bounds what a count may announce. */
export function minBytes(spec: FieldSpec, version: number, flexible: boolean): number {
  const compact = isFlexible(spec, flexible);
  switch (spec.kind) {
    case 'bool':
    case 'int8':
      return 1;
    case 'int16':
    case 'uint16':
      return 2;
    case 'int32':
      return 4;
    case 'int64':
    case 'offset':
    case 'float64':
      return 8;
    case 'uuid':
      return 16;
    case 'string':
      return compact ? 1 : 2;
    case 'bytes':
    case 'records':
    case 'array':
      return compact ? 1 : 4;
    case 'struct':
      return isIn(spec.nullable, version) ? 1 : minStructBytes(spec.fields ?? [], version, flexible);
  }
}

function minStructBytes(fields: readonly NamedField[], version: number, flexible: boolean): number {
  let total = flexible ? 1 : 0;
  for (const { spec } of fields) {
    if (isUntagged(spec, version)) total += minBytes(spec, version, flexible);
  }
  return total;
}

/**
 * About the bytes of memory that the smallest value takes once it is read, its place in the parent included: an empty
 * array is one byte on the wire and an object here. What grows with the bytes of the value is not counted.
 */
export function heapBytes(spec: FieldSpec, version: number): number {
  if (!isIn(spec.versions, version)) return HEAP_SLOT;
  switch (spec.kind) {
    case 'offset':
    case 'float64':
    case 'string':
      return HEAP_SLOT + 16;
    case 'int64':
      return HEAP_SLOT + 24;
    case 'uuid':
      return HEAP_SLOT + 40;
    case 'array':
      return HEAP_SLOT + 32;
    case 'bytes':
    case 'records':
      return HEAP_SLOT + 128;
    case 'struct':
      return (spec.fields ?? []).reduce(
        (total, field) => total + heapBytes(field.spec, version),
        HEAP_SLOT + 24,
      );
    default:
      return HEAP_SLOT;
  }
}

/** In the version, at its place among the others. */
export function isUntagged(spec: FieldSpec, version: number): boolean {
  return isIn(spec.versions, version) && !isIn(spec.tagged, version);
}

/** The fields that are tagged ones in the version, by ascending tag. */
export function taggedFieldsOf(fields: readonly NamedField[], version: number): NamedField[] {
  return fields
    .filter(({ spec }) => isIn(spec.versions, version) && isIn(spec.tagged, version))
    .sort((one, other) => one.spec.tag - other.spec.tag);
}
