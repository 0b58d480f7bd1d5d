import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { decode, encodeToBytes } from '../../src/protocol/codec.ts';
import type { StructValue } from '../../src/protocol/field-rules.ts';
import type { AnyMessage, NamedField } from '../../src/protocol/schema.ts';
import { allMessages, versionsOf } from '../unit/protocol/all-messages.ts';
import { corpusFile, type ErrorTable, errorsFile, readCorpus, valueOfJson } from '../unit/protocol/corpus.ts';
import { randomMessage, SeededRandom } from '../unit/protocol/random-values.ts';
import { apacheMissing, JVM_FLAGS, messageClassPath } from './support/apache.ts';
import { runOk } from './support/run.ts';

/**
 * Every message and version against Apache Kafka's own classes, and where the corpus in test/fixtures/protocol comes
 * from: `UPDATE_CORPUS=1 npm run test:interop -- protocol` makes it anew.
 */

const SEED = Number(process.env['PROTOCOL_SEED'] ?? 20_260_402);
const ROUNDS = 12;

const NEWEST = '4.4.0';
/** The last line that has the versions which Kafka 4 dropped. */
const OLDER = '3.9.2';

const source = (name: string): string => join(import.meta.dirname, 'java', `${name}.java`);

interface Question {
  readonly schema: AnyMessage;
  readonly version: number;
  readonly bytes: Buffer;
}

interface Answer {
  readonly hex: string;
  readonly json: StructValue;
}

const missing = await apacheMissing();
const schemas = await allMessages();

const skipped = missing === undefined ? '' : ` (SKIPPED: ${missing})`;

describe.skipIf(missing !== undefined)(
  `as the classes of Apache Kafka ${NEWEST} and ${OLDER} have it (PROTOCOL_SEED=${SEED})${skipped}`,
  () => {
    test('random messages of every version are read alike and written to the same bytes', async () => {
      const random = new SeededRandom(SEED);
      const questions: Question[] = [];
      for (const schema of schemas) {
        for (const version of versionsOf(schema)) {
          for (let round = 0; round < ROUNDS; round++) {
            const bytes = encodeToBytes(schema, version, randomMessage(schema, version, random));
            questions.push({ schema, version, bytes });
          }
        }
      }
      const answers = await ask(questions);
      questions.forEach(({ schema, version, bytes }, index) => {
        const where = `${schema.name} v${version}`;
        const answer = answers[index];
        expect(answer?.hex, where).toBe(bytes.toString('hex'));
        const value = decode(schema, version, bytes) as StructValue;
        expect(value, where).toEqual(valueOfJson(schema, version, answer?.json ?? {}, value));
      });
    });

    test('the corpus is what they write', async () => {
      const newest = await corpusOf(NEWEST, ['all'], offsetLines());
      const lowest = new Map<string, number>();
      for (const [name, version] of newest.map((line) => line.split('\t'))) {
        lowest.set(name!, Math.min(lowest.get(name!) ?? Number.POSITIVE_INFINITY, Number(version)));
      }
      const known = schemas.map(({ name }) => `known ${name} ${lowest.get(name)}`);
      const older = await corpusOf(OLDER, ['older'], [...offsetLines(), ...known]);
      const lines = [...newest, ...older].sort();
      if (process.env['UPDATE_CORPUS'] !== undefined) {
        writeFileSync(corpusFile, gzipSync(`${lines.join('\n')}\n`, { level: 9 }));
      }
      const kept = readCorpus().map(({ where, bytes }) => `${where} ${bytes.toString('hex')}`);
      expect(kept).toEqual(lines.map((line) => line.split('\t').slice(0, 4)).map(kindly));
    });

    test('the error table is theirs', async () => {
      const table = await errorTable();
      if (process.env['UPDATE_CORPUS'] !== undefined) {
        const rows = Object.entries(table).map(([name, row]) => `"${name}":${JSON.stringify(row)}`);
        writeFileSync(errorsFile, `{\n${rows.join(',\n')}\n}\n`);
      }
      expect(JSON.parse(readFileSync(errorsFile, 'utf8'))).toEqual(table);
    });
  },
);

const kindly = ([name, version, kind, hex]: readonly string[]): string =>
  `${name} v${version} ${kind} ${hex}`;

async function corpusOf(
  version: string,
  args: readonly string[],
  input: readonly string[],
): Promise<readonly string[]> {
  const classPath = await messageClassPath(version);
  const stdout = await runOk('java', [...JVM_FLAGS, '-cp', classPath, source('CorpusWriter'), ...args], {
    input: `${input.join('\n')}\n`,
  });
  return stdout.trimEnd().split('\n');
}

/** The fields that are read as numbers. */
function offsetLines(): readonly string[] {
  const found = new Set<string>();
  const walk = (message: string, fields: readonly NamedField[]): void => {
    for (const { name, spec } of fields) {
      const inner = spec.element ?? spec;
      if (inner.kind === 'offset') found.add(`offset ${message} ${name}`);
      walk(message, inner.fields ?? []);
    }
  };
  for (const { name, fields } of schemas) walk(name, fields);
  return [...found];
}

async function errorTable(): Promise<ErrorTable> {
  const classPath = await messageClassPath(NEWEST);
  const stdout = await runOk('java', [...JVM_FLAGS, '-cp', classPath, source('ProtocolInterop'), 'errors']);
  const rows = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' '));
  return Object.fromEntries(
    rows.map(([name, code, isRetriable]) => [name, [Number(code), isRetriable === 'true']]),
  );
}

/** By question. A refusal fails the test. */
async function ask(questions: readonly Question[]): Promise<(Answer | undefined)[]> {
  const answers = await askOne(await messageClassPath(NEWEST), questions);
  const open = answers.flatMap((answer, index) => (answer === undefined ? [index] : []));
  const older = await askOne(
    await messageClassPath(OLDER),
    open.map((index) => questions[index]!),
  );
  open.forEach((index, at) => {
    answers[index] = older[at];
  });
  return answers;
}

async function askOne(classPath: string, questions: readonly Question[]): Promise<(Answer | undefined)[]> {
  const input = questions
    .map(({ schema, version, bytes }) => `${schema.name} ${version} ${bytes.toString('hex')}\n`)
    .join('');
  const stdout = await runOk('java', [...JVM_FLAGS, '-cp', classPath, source('ProtocolInterop')], { input });
  const lines = stdout.trimEnd().split('\n');
  expect(lines).toHaveLength(questions.length);
  return lines.map((line, index) => {
    const { schema, version } = questions[index]!;
    if (line === 'none') return undefined;
    if (line.startsWith('error')) throw new Error(`${schema.name} v${version}: ${line}`);
    const [hex, json] = line.split('\t') as [string, string];
    return { hex, json: JSON.parse(withLongsAsText(json)) };
  });
}

/** Integers that a JSON parser would round become strings. */
function withLongsAsText(json: string): string {
  return json.replace(/(?<=[:[,])-?\d{15,}(?=[,\]}])/g, '"$&"');
}
