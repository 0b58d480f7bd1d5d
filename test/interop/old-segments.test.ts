import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MessageSetBuilder, type OldMagic } from '../../src/protocol/record-batch/message-set-builder.ts';
import { apacheMissing, KAFKA_VERSION, OLD_KAFKA_VERSION } from './support/apache.ts';
import { batch } from './support/batch.ts';
import { freePort } from './support/ports.ts';
import { isInstalled, until } from './support/run.ts';
import { expectSound } from './support/sound-folders.ts';
import { startTarget, type Target, type TargetName, wantedTargets } from './support/target.ts';
import { JavaTools } from './support/tools.ts';
import { makeTopics, produce, produceAnswer, RawConnection } from './support/wire.ts';

/** Data folders of clusters that are older than 0.11, with message formats 0 and 1: what a consumer of today reads in them. */

const PORT = await freePort();
const CODECS = ['none', 'gzip', 'snappy', 'lz4'] as const;
/** Not too long ago for anybody's retention. */
const T0 = Date.now() - 3_600_000;
const KEYS = 5;
const SEGMENTS = [
  { baseOffset: 0, count: 60, magic: 0 },
  { baseOffset: 60, count: 60, magic: 1 },
] as const;
const END = 120;
const PASSING: readonly number[] = [3, 6];
const TOPICS = [
  { name: 'kept', configs: { 'retention.ms': '-1' } },
  {
    name: 'compacted',
    configs: { 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0.01', 'segment.ms': '1000' },
  },
];

/** Six messages at a time, with each codec in turn. */
function segment(baseOffset: number, count: number, magic: OldMagic): Buffer {
  const sets: Buffer[] = [];
  for (let from = baseOffset; from < baseOffset + count; from += 6) {
    const compression = CODECS[(from / 6) % CODECS.length]!;
    const builder = new MessageSetBuilder({ magic, compression, timestampType: 'CreateTime' });
    for (let offset = from; offset < from + 6; offset += 1) {
      const value = Buffer.from(`v${offset}`);
      builder.append(offset, BigInt(T0 + offset), Buffer.from(`k${offset % KEYS}`), value);
    }
    sets.push(Buffer.from(builder.build()));
  }
  return Buffer.concat(sets);
}

/** As an old broker leaves the folders when it is killed: segments, and nothing that tells of them. */
function putOldSegments(dataDir: string): void {
  for (const { name } of TOPICS) {
    const folder = join(dataDir, `${name}-0`);
    for (const file of readdirSync(folder)) if (file !== 'partition.metadata') rmSync(join(folder, file));
    for (const { baseOffset, count, magic } of SEGMENTS) {
      const file = join(folder, `${String(baseOffset).padStart(20, '0')}.log`);
      writeFileSync(file, segment(baseOffset, count, magic));
    }
  }
  for (const file of readdirSync(dataDir)) {
    if (/checkpoint$|cleanshutdown/.test(file)) rmSync(join(dataDir, file));
  }
}

async function append(topic: string): Promise<number> {
  const connection = await RawConnection.open(PORT);
  try {
    return await until(`${topic} to take a record`, async () => {
      const records = [{ key: `new-${topic}`, value: 'new' }];
      const request = produce(7, [{ topic, records: batch({ records, baseTimestamp: Date.now() }) }]);
      const [answer] = produceAnswer(7, await connection.ask(request, 30_000));
      if (answer === undefined || PASSING.includes(answer.errorCode)) return undefined;
      expect(answer.errorCode).toBe(0);
      return Number(answer.baseOffset);
    });
  } finally {
    connection.close();
  }
}

interface Reader {
  readonly name: TargetName;
  /** Of the Apache Kafka that takes part. */
  readonly version: string;
  readonly madeBy: TargetName;
}

const readers: readonly Reader[] = [
  { name: 'apache', version: KAFKA_VERSION, madeBy: 'apache' },
  { name: 'odradek', version: KAFKA_VERSION, madeBy: 'odradek' },
  { name: 'apache', version: OLD_KAFKA_VERSION, madeBy: 'apache' },
  { name: 'odradek', version: OLD_KAFKA_VERSION, madeBy: 'apache' },
];

describe.each(readers)(
  'old segments in a folder of $madeBy on $name (Apache Kafka $version)',
  async (reader) => {
    const { name, version, madeBy } = reader;
    const missing =
      (await apacheMissing()) ??
      (await apacheMissing(version)) ??
      ((await isInstalled('javac')) ? undefined : 'javac is not installed');
    const isWanted = missing === undefined && wantedTargets().includes(name);
    const why = missing === undefined ? '' : ` (SKIPPED: ${missing})`;
    let tools: JavaTools;
    let target: Target;
    let work: string;

    beforeAll(async () => {
      if (!isWanted) return;
      tools = await JavaTools.start();
      work = mkdtempSync(join(tmpdir(), 'odradek-old-'));
      const dataDir = join(work, 'data');
      const properties = { 'log.cleaner.backoff.ms': '200', 'log.retention.check.interval.ms': '1000' };
      const options = { port: PORT, version, dataDir, properties };
      target = await startTarget(madeBy, options);
      await makeTopics(PORT, TOPICS);
      for (const topic of TOPICS) expect(await append(topic.name)).toBe(0);
      await target.stop();
      putOldSegments(dataDir);
      target = await startTarget(name, options);
    }, 180_000);

    afterAll(async () => {
      await tools?.stop();
      await target?.stop('SIGKILL');
      if (work !== undefined) rmSync(work, { recursive: true, force: true });
    });

    /** A line for each record: timestamp, offset, key, value. */
    async function consume(topic: string, count: number): Promise<string[]> {
      const prints = ['timestamp', 'offset', 'key'].flatMap((one) => [
        '--formatter-property',
        `print.${one}=true`,
      ]);
      const from = ['--bootstrap-server', `127.0.0.1:${PORT}`, '--topic', topic, '--partition', '0'];
      const ends = ['--offset', 'earliest', '--max-messages', String(count), '--timeout-ms', '60000'];
      const printed = await tools.run('kafka-console-consumer', [...from, ...ends, ...prints], {
        timeoutMs: 120_000,
      });
      const lines = printed.stdout.split('\n').filter((one) => one !== '');
      // Apache Kafka hands the messages out as they are; in format 2 there are only absent timestamps, no type without any.
      return lines.map((one) =>
        one.replace(/^(NO_TIMESTAMP|CreateTime:-1)\t/, '-1\t').replace(/^CreateTime:/, ''),
      );
    }

    const line = (offset: number): string => {
      // Format 0 has no timestamps.
      const time = offset < SEGMENTS[1].baseOffset ? '-1' : String(T0 + offset);
      return `${time}\tOffset:${offset}\tk${offset % KEYS}\tv${offset}`;
    };

    test.skipIf(!isWanted)(
      `has all its records, and takes others${why}`,
      async () => {
        expect(await append('kept')).toBe(END);
        const lines = await consume('kept', END + 1);
        expect(lines.slice(0, -1)).toEqual(Array.from({ length: END }, (_, offset) => line(offset)));
        expect(lines.at(-1)).toContain(`Offset:${END}\tnew-kept\tnew`);
      },
      180_000,
    );

    test.skipIf(!isWanted)(
      `is compacted${why}`,
      async () => {
        expect(await append('compacted')).toBe(END);
        const first = async () => {
          const [oldest] = await consume('compacted', 1);
          return oldest?.includes(`Offset:${END - KEYS}\t`) === true ? true : undefined;
        };
        await until('the old messages to be compacted', first);
        const lines = await consume('compacted', KEYS + 1);
        expect(lines.slice(0, KEYS)).toEqual(Array.from({ length: KEYS }, (_, at) => line(END - KEYS + at)));
      },
      180_000,
    );

    // Apache Kafka leaves the old formats in the files.
    if (name === 'apache') return;
    test.skipIf(!isWanted)(
      `is sound after a stop for the dump tool of Apache Kafka${why}`,
      async () => {
        await target.stop();
        const folders = TOPICS.map((topic) => `${topic.name}-0`);
        await expectSound(tools, join(work, 'data'), folders);
      },
      180_000,
    );
  },
);
