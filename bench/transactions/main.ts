import { startTarget, type Target, type TargetName } from '../../test/interop/support/target.ts';
import { chosenRuns, measuredBrokers, option, printHead } from '../command.ts';
import { type Figures, median, rows } from '../logs/report.ts';
import { bare, produced, reading, transactions } from './runs.ts';

/**
 * What exactly-once costs, on both brokers in turn: transactions of one record at 1, 16 and 64 transactional ids,
 * idempotent producers beside plain ones, readers of committed records beside those of all where nothing is open; and what
 * a Node process reaches that writes to files and answers, and is no broker. Every run of a broker checks what it
 * measured. Prints a Markdown table of medians.
 */

const rounds = Number(option('rounds', '3'));
const length = {
  warmupMs: Number(option('warmup', '5')) * 1000,
  measureMs: Number(option('seconds', '5')) * 1000,
};

const PORTS: Readonly<Record<TargetName, number>> = { odradek: 27910, apache: 27920 };
const IDS = [1, 16, 64];
const LEVELS = ['read_uncommitted', 'read_committed'];
const VALUE_BYTES = [64, 1024];

const named = (ids: number): string => `${ids} ${ids === 1 ? 'id' : 'ids'}`;

type Take = (title: string, figures: Figures) => void;

async function idempotence(target: Target, take: Take): Promise<void> {
  for (const valueBytes of VALUE_BYTES) {
    for (const isIdempotent of [false, true]) {
      const { figures } = await produced(target, isIdempotent, valueBytes, length);
      take(
        `${isIdempotent ? 'idempotent' : 'plain'} produce, 16 records of ${valueBytes} B a batch`,
        figures,
      );
    }
  }
}

/** Batches of idempotent producers with nothing open behind them. */
async function isolation(target: Target, take: Take): Promise<void> {
  const { topic } = await produced(target, true, 1024, { warmupMs: 0, measureMs: 1000 });
  for (const [level, title] of LEVELS.entries())
    take(`consume, ${title}`, await reading(target, topic, level, length));
}

const runs: Readonly<Record<string, (target: Target, take: Take) => Promise<void>>> = {
  transactions: async (target, take) => {
    for (const ids of IDS) take(`transactions, ${named(ids)}`, await transactions(target, ids, length));
  },
  bare: async (target, take) => {
    if (target.name !== 'odradek') return;
    for (const ids of IDS) take(`no broker, ${named(ids)}`, await bare(target, ids, length));
  },
  idempotence,
  isolation,
};

const chosen = chosenRuns(Object.keys(runs));
const brokers = await measuredBrokers();

const figures = new Map<string, Record<TargetName, Figures[]>>();
const targets: Target[] = [];
try {
  for (const name of brokers) targets.push(await startTarget(name, { port: PORTS[name], forBench: true }));
  for (const [name, run] of Object.entries(runs)) {
    if (!chosen.has(name)) continue;
    for (let round = 0; round < rounds; round++) {
      for (const target of targets) {
        process.stderr.write(`${target.name}: ${name}\n`);
        await run(target, (title, one) => {
          process.stderr.write(`${title}: ${JSON.stringify(one)}\n`);
          const both = figures.get(title) ?? { odradek: [], apache: [] };
          figures.set(title, both);
          both[target.name].push(one);
        });
      }
    }
  }
} finally {
  for (const target of targets) await target.stop();
}

printHead('after', rounds);
for (const [title, both] of figures) {
  for (const row of rows(title, median(both.odradek), median(both.apache))) console.log(row);
}
