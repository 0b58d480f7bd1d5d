import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compress, decompress, prepareCodec } from '../../src/protocol/compression/index.ts';
import * as batch from '../../src/protocol/record-batch/index.ts';
import { batchRecords, payload } from '../unit/protocol/compression/payloads.ts';
import { apacheClassPath, apacheMissing, JVM_FLAGS } from './support/apache.ts';
import { isInstalled, run, runOk } from './support/run.ts';

/** Payloads and batches of every codec, from our codecs to those of Kafka's Java client and back. */

const missing =
  (await apacheMissing()) ?? ((await isInstalled('javac')) ? undefined : 'javac is not installed');
const skipped = missing === undefined ? '' : ` (SKIPPED: ${missing})`;

const CODECS = ['gzip', 'snappy', 'lz4', 'zstd'] as const;
const WITH_NONE = ['none', ...CODECS] as const;
const LEVELS = { gzip: [1, 9], snappy: [], lz4: [], zstd: [1, 19] } as const;

/** What CodecInterop.java writes of each codec. */
const FROM_JAVA = [
  ['records', 0],
  ['records', 1],
  ['records', 100],
  ['records', 70_000],
  ['period3', 1_000_000],
  ['random', 1000],
] as const;

/** What it is given to read: the edges of snappy's and LZ4's blocks, and several blocks. */
const TO_JAVA = [
  ...[0, 1, 12, 13, 100, 32_768, 32_769, 65_536, 65_537, 300_000].map(
    (length) => ['records', length] as const,
  ),
  ...[4, 1000, 70_000].map((length) => ['random', length] as const),
  ...[5, 100_000, 1_000_000].map((length) => ['period3', length] as const),
] as const;

describe.skipIf(missing !== undefined)(`codecs of the Java client${skipped}`, () => {
  let work = '';
  let java: (direction: 'write' | 'read', dir: string) => string[];

  beforeAll(async () => {
    await prepareCodec('zstd');
    const classPath = await apacheClassPath();
    const source = join(import.meta.dirname, 'java', 'CodecInterop.java');
    java = (direction, dir) => [...JVM_FLAGS, '-Xmx512M', '-cp', classPath, source, direction, dir];
    work = mkdtempSync(join(tmpdir(), 'odradek-codecs-'));
    mkdirSync(join(work, 'java'));
    mkdirSync(join(work, 'ours'));
    await runOk('java', java('write', join(work, 'java')));
  });
  afterAll(() => {
    if (work !== '') rmSync(work, { recursive: true, force: true });
  });

  const fromJava = (name: string): Buffer => readFileSync(join(work, 'java', `java-${name}.bin`));

  describe.each(CODECS)('%s', (codec) => {
    test.each(FROM_JAVA)('we read %s of %d bytes', (kind, length) => {
      const packed = fromJava(`${codec}-${kind}-${length}`);
      expect(decompress(codec, packed, length).equals(payload(kind, length))).toBe(true);
    });
  });

  test.each(WITH_NONE)('we read a batch with %s', (codec) => {
    const bytes = fromJava(`batch-${codec}`);
    expect(batch.batchSizeAt(bytes, 0)).toBe(bytes.length);
    expect(batch.crcIsValid(bytes, 0)).toBe(true);
    expect(batch.compressionOf(bytes, 0)).toBe(codec);
    expect([...batch.records(bytes)]).toEqual(
      batchRecords().map((record, index) => ({ ...record, offset: 500 + index })),
    );
  });

  test('Java reads all of ours', async () => {
    const ours = join(work, 'ours');
    let files = 0;
    const write = (name: string, bytes: Uint8Array): void => {
      writeFileSync(join(ours, `${name}.bin`), bytes);
      files += 1;
    };
    for (const codec of CODECS) {
      for (const [kind, length] of TO_JAVA) {
        write(`${codec}-${kind}-${length}`, compress(codec, payload(kind, length)));
      }
      for (const level of LEVELS[codec]) {
        write(`${codec}-records-70000-level${level}`, compress(codec, payload('records', 70_000), level));
      }
    }
    for (const compression of WITH_NONE) {
      const builder = new batch.BatchBuilder({
        baseOffset: 500,
        leaderEpoch: 9,
        producerId: 4000n,
        producerEpoch: 3,
        baseSequence: 70,
        isTransactional: true,
        compression,
      });
      for (const record of batchRecords()) builder.append(record);
      write(`batch-${compression}`, builder.build());
    }
    const result = await run('java', java('read', ours));
    expect(result.stdout, result.stderr).toBe(`${files} files, 0 wrong\n`);
    expect(result.code).toBe(0);
  });

  test('Java tells when bytes are other than announced', async () => {
    const dir = join(work, 'wrong');
    mkdirSync(dir);
    writeFileSync(join(dir, 'lz4-records-100.bin'), compress('lz4', payload('records', 99)));
    const result = await run('java', java('read', dir));
    expect(result).toMatchObject({ code: 1, stdout: expect.stringContaining('1 files, 1 wrong') });
  });
});
