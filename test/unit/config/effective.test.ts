import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { BrokerConfig } from '../../../src/config/broker-config.ts';
import { brokerSettings } from '../../../src/config/broker-settings/index.ts';
import type { Setting } from '../../../src/config/definition.ts';
import { Properties } from '../../../src/config/properties.ts';
import { topicSettings, topicSynonyms } from '../../../src/config/topic-settings.ts';

const root = new URL('../../../', import.meta.url);

function sourcesOf(...folders: readonly string[]): string {
  return folders
    .flatMap((folder) =>
      readdirSync(new URL(`src/${folder}/`, root), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => readFileSync(new URL(`src/${folder}/${name}`, root), 'utf8')),
    )
    .join('\n');
}

const readsOf = (source: string) =>
  [...source.matchAll(/\b(?:get|parsed)\(\s*'([a-z0-9.]+)'/g)].map(([, name]) => name!);

const configFile = (name: string) => readFileSync(new URL(`src/config/${name}`, root), 'utf8');

const effectiveOf = (settings: Readonly<Record<string, Setting>>) =>
  Object.entries(settings)
    .filter(([, { effective }]) => effective)
    .map(([name]) => name)
    .sort();

/** Read, and yet without effect: our lz4 has one speed, and with one broker no replica can be out of sync. */
const readInVain = ['compression.lz4.level', 'unclean.leader.election.enable'];

/** Topic settings whose field of LogConfig somebody outside `config` looks at. */
const topicReads = (() => {
  const source = sourcesOf('log', 'replication', 'server', 'controller');
  const field = (name: string) => name.replaceAll(/\.(.)/g, (_, letter: string) => letter.toUpperCase());
  const isRead = (name: string) => new RegExp(`\\b${field(name)}\\b`).test(source);
  return Object.keys(topicSettings).filter((name) => isRead(name) && !readInVain.includes(name));
})();

describe('what is marked as effective', () => {
  test('is each topic setting that something reads, and no other', () => {
    // Stands in for segment.bytes.
    expect(effectiveOf(topicSettings)).toEqual([...topicReads, 'internal.segment.bytes'].sort());
  });

  test('is each broker setting that something reads, and no other', () => {
    const reads = new Set([
      ...readsOf(sourcesOf('server', 'coordinator', 'controller', 'replication', 'log', 'raft', 'metadata')),
      ...['broker-config.ts', 'listeners.ts', 'quorum.ts', 'log-config.ts', 'group-settings.ts'].flatMap(
        (name) => readsOf(configFile(name)),
      ),
      // Of the internal topics this one does not exist yet.
      ...readsOf(configFile('internal-topics.ts')).filter((name) => !name.startsWith('share.')),
      ...topicReads.flatMap((name) => topicSynonyms[name as keyof typeof topicSynonyms] ?? []),
      // An alias of node.id.
      'broker.id',
    ]);
    const names = [...reads].filter(
      (name) => Object.hasOwn(brokerSettings, name) && !readInVain.includes(name),
    );
    expect(effectiveOf(brokerSettings)).toEqual(names.sort());
  });
});

test('the sample properties file sets nothing that is unknown or has no effect', () => {
  const file = 'config/server.properties';
  const text = readFileSync(new URL(file, root), 'utf8');
  expect(BrokerConfig.parse({ properties: Properties.parse(text, file) }).notices).toEqual([]);
});
