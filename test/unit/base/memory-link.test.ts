import { describe, expect, test } from 'vitest';
import { memoryLinkPair } from '../../../src/base/memory-link.ts';
import { LoopTurn } from '../../../src/io/turn.ts';
import { Collector, linkContract, pattern } from '../io/link-contract.ts';

describe.each([true, false])('a pair in memory, poisoned: %s', (poison) => {
  linkContract(() => ({
    open: async () => memoryLinkPair(new LoopTurn(), { poison }),
    settle: (promise) => promise,
  }));
});

test('bytes arrive on a later turn, not inside send; the far end reads what the sender holds', async () => {
  const [a, b] = memoryLinkPair(new LoopTurn());
  const atB = new Collector(b);
  const sent = pattern(100, 1);
  a.send([sent]);
  expect(atB.bytes).toBe(0);
  sent.fill(3);
  await atB.until(() => atB.bytes === 100);
  expect(atB.all().every((byte) => byte === 3)).toBe(true);
});
