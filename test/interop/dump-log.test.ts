import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { apacheMissing } from './support/apache.ts';
import { batch, record } from './support/batch.ts';
import { freePort } from './support/ports.ts';
import { isInstalled, PATIENCE_MS } from './support/run.ts';
import { startTarget, type TargetName, wantedTargets } from './support/target.ts';
import { JavaTools } from './support/tools.ts';
import { produce, produceAnswer, RawConnection } from './support/wire.ts';
import { readBatches, WORKLOAD_TOPICS, writeWorkload } from './support/workload.ts';

/** Files written by one broker and read by the other's programs. */

const PORT = await freePort();
const missing =
  (await apacheMissing()) ?? ((await isInstalled('javac')) ? undefined : 'javac is not installed');
const skipped = missing === undefined ? '' : ` (SKIPPED: ${missing})`;
const notWanted = (name: TargetName): boolean => missing !== undefined || !wantedTargets().includes(name);

/** What kafka-dump-log prints when it does not like a file. */
const COMPLAINT =
  /mismatch|invalid bytes|isvalid: false|followed by|out of order|exception|error|corrupt|unknown record|not found/i;

/** The tool says so of every segment but the first, of Apache Kafka's own as well. */
const aboutTheStart = (file: string): string => `-1 is followed by ${Number(basename(file).split('.')[0])}`;

const filesIn = (folder: string, ending: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name));

const hex = (batches: readonly Buffer[]): string[] => batches.map((one) => one.toString('hex'));

describe.skipIf(missing !== undefined)(`kafka-dump-log${skipped}`, () => {
  let tools: JavaTools;
  beforeAll(async () => {
    tools = await JavaTools.start();
  });
  afterAll(() => tools?.stop());

  const dump = async (files: readonly string[], ...args: string[]): Promise<string> => {
    let text = '';
    for (const file of files) text += await dumpOne(file, args);
    return text;
  };

  const dumpOne = async (file: string, args: readonly string[]): Promise<string> => {
    const printed = await tools.run('kafka-dump-log', ['--files', file, ...args]);
    const complaints = `${printed.stdout}\n${printed.stderr}`
      .split('\n')
      .filter((line) => COMPLAINT.test(line) && line.trim() !== aboutTheStart(file));
    expect({ code: printed.code, complaints: complaints.slice(0, 10) }).toEqual({ code: 0, complaints: [] });
    return printed.stdout;
  };

  for (const name of ['apache', 'odradek'] as const) {
    for (const [ending, signal] of [
      ['after a clean stop', 'SIGTERM'],
      ['after a kill', 'SIGKILL'],
    ] as const) {
      test.skipIf(notWanted(name))(`reads the folders of ${name} ${ending}`, async () => {
        const dataDir = mkdtempSync(join(tmpdir(), 'odradek-dump-'));
        try {
          const target = await startTarget(name, { port: PORT, dataDir: join(dataDir, 'data') });
          await writeWorkload(target.port);
          await target.stop(signal);
          const root = join(dataDir, 'data');
          for (const topic of WORKLOAD_TOPICS) {
            const folder = join(root, `${topic}-0`);
            const logs = filesIn(folder, '.log');
            if (['log-none', 'log-snappy'].includes(topic)) expect(logs.length).toBeGreaterThan(1);
            const text = await dump(logs, '--deep-iteration');
            const expected = topic.startsWith('log-producers')
              ? 100
              : topic === 'log-append-time'
                ? 50
                : 3000;
            expect(text.match(/^\| offset: /gm)?.length, topic).toBe(expected);
            // Untouched index space behind the last entry is only cut when a log is closed.
            if (signal === 'SIGTERM') {
              await dump(filesIn(folder, '.index'), '--index-sanity-check');
              await dump(filesIn(folder, '.index'), '--verify-index-only');
              await dump(filesIn(folder, '.timeindex'), '--verify-index-only');
            }
          }
          const metadata = join(root, '__cluster_metadata-0');
          const records = await dump(filesIn(metadata, '.log'), '--cluster-metadata-decoder');
          for (const kind of ['TOPIC_RECORD', 'PARTITION_RECORD', 'REGISTER_BROKER_RECORD', 'LeaderChange']) {
            expect(records).toContain(kind);
          }
          const first = await dump(filesIn(metadata, '.checkpoint'), '--cluster-metadata-decoder');
          expect(first).toContain('KRaftVoters');
        } finally {
          rmSync(dataDir, { recursive: true, force: true });
        }
      });
    }
  }

  test.skipIf(notWanted('odradek') || notWanted('apache'))(
    "Apache Kafka reads odradek's metadata snapshots, starts on a folder that begins with one, and odradek goes on behind it",
    async () => {
      const dataDir = mkdtempSync(join(tmpdir(), 'odradek-snapshot-'));
      const properties = {
        'metadata.log.max.record.bytes.between.snapshots': '2000',
        'metadata.max.retention.bytes': '3000',
        'internal.metadata.log.segment.bytes': '2000',
      };
      try {
        const ours = await startTarget('odradek', { port: PORT, dataDir, properties });
        await writeWorkload(PORT);
        const topic = ['--bootstrap-server', ours.bootstrap, '--create', '--topic', 'never-written'];
        const made = await tools.run('kafka-topics', [
          ...topic,
          ...['--partitions', '3', '--config', 'retention.ms=77'],
        ]);
        expect(made.code).toBe(0);
        await ours.stop();
        const metadata = join(dataDir, '__cluster_metadata-0');
        const newest = filesIn(metadata, '.checkpoint').sort().at(-1)!;
        const text = await dump([newest], '--cluster-metadata-decoder');
        for (const part of ['SnapshotHeader', 'SnapshotFooter', 'KRaftVoters', 'REGISTER_BROKER_RECORD']) {
          expect(text).toContain(part);
        }
        expect(text.match(/"type":"TOPIC_RECORD"/g)?.length).toBeGreaterThan(1);
        // The second start finds more log than may stay.
        await (await startTarget('odradek', { port: PORT, dataDir, properties })).stop();
        expect(filesIn(metadata, '.log').map((file) => basename(file))).not.toContain(
          '00000000000000000000.log',
        );
        const written = new Map<string, string[]>();
        const again = await startTarget('odradek', { port: PORT, dataDir, properties });
        for (const topic of WORKLOAD_TOPICS) written.set(topic, hex(await readBatches(PORT, topic)));
        await again.stop();
        const apache = await startTarget('apache', { port: PORT, dataDir });
        try {
          for (const topic of WORKLOAD_TOPICS) {
            expect(hex(await readBatches(PORT, topic, 0, PATIENCE_MS)), topic).toEqual(written.get(topic));
          }
          for (const partition of [1, 2]) {
            expect(await readBatches(PORT, 'never-written', partition, PATIENCE_MS)).toEqual([]);
          }
          const connection = await RawConnection.open(PORT);
          const records = batch({ count: 1, records: record({ value: 'first' }, 0) });
          const to = [{ topic: 'never-written', partition: 1, records }];
          expect(produceAnswer(9, await connection.ask(produce(9, to)))[0]?.errorCode).toBe(0);
          connection.close();
        } finally {
          await apache.stop();
        }
        const back = await startTarget('odradek', { port: PORT, dataDir, properties });
        try {
          const [first, second] = [1, 2].map((partition) => readBatches(PORT, 'never-written', partition));
          expect(hex((await first) ?? [])).toHaveLength(1);
          expect(await second).toEqual([]);
          for (const topic of WORKLOAD_TOPICS) {
            expect(hex(await readBatches(PORT, topic)), topic).toEqual(written.get(topic));
          }
        } finally {
          await back.stop();
        }
      } finally {
        rmSync(dataDir, { recursive: true, force: true });
      }
    },
  );
});

describe.skipIf(missing !== undefined || notWanted('odradek') || notWanted('apache'))(
  `folders change hands${skipped}`,
  () => {
    test('a topic folder written by Apache Kafka is read by odradek', async () => {
      const work = mkdtempSync(join(tmpdir(), 'odradek-hands-'));
      try {
        const theirs = join(work, 'apache');
        const ours = join(work, 'odradek');
        const apache = await startTarget('apache', { port: PORT, dataDir: theirs });
        await writeWorkload(PORT);
        const written = new Map<string, string[]>();
        for (const topic of WORKLOAD_TOPICS) written.set(topic, hex(await readBatches(PORT, topic)));
        await apache.stop();
        // The same topics, made here so that the metadata knows them; then their files.
        const first = await startTarget('odradek', { port: PORT, dataDir: ours });
        await writeWorkload(PORT);
        await first.stop();
        for (const topic of WORKLOAD_TOPICS) {
          const into = join(ours, `${topic}-0`);
          for (const name of readdirSync(into)) if (name !== 'partition.metadata') rmSync(join(into, name));
          cpSync(join(theirs, `${topic}-0`), into, {
            recursive: true,
            filter: (source) => !source.endsWith('partition.metadata'),
          });
        }
        const second = await startTarget('odradek', { port: PORT, dataDir: ours });
        try {
          for (const topic of WORKLOAD_TOPICS) {
            expect(hex(await readBatches(PORT, topic)), topic).toEqual(written.get(topic));
          }
        } finally {
          await second.stop();
        }
      } finally {
        rmSync(work, { recursive: true, force: true });
      }
    });

    for (const [from, to] of [
      ['apache', 'odradek'],
      ['odradek', 'apache'],
    ] as const) {
      test(`${to} starts on the whole data folder of ${from}`, async () => {
        const work = mkdtempSync(join(tmpdir(), 'odradek-hands-'));
        try {
          const dataDir = join(work, 'data');
          const first = await startTarget(from, { port: PORT, dataDir });
          await writeWorkload(PORT);
          const written = new Map<string, string[]>();
          for (const topic of WORKLOAD_TOPICS) written.set(topic, hex(await readBatches(PORT, topic)));
          await first.stop();
          const second = await startTarget(to, { port: PORT, dataDir });
          const patienceMs = to === 'apache' ? PATIENCE_MS : 0;
          try {
            for (const topic of WORKLOAD_TOPICS) {
              expect(hex(await readBatches(PORT, topic, 0, patienceMs)), topic).toEqual(written.get(topic));
            }
          } finally {
            await second.stop();
          }
        } finally {
          rmSync(work, { recursive: true, force: true });
        }
      });
    }
  },
);
