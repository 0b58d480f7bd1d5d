import { expect, test } from 'vitest';
import { simulateNode } from './node-simulation.ts';

/** How many seeds `npm test` runs in all; `SIMULATION_SEEDS` changes it, `npm run simulate` runs any number. */
const seedsInAll = Number(process.env['SIMULATION_SEEDS'] ?? 200);

/** Every `step`-th seed from `first` on, each twice: the files that call this run side by side. */
export function simulateSeeds(first: number, step: number): void {
  for (let seed = first; seed <= seedsInAll; seed += step) {
    test(`seed ${seed}`, async () => {
      const once = await simulateNode({ seed });
      const again = await simulateNode({ seed });
      expect(again).toEqual(once);
    });
  }
}
