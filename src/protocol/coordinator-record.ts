import { decodeFrom } from './codec.ts';
import { Reader } from './reader.ts';
import type { AnyMessage } from './schema.ts';

/**
 * The records of the coordinators' internal topics: the key begins with its type, the value with its version, two bytes
 * each, and no value means that the key's state is gone.
 */
export interface CoordinatorRecordType {
  readonly key: AnyMessage;
  readonly value: AnyMessage;
}

/** All records of one internal topic, by the type at the beginning of the key. */
export type CoordinatorRecordTypes = ReadonlyMap<number, CoordinatorRecordType>;

export interface CoordinatorRecord {
  readonly type: number;
  readonly schemas: CoordinatorRecordType;
  readonly key: unknown;
  /** Undefined: a tombstone. */
  readonly value: { readonly version: number; readonly message: unknown } | undefined;
}

/** A record of a type that a later version of Kafka added; readers skip it. */
export class UnknownCoordinatorRecordError extends Error {
  readonly type: number;
  constructor(type: number) {
    super(`records of type ${type} are not known here`);
    this.name = 'UnknownCoordinatorRecordError';
    this.type = type;
  }
}

/** Throws {@link UnknownCoordinatorRecordError} and ProtocolDecodeError. */
export function decodeCoordinatorRecord(
  types: CoordinatorRecordTypes,
  keyBytes: Uint8Array,
  valueBytes: Uint8Array | null,
): CoordinatorRecord {
  const keyReader = new Reader(keyBytes);
  const type = keyReader.int16();
  const schemas = types.get(type);
  if (schemas === undefined) throw new UnknownCoordinatorRecordError(type);
  // The version of a key is its type; all of them have one form only.
  const key = decodeFrom(schemas.key, schemas.key.lastVersion, keyReader);
  if (valueBytes === null) return { type, schemas, key, value: undefined };
  const valueReader = new Reader(valueBytes);
  const version = valueReader.int16();
  return { type, schemas, key, value: { version, message: decodeFrom(schemas.value, version, valueReader) } };
}
