import type { TargetName } from '../../test/interop/support/target.ts';
import { chosenRuns, measuredBrokers, option, printHead } from '../command.ts';
import { catchUp, compaction, latency, latencyVerdict } from './latency.ts';
import { recovery } from './recovery.ts';
import { type Figures, median, rows } from './report.ts';
import { creation, memory } from './topics.ts';

/**
 * What logs cost, on both brokers in turn: starts with many partitions, topics with many, memory, compaction, and what producers
 * feel of it. Every run checks what it measured: offsets after a start, what lives after a compaction. Prints a Markdown table.
 */

const rounds = Number(option('rounds', '1'));
const partitions = Number(option('partitions', '1000'));
const megabytes = Number(option('megabytes', '2000'));

const count = (value: number): string => value.toLocaleString('en-GB');
interface Run {
  readonly title: string;
  readonly run: (name: TargetName) => Promise<Figures>;
  /** What is said of a broker's figures behind the table. */
  readonly verdict?: (broker: string, figures: Figures) => string;
}
const runs: Readonly<Record<string, Run>> = {
  recovery: {
    title: `${count(megabytes)} MB in ${count(partitions)} partitions`,
    run: (name) => recovery(name, partitions, megabytes),
  },
  creation: {
    title: `a topic of ${count(partitions)} partitions`,
    run: (name) => creation(name, partitions),
  },
  memory: { title: `${count(partitions)} partitions`, run: (name) => memory(name, partitions) },
  'more-memory': {
    title: `${count(10 * partitions)} partitions`,
    run: (name) => memory(name, 10 * partitions),
  },
  compaction: {
    title: `compaction of ${count(megabytes / 2)} MB, a tenth of it live`,
    run: (name) => compaction(name, megabytes / 2),
  },
  latency: {
    title: '1,000 produce requests a second',
    run: (name) => latency(name, megabytes / 2),
    verdict: latencyVerdict,
  },
  'catch-up': {
    title: `reading ${count(megabytes / 4)} MB in the page cache`,
    run: (name) => catchUp(name, megabytes / 4),
  },
};

const chosen = chosenRuns(Object.keys(runs));
const names = await measuredBrokers();

const verdicts: string[] = [];

async function measured({ title, run, verdict }: Run): Promise<string[]> {
  const figures: Record<TargetName, Figures[]> = { odradek: [], apache: [] };
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      process.stderr.write(`${name}: ${title}\n`);
      const one = await run(name);
      process.stderr.write(`${JSON.stringify(one)}\n`);
      figures[name].push(one);
    }
  }
  if (verdict !== undefined) for (const name of names) verdicts.push(verdict(name, median(figures[name])));
  return rows(title, median(figures.odradek), median(figures.apache));
}

printHead('before', rounds);
for (const [name, run] of Object.entries(runs)) {
  if (!chosen.has(name)) continue;
  for (const row of await measured(run)) console.log(row);
}
if (verdicts.length > 0) console.log(`\n${verdicts.join('\n')}`);
