import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Admin, ConfigResourceTypes, Kafka, logLevel } from 'kafkajs';
import { expect, test } from 'vitest';
import { codecId } from '../../src/protocol/compression/codec.ts';
import { type CompressionCodec, compress, prepareCodec } from '../../src/protocol/compression/index.ts';
import * as header from '../../src/protocol/record-batch/header.ts';
import { records } from '../../src/protocol/record-batch/records.ts';
import { apacheMissing } from './support/apache.ts';
import { BASE_TIMESTAMP, batch, type RecordSpec, record } from './support/batch.ts';
import { caughtUp } from './support/caught-up.ts';
import { freePort } from './support/ports.ts';
import { PATIENCE_MS, sleep } from './support/run.ts';
import { transactionsEnded } from './support/settled.ts';
import { startTarget, type Target, type TargetName, wantedTargets } from './support/target.ts';
import { makeTopics, produce, produceAnswer, RawConnection } from './support/wire.ts';
import { readBatches } from './support/workload.ts';

/** The same input compacted by Apache Kafka and by this broker: what stays, and where, must be the same. */

const PORT = await freePort();
const SEGMENT_BYTES = 16_384;
const CODECS: readonly CompressionCodec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
const NOT_LEADER_OR_FOLLOWER = 6;

interface Topic {
  readonly name: string;
  readonly codecs: readonly CompressionCodec[];
  readonly configs: Readonly<Record<string, string>>;
  readonly idempotent: boolean;
}

const topics: readonly Topic[] = [
  ...CODECS.map((codec) => ({ name: codec, codecs: [codec], configs: {}, idempotent: false })),
  { name: 'mixed', codecs: CODECS, configs: {}, idempotent: false },
  { name: 'producers', codecs: ['none', 'lz4'], configs: {}, idempotent: true },
  { name: 'brief-tombstones', codecs: CODECS, configs: { 'delete.retention.ms': '0' }, idempotent: true },
  {
    name: 'append-time',
    codecs: ['none', 'gzip'],
    configs: { 'message.timestamp.type': 'LogAppendTime' },
    idempotent: false,
  },
];

/** Numbers that are the same in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Does not get much smaller by compression, so that all topics fill their segments. */
const text = (next: (below: number) => number, size: number): string =>
  Array.from({ length: size }, () => next(36).toString(36)).join('');

/** Batches of one to twenty records over sixty keys, one in eight a tombstone; the keys of one round come no more later. */
function batchesOf(topic: Topic, round: number, count: number): Buffer[] {
  const next = numbers(topic.name.length * 1000 + round);
  const sequences = new Map<number, number>();
  return Array.from({ length: count }, (_, n) => {
    const specs: RecordSpec[] = Array.from({ length: 1 + next(20) }, (_, i) => ({
      key: next(10) === 0 ? `round-${round}-${next(5)}` : `key-${next(60)}`,
      value: next(8) === 0 ? null : `${topic.name} ${round} ${n} ${i} ${text(next, next(150))}`,
      headers: next(5) === 0 ? [['batch', String(n)] as const] : [],
      timestampDelta: next(5000) - 1000,
    }));
    const codec = topic.codecs[n % topic.codecs.length]!;
    const plain = Buffer.concat(specs.map((spec, i) => record(spec, i)));
    const producerId = 9000 + (n % 3);
    const sequence = sequences.get(producerId) ?? 0;
    sequences.set(producerId, sequence + specs.length);
    const baseTimestamp = BASE_TIMESTAMP + round * 1_000_000 + n * 100;
    return batch({
      records: compress(codec, plain),
      count: specs.length,
      attributes: codecId(codec),
      baseTimestamp,
      maxTimestamp: baseTimestamp + Math.max(...specs.map(({ timestampDelta }) => Number(timestampDelta))),
      ...(topic.idempotent ? { producerId, producerEpoch: round, baseSequence: sequence } : {}),
    });
  });
}

/** What is the same in both brokers: everything but the moments at which they did something. */
function described(one: Buffer, hasAppendTime: boolean): unknown {
  return {
    offsets: [header.baseOffset(one, 0), header.lastOffset(one, 0)],
    attributes: header.attributes(one, 0),
    maxTimestamp: hasAppendTime ? undefined : header.maxTimestamp(one, 0),
    producer: [header.producerId(one, 0), header.producerEpoch(one, 0), header.baseSequence(one, 0)],
    records: [...records(one)].map(({ offset, timestamp, key, value, headers }) => ({
      offset,
      timestamp: hasAppendTime ? undefined : timestamp,
      key: Buffer.from(key ?? []).toString(),
      value: value === null ? null : createHash('sha1').update(value).digest('hex'),
      headers: headers.map((one) => `${one.key}=${Buffer.from(one.value ?? []).toString()}`),
    })),
  };
}

type Observed = Record<string, readonly unknown[]>;

/** One broker, and the topics of a test on it. */
class Bench {
  readonly target: Target;
  readonly #topics: readonly Topic[];
  readonly #admin: Admin;
  readonly #connection: RawConnection;

  private constructor(target: Target, topics: readonly Topic[], admin: Admin, connection: RawConnection) {
    this.target = target;
    this.#topics = topics;
    this.#admin = admin;
    this.#connection = connection;
  }

  static async open(name: TargetName, dataDir: string, topics: readonly Topic[]): Promise<Bench> {
    const properties = { 'log.cleaner.backoff.ms': '200', 'log.initial.task.delay.ms': '500' };
    const target = await startTarget(name, { port: PORT, dataDir, properties });
    const admin = kafkaAt(target).admin();
    await admin.connect();
    return new Bench(target, topics, admin, await RawConnection.open(PORT));
  }

  async close(): Promise<void> {
    this.#connection.close();
    await this.#admin.disconnect();
    await this.target.stop();
  }

  async makeTopics(): Promise<void> {
    await makeTopics(
      PORT,
      this.#topics.map((topic) => ({ name: topic.name, configs: configsOf(topic, NEVER) })),
    );
  }

  async write(topic: string, batches: readonly Buffer[]): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    for (const one of batches) {
      const request = produce(9, [{ topic, records: one }]);
      for (;;) {
        const [answer] = produceAnswer(9, await this.#connection.ask(request));
        if (answer?.errorCode === 0) break;
        // A restarted Apache Kafka serves before its partitions have leaders.
        const isEarly = answer?.errorCode === NOT_LEADER_OR_FOLLOWER && Date.now() < deadline;
        if (!isEarly) throw new Error(`${topic}: error ${answer?.errorCode} ${answer?.errorMessage}`);
        await sleep(50);
      }
    }
  }

  /** Lets the cleaner go once over what there is: in between it would find what depends on the moment. */
  async clean(before: Readonly<Record<string, number>>): Promise<Record<string, number>> {
    await this.#setRatio(ALWAYS);
    const text = () => JSON.stringify(Object.entries(this.#cleaned()).sort());
    const deadline = Date.now() + PATIENCE_MS;
    let last = '';
    for (let calm = 0; calm < 8; ) {
      if (Date.now() > deadline) throw new Error(`${this.target.name} has cleaned only ${text()}`);
      await sleep(200);
      const now = this.#cleaned();
      const isAhead = this.#topics.every(({ name }) => (now[name] ?? 0) > (before[name] ?? 0));
      const said = text();
      calm = isAhead && said === last ? calm + 1 : 0;
      last = said;
    }
    await this.#setRatio(NEVER);
    return this.#cleaned();
  }

  async read(): Promise<Observed> {
    const names = this.#topics.map(({ name }) => name);
    const cleaned = Object.entries(this.#cleaned()).filter(([name]) => names.includes(name));
    const found: Observed = { cleaned: [cleaned.sort()] };
    for (const name of names) {
      const batches = await readBatches(PORT, name);
      found[name] = batches.map((one) => described(one, name === 'append-time'));
    }
    return found;
  }

  async #setRatio(ratio: string): Promise<void> {
    await this.#admin.alterConfigs({
      validateOnly: false,
      resources: this.#topics.map((topic) => ({
        type: ConfigResourceTypes.TOPIC,
        name: topic.name,
        configEntries: Object.entries(configsOf(topic, ratio)).map(([name, value]) => ({ name, value })),
      })),
    });
    await caughtUp(PORT);
  }

  /** Both brokers say in the same file how far they have come. */
  #cleaned(): Record<string, number> {
    try {
      const text = readFileSync(join(this.target.dataDir, 'cleaner-offset-checkpoint'), 'utf8');
      const lines = text
        .split('\n')
        .slice(2)
        .filter((line) => line !== '');
      return Object.fromEntries(lines.map((line) => [line.split(' ')[0], Number(line.split(' ')[2])]));
    } catch {
      return {};
    }
  }
}

const NEVER = '1.0';
const ALWAYS = '0.001';

const configsOf = (topic: Topic, ratio: string) => ({
  'cleanup.policy': 'compact',
  'internal.segment.bytes': String(SEGMENT_BYTES),
  'min.cleanable.dirty.ratio': ratio,
  ...topic.configs,
});

const kafkaAt = (target: Target) => new Kafka({ brokers: [target.bootstrap], logLevel: logLevel.NOTHING });

/** Runs `observe` in a folder that goes afterwards. */
async function inFolder<T>(observe: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'odradek-compaction-'));
  try {
    return await observe(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function observe(name: TargetName): Promise<Record<string, Observed>> {
  return inFolder(async (folder) => {
    const bench = await Bench.open(name, join(folder, 'data'), topics);
    const observed: Record<string, Observed> = {};
    try {
      await bench.makeTopics();
      let before: Record<string, number> = {};
      for (const round of [1, 2, 3]) {
        for (const topic of topics)
          await bench.write(topic.name, batchesOf(topic, round, round === 1 ? 150 : 60));
        before = await bench.clean(before);
        observed[`round ${round}`] = await bench.read();
      }
      return observed;
    } finally {
      await bench.close();
    }
  });
}

const withTransactions: readonly Topic[] = ['txn', 'txn-brief'].map((name) => ({
  name,
  codecs: ['none'],
  configs: name === 'txn' ? {} : { 'delete.retention.ms': '0' },
  idempotent: false,
}));

/** Committed and aborted transactions of three producers over the same keys, written to Apache Kafka by its protocol. */
async function writeTransactions(folder: string): Promise<void> {
  const bench = await Bench.open('apache', folder, withTransactions);
  try {
    await bench.makeTopics();
    const next = numbers(7);
    const kafka = kafkaAt(bench.target);
    const producers = await Promise.all(
      ['a', 'b', 'c'].map(async (transactionalId) => {
        const producer = kafka.producer({ transactionalId, maxInFlightRequests: 1, idempotent: true });
        await producer.connect();
        return producer;
      }),
    );
    for (let n = 0; n < 90; n += 1) {
      const transaction = await producers[n % 3]!.transaction();
      const count = 1 + next(3);
      for (let part = 0; part < count; part += 1) {
        const messages = Array.from({ length: 1 + next(6) }, () => ({
          key: `key-${next(40)}`,
          value: next(8) === 0 ? null : text(next, 100 + next(300)),
        }));
        for (const { name: topic } of withTransactions) await transaction.send({ topic, messages, acks: -1 });
      }
      if (next(3) === 0) await transaction.abort();
      else await transaction.commit();
    }
    for (const producer of producers) await producer.disconnect();
    for (const { name } of withTransactions) await transactionsEnded(PORT, name, 1);
  } finally {
    await bench.close();
  }
}

async function observeTransactions(name: TargetName, folder: string): Promise<Record<string, Observed>> {
  const bench = await Bench.open(name, folder, withTransactions);
  const observed: Record<string, Observed> = {};
  try {
    let before: Record<string, number> = {};
    for (const round of [1, 2, 3, 4]) {
      for (const topic of withTransactions) await bench.write(topic.name, batchesOf(topic, round, 30));
      before = await bench.clean(before);
      observed[`round ${round}`] = await bench.read();
    }
    return observed;
  } finally {
    await bench.close();
  }
}

const missing = await apacheMissing();
const isSkipped = missing !== undefined || wantedTargets().length < 2;

test.skipIf(isSkipped)(
  `the same records stay, at the same offsets, in the same batches${missing === undefined ? '' : ` (SKIPPED: ${missing})`}`,
  async () => {
    await prepareCodec('zstd');
    const [apache, odradek] = [await observe('apache'), await observe('odradek')];
    for (const [round, theirs] of Object.entries(apache)) {
      for (const [topic, found] of Object.entries(theirs)) {
        expect(odradek[round]?.[topic], `${topic} after ${round}`).toEqual(found);
      }
    }
    // That something was compacted, and that tombstones came and went.
    const tombstones = (round: string, topic: string) =>
      JSON.stringify(apache[round]?.[topic], (_, value) =>
        typeof value === 'bigint' ? `${value}` : value,
      ).match(/"value":null/g)?.length ?? 0;
    expect(apache['round 1']?.['none']?.length).toBeLessThan(150);
    expect(tombstones('round 1', 'none')).toBeGreaterThan(3);
    expect(tombstones('round 3', 'brief-tombstones')).toBeLessThan(tombstones('round 1', 'brief-tombstones'));
  },
);

const markersIn = (found: readonly unknown[] | undefined): number =>
  (found as readonly { attributes: number; records: readonly unknown[] }[]).filter(
    ({ attributes, records }) => (attributes & header.CONTROL_FLAG) !== 0 && records.length > 0,
  ).length;

test.skipIf(isSkipped)('of transactions the same data and the same markers stay, run for run', async () => {
  await prepareCodec('zstd');
  await inFolder(async (folder) => {
    await writeTransactions(join(folder, 'written'));
    const observed: Record<string, Record<string, Observed>> = {};
    for (const name of ['apache', 'odradek'] as const) {
      cpSync(join(folder, 'written'), join(folder, name), { recursive: true });
      observed[name] = await observeTransactions(name, join(folder, name));
    }
    for (const [round, theirs] of Object.entries(observed['apache']!)) {
      for (const [topic, found] of Object.entries(theirs)) {
        expect(observed['odradek']![round]?.[topic], `${topic} after ${round}`).toEqual(found);
      }
    }
    const markers = (round: number, topic: string) =>
      markersIn(observed['apache']![`round ${round}`]![topic]);
    expect(markers(1, 'txn')).toBeGreaterThan(50);
    expect(markers(4, 'txn-brief')).toBeLessThan(markers(1, 'txn-brief'));
  });
});
