import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dumpLog } from '../../src/cli/dump-log-command.ts';
import { DiskStorage } from '../../src/io/files.ts';
import { SystemRandom } from '../../src/io/random.ts';
import { MessageSetBuilder } from '../../src/protocol/record-batch/message-set-builder.ts';
import { apacheMissing } from './support/apache.ts';
import { caughtUp } from './support/caught-up.ts';
import { updatesGolden } from './support/golden.ts';
import { freePort } from './support/ports.ts';
import { isInstalled } from './support/run.ts';
import { startTarget, type Target, wantedTargets } from './support/target.ts';
import { JavaTools } from './support/tools.ts';
import { WORKLOAD_TOPICS, writeWorkload } from './support/workload.ts';

/**
 * `broker dump-log` beside kafka-dump-log on the same files: every line of both outputs must be equal. Allowed to differ:
 * - the order of files in what is told on the standard error: there it is that of a hash map;
 * - what is told of a file that can't be read: a stack trace there, which also ends the run before the next file;
 * - a time index beside a log that has lost its tail: there a stack trace, here the entries and that they are not found.
 */

const PORT = await freePort();

const missing =
  (await apacheMissing()) ?? ((await isInstalled('javac')) ? undefined : 'javac is not installed');
const skipped = missing === undefined ? '' : ` (SKIPPED: ${missing})`;
const FIXTURES = join(import.meta.dirname, '..', 'fixtures');

const ofKind = (folder: string, pattern: RegExp): string[] =>
  readdirSync(folder)
    .filter((name) => pattern.test(name))
    .sort()
    .map((name) => join(folder, name));

const sorted = (text: string): string[] => text.split('\n').sort();

async function ours(args: readonly string[]) {
  let stdout = '';
  let stderr = '';
  const code = await dumpLog(args, {
    storage: new DiskStorage(new SystemRandom()),
    print: async (text) => {
      stdout += text;
      return true;
    },
    printError: (text) => {
      stderr += text;
    },
  });
  return { code, stdout, stderr };
}

describe.skipIf(missing !== undefined)(`dump-log beside kafka-dump-log${skipped}`, () => {
  let tools: JavaTools;
  beforeAll(async () => {
    tools = await JavaTools.start();
  });
  afterAll(() => tools?.stop());

  const same = async (files: readonly string[], ...args: string[]): Promise<string> => {
    const all = ['--files', files.join(','), ...args];
    const theirs = await tools.run('kafka-dump-log', all);
    const mine = await ours(all);
    expect(mine.stdout.split('\n')).toEqual(theirs.stdout.split('\n'));
    expect({ code: mine.code, stderr: sorted(mine.stderr) }).toEqual({
      code: theirs.code,
      stderr: sorted(theirs.stderr),
    });
    return mine.stdout;
  };

  /** The same, and files and output are the golden ones of test/unit/cli/dump-log.test.ts. */
  const golden = async (name: string, files: readonly string[], ...args: string[]): Promise<string> => {
    const stdout = await same(files, ...args);
    if (!updatesGolden()) return stdout;
    const folder = join(FIXTURES, 'dump-log', name);
    mkdirSync(folder, { recursive: true });
    for (const file of files) copyFileSync(file, join(folder, basename(file)));
    const from = dirname(files[0] ?? '');
    writeFileSync(
      join(folder, 'arguments.txt'),
      [...files.map((file) => basename(file)), ...args].join('\n'),
    );
    writeFileSync(join(folder, 'stdout.txt'), stdout.replaceAll(`${from}/`, ''));
    return stdout;
  };

  test('segments and indexes of Apache Kafka', async () => {
    const folder = join(FIXTURES, 'log', 'apache-4.3', 'fix-ture-0');
    const logs = ofKind(folder, /\.log$/);
    await same(logs);
    await same(logs, '--deep-iteration');
    await golden('segment', logs.slice(-1), '--print-data-log');
    await same(logs, '--print-data-log');
    await same(logs, '--print-data-log', '--skip-record-metadata');
    await same(logs, '--max-bytes', '1000');
    for (const kind of [/\.index$/, /\.timeindex$/]) {
      await same(ofKind(folder, kind));
      await same(ofKind(folder, kind), '--verify-index-only');
      await same(ofKind(folder, kind), '--index-sanity-check');
    }
    await golden('producers', ofKind(folder, /330\.snapshot$/));
    await same(ofKind(folder, /\.snapshot$/));
  });

  for (const fixture of ['apache-4.3.1-single', 'apache-3.9.1-snapshots']) {
    test(`metadata of ${fixture}`, async () => {
      const folder = join(FIXTURES, 'metadata', fixture);
      expect(existsSync(folder)).toBe(true);
      await same(ofKind(folder, /\.(log|checkpoint)$/), '--cluster-metadata-decoder');
      if (fixture === 'apache-3.9.1-snapshots') {
        await golden('metadata', ofKind(folder, /\.checkpoint$/).slice(-2), '--cluster-metadata-decoder');
      }
    });
  }

  test('segments of formats 0 and 1', async () => {
    const work = mkdtempSync(join(tmpdir(), 'odradek-dump-'));
    try {
      const codecs = ['none', 'gzip', 'snappy', 'lz4'] as const;
      const sets: Buffer[] = [];
      let offset = 0;
      for (const magic of [0, 1] as const) {
        for (const compression of codecs) {
          for (const logAppendTime of magic === 0 ? [undefined] : [undefined, 1_700_000_009_000n]) {
            const timestampType = logAppendTime === undefined ? 'CreateTime' : 'LogAppendTime';
            const builder = new MessageSetBuilder({ magic, compression, timestampType, logAppendTime });
            for (let i = 0; i < 3; i += 1, offset += 1) {
              const key = i === 0 ? null : Buffer.from(`key-${i}`);
              const value = i === 1 ? null : Buffer.from('value '.repeat(20));
              builder.append(offset, 1_700_000_000_000n + BigInt(offset), key, value);
            }
            sets.push(builder.build());
          }
        }
      }
      const file = join(work, '00000000000000000000.log');
      writeFileSync(file, Buffer.concat(sets));
      await same([file]);
      const text = await golden('old-formats', [file], '--print-data-log');
      expect(text.match(/^\| offset: /gm)).toHaveLength(offset);
      await same([file], '--print-data-log', '--skip-record-metadata');
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });

  /** Both go on to the end, or both give up; how they say so is their own. */
  const sameUpToTheEnd = async (file: string, ...args: string[]): Promise<void> => {
    const all = ['--files', file, ...args];
    const theirs = await tools.run('kafka-dump-log', all);
    const mine = await ours(all);
    expect(mine.stdout.split('\n')).toEqual(theirs.stdout.split('\n'));
    expect(mine.code).toBe(theirs.code);
    if (mine.code !== 0) expect(mine.stderr).toContain(file.slice(0, -4));
  };

  describe('damaged files', () => {
    const folder = join(FIXTURES, 'log', 'apache-4.3', 'fix-ture-0');
    const inCopy = async (
      damage: (path: (suffix: string) => string) => void,
      check: (path: (suffix: string) => string) => Promise<void>,
    ): Promise<void> => {
      const copy = mkdtempSync(join(tmpdir(), 'odradek-dump-'));
      const path = (suffix: string) => join(copy, `00000000000000000000${suffix}`);
      try {
        for (const suffix of ['.log', '.index', '.timeindex'])
          copyFileSync(join(folder, `00000000000000000000${suffix}`), path(suffix));
        copyFileSync(join(folder, '00000000000000000330.snapshot'), path('.snapshot'));
        damage(path);
        await check(path);
      } finally {
        rmSync(copy, { recursive: true, force: true });
      }
    };
    const flip = (path: string, at: number): void => {
      const bytes = readFileSync(path);
      bytes[at] = (bytes[at] ?? 0) ^ 0xff;
      writeFileSync(path, bytes);
    };

    test('a torn tail', () =>
      inCopy(
        (path) => truncateSync(path('.log'), 1600),
        async (path) => {
          await sameUpToTheEnd(path('.log'), '--deep-iteration');
          await sameUpToTheEnd(path('.index'));
        },
      ));
    test('a wrong CRC', () =>
      inCopy(
        (path) => flip(path('.log'), 30),
        (path) => sameUpToTheEnd(path('.log')),
      ));
    test('zeroes behind the end', () =>
      inCopy(
        (path) => writeFileSync(path('.log'), Buffer.concat([readFileSync(path('.log')), Buffer.alloc(100)])),
        (path) => sameUpToTheEnd(path('.log')),
      ));
    test('an index of another log', () =>
      inCopy(
        (path) => flip(path('.index'), 3),
        async (path) => {
          await sameUpToTheEnd(path('.index'));
          await sameUpToTheEnd(path('.index'), '--index-sanity-check');
        },
      ));
    test('an index that is no whole number of entries', () =>
      inCopy(
        (path) => {
          truncateSync(path('.index'), 13);
          truncateSync(path('.timeindex'), 13);
        },
        async (path) => {
          await same([path('.index')]);
          await sameUpToTheEnd(path('.index'), '--index-sanity-check');
          await sameUpToTheEnd(path('.timeindex'), '--index-sanity-check');
        },
      ));
    test('an index full of zeroes, as it was preallocated', () =>
      inCopy(
        (path) => writeFileSync(path('.index'), Buffer.alloc(80)),
        (path) => same([path('.index')]).then(() => {}),
      ));
    test('a time index of other timestamps', () =>
      inCopy(
        (path) => flip(path('.timeindex'), 7),
        (path) => same([path('.timeindex')]).then(() => {}),
      ));
  });

  for (const name of ['apache', 'odradek'] as const) {
    test.skipIf(!wantedTargets().includes(name))(`folders of ${name}`, async () => {
      const dataDir = mkdtempSync(join(tmpdir(), 'odradek-dump-'));
      try {
        const target = await startTarget(name, { port: PORT, dataDir });
        try {
          await writeWorkload(PORT);
          await writeClassicGroup(target);
          if (name === 'apache') await writeGroupsAndTransactions(target);
        } finally {
          await target.stop();
        }
        for (const topic of WORKLOAD_TOPICS) {
          const folder = join(dataDir, `${topic}-0`);
          await same(ofKind(folder, /\.log$/), '--print-data-log');
          for (const kind of [/\.index$/, /\.timeindex$/, /\.snapshot$/]) {
            const files = ofKind(folder, kind);
            if (files.length > 0) await same(files);
          }
        }
        const metadata = ofKind(join(dataDir, '__cluster_metadata-0'), /\.(log|checkpoint)$/);
        await same(metadata, '--cluster-metadata-decoder');
        await same(metadata, '--cluster-metadata-decoder', '--skip-record-metadata');
        const logsOf = (topic: string) =>
          readdirSync(dataDir)
            .filter((folder) => folder.startsWith(`${topic}-`))
            .flatMap((folder) => ofKind(join(dataDir, folder), /\.log$/));
        const offsets = await same(logsOf('__consumer_offsets'), '--offsets-decoder');
        expect(offsets.includes('"protocolType":"consumer"'), 'groups').toBe(true);
        expect(offsets.includes('"subscription":{'), 'subscriptions').toBe(true);
        expect(offsets.includes('"metadata":"seen"'), 'offsets').toBe(true);
        if (name !== 'apache') return;
        for (const [topic, decoder, seen] of [
          ['__consumer_offsets', '--offsets-decoder', 'a-new-group'],
          ['__transaction_state', '--transaction-log-decoder', '"transactionStatus":5'],
          ['__share_group_state', '--share-group-state-decoder', '"snapshotEpoch"'],
        ] as const) {
          const logs = logsOf(topic);
          expect((await same(logs, decoder)).includes(seen), `${decoder} shows ${seen}`).toBe(true);
          const written = logs.filter((log) => statSync(log).size > 0);
          for (const log of written) await golden(basename(dirname(log)), [log], decoder);
        }
        expect(await golden('aborted', ofKind(join(dataDir, 'in-transactions-0'), /\.txnindex$/))).toContain(
          'lastStableOffset',
        );
        expect(
          await golden('markers', ofKind(join(dataDir, 'in-transactions-0'), /\.log$/), '--print-data-log'),
        ).toContain('ABORT');
      } finally {
        rmSync(dataDir, { recursive: true, force: true });
      }
    });
  }

  async function writeClassicGroup(target: Target): Promise<void> {
    const topic = 'log-none';
    const kafka = new Kafka({ clientId: 'interop', brokers: [target.bootstrap], logLevel: logLevel.NOTHING });
    const consumer = kafka.consumer({ groupId: 'a-classic-group' });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      consumer.run({ eachMessage: async () => resolve() }).catch(reject);
    });
    await consumer.commitOffsets([{ topic, partition: 0, offset: '5', metadata: 'seen' }]);
    await consumer.disconnect();
  }

  async function writeGroupsAndTransactions(target: Target): Promise<void> {
    const topic = 'in-transactions';
    const server = ['--bootstrap-server', target.bootstrap];
    const created = await tools.run('kafka-topics', [...server, '--create', '--topic', topic]);
    expect(created.code).toBe(0);
    await caughtUp(target.port);
    const kafka = new Kafka({ clientId: 'interop', brokers: [target.bootstrap], logLevel: logLevel.NOTHING });
    const producer = kafka.producer({
      transactionalId: 'a-transaction',
      maxInFlightRequests: 1,
      idempotent: true,
    });
    await producer.connect();
    for (const end of ['commit', 'abort', 'commit'] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ key: end, value: `to ${end} \u0001\u001f"\\` }] });
      await transaction[end]();
    }
    await producer.disconnect();
    const three = ['--topic', topic, '--max-messages', '2', '--timeout-ms', '180000'];
    for (const more of [
      ['--from-beginning', '--group', 'a-new-group', '--consumer-property', 'group.protocol=consumer'],
    ]) {
      const read = await tools.run('kafka-console-consumer', [...server, ...three, ...more]);
      expect({ code: read.code, stderr: read.stderr }).toMatchObject({ code: 0 });
    }
    const settings = [...server, '--alter', '--entity-type', 'groups', '--entity-name', 'a-share-group'];
    await tools.run('kafka-configs', [...settings, '--add-config', 'share.auto.offset.reset=earliest']);
    await caughtUp(target.port);
    const shared = await tools.run('kafka-console-share-consumer', [
      ...server,
      ...three,
      '--group',
      'a-share-group',
    ]);
    expect({ code: shared.code, stderr: shared.stderr }).toMatchObject({ code: 0 });
  }
});
