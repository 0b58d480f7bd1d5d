import { type ChildProcess, spawn } from 'node:child_process';

/**
 * How long is waited for anything that comes by itself. Only a failure takes that long: on a machine that is busy with other things
 * too, all takes its time.
 */
export const PATIENCE_MS = 180_000;

export interface RunResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly timeoutMs?: number;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program to its end. Rejects only when it can't be started or does not end in time (then it is killed). */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const timeoutMs = options.timeoutMs ?? PATIENCE_MS;
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.stdin.on('error', () => {}); // the program may end without reading its input
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      const result = {
        code,
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      };
      if (timedOut) {
        const said = `${result.stdout}\n${result.stderr}`.slice(-2000);
        reject(new Error(`${program} ${args.join(' ')}: not done after ${timeoutMs} ms\n${said}`));
      } else resolve(result);
    });
    child.stdin.end(options.input ?? '');
  });
}

/** As `run`, and the exit status must be 0. */
export async function runOk(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const result = await run(program, args, options);
  if (result.code !== 0) {
    const said = `${result.stdout}\n${result.stderr}`.slice(-4000);
    throw new Error(`${program} ${args.join(' ')}: exit status ${result.code}\n${said}`);
  }
  return result.stdout;
}

/** True when the program is on the PATH. */
export async function isInstalled(program: string): Promise<boolean> {
  const result = await run('/bin/sh', ['-c', `command -v ${program}`]);
  return result.code === 0;
}

/** Resolves with the exit status; the signal's name where there is none. */
export function ended(child: ChildProcess): Promise<number | string> {
  if (child.exitCode !== null) return Promise.resolve(child.exitCode);
  if (child.signalCode !== null) return Promise.resolve(child.signalCode);
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
}

/** Sends a signal and waits; SIGKILL after `graceMs`. */
export async function endProcess(
  child: ChildProcess,
  signal: NodeJS.Signals = 'SIGTERM',
  graceMs = PATIENCE_MS,
): Promise<number | string> {
  const gone = ended(child);
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  try {
    return await gone;
  } finally {
    clearTimeout(timer);
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Calls `check` every `intervalMs` until it returns something that is not undefined. */
export async function until<T>(
  what: string,
  check: () => T | undefined | Promise<T | undefined>,
  timeoutMs = PATIENCE_MS,
  intervalMs = 50,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value !== undefined) return value;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for: ${what}`);
    await sleep(intervalMs);
  }
}
