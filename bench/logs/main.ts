import { cpus, loadavg } from 'node:os';
import { apacheMissing, KAFKA_VERSION } from '../../test/interop/support/apache.ts';
import type { TargetName } from '../../test/interop/support/target.ts';
import { catchUp, compaction, latency } from './latency.ts';
import { recovery } from './recovery.ts';
import { type Figures, median, rows } from './report.ts';
import { creation, memory } from './topics.ts';

/**
 * What logs cost, on both brokers in turn: starts with many partitions, topics with many, memory, compaction, and what producers
 * feel of it. Every run checks what it measured: offsets after a start, what lives after a compaction. Prints a Markdown table.
 */

const option = (name: string, otherwise: string): string => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : (process.argv[at + 1] ?? otherwise);
};
const rounds = Number(option('rounds', '1'));
const partitions = Number(option('partitions', '1000'));
const megabytes = Number(option('megabytes', '2000'));
const only = option('only', '');
const wanted = option('run', '').split(',').filter(Boolean);

const count = (value: number): string => value.toLocaleString('en-GB');
const runs: Readonly<Record<string, { title: string; run: (name: TargetName) => Promise<Figures> }>> = {
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
  latency: { title: '1,000 produce requests a second', run: (name) => latency(name, megabytes / 2) },
  'catch-up': {
    title: `reading ${count(megabytes / 4)} MB in the page cache`,
    run: (name) => catchUp(name, megabytes / 4),
  },
};

const unknown = wanted.filter((name) => !(name in runs));
if (unknown.length > 0) {
  console.error(`no run is called ${unknown.join(', ')}; there are ${Object.keys(runs).join(', ')}`);
  process.exit(2);
}
const missing = await apacheMissing();
if (missing) process.stderr.write(`Apache Kafka is left out: ${missing}\n`);
const names: readonly TargetName[] = (['odradek', 'apache'] as const).filter(
  (name) => (only === '' || only === name) && (name === 'odradek' || !missing),
);

async function measured(title: string, run: (name: TargetName) => Promise<Figures>): Promise<string[]> {
  const figures: Record<TargetName, Figures[]> = { odradek: [], apache: [] };
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      process.stderr.write(`${name}: ${title}\n`);
      const one = await run(name);
      process.stderr.write(`${JSON.stringify(one)}\n`);
      figures[name].push(one);
    }
  }
  return rows(title, median(figures.odradek), median(figures.apache));
}

console.log(
  `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim()}, load average before ` +
    `${(loadavg()[0] ?? 0).toFixed(1)}; medians of ${rounds} rounds in turn\n`,
);
console.log(`| with | figure | odradek | Apache Kafka ${KAFKA_VERSION} | ratio |\n|---|---|--:|--:|--:|`);
for (const [name, { title, run }] of Object.entries(runs)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  for (const row of await measured(title, run)) console.log(row);
}
