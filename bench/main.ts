import { cpus, loadavg } from 'node:os';
import { apacheMissing, KAFKA_VERSION } from '../test/interop/support/apache.ts';
import { startTarget, type TargetName } from '../test/interop/support/target.ts';
import { listOffsets, listOffsetsAnswer, makeTopics, RawConnection } from '../test/interop/support/wire.ts';
import { option } from './command.ts';
import type { Scenario } from './load.ts';
import { type Row, runLoad } from './run-load.ts';

/**
 * Runs every scenario against both brokers in turn, several rounds, and prints a Markdown table of medians. Only the ratios mean
 * something, and only after a long warm-up: a JVM that has just started serves small requests at a fifth of its later rate.
 */

const PORT = 19696;

const measureMs = Number(option('seconds', '5')) * 1000;
const warmupMs = Number(option('warmup', '10')) * 1000;
const rounds = Number(option('rounds', '3'));
const only = option('only', '');

const KIB = 1024;
const scenario = (
  title: string,
  kind: Scenario['kind'],
  topic: string,
  valueBytes: number,
  inFlight: number,
  connections = 1,
) => ({
  title,
  load: { kind, topic, valueBytes, inFlight, connections, warmupMs, measureMs },
});
const scenarios: readonly { readonly title: string; readonly load: Scenario }[] = [
  scenario('produce 1 KiB, 100 in flight', 'produce', 'small', KIB, 100),
  // Apache Kafka serves a connection one request at a time, so one connection alone would flatter us.
  scenario('produce 1 KiB, 8 connections × 12 in flight', 'produce', 'many', KIB, 12, 8),
  scenario('produce 16 KiB, 20 in flight', 'produce', 'medium', 16 * KIB, 20),
  scenario('produce 1 MiB, 4 in flight', 'produce', 'large', KIB * KIB, 4),
  scenario('fetch what the 16 KiB run wrote, 1 MiB each', 'fetch', 'medium', KIB * KIB, 1),
];

/** What was acknowledged is in the log: the topics end where the number of answers says. */
async function checkStored(load: Scenario, row: Row): Promise<void> {
  const connection = await RawConnection.open(PORT);
  for (const [i, acknowledged] of row.acknowledged.entries()) {
    const topic = `${load.topic}-${i}`;
    const [answer] = listOffsetsAnswer(await connection.ask(listOffsets(topic, -1)));
    const end = Number(answer?.partitions[0]?.offset);
    if (end !== acknowledged)
      throw new Error(`${topic} ends at ${end}, but ${acknowledged} records were acknowledged`);
  }
  connection.close();
}

async function measure(name: TargetName): Promise<Map<string, Row>> {
  const rows = new Map<string, Row>();
  const target = await startTarget(name, {
    port: PORT,
    forBench: true,
    properties: { 'message.max.bytes': '2097152' },
  });
  try {
    const names = scenarios
      .filter(({ load }) => load.kind === 'produce')
      .flatMap(({ load }) => Array.from({ length: load.connections }, (_, i) => `${load.topic}-${i}`));
    await makeTopics(
      PORT,
      names.map((name) => ({ name })),
    );
    for (const { title, load } of scenarios) {
      process.stderr.write(`${name}: ${title}\n`);
      const row = await runLoad(target, load);
      if (load.kind === 'produce') await checkStored(load, row);
      rows.set(title, row);
    }
  } finally {
    await target.stop();
  }
  return rows;
}

const number = (value: number, digits = 0): string =>
  Number.isFinite(value)
    ? value.toLocaleString('en-GB', { maximumFractionDigits: digits, minimumFractionDigits: digits })
    : '–';

const perSecond = (row: Row): number => (row.requests * 1000) / row.elapsedMs;
const cpuMicros = (row: Row): number => (row.cpuMs * 1000) / row.requests;

/** The round with the median rate. */
function median(rows: readonly Row[]): Row | undefined {
  return [...rows].sort((a, b) => perSecond(a) - perSecond(b))[rows.length >> 1];
}

const spread = (rows: readonly Row[]): string => {
  const rates = rows.map(perSecond);
  return `${number(Math.min(...rates))}–${number(Math.max(...rates))}`;
};

type Rounds = readonly ReadonlyMap<string, Row>[];

function table(ours: Rounds, theirs: Rounds): string {
  const lines = [
    '| scenario | broker | requests/s (median) | lowest–highest | MB/s | p50 ms | p99 ms | CPU µs/request | RSS MiB |',
    '|---|---|--:|--:|--:|--:|--:|--:|--:|',
  ];
  for (const { title } of scenarios) {
    const of = (all: Rounds): Row[] => all.flatMap((round) => round.get(title) ?? []);
    const [a, b] = [median(of(ours)), median(of(theirs))];
    const cells = (name: string, row: Row, all: readonly Row[]): string =>
      `| ${[
        title,
        name,
        number(perSecond(row)),
        spread(all),
        number(row.bytes / row.elapsedMs / 1000, 1),
        number(row.p50Ms, 2),
        number(row.p99Ms, 2),
        number(cpuMicros(row), 1),
        number(row.residentMiB),
      ].join(' | ')} |`;
    if (a) lines.push(cells('odradek', a, of(ours)));
    if (b) lines.push(cells(`Apache Kafka ${KAFKA_VERSION}`, b, of(theirs)));
    if (!a || !b) continue;
    const ratio = (value: (row: Row) => number): string => `**${number(value(a) / value(b), 2)}×**`;
    const ratios = [
      perSecond,
      (r: Row) => r.bytes / r.elapsedMs,
      (r: Row) => r.p50Ms,
      (r: Row) => r.p99Ms,
      cpuMicros,
    ];
    const [rate, ...others] = [...ratios, (r: Row) => r.residentMiB].map(ratio);
    lines.push(`| ${[title, 'ratio', rate, '', ...others].join(' | ')} |`);
  }
  return lines.join('\n');
}

const missing = await apacheMissing();
if (missing) process.stderr.write(`Apache Kafka is left out: ${missing}\n`);
const [ours, theirs]: [Map<string, Row>[], Map<string, Row>[]] = [[], []];
const loadBefore = loadavg()[0] ?? 0;
for (let round = 0; round < rounds; round++) {
  if (only !== 'apache') ours.push(await measure('odradek'));
  if (only !== 'odradek' && !missing) theirs.push(await measure('apache'));
}
console.log(
  `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim()}, load average before ${loadBefore.toFixed(1)}; ` +
    `${rounds} rounds in turn, ${warmupMs / 1000} s warm-up and ${measureMs / 1000} s measured each\n`,
);
console.log(table(ours, theirs));
