import { isDefault, type StructValue } from './field-rules.ts';
import { type AnyMessage, type FieldSpec, isIn, type NamedField } from './schema.ts';

/**
 * Messages as JSON in the form that Apache Kafka's tools print: names as in the schemas, 64-bit numbers in full, bytes in
 * base64, tagged fields only where they have a value.
 */

/** A floating-point number, which Java prints unlike JavaScript. */
export class JsonDouble {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

export type Json = string | number | bigint | boolean | null | JsonDouble | Uint8Array | Json[] | JsonObject;
export interface JsonObject {
  [name: string]: Json;
}

/** The fields that a version of the message carries, in the order of its schema. */
export function messageJson(schema: AnyMessage, version: number, value: unknown): JsonObject {
  return structJson(schema.fields, version, value as StructValue);
}

function structJson(fields: readonly NamedField[], version: number, value: StructValue): JsonObject {
  const json: JsonObject = {};
  for (const { name, spec } of fields) {
    if (!isIn(spec.versions, version)) continue;
    if (isIn(spec.tagged, version) && isDefault(spec, value[name])) continue;
    json[name] = fieldJson(spec, version, value[name]);
  }
  return json;
}

function fieldJson(spec: FieldSpec, version: number, value: unknown): Json {
  if (value === null) return null;
  const { element } = spec;
  if (spec.kind === 'struct') return structJson(spec.fields ?? [], version, value as StructValue);
  if (spec.kind === 'float64') return new JsonDouble(value as number);
  if (spec.kind !== 'array' || element === undefined) return value as Json;
  return (value as readonly unknown[]).map((one) => fieldJson(element, version, one));
}

/** The text of it, without any space between. */
export function jsonText(json: Json): string {
  if (json === null || typeof json === 'boolean' || typeof json === 'number' || typeof json === 'bigint')
    return String(json);
  if (typeof json === 'string') return jsonString(json);
  if (json instanceof Uint8Array)
    return `"${Buffer.from(json.buffer, json.byteOffset, json.length).toString('base64')}"`;
  if (json instanceof JsonDouble) return javaDouble(json.value);
  if (Array.isArray(json)) return `[${json.map(jsonText).join(',')}]`;
  const fields = Object.entries(json).map(([name, value]) => `${jsonString(name)}:${jsonText(value)}`);
  return `{${fields.join(',')}}`;
}

/** As JSON.stringify, but for the hexadecimal digits of control characters, which are upper case. */
function jsonString(text: string): string {
  return JSON.stringify(text).replace(
    /(?<!\\)((?:\\\\)*)\\u00([01][a-f])/g,
    (_, slashes: string, digits: string) => {
      return `${slashes}\\u00${digits.toUpperCase()}`;
    },
  );
}

/** The text of Java's Double.toString: always with a fraction, with an exponent below 0.001 and from ten million on. */
function javaDouble(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`;
  const size = Math.abs(value);
  if (Object.is(value, -0)) return '-0.0';
  if (size === 0 || (size >= 1e-3 && size < 1e7)) return withFraction(String(value));
  const [digits = '', exponent = ''] = value.toExponential().split('e');
  return `${withFraction(digits)}E${Number(exponent)}`;
}

const withFraction = (digits: string): string => (digits.includes('.') ? digits : `${digits}.0`);
