import { expect, test } from 'vitest';
import type { RunFile } from '../../../src/cli/run-file.ts';
import { stopRunningNode } from '../../../src/cli/stop.ts';

const node: RunFile = { pid: 42, startedAt: undefined, bootstrapServers: 'localhost:9092' };

/** Runs the command against a process that ends `endsAfterMs` after the signal `endsBy`. */
async function stop(running: RunFile | undefined, endsBy: string, endsAfterMs: number, force: boolean) {
  const out: string[] = [];
  const signals: string[] = [];
  let leftMs = Number.POSITIVE_INFINITY;
  const code = await stopRunningNode(
    '/data',
    { timeoutMs: 1000, force },
    {
      running: () => running,
      isAlive: () => leftMs > 0,
      kill: (pid, signal) => {
        signals.push(`${pid} ${signal}`);
        if (signal === endsBy) leftMs = endsAfterMs;
      },
      wait: (ms) => {
        leftMs -= ms;
        return Promise.resolve();
      },
      print: (line) => out.push(line),
      printError: (line) => out.push(`! ${line}`),
    },
  );
  return { code, out, signals };
}

test('waits until the process has gone', async () => {
  expect(await stop(node, 'SIGTERM', 500, false)).toEqual({
    code: 0,
    out: ['Stopped process 42'],
    signals: ['42 SIGTERM'],
  });
});

test('no process, no signal', async () => {
  expect(await stop(undefined, 'SIGTERM', 0, true)).toEqual({
    code: 1,
    out: ['! No broker runs on /data; give the file or --data-dir that it was started with'],
    signals: [],
  });
});

test('one that drains too long is killed only by force', async () => {
  const patient = await stop(node, 'SIGKILL', 0, false);
  expect(patient.code).toBe(1);
  expect(patient.out[0]).toMatch(/still drains after 1000 ms; --force kills it/);
  const forced = await stop(node, 'SIGKILL', 0, true);
  expect(forced).toMatchObject({
    code: 0,
    out: ['Killed process 42'],
    signals: ['42 SIGTERM', '42 SIGKILL'],
  });
});
