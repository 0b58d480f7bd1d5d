import { beforeAll, describe, expect, it } from 'vitest';
import {
  type CompressionCodec,
  compress,
  decompress,
  OutputTooLargeError,
  prepareCodec,
} from '../../../../src/protocol/compression/index.ts';
import { payload, seeded } from './payloads.ts';

const CODECS: readonly CompressionCodec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

beforeAll(async () => {
  await prepareCodec('zstd');
});

describe.each(CODECS)('%s', (codec) => {
  it.each([
    0, 1, 4, 5, 11, 12, 13, 15, 16, 17, 100, 255, 270, 32767, 32768, 32769, 65535, 65536, 65537, 70_000,
    200_000,
  ])('gives back %d bytes of every kind', (length) => {
    for (const kind of ['text', 'random', 'zeros', 'period3', 'records'] as const) {
      const plain = payload(kind, length);
      const packed = compress(codec, plain);
      expect(decompress(codec, packed, length).equals(plain), `${kind} ${length}`).toBe(true);
    }
  });

  it('works on views that do not start at the beginning of their memory', () => {
    const plain = payload('records', 5000);
    const offset = Buffer.concat([Buffer.alloc(13, 0xee), plain, Buffer.alloc(9, 0xee)]).subarray(13, 5013);
    const packed = compress(codec, offset);
    const shifted = Buffer.concat([Buffer.alloc(5, 0xdd), packed, Buffer.alloc(7, 0xdd)]);
    expect(
      decompress(codec, new Uint8Array(shifted.buffer, shifted.byteOffset + 5, packed.length), 5000),
    ).toEqual(plain);
  });

  it('leaves its input alone', () => {
    const plain = payload('text', 3000);
    const before = Buffer.from(plain);
    const packed = compress(codec, plain);
    const packedBefore = Buffer.from(packed);
    decompress(codec, packed, 3000);
    expect(plain.equals(before)).toBe(true);
    expect(packed.equals(packedBefore)).toBe(true);
  });

  it('refuses output of one byte more than allowed, and of a thousand times more', () => {
    for (const length of [1, 100, 70_000, 1_000_000]) {
      const packed = compress(codec, payload('text', length));
      expect(() => decompress(codec, packed, length - 1)).toThrow(OutputTooLargeError);
      expect(() => decompress(codec, packed, Math.floor(length / 1000))).toThrow(OutputTooLargeError);
    }
  });

  it('round-trips many small payloads', () => {
    const random = seeded(7);
    for (let i = 0; i < 300; i++) {
      const plain = payload((['text', 'random', 'zeros', 'records'] as const)[i % 4]!, random(400));
      expect(decompress(codec, compress(codec, plain), plain.length).equals(plain)).toBe(true);
    }
  });
});

it('takes the levels that Kafka allows', () => {
  const plain = payload('records', 50_000);
  for (const [codec, levels] of [
    ['gzip', [-1, 1, 9]],
    ['lz4', [1, 9, 17]],
    ['zstd', [-131072, -5, 1, 3, 19]],
  ] as const) {
    for (const level of levels) {
      expect(decompress(codec, compress(codec, plain, level), plain.length).equals(plain)).toBe(true);
    }
  }
  expect(compress('lz4', plain, 17).length).toBeLessThan(compress('lz4', plain, 2).length);
  expect(compress('lz4', plain, 2).length).toBeLessThan(compress('lz4', plain, 9).length);
  expect(compress('gzip', plain, 9).length).toBeLessThan(compress('gzip', plain, 1).length);
  expect(compress('zstd', plain, 19).length).toBeLessThan(compress('zstd', plain, -5).length);
});

it.each([1, 2, 5, 8, 10, 17])('gives back lz4 of every kind and length at level %d', (level) => {
  for (const length of [0, 1, 12, 13, 17, 100, 4096, 65_535, 65_536, 65_537, 200_000]) {
    for (const kind of ['text', 'random', 'zeros', 'period3', 'records'] as const) {
      const plain = payload(kind, length);
      const packed = compress('lz4', plain, level);
      expect(decompress('lz4', packed, length).equals(plain), `${kind} ${length}`).toBe(true);
    }
  }
  const random = seeded(level);
  for (let i = 0; i < 300; i++) {
    // Few different bytes: many matches, most of them short.
    const plain = Buffer.from(Array.from({ length: random(600) }, () => random(1 + random(4))));
    expect(decompress('lz4', compress('lz4', plain, level), plain.length).equals(plain)).toBe(true);
  }
});
