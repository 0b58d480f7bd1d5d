import { expect, test } from 'vitest';
import { ENTRY_BYTES, OffsetMap } from '../../../../src/log/cleaner/offset-map.ts';

const key = (n: number) => Buffer.from(`key-${n}`);
const put = (map: OffsetMap, n: number, offset: number) => map.put(key(n), 0, key(n).length, offset);
const get = (map: OffsetMap, n: number) => map.get(key(n), 0, key(n).length);

test('the last offset of each key is found, others are not', () => {
  const map = new OffsetMap({ bytesMax: 1 << 20, loadFactor: 0.9, keysMax: 5000, secret: [1, 2, 3, 4] });
  for (let offset = 0; offset < 5000; offset += 1) put(map, offset % 1000, offset);
  expect(map.size).toBe(1000);
  expect(map.latestOffset).toBe(4999);
  for (let n = 0; n < 1000; n += 1) expect(get(map, n)).toBe(4000 + n);
  for (let n = 1000; n < 2000; n += 1) expect(get(map, n)).toBe(-1);
});

test('it takes no more memory than allowed, nor than the keys need', () => {
  const large = new OffsetMap({ bytesMax: 2400, loadFactor: 0.5, keysMax: 1e9, secret: [1, 2, 3, 4] });
  expect(large.sizeInBytes).toBe(2400);
  expect(large.entriesMax).toBe(50);
  for (let n = 0; n < 50; n += 1) put(large, n, n);
  expect(large.isFull).toBe(true);
  expect(() => put(large, 51, 51)).toThrow('room');
  const small = new OffsetMap({ bytesMax: 1 << 30, loadFactor: 0.9, keysMax: 10, secret: [1, 2, 3, 4] });
  expect(small.sizeInBytes).toBeLessThan(20 * ENTRY_BYTES);
  for (let n = 0; n < 10; n += 1) put(small, n, n);
});

test('one with a load factor of 1 still ends its searches', () => {
  const map = new OffsetMap({ bytesMax: 240, loadFactor: 1, keysMax: 100, secret: [1, 2, 3, 4] });
  for (let n = 0; !map.isFull; n += 1) put(map, n, n);
  expect(map.size).toBe(9);
  expect(get(map, 77)).toBe(-1);
});
