import { expect, test } from 'vitest';
import { KeyHash } from '../../../../src/log/cleaner/key-hash.ts';

const hex = (...words: number[]) =>
  words
    .map((word) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(word);
      return bytes.toString('hex');
    })
    .join('');

test('each half is HalfSipHash-2-4 as its authors publish it', () => {
  const hash = new KeyHash([0x03020100, 0x07060504, 0x03020100, 0x07060504]);
  const of = (size: number) => {
    hash.update(Buffer.from(Array.from({ length: size }, (_, at) => at)), 0, size);
    expect([hash.h2, hash.h3]).toEqual([hash.h0, hash.h1]);
    return hex(hash.h0, hash.h1);
  };
  expect(of(0)).toBe('218d1f59b9b83cc8');
  expect(of(1)).toBe('be552412f8387315');
});

test('every byte and the length count, and so does the secret', () => {
  const seen = new Set<string>();
  for (const secret of [
    [1, 2, 3, 4],
    [1, 2, 3, 5],
  ] as const) {
    const hash = new KeyHash(secret);
    for (let size = 0; size < 12; size += 1) {
      for (let changed = -1; changed < size; changed += 1) {
        const key = Buffer.alloc(14, 7);
        if (changed >= 0) key[1 + changed] = 8;
        hash.update(key, 1, 1 + size);
        seen.add(hex(hash.h0, hash.h1, hash.h2, hash.h3));
      }
    }
  }
  expect(seen.size).toBe(2 * (12 + 66));
});
