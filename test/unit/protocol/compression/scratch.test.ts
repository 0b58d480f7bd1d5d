import { expect, test } from 'vitest';
import { compress, decompress, PlainScratch } from '../../../../src/protocol/compression/index.ts';
import { payload } from './payloads.ts';

test('lz4 unfolds into the scratch again and again, and never beyond its own length', () => {
  const scratch = new PlainScratch();
  const memory = new Set<ArrayBufferLike>();
  for (const size of [100_000, 16_384, 1, 70_000, 0, 300]) {
    const plain = payload('records', size);
    const unfolded = decompress('lz4', compress('lz4', plain), size, scratch);
    expect(unfolded.equals(plain)).toBe(true);
    memory.add(unfolded.buffer);
  }
  expect(memory.size).toBe(1);
});

test('what is too large to be kept is made for its use', () => {
  const scratch = new PlainScratch();
  const large = scratch.take(9 * 1024 * 1024);
  expect(large.length).toBe(9 * 1024 * 1024);
  expect(scratch.take(9 * 1024 * 1024) === large).toBe(false);
  expect(scratch.take(10) === scratch.take(20)).toBe(true);
});
