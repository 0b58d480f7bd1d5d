import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runOk, sleep } from '../../test/interop/support/run.ts';
import type { TargetName } from '../../test/interop/support/target.ts';
import { makeTopics } from '../../test/interop/support/wire.ts';
import { cpuMsOf } from '../process-cost.ts';
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

/** What a producer of 1,000 small requests a second waits at p99: alone, beside a compaction, beside a cold reader. */
export function latency(name: TargetName, megabytes: number): Promise<Figures> {
  return withBroker(name, { ...CLEANER, 'log.segment.bytes': `${256 * MIB}` }, async (target) => {
    const { port } = target;
    await makeTopics(port, [{ name: PACED_TOPIC }, { name: 'old-0' }]);
    await fill(port, [{ name: 'old-0', ends: [0] }], 2 * megabytes * 1e6);
    const topic = await fillForCompaction(port, 'compacted', megabytes);
    await settleDisk();
    const producer = await PacedProducer.start(port, PACED_TOPIC);
    try {
      await sleep(WARMUP_MS);
      const p99While = async (work: Promise<unknown>): Promise<number> => {
        producer.clear();
        await work;
        return producer.p99();
      };
      const figures: Figures = { 'p99 alone, ms': await p99While(sleep(MEASURE_MS)) };
      await startCompaction(port, topic);
      figures['p99 beside a compaction, ms'] = await p99While(whenCompacted(target, topic));
      await settleDisk();
      await dropFromPageCache(join(target.dataDir, 'old-0-0'));
      let bytesRead = 0;
      const load = {
        kind: 'fetch',
        topic: 'old',
        valueBytes: MIB,
        inFlight: 1,
        connections: 1,
        warmupMs: 0,
        measureMs: MEASURE_MS,
      } as const;
      const reading = runLoad(target, load).then((row) => {
        bytesRead = (row.bytes * 1000) / row.elapsedMs;
      });
      figures['p99 beside a reader of old data, ms'] = await p99While(reading);
      figures['that reader got, MB/s'] = bytesRead / 1e6;
      figures['p99 alone again, ms'] = await p99While(sleep(MEASURE_MS));
      return figures;
    } finally {
      producer.stop();
    }
  });
}

/** Reading again and again what was just written, and the same after a restart, when the broker knows nothing of the page cache. */
export function catchUp(name: TargetName, megabytes: number): Promise<Figures> {
  return withBroker(name, {}, async (target) => {
    await makeTopics(target.port, [{ name: 'old-0' }]);
    await fill(target.port, [{ name: 'old-0', ends: [0] }], megabytes * 1e6);
    await settleDisk();
    const load = {
      kind: 'fetch',
      topic: 'old',
      valueBytes: MIB,
      inFlight: 1,
      connections: 1,
      warmupMs: WARMUP_MS,
      measureMs: MEASURE_MS,
    } as const;
    const row = await runLoad(target, load);
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
