import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'fflate';
import { decompressBlock } from 'lz4js';
import { hash as referenceHash } from 'lz4js/xxh32.js';
import snappyjs from 'snappyjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { newPositionTable } from '../../../../src/protocol/compression/copy.ts';
import {
  type CompressionCodec,
  CorruptCompressionError,
  codecId,
  codecOfId,
  compress,
  decompress,
  isCompressionCodec,
  OutputTooLargeError,
  prepareCodec,
} from '../../../../src/protocol/compression/index.ts';
import { encodeLz4Block, lz4BlockBound } from '../../../../src/protocol/compression/lz4-block.ts';
import { encodeLz4BlockThoroughly, MatchSearch } from '../../../../src/protocol/compression/lz4-search.ts';
import { xxHash32 } from '../../../../src/protocol/compression/xxhash32.ts';
import { type PayloadKind, payload, seeded } from './payloads.ts';
import { snappyOracle } from './snappy-oracle.ts';

const FIXTURES = join(import.meta.dirname, '../../../fixtures/compression');
const MAX = 2_000_000;
const bytesOf = (name: string) => readFileSync(join(FIXTURES, name));
const flipped = (bytes: Buffer, at: number) => {
  const copy = Buffer.from(bytes);
  copy[at < 0 ? copy.length + at : at]! ^= 0x40;
  return copy;
};

beforeAll(async () => {
  await prepareCodec('zstd');
});

it('knows the codecs by id and by name', () => {
  expect([0, 1, 2, 3, 4, 5, 7].map(codecOfId)).toEqual([
    'none',
    'gzip',
    'snappy',
    'lz4',
    'zstd',
    undefined,
    undefined,
  ]);
  expect((['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const).map(codecId)).toEqual([0, 1, 2, 3, 4]);
  expect(isCompressionCodec('zstd')).toBe(true);
  expect(isCompressionCodec('toString')).toBe(false);
});

describe('forms that the command line tools write', () => {
  const names = readdirSync(FIXTURES).filter((name) => name.startsWith('tool-'));
  it.each(names)('reads %s', (name) => {
    const [, codec, kind, length] = name.replace('.bin', '').split('-');
    const plain = payload(kind as PayloadKind, Number(length));
    const bytes = bytesOf(name);
    expect(decompress(codec as CompressionCodec, bytes, MAX).equals(plain)).toBe(true);
    expect(decompress(codec as CompressionCodec, bytes, plain.length).equals(plain)).toBe(true);
    for (const bound of [plain.length - 1, plain.length >> 1, 1, 0]) {
      expect(() => decompress(codec as CompressionCodec, bytes, bound)).toThrow(OutputTooLargeError);
    }
  });
});

describe('lz4', () => {
  const linked = bytesOf('tool-lz4-period3-1000000-linked.bin');
  const plainBytes = payload('records', 300);

  it.each([
    ['magic', linked, 0],
    ['version', linked, 4],
    ['content size', linked, 6],
    ['header checksum', linked, 14],
    ['block', linked, 40],
    ['block checksum', linked, 15 + 4 + linked.readUInt32LE(15)],
    ['content checksum', linked, -1],
    ['header checksum of our own frames', compress('lz4', plainBytes), 6],
  ] as const)('refuses a wrong %s', (_, frame, at) => {
    expect(() => decompress('lz4', flipped(frame, at), MAX)).toThrow(CorruptCompressionError);
  });

  it('refuses a frame that is cut anywhere, and one that is followed by more', () => {
    const frame = compress('lz4', plainBytes);
    for (let to = 0; to < frame.length; to++) {
      expect(() => decompress('lz4', frame.subarray(0, to), MAX)).toThrow(CorruptCompressionError);
    }
    expect(() => decompress('lz4', Buffer.concat([frame, Buffer.alloc(1)]), MAX)).toThrow(
      CorruptCompressionError,
    );
  });

  it('keeps independent blocks apart', () => {
    // The first block holds eight literals, the second repeats them: right only where blocks may refer to each other.
    const frame = (flags: number) => {
      const bytes = Buffer.concat([
        Buffer.from([0x04, 0x22, 0x4d, 0x18, flags, 0x40, 0]),
        Buffer.from([9, 0, 0, 0, 0x80, ...Buffer.from('abcdefgh')]),
        Buffer.from([9, 0, 0, 0, 0x04, 8, 0, 0x50, ...Buffer.from('vwxyz')]),
        Buffer.alloc(4),
      ]);
      bytes[6] = xxHash32(bytes, 4, 6) >>> 8;
      return bytes;
    };
    expect(decompress('lz4', frame(0x40), MAX).toString()).toBe('abcdefghabcdefghvwxyz');
    expect(() => decompress('lz4', frame(0x60), MAX)).toThrow(CorruptCompressionError);
  });

  it.each([
    ['fast', 0],
    ['thorough', 1],
    ['more thorough', 64],
  ])(
    'writes %s blocks that another decoder reads, within the bound, with the end that the format asks for',
    (_name, attempts) => {
      const random = seeded(77);
      const table = newPositionTable(65_536);
      for (let round = 0; round < 400; round++) {
        const length = round < 100 ? round : random(66_000) % 65_537;
        const plain = payload(
          (['text', 'records', 'zeros', 'random', 'period3'] as const)[round % 5]!,
          length,
        );
        const view = new DataView(plain.buffer, plain.byteOffset, plain.byteLength);
        const into = Buffer.alloc(lz4BlockBound(length));
        const end =
          attempts === 0
            ? encodeLz4Block(plain, view, 0, length, into, 0, table)
            : encodeLz4BlockThoroughly(plain, 0, length, into, 0, new MatchSearch(plain, view, attempts));
        expect(end).toBeLessThanOrEqual(lz4BlockBound(length));
        const back = Buffer.alloc(length);
        expect(decompressBlock(into, back, 0, end, 0)).toBe(length);
        expect(back.equals(plain)).toBe(true);
        if (length >= 5) expect(into.subarray(end - 5, end).equals(plain.subarray(length - 5))).toBe(true);
      }
    },
  );

  it('hashes as xxHash32 is defined', () => {
    expect(xxHash32(Buffer.alloc(0), 0, 0)).toBe(0x02cc5d05);
    expect(xxHash32(Buffer.from('abc'), 0, 3)).toBe(0x32d153ff);
    const bytes = payload('random', 3000);
    for (let length = 0; length < 100; length++) {
      for (const seed of [0, 1, 0xdeadbeef]) {
        expect(xxHash32(bytes, 7, 7 + length, seed)).toBe(referenceHash(seed, bytes, 7, length) >>> 0);
      }
    }
  });
});

describe('snappy', () => {
  const raw = (plain: Buffer) => snappyjs.compress(plain);

  it('reads raw streams as well as framed ones', () => {
    for (const kind of ['records', 'zeros', 'random', 'text'] as const) {
      for (const length of [0, 1, 60, 61, 256, 257, 70_000, 300_000]) {
        const plain = payload(kind, length);
        expect(decompress('snappy', raw(plain), length).equals(plain)).toBe(true);
      }
    }
  });

  it('writes blocks that another decoder reads', () => {
    for (const kind of ['records', 'zeros', 'random', 'period3'] as const) {
      for (let length = 1; length < 32_768; length = length * 2 + 3) {
        const plain = payload(kind, length);
        const framed = compress('snappy', plain);
        expect(framed.readInt32BE(16)).toBe(framed.length - 20);
        expect(snappyOracle(framed.subarray(20))?.equals(plain)).toBe(true);
      }
    }
  });

  it('reads framed streams that were joined', () => {
    const parts = [payload('text', 40_000), payload('zeros', 0), payload('records', 123)];
    const joined = Buffer.concat(parts.map((part) => compress('snappy', part)));
    expect(decompress('snappy', joined, MAX).equals(Buffer.concat(parts))).toBe(true);
  });

  it.each([
    ['nothing', []],
    ['a length that does not end', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ['a length of more than 32 bits', [0xff, 0xff, 0xff, 0xff, 0x7f]],
    ['more than the bytes can hold', [0x80, 0x08, 0, 0x61]],
    ['less than announced', [0x05, 0x08, 0x61, 0x62, 0x63]],
    ['more than announced', [0x02, 0x08, 0x61, 0x62, 0x63]],
    ['a literal past the end', [0x04, 0x0c, 0x61]],
    ['a literal with its length cut', [0x3d, 0xf4, 0x01]],
    ['a literal of 4 GiB', [0x3d, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x61]],
    ['a literal that would go back to its own tag', [0x05, 0xfc, 0xfa, 0xff, 0xff, 0xff]],
    ['a copy without its distance', [0x05, 0x00, 0x61, 0x01]],
    ['a copy from before the beginning', [0x05, 0x00, 0x61, 0x01, 0x02]],
    ['a copy from distance 0', [0x05, 0x00, 0x61, 0x01, 0x00]],
    ['a copy that is cut', [0x05, 0x00, 0x61, 0x02, 0x01]],
    ['a far copy with the highest bit', [0x05, 0x00, 0x61, 0x0f, 0x01, 0x00, 0x00, 0x80]],
  ])('refuses %s', (_, bytes) => {
    expect(() => decompress('snappy', Buffer.from(bytes), 10_000)).toThrow(CorruptCompressionError);
  });

  it('refuses a frame that is cut, but for its ends of blocks', () => {
    const framed = compress('snappy', payload('records', 400));
    for (let to = 9; to < framed.length; to++) {
      if (to === 16) continue;
      expect(() => decompress('snappy', framed.subarray(0, to), MAX)).toThrow(CorruptCompressionError);
    }
  });

  it('refuses a bound that only the sum of the blocks exceeds', () => {
    const framed = compress('snappy', payload('zeros', 100_000));
    expect(() => decompress('snappy', framed, 99_999)).toThrow(OutputTooLargeError);
  });
});

describe('zstd', () => {
  const checked = bytesOf('tool-zstd-period3-1000000-checksum.bin');

  it('refuses a wrong checksum, magic or block', () => {
    for (const at of [0, 4, -1, 20]) {
      expect(() => decompress('zstd', flipped(checked, at), MAX)).toThrow(CorruptCompressionError);
    }
  });

  it('refuses a frame that is cut anywhere, and one that is followed by other bytes', () => {
    for (let to = 0; to < checked.length; to++) {
      expect(() => decompress('zstd', checked.subarray(0, to), MAX)).toThrow(CorruptCompressionError);
    }
    expect(() => decompress('zstd', Buffer.concat([checked, Buffer.from('odd')]), MAX)).toThrow(
      CorruptCompressionError,
    );
  });

  it('skips skippable frames', () => {
    const skippable = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
    const joined = Buffer.concat([skippable, checked, skippable]);
    expect(decompress('zstd', joined, 1_000_000)).toHaveLength(1_000_000);
    expect(() => decompress('zstd', skippable, MAX)).toThrow(CorruptCompressionError);
  });

  it('allocates nothing for sizes that the blocks cannot have', () => {
    // A single segment of 2^60 bytes that holds one empty raw block.
    const boast = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x10, 1, 0, 0]);
    expect(() => decompress('zstd', boast, Number.MAX_SAFE_INTEGER)).toThrow(CorruptCompressionError);
  });
});

describe('gzip', () => {
  const packed = compress('gzip', payload('records', 5000));

  it('refuses a wrong magic, body, checksum or length, and a cut', () => {
    for (const at of [0, 200, -6, -2]) {
      expect(() => decompress('gzip', flipped(packed, at), MAX)).toThrow(CorruptCompressionError);
    }
    for (const to of [0, 5, 17, 18, 100, packed.length - 1]) {
      expect(() => decompress('gzip', packed.subarray(0, to), MAX)).toThrow(CorruptCompressionError);
    }
  });

  it('agrees with another implementation, both ways', () => {
    for (const kind of ['records', 'zeros', 'random', 'text'] as const) {
      for (const length of [0, 1, 100, 70_000]) {
        const plain = payload(kind, length);
        expect(Buffer.from(gunzipSync(compress('gzip', plain))).equals(plain)).toBe(true);
        for (const level of [0, 1, 9] as const) {
          expect(decompress('gzip', gzipSync(plain, { level }), length).equals(plain)).toBe(true);
        }
      }
    }
  });

  it('stops a bomb at the bound', () => {
    const bomb = compress('gzip', Buffer.alloc(50_000_000));
    expect(() => decompress('gzip', bomb, 100_000)).toThrow(OutputTooLargeError);
  });
});
