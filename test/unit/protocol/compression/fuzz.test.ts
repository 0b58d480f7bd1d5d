import { beforeAll, describe, expect, it, vi } from 'vitest';
import {
  type CompressionCodec,
  CorruptCompressionError,
  compress,
  decompress,
  OutputTooLargeError,
  prepareCodec,
} from '../../../../src/protocol/compression/index.ts';
import * as batch from '../../../../src/protocol/record-batch/index.ts';
import { payload, seeded } from './payloads.ts';
import { snappyOracle } from './snappy-oracle.ts';

// A longer run: FUZZ_SEED=1 FUZZ_ROUNDS=100000 npx vitest run test/unit/protocol/compression/fuzz.test.ts
const { FUZZ_SEED, FUZZ_ROUNDS } = process.env;
const SEED = Number(FUZZ_SEED ?? 20_251);
const ROUNDS = Number(FUZZ_ROUNDS ?? 1000);
const BOUND = 300_000;

/** Flips, overwrites, cuts, repeats and inserts; the result may by chance be sound. */
function damage(bytes: Uint8Array, random: (bound: number) => number): Buffer {
  let damaged = Buffer.from(bytes);
  for (let left = 1 + random(4); left > 0 && damaged.length > 0; left--) {
    const at = random(damaged.length);
    // Most formats keep what matters at the beginning.
    const place = random(2) === 0 ? at : Math.min(at, random(32));
    switch (random(6)) {
      case 0:
        damaged[place]! ^= 1 << random(8);
        break;
      case 1:
        damaged[place] = [0, 0xff, 0x7f, 0x80][random(4)]!;
        break;
      case 2:
        damaged = damaged.subarray(0, at);
        break;
      case 3:
        damaged = Buffer.concat([
          damaged.subarray(0, place),
          Buffer.from([random(256)]),
          damaged.subarray(place),
        ]);
        break;
      case 4:
        damaged = Buffer.concat([damaged, damaged.subarray(at, at + random(50))]);
        break;
      default:
        damaged.fill(random(256), place, Math.min(damaged.length, place + random(8)));
    }
  }
  return damaged;
}

beforeAll(async () => {
  await prepareCodec('zstd');
});

describe(`damaged bytes (seed ${SEED})`, () => {
  it.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'give declared errors or bounded output from %s',
    (codec) => {
      const random = seeded(SEED + codec.length);
      const sound = [0, 1, 30, 400, 3000, 70_000].map((length) =>
        compress(codec, payload('records', length)),
      );
      sound.push(compress(codec, payload('zeros', 200_000)));
      const seen = { output: 0, corrupt: 0, large: 0 };
      for (let round = 0; round < ROUNDS; round++) {
        const input =
          random(10) === 0 ? payload('random', random(200)) : damage(sound[random(sound.length)]!, random);
        const bound = random(3) === 0 ? random(2000) : BOUND;
        try {
          expect(decompress(codec, input, bound).length).toBeLessThanOrEqual(bound);
          seen.output += 1;
        } catch (error) {
          if (error instanceof OutputTooLargeError) seen.large += 1;
          else if (error instanceof CorruptCompressionError) seen.corrupt += 1;
          else throw new Error(`round ${round}, ${input.length} bytes`, { cause: error });
        }
      }
      expect(seen.corrupt).toBeGreaterThan(ROUNDS / 10);
      expect(seen.large).toBeGreaterThan(0);
    },
  );

  it('still decode afterwards', () => {
    for (const codec of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
      const plain = payload('records', 100_000);
      expect(decompress(codec, compress(codec, plain), plain.length).equals(plain)).toBe(true);
    }
  });
});

/** Elements with every form of length and distance, sensible and not, behind a length that is right or nearly so. */
function rawSnappy(random: (bound: number) => number): Buffer {
  const parts: Buffer[] = [];
  let made = 0;
  for (let left = random(8); left > 0; left--) {
    const kind = made === 0 ? 0 : random(4);
    const length = 1 + random(random(3) === 0 ? 300 : 60);
    if (kind === 0) {
      const bytes = length > 60 || random(6) === 0 ? 1 + random(4) : 0;
      const head = Buffer.alloc(1 + bytes);
      head[0] = (bytes === 0 ? length - 1 : 59 + bytes) << 2;
      for (let i = 0, rest = length - 1; i < bytes; i++, rest >>>= 8) head[1 + i] = rest;
      // Lengths of 2 GiB and more, among them those that lead back to a tag before.
      if (bytes === 4 && random(3) === 0) head.writeInt32LE(-1 - random(40), 1);
      parts.push(head, Buffer.alloc(length, random(256)));
      // One length byte holds no more than 256.
      made += bytes === 1 ? ((length - 1) & 0xff) + 1 : length;
    } else {
      const distance = random(20) === 0 ? random(70_000) : 1 + random(made);
      const short = 4 + random(8);
      const head = Buffer.alloc([0, 2, 3, 5][kind]!);
      head[0] = kind === 1 ? ((distance >>> 8) << 5) | ((short - 4) << 2) | 1 : ((length - 1) << 2) | kind;
      for (let i = 1, rest = distance; i < head.length; i++, rest >>>= 8) head[i] = rest;
      if (kind === 3 && random(10) === 0) head[4]! |= 0x80;
      parts.push(head);
      made += kind === 1 ? short : ((length - 1) & 63) + 1;
    }
  }
  if (random(6) === 0) made = Math.max(0, made + random(5) - 2);
  const preamble = Buffer.from(made < 128 ? [made] : [(made & 0x7f) | 0x80, made >>> 7]);
  const stream = Buffer.concat([preamble, ...parts]);
  return random(6) === 0 ? stream.subarray(0, random(stream.length + 1)) : stream;
}

describe(`raw snappy (seed ${SEED})`, () => {
  it('gives what the format says or refuses it, and allocates no more than the plain length', () => {
    const random = seeded(SEED + 2);
    const alloc = vi.spyOn(Buffer, 'alloc');
    const seen = { sound: 0, refused: 0 };
    try {
      for (let round = 0; round < ROUNDS * 10; round++) {
        const stream = rawSnappy(random);
        const expected = snappyOracle(stream);
        alloc.mockClear();
        let plain: Buffer | undefined;
        try {
          plain = decompress('snappy', stream, BOUND);
        } catch (error) {
          if (!(error instanceof CorruptCompressionError))
            throw new Error(`round ${round}`, { cause: error });
        }
        const largest = Math.max(0, ...alloc.mock.calls.map(([size]) => size));
        expect(largest).toBeLessThanOrEqual(expected?.length ?? BOUND);
        if (expected === undefined) {
          seen.refused += 1;
          expect(plain, stream.toString('hex')).toBeUndefined();
        } else {
          seen.sound += 1;
          expect(plain?.equals(expected), stream.toString('hex')).toBe(true);
        }
      }
    } finally {
      alloc.mockRestore();
    }
    expect(seen.sound).toBeGreaterThan(ROUNDS);
    expect(seen.refused).toBeGreaterThan(ROUNDS);
  });
});

function soundBatch(random: (bound: number) => number, compression: CompressionCodec): Buffer {
  const builder = new batch.BatchBuilder({ baseOffset: random(1000), compression });
  for (let left = 1 + random(12); left > 0; left--) {
    builder.append({
      timestamp: random(5) === 0 ? BigInt(random(1 << 30)) << 33n : 1_700_000_000_000 + random(1000),
      key: random(2) === 0 ? null : payload('text', random(20)),
      value: random(4) === 0 ? null : payload('text', random(200)),
      headers: random(3) === 0 ? [{ key: 'h', value: random(2) === 0 ? null : Buffer.alloc(random(9)) }] : [],
    });
  }
  return builder.build();
}

describe(`damaged batches (seed ${SEED})`, () => {
  it('never throw out of the walk, which agrees with the iterator', () => {
    const random = seeded(SEED);
    const seen = { sound: 0, failed: 0 };
    for (let round = 0; round < ROUNDS * 4; round++) {
      const sound = soundBatch(random, 'none');
      const count = random(8) === 0 ? random(20) - 3 : batch.recordCount(sound, 0);
      const records = damage(sound.subarray(batch.RECORDS_AT), random);
      const walk = batch.walkRecords(records, 0, records.length, count);
      const around = Buffer.concat([Buffer.alloc(9, 0x81), records, Buffer.alloc(9, 0x02)]);
      const elsewhere = batch.walkRecords(around, 9, 9 + records.length, count);
      expect([elsewhere.failure, elsewhere.records]).toEqual([walk.failure, walk.records]);
      if (walk.failure === undefined) expect(elsewhere).toEqual(walk);

      const again = Buffer.concat([sound.subarray(0, batch.RECORDS_AT), records]);
      again.writeInt32BE(again.length - batch.LOG_OVERHEAD, batch.BATCH_LENGTH_AT);
      again.writeInt32BE(count, batch.RECORD_COUNT_AT);
      let failure: string | undefined;
      let read: batch.KafkaRecord[] = [];
      try {
        read = [...batch.records(again)];
      } catch (error) {
        if (!(error instanceof batch.InvalidRecordError)) throw new Error(`round ${round}`, { cause: error });
        failure = error.failure;
      }
      expect(failure).toBe(walk.failure);
      if (failure === undefined) {
        seen.sound += 1;
        expect(walk.records).toBe(read.length);
        expect(walk.firstWithoutKey).toBe(read.findIndex((record) => record.key === null));
        const base = batch.baseOffset(again, 0);
        expect(walk.firstOffsetGap).toBe(read.findIndex((record, index) => record.offset !== base + index));
      } else {
        seen.failed += 1;
      }
    }
    expect(seen.sound).toBeGreaterThan(ROUNDS / 20);
    expect(seen.failed).toBeGreaterThan(ROUNDS);
  });

  it('give only declared errors from the iterator, header included', () => {
    const random = seeded(SEED + 1);
    const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
    for (let round = 0; round < ROUNDS; round++) {
      const damaged = damage(soundBatch(random, codecs[round % codecs.length]!), random);
      batch.crcIsValid(damaged, 0);
      try {
        for (const at of batch.batchPositions(damaged)) {
          for (const record of batch.records(damaged, { at, maxPlainBytes: BOUND }))
            expect(record.headers).toBeDefined();
        }
        for (const record of batch.records(damaged, { maxPlainBytes: BOUND }))
          expect(record.headers).toBeDefined();
      } catch (error) {
        const declared =
          error instanceof batch.InvalidRecordError ||
          error instanceof CorruptCompressionError ||
          error instanceof OutputTooLargeError;
        if (!declared) throw new Error(`round ${round}`, { cause: error });
      }
    }
  });
});
