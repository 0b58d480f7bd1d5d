import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { repository } from '../test/interop/support/apache.ts';
import { cpuMsOf } from './process-cost.ts';

/** A program of `bench` in a process of its own, which prints its port when it serves and ends with `use`. */
export async function withNodeServer<T>(
  program: string,
  args: readonly number[],
  use: (port: number, cpuMs: () => number) => Promise<T>,
): Promise<T> {
  const path = join(repository(), 'bench', program);
  const server = spawn(process.execPath, [path, ...args.map(String)], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    const port = await new Promise<number>((resolve, reject) => {
      server.stdout.once('data', (line: Buffer) => resolve(Number(line)));
      server.once('exit', (code) => reject(new Error(`${program} ended with ${code} before it served`)));
    });
    return await use(port, () => cpuMsOf(server.pid ?? 0));
  } finally {
    server.kill();
  }
}
