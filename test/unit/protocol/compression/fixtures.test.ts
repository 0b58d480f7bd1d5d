import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type CompressionCodec,
  decompress,
  isCompressionCodec,
  prepareCodec,
} from '../../../../src/protocol/compression/index.ts';
import * as batch from '../../../../src/protocol/record-batch/index.ts';
import { batchRecords, type PayloadKind, payload } from './payloads.ts';

const FIXTURES = join(import.meta.dirname, '../../../fixtures/compression');
const MAX = 2_000_000;

interface Fixture {
  readonly name: string;
  readonly codec: CompressionCodec;
  readonly plain: Buffer;
}

function codecNamed(name: string): CompressionCodec {
  if (!isCompressionCodec(name)) throw new Error(`no codec in the name of a fixture: ${name}`);
  return name;
}

function fixturesOf(maker: string): Fixture[] {
  return readdirSync(FIXTURES)
    .filter((name) => name.startsWith(`${maker}-`) && !name.startsWith(`${maker}-batch-`))
    .map((name) => {
      const [, codec, kind, length] = name.replace('.bin', '').split('-');
      return { name, codec: codecNamed(codec!), plain: payload(kind as PayloadKind, Number(length)) };
    });
}

const bytesOf = (name: string) => readFileSync(join(FIXTURES, name));

beforeAll(async () => {
  await prepareCodec('zstd');
});

describe('payloads that Java compressed', () => {
  it.each(fixturesOf('java'))('reads $name', ({ name, codec, plain }) => {
    const bytes = bytesOf(name);
    expect(decompress(codec, bytes, MAX).equals(plain)).toBe(true);
    expect(decompress(codec, bytes, plain.length).equals(plain)).toBe(true);
  });
});

describe('segments that librdkafka filled', () => {
  it.each(fixturesOf('librdkafka'))('reads $name', ({ name, codec, plain }) => {
    const segment = bytesOf(name);
    expect(batch.batchSizeAt(segment, 0)).toBe(segment.length);
    expect(batch.crcIsValid(segment, 0)).toBe(true);
    // librdkafka leaves a batch plain where compression would not pay.
    expect(batch.compressionOf(segment, 0)).toBe(plain.length > 1 ? codec : 'none');
    const values = [...batch.records(segment)].map((record) => Buffer.from(record.value ?? []));
    expect(values).toHaveLength(1);
    expect(values[0]!.equals(plain)).toBe(true);
  });
});

describe('batches from MemoryRecordsBuilder', () => {
  it.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)('reads the one with %s', (codec) => {
    const bytes = bytesOf(`java-batch-${codec}.bin`);
    const expected = batchRecords();
    expect(batch.batchSizeAt(bytes, 0)).toBe(bytes.length);
    expect(batch.crcIsValid(bytes, 0)).toBe(true);
    expect(batch.compressionOf(bytes, 0)).toBe(codec);
    expect(batch.isTransactional(bytes, 0)).toBe(true);
    expect(batch.producerId(bytes, 0)).toBe(4000n);
    expect(batch.lastSequence(bytes, 0)).toBe(70 + expected.length - 1);
    const plain = batch.plainPayload(bytes, 0, MAX);
    expect(batch.walkRecords(plain, 0, plain.length, expected.length)).toMatchObject({
      failure: undefined,
      firstWithoutKey: 0,
      firstOffsetGap: -1,
    });
    expect([...batch.records(bytes)]).toEqual(
      expected.map((record, index) => ({ ...record, offset: 500 + index })),
    );
  });

  it('builds the plain one byte for byte', () => {
    const builder = new batch.BatchBuilder({
      baseOffset: 500,
      leaderEpoch: 9,
      producerId: 4000n,
      producerEpoch: 3,
      baseSequence: 70,
      isTransactional: true,
    });
    for (const record of batchRecords()) builder.append(record);
    expect(builder.build().equals(bytesOf('java-batch-none.bin'))).toBe(true);
  });
});
