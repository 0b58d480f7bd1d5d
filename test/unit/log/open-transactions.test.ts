import { describe, expect, it } from 'vitest';
import { OpenTransactions } from '../../../src/log/open-transactions.ts';
import { SeededRandom } from '../../simulation/random.ts';

describe('the open transactions of a partition', () => {
  it('are known by the lowest offset, in whatever order they come and leave', () => {
    for (let seed = 1; seed <= 30; seed += 1) {
      const random = new SeededRandom(seed);
      const open = new OpenTransactions();
      const model = new Set<number>();
      let end = 0;
      for (let step = 0; step < 600; step += 1) {
        // What was taken back after a failed write comes again, at offsets that were used before.
        if (random.below(20) === 0) end = Math.max(0, end - random.below(40));
        if (random.below(2) === 0) {
          end += 1 + random.below(3);
          open.add(end);
          model.add(end);
        } else {
          const offset = random.below(4) === 0 ? random.below(end + 2) : ([...model][0] ?? 0);
          open.delete(offset);
          model.delete(offset);
        }
        const lowest = model.size === 0 ? undefined : Math.min(...model);
        expect([open.first, open.size], `seed ${seed} step ${step}`).toEqual([lowest, model.size]);
      }
    }
  });

  it('may begin behind 2^31, and one that stays open is the lowest however many come and go behind it', () => {
    const open = new OpenTransactions();
    const base = 2 ** 40;
    open.add(base);
    for (let n = 1; n < 1000; n += 1) {
      open.add(base + n);
      if (n > 1) open.delete(base + n - 1);
      expect(open.first).toBe(base);
    }
    open.delete(base);
    expect([open.first, open.size]).toEqual([base + 999, 1]);
  });
});
