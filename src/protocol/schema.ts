import type { Uuid } from '../base/uuid.ts';

/**
 * What a message looks like on the wire, as a value: each field's type, the versions that carry it, and what absence
 * means. The TypeScript type is inferred from the same value, one for all versions (an absent field has its default),
 * and `codec.ts` makes the code that reads and writes it.
 */

export type Primitive =
  | 'bool'
  | 'int8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'int64'
  | 'offset'
  | 'float64'
  | 'uuid'
  | 'string'
  | 'bytes'
  | 'records';

/** Both ends included; `NEVER` is empty. */
export interface VersionRange {
  readonly from: number;
  readonly to: number;
}

export const NEVER: VersionRange = { from: 1, to: 0 };

export type FieldKind = Primitive | 'array' | 'struct';

export interface FieldSpec {
  readonly kind: FieldKind;
  /** Of an array. */
  readonly element?: FieldSpec;
  /** Of a struct, in wire order. */
  readonly fields?: readonly NamedField[];
  /** The versions that carry the field. */
  readonly versions: VersionRange;
  /** The versions in which null may be written. */
  readonly nullable: VersionRange;
  /** The versions in which the field is a tagged one (KIP-482), and its tag. */
  readonly tagged: VersionRange;
  readonly tag: number;
  /** May be left out silently when a version that has no place for it is written. */
  readonly ignorable: boolean;
  /** Keeps the encoding of before KIP-482 in flexible versions too. */
  readonly rigid: boolean;
  /** Undefined asks for the type's own: 0, false, '', empty, the zero uuid, a struct of defaults, null for records. */
  readonly defaultValue: unknown;
}

export interface NamedField {
  readonly name: string;
  readonly spec: FieldSpec;
}

/** A field under construction: every modifier gives a new one. */
export class Field<T> {
  /** Only a type; never there at run time. */
  declare readonly _type: T;
  readonly spec: FieldSpec;

  constructor(spec: FieldSpec) {
    this.spec = spec;
  }

  /** Carried from this version on. */
  since(version: number): Field<T> {
    return new Field({ ...this.spec, versions: { ...this.spec.versions, from: version } });
  }

  /** Carried up to and including this version. */
  until(version: number): Field<T> {
    return new Field({ ...this.spec, versions: { ...this.spec.versions, to: version } });
  }

  /** Null may stand on the wire from version `from` to version `to`; elsewhere it is refused. */
  nullable(from = 0, to = Number.POSITIVE_INFINITY): Field<T | null> {
    return new Field({ ...this.spec, nullable: { from, to } });
  }

  /** A tagged field from version `from` on, left out where it has its default. */
  tagged(tag: number, from: number): Field<T> {
    const { versions } = this.spec;
    return new Field({
      ...this.spec,
      tag,
      tagged: { from, to: Number.POSITIVE_INFINITY },
      versions: { ...versions, from: Math.max(versions.from, from) },
    });
  }

  /** The value when the field is not on the wire. */
  default(value: T): Field<T> {
    return new Field({ ...this.spec, defaultValue: value });
  }

  ignorable(): Field<T> {
    return new Field({ ...this.spec, ignorable: true });
  }

  rigid(): Field<T> {
    return new Field({ ...this.spec, rigid: true });
  }
}

const PLAIN = {
  versions: { from: 0, to: Number.POSITIVE_INFINITY },
  nullable: NEVER,
  tagged: NEVER,
  tag: -1,
  ignorable: false,
  rigid: false,
  defaultValue: undefined,
} as const;

function primitive<T>(kind: Primitive): Field<T> {
  return new Field({ ...PLAIN, kind });
}

/** What may be given to be written as records: one run of batches, or several that follow each other. */
export type Records = Uint8Array | readonly Uint8Array[];

export const bool: Field<boolean> = primitive('bool');
export const int8: Field<number> = primitive('int8');
export const int16: Field<number> = primitive('int16');
export const uint16: Field<number> = primitive('uint16');
export const int32: Field<number> = primitive('int32');
/** All 64 bits: timestamps, producer ids. */
export const int64: Field<bigint> = primitive('int64');
/** An int64 that counts something (offsets, sizes, broker epochs): beyond ±2^53 it is refused in either direction. */
export const offset: Field<number> = primitive('offset');
export const float64: Field<number> = primitive('float64');
export const uuid: Field<Uuid> = primitive('uuid');
export const string: Field<string> = primitive('string');
/** Decoded as a view into the frame. */
export const bytes: Field<Uint8Array> = primitive('bytes');
/** Record batches, untouched: decoded as a view into the frame, encoded as chunks of their own without a copy. */
export const records: Field<Uint8Array> = primitive('records');
/** The same for answers, where a read may span several buffers; decoding always gives one view. */
export const recordChunks: Field<Records> = primitive('records');

export type Fields = { [name: string]: Field<unknown> };
export type StructOf<S extends Fields> = { [K in keyof S]: S[K]['_type'] };

/** A struct inside a message. */
export function struct<S extends Fields>(fields: S): Field<StructOf<S>> {
  return new Field<StructOf<S>>({ ...PLAIN, kind: 'struct', fields: namedFields(fields) });
}

/** An array of a field type, or of structs when given their fields. */
export function array<T>(element: Field<T>): Field<readonly T[]>;
export function array<S extends Fields>(element: S): Field<readonly StructOf<S>[]>;
export function array(element: Field<unknown> | Fields): Field<readonly unknown[]> {
  const { spec } = element instanceof Field ? element : struct(element);
  return new Field<readonly unknown[]>({ ...PLAIN, kind: 'array', element: spec });
}

export interface MessageDefinition {
  readonly name: string;
  /** The API key of a request or response, the record type of a record; -1 where there is neither. */
  readonly apiKey?: number;
  /** First and last version, both included. */
  readonly versions: readonly [first: number, last: number];
  /** The first version with compact lengths and tagged fields (KIP-482); none when left out. */
  readonly flexible?: number;
  /** The last version is not released yet. */
  readonly latestVersionUnstable?: boolean;
}

export interface MessageSchema<T> {
  /** Only a type; never there at run time. */
  readonly _type: T;
  readonly name: string;
  readonly apiKey: number;
  readonly firstVersion: number;
  readonly lastVersion: number;
  /** Infinity where no version is flexible. */
  readonly flexibleFrom: number;
  /** The last version is not released yet: served only where `unstable.api.versions.enable` is set. */
  readonly latestVersionUnstable: boolean;
  readonly fields: readonly NamedField[];
  /** By version; filled by `codec.ts` at first use. */
  readonly codecs: unknown[];
}

/** A message schema of which only the shape matters. */
export type AnyMessage = MessageSchema<unknown>;

/** The object type of a message: the same for all its versions. */
export type Infer<M extends { readonly _type: unknown }> = M['_type'];

export function message<S extends Fields>(
  definition: MessageDefinition,
  fields: S,
): MessageSchema<StructOf<S>> {
  const schema: Omit<MessageSchema<StructOf<S>>, '_type'> = {
    name: definition.name,
    apiKey: definition.apiKey ?? -1,
    firstVersion: definition.versions[0],
    lastVersion: definition.versions[1],
    flexibleFrom: definition.flexible ?? Number.POSITIVE_INFINITY,
    latestVersionUnstable: definition.latestVersionUnstable ?? false,
    fields: namedFields(fields),
    codecs: [],
  };
  return schema as MessageSchema<StructOf<S>>;
}

export function isIn(range: VersionRange, version: number): boolean {
  return version >= range.from && version <= range.to;
}

function namedFields(fields: Fields): readonly NamedField[] {
  return Object.entries(fields).map(([name, field]) => ({ name, spec: field.spec }));
}
