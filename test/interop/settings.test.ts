import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { brokerSetting } from '../../src/config/broker-settings/index.ts';
import type { Setting } from '../../src/config/definition.ts';
import { topicSetting } from '../../src/config/topic-settings.ts';
import { parseSetting } from '../../src/config/value.ts';
import { parsingDifferences } from './differences.ts';
import { apacheClassPath, apacheMissing, JVM_FLAGS, KAFKA_VERSION } from './support/apache.ts';
import { isInstalled, run } from './support/run.ts';

/** The declarations of Kafka's own jars, asked by SettingsInterop.java. */

const missing =
  (await apacheMissing()) ?? ((await isInstalled('javac')) ? undefined : 'javac is not installed');
const skipped = missing === undefined ? '' : ` (SKIPPED: ${missing})`;

const fixture = new URL(`../unit/config/fixtures/kafka-${KAFKA_VERSION}-settings.json`, import.meta.url);

interface Listed {
  readonly name: string;
  readonly type: string;
}

const listed = JSON.parse(readFileSync(fixture, 'utf8')) as Record<'broker' | 'topic', readonly Listed[]>;

const TEXTS = [
  ...['', ' ', 'x', ' x ', 'true', 'FALSE', ' True', '-1', '0', '1', '+7', '007', ' 42 ', '10', '1.5', '-2'],
  ...['.5', '1e3', '1E-4', '12345678.9', 'NaN', '-Infinity', '1f', '0x10', '1_000', '99999999999999999999'],
  ...['2147483647', '2147483648', '-2147483649', '32767', '32768', '9007199254740993'],
  ...['9223372036854775807', '9223372036854775808', '-9223372036854775808', '١٢'],
  ...['a,b', 'a, b ,c', 'a,,b', 'a,', ',a', 'a,a', '*', '0:1,1:1', '0:1, 1:1', 'delete', 'delete,compact'],
  ...['broker', 'broker,controller,broker', 'es256', 'uncompressed', 'Producer', 'INFO', 'https', 'a\tb'],
] as const;

const CASES = (['broker', 'topic'] as const).flatMap((kind) =>
  listed[kind].flatMap(({ name, type }) => TEXTS.map((text) => ({ kind, name, type, text }))),
);

const base64 = (text: string): string => Buffer.from(text).toString('base64');

async function askJava(argument: string, input = ''): Promise<string> {
  const source = join(import.meta.dirname, 'java', 'SettingsInterop.java');
  const args = [...JVM_FLAGS, '-Xmx256M', '-cp', await apacheClassPath(), source, argument];
  const result = await run('java', args, { input });
  if (result.code !== 0) throw new Error(result.stderr);
  return result.stdout;
}

/** What we make of a text, in the form that SettingsInterop.java prints, without the words of a refusal. */
function ours(setting: Setting, name: string, text: string): string {
  const result = parseSetting(name, setting, text);
  if ('problem' in result) return 'refused';
  return `ok ${setting.type === 'password' ? '[hidden]' : result.ok.text}`;
}

describe.skipIf(missing !== undefined)(`settings of Apache Kafka ${KAFKA_VERSION}${skipped}`, () => {
  test('are those of the fixture', async () => {
    expect(JSON.parse(await askJava('list'))).toEqual(JSON.parse(readFileSync(fixture, 'utf8')));
  });

  test('every text is read alike by every setting, or refused by both', async () => {
    const input = CASES.map(({ kind, name, text }) => `${kind} ${name} ${base64(text)}\n`).join('');
    const answers = (await askJava('parse', input)).trimEnd().split('\n');
    expect(answers.length).toBe(CASES.length);
    const differing: string[] = [];
    for (const [at, { kind, name, type, text }] of CASES.entries()) {
      const [outcome = '', words = ''] = (answers[at] ?? '').split(' ');
      const theirs = `${outcome} ${Buffer.from(words, 'base64').toString()}`;
      const setting = kind === 'broker' ? brokerSetting(name) : topicSetting(name);
      const mine = setting === undefined ? 'unknown' : ours(setting, name, text);
      if (mine === theirs || (mine === outcome && outcome === 'refused')) continue;
      if (parsingDifferences.some((one) => one.allows({ name, type, text, ours: mine, theirs }))) continue;
      differing.push(`${kind} ${name}=${JSON.stringify(text)}: Apache ${theirs}, here ${mine}`);
    }
    expect(differing).toEqual([]);
  });
});
