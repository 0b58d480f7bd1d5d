import reference from 'crc-32/crc32c.js';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { crc32c } from '../../../../src/protocol/crc32c.ts';
import { updateByTable } from '../../../../src/protocol/crc32c-table.ts';
import {
  CHUNK,
  FoldingKernel,
  LONG_DISTANCES,
  MIDDLE_DISTANCES,
  MIN_LONG,
  MIN_MIDDLE,
  MIN_SHORT,
  SHORT_DISTANCES,
} from '../../../../src/protocol/crc32c-wasm.ts';
import { seeded } from '../compression/payloads.ts';

function randomBytes(length: number, seed: number): Uint8Array {
  const random = seeded(seed);
  return Uint8Array.from({ length }, () => random(256));
}

const bytes = randomBytes(1 << 18, 42);
const expected = (from: number, to: number) => reference.buf(bytes.subarray(from, to)) >>> 0;
const LENGTHS = [
  ...Array.from({ length: 300 }, (_, length) => length),
  ...[
    418, 449, 450, 511, 512, 639, 640, 641, 777, 1023, 1024, 1025, 2000, 3071, 3072, 3073, 4096, 5321, 5352,
    5353,
  ],
  ...[6000, 8191, 16384, 20479, 20480, 20481, 30000, CHUNK - 1, CHUNK, CHUNK + 1, CHUNK + MIN_LONG - 1],
  ...[CHUNK + MIN_LONG, CHUNK + MIN_LONG + 1, 2 * CHUNK, 65535, 65536, 65537, 100003, 200_000],
];

describe('crc32c', () => {
  it('gives the check value of the standard', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(0))).toBe(0);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  });

  it('agrees with another implementation at every length and offset', () => {
    for (const length of LENGTHS) {
      for (const from of [0, 1, 3, 8, 13]) {
        expect(crc32c(bytes, from, from + length), `${length} bytes from ${from}`).toBe(
          expected(from, from + length),
        );
      }
    }
  });

  it('works on views into a larger buffer', () => {
    const view = Buffer.from(bytes.buffer, 1001, 50_000);
    expect(crc32c(view, 7, 40_007)).toBe(expected(1008, 41_008));
    expect(crc32c(view)).toBe(expected(1001, 51_001));
  });

  it('goes on from a seed at any cut', () => {
    const random = seeded(3);
    for (let round = 0; round < 60; round++) {
      const to = random(120_000);
      const cut = random(to + 1);
      expect(crc32c(bytes, cut, to, crc32c(bytes, 0, cut))).toBe(expected(0, to));
    }
  });

  it('notices one flipped bit anywhere in a large message', () => {
    const copy = bytes.slice(0, 70_000);
    const sound = crc32c(copy);
    const random = seeded(9);
    for (let round = 0; round < 100; round++) {
      const at = random(copy.length);
      copy[at]! ^= 1 << random(8);
      expect(crc32c(copy)).not.toBe(sound);
      copy.set(bytes.subarray(at, at + 1), at);
    }
  });
});

describe('folding', () => {
  const kernel = FoldingKernel.compile();

  it('has a kernel on this runtime', () => {
    expect(kernel).toBeDefined();
  });

  it('is right at every length that a stage takes, whatever ran before', () => {
    const random = seeded(11);
    for (let round = 0; round < 400; round++) {
      const stage = (['short', 'middle', 'long'] as const)[random(3)]!;
      const least = { short: MIN_SHORT, middle: MIN_MIDDLE, long: MIN_LONG }[stage];
      const most = stage === 'long' ? 150_000 : CHUNK;
      const length = round % 3 === 0 ? least + random(40) : least + random(most - least + 1);
      const from = random(20);
      const folded = ~kernel![stage](-1, bytes, from, from + length) >>> 0;
      expect(folded, `${stage} ${length} from ${from}`).toBe(expected(from, from + length));
    }
  });

  it.each([{ distances: LONG_DISTANCES }, { distances: MIDDLE_DISTANCES }, { distances: SHORT_DISTANCES }])(
    'rests on a sum that vanishes: $distances',
    ({ distances }) => {
      const message = new Uint8Array(6000);
      for (const distance of [0, ...distances]) message[100 + distance]! ^= 1;
      const view = new DataView(message.buffer);
      // Without inversion, and cut anywhere after the last term, the remainder of such a message is zero.
      const last = 100 + Math.max(...distances) + 1;
      expect(updateByTable(0, view, 0, last)).toBe(0);
      expect(updateByTable(0, view, 0, last + 57)).toBe(0);
    },
  );
});

describe('the table', () => {
  it('agrees with another implementation', () => {
    const view = new DataView(bytes.buffer);
    for (const length of LENGTHS) {
      expect(~updateByTable(-1, view, 5, 5 + length) >>> 0).toBe(expected(5, 5 + length));
    }
  });
});

describe('without WebAssembly', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.resetModules();
  });

  it.each([
    undefined,
    {
      Module: class {},
      Instance: class {
        readonly exports = {};
      },
    },
  ])('gives the same answers (%#)', async (runtime) => {
    vi.stubGlobal('WebAssembly', runtime);
    vi.resetModules();
    const fresh = await import('../../../../src/protocol/crc32c.ts');
    for (const length of [5, 200, 700, 5000, 60_000])
      expect(fresh.crc32c(bytes, 1, 1 + length)).toBe(expected(1, 1 + length));
  });
});
