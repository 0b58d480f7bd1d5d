import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { apacheMissing, OLD_KAFKA_VERSION, startApache } from './support/apache.ts';
import { batch } from './support/batch.ts';
import { startTarget, type Target, wantedTargets } from './support/target.ts';
import { createTopics, produce, produceAnswer, RawConnection } from './support/wire.ts';
import { readBatches } from './support/workload.ts';

/** A data folder goes from one broker to the other and back, with the producers it knows. */

const PORT = 19790;
const TOPIC = 'swapped';
const OUT_OF_ORDER = 45;
/** The leader is not there yet. */
const PASSING: readonly number[] = [3, 6];
const producer = { producerId: 4711, producerEpoch: 2 };
const value = 'x'.repeat(60_000);

type Broker = 'odradek' | 'apache' | 'old apache';

let running: Pick<Target, 'stop'> | undefined;

async function start(broker: Broker, dataDir: string): Promise<void> {
  running = await begin(broker, dataDir);
}

async function stop(signal?: NodeJS.Signals): Promise<void> {
  const target = running;
  running = undefined;
  await target?.stop(signal);
}

async function begin(broker: Broker, dataDir: string): Promise<Pick<Target, 'stop'>> {
  if (broker === 'old apache') return startApache({ port: PORT, dataDir, version: OLD_KAFKA_VERSION });
  return startTarget(broker, { port: PORT, dataDir });
}

interface Answer {
  readonly errorCode: number;
  readonly baseOffset: number;
}

/** Sends batches of one record by their sequences, one after the other. */
async function send(sequences: readonly number[]): Promise<Answer[]> {
  const connection = await RawConnection.open(PORT);
  const answers: Answer[] = [];
  const deadline = Date.now() + 20_000;
  try {
    for (const baseSequence of sequences) {
      for (;;) {
        // Of today: both forget producers that were silent for a day.
        const baseTimestamp = Date.now();
        const spec = {
          ...producer,
          baseSequence,
          baseTimestamp,
          records: [{ key: `k${baseSequence}`, value }],
        };
        const records = batch(spec);
        const request = produce(7, [{ topic: TOPIC, records }]);
        const [answer] = produceAnswer(7, await connection.ask(request, 30_000));
        if (answer === undefined) throw new Error('no answer');
        if (PASSING.includes(answer.errorCode) && Date.now() < deadline) continue;
        answers.push({ errorCode: answer.errorCode, baseOffset: Number(answer.baseOffset) });
        break;
      }
    }
  } finally {
    connection.close();
  }
  return answers;
}

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, at) => from + at);
const inOrder = (from: number, count: number): Answer[] =>
  range(from, count).map((baseOffset) => ({ errorCode: 0, baseOffset }));

async function makeTopic(): Promise<void> {
  const connection = await RawConnection.open(PORT);
  const configs = { 'segment.bytes': '1048576', 'file.delete.delay.ms': '1000' };
  await connection.ask(createTopics([{ name: TOPIC, configs }]));
  connection.close();
}

/** What the next broker must know of the producer, whose last sequence and offset is `last`. */
async function goOn(last: number): Promise<void> {
  // A repeat is told the offset that the first one got; a gap is refused.
  expect(await send([last])).toEqual([{ errorCode: 0, baseOffset: last }]);
  expect(await send([last + 2])).toEqual([{ errorCode: OUT_OF_ORDER, baseOffset: -1 }]);
  expect(await send(range(last + 1, 20))).toEqual(inOrder(last + 1, 20));
}

const ways: readonly (readonly [Broker, Broker])[] = [
  ['odradek', 'apache'],
  ['apache', 'odradek'],
  ['old apache', 'odradek'],
];

for (const [from, to] of ways) {
  const missing = await apacheMissing(from === 'old apache' ? OLD_KAFKA_VERSION : undefined);
  const wanted = missing === undefined && wantedTargets().length === 2;
  const why = missing === undefined ? '' : ` (SKIPPED: ${missing})`;
  describe.skipIf(!wanted)(`a folder of ${from}${why}`, () => {
    test.each([
      ['a clean stop', 'SIGTERM'],
      ['a kill', 'SIGKILL'],
    ] as const)(
      `goes to ${to} and back after %s, and the producer goes on`,
      async (_, signal) => {
        const work = mkdtempSync(join(tmpdir(), 'odradek-swap-'));
        const dataDir = join(work, 'data');
        try {
          await start(from, dataDir);
          await makeTopic();
          expect(await send(range(0, 50))).toEqual(inOrder(0, 50));
          await stop(signal);
          await start(to, dataDir);
          await goOn(49);
          await stop(signal);
          await start(from, dataDir);
          await goOn(69);
          const batches = await readBatches(PORT, TOPIC, 0, 20_000);
          expect(batches.map((one) => Number(one.readBigInt64BE(0)))).toEqual(range(0, 90));
          await stop();
          const names = readdirSync(join(dataDir, `${TOPIC}-0`));
          // One a segment, but the first, and one at the end.
          const ends = names.filter((name) => name.endsWith('.snapshot')).sort();
          const bases = names.filter((name) => name.endsWith('.log')).sort();
          expect(ends.map((name) => Number.parseInt(name, 10)).at(-1)).toBe(90);
          expect(ends.length).toBeGreaterThanOrEqual(bases.length);
        } finally {
          await stop('SIGKILL');
          rmSync(work, { recursive: true, force: true });
        }
      },
      120_000,
    );
  });
}
