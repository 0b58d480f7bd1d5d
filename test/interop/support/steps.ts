import type { Observations } from './compare.ts';
import { run } from './run.ts';

/** Runs a program that prints one JSON object `{step, value}` a line, and gives the values by step. */
export async function runSteps(program: string, args: readonly string[]): Promise<Observations> {
  const result = await run(program, args, { timeoutMs: 600_000 });
  const seen: Observations = {};
  for (const line of result.stdout.split('\n').filter((one) => one.startsWith('{"step"'))) {
    const { step, value } = JSON.parse(line) as { step: string; value: unknown };
    seen[step] = value;
  }
  if (result.code === 0) return seen;
  throw new Error(`it failed after ${Object.keys(seen).at(-1)}: ${result.stderr.slice(-3000)}`);
}
