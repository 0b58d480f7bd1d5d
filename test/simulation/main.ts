import { parseArgs } from 'node:util';
import { simulateFailure } from './each-operation.ts';
import { simulateGroup } from './group-simulation.ts';
import { simulateLogs } from './log-simulation.ts';
import { type Canary, simulateNode } from './node-simulation.ts';
import { simulateTransactions } from './txn-simulation.ts';

/**
 * `npm run simulate -- --seeds 1000` runs seeds 1 to 1000 of a node, each once; `-- logs` or `-- groups` runs logs alone, or
 * groups alone (`-- mixed-groups` with members of both protocols), `-- transactions` a node with transactional producers; `-- operations` one life of a node for each operation
 * of its disk, which fails. `--seed K` only that one, or from there on with `--seeds`; `--twice` compares two runs of each;
 * `--print` shows every event at a port; `--canary NAME` breaks something of a node on purpose. Exit code 1 when a promise
 * was broken.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string' },
    twice: { type: 'boolean', default: false },
    print: { type: 'boolean', default: false },
    canary: { type: 'string' },
  },
});

interface Outcome {
  readonly failed?: string | undefined;
  readonly hash?: string;
  readonly virtualMs?: number;
}

interface Subject {
  readonly first: number;
  /** How many there are without `--seeds`. */
  readonly count: () => Promise<number>;
  readonly run: (seed: number) => Promise<Outcome>;
}

const canary: Canary = values.canary === undefined ? {} : { [values.canary]: true };
const print = values.print ? { print: (line: string) => console.log(line) } : {};

const subjects: Readonly<Record<string, Subject>> = {
  nodes: { first: 1, count: async () => 200, run: (seed) => simulateNode({ seed, canary, ...print }) },
  logs: { first: 1, count: async () => 1000, run: (seed) => simulateLogs({ seed, ...print }) },
  groups: { first: 1, count: async () => 1000, run: (seed) => simulateGroup({ seed }) },
  'mixed-groups': {
    first: 1,
    count: async () => 1000,
    run: (seed) => simulateGroup({ seed, isMixed: true }),
  },
  transactions: { first: 1, count: async () => 100, run: (seed) => simulateTransactions({ seed, ...print }) },
  operations: {
    first: 0,
    count: async () => (await simulateFailure(undefined)).operations,
    run: async (failing) => ({ failed: (await simulateFailure(failing)).failed }),
  },
};

const name = positionals[0] ?? 'nodes';
const subject = subjects[name];
if (subject === undefined) throw new Error(`${name} is none of ${Object.keys(subjects).join(', ')}`);
const first = Number(values.seed ?? subject.first);
const count =
  values.seeds !== undefined ? Number(values.seeds) : values.seed !== undefined ? 1 : await subject.count();

let broken = 0;
let virtualMs = 0;
const startedMs = performance.now();
for (let seed = first; seed < first + count; seed++) {
  try {
    const result = await subject.run(seed);
    virtualMs += result.virtualMs ?? 0;
    if (values.twice) compare(seed, result, await subject.run(seed));
    if (count === 1) console.log(result);
  } catch (error) {
    broken++;
    console.error(error instanceof Error ? error.message : error);
  }
}
const realMs = performance.now() - startedMs;
console.log(
  `${count} ${name} from ${first}: ${broken} broke a promise; ${(virtualMs / 1000).toFixed(0)} s of virtual time in ` +
    `${(realMs / 1000).toFixed(1)} s`,
);
process.exitCode = broken > 0 ? 1 : 0;

function compare(seed: number, once: Outcome, again: Outcome): void {
  if (again.hash === once.hash) return;
  throw new Error(`seed ${seed} gave two histories: ${once.hash} and ${again.hash}`);
}
