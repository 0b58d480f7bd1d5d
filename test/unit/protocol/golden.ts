import { isDefault, type StructValue } from '../../../src/protocol/field-rules.ts';
import { type AnyMessage, type FieldSpec, isIn, type NamedField } from '../../../src/protocol/schema.ts';

/** What Apache Kafka wrote and how it read it: see test/interop/protocol.test.ts. */
export interface Golden {
  /** The versions of Apache Kafka that were asked. */
  from: string[];
  /** What none of them has. */
  absent: string[];
  /** By name: Kafka's code of the error, and whether a client may try again. */
  errors: { [name: string]: [code: number, isRetriable: boolean] };
  /** By message and version: the bytes of the numbered and of the sparse value as hex. */
  bytes: { [message: string]: { [version: string]: string } };
  /** By message and version: Kafka's JSON form of the numbered value. */
  values: { [message: string]: { [version: string]: unknown } };
}

export const goldenFile = new URL('../../fixtures/protocol/golden.json', import.meta.url);

/**
 * Compares a decoded message with Kafka's JSON form of it: empty, or the first difference. Kafka leaves out of it
 * what the version does not have and tagged fields at their default, and never shows records.
 */
export function jsonMatches(schema: AnyMessage, version: number, value: unknown, json: unknown): string {
  return structMatches(schema.fields, version, value as StructValue, json as StructValue, schema.name);
}

function structMatches(
  fields: readonly NamedField[],
  version: number,
  value: StructValue,
  json: StructValue,
  where: string,
): string {
  const unknown = Object.keys(json).filter((name) => !fields.some((field) => field.name === name));
  if (unknown.length > 0) return `${where} lacks ${unknown.join(', ')}`;
  for (const { name, spec } of fields) {
    const place = `${where}.${name}`;
    const found = Object.hasOwn(json, name)
      ? fieldMatches(spec, version, value[name], json[name], place)
      : isDefault(spec, value[name]) || !isIn(spec.versions, version)
        ? ''
        : `${place} is not in Kafka's form`;
    if (found !== '') return found;
  }
  return '';
}

function fieldMatches(
  spec: FieldSpec,
  version: number,
  value: unknown,
  json: unknown,
  where: string,
): string {
  if (spec.kind === 'records') return '';
  if (value === null || json === null) return value === json ? '' : `${where}: ${value} is not ${json}`;
  if (spec.kind === 'struct') {
    return structMatches(spec.fields ?? [], version, value as StructValue, json as StructValue, where);
  }
  const { element } = spec;
  if (element !== undefined) {
    const [ours, theirs] = [value as readonly unknown[], json as readonly unknown[]];
    if (ours.length !== theirs.length) return `${where}: ${ours.length} instead of ${theirs.length} elements`;
    return ours.reduce<string>(
      (found, one, index) =>
        found || fieldMatches(element, version, one, theirs[index], `${where}[${index}]`),
      '',
    );
  }
  const text = value instanceof Uint8Array ? Buffer.from(value).toString('base64') : String(value);
  return text === String(json) ? '' : `${where}: ${text} is not ${json}`;
}
