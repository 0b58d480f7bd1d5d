import { describe, expect, it } from 'vitest';
import { partitionForGroup } from '../../../src/coordinator/index.ts';

describe('the partition of a group', () => {
  // The absolute value of what java.lang.String.hashCode gives (0 for the smallest int), modulo 50.
  it.each([
    ['', 0],
    ['a', 47],
    ['my-group', 12],
    ['polygenelubricants', 0],
    ['größe', 7],
  ])('%j is the one that every broker computes', (group, expected) => {
    expect(partitionForGroup(group, 50)).toBe(expected);
  });
});
