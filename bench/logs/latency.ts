import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runOk, sleep } from '../../test/interop/support/run.ts';
import type { TargetName } from '../../test/interop/support/target.ts';
import { makeTopics } from '../../test/interop/support/wire.ts';
import { cpuMsOf, machineTime } from '../process-cost.ts';
import { runLoad } from '../run-load.ts';
import { settleDisk, withBroker } from './brokers.ts';
import { checkCompacted, fillForCompaction, startCompaction, whenCompacted } from './compacted-topic.ts';
import { fill } from './fill.ts';
import { PacedProducer } from './paced-producer.ts';
import type { Figures } from './report.ts';

const PACED_TOPIC = 'paced';
const WARMUP_MS = 8000;
const MEASURE_MS = 10_000;
const MIB = 1024 * 1024;
/** A reader of a day of old data is at it for long. */
const READER_WARMUP_MS = 5000;
/** Where the hypervisor took more of the machine, a phase is not counted. */
const STOLEN_MAX = 0.05;
/** What both a compaction and a reader of old data may do to producers. */
const TIMES_ALONE_MAX = 2;
const WITHOUT_BROKER = 'beside a process that reads the same files';
const OLD_DATA = {
  kind: 'fetch',
  topic: 'old',
  valueBytes: MIB,
  inFlight: 1,
  connections: 1,
  warmupMs: WARMUP_MS,
  measureMs: MEASURE_MS,
} as const;
/** Both look for something to compact so often; it is part of the time until a topic is compacted. */
const CLEANER = { 'log.cleaner.backoff.ms': '200' };

/** Time and CPU of compacting a topic of which a tenth lives, with nothing else to do. */
export function compaction(name: TargetName, megabytes: number): Promise<Figures> {
  return withBroker(name, CLEANER, async (target) => {
    const topic = await fillForCompaction(target.port, 'compacted', megabytes);
    await settleDisk();
    const cpuMs = cpuMsOf(target.process.pid ?? 0);
    const fromMs = performance.now();
    await startCompaction(target.port, topic);
    const cleanedEnd = await whenCompacted(target, topic);
    const figures = {
      'time, s': (performance.now() - fromMs) / 1000,
      'CPU, s': (cpuMsOf(target.process.pid ?? 0) - cpuMs) / 1000,
    };
    await checkCompacted(target.port, topic, cleanedEnd);
    return figures;
  });
}

/**
 * What a producer of 1,000 small requests a second waits at p99: alone, beside compactions, beside a reader of old data; and
 * how many times as long as alone. The first compaction brings the broker's code for it to its speed; the reader is warm
 * before it counts. As a control, a process that has nothing to do with the broker reads the same files at the reader's rate.
 */
export function latency(name: TargetName, megabytes: number): Promise<Figures> {
  return withBroker(name, { ...CLEANER, 'log.segment.bytes': `${256 * MIB}` }, async (target) => {
    const { port } = target;
    const oldDir = join(target.dataDir, 'old-0-0');
    await makeTopics(port, [{ name: PACED_TOPIC }, { name: 'old-0' }]);
    await fill(port, [{ name: 'old-0', ends: [0] }], 3 * megabytes * 1e6);
    const first = await fillForCompaction(port, 'compacted-first', megabytes / 2);
    const second = await fillForCompaction(port, 'compacted', megabytes);
    await settleDisk();
    const producer = await PacedProducer.start(port, PACED_TOPIC);
    try {
      await sleep(WARMUP_MS);
      const phases = new Phases(producer);
      await phases.run('alone', () => sleep(MEASURE_MS));
      await phases.run('beside the first compaction', async () => {
        await startCompaction(port, first);
        await whenCompacted(target, first);
      });
      await phases.run('beside a compaction', async () => {
        await startCompaction(port, second);
        await whenCompacted(target, second);
      });
      await settleDisk();
      await dropFromPageCache(oldDir);
      let bytesPerSecond = 0;
      await phases.run('beside a reader of old data', async (begin) => {
        // A fast one has come to the end by then, and would go on with what is in memory.
        const beginAnew = (): void => void dropFromPageCache(oldDir).then(begin);
        const row = await runLoad(target, { ...OLD_DATA, warmupMs: READER_WARMUP_MS }, beginAnew);
        bytesPerSecond = (row.bytes * 1000) / row.elapsedMs;
      });
      await settleDisk();
      await dropFromPageCache(oldDir);
      await phases.run(WITHOUT_BROKER, () => readFiles(oldDir, bytesPerSecond));
      await phases.run('alone again', () => sleep(MEASURE_MS));
      return { ...phases.figures(), 'that reader got, MB/s': bytesPerSecond / 1e6 };
    } finally {
      producer.stop();
    }
  });
}

/** Measures one thing after the other, and says how much of the machine was there meanwhile. */
class Phases {
  readonly #producer: PacedProducer;
  readonly #p99: Figures = {};
  #stolenMax = 0;

  constructor(producer: PacedProducer) {
    this.#producer = producer;
  }

  /** `work` may call `begin` where it counts only from then on. */
  async run(title: string, work: (begin: () => void) => Promise<unknown>): Promise<void> {
    let from = machineTime();
    const begin = (): void => {
      this.#producer.clear();
      from = machineTime();
    };
    begin();
    await work(begin);
    const p99 = this.#producer.p99();
    const to = machineTime();
    const stolen = (to.stolen - from.stolen) / (to.total - from.total);
    process.stderr.write(`  ${title}: p99 ${p99.toFixed(2)} ms, steal ${(stolen * 100).toFixed(1)} %\n`);
    this.#stolenMax = Math.max(this.#stolenMax, Number.isNaN(stolen) ? 0 : stolen);
    // What other machines on the same hardware have done is no figure of a broker.
    this.#p99[title] = stolen > STOLEN_MAX ? Number.NaN : p99;
  }

  figures(): Figures {
    const figures: Figures = {};
    for (const [title, p99] of Object.entries(this.#p99)) figures[`p99 ${title}, ms`] = p99;
    const alone = this.#p99['alone'] ?? Number.NaN;
    for (const [title, p99] of Object.entries(this.#p99)) {
      if (!title.startsWith('alone')) figures[`${title}, times alone`] = p99 / alone;
    }
    figures['steal at most, %'] = this.#stolenMax * 100;
    return figures;
  }
}

/** One line for each broker: what is asked of it, and what the machine does by itself. */
export function latencyVerdict(broker: string, figures: Figures): string {
  const times = (title: string): string => {
    const value = figures[`${title}, times alone`] ?? Number.NaN;
    return `${value.toFixed(1)}× ${title}${value <= TIMES_ALONE_MAX ? '' : ` (not ≤ ${TIMES_ALONE_MAX})`}`;
  };
  const asked = ['beside a compaction', 'beside a reader of old data'].map(times).join(', ');
  const machine = figures[`${WITHOUT_BROKER}, times alone`] ?? Number.NaN;
  return `${broker}: a producer's p99 is ${asked}; ${machine.toFixed(1)}× where a process reads the same without a broker`;
}

function readFiles(dir: string, bytesPerSecond: number): Promise<string> {
  const program = process.env['ODRADEK_READ_FILES'] ?? '';
  return runOk(process.execPath, [program, dir, `${bytesPerSecond}`, `${MEASURE_MS}`]);
}

/** Reading again and again what was just written, and the same after a restart, when the broker knows nothing of the page cache. */
export function catchUp(name: TargetName, megabytes: number): Promise<Figures> {
  return withBroker(name, {}, async (target) => {
    await makeTopics(target.port, [{ name: 'old-0' }]);
    await fill(target.port, [{ name: 'old-0', ends: [0] }], megabytes * 1e6);
    await settleDisk();
    const row = await runLoad(target, OLD_DATA);
    return {
      'GB/s': row.bytes / row.elapsedMs / 1e6,
      'CPU, s/GB': row.cpuMs / 1000 / (row.bytes / 1e9),
    };
  });
}

/** Needs no privilege: dd tells the kernel that the files' pages are not needed any more. */
async function dropFromPageCache(dir: string): Promise<void> {
  for (const file of readdirSync(dir)) {
    if (!file.endsWith('.log')) continue;
    await runOk('dd', [`of=${join(dir, file)}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0']);
  }
}
