import { sleep } from '../../test/interop/support/run.ts';
import type { Target, TargetName } from '../../test/interop/support/target.ts';
import { createTopics, createTopicsAnswer, RawConnection } from '../../test/interop/support/wire.ts';
import { residentMiBOf } from '../process-cost.ts';
import { boot, start, type TopicEnds, whenLed, withBroker, withDataDir } from './brokers.ts';
import { batchOf, produceAll } from './fill.ts';
import { type Figures, median } from './report.ts';

const CREATED = 5;
/** What a start or a burst leaves to be collected is gone by then. */
const IDLE_MS = 5000;
const PARTITIONS_OF_A_TOPIC = 1000;

/** How long one topic of many partitions takes until all of them are led. The first one warms up. */
export function creation(name: TargetName, partitions: number): Promise<Figures> {
  return withBroker(name, {}, async ({ port }) => {
    const rounds: Figures[] = [];
    for (let round = 0; round <= CREATED; round++) {
      const topic = { name: `many-${round}`, ends: new Array<number>(partitions).fill(0) };
      const fromMs = performance.now();
      await create(port, topic);
      await whenLed(port, [topic]);
      if (round > 0) rounds.push({ 'created and led, s': (performance.now() - fromMs) / 1000 });
    }
    return median(rounds);
  });
}

/** Resident memory with many partitions: empty, with a batch each, and after a start that finds them. */
export function memory(name: TargetName, partitions: number): Promise<Figures> {
  const topicsOf = (end: number): TopicEnds[] =>
    Array.from({ length: Math.ceil(partitions / PARTITIONS_OF_A_TOPIC) }, (_, at) => ({
      name: `many-${at}`,
      ends: new Array<number>(Math.min(PARTITIONS_OF_A_TOPIC, partitions)).fill(end),
    }));
  return withDataDir(async (dataDir) => {
    let target = await start(name, dataDir);
    try {
      const figures: Figures = { 'RSS with no partition, MiB': await idle(target) };
      for (const topic of topicsOf(0)) await create(target.port, topic);
      await whenLed(target.port, topicsOf(0));
      figures['RSS with all empty, MiB'] = await idle(target);
      const batch = batchOf(1, 1024);
      await produceAll(target.port, function* () {
        for (const { name: topic, ends } of topicsOf(0)) {
          for (const partition of ends.keys()) yield { topic, partition, batch };
        }
      });
      figures['RSS with 1 KiB in each, MiB'] = await idle(target);
      await target.stop('SIGTERM');
      target = (await boot(name, dataDir, topicsOf(1))).target;
      figures['RSS after a restart, MiB'] = await idle(target);
      return figures;
    } finally {
      await target.stop('SIGKILL');
    }
  });
}

async function idle(target: Target): Promise<number> {
  await sleep(IDLE_MS);
  return residentMiBOf(target.process.pid ?? 0);
}

async function create(port: number, { name, ends }: TopicEnds): Promise<void> {
  const connection = await RawConnection.open(port);
  try {
    const request = createTopics([{ name, partitions: ends.length }]);
    const made = createTopicsAnswer(await connection.ask(request, 60_000));
    if (made.length !== 1 || made[0]?.errorCode !== 0)
      throw new Error(`${name} was not made: ${JSON.stringify(made)}`);
  } finally {
    connection.close();
  }
}
