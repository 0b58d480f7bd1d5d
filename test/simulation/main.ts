import { parseArgs } from 'node:util';
import { type Canary, type NodeSimulationResult, simulateNode } from './node-simulation.ts';

/**
 * `npm run simulate -- --seeds 1000` runs seeds 1 to 1000, each once; `--seed K` only that one, or from there on with
 * `--seeds`; `--twice` compares two runs of each; `--print` shows every event at a port; `--canary NAME` breaks
 * something on purpose. Exit code 1 when a promise was broken.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string' },
    twice: { type: 'boolean', default: false },
    print: { type: 'boolean', default: false },
    canary: { type: 'string' },
  },
});

const first = Number(values.seed ?? 1);
const count = Number(values.seeds ?? (values.seed === undefined ? 200 : 1));
const canary: Canary = values.canary === undefined ? {} : { [values.canary]: true };
const print = values.print ? { print: (line: string) => console.log(line) } : {};

let broken = 0;
let virtualMs = 0;
const startedMs = performance.now();
for (let seed = first; seed < first + count; seed++) {
  try {
    const result = await simulateNode({ seed, canary, ...print });
    virtualMs += result.virtualMs;
    if (values.twice) compare(result, await simulateNode({ seed, canary }));
    if (count === 1) console.log(result);
  } catch (error) {
    broken++;
    console.error(error instanceof Error ? error.message : error);
  }
}
const realMs = performance.now() - startedMs;
console.log(
  `${count} seeds from ${first}: ${broken} broke a promise; ${(virtualMs / 1000).toFixed(0)} s of virtual time in ` +
    `${(realMs / 1000).toFixed(1)} s`,
);
process.exitCode = broken > 0 ? 1 : 0;

function compare(once: NodeSimulationResult, again: NodeSimulationResult): void {
  if (again.hash === once.hash) return;
  throw new Error(`seed ${once.seed} gave two histories: ${once.hash} and ${again.hash}`);
}
