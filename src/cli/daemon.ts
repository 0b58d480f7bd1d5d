import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import type { BrokerConfig } from '../config/broker-config.ts';

export interface DaemonOutcome {
  /** The ready line; undefined where the child ended before it was ready. */
  readonly readyLine: string | undefined;
  readonly logFile: string;
}

/** Where a node in the background writes what it would print. */
export function daemonLogFile(config: BrokerConfig, memory: boolean, pid: number): string {
  return memory ? join(tmpdir(), `odradek-${pid}.log`) : join(config.logDirs[0] ?? '.', 'server.log');
}

/** Starts this very command again in the background and waits until it is ready or has ended. */
export function startDaemon(
  script: string,
  args: readonly string[],
  logFile: string,
): Promise<DaemonOutcome> {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'a');
  const foreground = args.filter((arg) => arg !== '--daemon' && arg !== '-daemon');
  const child = spawn(
    process.execPath,
    [...process.execArgv, script, 'start', ...foreground, '--ready-fd', '3'],
    {
      detached: true,
      stdio: ['ignore', log, log, 'pipe'],
    },
  );
  closeSync(log);
  const ready = child.stdio[3] as Readable;
  return new Promise((resolve, reject) => {
    let line = '';
    const end = (outcome: DaemonOutcome) => {
      ready.destroy();
      child.unref();
      resolve(outcome);
    };
    ready.setEncoding('utf8');
    ready.on('data', (part: string) => {
      line += part;
      if (line.endsWith('\n')) end({ readyLine: line.trimEnd(), logFile });
    });
    child.on('error', reject);
    child.on('exit', () => end({ readyLine: undefined, logFile }));
  });
}
