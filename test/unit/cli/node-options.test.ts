import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig, parseStartOptions } from '../../../src/cli/node-options.ts';
import { UsageError } from '../../../src/cli/usage-error.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'odradek-options-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('options of start', () => {
  test('all of them', () => {
    const options = parseStartOptions([
      'server.properties',
      ...[
        '--override',
        'a=b=c',
        '--override=d=',
        '--port',
        '0',
        '--data-dir',
        '/d',
        '--memory',
        '--profile',
        'kafka',
      ],
      ...['--daemon', '--log-format', 'json', '--log-level=debug', '--ready-fd', '3'],
    ]);
    expect(options).toEqual({
      file: 'server.properties',
      overrides: new Map([
        ['a', 'b=c'],
        ['d', ''],
      ]),
      port: 0,
      dataDir: '/d',
      memory: true,
      profile: 'kafka',
      daemon: true,
      logFormat: 'json',
      logLevel: 'debug',
      readyFd: 3,
    });
  });

  test('none of them', () => {
    expect(parseStartOptions([])).toMatchObject({
      file: undefined,
      memory: false,
      daemon: false,
      profile: undefined,
      logLevel: 'info',
    });
  });

  test("Kafka's own start script writes -daemon, and overrides behind the file", () => {
    const options = parseStartOptions(['-daemon', 'x.properties', '--override', 'node.id=2']);
    expect(options).toMatchObject({ daemon: true, file: 'x.properties' });
    expect(options.overrides.get('node.id')).toBe('2');
  });

  test.each([
    [['--nonsense'], /--nonsense/],
    [['a', 'b'], /One properties file at most, not a and b/],
    [['--override', 'x'], /--override takes name=value, not x/],
    [['--override', '=x'], /name=value/],
    [['--port', 'x'], /--port takes a whole number up to 65535, not x/],
    [['--port', '65536'], /65535/],
    [['--port=-1'], /not -1/],
    [['--profile', 'prod'], /--profile takes kafka, dev, not prod/],
    [['--log-format', 'xml'], /json, kafka, pretty/],
    [['--log-level', 'loud'], /debug, info, warn, error/],
    [['--port'], /--port/],
  ])('%j is refused', (args, problem) => {
    expect(() => parseStartOptions(args)).toThrow(UsageError);
    expect(() => parseStartOptions(args)).toThrow(problem);
  });
});

describe('settings of a command', () => {
  const load = (...args: string[]) => loadConfig(parseStartOptions(args));

  test('without a file: dev, on this machine only', () => {
    const config = load('--port', '7000', '--override', 'num.partitions=4');
    expect(config.profile).toBe('dev');
    expect(config.logDirs).toEqual(['odradek-data']);
    expect(config.get('num.partitions')).toBe(4);
    expect(config.listeners).toMatchObject([
      { host: 'localhost', port: 7000, advertised: { host: 'localhost' } },
    ]);
  });

  test('of a file: the defaults of Kafka; with --memory those of dev', () => {
    const file = join(dir, 'a.properties');
    writeFileSync(file, 'broker.id=7\nlog.dir=/somewhere\n');
    expect(load(file)).toMatchObject({ profile: 'kafka', nodeId: 7, logDirs: ['/somewhere'] });
    expect(load(file, '--data-dir', '/else').logDirs).toEqual(['/else']);
    expect(load(file, '--memory').profile).toBe('dev');
    expect(load(file, '--memory', '--profile', 'kafka').profile).toBe('kafka');
  });

  test('a wrong value names the file and the line', () => {
    const file = join(dir, 'b.properties');
    writeFileSync(file, '# a comment\nbroker.id=7\nnum.partitions=x\n');
    expect(() => load(file)).toThrow(`${file}:3: num.partitions=x is not valid`);
    expect(() => load('--override', 'num.partitions=x')).toThrow(/^override: num\.partitions=x is not valid/);
  });

  test('a file that is not there', () => {
    expect(() => load(join(dir, 'c.properties'))).toThrow(/c\.properties: there is no such file/);
  });

  test('the sample file is right, and nothing in it is said to be wrong', () => {
    const config = load(new URL('../../../config/server.properties', import.meta.url).pathname);
    expect(config.listeners).toMatchObject([
      { name: 'PLAINTEXT', port: 9092, interBroker: true, advertised: { host: 'localhost', port: 9092 } },
      { name: 'CONTROLLER', port: 9093, controller: true },
    ]);
    expect(config.notices.filter(({ message }) => message.includes('nknown'))).toEqual([]);
  });
});
