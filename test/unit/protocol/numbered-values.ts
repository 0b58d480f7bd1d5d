import { type Uuid, uuidFromBytes } from '../../../src/base/uuid.ts';
import { defaultOf, type StructValue } from '../../../src/protocol/field-rules.ts';
import { type AnyMessage, type FieldSpec, isIn, type NamedField } from '../../../src/protocol/schema.ts';

/** Values for golden bytes: the same for the same schema, whatever the machine. */

/** Every field of the version is set, and numbers differ from each other, so that fields that changed places show. */
export function numberedMessage(schema: AnyMessage, version: number): StructValue {
  let last = 0;
  const next = (): number => ++last;

  function structOf(fields: readonly NamedField[]): StructValue {
    const value: StructValue = {};
    for (const { name, spec } of fields) {
      value[name] = isIn(spec.versions, version) ? fieldOf(spec) : defaultOf(spec);
    }
    return value;
  }

  function fieldOf(spec: FieldSpec): unknown {
    switch (spec.kind) {
      case 'bool':
        return next() > 0;
      case 'int8':
        return (next() % 100) + 10;
      case 'int16':
        return next() + 1000;
      case 'uint16':
        return 0xffff - next();
      case 'int32':
        return -(next() + 100_000);
      case 'int64':
        return (1n << 62n) + BigInt(next());
      case 'offset':
        return 2 ** 40 + next();
      case 'float64':
        return next() + 0.5;
      case 'uuid':
        return uuidOf(next());
      case 'string':
        return `é${next()}`;
      case 'bytes':
      case 'records':
        return Buffer.from([next(), 0xff]);
      case 'array': {
        const { element } = spec;
        if (element === undefined) throw new TypeError('an array without element');
        return element.kind === 'struct' ? [fieldOf(element)] : [fieldOf(element), fieldOf(element)];
      }
      case 'struct':
        return structOf(spec.fields ?? []);
    }
  }

  return structOf(schema.fields);
}

/** Null wherever the version allows it at the top, and the default elsewhere. */
export function sparseMessage(schema: AnyMessage, version: number): StructValue {
  const value: StructValue = {};
  for (const { name, spec } of schema.fields) {
    const mayBeNull = isIn(spec.versions, version) && isIn(spec.nullable, version);
    value[name] = mayBeNull ? null : defaultOf(spec);
  }
  return value;
}

function uuidOf(number: number): Uuid {
  const bytes = Buffer.alloc(16, number);
  bytes[0] = 0xfb;
  return uuidFromBytes(bytes, 0);
}
