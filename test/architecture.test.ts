import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

/**
 * The layering of ARCHITECTURE.md as data. A file imports its own room and rooms of lower layers; rooms of one layer
 * never import each other.
 */
const layerOf: Readonly<Record<string, number>> = {
  base: 1,
  io: 1.5,
  protocol: 2,
  config: 2,
  raft: 3,
  metadata: 3,
  log: 3,
  coordinator: 4,
  controller: 4,
  replication: 4,
  security: 4,
  server: 5,
  cli: 6,
};

/** `io` stands apart: it sees base only, and only those files may wire it in. */
const mayImportIo = (file: string) =>
  ['server/main.ts', 'server/worker.ts'].includes(file) || file.startsWith('cli/') || file.startsWith('io/');

/** What only `io` may touch, with what to use instead. `cli` may start processes, read files and set exit codes. */
const banned: readonly { pattern: RegExp; instead: string; allowedIn: readonly string[] }[] = [
  {
    pattern: /['"]node:(net|tls|fs|fs\/promises|worker_threads|child_process|dgram|http)['"]/,
    instead: 'the ports of src/base/ports.ts',
    allowedIn: ['io', 'cli'],
  },
  {
    pattern: /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bprocess\.hrtime\b/,
    instead: 'Clock',
    allowedIn: ['io', 'cli'],
  },
  {
    pattern: /\bMath\.random\b|\brandomUUID\b|\brandomBytes\b|\bgetRandomValues\b/,
    instead: 'Random',
    allowedIn: ['io'],
  },
  {
    pattern: /\b(setTimeout|setInterval|setImmediate)\s*\(|\bprocess\.nextTick\b/,
    instead: 'Timers or Turn',
    allowedIn: ['io', 'cli'],
  },
  {
    pattern: /\b(gzip|gunzip|deflate|inflate|zstdCompress|zstdDecompress|brotliCompress)\(/,
    instead: 'the synchronous form behind protocol/compression',
    allowedIn: [],
  },
  { pattern: /@ts-ignore|@ts-expect-error|@ts-nocheck/, instead: 'a type', allowedIn: [] },
];

const src = join(dirname(import.meta.dirname), 'src');
const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => name.replaceAll('\\', '/'))
  .sort();

const withoutComments = (text: string) =>
  text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
const roomOf = (file: string) => (file.includes('/') ? file.slice(0, file.indexOf('/')) : '');

test('every room stands in the layer table', () => {
  const rooms = new Set(files.map(roomOf).filter((room) => room !== ''));
  expect([...rooms].filter((room) => !(room in layerOf))).toEqual([]);
});

test('imports go to the same room or down', () => {
  const wrong: string[] = [];
  for (const file of files) {
    const room = roomOf(file);
    const layer = room === '' ? 7 : (layerOf[room] ?? Number.NaN);
    const text = withoutComments(readFileSync(join(src, file), 'utf8'));
    for (const [, target] of text.matchAll(/(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g)) {
      const to = relative(src, join(src, dirname(file), target ?? '')).replaceAll('\\', '/');
      const toRoom = roomOf(to);
      if (toRoom === room) continue;
      if (toRoom === 'io') {
        if (!mayImportIo(file)) wrong.push(`${file} imports ${to}: only server/main.ts and cli import io`);
      } else if (room === 'io') {
        if (toRoom !== 'base') wrong.push(`${file} imports ${to}: io imports base only`);
      } else if (!((layerOf[toRoom] ?? Number.POSITIVE_INFINITY) < layer)) {
        wrong.push(`${file} imports ${to}: ${toRoom || 'the root'} is not below ${room}`);
      }
    }
  }
  expect(wrong).toEqual([]);
});

test.each(banned)('only io touches $pattern', ({ pattern, instead, allowedIn }) => {
  const wrong: string[] = [];
  for (const file of files) {
    if (allowedIn.includes(roomOf(file))) continue;
    const lines = withoutComments(readFileSync(join(src, file), 'utf8')).split('\n');
    for (const line of lines) {
      if (pattern.test(line)) wrong.push(`${file}: ${line.trim()}: use ${instead}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('no file becomes the centre of the world', () => {
  const linesMax = 700;
  const long = files
    .map((file) => ({ file, lines: readFileSync(join(src, file), 'utf8').split('\n').length }))
    .filter(({ lines }) => lines > linesMax);
  expect(long).toEqual([]);
});
