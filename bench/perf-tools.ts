import { apacheClassPath, KAFKA_VERSION, LOGGING } from '../test/interop/support/apache.ts';
import { runOk } from '../test/interop/support/run.ts';
import { startTarget, type Target, type TargetName } from '../test/interop/support/target.ts';
import { listOffsets, listOffsetsAnswer, makeTopics, RawConnection } from '../test/interop/support/wire.ts';
import { option } from './command.ts';
import { cpuMsOf } from './process-cost.ts';

/**
 * Apache Kafka's own kafka-producer-perf-test and kafka-consumer-perf-test against both brokers in turn, with their defaults
 * but for the sizes: MB/s as the tools say it, and the broker's CPU for it. Prints a Markdown table of medians.
 */

const rounds = Number(option('rounds', '3'));
const megabytes = Number(option('megabytes', '600'));
const RECORD_BYTES = [100, 1024, 10_240];
const PORTS: Readonly<Record<TargetName, number>> = { odradek: 19702, apache: 19704 };

interface Cost {
  readonly mbPerSecond: number;
  readonly cpuMsPerGb: number;
}

const classPath = await apacheClassPath();

const tool = (name: string, args: readonly string[]): Promise<string> =>
  runOk(
    'java',
    [
      '-Xmx512M',
      `-Dlog4j2.configurationFile=${LOGGING}`,
      '-cp',
      classPath,
      `org.apache.kafka.tools.${name}`,
      ...args,
    ],
    { timeoutMs: 600_000 },
  );

async function measured(target: Target, bytes: number, run: () => Promise<number>): Promise<Cost> {
  const pid = target.process.pid ?? 0;
  const before = cpuMsOf(pid);
  const mbPerSecond = await run();
  return { mbPerSecond, cpuMsPerGb: (cpuMsOf(pid) - before) / (bytes / 1e9) };
}

async function produce(target: Target, topic: string, recordBytes: number, count: number): Promise<number> {
  const printed = await tool('ProducerPerformance', [
    ...[
      '--topic',
      topic,
      '--num-records',
      `${count}`,
      '--record-size',
      `${recordBytes}`,
      '--throughput',
      '-1',
    ],
    ...['--bootstrap-server', target.bootstrap],
  ]);
  const rates = [...printed.matchAll(/^(\d+) records sent, .*?\(([\d.]+) MB\/sec\)/gm)];
  const [, sent, rate] = rates[rates.length - 1] ?? [];
  if (Number(sent) !== count)
    throw new Error(`${target.name}: ${count} records were to be sent:\n${printed}`);
  return Number(rate);
}

async function consume(target: Target, topic: string, count: number): Promise<number> {
  const printed = await tool('ConsumerPerformance', [
    ...['--bootstrap-server', target.bootstrap, '--topic', topic, '--group', `perf-${topic}`],
    ...['--num-records', `${count}`, '--timeout', '60000'],
  ]);
  const columns = printed.trim().split('\n').at(-1)?.split(', ') ?? [];
  if (Number(columns[4]) !== count)
    throw new Error(`${target.name}: ${count} records were to be read:\n${printed}`);
  // The share of the time that went into joining the group is not the broker's rate.
  return Number(columns[8]);
}

async function endOffset(target: Target, topic: string): Promise<number> {
  const connection = await RawConnection.open(target.port);
  const [answer] = listOffsetsAnswer(await connection.ask(listOffsets(topic, -1)));
  connection.close();
  return Number(answer?.partitions[0]?.offset);
}

async function round(
  number: number,
  targets: readonly Target[],
  note: (row: string, name: TargetName, cost: Cost) => void,
) {
  for (const recordBytes of RECORD_BYTES) {
    const count = Math.floor((megabytes * 1e6) / recordBytes);
    const bytes = count * recordBytes;
    for (const target of targets) {
      const topic = `perf-${recordBytes}-${number}`;
      process.stderr.write(`${target.name}: ${recordBytes} B\n`);
      await makeTopics(target.port, [{ name: topic }]);
      const produced = await measured(target, bytes, () => produce(target, topic, recordBytes, count));
      const end = await endOffset(target, topic);
      if (end !== count)
        throw new Error(`${target.name}: ${topic} ends at ${end}, sent were ${count} records`);
      note(`produce ${recordBytes} B`, target.name, produced);
      const consumed = await measured(target, bytes, () => consume(target, topic, count));
      note(`consume ${recordBytes} B`, target.name, consumed);
    }
  }
}

const costs = new Map<string, Record<TargetName, Cost[]>>();
const targets: Target[] = [];
try {
  for (const name of ['odradek', 'apache'] as const) {
    targets.push(await startTarget(name, { port: PORTS[name], forBench: true }));
  }
  // The first round warms both up.
  for (let i = 0; i <= rounds; i++) {
    await round(i, targets, (row, name, cost) => {
      if (i === 0) return;
      const both = costs.get(row) ?? { odradek: [], apache: [] };
      both[name].push(cost);
      costs.set(row, both);
    });
  }
} finally {
  for (const target of targets) await target.stop();
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
console.log(
  `Apache Kafka ${KAFKA_VERSION}'s performance tools, ${rounds} rounds in turn after one to warm up, ${megabytes} MB each\n`,
);
console.log('| run | odradek MB/s | Apache MB/s | ratio | odradek CPU s/GB | Apache CPU s/GB | ratio |');
console.log('|---|--:|--:|--:|--:|--:|--:|');
for (const [row, { odradek, apache }] of [...costs].sort(
  ([a], [b]) => Number(b.startsWith('p')) - Number(a.startsWith('p')),
)) {
  const [a, b] = [median(odradek.map((c) => c.mbPerSecond)), median(apache.map((c) => c.mbPerSecond))];
  const [c, d] = [median(odradek.map((x) => x.cpuMsPerGb)), median(apache.map((x) => x.cpuMsPerGb))];
  const cells = [row, a.toFixed(0), b.toFixed(0), `**${(a / b).toFixed(2)}×**`];
  console.log(
    `| ${[...cells, (c / 1000).toFixed(2), (d / 1000).toFixed(2), `**${(c / d).toFixed(2)}×**`].join(' | ')} |`,
  );
}
