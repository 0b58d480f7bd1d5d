/** One `key = value` of a file. */
export interface PropertyEntry {
  readonly key: string;
  readonly value: string;
  /** Where it begins, counted from 1. */
  readonly line: number;
}

/** A `\u` escape without four hexadecimal digits. */
export class PropertiesSyntaxError extends Error {
  readonly file: string;
  readonly line: number;
  constructor(file: string, line: number, problem: string) {
    super(`${file}:${line}: ${problem}`);
    this.name = 'PropertiesSyntaxError';
    this.file = file;
    this.line = line;
  }
}

/**
 * A file in the grammar of `java.util.Properties`: `#` and `!` begin comments, `=`, `:` or blanks end a key, a
 * backslash at the end of a line continues it, and `\t \n \f \r \uXXXX` are escapes. Where a key stands twice the
 * later one counts.
 */
export class Properties {
  readonly file: string;
  /** In the order of the file, duplicates included. */
  readonly entries: readonly PropertyEntry[];
  readonly #byKey: Map<string, PropertyEntry>;

  private constructor(file: string, entries: readonly PropertyEntry[]) {
    this.file = file;
    this.entries = entries;
    this.#byKey = new Map(entries.map((entry) => [entry.key, entry]));
  }

  /** `file` is the name for messages. Throws {@link PropertiesSyntaxError}. */
  static parse(text: string, file = 'server.properties'): Properties {
    const entries: PropertyEntry[] = [];
    for (const { content, line } of logicalLines(text)) entries.push(parseLine(content, line, file));
    return new Properties(file, entries);
  }

  /** The entry that counts for `key`. */
  get(key: string): PropertyEntry | undefined {
    return this.#byKey.get(key);
  }

  keys(): IterableIterator<string> {
    return this.#byKey.keys();
  }

  /** Keys that stand more than once, each with the lines, the last of which counts. */
  duplicates(): ReadonlyMap<string, readonly number[]> {
    const lines = new Map<string, number[]>();
    for (const { key, line } of this.entries) {
      const known = lines.get(key);
      if (known === undefined) lines.set(key, [line]);
      else known.push(line);
    }
    return new Map([...lines].filter(([, at]) => at.length > 1));
  }
}

/** Lines without comments and blanks at their start, continued ones joined. */
function* logicalLines(text: string): Generator<{ content: string; line: number }> {
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  // What follows the last line end is no line of its own.
  if (lines.at(-1) === '') lines.pop();
  for (let at = 0; at < lines.length; at++) {
    const start = at;
    let content = withoutIndent(lines[at] ?? '');
    if (content === '' || content.startsWith('#') || content.startsWith('!')) continue;
    while (endsInOddBackslashes(content)) {
      content = content.slice(0, -1);
      // A backslash alone leaves the next line a first one, which may be a comment; at the end it is an empty key.
      if (at + 1 >= lines.length || content === '') break;
      at++;
      content += withoutIndent(lines[at] ?? '');
    }
    if (content !== '' || at + 1 >= lines.length) yield { content, line: start + 1 };
  }
}

const withoutIndent = (line: string) => line.replace(/^[ \t\f]+/, '');

function endsInOddBackslashes(line: string): boolean {
  let count = 0;
  while (line[line.length - 1 - count] === '\\') count++;
  return count % 2 === 1;
}

function parseLine(content: string, line: number, file: string): PropertyEntry {
  let end = 0;
  while (end < content.length && !' \t\f=:'.includes(content[end] ?? ''))
    end += content[end] === '\\' ? 2 : 1;
  end = Math.min(end, content.length);
  let start = end;
  while (' \t\f'.includes(content[start] ?? '-')) start++;
  if (content[start] === '=' || content[start] === ':') {
    start++;
    while (' \t\f'.includes(content[start] ?? '-')) start++;
  }
  return {
    key: unescaped(content.slice(0, end), line, file),
    value: unescaped(content.slice(start), line, file),
    line,
  };
}

function unescaped(text: string, line: number, file: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(/\\(u[0-9a-fA-F]{4}|[\s\S]|$)/g, (_, sequence: string) => {
    if (sequence.length === 5) return String.fromCharCode(Number.parseInt(sequence.slice(1), 16));
    switch (sequence) {
      case 'u':
        throw new PropertiesSyntaxError(file, line, 'an escape \\u needs four hexadecimal digits');
      case 't':
        return '\t';
      case 'n':
        return '\n';
      case 'f':
        return '\f';
      case 'r':
        return '\r';
      default:
        return sequence;
    }
  });
}
