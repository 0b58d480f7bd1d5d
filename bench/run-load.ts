import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Target } from '../test/interop/support/target.ts';
import type { Measured, Scenario } from './load.ts';
import { cpuMsOf, residentMiBOf } from './process-cost.ts';

export interface Row extends Measured {
  readonly cpuMs: number;
  readonly residentMiB: number;
}

/** Runs the load generator against a broker, whose CPU time counts from the end of the warm-up; `onWarm` is called then. */
export function runLoad(target: Target, scenario: Scenario, onWarm?: () => void): Promise<Row> {
  const pid = target.process.pid ?? 0;
  return new Promise((resolve, reject) => {
    const program = process.env['ODRADEK_LOAD'] ?? '';
    const load = spawn(process.execPath, [program, String(target.port), JSON.stringify(scenario)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let [before, row]: [number, Row | undefined] = [Number.NaN, undefined];
    createInterface({ input: load.stdout }).on('line', (line) => {
      const said = JSON.parse(line) as Measured | 'warm';
      if (said === 'warm') {
        before = cpuMsOf(pid);
        onWarm?.();
      } else row = { ...said, cpuMs: cpuMsOf(pid) - before, residentMiB: residentMiBOf(pid) };
    });
    load.once('error', reject);
    load.once('close', () => (row ? resolve(row) : reject(new Error(`no result for ${scenario.topic}`))));
  });
}
