/** A tagged field (KIP-482) that the schema of this version does not know. */
export interface RawTaggedField {
  readonly tag: number;
  readonly bytes: Uint8Array;
}

/**
 * Where a decoded struct keeps its unknown tagged fields; only there when it had any. A symbol, so that it stays out
 * of the inferred types and still travels with `{ ...struct }`.
 */
export const UNKNOWN_TAGGED_FIELDS: unique symbol = Symbol('unknown tagged fields');

const NONE: readonly RawTaggedField[] = [];

/** The unknown tagged fields of a decoded struct, by ascending tag. */
export function unknownTaggedFields(struct: object): readonly RawTaggedField[] {
  const kept: unknown = Reflect.get(struct, UNKNOWN_TAGGED_FIELDS);
  return Array.isArray(kept) ? kept : NONE;
}

/** Puts unknown tagged fields onto a decoded struct; of a tag that came twice the last one stays. */
export function keepUnknownTaggedFields(struct: object, fields: readonly RawTaggedField[]): void {
  const byTag = new Map(fields.map((field) => [field.tag, field]));
  const sorted = [...byTag.values()].sort((one, other) => one.tag - other.tag);
  Reflect.set(struct, UNKNOWN_TAGGED_FIELDS, sorted);
}
