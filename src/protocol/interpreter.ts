import {
  defaultOf,
  heapBytes,
  isDefault,
  isFlexible,
  isUntagged,
  minBytes,
  type StructValue,
  taggedFieldsOf,
} from './field-rules.ts';
import type { Reader } from './reader.ts';
import { type AnyMessage, type FieldSpec, isIn, type NamedField } from './schema.ts';
import { keepUnknownTaggedFields, type RawTaggedField, unknownTaggedFields } from './tagged-fields.ts';
import type { Writer } from './writer.ts';

/**
 * Reads and writes messages by walking their schema: slower than what `codec-source.ts` generates, and the check of
 * it; in charge where code generation from strings is disabled.
 */

interface Form {
  readonly version: number;
  readonly flexible: boolean;
}

export function interpretRead(schema: AnyMessage, version: number, reader: Reader): unknown {
  return readStruct(schema.fields, { version, flexible: version >= schema.flexibleFrom }, reader);
}

export function interpretWrite(schema: AnyMessage, version: number, value: unknown, writer: Writer): void {
  const form = { version, flexible: version >= schema.flexibleFrom };
  writeStruct(schema.fields, form, value as StructValue, writer);
}

function readStruct(fields: readonly NamedField[], form: Form, reader: Reader): StructValue {
  const value: StructValue = {};
  for (const { name, spec } of fields) {
    value[name] = isUntagged(spec, form.version) ? readField(spec, form, reader) : defaultOf(spec);
  }
  if (form.flexible) readTaggedFields(fields, form, reader, value);
  return value;
}

function readTaggedFields(
  fields: readonly NamedField[],
  form: Form,
  reader: Reader,
  value: StructValue,
): void {
  const known = taggedFieldsOf(fields, form.version);
  let unknown: RawTaggedField[] | undefined;
  for (let left = reader.taggedFieldCount(); left > 0; left--) {
    const tag = reader.uvarint();
    const size = reader.taggedFieldSize();
    const end = reader.at + size;
    const field = known.find(({ spec }) => spec.tag === tag);
    if (field === undefined) unknown = reader.rawTaggedField(tag, size, unknown);
    else {
      value[field.name] = readTaggedField(field.spec, form, reader);
      reader.endTaggedField(end);
    }
  }
  if (unknown !== undefined) keepUnknownTaggedFields(value, unknown);
}

/** Alone the mark of a nullable struct differs from its form in the fixed place. */
function readTaggedField(spec: FieldSpec, form: Form, reader: Reader): unknown {
  if (spec.kind !== 'struct' || !isIn(spec.nullable, form.version)) return readField(spec, form, reader);
  return reader.taggedStructFollows() ? readStruct(spec.fields ?? [], form, reader) : null;
}

function readField(spec: FieldSpec, form: Form, reader: Reader): unknown {
  const nullable = isIn(spec.nullable, form.version);
  const compact = isFlexible(spec, form.flexible);
  switch (spec.kind) {
    case 'string':
      if (compact) return nullable ? reader.compactNullableString() : reader.compactString();
      return nullable ? reader.nullableString() : reader.string();
    case 'bytes':
    case 'records':
      if (compact) return nullable ? reader.compactNullableBytes() : reader.compactBytes();
      return nullable ? reader.nullableBytes() : reader.bytes();
    case 'array':
      return readArray(spec, form, reader, nullable);
    case 'struct':
      if (nullable && !reader.structFollows()) return null;
      return readStruct(spec.fields ?? [], form, reader);
    default:
      return reader[spec.kind]();
  }
}

function readArray(spec: FieldSpec, form: Form, reader: Reader, nullable: boolean): unknown[] | null {
  const element = elementOf(spec);
  const min = minBytes(element, form.version, form.flexible);
  const compact = isFlexible(spec, form.flexible);
  const heap = heapBytes(element, form.version);
  const count = compact
    ? reader.compactNullableArrayLength(min, heap)
    : reader.nullableArrayLength(min, heap);
  if (count < 0) return nullable ? null : reader.failNull();
  const values: unknown[] = [];
  for (let index = 0; index < count; index++) values.push(readField(element, form, reader));
  return values;
}

function writeStruct(fields: readonly NamedField[], form: Form, value: StructValue, writer: Writer): void {
  for (const { name, spec } of fields) {
    if (isUntagged(spec, form.version)) writeField(name, spec, form, value[name], writer);
    else if (!isIn(spec.versions, form.version) && !spec.ignorable && !isDefault(spec, value[name])) {
      writer.fail(`${name} has no place in version ${form.version}`);
    }
  }
  if (form.flexible) writeTaggedFields(fields, form, value, writer);
  else if (unknownTaggedFields(value).length > 0) {
    writer.fail(`tagged fields have no place in version ${form.version}`);
  }
}

function writeTaggedFields(
  fields: readonly NamedField[],
  form: Form,
  value: StructValue,
  writer: Writer,
): void {
  const known = taggedFieldsOf(fields, form.version).filter(
    ({ name, spec }) => !isDefault(spec, value[name]),
  );
  const unknown = unknownTaggedFields(value);
  let next = 0;
  writer.uvarint(known.length + unknown.length);
  for (const { name, spec } of known) {
    next = writer.rawTaggedFieldsBefore(spec.tag, unknown, next);
    const sizeAt = writer.beginTaggedField(spec.tag);
    writeTaggedField(name, spec, form, value[name], writer);
    writer.endTaggedField(sizeAt);
  }
  writer.rawTaggedFieldsBefore(Number.POSITIVE_INFINITY, unknown, next);
}

function writeTaggedField(name: string, spec: FieldSpec, form: Form, value: unknown, writer: Writer): void {
  if (spec.kind !== 'struct' || !isIn(spec.nullable, form.version)) {
    writeField(name, spec, form, value, writer);
    return;
  }
  writer.uvarint(value === null ? 0 : 1);
  if (value !== null) writeStruct(spec.fields ?? [], form, value as StructValue, writer);
}

function writeField(name: string, spec: FieldSpec, form: Form, value: unknown, writer: Writer): void {
  if (value === null) {
    if (!isIn(spec.nullable, form.version)) writer.fail(`${name} is null in version ${form.version}`);
    writeNull(spec, form, writer);
    return;
  }
  const compact = isFlexible(spec, form.flexible);
  switch (spec.kind) {
    case 'string':
      if (compact) writer.compactString(value as string);
      else writer.string(value as string);
      return;
    case 'bytes':
      if (compact) writer.compactBytes(value as Uint8Array);
      else writer.bytesField(value as Uint8Array);
      return;
    case 'records':
      if (compact) writer.compactRecords(value as Uint8Array);
      else writer.records(value as Uint8Array);
      return;
    case 'array': {
      const values = value as readonly unknown[];
      if (compact) writer.compactArrayLength(values.length);
      else writer.arrayLength(values.length);
      for (const element of values) writeField(name, elementOf(spec), form, element, writer);
      return;
    }
    case 'struct':
      if (isIn(spec.nullable, form.version)) writer.int8(1);
      writeStruct(spec.fields ?? [], form, value as StructValue, writer);
      return;
    default:
      (writer[spec.kind] as (value: unknown) => void).call(writer, value);
  }
}

function writeNull(spec: FieldSpec, form: Form, writer: Writer): void {
  if (spec.kind === 'struct') writer.int8(-1);
  else if (isFlexible(spec, form.flexible)) writer.uvarint(0);
  else if (spec.kind === 'string') writer.int16(-1);
  else writer.int32(-1);
}

function elementOf(spec: FieldSpec): FieldSpec {
  if (spec.element === undefined) throw new TypeError(`${spec.kind} has no elements`);
  return spec.element;
}
