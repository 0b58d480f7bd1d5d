import { expect, test } from 'vitest';
import { BufferPool } from '../../../src/base/buffer-pool.ts';

test('what comes is large enough, and at most a quarter larger', () => {
  const pool = new BufferPool();
  for (let size = 1; size < 40_000_000; size = Math.ceil(size * 1.037)) {
    const buffer = pool.take(size);
    expect(buffer.length).toBeGreaterThanOrEqual(size);
    if (size > 1024) expect(buffer.length).toBeLessThanOrEqual(Math.ceil(size * 1.25));
    pool.give(buffer);
    expect(pool.takenBytes()).toBe(0);
  }
});

test('a buffer is used again by the sizes of its class', () => {
  const pool = new BufferPool();
  const buffer = pool.take(100_000);
  pool.give(buffer);
  expect(pool.take(100_001)).toBe(buffer);
  expect(pool.take(100_001)).not.toBe(buffer);
  expect(pool.takenBytes()).toBe(buffer.length * 2);
});

test('what is retained is bounded, and can be dropped', () => {
  const pool = new BufferPool({ maxRetainedBytes: 1_000_000 });
  const taken = Array.from({ length: 40 }, () => pool.take(65_536));
  for (const buffer of taken) pool.give(buffer);
  expect(pool.retainedBytes()).toBeLessThanOrEqual(1_000_000);
  expect(pool.retainedBytes()).toBeGreaterThan(900_000);
  pool.trim(100_000);
  expect(pool.retainedBytes()).toBe(65_536);
  pool.trim(0);
  expect(pool.retainedBytes()).toBe(0);
});

test('what one load left behind makes room for the buffers of the next', () => {
  const pool = new BufferPool({ maxRetainedBytes: 1_000_000 });
  const small = Array.from({ length: 40 }, () => pool.take(65_536));
  for (const buffer of small) pool.give(buffer);
  const large = pool.take(524_288);
  pool.give(large);
  expect(pool.retainedBytes()).toBeLessThanOrEqual(1_000_000);
  expect(pool.take(524_288)).toBe(large);
  expect(small).toContain(pool.take(65_536));
});

test('poisoned: what was given back is overwritten, and giving twice or a view is found', () => {
  const pool = new BufferPool({ poison: true });
  const buffer = pool.take(2000);
  buffer.fill(1);
  pool.give(buffer);
  expect(buffer[0]).toBe(0xdb);
  expect(() => pool.give(buffer)).toThrow('not taken');
  expect(() => pool.give(pool.take(2000).subarray(0, 1024))).toThrow();
  expect(() => new BufferPool().give(Buffer.alloc(2049))).toThrow('not a buffer of the pool');
});
