import { readerSource, SUPPORT_NAMES, writerSource } from './codec-source.ts';
import { defaultOf, type StructValue } from './field-rules.ts';
import { interpretRead, interpretWrite } from './interpreter.ts';
import { ProtocolDecodeError, ProtocolEncodeError } from './protocol-errors.ts';
import { Reader } from './reader.ts';
import type { RecentTexts } from './recent-texts.ts';
import type { AnyMessage, FieldSpec, MessageSchema, NamedField } from './schema.ts';
import { keepUnknownTaggedFields, UNKNOWN_TAGGED_FIELDS } from './tagged-fields.ts';
import { Writer } from './writer.ts';

export { ProtocolDecodeError, ProtocolEncodeError } from './protocol-errors.ts';

/** Makes a function of parameter names and a body; an EvalError says that the process forbids it. */
export type Compile = (names: readonly string[], body: string) => (...values: readonly unknown[]) => unknown;

type Read = (reader: Reader) => unknown;
type Write = (value: unknown, writer: Writer) => void;

interface Codec {
  read: Read | undefined;
  write: Write | undefined;
}

const EMPTY = Buffer.alloc(0);

/**
 * The message in `bytes` from `at` to the end, all of it: bytes left over are an error too. Byte fields are views.
 * Throws {@link ProtocolDecodeError} for whatever is wrong, also for a version that the schema does not have.
 */
export function decode<T>(
  schema: MessageSchema<T>,
  version: number,
  bytes: Uint8Array,
  at = 0,
  texts?: RecentTexts,
): T {
  const reader = new Reader(bytes, at, bytes.length, texts);
  try {
    const value = readOf(schema, version)(reader);
    reader.finish();
    return value as T;
  } catch (error) {
    throw named(schema, version, error);
  }
}

/** The message that begins where the reader stands; what follows it stays unread. */
export function decodeFrom<T>(schema: MessageSchema<T>, version: number, reader: Reader): T {
  try {
    return readOf(schema, version)(reader) as T;
  } catch (error) {
    throw named(schema, version, error);
  }
}

/**
 * Appends the message to the writer; records ride along as views. Throws {@link ProtocolEncodeError} where the
 * version has no place for a field that is set and not ignorable; what was written until then stays in the writer.
 */
export function encode<T>(schema: MessageSchema<T>, version: number, value: T, writer: Writer): void {
  try {
    writeOf(schema, version)(value, writer);
  } catch (error) {
    if (!(error instanceof ProtocolEncodeError)) throw error;
    throw new ProtocolEncodeError(`${schema.name} v${version}: ${error.message}`);
  }
}

/** The message alone as one buffer. */
export function encodeToBytes<T>(schema: MessageSchema<T>, version: number, value: T): Buffer {
  const writer = new Writer();
  encode(schema, version, value, writer);
  return writer.bytes();
}

/** A value of which only some fields are given, at any depth. */
export type Sparse<T> = T extends Uint8Array | string | number | bigint | boolean | null
  ? T
  : T extends readonly (infer E)[]
    ? readonly Sparse<E>[]
    : { [K in keyof T]?: Sparse<T[K]> };

/** The value with the schema's default in every field that was not given. For cold paths and tests. */
export function defaults<T>(schema: MessageSchema<T>, given: Sparse<T>): T {
  return filled(schema.fields, given as object) as T;
}

/** Makes reader and writer anew, with another way to compile; for tests of both ways. */
export function makeCodec(
  schema: AnyMessage,
  version: number,
  compile: Compile,
): { read: Read; write: Write } {
  return { read: makeRead(schema, version, compile), write: makeWrite(schema, version, compile) };
}

function readOf(schema: AnyMessage, version: number): Read {
  const codec = codecOf(schema, version);
  if (codec === undefined) throw new ProtocolDecodeError('no such version');
  codec.read ??= makeRead(schema, version, compileFunction);
  return codec.read;
}

function writeOf(schema: AnyMessage, version: number): Write {
  const codec = codecOf(schema, version);
  if (codec === undefined) throw new ProtocolEncodeError('no such version');
  codec.write ??= makeWrite(schema, version, compileFunction);
  return codec.write;
}

function codecOf(schema: AnyMessage, version: number): Codec | undefined {
  const index = version - schema.firstVersion;
  const known = schema.codecs[index] as Codec | undefined;
  if (known !== undefined) return known;
  if (!Number.isInteger(version) || index < 0 || version > schema.lastVersion) return undefined;
  const fresh: Codec = { read: undefined, write: undefined };
  schema.codecs[index] = fresh;
  return fresh;
}

function makeRead(schema: AnyMessage, version: number, compile: Compile): Read {
  const source = readerSource(schema, version);
  return compiled<Read>(source, compile) ?? ((reader) => interpretRead(schema, version, reader));
}

function makeWrite(schema: AnyMessage, version: number, compile: Compile): Write {
  const source = writerSource(schema, version);
  return (
    compiled<Write>(source, compile) ?? ((value, writer) => interpretWrite(schema, version, value, writer))
  );
}

function compiled<F>(source: string, compile: Compile): F | undefined {
  try {
    return compile(SUPPORT_NAMES, source)(EMPTY, keepUnknownTaggedFields, UNKNOWN_TAGGED_FIELDS) as F;
  } catch (error) {
    if (error instanceof EvalError) return undefined;
    throw error;
  }
}

const compileFunction: Compile = (names, body) =>
  new Function(...names, body) as (...values: readonly unknown[]) => unknown;

function named(schema: AnyMessage, version: number, error: unknown): unknown {
  if (!(error instanceof ProtocolDecodeError)) return error;
  return new ProtocolDecodeError(`${schema.name} v${version}: ${error.message}`);
}

function filled(fields: readonly NamedField[], given: object): StructValue {
  const source = given as StructValue;
  const value: StructValue = {};
  for (const { name, spec } of fields) {
    const part = source[name];
    value[name] = part === undefined ? defaultOf(spec) : filledField(spec, part);
  }
  return value;
}

function filledField(spec: FieldSpec, given: unknown): unknown {
  if (spec.kind === 'struct' && given !== null) return filled(spec.fields ?? [], given as object);
  const { element } = spec;
  if (!Array.isArray(given) || element === undefined) return given;
  return given.map((part: unknown) => filledField(element, part));
}
