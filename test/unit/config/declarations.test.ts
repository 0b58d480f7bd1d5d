import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { brokerSettings } from '../../../src/config/broker-settings/index.ts';
import { ownSettings } from '../../../src/config/broker-settings/own.ts';
import type { Setting } from '../../../src/config/definition.ts';
import { brokerSynonyms } from '../../../src/config/synonyms.ts';
import { topicSettings, topicSynonyms } from '../../../src/config/topic-settings.ts';
import { defaultOf, parseSetting } from '../../../src/config/value.ts';

/** What Apache Kafka says about its own settings; written by test/interop/java/SettingsInterop.java. */
interface Official {
  readonly name: string;
  readonly type: string;
  readonly default: string | null;
  readonly internal?: boolean;
  readonly valid?: string;
  readonly emptyAllowed?: boolean;
  readonly nullAllowed?: boolean;
  readonly dynamic?: string;
  /** All names that count for it, itself included for broker settings. */
  readonly synonyms?: readonly string[];
}

type OfficialSettings = Readonly<Record<'broker' | 'topic', readonly Official[]>>;

const officialOf = (version: string): OfficialSettings =>
  JSON.parse(readFileSync(new URL(`./fixtures/kafka-${version}-settings.json`, import.meta.url), 'utf8'));

const official = officialOf('4.4.0');
const earlier = officialOf('4.3.1');

const declared = { broker: brokerSettings, topic: topicSettings } as Readonly<
  Record<'broker' | 'topic', Readonly<Record<string, Setting>>>
>;

describe.each(['broker', 'topic'] as const)('%s settings', (kind) => {
  test('are those of Kafka 4.4.0 and our own, no more and no less', () => {
    const own = kind === 'broker' ? Object.keys(ownSettings) : [];
    const names = official[kind].map(({ name }) => name);
    expect(Object.keys(declared[kind]).sort()).toEqual([...names, ...own].sort());
  });

  test('have the same types, defaults and modes', () => {
    for (const setting of [...official[kind], ...earlier[kind]]) {
      const ours = declared[kind][setting.name];
      expect({
        name: setting.name,
        type: ours?.type,
        default: ours?.defaultText,
        internal: ours?.internal,
        dynamic: ours?.dynamic,
      }).toEqual({
        name: setting.name,
        type: setting.type,
        default: setting.default,
        internal: setting.internal ?? false,
        dynamic: setting.dynamic ?? 'read-only',
      });
    }
  });

  test('have the same synonyms in the same order', () => {
    for (const { name, synonyms } of official[kind]) {
      if (kind === 'broker') {
        expect(brokerSynonyms(name), name).toEqual(synonyms ?? [name]);
        continue;
      }
      const synonym = topicSynonyms[name as keyof typeof topicSynonyms];
      expect(synonym === undefined ? undefined : brokerSynonyms(synonym), name).toEqual(synonyms);
    }
  });

  test('take their bounds and refuse what lies beyond', () => {
    for (const { name, valid, type } of official[kind]) {
      const setting = declared[kind][name];
      const bounds = /^\[(-?[0-9.]+),\.\.\.(?:,(-?[0-9.]+))?\]$/.exec(valid ?? '');
      if (setting === undefined || bounds === null) continue;
      const step = type === 'double' ? 0.001 : 1;
      expect(parseSetting(name, setting, bounds[1] ?? ''), name).toHaveProperty('ok');
      expect(parseSetting(name, setting, String(Number(bounds[1]) - step)), name).toHaveProperty('problem');
      if (bounds[2] === undefined) continue;
      expect(parseSetting(name, setting, bounds[2]), name).toHaveProperty('ok');
      expect(parseSetting(name, setting, String(Number(bounds[2]) + step)), name).toHaveProperty('problem');
    }
  });

  test('take each of the values that Kafka lists and no other', () => {
    for (const { name, valid } of official[kind]) {
      const setting = declared[kind][name];
      const names = /^(?:\(case insensitive\) )?\[([a-zA-Z0-9_, ]+)\]$/.exec(valid ?? '')?.[1]?.split(', ');
      if (setting === undefined || names === undefined) continue;
      for (const value of names)
        expect(parseSetting(name, setting, value), `${name}=${value}`).toHaveProperty('ok');
      expect(parseSetting(name, setting, 'nonsense'), name).toHaveProperty('problem');
    }
  });

  test('lists are empty or missing only where Kafka allows it', () => {
    for (const { name, default: byDefault, emptyAllowed, nullAllowed } of official[kind]) {
      const setting = declared[kind][name];
      if (setting === undefined || emptyAllowed === undefined) continue;
      expect('ok' in parseSetting(name, setting, ''), `${name} empty`).toBe(emptyAllowed);
      // Nothing else can be missing: its default stands in.
      if (byDefault !== null) continue;
      expect('ok' in defaultOf(name, setting), `${name} missing`).toBe(nullAllowed);
    }
  });

  test('what stands twice in a list counts once', () => {
    const setting = declared[kind][kind === 'topic' ? 'cleanup.policy' : 'log.cleanup.policy'];
    const result = setting && parseSetting('x', setting, 'delete, compact,delete');
    expect(result).toEqual({ ok: { value: ['delete', 'compact'], text: 'delete,compact' } });
  });

  test('every default passes its own check, but for what must be given', () => {
    const without = Object.entries(declared[kind])
      .filter(([name, setting]) => 'problem' in defaultOf(name, setting))
      .map(([name]) => name)
      .sort();
    expect(without).toEqual(
      kind === 'broker' ? ['controller.listener.names', 'node.id', 'process.roles'] : [],
    );
  });

  test('every setting is documented in a sentence', () => {
    for (const [name, { doc }] of Object.entries(declared[kind]))
      expect(doc, name).toMatch(/^[A-Z].{10,}\.$/s);
  });
});

test('topic settings fall back to broker settings of the same type', () => {
  for (const [name, synonym] of Object.entries(topicSynonyms)) {
    expect(brokerSettings[synonym].type, name).toBe(topicSettings[name as keyof typeof topicSettings].type);
  }
});
