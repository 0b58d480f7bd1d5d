import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { repository, serverProperties, startApache } from './apache.ts';
import { endProcess, PATIENCE_MS } from './run.ts';

export type TargetName = 'apache' | 'odradek';

/** A running broker, ours or Apache Kafka; the suites can't tell which. */
export interface Target {
  readonly name: TargetName;
  readonly port: number;
  readonly bootstrap: string;
  readonly dataDir: string;
  readonly process: ChildProcess;
  /** Ends it; with SIGKILL for a crash. A data folder that was given stays. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface TargetOptions {
  readonly port: number;
  /** Of Apache Kafka, where it is not the newest. */
  readonly version?: string;
  readonly dataDir?: string;
  readonly properties?: Readonly<Record<string, string>>;
  /** Apache Kafka with the flags of its own start script. */
  readonly forBench?: boolean;
}

/** Which brokers a run is about: INTEROP_TARGETS=apache or odradek; both without it. */
export const wantedTargets = (): readonly TargetName[] => {
  const wanted = process.env['INTEROP_TARGETS'];
  return wanted === 'apache' || wanted === 'odradek' ? [wanted] : ['apache', 'odradek'];
};

export async function startTarget(name: TargetName, options: TargetOptions): Promise<Target> {
  return name === 'apache' ? { name, ...(await startApache(options)) } : startOdradek(options);
}

/** Runs on the same configuration file as Apache Kafka does. */
async function startOdradek(options: TargetOptions): Promise<Target> {
  const work = mkdtempSync(join(tmpdir(), 'odradek-interop-'));
  const dataDir = options.dataDir ?? join(work, 'data');
  const { port } = options;
  const properties = serverProperties(port, dataDir, options.properties);
  const file = join(work, 'server.properties');
  writeFileSync(
    file,
    Object.entries(properties)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  );
  const program = join(repository(), 'bin', 'broker');
  if (!existsSync(program)) throw new Error(`${program} is not there: run npm ci first`);
  const child = spawn(process.execPath, [program, 'start', file, '--log-format', 'json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const killChild = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', killChild);
  const said: string[] = [];
  const note = (line: string): void => {
    said.push(line);
    if (said.length > 200) said.shift();
  };
  createInterface({ input: child.stderr }).on('line', note);
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    await endProcess(child, signal);
    process.off('exit', killChild);
    rmSync(work, { recursive: true, force: true });
  };
  const isReady = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), PATIENCE_MS);
    child.once('exit', () => resolve(false));
    createInterface({ input: child.stdout }).on('line', (line) => {
      note(line);
      if (isReadyLine(line)) {
        clearTimeout(timer);
        resolve(true);
      }
    });
  });
  if (!isReady) {
    await stop('SIGKILL');
    throw new Error(`broker start did not become ready:\n${said.slice(-40).join('\n')}`);
  }
  return { name: 'odradek', port, bootstrap: `127.0.0.1:${port}`, dataDir, process: child, stop };
}

function isReadyLine(line: string): boolean {
  const at = line.indexOf('{');
  if (at < 0 || !line.includes('ready')) return false;
  try {
    return (JSON.parse(line.slice(at)) as { event?: unknown }).event === 'ready';
  } catch {
    return false;
  }
}
