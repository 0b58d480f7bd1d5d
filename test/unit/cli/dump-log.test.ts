import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { dumpLog } from '../../../src/cli/dump-log-command.ts';
import { MemoryStorage } from '../../../src/io/memory-storage.ts';
import { BatchBuilder } from '../../../src/protocol/record-batch/index.ts';
import { SeededRandom } from '../protocol/random-values.ts';

const FIXTURES = join(import.meta.dirname, '..', '..', 'fixtures');
const GOLDEN = join(FIXTURES, 'dump-log');
const SEGMENT = '00000000000000000000';

class Run {
  readonly storage = new MemoryStorage();
  stdout = '';
  stderr = '';

  constructor() {
    this.storage.makeDir('/dir');
  }

  write(name: string, bytes: Uint8Array): this {
    const file = this.storage.open(`/dir/${name}`, 'create');
    file.write([bytes], 0);
    file.close();
    return this;
  }

  dump(names: readonly string[], ...args: string[]): Promise<number> {
    return dumpLog(['--files', names.map((name) => `/dir/${name}`).join(','), ...args], {
      storage: this.storage,
      print: async (text) => {
        this.stdout += text;
        return true;
      },
      printError: (text) => {
        this.stderr += text;
      },
    });
  }

  get lines(): string[] {
    return this.stdout.split('\n').slice(0, -1);
  }
}

const fixture = (name: string): Buffer =>
  readFileSync(join(FIXTURES, 'log', 'apache-4.3', 'fix-ture-0', name));

const batchAt = (baseOffset: number, values: readonly string[], timestamp = 1000): Buffer => {
  const builder = new BatchBuilder({ baseOffset, leaderEpoch: 0 });
  for (const value of values) builder.append({ timestamp, value: Buffer.from(value) });
  return builder.build();
};

/** Recorded from kafka-dump-log 4.3.1 by the interop suite with UPDATE_GOLDEN=1. */
describe('prints what the official tool prints', () => {
  test.each(readdirSync(GOLDEN))('%s', async (name) => {
    const read = (file: string) => readFileSync(join(GOLDEN, name, file));
    const run = new Run();
    const all = read('arguments.txt').toString().split('\n');
    const files = all.filter((one) => !one.startsWith('--'));
    for (const file of files) run.write(file, read(file));
    expect(await run.dump(files, ...all.filter((one) => one.startsWith('--')))).toBe(0);
    expect(run.stdout.replaceAll('/dir/', '')).toBe(read('stdout.txt').toString());
  });
});

test('indexes are printed, checked against the log, and their sanity is told', async () => {
  const run = new Run();
  for (const suffix of ['.log', '.index', '.timeindex'])
    run.write(SEGMENT + suffix, fixture(SEGMENT + suffix));
  expect(await run.dump([`${SEGMENT}.index`, `${SEGMENT}.timeindex`])).toBe(0);
  expect(run.lines).toEqual([
    `Dumping /dir/${SEGMENT}.index`,
    'offset: 39 position: 512',
    'offset: 59 position: 1024',
    'offset: 79 position: 1536',
    'offset: 119 position: 1944',
    `Dumping /dir/${SEGMENT}.timeindex`,
    'timestamp: 1795261357651 offset: 39',
    'timestamp: 1795261357681 offset: 59',
    'timestamp: 1795261357712 offset: 79',
    'timestamp: 1795261357782 offset: 119',
  ]);
  expect(run.stderr).toBe('');
  run.stdout = '';
  expect(await run.dump([`${SEGMENT}.index`], '--index-sanity-check')).toBe(0);
  expect(run.lines[1]).toBe(`/dir/${SEGMENT}.index passed sanity check.`);
});

test('entries that do not fit the log are told after all files, and end no run', async () => {
  const index = fixture(`${SEGMENT}.index`);
  index.writeInt32BE(38, 0);
  const times = fixture(`${SEGMENT}.timeindex`);
  times.writeBigInt64BE(77n, 0);
  const run = new Run().write(`${SEGMENT}.log`, fixture(`${SEGMENT}.log`));
  run.write(`${SEGMENT}.index`, index).write(`${SEGMENT}.timeindex`, times);
  expect(await run.dump([`${SEGMENT}.index`, `${SEGMENT}.timeindex`], '--verify-index-only')).toBe(0);
  expect(run.lines).toHaveLength(2);
  expect(run.stderr.split('\n').slice(0, 4)).toEqual([
    `Mismatches in :/dir/${SEGMENT}.index`,
    '  Index offset: 38, log offset: 39',
    `Found timestamp mismatch in :/dir/${SEGMENT}.timeindex`,
    '  Index timestamp: 77, log timestamp: 1795261357651',
  ]);
});

test('an entry that points before the beginning of the log is a mismatch', async () => {
  const index = fixture(`${SEGMENT}.index`);
  index.writeInt32BE(-5, 4);
  const run = new Run().write(`${SEGMENT}.log`, fixture(`${SEGMENT}.log`)).write(`${SEGMENT}.index`, index);
  run.write(`${SEGMENT}.timeindex`, fixture(`${SEGMENT}.timeindex`));
  expect(await run.dump([`${SEGMENT}.index`, `${SEGMENT}.timeindex`])).toBe(0);
  expect(run.stderr).toContain('Index offset: 39, log offset: 19');
});

test('a torn tail is counted, and --max-bytes reads no further', async () => {
  const bytes = Buffer.concat([batchAt(0, ['a', 'b']), batchAt(2, ['c'])]);
  const run = new Run().write(`${SEGMENT}.log`, bytes.subarray(0, bytes.length - 5));
  expect(await run.dump([`${SEGMENT}.log`], '--deep-iteration')).toBe(0);
  expect(run.lines.filter((line) => line.startsWith('| offset: '))).toHaveLength(2);
  expect(run.lines.at(-1)).toMatch(/^Found \d+ invalid bytes at the end of 0{20}\.log$/);
  const all = new Run().write(`${SEGMENT}.log`, bytes);
  expect(await all.dump([`${SEGMENT}.log`], '--max-bytes', '80')).toBe(0);
  expect(all.lines).toHaveLength(3);
});

test('a wrong CRC is shown, and does not hide what follows', async () => {
  const broken = batchAt(0, ['a']);
  broken[broken.length - 2]! ^= 0xff;
  const run = new Run().write(`${SEGMENT}.log`, Buffer.concat([broken, batchAt(1, ['b'])]));
  expect(await run.dump([`${SEGMENT}.log`])).toBe(0);
  expect(run.lines.slice(2).map((line) => /isvalid: (\w+)/.exec(line)?.[1])).toEqual(['false', 'true']);
});

test('decoders for keys and values by the names of their classes', async () => {
  const value = Buffer.alloc(8);
  value.writeBigInt64BE(-5n);
  const batch = new BatchBuilder({ baseOffset: 0, leaderEpoch: 0 })
    .append({ timestamp: 1, key: Buffer.from([0, 0, 1, 0]), value })
    .build();
  const run = new Run().write(`${SEGMENT}.log`, batch);
  const decoders = ['--key-decoder-class', 'org.apache.kafka.tools.api.IntegerDecoder'];
  expect(await run.dump([`${SEGMENT}.log`], ...decoders, '--value-decoder-class=LongDecoder')).toBe(0);
  expect(run.lines.at(-1)).toMatch(/ key: 256 payload: -5$/);
  expect(await run.dump([`${SEGMENT}.log`], '--skip-record-metadata', '--value-decoder-class')).toBe(0);
  expect(run.lines.at(-1)).toMatch(/^\| key: /);
});

test.each([
  ['a file that is not there', 'no-such.log', undefined, 'there is no file /dir/no-such.log'],
  ['a name without an offset', 'notes.log', Buffer.from('text'), 'does not begin with an offset'],
  [
    'text that is no log',
    `${SEGMENT}.log`,
    Buffer.from('name=value\n'.repeat(9)),
    'does not begin with a batch',
  ],
  ['zeroes', `${SEGMENT}.log`, Buffer.alloc(100), 'damaged or no log'],
  ['a snapshot cut short', `${SEGMENT}.snapshot`, Buffer.alloc(5), 'cut short'],
  ['a damaged snapshot', `${SEGMENT}.snapshot`, Buffer.from([0, 1, 9, 9, 9, 9, 0, 0, 0, 0]), 'is damaged'],
  ['an index without its log', `${SEGMENT}.index`, Buffer.alloc(8), `there is no file /dir/${SEGMENT}.log`],
  ['an unknown version', `${SEGMENT}.txnindex`, Buffer.alloc(34, 1), 'has version 257'],
])('%s ends with 1 and a message, after the files that can be read', async (_, name, bytes, message) => {
  const run = new Run().write('00000000000000000001.log', batchAt(1, ['a']));
  if (bytes !== undefined) run.write(name, bytes);
  expect(await run.dump([name, '00000000000000000001.log'])).toBe(1);
  expect(run.stderr).toContain(message);
  expect(run.stderr.split('\n')).toHaveLength(2);
  expect(run.lines.at(-1)).toMatch(/^baseOffset: 1 /);
});

test('a file of another kind is left out', async () => {
  const run = new Run().write('leader-epoch-checkpoint', Buffer.from('0\n0\n'));
  expect(await run.dump(['leader-epoch-checkpoint'])).toBe(0);
  expect(run.stderr).toMatch(/leader-epoch-checkpoint is left out/);
});

test.each([
  [[], /--files takes/],
  [['--files', 'a.log', '--remote-log-metadata-decoder'], /no tiered storage/],
  [['--files', 'a.log', '--value-decoder-class', 'com.example.Mine'], /com\.example\.Mine, a Java class/],
  [['--files', 'a.log', '--max-bytes', 'many'], /--max-bytes takes a number/],
  [['--files', 'a.log', '--no-such-option'], /no-such-option/],
  [['a.log'], /a\.log/],
])('refuses %j', async (args, message) => {
  const storage = new MemoryStorage();
  const environment = { storage, print: async () => true, printError: () => {} };
  await expect(dumpLog(args, environment)).rejects.toThrow(message);
});

test('stops when nobody reads any more', async () => {
  const run = new Run().write(`${SEGMENT}.log`, batchAt(0, ['a']));
  let writes = 0;
  const code = await dumpLog(['--files', `/dir/${SEGMENT}.log,/dir/${SEGMENT}.log`], {
    storage: run.storage,
    print: async () => {
      writes += 1;
      return false;
    },
    printError: () => {},
  });
  expect({ code, writes }).toEqual({ code: 0, writes: 1 });
});

test('damage of any kind ends in a message, never in a bug', async () => {
  const seed = 5;
  const random = new SeededRandom(seed);
  const kinds = readdirSync(GOLDEN).flatMap((name) => {
    const all = readFileSync(join(GOLDEN, name, 'arguments.txt'), 'utf8').split('\n');
    const [file = ''] = all;
    return [
      {
        file,
        bytes: readFileSync(join(GOLDEN, name, file)),
        args: all.filter((one) => one.startsWith('--')),
      },
    ];
  });
  const indexes = ['.index', '.timeindex'].map((suffix) => ({
    file: SEGMENT + suffix,
    bytes: fixture(SEGMENT + suffix),
    args: [],
  }));
  for (const { file, bytes, args } of [...kinds, ...indexes]) {
    for (let round = 0; round < 60; round += 1) {
      const damaged = Buffer.from(
        bytes.subarray(0, bytes.length - random.below(round % 2 === 0 ? 1 : bytes.length)),
      );
      for (let n = 1 + random.below(4); n > 0; n -= 1)
        damaged[random.below(damaged.length)] = random.below(256);
      const run = new Run().write(`${SEGMENT}.log`, fixture(`${SEGMENT}.log`)).write(`${file}.tmp`, damaged);
      run.storage.rename(`/dir/${file}.tmp`, `/dir/${file}`);
      const code = await run.dump([file], ...args).catch((error: unknown) => {
        throw new Error(`${file}, seed ${seed}, round ${round}`, { cause: error });
      });
      expect(code === 0 || run.stderr !== '').toBe(true);
    }
  }
});
