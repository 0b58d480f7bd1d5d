import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import type { BrokerConfig } from '../config/broker-config.ts';

/** What a running node leaves for `stop` and `status`: in its data directory, or for `--memory` in the temporary one. */
export interface RunFile {
  readonly pid: number;
  /** When the process began, in the system's own unit; tells it from a later one with the same number. */
  readonly startedAt: string | undefined;
  /** '' while it starts. */
  readonly bootstrapServers: string;
}

export function runFilePath(config: BrokerConfig, memory: boolean, boundPort?: number): string {
  if (!memory) return join(config.logDirs[0] ?? '.', 'odradek.pid');
  const port = boundPort ?? config.listeners.find(({ controller }) => !controller)?.port ?? 0;
  return join(tmpdir(), `odradek-${userInfo().uid}-${port}.pid`);
}

export function writeRunFile(path: string, bootstrapServers: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const content: RunFile = { pid: process.pid, startedAt: startOf(process.pid), bootstrapServers };
  writeFileSync(path, `${JSON.stringify(content)}\n`);
}

/** Removes the file unless another process has written it since. */
export function removeRunFile(path: string): void {
  if (readRunFile(path)?.pid === process.pid) rmSync(path, { force: true });
}

/** The node that the file names, if it still runs. */
export function runningNode(path: string): RunFile | undefined {
  const found = readRunFile(path);
  return found !== undefined && isAlive(found) ? found : undefined;
}

export function isAlive({ pid, startedAt }: Pick<RunFile, 'pid' | 'startedAt'>): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return startedAt === undefined || startOf(pid) === startedAt;
}

function readRunFile(path: string): RunFile | undefined {
  try {
    const content = JSON.parse(readFileSync(path, 'utf8')) as RunFile;
    return Number.isSafeInteger(content.pid) && content.pid > 0 ? content : undefined;
  } catch {
    return undefined;
  }
}

/** Ticks between boot and the start of a process where the system tells them; a zombie counts as gone. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? 'gone' : fields[19];
  } catch {
    return undefined;
  }
}
