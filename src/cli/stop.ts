import type { RunFile } from './run-file.ts';

/** What the command needs of the system; tests put their own in its place. */
export interface StopEnvironment {
  running(): RunFile | undefined;
  isAlive(node: RunFile): boolean;
  kill(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void;
  wait(ms: number): Promise<void>;
  print(line: string): void;
  printError(line: string): void;
}

export interface StopOptions {
  /** How long the node may drain. */
  readonly timeoutMs: number;
  /** Kill it when the time is over. */
  readonly force: boolean;
}

const pollMs = 20;

/** Asks a node to stop and waits until its process has gone; resolves to the exit code. */
export async function stopRunningNode(
  where: string,
  options: StopOptions,
  env: StopEnvironment,
): Promise<number> {
  const node = env.running();
  if (node === undefined) {
    env.printError(`No broker runs on ${where}; give the file or --data-dir that it was started with`);
    return 1;
  }
  env.kill(node.pid, 'SIGTERM');
  if (await hasGone(node, options.timeoutMs, env)) {
    env.print(`Stopped process ${node.pid}`);
    return 0;
  }
  if (!options.force) {
    env.printError(`Process ${node.pid} still drains after ${options.timeoutMs} ms; --force kills it`);
    return 1;
  }
  env.kill(node.pid, 'SIGKILL');
  await hasGone(node, options.timeoutMs, env);
  env.print(`Killed process ${node.pid}`);
  return 0;
}

async function hasGone(node: RunFile, timeoutMs: number, env: StopEnvironment): Promise<boolean> {
  for (let waitedMs = 0; waitedMs <= timeoutMs; waitedMs += pollMs) {
    if (!env.isAlive(node)) return true;
    await env.wait(pollMs);
  }
  return false;
}
