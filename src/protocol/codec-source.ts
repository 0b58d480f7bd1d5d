import { defaultOf, heapBytes, isFlexible, isUntagged, minBytes, taggedFieldsOf } from './field-rules.ts';
import { type AnyMessage, type FieldSpec, isIn, type NamedField } from './schema.ts';

/**
 * Source text of the reader and the writer of one (message, version). All names in it come from our schemas, never
 * from the wire. The two functions get what they need beside `r` and `w` as parameters: see `SUPPORT_NAMES`.
 */

export const SUPPORT_NAMES = ['EMPTY', 'keepUnknown', 'UNKNOWN'] as const;

/** What stands before a nullable struct. */
const STRUCT_MARKS = { absent: 'w.int8(-1);', present: 'w.int8(1);' };
const TAGGED_STRUCT_MARKS = { absent: 'w.uvarint(0);', present: 'w.uvarint(1);' };

const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

export function readerSource(schema: AnyMessage, version: number): string {
  return new SourceMaker(schema, version, 'read').source();
}

export function writerSource(schema: AnyMessage, version: number): string {
  return new SourceMaker(schema, version, 'write').source();
}

class SourceMaker {
  readonly #schema: AnyMessage;
  readonly #version: number;
  readonly #flexible: boolean;
  readonly #direction: 'read' | 'write';
  readonly #functions: string[] = [];
  #names = 0;

  constructor(schema: AnyMessage, version: number, direction: 'read' | 'write') {
    this.#schema = schema;
    this.#version = version;
    this.#flexible = version >= schema.flexibleFrom;
    this.#direction = direction;
  }

  source(): string {
    const { fields, name } = this.#schema;
    const main = this.#direction === 'read' ? this.#structReader(fields) : this.#structWriter(fields);
    const url = `odradek/protocol/${name}.v${this.#version}.${this.#direction}.js`;
    return `'use strict';\n${this.#functions.join('\n')}\nreturn ${main};\n//# sourceURL=${url}`;
  }

  #newName(prefix: string): string {
    return `${prefix}${this.#names++}`;
  }

  /** Adds a function that reads a struct and returns its name. */
  #structReader(fields: readonly NamedField[]): string {
    const name = this.#newName('read');
    const lines: string[] = [];
    for (const field of fields) {
      const local = localName(field.name);
      const isRead = isUntagged(field.spec, this.#version);
      lines.push(`let ${local}${isRead ? '' : ` = ${this.#defaultValue(field.spec)}`};`);
      if (isRead) lines.push(this.#readInto(local, field.spec));
    }
    if (this.#flexible) lines.push(...this.#taggedReader(fields));
    const members = fields.map((field) => `${field.name}: ${localName(field.name)}`).join(', ');
    lines.push(`const value = { ${members} };`);
    if (this.#flexible) lines.push('if (unknown !== undefined) keepUnknown(value, unknown);');
    lines.push('return value;');
    this.#functions.push(`function ${name}(r) {\n${lines.join('\n')}\n}`);
    return name;
  }

  #taggedReader(fields: readonly NamedField[]): string[] {
    const cases = taggedFieldsOf(fields, this.#version).map(
      ({ name, spec }) =>
        `case ${spec.tag}: ${this.#readInto(localName(name), spec, 'taggedStructFollows')} r.endTaggedField(end); break;`,
    );
    return [
      'let unknown;',
      'for (let left = r.taggedFieldCount(); left > 0; left--) {',
      'const tag = r.uvarint(); const size = r.taggedFieldSize(); const end = r.at + size;',
      'switch (tag) {',
      ...cases,
      'default: unknown = r.rawTaggedField(tag, size, unknown);',
      '}',
      '}',
    ];
  }

  /** Statements that read a field into a local; a nullable struct is marked otherwise where it is a tagged field. */
  #readInto(local: string, spec: FieldSpec, structFollows = 'structFollows'): string {
    const nullable = isIn(spec.nullable, this.#version);
    if (spec.kind === 'array') return this.#readArrayInto(local, spec, nullable);
    if (spec.kind === 'struct') {
      const read = `${this.#structReader(spec.fields ?? [])}(r)`;
      return nullable ? `${local} = r.${structFollows}() ? ${read} : null;` : `${local} = ${read};`;
    }
    return `${local} = ${this.#readPrimitive(spec, nullable)};`;
  }

  #readArrayInto(local: string, spec: FieldSpec, nullable: boolean): string {
    const element = elementOf(spec);
    const read =
      element.kind === 'struct'
        ? `${this.#structReader(element.fields ?? [])}(r)`
        : this.#readPrimitive(element, false);
    const compact = isFlexible(spec, this.#flexible);
    const method = methodName('arrayLength', compact, nullable);
    const count = this.#newName('count');
    const index = this.#newName('index');
    const min = minBytes(element, this.#version, this.#flexible);
    // Most arrays have one element, and one that grows from none takes room for seventeen.
    const grow = `${local} = []; for (let ${index} = 0; ${index} < ${count}; ${index}++) ${local}.push(${read});`;
    const fill = `if (${count} === 1) ${local} = [${read}]; else { ${grow} }`;
    const start = `const ${count} = r.${method}(${min}, ${heapBytes(element, this.#version)});`;
    const body = nullable
      ? `${start} if (${count} < 0) ${local} = null; else { ${fill} }`
      : `${start} ${fill}`;
    return `{ ${body} }`;
  }

  #readPrimitive(spec: FieldSpec, nullable: boolean): string {
    const compact = isFlexible(spec, this.#flexible);
    switch (spec.kind) {
      case 'string':
        return `r.${methodName('string', compact, nullable)}()`;
      case 'bytes':
      case 'records':
        return `r.${methodName('bytes', compact, nullable)}()`;
      default:
        return `r.${spec.kind}()`;
    }
  }

  /** Adds a function that writes a struct and returns its name. */
  #structWriter(fields: readonly NamedField[]): string {
    const name = this.#newName('write');
    const lines: string[] = [];
    for (const field of fields) {
      const value = `v.${checkedName(field.name)}`;
      if (isUntagged(field.spec, this.#version)) lines.push(this.#writeField(field, value));
      else if (!isIn(field.spec.versions, this.#version) && !field.spec.ignorable) {
        const text = `${field.name} has no place in version ${this.#version}`;
        lines.push(`if (${this.#isSet(field.spec, value)}) w.fail('${text}');`);
      }
    }
    if (this.#flexible) lines.push(...this.#taggedWriter(fields));
    else {
      const text = `tagged fields have no place in version ${this.#version}`;
      lines.push(`if (v[UNKNOWN] !== undefined) w.fail('${text}');`);
    }
    this.#functions.push(`function ${name}(v, w) {\n${lines.join('\n')}\n}`);
    return name;
  }

  #taggedWriter(fields: readonly NamedField[]): string[] {
    const known = taggedFieldsOf(fields, this.#version);
    const isSet = known.map(({ name, spec }) => this.#isSet(spec, `v.${checkedName(name)}`));
    const lines = known.map((_, index) => `const set${index} = ${isSet[index]};`);
    const count = known.map((_, index) => `(set${index} ? 1 : 0)`).join(' + ') || '0';
    lines.push('const unknown = v[UNKNOWN];', 'let next = 0;');
    lines.push(`if (unknown === undefined) w.uvarint(${count});`);
    lines.push(`else w.uvarint(${count} + unknown.length);`);
    known.forEach((field, index) => {
      const { tag } = field.spec;
      const write = this.#writeField(field, `v.${field.name}`, TAGGED_STRUCT_MARKS);
      lines.push(
        `if (set${index}) {`,
        `if (unknown !== undefined) next = w.rawTaggedFieldsBefore(${tag}, unknown, next);`,
        `const sizeAt = w.beginTaggedField(${tag});`,
        write,
        'w.endTaggedField(sizeAt);',
        '}',
      );
    });
    lines.push('if (unknown !== undefined) w.rawTaggedFieldsBefore(Infinity, unknown, next);');
    return lines;
  }

  #writeField({ name, spec }: NamedField, value: string, marks = STRUCT_MARKS): string {
    const nullable = isIn(spec.nullable, this.#version);
    const compact = isFlexible(spec, this.#flexible);
    const refusal = `if (${value} === null) w.fail('${name} is null in version ${this.#version}');`;
    switch (spec.kind) {
      case 'string':
      case 'bytes':
      case 'records': {
        const plain = spec.kind === 'bytes' && !compact && !nullable ? 'bytesField' : undefined;
        const write = `w.${plain ?? methodName(spec.kind, compact, nullable)}(${value});`;
        return nullable ? write : `${refusal} ${write}`;
      }
      case 'array': {
        const write = this.#writeArray(spec, value, compact);
        const empty = compact ? 'w.uvarint(0);' : 'w.int32(-1);';
        return nullable ? `if (${value} === null) ${empty} else { ${write} }` : `${refusal} ${write}`;
      }
      case 'struct': {
        const write = `${this.#structWriter(spec.fields ?? [])}(${value}, w);`;
        if (!nullable) return `${refusal} ${write}`;
        return `if (${value} === null) ${marks.absent} else { ${marks.present} ${write} }`;
      }
      default:
        return `w.${spec.kind}(${value});`;
    }
  }

  #writeArray(spec: FieldSpec, value: string, compact: boolean): string {
    const element = elementOf(spec);
    const [values, index] = [this.#newName('values'), this.#newName('index')];
    const write = this.#writeField({ name: 'an element', spec: element }, `${values}[${index}]`);
    const length = `w.${methodName('arrayLength', compact, false)}(${values}.length);`;
    const loop = `for (let ${index} = 0; ${index} < ${values}.length; ${index}++) { ${write} }`;
    return `{ const ${values} = ${value}; ${length} ${loop} }`;
  }

  /** An expression: whether the value differs from what its absence means. */
  #isSet(spec: FieldSpec, value: string): string {
    if (spec.defaultValue === null || spec.kind === 'records') return `${value} !== null`;
    switch (spec.kind) {
      case 'array':
      case 'bytes':
        return `(${value} === null || ${value}.length !== 0)`;
      case 'struct': {
        const parts = (spec.fields ?? []).map((field) =>
          this.#isSet(field.spec, `${value}.${checkedName(field.name)}`),
        );
        return `(${value} === null || ${[...parts, `${value}[UNKNOWN] !== undefined`].join(' || ')})`;
      }
      default:
        return `${value} !== ${literal(defaultOf(spec))}`;
    }
  }

  #defaultValue(spec: FieldSpec): string {
    if (spec.defaultValue === null || spec.kind === 'records') return 'null';
    if (spec.kind === 'array') return '[]';
    if (spec.kind === 'bytes') return 'EMPTY';
    if (spec.kind !== 'struct') return literal(defaultOf(spec));
    const members = (spec.fields ?? []).map(
      (field) => `${checkedName(field.name)}: ${this.#defaultValue(field.spec)}`,
    );
    return `{ ${members.join(', ')} }`;
  }
}

function methodName(what: string, compact: boolean, nullable: boolean): string {
  const capital = what.charAt(0).toUpperCase() + what.slice(1);
  const full = nullable ? `Nullable${capital}` : capital;
  const name = compact ? `compact${full}` : full;
  return name.charAt(0).toLowerCase() + name.slice(1);
}

function localName(name: string): string {
  return `f_${checkedName(name)}`;
}

function checkedName(name: string): string {
  if (!IDENTIFIER.test(name)) throw new TypeError(`${name} can't be a field's name`);
  return name;
}

function literal(value: unknown): string {
  return typeof value === 'bigint' ? `${value}n` : JSON.stringify(value);
}

function elementOf(spec: FieldSpec): FieldSpec {
  if (spec.element === undefined) throw new TypeError(`${spec.kind} has no elements`);
  if (spec.element.kind === 'array') throw new TypeError('an array of arrays');
  return spec.element;
}
