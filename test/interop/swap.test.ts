import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defaults, type Sparse } from '../../src/protocol/codec.ts';
import {
  DescribeConfigsRequest,
  DescribeConfigsResponse,
} from '../../src/protocol/messages/describe-configs.ts';
import {
  FindCoordinatorRequest,
  FindCoordinatorResponse,
} from '../../src/protocol/messages/find-coordinator.ts';
import { OffsetCommitRequest, OffsetCommitResponse } from '../../src/protocol/messages/offset-commit.ts';
import { OffsetFetchRequest, OffsetFetchResponse } from '../../src/protocol/messages/offset-fetch.ts';
import { records } from '../../src/protocol/record-batch/index.ts';
import type { MessageSchema } from '../../src/protocol/schema.ts';
import { WireClient } from '../integration/wire-client.ts';
import { apacheMissing, OLD_KAFKA_VERSION, startApache } from './support/apache.ts';
import { batch } from './support/batch.ts';
import { caughtUp } from './support/caught-up.ts';
import { freePort } from './support/ports.ts';
import { isInstalled, PATIENCE_MS, until } from './support/run.ts';
import { expectSound } from './support/sound-folders.ts';
import { startTarget, type Target, wantedTargets } from './support/target.ts';
import { JavaTools } from './support/tools.ts';
import { createTopics, produce, produceAnswer, RawConnection } from './support/wire.ts';
import { readBatches } from './support/workload.ts';

/** A data folder goes from one broker to the other and back: records, producers, settings, offsets, compacted topics. */

const PORT = await freePort();
const TOPIC = 'swapped';
const COMPACTED = 'compacted';
const GROUP = 'swapping';
const CONFIGS = { 'segment.bytes': '1048576', 'file.delete.delay.ms': '1000' };
const COMPACT_CONFIGS = {
  'cleanup.policy': 'compact',
  'segment.bytes': '1048576',
  'min.cleanable.dirty.ratio': '0.01',
};
/** Few partitions start sooner. */
const properties = { 'offsets.topic.num.partitions': '1', 'log.cleaner.backoff.ms': '500' };
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
  if (broker === 'old apache')
    return startApache({ port: PORT, dataDir, version: OLD_KAFKA_VERSION, properties });
  return startTarget(broker, { port: PORT, dataDir, properties });
}

interface Answer {
  readonly errorCode: number;
  readonly baseOffset: number;
}

/** Sends batches of one record by their sequences, one after the other. */
async function send(sequences: readonly number[]): Promise<Answer[]> {
  const connection = await RawConnection.open(PORT);
  const answers: Answer[] = [];
  const deadline = Date.now() + PATIENCE_MS;
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
        const request = produce(7, [{ topic: TOPIC, records: batch(spec) }]);
        const [answer] = produceAnswer(7, await connection.ask(request));
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
  const topics = [
    { name: TOPIC, configs: CONFIGS },
    { name: COMPACTED, configs: COMPACT_CONFIGS },
  ];
  await connection.ask(createTopics(topics));
  connection.close();
  await caughtUp(PORT);
}

async function ask<Request, Response>(
  request: MessageSchema<Request>,
  response: MessageSchema<Response>,
  version: number,
  given: Sparse<Request>,
): Promise<Response> {
  const client = await WireClient.open(`127.0.0.1:${PORT}`);
  try {
    return await client.request(request, response, version, defaults(request, given));
  } finally {
    client.close();
  }
}

/** Two records for each of twenty keys, in a segment that is closed then. */
async function writeCompacted(round: string): Promise<void> {
  const connection = await RawConnection.open(PORT);
  try {
    for (let at = 0; at < 40; at += 1) {
      const record = { key: `k${at % 20}`, value: `${round}-${at}`.padEnd(30_000, '.') };
      const bytes = batch({ records: [record], baseTimestamp: Date.now() });
      const request = produce(7, [{ topic: COMPACTED, records: bytes }]);
      const [answer] = produceAnswer(7, await connection.ask(request));
      expect(answer?.errorCode).toBe(0);
    }
  } finally {
    connection.close();
  }
}

/** The last value of every key. */
async function lastValues(): Promise<Record<string, string>> {
  const last: Record<string, string> = {};
  for (const bytes of await readBatches(PORT, COMPACTED, 0, PATIENCE_MS)) {
    for (const { key, value } of records(bytes, { at: 0 })) {
      last[Buffer.from(key ?? []).toString()] = Buffer.from(value ?? [])
        .toString()
        .replace(/\.+$/, '');
    }
  }
  return last;
}

async function commitOffset(committedOffset: number): Promise<void> {
  const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: `at ${committedOffset}` }];
  const topics = [{ name: TOPIC, partitions }];
  await until('the commit to be taken', async () => {
    await ask(FindCoordinatorRequest, FindCoordinatorResponse, 3, { key: GROUP });
    const answer = await ask(OffsetCommitRequest, OffsetCommitResponse, 8, { groupId: GROUP, topics });
    return answer.topics[0]?.partitions[0]?.errorCode === 0 ? true : undefined;
  });
}

/** What a broker must know besides the records. */
async function state(): Promise<unknown> {
  const committed = await until('the committed offset', async () => {
    const groups = [{ groupId: GROUP, topics: null }];
    const answer = await ask(OffsetFetchRequest, OffsetFetchResponse, 8, { groups });
    const [group] = answer.groups;
    return group?.errorCode === 0 && group.topics.length > 0 ? group.topics[0]!.partitions[0] : undefined;
  });
  const resources = [TOPIC, COMPACTED].map((resourceName) => ({
    resourceType: 2,
    resourceName,
    configurationKeys: null,
  }));
  const described = await ask(DescribeConfigsRequest, DescribeConfigsResponse, 4, { resources });
  const set = described.results.map(({ configs }) =>
    configs
      .filter(({ configSource }) => configSource === 1)
      .map(({ name, value: text }) => `${name}=${text}`),
  );
  const { committedOffset, metadata } = committed;
  return { committedOffset, metadata, set: set.map((one) => one.sort()), last: await lastValues() };
}

const FOLDERS = [`${TOPIC}-0`, `${COMPACTED}-0`, '__consumer_offsets-0', '__cluster_metadata-0'];

/** The index files of closed segments, by name. */
function closedIndexes(dataDir: string): Record<string, string> {
  const folder = join(dataDir, `${TOPIC}-0`);
  const names = readdirSync(folder).filter((name) => /\.(index|timeindex)$/.test(name));
  const active = names.sort().at(-1)?.slice(0, 20) ?? '';
  const closed = names.filter((name) => !name.startsWith(active));
  return Object.fromEntries(closed.map((name) => [name, readFileSync(join(folder, name), 'hex')]));
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
  const missing =
    (await apacheMissing(from === 'old apache' ? OLD_KAFKA_VERSION : undefined)) ??
    ((await isInstalled('javac')) ? undefined : 'javac is not installed');
  const wanted = missing === undefined && wantedTargets().length === 2;
  const why = missing === undefined ? '' : ` (SKIPPED: ${missing})`;
  describe.skipIf(!wanted)(`a folder of ${from}${why}`, () => {
    let tools: JavaTools;
    beforeAll(async () => {
      tools = await JavaTools.start();
    });
    afterAll(() => tools?.stop());

    test.each([
      ['a clean stop', 'SIGTERM'],
      ['a kill', 'SIGKILL'],
    ] as const)(`goes to ${to} and back after %s, and all goes on`, async (_, signal) => {
      const work = mkdtempSync(join(tmpdir(), 'odradek-swap-'));
      const dataDir = join(work, 'data');
      try {
        await start(from, dataDir);
        await makeTopic();
        expect(await send(range(0, 50))).toEqual(inOrder(0, 50));
        await writeCompacted('first');
        await commitOffset(17);
        const known = await state();
        await stop(signal);
        await start(to, dataDir);
        expect(await state()).toEqual(known);
        await goOn(49);
        await writeCompacted('second');
        await commitOffset(42);
        const knownThere = await state();
        await stop(signal);
        await start(from, dataDir);
        expect(await state()).toEqual(knownThere);
        await goOn(69);
        const batches = await readBatches(PORT, TOPIC, 0, PATIENCE_MS);
        expect(batches.map((one) => Number(one.readBigInt64BE(0)))).toEqual(range(0, 90));
        await stop();
        const names = readdirSync(join(dataDir, `${TOPIC}-0`));
        // One a segment, but the first, and one at the end.
        const ends = names.filter((name) => name.endsWith('.snapshot')).sort();
        const bases = names.filter((name) => name.endsWith('.log')).sort();
        expect(ends.map((name) => Number.parseInt(name, 10)).at(-1)).toBe(90);
        expect(ends.length).toBeGreaterThanOrEqual(bases.length);
        await expectSound(tools, dataDir, FOLDERS);
      } finally {
        await stop('SIGKILL');
        rmSync(work, { recursive: true, force: true });
      }
    });

    test(`has indexes as ${to} makes them of the same batches`, async () => {
      const work = mkdtempSync(join(tmpdir(), 'odradek-swap-'));
      const dataDir = join(work, 'data');
      try {
        await start(from, dataDir);
        await makeTopic();
        expect(await send(range(0, 50))).toEqual(inOrder(0, 50));
        await stop();
        const written = closedIndexes(dataDir);
        expect(Object.keys(written).length).toBeGreaterThanOrEqual(4);
        for (const name of Object.keys(written)) rmSync(join(dataDir, `${TOPIC}-0`, name));
        await start(to, dataDir);
        await goOn(49);
        await stop();
        const made = closedIndexes(dataDir);
        expect(Object.fromEntries(Object.keys(written).map((name) => [name, made[name]]))).toEqual(written);
      } finally {
        await stop('SIGKILL');
        rmSync(work, { recursive: true, force: true });
      }
    });
  });
}
