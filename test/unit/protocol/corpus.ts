import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { defaultOf, type StructValue } from '../../../src/protocol/field-rules.ts';
import { type AnyMessage, type FieldSpec, isIn, type NamedField } from '../../../src/protocol/schema.ts';
import { keepUnknownTaggedFields, unknownTaggedFields } from '../../../src/protocol/tagged-fields.ts';

/**
 * What Apache Kafka's own classes wrote, made by test/interop/protocol.test.ts: a line for each value with the name of
 * the message, the version, what the value is, the bytes as hex and Kafka's JSON form.
 */
export const corpusFile = new URL('../../fixtures/protocol/corpus.tsv.gz', import.meta.url);
/** By name: Kafka's code of the error, and whether a client may try again. */
export const errorsFile = new URL('../../fixtures/protocol/errors.json', import.meta.url);

export type ErrorTable = { [name: string]: [code: number, isRetriable: boolean] };

export interface CorpusEntry {
  readonly name: string;
  readonly version: number;
  /** `defaults`, `lowest`, `highest`, `random 1` to `random 3`; `beyond`: an offset that no number can hold. */
  readonly kind: string;
  readonly bytes: Buffer;
  readonly json: StructValue;
  /** For messages of a failed test. */
  readonly where: string;
}

export function readCorpus(): readonly CorpusEntry[] {
  return gunzipSync(readFileSync(corpusFile)).toString('utf8').trimEnd().split('\n').map(entryOf);
}

function entryOf(line: string): CorpusEntry {
  const [name = '', version, kind = '', hex = '', json = ''] = line.split('\t');
  return {
    name,
    version: Number(version),
    kind,
    bytes: Buffer.from(hex, 'hex'),
    json: JSON.parse(json) as StructValue,
    where: `${name} v${version} ${kind}`,
  };
}

/**
 * The value that Kafka's JSON form describes. It leaves out what the version does not have and tagged fields at their
 * default. It shows neither records nor unknown tagged fields: these two are taken from `decoded`, the same value as
 * it was read from bytes. Throws for a field that our schema lacks.
 */
export function valueOfJson(
  schema: AnyMessage,
  version: number,
  json: StructValue,
  decoded: StructValue,
): StructValue {
  return structOf(schema.fields, version, json, decoded);
}

function structOf(
  fields: readonly NamedField[],
  version: number,
  json: StructValue,
  decoded: StructValue | undefined,
): StructValue {
  const lacking = Object.keys(json).filter((name) => !fields.some((field) => field.name === name));
  if (lacking.length > 0) throw new Error(`the schema lacks ${lacking.join(', ')}`);
  const value: StructValue = {};
  for (const { name, spec } of fields) {
    if (Object.hasOwn(json, name)) value[name] = fieldOf(spec, version, json[name], decoded?.[name]);
    else if (isIn(spec.versions, version) && !isIn(spec.tagged, version)) {
      throw new Error(`${name} is not in Kafka's form`);
    } else value[name] = defaultOf(spec);
  }
  const unknown = decoded === undefined ? [] : unknownTaggedFields(decoded);
  if (unknown.length > 0) keepUnknownTaggedFields(value, unknown);
  return value;
}

function fieldOf(spec: FieldSpec, version: number, json: unknown, decoded: unknown): unknown {
  if (spec.kind === 'records') return decoded;
  if (json === null) return null;
  const { element } = spec;
  if (element !== undefined) {
    const elements = decoded as readonly unknown[] | undefined;
    return (json as readonly unknown[]).map((one, index) =>
      fieldOf(element, version, one, elements?.[index]),
    );
  }
  switch (spec.kind) {
    case 'struct':
      return structOf(spec.fields ?? [], version, json as StructValue, decoded as StructValue | undefined);
    case 'int64':
      return BigInt(json as string | number);
    case 'offset':
    case 'float64':
      return Number(json);
    case 'bytes':
      return Buffer.from(json as string, 'base64');
    default:
      return json;
  }
}
