import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { decode, encodeToBytes } from '../../src/protocol/codec.ts';
import type { AnyMessage } from '../../src/protocol/schema.ts';
import { allMessages, versionsOf } from '../unit/protocol/all-messages.ts';
import { type Golden, goldenFile, jsonMatches } from '../unit/protocol/golden.ts';
import { numberedMessage, sparseMessage } from '../unit/protocol/numbered-values.ts';
import { randomMessage, SeededRandom } from '../unit/protocol/random-values.ts';
import { apacheClassPath, apacheMissing, JVM_FLAGS, KAFKA_VERSION } from './support/apache.ts';
import { runOk } from './support/run.ts';

/**
 * Every message and version against Apache Kafka's own classes, and where test/fixtures/protocol/golden.json comes
 * from: `UPDATE_GOLDEN=1 KAFKA_39_LIBS=…/libs npm run test:interop -- protocol` makes it anew. The versions that Kafka
 * 4 dropped need the jars of 3.9; without KAFKA_39_LIBS they are checked against the fixture only.
 */

const SEED = Number(process.env['PROTOCOL_SEED'] ?? 20_260_402);
const ROUNDS = 12;
const OLD_LIBS = process.env['KAFKA_39_LIBS'];

const SOURCE = join(import.meta.dirname, 'java', 'ProtocolInterop.java');

interface Question {
  readonly schema: AnyMessage;
  readonly version: number;
  readonly bytes: Buffer;
}

interface Answer {
  readonly hex: string;
  readonly json: unknown;
}

const missing = await apacheMissing();
const schemas = await allMessages();

const skipped = missing === undefined ? '' : ` (SKIPPED: ${missing})`;

describe.skipIf(missing !== undefined)(
  `as Apache Kafka's classes have it (PROTOCOL_SEED=${SEED})${skipped}`,
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
        const answer = answers[index];
        if (answer === undefined) return;
        const where = `${schema.name} v${version}`;
        expect(answer.hex, where).toBe(bytes.toString('hex'));
        expect(jsonMatches(schema, version, decode(schema, version, bytes), answer.json), where).toBe('');
      });
    });

    test('the golden bytes are what Apache Kafka writes', async () => {
      const golden = await goldenOf();
      if (process.env['UPDATE_GOLDEN'] !== undefined) writeFileSync(goldenFile, textOf(golden));
      const kept = JSON.parse(readFileSync(goldenFile, 'utf8')) as Golden;
      expect(kept.errors).toEqual(golden.errors);
      for (const [name, versions] of Object.entries(golden.bytes)) {
        expect(kept.bytes[name], name).toMatchObject(versions);
      }
    });
  },
);

async function goldenOf(): Promise<Golden> {
  const questions = schemas.flatMap((schema) =>
    versionsOf(schema).flatMap((version) =>
      [numberedMessage, sparseMessage].map((make) => ({
        schema,
        version,
        bytes: encodeToBytes(schema, version, make(schema, version)),
      })),
    ),
  );
  const answers = await ask(questions);
  const golden: Golden = {
    from: [KAFKA_VERSION, '3.9.1'],
    absent: [],
    errors: await errorsOf(),
    bytes: {},
    values: {},
  };
  questions.forEach(({ schema, version }, index) => {
    const answer = answers[index];
    const isNumbered = index % 2 === 0;
    if (answer === undefined) {
      if (isNumbered) golden.absent.push(`${schema.name} v${version}`);
      return;
    }
    golden.bytes[schema.name] ??= {};
    const versions = golden.bytes[schema.name]!;
    versions[version] = isNumbered ? answer.hex : `${versions[version]} ${answer.hex}`;
    if (!isNumbered) return;
    // Names are the same in all versions: the values of the first and the newest one are enough.
    const values = golden.values[schema.name] ?? {};
    const [first] = Object.keys(values);
    golden.values[schema.name] =
      first === undefined ? { [version]: answer.json } : { [first]: values[first], [version]: answer.json };
  });
  return golden;
}

async function errorsOf(): Promise<Golden['errors']> {
  const stdout = await runOk('java', [...JVM_FLAGS, '-cp', await apacheClassPath(), SOURCE, 'errors']);
  const rows = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' '));
  return Object.fromEntries(
    rows.map(([name, code, isRetriable]) => [name, [Number(code), isRetriable === 'true']]),
  );
}

/** One line per message, so that changes can be read. */
function textOf(golden: Golden): string {
  const lines = (part: object): string =>
    Object.entries(part)
      .map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
      .join(',\n');
  const { from, absent, errors, bytes, values } = golden;
  return `{"from":${JSON.stringify(from)},"absent":${JSON.stringify(absent)},\n"errors":${JSON.stringify(errors)},\n"bytes":{\n${lines(bytes)}},\n"values":{\n${lines(values)}}}\n`;
}

/** By question; undefined where no Kafka at hand has the version. A refusal fails the test. */
async function ask(questions: readonly Question[]): Promise<(Answer | undefined)[]> {
  const answers = await askOne(await apacheClassPath(), questions);
  if (OLD_LIBS === undefined || !existsSync(OLD_LIBS)) return answers;
  const open = answers.flatMap((answer, index) => (answer === undefined ? [index] : []));
  const older = await askOne(
    join(OLD_LIBS, '*'),
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
  const stdout = await runOk('java', [...JVM_FLAGS, '-cp', classPath, SOURCE], { input });
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
