import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { OpenListener } from '../../../src/cli/banner.ts';
import { createLogger } from '../../../src/cli/logger.ts';
import { loadConfig, parseStartOptions } from '../../../src/cli/node-options.ts';
import { runNode, type StartEnvironment, type StartedNode, type StartNode } from '../../../src/cli/start.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'odradek-start-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const listener: OpenListener = {
  name: 'PLAINTEXT',
  bound: { host: '127.0.0.1', port: 5000 },
  advertised: { host: 'localhost', port: 5000 },
};

/** A command line run with a node that the test controls. */
async function world(args: readonly string[], node: Partial<StartedNode> = {}, startNode?: StartNode) {
  const lines: string[] = [];
  const exits: number[] = [];
  const announced: string[] = [];
  let signal = (_name: string) => {};
  const logger = await createLogger({
    format: 'kafka',
    level: 'info',
    write: (line) => lines.push(line.trimEnd()),
  });
  const started: StartedNode = {
    listeners: [listener],
    clusterId: 'abc',
    nodeId: 1,
    stop: () => Promise.resolve(),
    ...node,
  };
  const env: StartEnvironment = {
    startNode: startNode ?? (() => Promise.resolve(started)),
    logger,
    print: (line) => lines.push(line),
    onSignal: (stop) => {
      signal = stop;
    },
    exit: (code) => exits.push(code),
    announce: (_, line) => announced.push(line),
    uptimeMs: () => 123.4,
    pid: process.pid,
    resolve: () => Promise.resolve(),
  };
  const options = parseStartOptions(['--data-dir', dir, ...args]);
  const config = loadConfig(options);
  const ended = runNode(config, options, env);
  const text = () => lines.map((line) => line.replace(/^\[.*?\] /, '')).join('\n');
  return { lines, exits, announced, ended, text, signal: (name: string) => signal(name) };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('a start', () => {
  test('says where it listens, then one machine-readable line, then that it has started', async () => {
    const { lines, text, ended, signal } = await world([]);
    await settled();
    expect(text()).toMatch(
      /INFO PLAINTEXT: listens on 127\.0\.0\.1:5000; clients are told localhost:5000 \(odradek\)\n\{.*\}\nINFO Kafka Server started/,
    );
    const ready = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
    expect(ready).toEqual([
      {
        event: 'ready',
        bootstrapServers: 'localhost:5000',
        listeners: [listener],
        clusterId: 'abc',
        nodeId: 1,
        pid: process.pid,
        startMs: 123,
      },
    ]);
    signal('SIGTERM');
    expect(await ended).toBe(0);
  });

  test('tells whoever started it, where that was asked for', async () => {
    const { announced, ended, signal } = await world(['--ready-fd', '7']);
    await settled();
    expect(JSON.parse(announced[0] ?? '')).toMatchObject({ event: 'ready' });
    signal('SIGINT');
    await ended;
  });

  test('says what the settings are worth a word for', async () => {
    const { text, ended, signal } = await world(['--override', 'num.partitons=3']);
    await settled();
    expect(text()).toMatch(/WARN Unknown setting num\.partitons is ignored; did you mean num\.partitions\?/);
    signal('SIGTERM');
    await ended;
  });

  test('that fails ends with 1 and the reason, without a stack', async () => {
    const { text, ended } = await world([], {}, () => Promise.reject(new Error('port 9092 is in use')));
    expect(await ended).toBe(1);
    expect(text()).toBe('ERROR port 9092 is in use (odradek)');
    expect(existsSync(join(dir, 'odradek.pid'))).toBe(false);
  });

  test('on a directory that another process serves is refused', async () => {
    const parent = { pid: process.ppid, bootstrapServers: 'localhost:1' };
    writeFileSync(join(dir, 'odradek.pid'), JSON.stringify(parent));
    const { text, ended } = await world([]);
    expect(await ended).toBe(1);
    expect(text()).toContain(`is in use by process ${process.ppid}, which serves localhost:1`);
  });

  test('a leftover of a process that is gone does not hinder it', async () => {
    const gone = { pid: process.pid, startedAt: 'another life', bootstrapServers: 'localhost:1' };
    writeFileSync(join(dir, 'odradek.pid'), JSON.stringify(gone));
    const { ended, signal } = await world([]);
    await settled();
    signal('SIGTERM');
    expect(await ended).toBe(0);
  });
});

describe('a stop', () => {
  test('drains, removes the pid file and ends with 0', async () => {
    let stops = 0;
    const stop = async () => {
      stops++;
      expect(existsSync(join(dir, 'odradek.pid'))).toBe(true);
    };
    const { ended, signal, text } = await world([], { stop });
    await settled();
    const file = JSON.parse(readFileSync(join(dir, 'odradek.pid'), 'utf8'));
    expect(file).toMatchObject({ pid: process.pid, bootstrapServers: 'localhost:5000' });
    signal('SIGTERM');
    expect(await ended).toBe(0);
    expect(stops).toBe(1);
    expect(existsSync(join(dir, 'odradek.pid'))).toBe(false);
    expect(text()).toMatch(/INFO SIGTERM: shutting down .*\nINFO shut down completed/);
  });

  test('asked for during the start comes right after it', async () => {
    let finish = (_node: StartedNode) => {};
    const startNode = () =>
      new Promise<StartedNode>((resolve) => {
        finish = resolve;
      });
    let stops = 0;
    const { ended, signal, exits, text } = await world([], {}, startNode);
    signal('SIGTERM');
    const stop = async () => {
      stops++;
    };
    finish({ listeners: [listener], clusterId: 'abc', nodeId: 1, stop });
    expect(await ended).toBe(0);
    expect(stops).toBe(1);
    expect(exits).toEqual([]);
    expect(text()).not.toContain('ready');
  });

  test('cuts a start short that says so', async () => {
    const startNode: StartEnvironment['startNode'] = ({ stopping }) =>
      new Promise((_, reject) => {
        expect(JSON.parse(readFileSync(join(dir, 'odradek.pid'), 'utf8'))).toMatchObject({
          bootstrapServers: '',
        });
        stopping.addEventListener('abort', () => {
          reject(Object.assign(new Error('cut short'), { name: 'StartInterruptedError' }));
        });
      });
    const { ended, signal, text } = await world([], {}, startNode);
    signal('SIGTERM');
    expect(await ended).toBe(0);
    expect(text()).toBe('INFO SIGTERM: the start was cut short (odradek)');
    expect(existsSync(join(dir, 'odradek.pid'))).toBe(false);
  });

  test('a second signal ends the process at once', async () => {
    const { signal, exits } = await world([], { stop: () => new Promise(() => {}) });
    await settled();
    signal('SIGTERM');
    await settled();
    signal('SIGINT');
    expect(exits).toEqual([130]);
    signal('SIGTERM');
    expect(exits).toEqual([130, 143]);
  });

  test('by the node itself ends with 1, after it was closed', async () => {
    let stops = 0;
    const stop = async () => {
      stops++;
    };
    const failed = Promise.resolve(new Error('the last log directory failed'));
    const { ended, text } = await world([], { stop, failed });
    expect(await ended).toBe(1);
    expect(stops).toBe(1);
    expect(text()).toContain('ERROR the last log directory failed');
  });

  test('that fails ends with 1', async () => {
    const { ended, signal, text } = await world([], {
      stop: () => Promise.reject(new Error('the disk is gone')),
    });
    await settled();
    signal('SIGTERM');
    expect(await ended).toBe(1);
    expect(text()).toContain('ERROR the disk is gone');
    expect(existsSync(join(dir, 'odradek.pid'))).toBe(false);
  });
});
