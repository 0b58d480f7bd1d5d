import { expect, test } from 'vitest';
import { shareOpenFiles } from '../../../src/base/open-files-shares.ts';

test.each([
  [64, { connections: 32, logFiles: 16 }],
  [1024, { connections: 512, logFiles: 256 }],
  [4096, { connections: 3072, logFiles: 512 }],
  [20_000, { connections: 15_000, logFiles: 2500 }],
  [1_048_576, { connections: 786_432, logFiles: 16_384 }],
  [undefined, { connections: Number.POSITIVE_INFINITY, logFiles: 512 }],
])('of %s open files connections and logs get their share', (limit, shares) => {
  expect(shareOpenFiles(limit)).toEqual(shares);
});
